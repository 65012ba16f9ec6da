-- Rules M2, M7: a monitor or location that the catalog has come to know, or no
-- longer knows, and a `stale_after` that now cuts a streak.
with

monitors as (
    select distinct on (monitors.monitor_id)
        monitors.monitor_id,
        monitors.locations,
        coalesce(
            monitors.stale_after_seconds, 2 * monitors.interval_seconds
        ) as stale_after_seconds
    from raw.monitors
    inner join gate.objects on monitors.object_id = objects.object_id
    order by
        monitors.monitor_id asc,
        objects.exported_at desc,
        objects.key_bytes desc,
        monitors.line_number desc
),

longest_gaps as (
    select
        check_streaks.object_id,
        check_streaks.monitor_id,
        check_streaks.location,
        max(check_streaks.max_gap_seconds) as gap_seconds
    from raw.check_streaks
    group by
        check_streaks.object_id,
        check_streaks.monitor_id,
        check_streaks.location
),

population as (
    select
        check_spans.*,
        objects.key
    from raw.check_spans
    inner join gate.objects on check_spans.object_id = objects.object_id
),

final as (
    select
        population.monitor_id as subject,
        concat(
            'location ',
            population.location,
            ': the checks of ',
            population.key,
            ' were judged by another catalog'
        ) as detail
    from population
    left outer join monitors
        on
            population.monitor_id = monitors.monitor_id
            and population.location = any(monitors.locations)
    left outer join longest_gaps
        on
            population.object_id = longest_gaps.object_id
            and population.monitor_id = longest_gaps.monitor_id
            and population.location = longest_gaps.location
    where
        population.is_known <> (monitors.monitor_id is not null)
        or coalesce(
            longest_gaps.gap_seconds > monitors.stale_after_seconds, false
        )
)

select * from final
order by subject, detail
