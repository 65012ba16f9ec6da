-- Fails if an account-month has no availability credit row, or a credit row has
-- no account-month: a customer would be forgotten, or credited for nothing.
with

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

account_months as (
    select fct_account_months.*
    from {{ ref('fct_account_months') }} as fct_account_months
    inner join build
        on fct_account_months.service_month = build.service_month
),

credits as (
    select fct_credits.*
    from {{ ref('fct_credits') }} as fct_credits
    inner join build
        on fct_credits.service_month = build.service_month
),

final as (
    select
        credits.basis,
        coalesce(account_months.contract_id, credits.contract_id)
            as contract_id
    from account_months
    full outer join credits
        on account_months.contract_id = credits.contract_id
    group by
        coalesce(account_months.contract_id, credits.contract_id),
        account_months.contract_id,
        credits.basis
    having account_months.contract_id is null or count(credits.basis) <> 1
)

select * from final
