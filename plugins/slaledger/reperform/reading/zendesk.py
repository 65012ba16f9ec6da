"""`tickets/zendesk/`: tickets, ticket events and users of Zendesk's incremental exports, as ticket events of ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from slaledger.reperform.reading import fields
from slaledger.reperform.reading.rows import (
    Fields,
    Framed,
    Rank,
    Unusable,
    document_row,
    in_force,
    json_document,
    read_rows,
)
from slaledger.reperform.records import ExportObject, Instant, Rejected, TicketEvent

SEVERITIES = {"urgent": "P1", "high": "P2", "normal": "P3", "low": "P4"}
ROLES = frozenset({"end-user", "agent", "admin"})
STATUSES = frozenset({"open", "pending", "solved", "closed"})  # that tell a rule something
# What it takes for a ticket to be merged, or spam.
ENDINGS = {"merged_into": {"closed_by_merge"}, "marked_spam": {"spam", "deleted"}}


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
    """A comment, or a change of the priority or the status; `type` is that of our events."""

    type: str
    actor_id: str | None
    is_automatic: bool
    status: str | None = None
    severity: str | None = None
    previous_severity: str | None = None


@dataclass(frozen=True)
class Audit:
    """A ticket event with those of its children that say something here, in their order; all happened at `at`.

    `marks` are what it did to the ticket of `closed_by_merge` and `spam`, tags that it added, and `deleted`.
    """

    audit_id: str
    ticket_id: str
    at: Instant
    children: tuple[Child, ...]
    marks: frozenset[str]


@dataclass(frozen=True)
class User:
    """A user, and what it is in our words."""

    user_id: str
    actor: str


def events(
    objects: Iterable[ExportObject], *, accounts: Mapping[str, str], rejected: list[Rejected]
) -> list[tuple[Rank, TicketEvent]]:
    """The ticket events, each with the place of its row.

    `accounts` maps organizations to accounts, another organization is its account's id.
    """
    ranked = read_rows(objects, frame=frame, parse=lambda row, _: parse(row), rejected=rejected)
    tickets = of_kind(ranked, Ticket, "ticket_id")
    audits = of_kind(ranked, Audit, "audit_id")
    actors = {user.user_id: user.actor for _, user in of_kind(ranked, User, "user_id").values()}

    def actor(user_id: str | None) -> str:
        return actors.get(user_id or "", "customer")

    def unknown(user_id: str | None) -> str | None:
        return None if user_id in actors else user_id

    found: list[tuple[Rank, TicketEvent]] = []
    changes: dict[str, list[Child]] = defaultdict(list)
    marked: dict[str, dict[str, Instant]] = defaultdict(dict)  # by ticket and mark, the last time
    # At one instant ids decide, as numbers: as texts, 100 is before 99 (decision 0010).
    for rank, audit in sorted(audits.values(), key=lambda each: (each[1].at, int(each[1].audit_id))):
        marked[audit.ticket_id] |= dict.fromkeys(audit.marks, audit.at)
        for position, child in enumerate(audit.children, start=1):
            event = child_event(child, audit, position=position, actor=actor(child.actor_id))
            user_id = None if child.is_automatic else unknown(child.actor_id)
            found.append((rank, replace(event, unknown_user_id=user_id)))
            if child.type == "severity_changed":
                changes[audit.ticket_id].append(child)
    for rank, ticket in tickets.values():
        of_ticket = changes[ticket.ticket_id]
        organization_id = ticket.organization_id
        created = TicketEvent(
            ticket_id=ticket.ticket_id,
            event_id="created",
            at=ticket.created_at,
            type="created",
            actor=actor(ticket.submitter_id),
            account_id=None if organization_id is None else accounts.get(organization_id, organization_id),
            # The last priority, walked back through its changes.
            severity=of_ticket[0].previous_severity if of_ticket else ticket.severity,
            unknown_user_id=unknown(ticket.submitter_id),
        )
        found.append((rank, created))
        found += [(rank, event) for event in endings(ticket, marked[ticket.ticket_id])]
    return found


def endings(ticket: Ticket, marked: Mapping[str, Instant]) -> Iterator[TicketEvent]:
    """That a ticket was merged, or marked as spam: once the last of what it takes was there.

    Where no ticket event tells of it, at the latest when the ticket last changed.
    """
    last_change = ticket.created_at if ticket.updated_at is None else ticket.updated_at
    for kind, is_so in (("merged_into", ticket.is_merged), ("marked_spam", ticket.is_spam)):
        if is_so:
            is_told = ENDINGS[kind] <= marked.keys()
            at = max(marked[mark] for mark in ENDINGS[kind]) if is_told else last_change
            yield TicketEvent(ticket_id=ticket.ticket_id, event_id=kind, at=at, type=kind, actor="system")


def child_event(child: Child, audit: Audit, *, position: int, actor: str) -> TicketEvent:
    """A comment or a change as an event of ours, whose id is, byte by byte, the order at its instant.

    What a rule or the system changed, and what nobody is named for, `system` changed: not the customer (R5).
    """
    is_change = child.type in ("severity_changed", "status_changed")
    is_nobodys = child.is_automatic or child.actor_id is None
    return TicketEvent(
        ticket_id=audit.ticket_id,
        event_id=f"{int(audit.audit_id):0>19}-{position:04}",
        at=audit.at,
        type=child.type,
        actor="system" if is_change and is_nobodys else actor,
        severity=child.severity,
        status=child.status,
        is_automatic=child.is_automatic,
    )


def of_kind(ranked: list[tuple[Rank, Any]], kind: type, key: str) -> dict[str, tuple[Rank, Any]]:
    """The records of one kind in force, with the places of their rows."""
    return in_force(
        ((pair[0], pair) for pair in ranked if isinstance(pair[1], kind)), lambda pair: getattr(pair[1], key)
    )


def frame(body: bytes) -> Iterator[Framed]:
    """The tickets, ticket events and users of a document, each under the name of its list."""
    _, lists = json_document(body, tuple(PARSERS))
    listed = [(name, value) for name, values in lists.items() for value in values]
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
    tags = fields.optional_list(row, "tags") or []
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
    is_ai = "ai_agent" in (fields.optional_list(row, "tags") or [])
    role = fields.choice(row, "role", ROLES)
    staff = "ai" if is_ai else "agent"
    return User(user_id=identifier(row, "id"), actor="customer" if role == "end-user" else staff)


def audit(row: Fields) -> Audit:
    """A ticket event."""
    if fields.optional_list(row, "child_events") is None:
        raise Unusable("child_events is missing")
    listed = fields.objects(row, "child_events")
    # Whoever needs it: what cannot be read costs the row.
    updater_id = optional_identifier(row, "updater_id")
    told = [child_of(child, row, updater_id) for child in listed]
    return Audit(
        audit_id=identifier(row, "id"),
        ticket_id=identifier(row, "ticket_id"),
        at=fields.instant(row, "created_at"),
        children=tuple(child for child in told if child is not None),
        marks=frozenset().union(*(marks_of(child) for child in listed)),
    )


def marks_of(child: Fields) -> set[str]:
    """What a change does to the ticket of what an ending takes, in either spelling of changes."""
    if kind_of(child) != "Change":
        return set()
    name, change = changed(child)
    deletes = {"deleted"} if name == "status" and change.get(name) == "deleted" else set()
    added = tags(child.get("added_tags"))
    if child.get("added_tags") is None:
        spelt = "tags" if "field_name" not in child else "value" if child["field_name"] == "tags" else None
        added = tags(child.get(spelt)) - tags(child.get("previous_value"))
    return deletes | added & {"closed_by_merge", "spam"}


def tags(value: Any) -> set[str]:
    """Tags of a list, or of a text with blanks between them; anything else holds none."""
    if isinstance(value, str):
        return set(value.split())
    return {tag for tag in value if isinstance(tag, str)} if isinstance(value, list) else set()


def child_of(child: Fields, row: Fields, updater_id: str | None) -> Child | None:
    """A child event that says something here; what it does not say of itself is its ticket event's."""
    kind = kind_of(child)
    is_automatic = is_automatic_via(child.get("via") or row.get("via"))
    if kind == "Comment":
        is_public = fields.optional_flag(child, "public")
        is_public = fields.flag(child, "comment_public") if is_public is None else is_public
        return Child(
            type="public_reply" if is_public else "internal_note",
            actor_id=optional_identifier(child, "author_id") or updater_id,
            is_automatic=is_automatic,
        )
    if kind != "Change":
        return None
    name, change = changed(child)
    if name == "priority":
        previous = severity(change, "previous_value")
        return Child(
            "severity_changed",
            updater_id,
            is_automatic,
            severity=severity(change, name),
            previous_severity=previous,
        )
    if name == "status" and (status := fields.optional_text(change, name)) in STATUSES:
        return Child("status_changed", updater_id, is_automatic, status=status)
    return None


def kind_of(child: Fields) -> Any:
    """`Comment`, `Change` or another; the export and the audit name it differently."""
    return next((child[name] for name in ("event_type", "type") if child.get(name)), None)


def is_automatic_via(via: Any) -> bool:
    """Whether a rule or the system did it; a channel may stand for itself, in any case, or be a number: 8 is `rule`."""
    match via:
        case {"channel": str(name)} | str(name):
            return name.lower() in {"rule", "system", "8"}
        case {"channel": number} | number:
            return number == 8


def changed(child: Fields) -> tuple[str | None, Fields]:
    """The field that a change is of, with its value under that name, in either of its spellings; None: another one."""
    if "field_name" in child:
        name = child["field_name"]
        known = name if name in ("priority", "status") else None
        return known, {known: child.get("value"), "previous_value": child.get("previous_value")}
    return next((name for name in ("priority", "status") if name in child), None), child


def severity(row: Fields, name: str) -> str | None:
    """A priority as a severity; None where there is none."""
    priority = fields.optional_choice(row, name, SEVERITIES)
    return None if priority is None else SEVERITIES[priority]


def optional_identifier(row: Fields, name: str) -> str | None:
    """The decimal text of a whole number; None if it is absent."""
    value = fields.given(row, name)
    if value is None:
        return None
    if type(value) is not int:
        raise Unusable(f"{name} is no whole number")
    return str(value)


def identifier(row: Fields, name: str) -> str:
    """The decimal text of a whole number that must be there."""
    value = optional_identifier(row, name)
    if value is None:
        raise Unusable(f"{name} is missing")
    return value


PARSERS = {"tickets": ticket, "ticket_events": audit, "users": user}
