with

in_force as (
    {{ latest_in_force(
        source('raw', 'fees'), ['contract_id', 'service_month']
    ) }}
),

final as (
    select
        in_force.contract_id,
        in_force.service_month,
        in_force.monthly_fee,
        in_force.currency,
        in_force.object_id,
        in_force.object_key,
        in_force.line_number,
        in_force.exported_at
    from in_force
)

select * from final
