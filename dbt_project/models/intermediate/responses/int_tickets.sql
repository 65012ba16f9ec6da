-- Grain: one ticket whose creation is known, sandbox accounts left out (P5).
-- Rules R1 and R5: a survivor keeps the earliest creation of the customers'
-- tickets merged into it, and the public replies on those that are no spam.
with

events as (
    select * from {{ ref('int_ticket_events') }}
),

survivors as (
    select * from {{ ref('int_ticket_survivors') }}
),

accounts as (
    select * from {{ ref('stg_accounts__accounts') }}
),

creations as (
    select distinct on (events.ticket_id)
        events.ticket_id,
        events.account_id,
        events.occurred_at as created_at,
        events.actor = 'customer' as is_customers
    from events
    where events.event_type = 'created'
    order by
        events.ticket_id,
        events.occurred_at,
        {{ in_byte_order('events.event_id') }}
),

spam as (
    select distinct events.ticket_id
    from events
    where events.event_type = 'marked_spam'
),

tickets as (
    select
        creations.ticket_id,
        creations.account_id,
        creations.created_at,
        creations.is_customers,
        spam.ticket_id is not null as is_spam,
        coalesce(survivors.survivor_ticket_id, creations.ticket_id)
            as survivor_ticket_id,
        coalesce(survivors.is_merged, false) as is_merged
    from creations
    left outer join survivors
        on creations.ticket_id = survivors.ticket_id
    left outer join spam
        on creations.ticket_id = spam.ticket_id
    left outer join accounts
        on creations.account_id = accounts.account_id
    where accounts.is_sandbox is not true
),

replies as (
    select
        events.ticket_id,
        min(events.occurred_at) filter (where events.actor = 'agent')
            as first_human_reply_at,
        min(events.occurred_at) filter (where events.actor = 'ai')
            as first_ai_reply_at
    from events
    inner join tickets
        on
            events.ticket_id = tickets.ticket_id
            and events.occurred_at >= tickets.created_at
    where
        events.event_type = 'public_reply'
        and events.actor in ('agent', 'ai')
        and not events.is_automatic
    group by events.ticket_id
),

inherited as (
    select
        tickets.survivor_ticket_id as ticket_id,
        min(tickets.created_at) as created_at,
        min(replies.first_human_reply_at) filter (where not tickets.is_spam)
            as first_human_reply_at,
        min(replies.first_ai_reply_at) filter (where not tickets.is_spam)
            as first_ai_reply_at,
        (array_agg(
            tickets.account_id
            order by
                tickets.created_at,
                {{ in_byte_order('tickets.ticket_id') }}
        ) filter (where tickets.account_id is not null))[1] as account_id
    from tickets
    left outer join replies
        on tickets.ticket_id = replies.ticket_id
    where tickets.is_merged and tickets.is_customers
    group by tickets.survivor_ticket_id
),

final as (
    select
        tickets.ticket_id,
        tickets.created_at as own_created_at,
        tickets.survivor_ticket_id,
        tickets.is_customers,
        tickets.is_spam,
        tickets.is_merged,
        coalesce(tickets.account_id, inherited.account_id) as account_id,
        least(tickets.created_at, inherited.created_at) as created_at,
        least(replies.first_human_reply_at, inherited.first_human_reply_at)
            as first_human_reply_at,
        least(replies.first_ai_reply_at, inherited.first_ai_reply_at)
            as first_ai_reply_at
    from tickets
    left outer join replies
        on tickets.ticket_id = replies.ticket_id
    left outer join inherited
        on
            tickets.ticket_id = inherited.ticket_id
            and not tickets.is_merged
)

select * from final
