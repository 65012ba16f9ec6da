-- Grain: one contract of the build's month and basis: what it is entitled to
-- before any claim is looked at (rules U3 to U6, R7, P4, D7).
with

contract_months as (
    select * from {{ ref('int_contract_months') }}
),

figures as (
    select * from {{ ref('int_account_month_figures') }}
),

response_credits as (
    select * from {{ ref('int_response_credits') }}
),

percents as (
    select
        figures.contract_id,
        'availability' as basis,
        figures.credit_percent,
        'no_tier' as nothing_reason
    from figures
    union all
    select
        response_credits.contract_id,
        'response_time' as basis,
        response_credits.credit_percent,
        'no_breach' as nothing_reason
    from response_credits
),

standings as (
    select
        contract_months.account_id,
        contract_months.contract_id,
        contract_months.service_month,
        contract_months.terms_id,
        contract_months.terms_version,
        contract_months.monthly_fee,
        contract_months.currency,
        contract_months.minor_units,
        contract_months.blocked_reason,
        contract_months.not_guaranteed_reason,
        percents.basis,
        percents.credit_percent,
        percents.nothing_reason,
        figures.uptime_percent,
        figures.status as month_status,
        figures.reason as month_reason,
        case
            when contract_months.is_guaranteed is false then 'not_guaranteed'
            when figures.status = 'provisional' then 'provisional'
            when figures.status = 'blocked' then 'blocked'
            when figures.status = 'held' and percents.basis = 'availability'
                then 'held'
            when
                contract_months.measured_seconds = 0
                or (
                    percents.basis = 'availability'
                    and figures.uptime_percent is null
                )
                then 'unmeasured'
            when percents.credit_percent = 0 then 'nothing'
            else 'eligible'
        end as standing
    from contract_months
    inner join figures
        on contract_months.contract_id = figures.contract_id
    inner join percents
        on contract_months.contract_id = percents.contract_id
),

final as (
    select
        standings.account_id,
        standings.contract_id,
        standings.service_month,
        standings.terms_id,
        standings.terms_version,
        standings.basis,
        standings.standing,
        case
            when standings.standing in ('provisional', 'held') then null
            when standings.standing = 'not_guaranteed' then 0
            else standings.credit_percent
        end as credit_percent,
        standings.monthly_fee,
        standings.currency,
        case
            when
                standings.standing in (
                    'not_guaranteed', 'unmeasured', 'nothing'
                )
                then 0
            when standings.standing = 'eligible'
                then {{ round_to_minor_units(
                    'standings.credit_percent * standings.monthly_fee * 0.01',
                    'standings.minor_units'
                ) }}
        end as amount,
        case standings.standing
            when 'not_guaranteed' then standings.not_guaranteed_reason
            when 'provisional' then 'month_not_over'
            when 'blocked' then standings.blocked_reason
            when 'held' then standings.month_reason
            when 'unmeasured' then 'no_measured_time'
            when 'nothing' then standings.nothing_reason
        end as reason,
        standings.uptime_percent,
        standings.month_status
    from standings
)

select * from final
