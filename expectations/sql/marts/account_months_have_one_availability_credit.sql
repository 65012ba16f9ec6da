with

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

credit_counts as (
    select
        fct_credits.contract_id,
        count(*) as row_count
    from marts.fct_credits
    inner join audit.current_build
        on fct_credits.service_month = current_build.service_month
    where fct_credits.basis = 'availability'
    group by fct_credits.contract_id
),

population as (
    select
        account_months.contract_id is not null as has_account_month,
        coalesce(account_months.contract_id, credit_counts.contract_id)
            as contract_id,
        coalesce(credit_counts.row_count, 0) as row_count
    from account_months
    full outer join credit_counts
        on account_months.contract_id = credit_counts.contract_id
),

final as (
    select
        population.contract_id as subject,
        concat(population.row_count, ' availability credits') as detail
    from population
    where not population.has_account_month or population.row_count <> 1
)

select * from final
order by subject
