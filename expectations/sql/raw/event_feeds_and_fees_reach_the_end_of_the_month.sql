-- Rule L5. Claims are no such feed: they come later than the close. A feed
-- without any object says nothing, and is warned of.
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

month_ends as (
    select
        current_build.run_id,
        max(
            coalesce(
                months.ends_at,
                (current_build.service_month + interval '1 month')
                at time zone 'UTC'
            )
        ) as ends_at
    from audit.current_build
    left outer join gate.contracts on true
    left outer join gate.months on contracts.terms_id = months.terms_id
    group by current_build.run_id
),

feed_exports as (
    select
        objects.feed,
        max(objects.exported_at) filter (
            where objects.status = 'loaded'
        ) as last_exported_at
    from gate.objects
    group by objects.feed
),

population as (
    select
        event_feeds.feed,
        feed_exports.last_exported_at,
        feed_exports.feed is not null as has_objects
    from event_feeds
    left outer join feed_exports on event_feeds.feed = feed_exports.feed
),

final as (
    select
        population.feed as subject,
        concat(
            'last exported at ',
            coalesce(
                to_char(
                    population.last_exported_at,
                    'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
                ),
                'no time (no object of it could be read)'
            ),
            '; the month ends at ',
            to_char(month_ends.ends_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        ) as detail
    from population
    cross join month_ends
    where
        population.has_objects
        and (
            population.last_exported_at is null
            or population.last_exported_at < month_ends.ends_at
        )
)

select * from final
order by subject
