with

population as (
    select fees.contract_id
    from raw.fees
    inner join gate.objects on fees.object_id = objects.object_id
    inner join audit.current_build
        on fees.service_month = current_build.service_month
),

final as (
    select distinct
        population.contract_id as subject,
        'it has a fee for the month, and no contract' as detail
    from population
    where not exists (
        select 1
        from gate.contracts
        where contracts.contract_id = population.contract_id
    )
)

select * from final
order by subject
