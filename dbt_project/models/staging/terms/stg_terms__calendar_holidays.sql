with

calendar_holidays as (
    select * from {{ source('raw', 'calendar_holidays') }}
),

final as (
    select
        calendar_holidays.calendar_id,
        calendar_holidays.holiday as holiday_date
    from calendar_holidays
)

select * from final
