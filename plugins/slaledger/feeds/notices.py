"""`notices/` and `exclusions/`, as NDJSON: what was announced, and what a named person says is no fault of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slaledger.feeds import values

_ACTIONS = ("announce", "move", "cut", "extend", "cancel")
_CHANNELS = ("email", "in_app", "status_page")

# Rule X1 without `scheduled_maintenance`, which the register does not take (rule X2).
_REGISTER_CATEGORIES = (
    "third_party_meta",
    "third_party_messaging",
    "third_party_ai",
    "customer_connectivity",
    "force_majeure",
)


def notice(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `notices/` → `raw.notices` (rules X3, X4). A window that a cancellation carries means nothing."""
    action = values.choice(row, "action", _ACTIONS)
    read = values.optional_instant if action == "cancel" else values.instant
    window_start, window_end = read(row, "window_start"), read(row, "window_end")
    values.check_order(window_start, window_end, "window_start, window_end")
    if action == "cancel":
        window_start = window_end = None
    return {
        "notice_id": values.text(row, "notice_id"),
        "maintenance_id": values.text(row, "maintenance_id"),
        "action": action,
        "channel": values.choice(row, "channel", _CHANNELS),
        "sent_at": values.instant(row, "sent_at"),
        "window_start": window_start,
        "window_end": window_end,
        "component_ids": values.texts(row, "component_ids"),
        "account_ids": values.optional_texts(row, "account_ids"),
    }


def exclusion(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `exclusions/` → `raw.exclusions` (rules X1, X2). Whether it is sound is judged in SQL."""
    starts_at, ends_at = values.instant(row, "starts_at"), values.instant(row, "ends_at")
    values.check_order(starts_at, ends_at, "starts_at, ends_at")
    return {
        "exclusion_id": values.text(row, "exclusion_id"),
        "category": values.choice(row, "category", _REGISTER_CATEGORIES),
        "services": values.optional_texts(row, "services"),
        "regions": values.optional_texts(row, "regions"),
        "account_ids": values.optional_texts(row, "account_ids"),
        "starts_at": starts_at,
        "ends_at": ends_at,
        "incident_ids": values.optional_texts(row, "incident_ids"),
        "evidence_url": values.optional_text(row, "evidence_url", limit=values.MAX_TEXT_LENGTH),
        "author": values.text(row, "author"),
        "approved_by": values.optional_text(row, "approved_by"),
        "approved_at": values.optional_instant(row, "approved_at"),
        "revoked_at": values.optional_instant(row, "revoked_at"),
    }
