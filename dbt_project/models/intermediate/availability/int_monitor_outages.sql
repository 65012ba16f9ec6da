-- Grain: one interval in which a monitor is down or unknown; up elsewhere.
-- Rules M4, M7: the quorum of its locations, swept over their changes.
with

build_window as (
    select * from {{ ref('int_window') }}
),

monitors as (
    select * from {{ ref('stg_catalog__monitors') }}
),

location_states as (
    select * from {{ ref('int_location_states') }}
),

readings as (
    select false as degraded_counts
    union
    select scope_versions.degraded_counts
    from {{ ref('int_scope_versions') }} as scope_versions
),

-- The window's edges are changes by nothing: a monitor without any check is
-- unknown throughout.
changes as (
    select
        monitors.monitor_id,
        readings.degraded_counts,
        edges.changed_at,
        0 as known_change,
        0 as down_change
    from monitors
    cross join readings
    cross join build_window
    cross join
        lateral (
            values (build_window.started_at), (build_window.ended_at)
        ) as edges (changed_at)
    union all
    select
        location_states.monitor_id,
        location_states.degraded_counts,
        edges.changed_at,
        edges.known_change,
        (location_states.state = 'down')::integer * edges.known_change
            as down_change
    from location_states
    cross join lateral (
        values
        (location_states.started_at, 1),
        (location_states.ended_at, -1)
    ) as edges (changed_at, known_change)
),

changes_at as (
    select
        changes.monitor_id,
        changes.degraded_counts,
        changes.changed_at,
        sum(changes.known_change) as known_change,
        sum(changes.down_change) as down_change
    from changes
    group by changes.monitor_id, changes.degraded_counts, changes.changed_at
),

counts as (
    select
        changes_at.monitor_id,
        changes_at.degraded_counts,
        changes_at.changed_at as started_at,
        lead(changes_at.changed_at) over in_order as ended_at,
        sum(changes_at.known_change) over in_order as known_count,
        sum(changes_at.down_change) over in_order as down_count
    from changes_at
    window
        in_order as (
            partition by changes_at.monitor_id, changes_at.degraded_counts
            order by changes_at.changed_at
        )
),

states as (
    select
        counts.monitor_id,
        counts.degraded_counts,
        monitors.service,
        monitors.region,
        case
            when counts.known_count < monitors.quorum_min then 'unknown'
            when 2 * counts.down_count > counts.known_count then 'down'
        end as state,
        greatest(counts.started_at, monitors.active_from) as started_at,
        least(counts.ended_at, monitors.active_until) as ended_at
    from counts
    inner join monitors on counts.monitor_id = monitors.monitor_id
    where counts.ended_at is not null
),

final as (
    select
        states.monitor_id,
        states.degraded_counts,
        states.service,
        states.region,
        states.state,
        lower(spans.span) as started_at,
        upper(spans.span) as ended_at
    from (
        select
            states.monitor_id,
            states.degraded_counts,
            states.service,
            states.region,
            states.state,
            range_agg(tstzrange(states.started_at, states.ended_at)) as periods
        from states
        where
            states.state is not null
            and states.started_at < states.ended_at
        group by
            states.monitor_id,
            states.degraded_counts,
            states.service,
            states.region,
            states.state
    ) as states
    cross join lateral unnest(states.periods) as spans (span)
)

select * from final
