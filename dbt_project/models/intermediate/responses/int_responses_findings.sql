-- Grain: one thing about a ticket that the rules report (R1, R5).
with

events as (
    select * from {{ ref('int_ticket_events') }}
),

zendesk_events as (
    select * from {{ ref('int_zendesk_ticket_events') }}
),

tickets as (
    select * from {{ ref('int_tickets') }}
),

survivors as (
    select * from {{ ref('int_ticket_survivors') }}
),

response_times as (
    select * from {{ ref('int_response_times') }}
),

accounts as (
    select * from {{ ref('stg_accounts__accounts') }}
),

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

of_month as (
    select
        tickets.*,
        response_times.reason
    from tickets
    inner join response_times
        on tickets.ticket_id = response_times.ticket_id
),

creations as (
    select
        events.ticket_id,
        min(events.occurred_at) as first_happened_at,
        bool_or(events.event_type = 'created') as is_creation_known,
        (array_agg(
            events.object_id
            order by events.occurred_at, {{ in_byte_order('events.event_id') }}
        ))[1] as object_id
    from events
    group by events.ticket_id
),

unknown_users as (
    select
        zendesk_events.user_id,
        count(distinct zendesk_events.ticket_id) as ticket_count,
        min({{ in_byte_order('zendesk_events.ticket_id') }})
            as first_ticket_id
    from zendesk_events
    inner join of_month
        on zendesk_events.ticket_id = of_month.ticket_id
    inner join build
        on zendesk_events.occurred_at <= build.as_of
    where
        zendesk_events.user_id is not null
        and not zendesk_events.is_user_known
        and not zendesk_events.is_automatic
    group by zendesk_events.user_id
),

final as (
    select
        'reply_before_creation' as code,
        events.ticket_id as subject,
        events.object_id,
        'A public reply at ' || {{ instant_text('events.occurred_at') }}
        || ' is dated before the ticket''s creation, and ignored.' as detail
    from events
    inner join of_month
        on
            events.ticket_id = of_month.ticket_id
            and events.occurred_at < of_month.own_created_at
    where
        events.event_type = 'public_reply'
        and events.actor in ('agent', 'ai')
    union all
    select
        'ticket_without_creation' as code,
        creations.ticket_id as subject,
        creations.object_id,
        'No event says when it was created: it is not in the response times.'
            as detail
    from creations
    inner join build
        on
            {{ is_near_month(
                'creations.first_happened_at', 'build.service_month'
            ) }}
    where not creations.is_creation_known
    union all
    select
        'ticket_without_severity' as code,
        of_month.ticket_id as subject,
        null::uuid as object_id,
        'It was never given a severity: it has no target.' as detail
    from of_month
    where of_month.reason = 'no_severity'
    union all
    select
        'ticket_account_unknown' as code,
        of_month.ticket_id as subject,
        null::uuid as object_id,
        coalesce(
            'Account ' || of_month.account_id
            || ' is not among the accounts exported.',
            'It names no account.'
        ) as detail
    from of_month
    left outer join accounts
        on of_month.account_id = accounts.account_id
    where accounts.account_id is null
    union all
    select
        'ticket_without_terms' as code,
        of_month.ticket_id as subject,
        null::uuid as object_id,
        'Its contract had no terms in force, or none with a target for its'
        || ' severity, when it was created.' as detail
    from of_month
    where of_month.reason in ('no_terms', 'no_target')
    union all
    select
        'merge_survivor_unknown' as code,
        of_month.ticket_id as subject,
        survivors.object_id,
        'It was merged into ticket ' || survivors.survivor_ticket_id
        || ', of which no creation is known.' as detail
    from of_month
    inner join survivors
        on of_month.ticket_id = survivors.ticket_id
    left outer join creations
        on
            survivors.survivor_ticket_id = creations.ticket_id
            and creations.is_creation_known
    where
        creations.ticket_id is null
        and survivors.survivor_ticket_id is not null
    union all
    select
        'merge_in_a_circle' as code,
        of_month.ticket_id as subject,
        survivors.object_id,
        'Merges lead back to it: the last of them is ignored, and it survives.'
            as detail
    from of_month
    inner join survivors
        on
            of_month.ticket_id = survivors.ticket_id
            and of_month.ticket_id = survivors.survivor_ticket_id
    union all
    select
        'ticket_user_unknown' as code,
        unknown_users.user_id as subject,
        null::uuid as object_id,
        'No users export of Zendesk has this user, who is taken for a'
        || ' customer on ' || unknown_users.ticket_count
        || ' tickets, the first is ' || unknown_users.first_ticket_id || '.'
            as detail
    from unknown_users
    union all
    select
        'organization_of_several_accounts' as code,
        accounts.zendesk_organization_id as subject,
        null::uuid as object_id,
        'Several accounts name this organization of Zendesk: its tickets are'
        || ' taken for those of account '
        || min({{ in_byte_order('accounts.account_id') }}) || '.' as detail
    from accounts
    where accounts.zendesk_organization_id is not null
    group by accounts.zendesk_organization_id
    having count(*) > 1
)

select * from final
