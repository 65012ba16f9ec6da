-- Grain: at most one row: what a goodwill line for the contract and month takes over from its last statement.
-- %(contract_id)s, %(service_month)s, %(amount)s
with

statements as (
    select *
    from billing.sla_statements
    where
        sla_statements.contract_id = %(contract_id)s
        and sla_statements.service_month = %(service_month)s
    order by sla_statements.revision desc
    limit 1
),

recorded as (
    select clock_timestamp() as recorded_at
),

final as (
    select
        statements.account_id,
        statements.uptime_percent,
        statements.counted_seconds,
        statements.terms_id,
        statements.terms_version,
        statements.statement_id,
        statements.evidence_sha256,
        credits.monthly_fee,
        credits.currency,
        currencies.minor_units,
        %(amount)s::numeric = round(%(amount)s::numeric, currencies.minor_units) as is_exact,
        round(%(amount)s::numeric, currencies.minor_units) as amount,
        (
            date_trunc('month', recorded.recorded_at at time zone coalesce(zones.time_zone, 'UTC'))
            + interval '1 month'
        )::date as applies_from,
        recorded.recorded_at
    from statements
    cross join recorded
    left join marts.fct_credits as credits
        on
            statements.contract_id = credits.contract_id
            and statements.service_month = credits.service_month
            and credits.basis = 'availability'
    left join reference.currencies on credits.currency = currencies.currency
    left join lateral (
        select min(versions.time_zone) as time_zone
        from raw.terms_versions as versions
        where versions.terms_id = statements.terms_id
    ) as zones on true
)

select * from final
