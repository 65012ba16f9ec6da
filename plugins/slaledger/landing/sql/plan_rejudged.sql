-- Landed check objects in force that the catalog of now would judge differently (rules M2, M7): a monitor or location
-- that became known or unknown, a stale_after that is now shorter than a step within a streak, or an object that came
-- back into force. Of one object, or of those that a run listed.
with monitors as (
    select distinct on (monitors.monitor_id)
        monitors.monitor_id,
        monitors.locations,
        coalesce(monitors.stale_after_seconds, 2 * monitors.interval_seconds) as stale_after_seconds
    from raw.monitors
    inner join raw.source_objects
        on monitors.object_id = source_objects.object_id
    where source_objects.is_in_force
    order by
        monitors.monitor_id asc,
        source_objects.exported_at desc,
        source_objects.key collate "C" desc,
        monitors.line_number desc
),

differing as (
    select check_spans.object_id
    from raw.check_spans
    left join monitors
        on
            check_spans.monitor_id = monitors.monitor_id
            and check_spans.location = any(monitors.locations)
    where
        (%(object_id)s::uuid is null or check_spans.object_id = %(object_id)s::uuid)
        and (
            check_spans.is_known <> (monitors.monitor_id is not null)
            or (
                monitors.stale_after_seconds < check_spans.stale_after_seconds
                and exists (
                    select
                    from raw.check_streaks
                    where
                        check_streaks.object_id = check_spans.object_id
                        and check_streaks.monitor_id = check_spans.monitor_id
                        and check_streaks.location = check_spans.location
                        and check_streaks.max_gap_seconds > monitors.stale_after_seconds
                )
            )
        )
),

returned as (
    select source_objects.object_id
    from raw.source_objects
    where
        (%(object_id)s::uuid is null or source_objects.object_id = %(object_id)s::uuid)
        and source_objects.feed = 'monitoring/checks'
        and source_objects.is_in_force
        and source_objects.rows_loaded + source_objects.rows_duplicate > 0
        and not exists (
            select
            from raw.check_spans
            where check_spans.object_id = source_objects.object_id
        )
),

rejudged as (
    select differing.object_id
    from differing
    union
    select returned.object_id
    from returned
)

select
    rejudged.object_id::text,
    source_objects.key,
    source_objects.size_bytes
from rejudged
inner join raw.source_objects
    on rejudged.object_id = source_objects.object_id
where
    source_objects.is_in_force
    and (
        %(run_id)s::text is null
        or exists (
            select
            from audit.listed_objects
            where
                listed_objects.run_id = %(run_id)s::text
                and listed_objects.object_id = rejudged.object_id
        )
    )
order by
    source_objects.key,
    source_objects.object_id
