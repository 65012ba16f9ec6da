-- The limit is the session's setting `slaledger.quarantine_limit_percent`
-- (SLA_QUARANTINE_LIMIT). `digest` is what an approval must name: other counts
-- need another approval.
with

feed_counts as (
    select
        source_objects.feed,
        sum(source_objects.rows_read) as rows_read,
        sum(source_objects.rows_quarantined) as rows_quarantined
    from raw.source_objects
    where source_objects.is_in_force
    group by source_objects.feed
),

feed_digests as (
    select
        feed_counts.*,
        encode(
            sha256(
                convert_to(
                    concat_ws(
                        '|',
                        feed_counts.feed,
                        feed_counts.rows_read,
                        feed_counts.rows_quarantined
                    ),
                    'UTF8'
                )
            ),
            'hex'
        ) as digest
    from feed_counts
),

final as (
    select
        feed_digests.feed as subject,
        feed_digests.digest,
        feed_digests.rows_read,
        feed_digests.rows_quarantined,
        concat(
            feed_digests.rows_quarantined,
            ' of ',
            feed_digests.rows_read,
            ' rows are quarantined; the limit is ',
            current_setting('slaledger.quarantine_limit_percent'),
            ' percent'
        ) as detail
    from feed_digests
    left outer join audit.decisions
        on
            decisions.kind = 'quarantine_limit'
            and feed_digests.feed = decisions.subject
            and feed_digests.digest = decisions.subject_digest
            and decisions.is_approved
    where
        feed_digests.rows_read >= 100
        and 100 * feed_digests.rows_quarantined
        > current_setting('slaledger.quarantine_limit_percent')::numeric
        * feed_digests.rows_read
        and decisions.decision_id is null
)

select * from final
order by subject
