-- Grain: one interval in which a location of a monitor has a known state, read
-- with degraded as up, and as down where some version in force asks for it.
-- Rules M1-M3, M6: streaks of any objects, merged where one continues another.
with

current_build as (
    select * from {{ ref('stg_audit__current_build') }}
),

build_window as (
    select * from {{ ref('int_window') }}
),

monitors as (
    select * from {{ ref('stg_catalog__monitors') }}
),

check_streaks as (
    select * from {{ ref('stg_monitoring__check_streaks') }}
),

-- The failures that confirm an outage may lie beyond the window's edges, but
-- never farther than `confirm` steps of `stale_after`.
monitor_reaches as (
    select
        monitors.monitor_id,
        monitors.locations,
        monitors.confirm,
        current_build.as_of,
        make_interval(secs => monitors.stale_after_seconds) as stale_after,
        build_window.started_at
        - make_interval(secs => monitors.confirm * monitors.stale_after_seconds)
            as reach_from,
        least(
            build_window.ended_at
            + make_interval(
                secs => monitors.confirm * monitors.stale_after_seconds
            ),
            current_build.as_of
        ) as reach_until
    from monitors
    cross join build_window
    cross join current_build
),

readings as (
    select false as degraded_counts
    union
    select scope_versions.degraded_counts
    from {{ ref('int_scope_versions') }} as scope_versions
),

-- What a streak holds of checks by the as-of time.
streaks as (
    select
        check_streaks.monitor_id,
        check_streaks.location,
        readings.degraded_counts,
        monitor_reaches.confirm,
        monitor_reaches.stale_after,
        check_streaks.first_at,
        check_streaks.last_at,
        case
            when check_streaks.status <> 'degraded' then check_streaks.status
            when readings.degraded_counts then 'down'
            else 'up'
        end as state,
        case
            when
                check_streaks.last_at > monitor_reaches.as_of
                and check_streaks.checked_ats is not null
                then (
                    select count(*)
                    from
                        unnest(check_streaks.checked_ats)
                            as checks (checked_at)
                    where checks.checked_at <= monitor_reaches.as_of
                )
            else check_streaks.checks_count
        end as checks_count
    from check_streaks
    inner join monitor_reaches
        on
            check_streaks.monitor_id = monitor_reaches.monitor_id
            and check_streaks.location = any(monitor_reaches.locations)
            and check_streaks.last_at >= monitor_reaches.reach_from
            and check_streaks.first_at <= monitor_reaches.reach_until
    cross join readings
),

streaks_in_order as (
    select
        streaks.*,
        streaks.state = lag(streaks.state) over in_order
        and streaks.first_at - lag(streaks.last_at) over in_order
        <= streaks.stale_after as continues_run
    from streaks
    window
        in_order as (
            partition by
                streaks.monitor_id, streaks.location, streaks.degraded_counts
            order by streaks.first_at
        )
),

streaks_in_runs as (
    select
        streaks_in_order.*,
        count(*) filter (
            where streaks_in_order.continues_run is not true
        ) over (
            partition by
                streaks_in_order.monitor_id,
                streaks_in_order.location,
                streaks_in_order.degraded_counts
            order by streaks_in_order.first_at
        ) as run_number
    from streaks_in_order
),

runs as (
    select
        streaks_in_runs.monitor_id,
        streaks_in_runs.location,
        streaks_in_runs.degraded_counts,
        streaks_in_runs.run_number,
        streaks_in_runs.state,
        min(streaks_in_runs.first_at) as started_at,
        max(streaks_in_runs.last_at) + streaks_in_runs.stale_after as stale_at,
        streaks_in_runs.state = 'down'
        and sum(streaks_in_runs.checks_count) < streaks_in_runs.confirm
            as is_unconfirmed_failure
    from streaks_in_runs
    group by
        streaks_in_runs.monitor_id,
        streaks_in_runs.location,
        streaks_in_runs.degraded_counts,
        streaks_in_runs.run_number,
        streaks_in_runs.state,
        streaks_in_runs.stale_after,
        streaks_in_runs.confirm
),

run_intervals as (
    select
        runs.*,
        least(
            runs.stale_at,
            lead(runs.started_at) over (
                partition by
                    runs.monitor_id, runs.location, runs.degraded_counts
                order by runs.run_number
            )
        ) as ended_at
    from runs
),

final as (
    select
        run_intervals.monitor_id,
        run_intervals.location,
        run_intervals.degraded_counts,
        run_intervals.is_unconfirmed_failure,
        run_intervals.started_at as run_started_at,
        case
            when run_intervals.is_unconfirmed_failure then 'up'
            else run_intervals.state
        end as state,
        greatest(run_intervals.started_at, build_window.started_at)
            as started_at,
        least(run_intervals.ended_at, build_window.ended_at) as ended_at
    from run_intervals
    cross join build_window
    where
        run_intervals.state <> 'unknown'
        and run_intervals.started_at < build_window.ended_at
        and run_intervals.ended_at > build_window.started_at
)

select * from final
