-- Fails if, after any line of any month, the lines of its contract, month,
-- basis and currency add up neither to its percent of its fee, rounded once,
-- nor to nothing, where it took all back (rules U4 and L2).
{{ config(tags=['ledger']) }}
with

lines as (
    select * from {{ ref('stg_billing__credit_line_items') }}
),

currencies as (
    select * from {{ source('reference', 'currencies') }}
),

running as (
    {{ running_sums('lines') }}
),

compared as (
    select
        running.*,
        {{ round_to_minor_units(
            'running.credit_percent * running.monthly_fee * 0.01',
            'currencies.minor_units'
        ) }} as owed_amount
    from running
    left outer join currencies on running.currency = currencies.currency
),

final as (
    select
        compared.contract_id,
        compared.service_month,
        format(
            'line %s: %s %% of %s %s is %s, lines %s',
            compared.line_item_id,
            compared.credit_percent,
            compared.monthly_fee,
            compared.currency,
            compared.owed_amount,
            compared.posted_amount
        ) as problem
    from compared
    where
        compared.posted_amount <> 0
        and compared.posted_amount is distinct from compared.owed_amount
)

select * from final
