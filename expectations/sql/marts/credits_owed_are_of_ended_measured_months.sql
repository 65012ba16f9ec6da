-- Rules P4, D7, U4. A response-time credit is not held with its availability.
with

credits as (
    select fct_credits.*
    from marts.fct_credits
    inner join audit.current_build
        on fct_credits.service_month = current_build.service_month
),

population as (
    select
        credits.contract_id,
        credits.basis,
        credits.status,
        coalesce(account_months.status, 'absent') as account_month_status
    from credits
    left outer join marts.fct_account_months as account_months
        on
            credits.contract_id = account_months.contract_id
            and credits.service_month = account_months.service_month
),

final as (
    select
        population.contract_id as subject,
        concat(
            population.basis,
            ' credit owed for an account-month that is ',
            population.account_month_status
        ) as detail
    from population
    where
        population.status = 'owed'
        and population.account_month_status <> 'measured'
        and not (
            population.account_month_status = 'held'
            and population.basis = 'response_time'
        )
)

select * from final
order by subject, detail
