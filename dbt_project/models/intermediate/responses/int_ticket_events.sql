-- Grain: one ticket event that had happened by the as-of time.
with

events as (
    select * from {{ ref('stg_tickets__events') }}
),

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

final as (
    select
        events.ticket_id,
        events.event_id,
        events.occurred_at,
        events.event_type,
        events.actor,
        events.account_id,
        events.severity,
        events.status,
        events.target_ticket_id,
        events.is_automatic,
        events.object_id,
        events.line_number
    from events
    inner join build
        on events.occurred_at <= build.as_of
)

select * from final
