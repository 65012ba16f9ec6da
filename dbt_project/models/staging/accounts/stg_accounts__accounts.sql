with

in_force as (
    {{ latest_in_force(source('raw', 'accounts'), ['account_id']) }}
),

final as (
    select
        in_force.account_id,
        in_force.company_name,
        in_force.company_key,
        in_force.is_sandbox,
        in_force.zendesk_organization_id,
        in_force.object_id,
        in_force.object_key,
        in_force.line_number,
        in_force.exported_at
    from in_force
)

select * from final
