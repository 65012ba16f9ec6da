with

verdicts as (
    select * from {{ ref('int_claim_verdicts') }}
),

final as (
    select
        verdicts.claim_id,
        verdicts.account_id,
        verdicts.contract_id,
        verdicts.service_month,
        verdicts.received_at,
        verdicts.complete_at,
        verdicts.deadline_at,
        verdicts.status,
        verdicts.reason,
        verdicts.terms_id,
        verdicts.terms_version,
        verdicts.uptime_percent,
        verdicts.decision_subject,
        verdicts.decision_digest
    from verdicts
)

select * from final
