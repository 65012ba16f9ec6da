-- Fails if, after any line, the lines of its contract, month, basis and
-- currency do not add up to the credit that was owed then, its percent of the
-- fee, or to nothing where it was taken back: sum of credits = sum of lines
-- (rule L2). Where the mart still owes the same percent of the same fee, they
-- add up to its amount as well.
with

lines as (
    select * from {{ ref('stg_billing__credit_line_items') }}
),

credits as (
    select * from {{ ref('fct_credits') }}
),

currencies as (
    select * from {{ ref('currencies') }}
),

running as (
    select
        lines.*,
        sum(lines.amount) over (
            partition by
                lines.contract_id,
                lines.service_month,
                lines.basis,
                lines.currency
            order by lines.ordinal
        ) as posted_amount
    from lines
    where lines.entry_type <> 'goodwill'
),

final as (
    select
        running.line_item_id,
        running.posted_amount,
        {{ round_to_minor_units(
            'running.credit_percent * running.monthly_fee * 0.01',
            'currencies.minor_units'
        ) }} as owed_amount,
        credits.amount as credit_amount
    from running
    left outer join currencies on running.currency = currencies.currency
    left outer join credits
        on
            running.contract_id = credits.contract_id
            and running.service_month = credits.service_month
            and running.basis = credits.basis
            and running.currency = credits.currency
            and running.credit_percent = credits.credit_percent
            and running.monthly_fee = credits.monthly_fee
            and credits.status = 'owed'
)

select final.*
from final
where
    final.posted_amount <> 0
    and (
        final.posted_amount is distinct from final.owed_amount
        or final.posted_amount <> final.credit_amount
    )
