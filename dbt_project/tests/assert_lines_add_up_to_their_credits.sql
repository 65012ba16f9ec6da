-- Fails if, in a month that was posted and not built again since, the lines
-- of a contract, basis and currency come to less than the mart owes: sum of
-- credits = sum of lines (rule L2). What differs rightly waits: an
-- account-month that is held or blocked keeps its lines as they are (rule L2),
-- a decrease is for a named person (rule L3), and an increase stands behind a
-- decrease in another currency (decision 0008). That lines which come to more
-- were owed when they were appended is for
-- assert_lines_are_what_their_evidence_owes.
{{ config(tags=['ledger']) }}
with

posted_months as (
    select distinct builds.service_month
    from {{ source('audit', 'builds') }} as builds
    where builds.posted_at is not null
),

account_months as (
    select * from {{ ref('fct_account_months') }}
),

credits as (
    select * from {{ ref('fct_credits') }}
),

lines as (
    select * from {{ ref('stg_billing__credit_line_items') }}
),

amounts as (
    select
        credits.contract_id,
        credits.service_month,
        credits.basis,
        credits.currency,
        credits.amount as owed_amount,
        0 as posted_amount
    from credits
    where credits.status = 'owed'
    union all
    select
        lines.contract_id,
        lines.service_month,
        lines.basis,
        lines.currency,
        0 as owed_amount,
        lines.amount as posted_amount
    from lines
    where lines.entry_type <> 'goodwill'
),

sums as (
    select
        amounts.contract_id,
        amounts.service_month,
        amounts.basis,
        amounts.currency,
        sum(amounts.owed_amount) as owed_amount,
        sum(amounts.posted_amount) as posted_amount
    from amounts
    group by
        amounts.contract_id,
        amounts.service_month,
        amounts.basis,
        amounts.currency
),

compared as (
    select
        sums.*,
        bool_or(sums.posted_amount > sums.owed_amount) over (
            partition by sums.contract_id, sums.service_month, sums.basis
        ) as is_decrease_open
    from sums
    inner join posted_months
        on sums.service_month = posted_months.service_month
    left outer join account_months
        on
            sums.contract_id = account_months.contract_id
            and sums.service_month = account_months.service_month
    where
        coalesce(account_months.status, 'measured') not in ('held', 'blocked')
),

final as (
    select
        compared.contract_id,
        compared.service_month,
        format(
            'owed %s %s (%s), its lines add up to %s',
            compared.owed_amount,
            compared.currency,
            compared.basis,
            compared.posted_amount
        ) as problem
    from compared
    where
        compared.posted_amount < compared.owed_amount
        and not compared.is_decrease_open
)

select * from final
