-- Grain: one contract of the build's month whose terms have response credits
-- (rule R7): percent per breach by its severity, capped for the month.
with

contract_months as (
    select * from {{ ref('int_contract_months') }}
),

versions as (
    select * from {{ ref('stg_terms__versions') }}
),

response_times as (
    select * from {{ ref('int_response_times') }}
),

credit_terms as (
    select
        contract_months.contract_id,
        versions.response_credit_cap_percent as cap_percent,
        credit.term ->> 'severity' as severity,
        (credit.term ->> 'percent')::numeric as percent_per_breach
    from contract_months
    inner join versions
        on
            contract_months.terms_id = versions.terms_id
            and contract_months.terms_version = versions.terms_version
    cross join
        lateral jsonb_array_elements(versions.response_credits)
            as credit (term)
),

breaches as (
    select
        response_times.contract_id,
        response_times.severity,
        count(*) as breach_count
    from response_times
    where response_times.outcome = 'breached'
    group by response_times.contract_id, response_times.severity
),

final as (
    select
        credit_terms.contract_id,
        coalesce(sum(breaches.breach_count), 0) as breach_count,
        least(
            coalesce(
                sum(credit_terms.percent_per_breach * breaches.breach_count),
                0
            ),
            credit_terms.cap_percent
        ) as credit_percent
    from credit_terms
    left outer join breaches
        on
            credit_terms.contract_id = breaches.contract_id
            and credit_terms.severity = breaches.severity
    group by credit_terms.contract_id, credit_terms.cap_percent
)

select * from final
