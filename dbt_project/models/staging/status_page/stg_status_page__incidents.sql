with

in_force as (
    {{ latest_in_force(source('raw', 'incidents'), ['incident_id']) }}
),

final as (
    select
        in_force.incident_id,
        in_force.is_maintenance,
        in_force.listed_in,
        in_force.page_id,
        in_force.status,
        in_force.impact,
        in_force.created_at,
        in_force.started_at,
        in_force.resolved_at,
        in_force.scheduled_for,
        in_force.scheduled_until,
        in_force.component_ids,
        in_force.updates,
        in_force.object_id,
        in_force.object_key,
        in_force.line_number,
        in_force.exported_at
    from in_force
)

select * from final
