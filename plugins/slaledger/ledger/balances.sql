-- Grain: contract, basis and currency of the month given where what is owed differs from what the lines add up to
-- (rule L2) and is settled: `billing.sums` says both.
-- %(service_month)s, %(as_of)s
with

build as (
    select
        %(service_month)s::date as service_month,
        %(as_of)s::timestamptz as as_of
),

account_months as (
    select account_months.*
    from marts.fct_account_months as account_months
    inner join build on account_months.service_month = build.service_month
),

credits as (
    select credits.*
    from marts.fct_credits as credits
    inner join build on credits.service_month = build.service_month
),

posted_lines as (
    select lines.*
    from billing.credit_line_items as lines
    inner join build on lines.service_month = build.service_month
    where lines.entry_type <> 'goodwill'
),

line_item_ids as (
    select
        posted_lines.contract_id,
        posted_lines.basis,
        posted_lines.currency,
        array_agg(posted_lines.line_item_id order by posted_lines.ordinal) as line_item_ids
    from posted_lines
    group by posted_lines.contract_id, posted_lines.basis, posted_lines.currency
),

last_lines as (
    select distinct on (posted_lines.contract_id, posted_lines.basis)
        posted_lines.*,
        coalesce(posted_lines.corrects_line_item_id, posted_lines.line_item_id) as credit_line_item_id
    from posted_lines
    order by posted_lines.contract_id, posted_lines.basis, posted_lines.ordinal desc
),

balances as (
    select
        sums.*,
        coalesce(line_item_ids.line_item_ids, '{}') as line_item_ids
    from build
    cross join lateral billing.sums(build.service_month) as sums
    left join line_item_ids
        on
            sums.contract_id = line_item_ids.contract_id
            and sums.basis = line_item_ids.basis
            and sums.currency = line_item_ids.currency
    where sums.is_settled and sums.owed_amount is distinct from sums.posted_amount
),

last_statements as (
    select distinct on (statements.contract_id)
        statements.contract_id,
        statements.statement_id
    from billing.sla_statements as statements
    inner join build on statements.service_month = build.service_month
    order by statements.contract_id, statements.revision desc
),

final as (
    select
        balances.contract_id,
        balances.basis,
        balances.currency,
        build.service_month,
        balances.owed_amount,
        balances.posted_amount,
        balances.owed_amount - balances.posted_amount as difference,
        balances.line_item_ids,
        balances.is_exact,
        coalesce(last_lines.ordinal, 0) as last_ordinal,
        last_lines.credit_line_item_id,
        account_months.contract_id is null as is_withdrawn,
        coalesce(credits.status, 'not_eligible') as credit_status,
        credits.reason as credit_reason,
        coalesce(account_months.account_id, last_lines.account_id) as account_id,
        credits.credit_percent,
        credits.monthly_fee,
        account_months.uptime_percent,
        account_months.counted_seconds,
        coalesce(account_months.terms_id, last_lines.terms_id) as terms_id,
        coalesce(account_months.terms_version, last_lines.terms_version) as terms_version,
        credits.claim_id,
        last_statements.statement_id,
        (
            date_trunc('month', build.as_of at time zone zones.time_zone) + interval '1 month'
        )::date as applies_from,
        last_lines.credit_percent as posted_credit_percent,
        last_lines.monthly_fee as posted_monthly_fee,
        credits.currency as fee_currency,
        last_lines.currency as posted_currency
    from balances
    cross join build
    left join account_months on balances.contract_id = account_months.contract_id
    left join credits on balances.contract_id = credits.contract_id and balances.basis = credits.basis
    left join last_lines
        on balances.contract_id = last_lines.contract_id and balances.basis = last_lines.basis
    left join last_statements on balances.contract_id = last_statements.contract_id
    left join lateral (
        -- A terms id keeps its zone for life (rule T4), so any version tells it.
        select min(versions.time_zone) as time_zone
        from raw.terms_versions as versions
        where versions.terms_id = coalesce(account_months.terms_id, last_lines.terms_id)
    ) as zones on true
)

select * from final
order by contract_id collate "C", basis collate "C", difference
