with

response_times as (
    select * from {{ ref('int_response_times') }}
),

final as (
    select
        response_times.ticket_id,
        response_times.account_id,
        response_times.contract_id,
        response_times.service_month,
        response_times.severity,
        response_times.created_at,
        response_times.first_human_reply_at,
        response_times.first_ai_reply_at,
        response_times.due_at,
        response_times.elapsed_seconds,
        response_times.business_seconds,
        response_times.outcome,
        response_times.reason,
        response_times.is_guaranteed as guaranteed,
        response_times.terms_id,
        response_times.terms_version
    from response_times
)

select * from final
