-- Grain: one calendar of the terms, its time zone, and local day (rule R3).
-- `business_day_number` counts the business days up to and with this one,
-- `business_seconds_before` adds up those before it.
with

versions as (
    select * from {{ ref('stg_terms__versions') }}
),

holidays as (
    select * from {{ ref('stg_terms__calendar_holidays') }}
),

local_days as (
    select * from {{ ref('int_local_days') }}
),

calendars as (
    select distinct
        versions.calendar_id,
        versions.calendar_time_zone as time_zone
    from versions
),

days as (
    select
        local_days.*,
        calendars.calendar_id,
        extract(isodow from local_days.local_day) <= 5
        and holidays.holiday_date is null as is_business_day
    from calendars
    inner join local_days
        on calendars.time_zone = local_days.time_zone
    left outer join holidays
        on
            calendars.calendar_id = holidays.calendar_id
            and local_days.local_day = holidays.holiday_date
),

final as (
    select
        days.calendar_id,
        days.time_zone,
        days.local_day,
        days.is_business_day,
        days.started_at,
        days.ended_at,
        days.utc_offset,
        days.changed_at,
        days.later_utc_offset,
        count(*) filter (where days.is_business_day) over calendar_days
            as business_day_number,
        coalesce(
            sum({{ seconds_between('days.started_at', 'days.ended_at') }})
            filter (where days.is_business_day)
                over (
                    calendar_days rows between unbounded preceding
                    and 1 preceding
                ),
            0
        ) as business_seconds_before
    from days
    window calendar_days as (
        partition by days.calendar_id, days.time_zone
        order by days.local_day
    )
)

select * from final
