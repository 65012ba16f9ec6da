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
    inner join raw.source_objects
        on monitors.object_id = source_objects.object_id
    where source_objects.is_in_force
    order by
        monitors.monitor_id asc,
        source_objects.exported_at desc,
        convert_to(source_objects.key, 'UTF8') desc,
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

final as (
    select
        check_spans.monitor_id as subject,
        concat(
            'location ',
            check_spans.location,
            ': the checks of ',
            source_objects.key,
            ' were judged by another catalog'
        ) as detail
    from raw.check_spans
    inner join raw.source_objects
        on check_spans.object_id = source_objects.object_id
    left outer join monitors
        on
            check_spans.monitor_id = monitors.monitor_id
            and check_spans.location = any(monitors.locations)
    left outer join longest_gaps
        on
            check_spans.object_id = longest_gaps.object_id
            and check_spans.monitor_id = longest_gaps.monitor_id
            and check_spans.location = longest_gaps.location
    where
        source_objects.is_in_force
        and (
            check_spans.is_known <> (monitors.monitor_id is not null)
            or coalesce(
                longest_gaps.gap_seconds > monitors.stale_after_seconds, false
            )
        )
)

select * from final
order by subject, detail
