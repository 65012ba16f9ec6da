-- Grain: one time zone of the terms and local day within reach of the build.
-- A day starts at the first instant at which its clocks show 00:00 or later,
-- and ends where the next one starts; `utc_offset` holds until `changed_at`,
-- `later_utc_offset` from there, where clocks change within the day.
-- Zones have changed their clocks on whole minutes only since 1972.
with

versions as (
    select * from {{ ref('stg_terms__versions') }}
),

holidays as (
    select * from {{ ref('stg_terms__calendar_holidays') }}
),

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

zones as (
    select versions.time_zone from versions
    union distinct
    select versions.calendar_time_zone from versions
),

counts as (
    select versions.claims_within_days as day_count from versions
    union all
    select (targets.target ->> 'business_days')::integer as day_count
    from versions
    cross join
        lateral jsonb_each(versions.response_targets)
            as targets (severity, target)
    union all
    select count(*)::integer as day_count
    from holidays
    inner join build
        on holidays.holiday_date >= build.service_month
    group by holidays.calendar_id
),

-- N business days and H holidays end within 1.4 (N + H) + 9 days, which is less
-- than four times the longest count: the standard terms alone count to 10.
reach as (
    select
        build.service_month - 3 as first_day,
        greatest(
            build.service_month + interval '1 month',
            build.as_of at time zone 'UTC'
        )::date + 4 * max(counts.day_count) as last_day
    from build
    cross join counts
    group by build.service_month, build.as_of
),

midnights as (
    select
        zones.time_zone,
        series.midnight,
        (series.midnight at time zone 'UTC') at time zone zones.time_zone
        - series.midnight as utc_offset
    from zones
    cross join reach
    cross join lateral generate_series(
        reach.first_day::timestamp,
        reach.last_day::timestamp,
        interval '1 day'
    ) as series (midnight)
),

steps as (
    select
        midnights.*,
        lag(midnights.utc_offset) over zone_days is null as is_first,
        lead(midnights.utc_offset) over zone_days as next_utc_offset
    from midnights
    window zone_days as (
        partition by midnights.time_zone order by midnights.midnight
    )
),

changes as (
    select
        steps.time_zone,
        steps.utc_offset,
        steps.next_utc_offset,
        min(minutes.minute_at) as changed_at
    from steps
    cross join
        lateral generate_series(
            steps.midnight at time zone 'UTC',
            (steps.midnight + interval '1 day') at time zone 'UTC',
            interval '1 minute'
        ) as minutes (minute_at)
    where
        steps.utc_offset <> steps.next_utc_offset
        and (minutes.minute_at at time zone steps.time_zone)
        - (minutes.minute_at at time zone 'UTC') = steps.next_utc_offset
    group by
        steps.time_zone,
        steps.midnight,
        steps.utc_offset,
        steps.next_utc_offset
),

starts as (
    select
        steps.time_zone,
        '-infinity'::timestamptz as started_at,
        steps.utc_offset
    from steps
    where steps.is_first
    union all
    select
        changes.time_zone,
        changes.changed_at as started_at,
        changes.next_utc_offset as utc_offset
    from changes
),

spans as (
    select
        starts.*,
        lead(starts.started_at, 1, 'infinity') over (
            partition by starts.time_zone order by starts.started_at
        ) as ended_at
    from starts
),

day_starts as (
    select
        steps.time_zone,
        steps.midnight::date as local_day,
        min(greatest(
            spans.started_at,
            (steps.midnight - spans.utc_offset) at time zone 'UTC'
        )) as started_at
    from steps
    inner join spans
        on
            steps.time_zone = spans.time_zone
            and steps.midnight
            < (spans.ended_at at time zone 'UTC') + spans.utc_offset
    group by steps.time_zone, steps.midnight
),

days as (
    select
        day_starts.*,
        lead(day_starts.started_at) over (
            partition by day_starts.time_zone order by day_starts.local_day
        ) as ended_at
    from day_starts
),

final as (
    select
        days.time_zone,
        days.local_day,
        days.started_at,
        days.ended_at,
        changes.changed_at,
        changes.next_utc_offset as later_utc_offset,
        (days.started_at at time zone days.time_zone)
        - (days.started_at at time zone 'UTC') as utc_offset
    from days
    left outer join changes
        on
            days.time_zone = changes.time_zone
            and days.started_at < changes.changed_at
            and days.ended_at > changes.changed_at
    where days.ended_at is not null
)

select * from final
