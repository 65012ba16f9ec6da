"""What each route read of the same bucket, record by record: the rows it set aside, and what it took of the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from slaledger.reperform.records import SECOND, Exports, Incident
from slaledger.settings import Warehouse
from slaledger.warehouse import connect
from tests.second_route.world import micros

SHOWN = 5
FAILURES = ("down", "degraded")

Read = Callable[[Exports], Iterable[tuple]]

# Of a terms document the routes say at different steps that it cannot be: what is published is compared.
SET_ASIDE = """
    select o.key, o.version_id, r.line_number from raw.quarantined_rows as r join raw.source_objects as o
    using (object_id) where o.is_in_force and o.feed <> 'terms'
    union all
    select key, version_id, 0 from raw.source_objects
    where is_in_force and status = 'quarantined' and feed <> 'terms'
"""
# Each as the record of the second route has its fields.
STAGED: Mapping[str, str] = {
    "monitors": "select monitor_id, service, region, locations, interval_seconds, stale_after_seconds, confirm, "
    "quorum_min, active_from, active_until from staging.stg_catalog__monitors",
    "components": "select component_id, service, region from staging.stg_catalog__components",
    "accounts": "select account_id, company_name, is_sandbox from staging.stg_accounts__accounts",
    "organizations": "select zendesk_organization_id, account_id from staging.stg_accounts__accounts "
    "where zendesk_organization_id is not null",
    "contracts": "select contract_id, account_id, plan, terms_id, region, services, starts_at, ends_at, "
    "has_active_agreement, array(select lower(span) from unnest(suspensions) as span), "
    "array(select upper(span) from unnest(suspensions) as span) from staging.stg_accounts__contracts",
    "fees": "select contract_id, service_month, monthly_fee, currency from staging.stg_accounts__fees",
    "notices": "select notice_id, maintenance_id, action, channel, sent_at, "
    "case when action <> 'cancel' then window_starts_at end, case when action <> 'cancel' then window_ends_at end, "
    "component_ids, account_ids from staging.stg_notices__notices",
    "exclusions": "select exclusion_id, category, services, regions, account_ids, starts_at, ends_at, incident_ids, "
    "evidence_url, author, approved_by, approved_at, revoked_at from staging.stg_exclusions__entries",
    "claims": "select claim_id, account_id, company_name, service_month, sent_at, received_at, array(select "
    "(entry ->> 'starts_at')::timestamptz from jsonb_array_elements(incident_timeline) as entry), array(select "
    "(entry ->> 'ends_at')::timestamptz from jsonb_array_elements(incident_timeline) as entry) "
    "from staging.stg_claims__messages",
    # Of an internal note nobody asks who wrote it; of what happened at one instant the order counts, not its number.
    "ticket events": """
        select ticket_id, regexp_replace(event_id, '-[0-9]{4}$', ''), occurred_at, event_type,
            case when event_type <> 'internal_note' then actor end,
            case when event_type = 'created' then account_id end,
            case when event_type in ('created', 'severity_changed') then severity end,
            case when event_type = 'status_changed' then status end,
            case when event_type = 'merged_into' then target_ticket_id end,
            event_type in ('public_reply', 'internal_note') and is_automatic
        from (
            select ticket_id, event_id, occurred_at, event_type, actor, account_id, severity, status,
                target_ticket_id, is_automatic from staging.stg_tickets__events
            union all
            select ticket_id, event_id, occurred_at, event_type, actor, account_id, severity, status,
                target_ticket_id, is_automatic from intermediate.int_zendesk_ticket_events
        ) as events
        """,
    "documents": "select o.key, d.kind, d.page_id, d.page_updated_at "
    "from raw.status_page_documents as d join raw.source_objects as o using (object_id) where o.is_in_force",
    "incidents": """
        select distinct on (o.object_id, i.is_maintenance, i.incident_id) o.key, i.is_maintenance, i.incident_id,
            i.page_id, i.status, i.impact, i.created_at, i.started_at, i.resolved_at, i.component_ids,
            array(select (entry ->> 'at')::timestamptz from jsonb_array_elements(i.updates) as entry),
            array(select entry ->> 'status' from jsonb_array_elements(i.updates) as entry),
            array(
                select (part ->> 'component_id') || ' ' || (part ->> 'new_status')
                from jsonb_array_elements(i.updates) with ordinality as entries (entry, place),
                    jsonb_array_elements(entry -> 'components') with ordinality as parts (part, inner_place)
                order by place, inner_place
            )
        from raw.incidents as i join raw.source_objects as o using (object_id) where o.is_in_force
        order by o.object_id, i.is_maintenance, i.incident_id, i.line_number desc
        """,
    "terms": "select terms_id, terms_version, effective_from, effective_until, plan, is_guaranteed, time_zone, "
    "commitment_percent, core_services, down_when, evidence, degraded_counts, partial_outage_counts, "
    "minimum_outage_seconds, excluded_time, thresholds_from, exclusion_categories, notice_seconds, notice_channels, "
    "claims_required, claims_within_days, claims_must_include, counted_reply, calendar_time_zone "
    "from staging.stg_terms__versions",
    "conflicts": "select monitor_id, location, checked_at, statuses from staging.stg_monitoring__check_conflicts",
    # Of failures every instant is kept; of other checks the ends of each run of them (`_strays`).
    "failed checks": "select distinct monitor_id, location, status, unnest(checked_ats) "
    "from staging.stg_monitoring__check_streaks where checked_ats is not null",
}
LISTED_IN_ANY_ORDER = frozenset({"monitors", "contracts", "terms", "conflicts"})


def differences(warehouse: Warehouse, exports: Exports, *, is_staged: bool = True) -> list[str]:
    """What only one of the routes set aside or read, a line each; without dbt's models only what was set aside."""
    with connect(warehouse) as connection:
        found = _told(
            "set aside",
            connection.execute(SET_ASIDE).fetchall(),
            ((each.key, each.version_id, each.row) for each in exports.rejected if not _is_of_terms(each.key)),
        )
        for name, statement in STAGED.items() if is_staged else ():
            rows = [tuple(map(_plain, row)) for row in connection.execute(statement).fetchall()]
            others = READ[name](exports)
            if name in LISTED_IN_ANY_ORDER:
                rows, others = map(_unordered, rows), map(_unordered, others)
            found += _told(name, rows, others)
        if is_staged:
            found += _strays(connection, exports)
    return found


def _is_of_terms(key: str) -> bool:
    return key.startswith(("terms/", "shipped terms"))


def _told(name: str, landed: Iterable[tuple], second: Iterable[tuple]) -> list[str]:
    first, other = Counter(landed), Counter(second)
    only = [
        (sorted((first - other).elements(), key=repr), "landed"),
        (sorted((other - first).elements(), key=repr), "second route"),
    ]
    return [f"{name}, {who} alone ({len(rows)}): {row}" for rows, who in only for row in rows[:SHOWN]]


def _strays(connection: Any, exports: Exports) -> list[str]:
    """Runs of checks that begin or end where the second route has no such check."""
    held = {(*pair, at): status for pair, checks in exports.checks.items() for at, status in checks}
    ends = connection.execute(
        "select monitor_id, location, status, first_at, last_at from staging.stg_monitoring__check_streaks"
    ).fetchall()
    found = [
        f"checks, landed alone: {monitor_id} {location} {status} {at}"
        for monitor_id, location, status, *both in ends
        for at in both
        if held.get((monitor_id, location, micros(at))) != status
    ]
    return found[:SHOWN]


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return micros(value)
        case date():
            return f"{value:%Y-%m}"
        case Decimal():
            return Fraction(value)
        case list():
            return tuple(map(_plain, value))
    return value


def _unordered(row: tuple) -> tuple:
    return tuple(tuple(sorted(value)) if isinstance(value, (tuple, frozenset)) else value for value in row)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _starts_and_ends(spans: Iterable[tuple[Any, Any]]) -> tuple[tuple, tuple]:
    listed = list(spans)
    return tuple(start for start, _ in listed), tuple(end for _, end in listed)


def _seconds(microseconds: int) -> Fraction:
    return Fraction(microseconds, SECOND)


def _contracts(exports: Exports) -> Iterator[tuple]:
    for each in exports.contracts.values():
        services = tuple(sorted(set(each.services)))
        told = (each.contract_id, each.account_id, each.plan, each.terms_id, each.region, services)
        spans = _starts_and_ends(_merged(each.suspensions))
        yield *told, each.starts_at, each.ends_at, each.active_agreement, *spans


def _ticket_events(exports: Exports) -> Iterator[tuple]:
    for each in exports.ticket_events:
        is_reply = each.type in ("public_reply", "internal_note")
        actor = None if each.type == "internal_note" else each.actor
        told = (each.ticket_id, re.sub("-[0-9]{4}$", "", each.event_id), each.at, each.type, actor, each.account_id)
        yield *told, each.severity, each.status, each.target_ticket_id, is_reply and each.is_automatic


def _documents(exports: Exports) -> Iterator[tuple]:
    """What documents say of themselves; of those that list one kind the ids of that kind alone."""
    for each in exports.documents:
        yield each.key, each.kind, each.page_id, each.page_updated_at


def _incidents(exports: Exports) -> Iterator[tuple]:
    for document in exports.documents:
        listed = ((False, document.incidents), (True, document.maintenances))
        yield from (_incident(document.key, is_so, each) for is_so, incidents in listed for each in incidents)


def _incident(key: str, is_maintenance: bool, each: Incident) -> tuple:
    changes = tuple(f"{part} {status}" for update in each.updates for part, status in update.changes)
    return (
        *(key, is_maintenance, each.incident_id, each.page_id, each.status, each.impact, each.created_at),
        *(each.started_at, each.resolved_at, each.component_ids, tuple(update.at for update in each.updates)),
        *(tuple(update.status for update in each.updates), changes),
    )


def _terms(exports: Exports) -> Iterator[tuple]:
    for each in (version for versions in exports.terms.values() for version in versions):
        told = (each.terms_id, each.version, each.effective_from, each.effective_until, each.plan, each.guaranteed)
        yield (
            *(*told, each.time_zone, each.commitment, each.core_services, each.down_when, each.evidence),
            *(each.degraded_counts, each.partial_outage_counts, _seconds(each.minimum_outage), each.excluded_time),
            *(each.thresholds_from, each.exclusions, _seconds(each.notice), each.channels, each.claims_required),
            *(each.claims_within_days, each.claims_must_include, each.counted_reply, each.calendar_time_zone),
        )


def _monitors(exports: Exports) -> Iterator[tuple]:
    for each in exports.monitors.values():
        lengths = (_seconds(each.interval), _seconds(each.stale_after), each.confirm, each.quorum_min)
        told = (each.monitor_id, each.service, each.region, each.locations, *lengths)
        yield *told, each.active_from, each.active_until


def _claims(exports: Exports) -> Iterator[tuple]:
    for each in exports.claims:
        told = (each.claim_id, each.account_id, each.company_name, each.service_month, each.sent_at, each.received_at)
        yield *told, *_starts_and_ends(each.incident_timeline or ())


READ: Mapping[str, Read] = {
    "monitors": _monitors,
    "components": lambda exports: map(astuple, exports.components.values()),
    "accounts": lambda exports: map(astuple, exports.accounts.values()),
    "organizations": lambda exports: (
        (organization, account_id) for organization, found in exports.organizations.items() for account_id in found
    ),
    "contracts": _contracts,
    "fees": lambda exports: map(astuple, exports.fees.values()),
    "notices": lambda exports: (
        (
            *(each.notice_id, each.maintenance_id, each.action, each.channel, each.sent_at),
            *(*(each.window or (None, None)), each.component_ids, each.account_ids),
        )
        for each in exports.notices
    ),
    "exclusions": lambda exports: (
        (
            *(each.exclusion_id, each.category, each.services, each.regions, each.account_ids, *each.span),
            *(each.incident_ids, each.evidence_url, each.author, each.approved_by, each.approved_at, each.revoked_at),
        )
        for each in exports.register
    ),
    "claims": _claims,
    "ticket events": _ticket_events,
    "documents": _documents,
    "incidents": _incidents,
    "terms": _terms,
    "conflicts": lambda exports: ((*place, tuple(found)) for place, found in exports.conflicts.items()),
    "failed checks": lambda exports: (
        (*pair, status, at) for pair, checks in exports.checks.items() for at, status in checks if status in FAILURES
    ),
}
