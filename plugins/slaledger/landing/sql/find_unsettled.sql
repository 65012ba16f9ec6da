-- Spans in force with the objects whose spans overlap them, for every object that has a span whose neighbours are
-- not those that it was reduced together with. Closed bounds: equal instants may be duplicates or conflicts.
with ordered as (
    select
        check_spans.*,
        max(check_spans.last_at) over (
            partition by check_spans.monitor_id, check_spans.location
            order by check_spans.first_at, check_spans.object_id
            rows between unbounded preceding and 1 preceding
        ) as last_at_before,
        lead(check_spans.first_at) over (
            partition by check_spans.monitor_id, check_spans.location
            order by check_spans.first_at, check_spans.object_id
        ) as first_at_after
    from raw.check_spans
    where check_spans.is_known
),

overlapping as (
    select *
    from ordered
    where
        ordered.last_at_before >= ordered.first_at
        or ordered.first_at_after <= ordered.last_at
),

neighbours as (
    select
        own.object_id,
        own.monitor_id,
        own.location,
        array_agg(other.object_id::text order by other.object_id) as object_ids
    from overlapping as own
    inner join overlapping as other
        on
            own.monitor_id = other.monitor_id
            and own.location = other.location
            and own.object_id <> other.object_id
            and own.first_at <= other.last_at
            and own.last_at >= other.first_at
    group by
        own.object_id,
        own.monitor_id,
        own.location
),

settling as (
    select
        check_spans.object_id,
        check_spans.monitor_id,
        check_spans.location,
        check_spans.first_at,
        check_spans.last_at,
        coalesce(neighbours.object_ids, '{}') as neighbours,
        case
            when neighbours.object_ids is not null
                then encode(
                    sha256(convert_to(array_to_string(neighbours.object_ids, ','), 'UTF8')),
                    'hex'
                )
        end as settles_with,
        check_spans.settled_with,
        check_spans.stale_after_seconds
    from raw.check_spans
    left join neighbours
        on
            check_spans.object_id = neighbours.object_id
            and check_spans.monitor_id = neighbours.monitor_id
            and check_spans.location = neighbours.location
    where check_spans.is_known
),

unsettled as (
    select
        settling.object_id,
        min(settling.first_at) as first_at
    from settling
    group by settling.object_id
    having bool_or(settling.settled_with is distinct from settling.settles_with)
)

select
    settling.object_id::text,
    settling.monitor_id,
    settling.location,
    settling.first_at,
    settling.last_at,
    settling.neighbours,
    settling.settles_with,
    settling.stale_after_seconds * 1000000 as stale_after_microseconds
from unsettled
inner join settling
    on unsettled.object_id = settling.object_id
order by
    unsettled.first_at,
    settling.object_id,
    settling.monitor_id,
    settling.location
