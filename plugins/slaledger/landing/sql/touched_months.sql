-- The service months that the objects of a run speak of: those they landed in it, or were judged or settled again.
-- A month is touched in any time zone (14 hours either way), within the time that contracts and exports cover.
with landed as (
    select
        source_objects.object_id,
        source_objects.bucket,
        source_objects.key,
        source_objects.feed
    from raw.source_objects
    where source_objects.run_id = %(run_id)s
),

-- With the versions that they took the place of: what those said is said no more.
objects as (
    select
        source_objects.object_id,
        source_objects.feed
    from landed
    inner join raw.source_objects
        on
            landed.bucket = source_objects.bucket
            and landed.key = source_objects.key
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

-- All the time that an incident may speak of: its updates may be dated before its start and after its resolution.
incident_spans as (
    select
        incidents.object_id,
        incidents.incident_id,
        incidents.page_id,
        incidents.status in ('resolved', 'postmortem') as is_resolved,
        incidents.is_maintenance,
        source_objects.exported_at,
        source_objects.key as object_key,
        incidents.line_number,
        source_objects.is_in_force,
        least(
            incidents.scheduled_for, incidents.started_at, incidents.created_at, updates.first_at
        ) as first_at,
        -- One that was reopened is open, though it still has its `resolved_at`.
        case
            when incidents.is_maintenance or incidents.status in ('resolved', 'postmortem')
                then greatest(
                    incidents.scheduled_until, incidents.resolved_at, updates.last_at, incidents.created_at
                )
            else bounds.last_at
        end as last_at
    from raw.incidents
    inner join raw.source_objects
        on incidents.object_id = source_objects.object_id
    cross join bounds
    cross join lateral (
        select
            min((listed.entry ->> 'at')::timestamptz) as first_at,
            max((listed.entry ->> 'at')::timestamptz) as last_at
        from jsonb_array_elements(incidents.updates) as listed (entry)
    ) as updates
),

latest_incidents as (
    select distinct on (incident_spans.incident_id) incident_spans.*
    from incident_spans
    where
        incident_spans.is_in_force
        and not incident_spans.is_maintenance
    order by
        incident_spans.incident_id asc,
        incident_spans.exported_at desc,
        incident_spans.object_key collate "C" desc,
        incident_spans.line_number desc
),

-- What a list of the run lacks and none before it lacked: withdrawn (rule S3), or resolved by then (rule S5).
lacking as (
    select
        status_page_documents.object_id,
        latest_incidents.incident_id,
        latest_incidents.first_at,
        latest_incidents.last_at,
        source_objects.run_id = %(run_id)s as is_of_run
    from raw.status_page_documents
    inner join raw.source_objects
        on
            status_page_documents.object_id = source_objects.object_id
            and source_objects.is_in_force
    inner join latest_incidents
        on
            status_page_documents.page_id = latest_incidents.page_id
            and source_objects.exported_at >= latest_incidents.exported_at
    where
        latest_incidents.incident_id <> all(status_page_documents.incident_ids)
        and (
            (status_page_documents.kind = 'incidents' and source_objects.is_complete)
            or (status_page_documents.kind = 'summary' and not latest_incidents.is_resolved)
        )
),

omissions as (
    select
        lacking.first_at,
        lacking.last_at
    from lacking
    group by
        lacking.incident_id,
        lacking.first_at,
        lacking.last_at
    having bool_and(lacking.is_of_run)
),

-- Of each thing that rows speak of, every time that any row of it, held or replaced, speaks of.
spoken as (
    select
        check_spans.object_id,
        check_spans.object_id::text as subject,
        check_spans.first_at,
        check_spans.last_at
    from raw.check_spans
    union all
    select
        incident_spans.object_id,
        'incident ' || incident_spans.incident_id as subject,
        incident_spans.first_at,
        incident_spans.last_at
    from incident_spans
    union all
    select
        notices.object_id,
        'notice ' || notices.notice_id as subject,
        least(notices.sent_at, notices.window_start) as first_at,
        greatest(notices.sent_at, notices.window_end) as last_at
    from raw.notices
    union all
    select
        exclusions.object_id,
        'exclusion ' || exclusions.exclusion_id as subject,
        exclusions.starts_at as first_at,
        exclusions.ends_at as last_at
    from raw.exclusions
    union all
    select
        tellings.object_id,
        'ticket ' || tellings.ticket_id as subject,
        coalesce(creations.at, tellings.at) as first_at,
        coalesce(creations.at, tellings.at) as last_at
    from tellings
    left join creations
        on tellings.ticket_id = creations.ticket_id
    union all
    -- A user's role decides on the tickets that they opened, updated or wrote on.
    select
        zendesk_users.object_id,
        'user ' || zendesk_users.user_id as subject,
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
        'fee ' || fees.contract_id || ' ' || fees.service_month as subject,
        fees.service_month + interval '15 days' as first_at,
        fees.service_month + interval '15 days' as last_at
    from raw.fees
    union all
    select
        claims.object_id,
        'claim ' || claims.claim_id as subject,
        claims.service_month + interval '15 days' as first_at,
        claims.service_month + interval '15 days' as last_at
    from raw.claims
    union all
    select
        contracts.object_id,
        'contract ' || contracts.contract_id as subject,
        contracts.starts_at as first_at,
        coalesce(contracts.ends_at, bounds.last_at) as last_at
    from raw.contracts
    cross join bounds
),

subjects as (
    select distinct spoken.subject
    from spoken
    inner join objects
        on spoken.object_id = objects.object_id
),

-- Catalog, accounts and terms hold for all time: they touch every month that anything speaks of.
touched as (
    select
        omissions.first_at,
        omissions.last_at
    from omissions
    union all
    select
        spoken.first_at,
        spoken.last_at
    from spoken
    inner join subjects
        on spoken.subject = subjects.subject
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
