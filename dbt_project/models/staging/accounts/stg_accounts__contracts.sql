with

in_force as (
    {{ latest_in_force(source('raw', 'contracts'), ['contract_id']) }}
),

final as (
    select
        in_force.contract_id,
        in_force.account_id,
        in_force.plan,
        in_force.terms_id,
        in_force.region,
        in_force.starts_at,
        in_force.ends_at,
        in_force.suspensions,
        in_force.active_agreement as has_active_agreement,
        in_force.object_id,
        in_force.object_key,
        in_force.line_number,
        in_force.exported_at,
        array(
            select distinct services.service
            from unnest(in_force.services) as services (service)
            order by services.service
        ) as services
    from in_force
)

select * from final
