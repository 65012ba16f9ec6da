"""`accounts/…`, `claims/` and `tickets/events/`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from slaledger.reperform.reading import fields
from slaledger.reperform.reading.rows import Fields, Rank
from slaledger.reperform.records import Account, ClaimMessage, Contract, ExportObject, Fee, TicketEvent

ACCOUNT = ("account_id", "company_name")
FEE = ("contract_id", "service_month", "monthly_fee", "currency")
EVENT_TYPES = frozenset(
    {"created", "public_reply", "internal_note", "severity_changed", "merged_into", "marked_spam", "status_changed"}
)
ACTORS = frozenset({"customer", "agent", "ai", "system"})
SEVERITIES = frozenset({"P1", "P2", "P3", "P4"})
TICKET_STATUSES = frozenset({"open", "pending", "solved", "closed"})


def account(row: Fields, _: ExportObject) -> tuple[Account, str | None]:
    """An account, and the Zendesk organization that stands for it."""
    found = Account(
        account_id=fields.text(row, "account_id"),
        company_name=fields.text(row, "company_name", longest=fields.LONGEST_NAME),
        is_sandbox=fields.optional_choice(row, "sandbox", {"true", "false"}) == "true",
    )
    return found, fields.optional_text(row, "zendesk_organization_id")


def contract(row: Fields, _: ExportObject) -> Contract:
    """A contract."""
    starts_at, ends_at = fields.open_span(row, "starts_at", "ends_at")
    return Contract(
        contract_id=fields.text(row, "contract_id"),
        account_id=fields.text(row, "account_id"),
        plan=fields.text(row, "plan"),
        terms_id=fields.text(row, "terms_id"),
        region=fields.text(row, "region"),
        services=fields.texts(row, "services"),
        starts_at=starts_at,
        ends_at=ends_at,
        suspensions=tuple(fields.span(item, "starts_at", "ends_at") for item in fields.objects(row, "suspensions")),
        active_agreement=fields.flag(row, "active_agreement"),
    )


def fee(row: Fields, _: ExportObject) -> Fee:
    """The fee of a contract and month."""
    return Fee(
        contract_id=fields.text(row, "contract_id"),
        service_month=fields.month(row, "service_month"),
        monthly_fee=fields.amount(row, "monthly_fee"),
        currency=fields.text(row, "currency"),
    )


def claim_message(row: Fields, source: ExportObject) -> ClaimMessage:
    """A message of a claim; a timeline without entries is none (C3)."""
    timeline = tuple(
        fields.open_span(item, "starts_at", "ends_at") for item in fields.objects(row, "incident_timeline")
    )
    return ClaimMessage(
        key=source.key,
        exported_at=source.exported_at,
        row=0,
        claim_id=fields.text(row, "claim_id"),
        account_id=fields.optional_text(row, "account_id"),
        company_name=fields.optional_text(row, "company_name", longest=fields.LONGEST_NAME),
        service_month=fields.month(row, "service_month"),
        sent_at=fields.optional_instant(row, "sent_at"),
        received_at=fields.instant(row, "received_at"),
        incident_timeline=timeline or None,
    )


def messages(ranked: Iterable[tuple[Rank, ClaimMessage]]) -> list[ClaimMessage]:
    """All messages as they were exported; of identical ones the first."""
    found: dict[ClaimMessage, ClaimMessage] = {}
    for (_, _, row), message in sorted(ranked, key=lambda pair: pair[0]):
        found.setdefault(replace(message, key="", exported_at=0), replace(message, row=row))
    return list(found.values())


def ticket_event(row: Fields, _: ExportObject) -> TicketEvent:
    """An event of a ticket, with the fields of its type alone."""
    kind = fields.choice(row, "type", EVENT_TYPES)
    account_id = fields.optional_text(row, "account_id")
    severity = fields.optional_choice(row, "severity", SEVERITIES)
    status = fields.optional_choice(row, "status", TICKET_STATUSES)
    target_ticket_id = fields.optional_text(row, "target_ticket_id")
    return TicketEvent(
        ticket_id=fields.text(row, "ticket_id"),
        event_id=fields.text(row, "event_id"),
        at=fields.instant(row, "at"),
        type=kind,
        actor=fields.choice(row, "actor", ACTORS),
        account_id=account_id if kind == "created" else None,
        severity=severity if kind in ("created", "severity_changed") else None,
        status=status if kind == "status_changed" else None,
        target_ticket_id=target_ticket_id if kind == "merged_into" else None,
        is_automatic=fields.optional_flag(row, "automatic") or False,
    )
