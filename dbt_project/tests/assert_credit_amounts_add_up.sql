-- Fails if an account-month's amounts are not its percents of its fee, each
-- within half a minor unit and in whole ones: money would be lost in rounding.
with

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

credits as (
    select * from {{ ref('fct_credits') }}
),

fees as (
    select * from {{ ref('stg_accounts__fees') }}
),

currencies as (
    select * from {{ source('reference', 'currencies') }}
),

final as (
    select
        credits.contract_id,
        count(*) as credit_rows,
        sum(credits.amount) as amount,
        sum(credits.credit_percent * fees.monthly_fee / 100) as exact_amount
    from credits
    inner join build
        on credits.service_month = build.service_month
    inner join fees
        on
            credits.contract_id = fees.contract_id
            and credits.service_month = fees.service_month
    inner join currencies
        on fees.currency = currencies.currency
    where credits.amount is not null
    group by credits.contract_id, currencies.minor_units
    having
        abs(
            sum(credits.amount)
            - sum(credits.credit_percent * fees.monthly_fee / 100)
        ) > count(*) * power(10::numeric, -currencies.minor_units) / 2
        or bool_or(
            mod(
                credits.amount, power(10::numeric, -currencies.minor_units)
            ) <> 0
        )
)

select * from final
