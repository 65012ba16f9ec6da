-- Rule U1.
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
        concat(
            'uptime ',
            population.uptime_percent,
            ', alternative ',
            population.uptime_percent_alternative
        ) as detail
    from population
    where population.outcome_sensitive
)

select * from final
order by subject
