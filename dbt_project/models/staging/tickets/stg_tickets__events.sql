-- Grain: one row a ticket and event, as its latest row in force has it.
with

events as (
    {{ latest_in_force(
        source('raw', 'ticket_events'), ['ticket_id', 'event_id']
    ) }}
),

final as (
    select
        events.ticket_id,
        events.event_id,
        events.at as occurred_at,
        events.type as event_type,
        events.actor,
        events.account_id,
        events.severity,
        events.status,
        events.target_ticket_id,
        events.is_automatic,
        events.object_id,
        events.line_number
    from events
)

select * from final
