-- Grain: one row a notice_id, as its latest row in force has it.
with

in_force as (
    {{ latest_in_force(source('raw', 'notices'), ['notice_id']) }}
),

final as (
    select
        in_force.notice_id,
        in_force.maintenance_id,
        in_force.action,
        in_force.channel,
        in_force.sent_at,
        in_force.window_start as window_starts_at,
        in_force.window_end as window_ends_at,
        in_force.component_ids,
        in_force.account_ids,
        in_force.object_id,
        in_force.object_key,
        in_force.line_number,
        in_force.exported_at
    from in_force
)

select * from final
