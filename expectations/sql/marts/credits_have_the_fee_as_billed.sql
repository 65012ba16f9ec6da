-- Rule U4.
with

credits as (
    select fct_credits.*
    from marts.fct_credits
    inner join audit.current_build
        on fct_credits.service_month = current_build.service_month
),

fees as (
    select distinct on (fees.contract_id) fees.*
    from raw.fees
    inner join gate.objects on fees.object_id = objects.object_id
    inner join audit.current_build
        on fees.service_month = current_build.service_month
    order by
        fees.contract_id asc,
        objects.exported_at desc,
        objects.key_bytes desc,
        fees.line_number desc
),

population as (
    select
        credits.*,
        fees.monthly_fee as billed_fee,
        fees.currency as billed_currency
    from credits
    left outer join fees on credits.contract_id = fees.contract_id
),

final as (
    select
        population.contract_id as subject,
        concat(
            population.basis,
            ' credit on a fee of ',
            coalesce(population.monthly_fee::text, 'null'),
            ' ',
            population.currency,
            ', billed ',
            coalesce(population.billed_fee::text, 'nothing'),
            ' ',
            population.billed_currency
        ) as detail
    from population
    where
        population.monthly_fee is distinct from population.billed_fee
        or population.currency is distinct from population.billed_currency
)

select * from final
order by subject, detail
