with

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

credits as (
    select fct_credits.*
    from marts.fct_credits
    inner join audit.current_build
        on fct_credits.service_month = current_build.service_month
),

credit_counts as (
    select
        credits.contract_id,
        count(*) as row_count
    from credits
    where credits.basis = 'availability'
    group by credits.contract_id
),

final as (
    select
        coalesce(account_months.contract_id, credit_counts.contract_id)
            as subject,
        concat(
            coalesce(credit_counts.row_count, 0), ' availability credits'
        ) as detail
    from account_months
    full outer join credit_counts
        on account_months.contract_id = credit_counts.contract_id
    where
        account_months.contract_id is null
        or credit_counts.row_count is distinct from 1
)

select * from final
order by subject
