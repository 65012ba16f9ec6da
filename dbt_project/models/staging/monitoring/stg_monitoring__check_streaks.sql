with

check_streaks as (
    select * from {{ source('raw', 'check_streaks') }}
),

source_objects as (
    select * from {{ source('raw', 'source_objects') }}
),

final as (
    select
        check_streaks.monitor_id,
        check_streaks.location,
        check_streaks.status,
        check_streaks.first_at,
        check_streaks.last_at,
        check_streaks.n as checks_count,
        check_streaks.checked_ats,
        check_streaks.object_id
    from check_streaks
    inner join source_objects
        on
            check_streaks.object_id = source_objects.object_id
            and source_objects.is_in_force
)

select * from final
