-- The monitors and locations that the catalog knows, by its latest rows in force (rule M7), with their stale_after
-- in microseconds (rule M2).
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
)

select
    monitors.monitor_id,
    location.name as location,
    monitors.stale_after_seconds * 1000000 as stale_after_microseconds
from monitors
cross join unnest(monitors.locations) as location (name)
