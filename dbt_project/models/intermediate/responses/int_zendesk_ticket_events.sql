-- Grain: one event of a ticket that Zendesk tells of, as `tickets/events/`
-- would tell it (decision 0010). Rules R1, R4 and R5 need no more.
with

tickets as (
    select * from {{ ref('stg_tickets__zendesk_tickets') }}
),

changes as (
    select * from {{ ref('stg_tickets__zendesk_events') }}
),

users as (
    select * from {{ ref('stg_tickets__zendesk_users') }}
),

accounts as (
    select * from {{ ref('stg_accounts__accounts') }}
),

organizations as (
    select
        accounts.zendesk_organization_id as organization_id,
        min({{ in_byte_order('accounts.account_id') }}) as account_id
    from accounts
    where accounts.zendesk_organization_id is not null
    group by accounts.zendesk_organization_id
),

-- Walked back through all its changes, a priority ends where the first began.
first_changes as (
    select distinct on (changes.ticket_id)
        changes.ticket_id,
        changes.previous_severity
    from changes
    where changes.kind = 'priority'
    order by
        changes.ticket_id asc,
        changes.occurred_at asc,
        {{ in_byte_order('changes.event_id') }} asc
),

creations as (
    select
        tickets.ticket_id,
        'created' as event_id,
        tickets.created_at as occurred_at,
        'created' as event_type,
        tickets.submitter_id as user_id,
        tickets.object_id,
        tickets.line_number,
        coalesce(organizations.account_id, tickets.organization_id)
            as account_id,
        case
            when first_changes.ticket_id is null then tickets.severity
            else first_changes.previous_severity
        end as severity
    from tickets
    left outer join organizations
        on tickets.organization_id = organizations.organization_id
    left outer join first_changes
        on tickets.ticket_id = first_changes.ticket_id
),

tellings as (
    select
        changes.ticket_id,
        max(changes.occurred_at) filter (
            where changes.tag = 'closed_by_merge'
        ) as merged_at,
        max(changes.occurred_at) filter (
            where changes.tag = 'spam'
        ) as tagged_spam_at,
        max(changes.occurred_at) filter (
            where changes.status = 'deleted'
        ) as deleted_at
    from changes
    group by changes.ticket_id
),

-- The ticket says that it happened. When, its events say; where they do not,
-- it had happened by the last update.
endings as (
    select
        tickets.ticket_id,
        endings.event_type,
        tickets.object_id,
        tickets.line_number,
        coalesce(endings.happened_at, tickets.updated_at) as occurred_at
    from tickets
    left outer join tellings
        on tickets.ticket_id = tellings.ticket_id
    cross join
        lateral (
            values
            ('merged_into', tickets.is_merged, tellings.merged_at),
            (
                'marked_spam',
                tickets.is_spam,
                -- Both are needed.
                case
                    when tellings.tagged_spam_at > tellings.deleted_at
                        then tellings.tagged_spam_at
                    when tellings.tagged_spam_at is not null
                        then tellings.deleted_at
                end
            )
        ) as endings (event_type, has_happened, happened_at)
    where endings.has_happened
),

events as (
    select
        creations.ticket_id,
        creations.event_id,
        creations.occurred_at,
        creations.user_id,
        creations.account_id,
        creations.severity,
        null::text as status,
        false as is_automatic,
        creations.object_id,
        creations.line_number,
        creations.event_type
    from creations
    union all
    select
        endings.ticket_id,
        endings.event_type as event_id,
        endings.occurred_at,
        null::text as user_id,
        null::text as account_id,
        null::text as severity,
        null::text as status,
        true as is_automatic,
        endings.object_id,
        endings.line_number,
        endings.event_type
    from endings
    union all
    select
        changes.ticket_id,
        changes.event_id,
        changes.occurred_at,
        changes.user_id,
        null::text as account_id,
        changes.severity,
        changes.status,
        changes.is_automatic,
        changes.object_id,
        changes.line_number,
        case
            when changes.kind = 'priority' then 'severity_changed'
            when changes.kind = 'status' then 'status_changed'
            when changes.is_public then 'public_reply'
            else 'internal_note'
        end as event_type
    from changes
    where
        changes.kind in ('comment', 'priority')
        or changes.status in ('open', 'pending', 'solved', 'closed')
),

final as (
    select
        events.ticket_id,
        events.event_id,
        events.occurred_at,
        events.event_type,
        events.account_id,
        events.severity,
        events.status,
        null::text as target_ticket_id,
        events.is_automatic,
        events.user_id,
        events.object_id,
        events.line_number,
        users.user_id is not null as is_user_known,
        case
            when
                events.event_type not in ('created', 'public_reply')
                and (events.is_automatic or events.user_id is null)
                then 'system'
            else coalesce(users.actor, 'customer')
        end as actor
    from events
    left outer join users
        on events.user_id = users.user_id
)

select * from final
