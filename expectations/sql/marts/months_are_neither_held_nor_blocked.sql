with

population as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

final as (
    select
        population.contract_id as subject,
        concat_ws(': ', population.status, population.reason) as detail
    from population
    where population.status in ('held', 'blocked')
)

select * from final
order by subject
