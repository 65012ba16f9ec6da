-- Grain: one ticket of Zendesk, as its latest row in force has it.
with

tickets as (
    {{ latest_in_force(source('raw', 'zendesk_tickets'), ['ticket_id']) }}
),

final as (
    select
        tickets.ticket_id,
        tickets.created_at,
        coalesce(tickets.updated_at, tickets.created_at) as updated_at,
        tickets.organization_id,
        tickets.submitter_id,
        {{ severity_of('tickets.priority') }} as severity,
        tickets.is_tagged_merged as is_merged,
        coalesce(tickets.status = 'deleted', false)
        and tickets.is_tagged_spam as is_spam,
        tickets.object_id,
        tickets.line_number
    from tickets
)

select * from final
