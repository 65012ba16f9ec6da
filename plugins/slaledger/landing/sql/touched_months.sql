-- The service months that the objects of a run speak of: those they landed in it, or were judged or settled again.
-- A month is touched in any time zone (14 hours either way), within the time that contracts and exports cover.
with objects as (
    select
        source_objects.object_id,
        source_objects.feed
    from raw.source_objects
    where source_objects.run_id = %(run_id)s
),

bounds as (
    select
        greatest(min(contracts.starts_at), max(source_objects.exported_at) - interval '10 years') as first_at,
        max(source_objects.exported_at) as last_at
    from raw.source_objects
    left join raw.contracts
        on source_objects.object_id = contracts.object_id
),

-- Tickets are of the month of their creation, whichever feed tells of it.
creations as (
    select
        ticket_events.ticket_id,
        ticket_events.at
    from raw.ticket_events
    where ticket_events.type = 'created'
    union
    select
        zendesk_tickets.ticket_id,
        zendesk_tickets.created_at
    from raw.zendesk_tickets
),

tellings as (
    select
        ticket_events.object_id,
        ticket_events.ticket_id,
        ticket_events.at
    from raw.ticket_events
    union all
    select
        zendesk_tickets.object_id,
        zendesk_tickets.ticket_id,
        zendesk_tickets.created_at
    from raw.zendesk_tickets
    union all
    select
        zendesk_ticket_events.object_id,
        zendesk_ticket_events.ticket_id,
        zendesk_ticket_events.at
    from raw.zendesk_ticket_events
),

hands as (
    select
        zendesk_tickets.submitter_id as user_id,
        zendesk_tickets.ticket_id
    from raw.zendesk_tickets
    union
    select
        coalesce(facts.fact ->> 'author_id', zendesk_ticket_events.updater_id),
        zendesk_ticket_events.ticket_id
    from raw.zendesk_ticket_events
    cross join lateral jsonb_array_elements(zendesk_ticket_events.facts) as facts (fact)
),

spoken as (
    select
        check_spans.object_id,
        check_spans.first_at,
        check_spans.last_at
    from raw.check_spans
    union all
    select
        incidents.object_id,
        coalesce(incidents.scheduled_for, incidents.started_at, incidents.created_at) as first_at,
        -- One that was reopened is open, though it still has its `resolved_at`.
        coalesce(
            incidents.scheduled_until,
            case when incidents.status in ('resolved', 'postmortem') then incidents.resolved_at end,
            bounds.last_at
        ) as last_at
    from raw.incidents
    cross join bounds
    union all
    select
        notices.object_id,
        least(notices.sent_at, notices.window_start) as first_at,
        greatest(notices.sent_at, notices.window_end) as last_at
    from raw.notices
    union all
    select
        exclusions.object_id,
        exclusions.starts_at as first_at,
        exclusions.ends_at as last_at
    from raw.exclusions
    union all
    select
        tellings.object_id,
        coalesce(creations.at, tellings.at) as first_at,
        coalesce(creations.at, tellings.at) as last_at
    from tellings
    left join creations
        on tellings.ticket_id = creations.ticket_id
    union all
    -- A user's role decides on the tickets that they opened, updated or wrote on.
    select
        zendesk_users.object_id,
        creations.at as first_at,
        creations.at as last_at
    from raw.zendesk_users
    inner join hands
        on zendesk_users.user_id = hands.user_id
    inner join creations
        on hands.ticket_id = creations.ticket_id
    union all
    select
        fees.object_id,
        fees.service_month + interval '15 days' as first_at,
        fees.service_month + interval '15 days' as last_at
    from raw.fees
    union all
    select
        claims.object_id,
        claims.service_month + interval '15 days' as first_at,
        claims.service_month + interval '15 days' as last_at
    from raw.claims
    union all
    select
        contracts.object_id,
        contracts.starts_at as first_at,
        coalesce(contracts.ends_at, bounds.last_at) as last_at
    from raw.contracts
    cross join bounds
),

-- Catalog, accounts and terms hold for all time: they touch every month that anything speaks of.
touched as (
    select
        spoken.first_at,
        spoken.last_at
    from spoken
    inner join objects
        on spoken.object_id = objects.object_id
    union all
    select
        spoken.first_at,
        spoken.last_at
    from spoken
    where exists (
        select
        from objects
        where objects.feed in ('catalog/monitors', 'catalog/components', 'accounts/accounts', 'terms')
    )
),

months as (
    select distinct months.starts_at
    from touched
    cross join bounds
    cross join lateral generate_series(
        date_trunc('month', greatest(touched.first_at, bounds.first_at) - interval '14 hours', 'UTC'),
        least(touched.last_at, bounds.last_at) + interval '14 hours',
        interval '1 month'
    ) as months (starts_at)
)

select to_char(months.starts_at at time zone 'UTC', 'YYYY-MM') as service_month
from months
order by months.starts_at
