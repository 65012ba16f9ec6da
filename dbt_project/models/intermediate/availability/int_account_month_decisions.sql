-- Grain: one account-month whose tier hangs on unknown time, with what a named
-- person decided on exactly these figures, if anybody did (rule D7).
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
        terms_versions.credit_tiers,
        account_month_seconds.unknown_uncovered_seconds
        + account_month_seconds.unknown_covered_seconds as unknown_seconds,
        account_month_seconds.counted_seconds
        + account_month_seconds.unknown_uncovered_seconds
            as counted_low_seconds,
        account_month_seconds.measured_seconds
        - case
            when terms_versions.excluded_time = 'out_of_base'
                then account_month_seconds.excluded_seconds
            else 0
        end as base_seconds,
        account_month_seconds.measured_seconds
        - case
            when terms_versions.excluded_time = 'out_of_base'
                then
                    account_month_seconds.excluded_seconds
                    + account_month_seconds.unknown_covered_seconds
            else 0
        end as base_low_seconds
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

open_months as (
    select
        bases.contract_id,
        bases.contract_id
        || '|'
        || to_char(bases.service_month, 'YYYY-MM') as decision_subject,
        encode(
            sha256(
                convert_to(
                    concat_ws(
                        '|',
                        bases.contract_id,
                        to_char(bases.service_month, 'YYYY-MM'),
                        bases.measured_seconds,
                        bases.counted_seconds,
                        bases.excluded_seconds,
                        bases.unknown_seconds,
                        bases.base_seconds,
                        bases.counted_low_seconds,
                        bases.base_low_seconds
                    ),
                    'UTF8'
                )
            ),
            'hex'
        ) as held_digest
    from bases
    where
        {{ tier_percent(
            'bases.counted_seconds', 'bases.base_seconds', 'bases.credit_tiers'
        ) }}
        <> {{ tier_percent(
            'bases.counted_low_seconds', 'bases.base_low_seconds',
            'bases.credit_tiers'
        ) }}
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
