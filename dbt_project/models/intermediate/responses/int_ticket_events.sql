-- Grain: one ticket event that had happened by the as-of time. What both ticket
-- feeds tell of one ticket id is about one ticket; what both tell under one
-- event id and instant is one event, in the words of `tickets/events/`.
with

exported_events as (
    select * from {{ ref('stg_tickets__events') }}
),

zendesk_events as (
    select * from {{ ref('int_zendesk_ticket_events') }}
),

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

events as (
    select
        exported_events.ticket_id,
        exported_events.event_id,
        exported_events.occurred_at,
        exported_events.event_type,
        exported_events.actor,
        exported_events.account_id,
        exported_events.severity,
        exported_events.status,
        exported_events.target_ticket_id,
        exported_events.is_automatic,
        exported_events.object_id,
        exported_events.line_number
    from exported_events
    union all
    select
        zendesk_events.ticket_id,
        zendesk_events.event_id,
        zendesk_events.occurred_at,
        zendesk_events.event_type,
        zendesk_events.actor,
        zendesk_events.account_id,
        zendesk_events.severity,
        zendesk_events.status,
        zendesk_events.target_ticket_id,
        zendesk_events.is_automatic,
        zendesk_events.object_id,
        zendesk_events.line_number
    from zendesk_events
    left outer join exported_events
        on
            zendesk_events.ticket_id = exported_events.ticket_id
            and zendesk_events.event_id = exported_events.event_id
            and zendesk_events.occurred_at = exported_events.occurred_at
    where exported_events.ticket_id is null
),

final as (
    select events.*
    from events
    inner join build
        on events.occurred_at <= build.as_of
)

select * from final
