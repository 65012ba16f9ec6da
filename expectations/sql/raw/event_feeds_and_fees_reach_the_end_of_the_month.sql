-- Rule L5. Claims are no such feed: they come later than the close.
with

event_feeds (feed) as (
    values
    ('monitoring/checks'),
    ('status_page/statuspage'),
    ('notices'),
    ('exclusions'),
    ('tickets/events'),
    ('tickets/zendesk'),
    ('accounts/fees')
),

contracts as (
    select distinct on (contracts.contract_id) contracts.*
    from raw.contracts
    inner join raw.source_objects
        on contracts.object_id = source_objects.object_id
    where source_objects.is_in_force
    order by
        contracts.contract_id asc,
        source_objects.exported_at desc,
        convert_to(source_objects.key, 'UTF8') desc,
        contracts.line_number desc
),

month_ends as (
    select
        current_build.run_id,
        max(
            raw.start_of_day(
                (current_build.service_month + interval '1 month')::date,
                coalesce(terms_versions.time_zone, 'UTC')
            )
        ) as ends_at
    from audit.current_build
    left outer join contracts on true
    left outer join raw.terms_versions
        on contracts.terms_id = terms_versions.terms_id
    group by current_build.run_id
),

feed_exports as (
    select
        source_objects.feed,
        max(source_objects.exported_at) filter (
            where source_objects.status = 'loaded'
        ) as last_exported_at
    from raw.source_objects
    where source_objects.is_in_force
    group by source_objects.feed
),

final as (
    select
        feed_exports.feed as subject,
        concat(
            'last exported at ',
            coalesce(
                to_char(
                    feed_exports.last_exported_at,
                    'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
                ),
                'no time (no object of it could be read)'
            ),
            '; the month ends at ',
            to_char(month_ends.ends_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        ) as detail
    from feed_exports
    inner join event_feeds on feed_exports.feed = event_feeds.feed
    cross join month_ends
    where
        feed_exports.last_exported_at is null
        or feed_exports.last_exported_at < month_ends.ends_at
)

select * from final
order by subject
