-- Grain: one comment, change of priority or status, or added tag, of a ticket
-- event of Zendesk, as that ticket event's latest row in force has it.
-- Byte by byte, `event_id` is the order that they happened in at one instant.
with

events as (
    {{ latest_in_force(
        source('raw', 'zendesk_ticket_events'), ['ticket_event_id']
    ) }}
),

final as (
    select
        events.ticket_id,
        lpad(
            events.ticket_event_id,
            greatest(19, length(events.ticket_event_id)),
            '0'
        )
        || '-' || lpad(listed.ordinal::text, 4, '0') as event_id,
        events.at as occurred_at,
        listed.fact ->> 'kind' as kind,
        coalesce(listed.fact ->> 'author_id', events.updater_id) as user_id,
        (listed.fact ->> 'is_automatic')::boolean as is_automatic,
        (listed.fact ->> 'is_public')::boolean as is_public,
        case
            when listed.fact ->> 'kind' = 'priority'
                then {{ severity_of("listed.fact ->> 'value'") }}
        end as severity,
        {{ severity_of("listed.fact ->> 'previous_value'") }}
            as previous_severity,
        case
            when listed.fact ->> 'kind' = 'status'
                then listed.fact ->> 'value'
        end as status,
        case
            when listed.fact ->> 'kind' = 'tag' then listed.fact ->> 'value'
        end as tag,
        events.object_id,
        events.line_number
    from events
    cross join
        lateral
        jsonb_array_elements(events.facts)
        with ordinality as listed (fact, ordinal)
)

select * from final
