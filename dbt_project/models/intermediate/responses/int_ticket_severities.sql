-- Grain: one severity that a ticket was given, in order (rule R4). Of several
-- creations the first is its own; what is dated before that is ignored.
with

events as (
    select * from {{ ref('int_ticket_events') }}
),

told as (
    select
        events.*,
        events.event_type = 'created' as is_creation,
        min(events.occurred_at)
        filter (where events.event_type = 'created')
            over (partition by events.ticket_id) as created_at,
        row_number() over (
            partition by events.ticket_id, events.event_type
            order by
                events.occurred_at,
                {{ in_byte_order('events.event_id') }}
        ) as ordinal_of_type
    from events
    where events.event_type in ('created', 'severity_changed')
),

final as (
    select
        told.ticket_id,
        told.severity,
        told.occurred_at as given_at,
        row_number() over (
            partition by told.ticket_id
            order by
                told.occurred_at,
                not told.is_creation,
                {{ in_byte_order('told.event_id') }}
        ) as ordinal
    from told
    where
        told.severity is not null
        and (not told.is_creation or told.ordinal_of_type = 1)
        and told.occurred_at >= coalesce(told.created_at, '-infinity')
)

select * from final
