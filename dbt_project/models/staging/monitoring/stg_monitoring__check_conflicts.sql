with

check_conflicts as (
    select * from {{ source('raw', 'check_conflicts') }}
),

final as (
    select
        check_conflicts.monitor_id,
        check_conflicts.location,
        check_conflicts.checked_at,
        check_conflicts.statuses,
        check_conflicts.object_ids
    from check_conflicts
)

select * from final
