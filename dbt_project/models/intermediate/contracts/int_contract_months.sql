-- Grain: one row per contract of the build's month: what it is measured over,
-- by which terms, and whether money can be reckoned (P1-P5, T2, T3, U4, U5).
with

contract_terms as (
    select * from {{ ref('int_contract_terms') }}
),

terms_versions as (
    select * from {{ ref('stg_terms__versions') }}
),

fees as (
    select * from {{ ref('stg_accounts__fees') }}
),

currencies as (
    select * from {{ source('reference', 'currencies') }}
),

joined as (
    select
        contract_terms.*,
        terms_versions.is_guaranteed as are_terms_guaranteed,
        fees.monthly_fee,
        fees.currency,
        currencies.minor_units,
        -- Null under terms that nobody knows, unless its agreement settles it.
        terms_versions.is_guaranteed
        and contract_terms.has_active_agreement as is_guaranteed
    from contract_terms
    left outer join terms_versions
        on
            contract_terms.terms_id = terms_versions.terms_id
            and contract_terms.terms_version = terms_versions.terms_version
    left outer join fees
        on
            contract_terms.contract_id = fees.contract_id
            and contract_terms.service_month = fees.service_month
    left outer join currencies on fees.currency = currencies.currency
),

final as (
    select
        joined.contract_id,
        joined.account_id,
        joined.plan,
        joined.region,
        joined.services,
        joined.terms_id,
        joined.service_month,
        joined.month_starts_at,
        joined.month_ends_at,
        joined.measured,
        joined.measured_from,
        joined.measured_until,
        joined.measured_seconds,
        joined.is_month_over,
        joined.terms_version,
        joined.is_guaranteed,
        joined.monthly_fee,
        joined.currency,
        joined.minor_units,
        case
            when not joined.are_terms_guaranteed then 'plan_not_eligible'
            when not joined.is_guaranteed then 'no_active_agreement'
        end as not_guaranteed_reason,
        case
            when joined.terms_blocked_reason is not null
                then joined.terms_blocked_reason
            when
                joined.is_guaranteed
                and joined.is_month_over
                and joined.measured_seconds > 0
                then
                    case
                        when joined.monthly_fee is null then 'fee_missing'
                        when joined.minor_units is null
                            then 'currency_unknown'
                    end
        end as blocked_reason
    from joined
)

select * from final
