-- Grain: one row per contract and service month.
with

account_month_figures as (
    select * from {{ ref('int_account_month_figures') }}
),

final as (
    select
        account_month_figures.account_id,
        account_month_figures.contract_id,
        account_month_figures.service_month,
        account_month_figures.terms_id,
        account_month_figures.terms_version,
        account_month_figures.is_guaranteed as guaranteed,
        account_month_figures.measured_from,
        account_month_figures.measured_until,
        account_month_figures.measured_seconds,
        account_month_figures.counted_seconds,
        account_month_figures.excluded_seconds,
        account_month_figures.unknown_seconds,
        account_month_figures.uptime_percent,
        account_month_figures.uptime_percent_low,
        account_month_figures.uptime_percent_alternative,
        account_month_figures.is_outcome_sensitive as outcome_sensitive,
        account_month_figures.commitment_percent,
        account_month_figures.is_met as met,
        account_month_figures.status,
        account_month_figures.reason,
        account_month_figures.held_digest
    from account_month_figures
)

select * from final
