"""Rows of `raw.notices` and `raw.exclusions` for tests of models, with what a test does not care about filled in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tests.models.builder_credits import Exports

Row = dict[str, Any]
Period = tuple[str | datetime, str | datetime]  # half-open


def notice_row(
    notice_id: str,
    maintenance_id: str,
    action: str,
    *,
    sent_at: str | datetime,
    window: Period | None,
    component_ids: Sequence[str],
    channel: str = "email",
    account_ids: Sequence[str] = (),
) -> Row:
    """A row of `raw.notices`: `window` is None for `cancel`."""
    start, end = window or (None, None)
    return {
        "notice_id": notice_id,
        "maintenance_id": maintenance_id,
        "action": action,
        "channel": channel,
        "sent_at": sent_at,
        "window_start": start,
        "window_end": end,
        "component_ids": list(component_ids),
        "account_ids": list(account_ids),
    }


def entry_row(
    exclusion_id: str,
    category: str,
    *,
    period: Period,
    services: Sequence[str] = (),
    regions: Sequence[str] = (),
    account_ids: Sequence[str] = (),
    incident_ids: Sequence[str] = (),
    evidence_url: str | None = "evidence/1",
    author: str = "ann",
    approved_by: str | None = "bob",
    approved_at: str | datetime | None = "2026-01-01T00:00:00Z",
    revoked_at: str | datetime | None = None,
) -> Row:
    """A row of `raw.exclusions`, sound unless told otherwise (rule X2)."""
    return {
        "exclusion_id": exclusion_id,
        "category": category,
        "services": list(services),
        "regions": list(regions),
        "account_ids": list(account_ids),
        "starts_at": period[0],
        "ends_at": period[1],
        "incident_ids": list(incident_ids),
        "evidence_url": evidence_url,
        "author": author,
        "approved_by": approved_by,
        "approved_at": approved_at,
        "revoked_at": revoked_at,
    }


def add_notice(exports: Exports, *given: str, **columns: Any) -> None:
    """A notice among the exports; as `notice_row`."""
    exports.add("notices", "notices", **notice_row(*given, **columns))


def add_entry(exports: Exports, *given: str, **columns: Any) -> None:
    """An entry of the register among the exports; as `entry_row`."""
    exports.add("exclusions", "exclusions", **entry_row(*given, **columns))
