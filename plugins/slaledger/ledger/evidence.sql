-- Grain: one document for each of the contracts given: all that its account-month of the current build rests on.
-- Money and time as the marts have them; `rows` and `checks` lead to the objects, and rows to their lines.
-- %(contract_ids)s, %(inputs_sha256)s
with recursive

build as (
    select
        current_build.service_month,
        current_build.as_of,
        to_char(current_build.service_month, 'YYYY-MM') as month
    from audit.current_build
),

account_months as (
    select account_months.*
    from marts.fct_account_months as account_months
    inner join build on account_months.service_month = build.service_month
    where account_months.contract_id = any(%(contract_ids)s)
),

segments as (
    select segments.*
    from marts.fct_account_downtime as segments
    inner join build on segments.service_month = build.service_month
    where segments.contract_id = any(%(contract_ids)s)
),

segment_sources as materialized (
    select
        segments.contract_id,
        segments.kind,
        segments.started_at,
        segments.ended_at,
        sources.source_id
    from segments
    cross join lateral unnest(segments.source_ids) as sources (source_id)
),

sources as materialized (
    select distinct
        segment_sources.contract_id,
        segment_sources.source_id
    from segment_sources
),

credits as (
    select credits.*
    from marts.fct_credits as credits
    inner join build on credits.service_month = build.service_month
    where credits.contract_id = any(%(contract_ids)s)
),

claims as (
    select claims.*
    from marts.fct_claims as claims
    inner join build on claims.service_month = build.service_month
    where claims.contract_id = any(%(contract_ids)s)
),

-- With those merged into them, from which a survivor inherits (rule R5), where the terms credit breaches.
breached_tickets (contract_id, ticket_id) as (
    select
        response_times.contract_id,
        response_times.ticket_id
    from marts.fct_response_times as response_times
    inner join build on response_times.service_month = build.service_month
    inner join credits
        on response_times.contract_id = credits.contract_id and credits.basis = 'response_time'
    where response_times.outcome = 'breached'
    union
    select
        breached_tickets.contract_id,
        ticket_events.ticket_id
    from breached_tickets
    inner join raw.ticket_events
        on breached_tickets.ticket_id = ticket_events.target_ticket_id and ticket_events.type = 'merged_into'
    inner join raw.source_objects on ticket_events.object_id = source_objects.object_id
    where source_objects.is_in_force
),

breaches as (
    select response_times.*
    from marts.fct_response_times as response_times
    inner join build on response_times.service_month = build.service_month
    where
        response_times.contract_id = any(%(contract_ids)s)
        and response_times.outcome = 'breached'
),

objects_in_force as materialized (
    select source_objects.*
    from raw.source_objects
    where source_objects.is_in_force
),

-- The rows that speak for their key: of the objects in force, the one exported last.
incidents as materialized (
    select distinct on (incidents.incident_id)
        incidents.incident_id,
        incidents.is_maintenance,
        incidents.object_id,
        incidents.line_number,
        jsonb_build_object(
            'impact', incidents.impact,
            'status', incidents.status,
            'created_at', incidents.created_at,
            'started_at', incidents.started_at,
            'resolved_at', incidents.resolved_at,
            'scheduled_for', incidents.scheduled_for,
            'scheduled_until', incidents.scheduled_until,
            'updates', incidents.updates
        ) as content
    from raw.incidents
    inner join objects_in_force on incidents.object_id = objects_in_force.object_id
    where incidents.incident_id in (select sources.source_id from sources)
    order by
        incidents.incident_id,
        objects_in_force.exported_at desc,
        objects_in_force.key collate "C" desc,
        incidents.line_number desc
),

exclusions as materialized (
    select distinct on (exclusions.exclusion_id)
        exclusions.exclusion_id,
        exclusions.object_id,
        exclusions.line_number,
        jsonb_build_object(
            'category', exclusions.category,
            'services', exclusions.services,
            'regions', exclusions.regions,
            'starts_at', exclusions.starts_at,
            'ends_at', exclusions.ends_at,
            'incident_ids', exclusions.incident_ids,
            'evidence_url', exclusions.evidence_url,
            'author', exclusions.author,
            'approved_by', exclusions.approved_by,
            'approved_at', exclusions.approved_at
        ) as content
    from raw.exclusions
    inner join objects_in_force on exclusions.object_id = objects_in_force.object_id
    where exclusions.exclusion_id in (select sources.source_id from sources)
    order by
        exclusions.exclusion_id,
        objects_in_force.exported_at desc,
        objects_in_force.key collate "C" desc,
        exclusions.line_number desc
),

notices as materialized (
    select distinct on (notices.notice_id)
        notices.notice_id,
        notices.maintenance_id,
        notices.account_ids,
        notices.object_id,
        notices.line_number,
        jsonb_build_object(
            'maintenance_id', notices.maintenance_id,
            'action', notices.action,
            'channel', notices.channel,
            'sent_at', notices.sent_at,
            'window_start', notices.window_start,
            'window_end', notices.window_end,
            'component_ids', notices.component_ids,
            'to_all', notices.account_ids = '{}'
        ) as content
    from raw.notices
    inner join objects_in_force on notices.object_id = objects_in_force.object_id
    where notices.maintenance_id in (select sources.source_id from sources)
    order by
        notices.notice_id,
        objects_in_force.exported_at desc,
        objects_in_force.key collate "C" desc,
        notices.line_number desc
),

monitors as materialized (
    select distinct on (monitors.monitor_id)
        monitors.monitor_id,
        monitors.object_id,
        monitors.line_number,
        coalesce(monitors.stale_after_seconds, 2 * monitors.interval_seconds) as stale_after_seconds,
        jsonb_build_object(
            'service', monitors.service,
            'region', monitors.region,
            'locations', monitors.locations,
            'interval_seconds', monitors.interval_seconds,
            'stale_after_seconds', monitors.stale_after_seconds,
            'confirm', monitors.confirm,
            'quorum_min', monitors.quorum_min
        ) as content
    from raw.monitors
    inner join objects_in_force on monitors.object_id = objects_in_force.object_id
    where monitors.monitor_id in (select sources.source_id from sources)
    order by
        monitors.monitor_id,
        objects_in_force.exported_at desc,
        objects_in_force.key collate "C" desc,
        monitors.line_number desc
),

-- What maps the components of incidents and notices to services and regions (rule S4).
named_components as materialized (
    select
        incidents.incident_id as source_id,
        named.component_id
    from incidents
    inner join raw.incidents as landed
        on incidents.object_id = landed.object_id and incidents.line_number = landed.line_number
    cross join lateral (
        select unnest(landed.component_ids) as component_id
        union
        select jsonb_path_query(landed.updates, '$[*].components[*].component_id') #>> '{}'
    ) as named
    union
    select
        notices.maintenance_id,
        jsonb_array_elements_text(notices.content -> 'component_ids')
    from notices
),

components as materialized (
    select distinct on (components.component_id)
        components.component_id,
        components.object_id,
        components.line_number,
        jsonb_build_object('service', components.service, 'region', components.region) as content
    from raw.components
    inner join objects_in_force on components.object_id = objects_in_force.object_id
    where components.component_id in (select named_components.component_id from named_components)
    order by
        components.component_id,
        objects_in_force.exported_at desc,
        objects_in_force.key collate "C" desc,
        components.line_number desc
),

-- Names do not leave their objects: the row says whether its account is a sandbox (rule P5).
accounts as materialized (
    select distinct on (accounts.account_id)
        accounts.account_id,
        accounts.object_id,
        accounts.line_number,
        jsonb_build_object('is_sandbox', accounts.is_sandbox) as content
    from raw.accounts
    inner join objects_in_force on accounts.object_id = objects_in_force.object_id
    where accounts.account_id in (select account_months.account_id from account_months)
    order by
        accounts.account_id,
        objects_in_force.exported_at desc,
        objects_in_force.key collate "C" desc,
        accounts.line_number desc
),

contracts as (
    select distinct on (contracts.contract_id)
        contracts.contract_id,
        contracts.object_id,
        contracts.line_number,
        jsonb_build_object(
            'account_id', contracts.account_id,
            'plan', contracts.plan,
            'terms_id', contracts.terms_id,
            'region', contracts.region,
            'services', contracts.services,
            'starts_at', contracts.starts_at,
            'ends_at', contracts.ends_at,
            'suspensions', contracts.suspensions::text,
            'active_agreement', contracts.active_agreement
        ) as content
    from raw.contracts
    inner join objects_in_force on contracts.object_id = objects_in_force.object_id
    where contracts.contract_id = any(%(contract_ids)s)
    order by
        contracts.contract_id,
        objects_in_force.exported_at desc,
        objects_in_force.key collate "C" desc,
        contracts.line_number desc
),

fees as (
    select distinct on (fees.contract_id)
        fees.contract_id,
        fees.object_id,
        fees.line_number,
        jsonb_build_object('monthly_fee', fees.monthly_fee, 'currency', fees.currency) as content
    from raw.fees
    inner join build on fees.service_month = build.service_month
    inner join objects_in_force on fees.object_id = objects_in_force.object_id
    where fees.contract_id = any(%(contract_ids)s)
    order by
        fees.contract_id,
        objects_in_force.exported_at desc,
        objects_in_force.key collate "C" desc,
        fees.line_number desc
),

ticket_events as materialized (
    select distinct on (ticket_events.ticket_id, ticket_events.event_id)
        ticket_events.ticket_id,
        ticket_events.event_id,
        ticket_events.at,
        ticket_events.object_id,
        ticket_events.line_number,
        jsonb_build_object(
            'at', ticket_events.at,
            'type', ticket_events.type,
            'actor', ticket_events.actor,
            'account_id', ticket_events.account_id,
            'severity', ticket_events.severity,
            'status', ticket_events.status,
            'target_ticket_id', ticket_events.target_ticket_id,
            'is_automatic', ticket_events.is_automatic
        ) as content
    from raw.ticket_events
    inner join objects_in_force on ticket_events.object_id = objects_in_force.object_id
    where ticket_events.ticket_id in (select breached_tickets.ticket_id from breached_tickets)
    order by
        ticket_events.ticket_id,
        ticket_events.event_id,
        objects_in_force.exported_at desc,
        objects_in_force.key collate "C" desc,
        ticket_events.line_number desc
),

zendesk_tickets as materialized (
    select distinct on (zendesk_tickets.ticket_id)
        zendesk_tickets.ticket_id,
        zendesk_tickets.object_id,
        zendesk_tickets.line_number,
        jsonb_build_object(
            'created_at', zendesk_tickets.created_at,
            'organization_id', zendesk_tickets.organization_id,
            'submitter_id', zendesk_tickets.submitter_id,
            'priority', zendesk_tickets.priority,
            'status', zendesk_tickets.status
        ) as content
    from raw.zendesk_tickets
    inner join objects_in_force on zendesk_tickets.object_id = objects_in_force.object_id
    where zendesk_tickets.ticket_id in (select breached_tickets.ticket_id from breached_tickets)
    order by
        zendesk_tickets.ticket_id,
        objects_in_force.exported_at desc,
        objects_in_force.key collate "C" desc,
        zendesk_tickets.line_number desc
),

zendesk_ticket_events as materialized (
    select distinct on (zendesk_ticket_events.ticket_event_id)
        zendesk_ticket_events.ticket_event_id,
        zendesk_ticket_events.ticket_id,
        zendesk_ticket_events.at,
        zendesk_ticket_events.object_id,
        zendesk_ticket_events.line_number,
        jsonb_build_object(
            'at', zendesk_ticket_events.at,
            'updater_id', zendesk_ticket_events.updater_id,
            'facts', zendesk_ticket_events.facts
        ) as content
    from raw.zendesk_ticket_events
    inner join objects_in_force on zendesk_ticket_events.object_id = objects_in_force.object_id
    where zendesk_ticket_events.ticket_id in (select breached_tickets.ticket_id from breached_tickets)
    order by
        zendesk_ticket_events.ticket_event_id,
        objects_in_force.exported_at desc,
        objects_in_force.key collate "C" desc,
        zendesk_ticket_events.line_number desc
),

evidence_rows (contract_id, kind, id, object_id, line_number, content) as (
    select contract_id, 'contract', contract_id, object_id, line_number, content from contracts
    union all
    select contract_id, 'fee', contract_id, object_id, line_number, content from fees
    union all
    select account_months.contract_id, 'account', account_id, object_id, line_number, content
    from account_months
    inner join accounts using (account_id)
    union all
    select distinct sources.contract_id, 'component', component_id, object_id, line_number, content
    from sources
    inner join named_components using (source_id)
    inner join components using (component_id)
    union all
    select sources.contract_id, 'monitor', sources.source_id, object_id, line_number, content
    from sources
    inner join monitors on sources.source_id = monitors.monitor_id
    union all
    select
        sources.contract_id,
        case when is_maintenance then 'maintenance' else 'incident' end,
        sources.source_id,
        object_id,
        line_number,
        content
    from sources
    inner join incidents on sources.source_id = incidents.incident_id
    union all
    select sources.contract_id, 'exclusion', sources.source_id, object_id, line_number, content
    from sources
    inner join exclusions on sources.source_id = exclusions.exclusion_id
    union all
    select sources.contract_id, 'notice', notices.notice_id, notices.object_id, line_number, content
    from sources
    inner join notices on sources.source_id = notices.maintenance_id
    inner join account_months on sources.contract_id = account_months.contract_id
    where notices.account_ids = '{}' or account_months.account_id = any(notices.account_ids)
    union all
    select breached_tickets.contract_id, 'ticket event', ticket_id || ' ' || event_id, object_id, line_number, content
    from breached_tickets
    inner join ticket_events using (ticket_id)
    cross join build
    where ticket_events.at <= build.as_of
    union all
    select breached_tickets.contract_id, 'ticket', ticket_id, object_id, line_number, content
    from breached_tickets
    inner join zendesk_tickets using (ticket_id)
    union all
    select
        breached_tickets.contract_id,
        'ticket event',
        ticket_id || ' ' || ticket_event_id,
        object_id,
        line_number,
        content
    from breached_tickets
    inner join zendesk_ticket_events using (ticket_id)
    cross join build
    where zendesk_ticket_events.at <= build.as_of
    union all
    -- Every message of a claim counts (rule C3). Neither names nor notes leave the object.
    select
        claims.contract_id,
        'claim',
        claims.claim_id,
        messages.object_id,
        messages.line_number,
        jsonb_build_object(
            'sent_at', messages.sent_at,
            'received_at', messages.received_at,
            'has_account_id', messages.account_id is not null,
            'has_company_name', messages.company_name is not null,
            'incident_timeline', messages.incident_timeline
        )
    from claims
    inner join raw.claims as messages
        on claims.claim_id = messages.claim_id and claims.service_month = messages.service_month
    inner join objects_in_force on messages.object_id = objects_in_force.object_id
    cross join build
    where messages.received_at <= build.as_of
),

-- The version whose thresholds hold, and every other in force in the measured period (rule T3).
terms as (
    select
        account_months.contract_id,
        versions.object_id,
        versions.terms_version = account_months.terms_version as has_thresholds,
        versions.effective_from,
        versions.degraded_counts,
        jsonb_build_object(
            'terms_id', versions.terms_id,
            'terms_version', versions.terms_version,
            'effective_from', versions.effective_from,
            'has_thresholds', versions.terms_version = account_months.terms_version,
            'object_id', versions.object_id,
            'time_zone', versions.time_zone,
            'credit_tiers', versions.credit_tiers,
            'document', versions.document
        ) as content
    from account_months
    inner join raw.terms_versions as versions on account_months.terms_id = versions.terms_id
    where
        versions.terms_version = account_months.terms_version
        or (
            versions.effective_from < account_months.measured_until
            and coalesce(versions.effective_until, 'infinity') > account_months.measured_from
        )
),

-- A check speaks until the next one of its location, for `stale_after` at most (rule M2): what made an instant down
-- may lie before the measured period.
monitor_streaks as materialized (
    select
        streaks.*,
        least(
            streaks.last_at + make_interval(secs => monitors.stale_after_seconds),
            lead(streaks.first_at) over (
                partition by streaks.monitor_id, streaks.location
                order by streaks.first_at, streaks.last_at
            )
        ) as holds_until
    from monitors
    inner join raw.check_streaks as streaks on monitors.monitor_id = streaks.monitor_id
    inner join objects_in_force on streaks.object_id = objects_in_force.object_id
),

-- What the monitors saw while it was down or unknown: of ordinary checks, their objects and not their lines.
checks as (
    select distinct
        segment_sources.contract_id,
        streaks.object_id,
        streaks.monitor_id,
        streaks.location,
        streaks.status,
        streaks.first_at,
        streaks.last_at,
        streaks.n
    from segment_sources
    inner join monitor_streaks as streaks
        on
            segment_sources.source_id = streaks.monitor_id
            and streaks.first_at < segment_sources.ended_at
            and streaks.holds_until >= segment_sources.started_at
    where
        streaks.status in ('down', 'unknown')
        or (
            streaks.status = 'degraded'
            and segment_sources.contract_id in (select terms.contract_id from terms where terms.degraded_counts)
        )
),

decision_subjects as (
    select
        account_months.contract_id,
        'held_month' as kind,
        account_months.contract_id || '|' || build.month as subject
    from account_months
    cross join build
    union
    select
        claims.contract_id,
        'claim' as kind,
        claims.claim_id || '|' || claims.contract_id || '|' || build.month as subject
    from claims
    cross join build
),

decisions as (
    select
        decision_subjects.contract_id,
        decisions.decision_id,
        jsonb_build_object(
            'kind', decisions.kind,
            'subject', decisions.subject,
            'subject_digest', decisions.subject_digest,
            'is_approved', decisions.is_approved,
            'decided_by', decisions.decided_by,
            'because', decisions.because,
            'decided_at', decisions.decided_at
        ) as content
    from decision_subjects
    inner join audit.decisions as decisions
        on
            decision_subjects.kind = decisions.kind
            and decision_subjects.subject = decisions.subject
),

contract_objects as (
    select contract_id, object_id from evidence_rows
    union
    select contract_id, object_id from checks
    union
    select contract_id, object_id from terms where object_id is not null
),

-- One list a contract, made at once: looked up one by one, ten thousand contracts would take hours.
segment_lists as (
    select
        segments.contract_id,
        jsonb_agg(to_jsonb(segments) - 'contract_id' - 'service_month' order by segments.started_at) as list
    from segments
    group by segments.contract_id
),

credit_lists as (
    select
        credits.contract_id,
        jsonb_agg(to_jsonb(credits) order by credits.basis collate "C") as list
    from credits
    group by credits.contract_id
),

claim_lists as (
    select
        claims.contract_id,
        jsonb_agg(to_jsonb(claims) order by claims.claim_id collate "C") as list
    from claims
    group by claims.contract_id
),

breach_lists as (
    select
        breaches.contract_id,
        jsonb_agg(to_jsonb(breaches) order by breaches.ticket_id collate "C") as list
    from breaches
    group by breaches.contract_id
),

terms_lists as (
    select
        terms.contract_id,
        jsonb_agg(terms.content order by terms.effective_from) as list
    from terms
    group by terms.contract_id
),

decision_lists as (
    select
        decisions.contract_id,
        jsonb_agg(decisions.content order by decisions.decision_id) as list
    from decisions
    group by decisions.contract_id
),

row_lists as (
    select
        evidence_rows.contract_id,
        jsonb_agg(
            jsonb_build_object(
                'kind', evidence_rows.kind,
                'id', evidence_rows.id,
                'object_id', evidence_rows.object_id,
                'line_number', evidence_rows.line_number,
                'content', evidence_rows.content
            )
            order by
                evidence_rows.kind collate "C",
                evidence_rows.id collate "C",
                evidence_rows.object_id,
                evidence_rows.line_number
        ) as list
    from evidence_rows
    group by evidence_rows.contract_id
),

check_lists as (
    select
        checks.contract_id,
        jsonb_agg(
            to_jsonb(checks) - 'contract_id'
            order by
                checks.first_at,
                checks.monitor_id collate "C",
                checks.location collate "C",
                checks.object_id
        ) as list
    from checks
    group by checks.contract_id
),

object_lists as (
    select
        contract_objects.contract_id,
        jsonb_agg(
            jsonb_build_object(
                'object_id', source_objects.object_id,
                'feed', source_objects.feed,
                'bucket', source_objects.bucket,
                'key', source_objects.key,
                'version_id', source_objects.version_id,
                'sha256', source_objects.sha256,
                'exported_at', source_objects.exported_at
            )
            order by source_objects.key collate "C", source_objects.version_id collate "C"
        ) as list
    from contract_objects
    inner join raw.source_objects on contract_objects.object_id = source_objects.object_id
    group by contract_objects.contract_id
),

final as (
    select
        given.contract_id,
        jsonb_build_object(
            'document', 'slaledger account-month evidence 1',
            'contract_id', given.contract_id,
            'service_month', build.service_month,
            'as_of', build.as_of,
            'inputs_sha256', %(inputs_sha256)s::text,
            -- Null where the account-month is no more.
            'account_month', to_jsonb(account_months),
            'segments', coalesce(segment_lists.list, '[]'),
            'credits', coalesce(credit_lists.list, '[]'),
            'claims', coalesce(claim_lists.list, '[]'),
            'breaches', coalesce(breach_lists.list, '[]'),
            'terms', coalesce(terms_lists.list, '[]'),
            'decisions', coalesce(decision_lists.list, '[]'),
            'rows', coalesce(row_lists.list, '[]'),
            'checks', coalesce(check_lists.list, '[]'),
            'objects', coalesce(object_lists.list, '[]')
        )::text as document
    from unnest(%(contract_ids)s) as given (contract_id)
    cross join build
    left join account_months on given.contract_id = account_months.contract_id
    left join segment_lists on given.contract_id = segment_lists.contract_id
    left join credit_lists on given.contract_id = credit_lists.contract_id
    left join claim_lists on given.contract_id = claim_lists.contract_id
    left join breach_lists on given.contract_id = breach_lists.contract_id
    left join terms_lists on given.contract_id = terms_lists.contract_id
    left join decision_lists on given.contract_id = decision_lists.contract_id
    left join row_lists on given.contract_id = row_lists.contract_id
    left join check_lists on given.contract_id = check_lists.contract_id
    left join object_lists on given.contract_id = object_lists.contract_id
)

select * from final
