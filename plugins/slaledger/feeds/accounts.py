"""`accounts/`: accounts and fees as CSV, contracts as NDJSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from slaledger.feeds import values


def account(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `accounts/accounts/` → `raw.accounts` (rules C4, P5)."""
    name = values.text(row, "company_name", limit=values.MAX_TEXT_LENGTH)
    return {
        "account_id": values.text(row, "account_id"),
        "company_name": name,
        "company_key": values.company_key(name),
        "is_sandbox": values.optional_choice(row, "sandbox", ("true", "false")) == "true",
        "zendesk_organization_id": values.optional_text(row, "zendesk_organization_id"),
    }


def contract(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `accounts/contracts/` → `raw.contracts` (rules P2, P3, T2, U5)."""
    starts_at, ends_at = values.instant(row, "starts_at"), values.optional_instant(row, "ends_at")
    values.check_order(starts_at, ends_at, "starts_at, ends_at")
    return {
        "contract_id": values.text(row, "contract_id"),
        "account_id": values.text(row, "account_id"),
        "plan": values.text(row, "plan"),
        "terms_id": values.text(row, "terms_id"),
        "region": values.text(row, "region"),
        "services": values.optional_texts(row, "services"),
        "starts_at": starts_at,
        "ends_at": ends_at,
        "suspensions": _multirange([_suspension(item) for item in values.optional_list(row, "suspensions")]),
        "active_agreement": values.flag(row, "active_agreement"),
    }


def _suspension(item: object) -> tuple[datetime, datetime]:
    suspension = values.mapping(item, "suspensions")
    starts_at, ends_at = values.instant(suspension, "starts_at"), values.instant(suspension, "ends_at")
    values.check_order(starts_at, ends_at, "suspensions: starts_at, ends_at")
    return starts_at, ends_at


def _multirange(intervals: list[tuple[datetime, datetime]]) -> str:
    """PostgreSQL's notation of half-open intervals; it merges what overlaps."""
    return "{" + ",".join(f"[{start.isoformat()},{end.isoformat()})" for start, end in sorted(intervals)) + "}"


def fee(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `accounts/fees/` → `raw.fees` (rule U4). An unknown currency is no fault here: it blocks the month."""
    return {
        "contract_id": values.text(row, "contract_id"),
        "service_month": values.service_month(row, "service_month"),
        "monthly_fee": values.amount(row, "monthly_fee"),
        "currency": values.text(row, "currency"),
    }
