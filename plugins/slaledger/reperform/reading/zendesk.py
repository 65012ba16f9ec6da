"""`tickets/zendesk/`: tickets, ticket events and users of Zendesk's incremental exports, as ticket events of ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from slaledger.reperform.reading import fields
from slaledger.reperform.reading.rows import (
    Fields,
    Framed,
    Rank,
    Unreadable,
    Unusable,
    document_row,
    in_force,
    json_document,
    read_rows,
)
from slaledger.reperform.records import ExportObject, Instant, Rejected, TicketEvent

SEVERITIES = {"urgent": "P1", "high": "P2", "normal": "P3", "low": "P4"}
ROLES = frozenset({"end-user", "agent", "admin"})
AUTOMATIC_CHANNELS = frozenset({"rule", "system"})


@dataclass(frozen=True)
class Ticket:
    """A ticket as it was last exported; its priority is the last one, too."""

    ticket_id: str
    created_at: Instant
    updated_at: Instant | None
    submitter_id: str | None
    organization_id: str | None
    severity: str | None
    is_merged: bool
    is_spam: bool


@dataclass(frozen=True)
class Child:
    """A comment, or (`is_public` None) a change of the priority."""

    event_id: str
    at: Instant
    actor_id: str | None
    is_public: bool | None = None
    is_automatic: bool = False
    severity: str | None = None
    previous_severity: str | None = None


@dataclass(frozen=True)
class Audit:
    """A ticket event with those of its children that say something here."""

    audit_id: str
    ticket_id: str
    at: Instant
    children: tuple[Child, ...]


@dataclass(frozen=True)
class User:
    """A user, and what it is in our words."""

    user_id: str
    actor: str


def events(
    objects: Iterable[ExportObject], *, accounts: Mapping[str, str], rejected: list[Rejected]
) -> list[TicketEvent]:
    """The ticket events; `accounts` maps organizations to accounts, another organization is its account's id."""
    ranked = read_rows(objects, frame=frame, parse=lambda row, _: parse(row), rejected=rejected)
    tickets = of_kind(ranked, Ticket, "ticket_id")
    audits = of_kind(ranked, Audit, "audit_id")
    actors = {user_id: user.actor for user_id, user in of_kind(ranked, User, "user_id").items()}

    def actor(user_id: str | None) -> str:
        return actors.get(user_id or "", "customer")

    children: dict[str, list[Child]] = defaultdict(list)
    for audit in sorted(audits.values(), key=lambda audit: (audit.at, int(audit.audit_id))):
        children[audit.ticket_id] += audit.children
    found = []
    for ticket in tickets.values():
        changes = [child for child in children[ticket.ticket_id] if child.is_public is None]
        organization_id = ticket.organization_id
        found.append(
            TicketEvent(
                ticket_id=ticket.ticket_id,
                event_id="created",
                at=ticket.created_at,
                type="created",
                actor=actor(ticket.submitter_id),
                account_id=None if organization_id is None else accounts.get(organization_id, organization_id),
                # The last priority, walked back through its changes.
                severity=changes[0].previous_severity if changes else ticket.severity,
            )
        )
        # The export does not say when a tag was set: at the latest when the ticket last changed.
        at = ticket.created_at if ticket.updated_at is None else ticket.updated_at
        marks = {"merged_into": ticket.is_merged, "marked_spam": ticket.is_spam}
        found += [
            TicketEvent(ticket_id=ticket.ticket_id, event_id=kind, at=at, type=kind, actor="system")
            for kind, is_marked in marks.items()
            if is_marked
        ]
    for ticket_id, of_ticket in children.items():
        found += [child_event(child, ticket_id=ticket_id, actor=actor(child.actor_id)) for child in of_ticket]
    return found


def child_event(child: Child, *, ticket_id: str, actor: str) -> TicketEvent:
    """A comment or a change of the priority as an event of ours."""
    kinds = {True: "public_reply", False: "internal_note", None: "severity_changed"}
    return TicketEvent(
        ticket_id=ticket_id,
        event_id=child.event_id,
        at=child.at,
        type=kinds[child.is_public],
        actor=actor,
        severity=child.severity,
        is_automatic=child.is_automatic,
    )


def of_kind(ranked: list[tuple[Rank, Any]], kind: type, key: str) -> dict[str, Any]:
    """The records of one kind in force."""
    return in_force([pair for pair in ranked if isinstance(pair[1], kind)], attrgetter(key))


def frame(body: bytes) -> Iterator[Framed]:
    """The tickets, ticket events and users of a document, each under the name of its list."""
    if not body:
        return
    content = json_document(body)
    lists = [(name, content[name]) for name in PARSERS if isinstance(content.get(name), list)]
    if not lists:
        raise Unreadable(f"it has none of {', '.join(PARSERS)}")
    listed = [(name, value) for name, values in lists for value in values]
    for number, (name, value) in enumerate(listed, start=1):
        try:
            yield number, {name: document_row(value)}
        except Unusable as why:
            yield number, why


def parse(row: Fields) -> Ticket | Audit | User:
    """A row under the name of its list."""
    ((name, content),) = row.items()
    return PARSERS[name](content)


def ticket(row: Fields) -> Ticket:
    """A ticket."""
    tags = fields.texts(row, "tags")
    return Ticket(
        ticket_id=identifier(row, "id"),
        created_at=fields.instant(row, "created_at"),
        updated_at=fields.optional_instant(row, "updated_at"),
        submitter_id=optional_identifier(row, "submitter_id"),
        organization_id=optional_identifier(row, "organization_id"),
        severity=severity(row, "priority"),
        is_merged="closed_by_merge" in tags,
        is_spam=fields.optional_text(row, "status") == "deleted" and "spam" in tags,
    )


def user(row: Fields) -> User:
    """A user: a customer, an agent, or, of the agents, the AI."""
    is_ai = "ai_agent" in fields.texts(row, "tags")
    role = fields.choice(row, "role", ROLES)
    staff = "ai" if is_ai else "agent"
    return User(user_id=identifier(row, "id"), actor="customer" if role == "end-user" else staff)


def audit(row: Fields) -> Audit:
    """A ticket event."""
    audit_id = identifier(row, "id")
    at = fields.instant(row, "created_at")
    children = []
    for position, child in enumerate(fields.objects(row, "child_events"), start=1):
        event_id = optional_identifier(child, "id") or f"{audit_id}.{position}"
        kind = fields.optional_text(child, "event_type") or fields.optional_text(child, "type")
        if kind == "Comment":
            children.append(comment(child, row, event_id=event_id, at=at))
        elif kind == "Change" and (change := priority_change(child)) is not None:
            children.append(
                Child(
                    event_id=event_id,
                    at=at,
                    actor_id=optional_identifier(row, "updater_id"),
                    severity=severity(change, "priority"),
                    previous_severity=severity(change, "previous_value"),
                )
            )
    return Audit(audit_id=audit_id, ticket_id=identifier(row, "ticket_id"), at=at, children=tuple(children))


def comment(child: Fields, row: Fields, *, event_id: str, at: Instant) -> Child:
    """A comment; what it does not say of itself is its ticket event's."""
    is_public = fields.optional_flag(child, "public")
    created_at = fields.optional_instant(child, "created_at")
    via = child.get("via") or row.get("via")
    return Child(
        event_id=event_id,
        at=at if created_at is None else created_at,
        actor_id=optional_identifier(child, "author_id") or optional_identifier(row, "updater_id"),
        is_public=fields.flag(child, "comment_public") if is_public is None else is_public,
        is_automatic=isinstance(via, dict) and via.get("channel") in AUTOMATIC_CHANNELS,
    )


def priority_change(child: Fields) -> Fields | None:
    """A change of the priority as {priority, previous_value}, in either of its spellings; None of anything else."""
    if "priority" in child:
        return child
    if child.get("field_name") == "priority":
        return {"priority": child.get("value"), "previous_value": child.get("previous_value")}
    return None


def severity(row: Fields, name: str) -> str | None:
    """A priority as a severity; None where there is none."""
    priority = fields.optional_choice(row, name, SEVERITIES)
    return None if priority is None else SEVERITIES[priority]


def optional_identifier(row: Fields, name: str) -> str | None:
    """The decimal text of a whole number; None if it is absent."""
    value = row.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unusable(f"{name} is no whole number")
    return str(value)


def identifier(row: Fields, name: str) -> str:
    """The decimal text of a whole number that must be there."""
    value = optional_identifier(row, name)
    if value is None:
        raise Unusable(f"{name} is missing")
    return value


PARSERS = {"tickets": ticket, "ticket_events": audit, "users": user}
