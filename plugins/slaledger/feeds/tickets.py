"""`tickets/events/` and `claims/`, as NDJSON: what customers asked, and when. Texts stay in the bucket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slaledger.feeds import values

_TYPES = (
    "created",
    "public_reply",
    "internal_note",
    "severity_changed",
    "merged_into",
    "marked_spam",
    "status_changed",
)
_ACTORS = ("customer", "agent", "ai", "system")
_SEVERITIES = ("P1", "P2", "P3", "P4")
_STATUSES = ("open", "pending", "solved", "closed")


def ticket_event(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `tickets/events/` → `raw.ticket_events` (rules R1-R6)."""
    return {
        "ticket_id": values.text(row, "ticket_id"),
        "event_id": values.text(row, "event_id"),
        "at": values.instant(row, "at"),
        "type": values.choice(row, "type", _TYPES),
        "actor": values.choice(row, "actor", _ACTORS),
        "account_id": values.optional_text(row, "account_id"),
        "severity": values.optional_choice(row, "severity", _SEVERITIES),
        "status": values.optional_choice(row, "status", _STATUSES),
        "target_ticket_id": values.optional_text(row, "target_ticket_id"),
        "is_automatic": values.optional_flag(row, "automatic"),
    }


def claim(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `claims/` → `raw.claims` (rules C2-C4). The timeline's notes stay in the bucket."""
    company_name = values.optional_text(row, "company_name", limit=values.MAX_TEXT_LENGTH)
    timeline = [_outage(item) for item in values.optional_list(row, "incident_timeline")]
    return {
        "claim_id": values.text(row, "claim_id"),
        "account_id": values.optional_text(row, "account_id"),
        "company_name": company_name,
        "company_key": None if company_name is None else values.company_key(company_name),
        "service_month": values.service_month(row, "service_month"),
        "sent_at": values.optional_instant(row, "sent_at"),
        "received_at": values.instant(row, "received_at"),
        "incident_timeline": timeline or None,
    }


def _outage(item: object) -> dict[str, str | None]:
    outage = values.mapping(item, "incident_timeline")
    starts_at, ends_at = values.instant(outage, "starts_at"), values.optional_instant(outage, "ends_at")
    values.check_order(starts_at, ends_at, "incident_timeline: starts_at, ends_at")
    return {"starts_at": starts_at.isoformat(), "ends_at": None if ends_at is None else ends_at.isoformat()}
