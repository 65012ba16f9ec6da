with

in_force as (
    {{ latest_in_force(source('raw', 'components'), ['component_id']) }}
),

final as (
    select
        in_force.component_id,
        in_force.name,
        in_force.service,
        in_force.region,
        in_force.object_id,
        in_force.object_key,
        in_force.line_number,
        in_force.exported_at
    from in_force
)

select * from final
