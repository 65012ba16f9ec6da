-- Grain: one row an exclusion_id, as its latest row in force has it.
with

in_force as (
    {{ latest_in_force(source('raw', 'exclusions'), ['exclusion_id']) }}
),

final as (
    select
        in_force.exclusion_id,
        in_force.category,
        in_force.services,
        in_force.regions,
        in_force.account_ids,
        in_force.starts_at,
        in_force.ends_at,
        in_force.incident_ids,
        in_force.evidence_url,
        in_force.author,
        in_force.approved_by,
        in_force.approved_at,
        in_force.revoked_at,
        in_force.object_id,
        in_force.object_key,
        in_force.line_number,
        in_force.exported_at
    from in_force
)

select * from final
