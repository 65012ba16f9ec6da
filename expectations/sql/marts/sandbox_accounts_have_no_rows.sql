-- Rule P5.
with

mart_accounts as (
    select
        fct_account_months.account_id,
        fct_account_months.service_month,
        'fct_account_months' as mart
    from marts.fct_account_months
    union
    select
        fct_credits.account_id,
        fct_credits.service_month,
        'fct_credits' as mart
    from marts.fct_credits
    union
    select
        fct_claims.account_id,
        fct_claims.service_month,
        'fct_claims' as mart
    from marts.fct_claims
    union
    select
        fct_response_times.account_id,
        fct_response_times.service_month,
        'fct_response_times' as mart
    from marts.fct_response_times
),

population as (
    select
        mart_accounts.account_id,
        mart_accounts.mart,
        accounts.is_sandbox
    from mart_accounts
    inner join audit.current_build
        on mart_accounts.service_month = current_build.service_month
    left outer join gate.accounts
        on mart_accounts.account_id = accounts.account_id
),

final as (
    select
        population.account_id as subject,
        concat('a sandbox account in ', population.mart) as detail
    from population
    where population.is_sandbox
)

select * from final
order by subject, detail
