with

population as (
    select current_build.service_month
    from audit.current_build
),

final as (
    select
        'no contract is active in the month' as detail,
        to_char(population.service_month, 'YYYY-MM') as subject
    from population
    where not exists (select 1 from gate.contracts_of_the_month)
)

select * from final
