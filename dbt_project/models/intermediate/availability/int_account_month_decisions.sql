-- Grain: one account-month whose tier hangs on unknown time, with what a named
-- person decided on this very revision of its figures, if anybody did (D7): on
-- all that its statement says while it is held (L1), uncut, and on both tiers.
with

account_month_seconds as (
    select * from {{ ref('int_account_month_seconds') }}
),

contract_months as (
    select * from {{ ref('int_contract_months') }}
),

terms_versions as (
    select * from {{ ref('stg_terms__versions') }}
),

decisions as (
    select * from {{ ref('stg_audit__decisions') }}
),

bases as (
    select
        account_month_seconds.*,
        contract_months.account_id,
        contract_months.terms_id,
        contract_months.terms_version,
        contract_months.measured_from,
        contract_months.measured_until,
        terms_versions.commitment_percent,
        terms_versions.credit_tiers,
        account_month_seconds.unknown_uncovered_seconds
        + account_month_seconds.unknown_covered_seconds as unknown_seconds,
        {{ uptime_bases('account_month_seconds', 'terms_versions') }}
    from account_month_seconds
    inner join contract_months
        on account_month_seconds.contract_id = contract_months.contract_id
    inner join terms_versions
        on
            contract_months.terms_id = terms_versions.terms_id
            and contract_months.terms_version = terms_versions.terms_version
    where
        contract_months.is_guaranteed
        and contract_months.is_month_over
        and contract_months.blocked_reason is null
),

tiers as (
    select
        bases.*,
        {{ tier_percent(
            'bases.counted_seconds', 'bases.base_seconds', 'bases.credit_tiers'
        ) }} as credit_percent,
        {{ tier_percent(
            'bases.counted_low_seconds', 'bases.base_low_seconds',
            'bases.credit_tiers'
        ) }} as credit_percent_low,
        {{ tier_percent(
            'bases.counted_seconds', 'bases.base_alternative_seconds',
            'bases.credit_tiers'
        ) }} as credit_percent_alternative
    from bases
),

open_months as (
    select
        tiers.contract_id,
        tiers.contract_id
        || '|'
        || to_char(tiers.service_month, 'YYYY-MM') as decision_subject,
        {{ decision_digest([
            'tiers.contract_id',
            'tiers.service_month',
            'tiers.account_id',
            'tiers.terms_id',
            'tiers.terms_version',
            'extract(epoch from tiers.measured_from)',
            'extract(epoch from tiers.measured_until)',
            'trim_scale(tiers.measured_seconds)',
            'trim_scale(tiers.counted_seconds)',
            'trim_scale(tiers.excluded_seconds)',
            'trim_scale(tiers.unknown_seconds)',
            'trim_scale(tiers.base_seconds)',
            'trim_scale(tiers.counted_low_seconds)',
            'trim_scale(tiers.base_low_seconds)',
            'trim_scale(tiers.commitment_percent)',
            'trim_scale(tiers.credit_percent)',
            'trim_scale(tiers.credit_percent_low)',
            'tiers.credit_percent <> tiers.credit_percent_alternative',
        ]) }} as held_digest
    from tiers
    where tiers.credit_percent <> tiers.credit_percent_low
),

final as (
    select
        open_months.contract_id,
        open_months.held_digest,
        decisions.is_approved,
        decisions.decided_by
    from open_months
    left outer join decisions
        on
            decisions.kind = 'held_month'
            and open_months.decision_subject = decisions.subject
            and open_months.held_digest = decisions.subject_digest
)

select * from final
