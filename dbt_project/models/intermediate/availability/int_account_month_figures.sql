-- Grain: one row per contract of the build's month: its seconds by kind, after
-- any decision on unknown time; uptime and its tier as the terms say, with
-- unknown time as downtime (`_low`), and with excluded time treated the other
-- way (`_alternative`); its status. Rules P4, D7, D8, U1-U6, T2.
with

contract_months as (
    select * from {{ ref('int_contract_months') }}
),

terms_versions as (
    select * from {{ ref('stg_terms__versions') }}
),

account_month_seconds as (
    select * from {{ ref('int_account_month_seconds') }}
),

decisions as (
    select * from {{ ref('int_account_month_decisions') }}
),

decided as (
    select
        account_month_seconds.contract_id,
        account_month_seconds.measured_seconds,
        decisions.held_digest,
        decisions.is_approved,
        decisions.decided_by,
        account_month_seconds.counted_seconds
        + case
            when decisions.is_approved
                then account_month_seconds.unknown_uncovered_seconds
            else 0
        end as counted_seconds,
        account_month_seconds.excluded_seconds
        + case
            when decisions.is_approved
                then account_month_seconds.unknown_covered_seconds
            else 0
        end as excluded_seconds,
        case
            when decisions.is_approved is null
                then account_month_seconds.unknown_uncovered_seconds
            else 0
        end as unknown_uncovered_seconds,
        case
            when decisions.is_approved is null
                then account_month_seconds.unknown_covered_seconds
            else 0
        end as unknown_covered_seconds
    from account_month_seconds
    left outer join decisions
        on account_month_seconds.contract_id = decisions.contract_id
),

bases as (
    select
        decided.*,
        terms_versions.credit_tiers,
        terms_versions.commitment_percent,
        {{ uptime_bases('decided', 'terms_versions') }}
    from decided
    inner join contract_months
        on decided.contract_id = contract_months.contract_id
    inner join terms_versions
        on
            contract_months.terms_id = terms_versions.terms_id
            and contract_months.terms_version = terms_versions.terms_version
),

figures as (
    select
        bases.*,
        bases.unknown_uncovered_seconds + bases.unknown_covered_seconds
            as unknown_seconds,
        {{ uptime_percent('bases.counted_seconds', 'bases.base_seconds') }}
            as uptime_percent,
        {{ uptime_percent(
            'bases.counted_low_seconds', 'bases.base_low_seconds'
        ) }} as uptime_percent_low,
        {{ uptime_percent(
            'bases.counted_seconds', 'bases.base_alternative_seconds'
        ) }} as uptime_percent_alternative,
        {{ tier_percent(
            'bases.counted_seconds', 'bases.base_seconds', 'bases.credit_tiers'
        ) }} as credit_percent,
        {{ tier_percent(
            'bases.counted_seconds', 'bases.base_alternative_seconds',
            'bases.credit_tiers'
        ) }} as credit_percent_alternative,
        case
            when bases.base_seconds > 0
                then
                    100 * (bases.base_seconds - bases.counted_seconds)
                    >= bases.commitment_percent * bases.base_seconds
        end as is_met
    from bases
),

final as (
    select
        contract_months.contract_id,
        contract_months.account_id,
        contract_months.service_month,
        contract_months.terms_id,
        contract_months.terms_version,
        contract_months.is_guaranteed,
        contract_months.measured,
        contract_months.measured_from,
        contract_months.measured_until,
        contract_months.measured_seconds,
        figures.counted_seconds,
        figures.excluded_seconds,
        figures.unknown_seconds,
        figures.uptime_percent,
        figures.uptime_percent_low,
        figures.uptime_percent_alternative,
        figures.credit_percent,
        figures.credit_percent_alternative,
        figures.commitment_percent,
        figures.is_met,
        figures.held_digest,
        figures.is_approved as is_unknown_decided_down,
        figures.decided_by,
        figures.credit_percent <> figures.credit_percent_alternative
            as is_outcome_sensitive,
        case
            when not contract_months.is_month_over then 'provisional'
            when contract_months.blocked_reason is not null then 'blocked'
            when
                figures.held_digest is not null
                and figures.is_approved is null
                then 'held'
            else 'measured'
        end as status,
        case
            when contract_months.blocked_reason is not null
                then contract_months.blocked_reason
            when not contract_months.is_month_over then 'month_not_over'
            when
                figures.held_digest is not null
                and figures.is_approved is null
                then 'unknown_time_changes_tier'
            when figures.is_approved then 'unknown_time_decided_down'
            when not figures.is_approved then 'unknown_time_decided_up'
            when contract_months.not_guaranteed_reason is not null
                then contract_months.not_guaranteed_reason
            when contract_months.measured_seconds = 0
                then 'no_measured_time'
            when figures.uptime_percent is null then 'no_time_left_in_base'
        end as reason
    from contract_months
    left outer join figures
        on contract_months.contract_id = figures.contract_id
)

select * from final
