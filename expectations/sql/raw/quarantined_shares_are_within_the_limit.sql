-- The limit is the session's setting `slaledger.quarantine_limit_percent`
-- (SLA_QUARANTINE_LIMIT). `digest` is what an approval must name: other counts
-- need another approval.
with

feed_counts as (
    select
        objects.feed,
        sum(objects.rows_read) as rows_read,
        sum(objects.rows_quarantined) as rows_quarantined
    from gate.objects
    group by objects.feed
),

population as (
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
        population.feed as subject,
        population.digest,
        population.rows_read,
        population.rows_quarantined,
        concat(
            population.rows_quarantined,
            ' of ',
            population.rows_read,
            ' rows are quarantined; the limit is ',
            current_setting('slaledger.quarantine_limit_percent'),
            ' percent'
        ) as detail
    from population
    left outer join audit.decisions
        on
            decisions.kind = 'quarantine_limit'
            and population.feed = decisions.subject
            and population.digest = decisions.subject_digest
            and decisions.is_approved
    where
        population.rows_read >= 100
        and 100 * population.rows_quarantined
        > current_setting('slaledger.quarantine_limit_percent')::numeric
        * population.rows_read
        and decisions.decision_id is null
)

select * from final
order by subject
