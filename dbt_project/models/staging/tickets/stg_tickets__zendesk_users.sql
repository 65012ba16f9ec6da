-- Grain: one user of Zendesk, as the latest users export in force has it.
with

users as (
    {{ latest_in_force(source('raw', 'zendesk_users'), ['user_id']) }}
),

final as (
    select
        users.user_id,
        users.object_id,
        users.line_number,
        case
            when users.role = 'end-user' then 'customer'
            when users.is_tagged_ai then 'ai'
            else 'agent'
        end as actor
    from users
)

select * from final
