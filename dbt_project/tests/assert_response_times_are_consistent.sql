-- Fails if a ticket's outcome contradicts its own times (rules R1, R5 and R6):
-- a late answer would be shown as met, or the other way round.
with

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

response_times as (
    select fct_response_times.*
    from {{ ref('fct_response_times') }} as fct_response_times
    inner join build
        on fct_response_times.service_month = build.service_month
),

final as (
    select
        response_times.ticket_id,
        response_times.outcome
    from response_times
    cross join build
    where
        (response_times.outcome = 'not_measured')
        <> (response_times.reason is not null)
        or (response_times.outcome = 'not_measured')
        <> (response_times.due_at is null)
        or (response_times.outcome = 'not_measured')
        <> (response_times.business_seconds is null)
        or (
            response_times.outcome = 'met'
            and response_times.elapsed_seconds
            > {{ seconds_between(
                'response_times.created_at', 'response_times.due_at'
            ) }}
        )
        or (
            response_times.outcome = 'breached'
            and response_times.elapsed_seconds
            <= {{ seconds_between(
                'response_times.created_at', 'response_times.due_at'
            ) }}
        )
        or (
            response_times.outcome = 'pending'
            and build.as_of > response_times.due_at
        )
        or response_times.business_seconds < 0
        or response_times.business_seconds > response_times.elapsed_seconds
        or response_times.first_human_reply_at < response_times.created_at
)

select * from final
