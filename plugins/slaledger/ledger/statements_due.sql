-- Grain: an account-month of the current build whose figures differ from its last statement's, or that has none.
with

last_statements as (
    select distinct on (statements.contract_id)
        statements.contract_id,
        statements.revision,
        row(
            statements.account_id,
            statements.terms_id,
            statements.terms_version,
            statements.guaranteed,
            statements.measured_from,
            statements.measured_until,
            statements.measured_seconds,
            statements.counted_seconds,
            statements.excluded_seconds,
            statements.unknown_seconds,
            statements.uptime_percent,
            statements.uptime_percent_low,
            statements.uptime_percent_alternative,
            statements.outcome_sensitive,
            statements.commitment_percent,
            statements.met,
            statements.status,
            statements.reason
        ) as figures
    from billing.sla_statements as statements
    inner join audit.current_build as build on statements.service_month = build.service_month
    order by statements.contract_id, statements.revision desc
),

final as (
    select
        account_months.contract_id,
        coalesce(last_statements.revision, 0) + 1 as revision,
        account_months.account_id,
        account_months.terms_id,
        account_months.terms_version,
        account_months.guaranteed,
        account_months.measured_from,
        account_months.measured_until,
        account_months.measured_seconds,
        account_months.counted_seconds,
        account_months.excluded_seconds,
        account_months.unknown_seconds,
        account_months.uptime_percent,
        account_months.uptime_percent_low,
        account_months.uptime_percent_alternative,
        account_months.outcome_sensitive,
        account_months.commitment_percent,
        account_months.met,
        account_months.status,
        account_months.reason
    from marts.fct_account_months as account_months
    inner join audit.current_build as build on account_months.service_month = build.service_month
    left join last_statements on account_months.contract_id = last_statements.contract_id
    where
        last_statements.contract_id is null
        or last_statements.figures is distinct from row(
            account_months.account_id,
            account_months.terms_id,
            account_months.terms_version,
            account_months.guaranteed,
            account_months.measured_from,
            account_months.measured_until,
            account_months.measured_seconds,
            account_months.counted_seconds,
            account_months.excluded_seconds,
            account_months.unknown_seconds,
            account_months.uptime_percent,
            account_months.uptime_percent_low,
            account_months.uptime_percent_alternative,
            account_months.outcome_sensitive,
            account_months.commitment_percent,
            account_months.met,
            account_months.status,
            account_months.reason
        )
)

select * from final
order by contract_id collate "C"
