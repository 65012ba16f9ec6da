with

decisions as (
    select * from {{ source('audit', 'decisions') }}
),

final as (
    select
        decisions.decision_id,
        decisions.kind,
        decisions.subject,
        decisions.subject_digest,
        decisions.is_approved,
        decisions.decided_by,
        decisions.because,
        decisions.decided_at
    from decisions
)

select * from final
