-- Grain: one severity that a ticket was given, in order (rule R4).
with

events as (
    select * from {{ ref('int_ticket_events') }}
),

final as (
    select
        events.ticket_id,
        events.severity,
        events.occurred_at as given_at,
        row_number() over (
            partition by events.ticket_id
            order by
                events.occurred_at,
                events.event_type <> 'created',
                {{ in_byte_order('events.event_id') }}
        ) as ordinal
    from events
    where
        events.event_type in ('created', 'severity_changed')
        and events.severity is not null
)

select * from final
