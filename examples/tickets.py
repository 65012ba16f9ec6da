"""The sample's 400 tickets: so many of each kind, each made so that its outcome is known beforehand.

"In time" is within two hours, which meets every target there is; "late" is past the target by hours where the
target is hours (P1, and Enterprise P2), and ten days after creation where it is business days.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

FIRST_CREATION = datetime(2026, 3, 1, 6, tzinfo=UTC)
LAST_CREATION = datetime(2026, 3, 31, 20, tzinfo=UTC)

MERGED = "merged into an earlier one"

# How many tickets of each kind, and what becomes of them; with HAND_WRITTEN they are 400.
KINDS = {
    "answered in time": (300, "met"),
    "acknowledged by a robot, noted, answered in time": (15, "met"),
    "answered late": (40, "breached"),
    "never answered": (15, "breached"),
    "answered by the AI at once, by a human late": (10, "breached"),
    "spam": (5, "not_measured"),
    "without severity": (3, "not_measured"),
    "opened by the company": (3, "not_measured"),
    MERGED: (3, "not_measured"),
    "solved by the customer before any reply": (3, "not_measured"),
}

# Aurora Bank Europe's terms credit late P1 answers: (created, first human reply) and the outcome.
HAND_WRITTEN_ACCOUNT = "acc-58"
HAND_WRITTEN = (
    ("2026-03-10T09:10:00Z", "2026-03-10T11:30:00Z", "breached"),
    ("2026-03-15T04:20:00Z", "2026-03-15T06:20:01Z", "breached"),
    ("2026-03-21T01:05:00Z", "2026-03-21T03:05:00Z", "met"),
)


class Ticket(NamedTuple):
    """A ticket to be made; `plan` decides how late is late."""

    kind: str
    account_id: str
    plan: str
    severity: str
    created_at: datetime


def make_tickets(contracts: list[dict], *, seed: int) -> list[dict]:
    """The events of all tickets, in the order they happened in (contracts.md, `tickets/events/`)."""
    random = Random(seed)
    # Contracts that hold all month, so that every ticket has its contract; acc-60 is the sandbox.
    steady = [
        contract
        for contract in contracts
        if contract["starts_at"] < "2026-02"
        and not contract.keys() & {"ends_at", "suspensions"}
        and contract["account_id"] not in ("acc-57", HAND_WRITTEN_ACCOUNT, "acc-60")
    ]
    seconds = int((LAST_CREATION - FIRST_CREATION).total_seconds())
    tickets = [
        Ticket(
            kind,
            contract["account_id"],
            contract["plan"],
            random.choices(("P1", "P2", "P3", "P4"), weights=(1, 3, 4, 2))[0],
            FIRST_CREATION + timedelta(seconds=random.randrange(seconds)),
        )
        for kind, (n, _) in KINDS.items()
        for contract in random.choices(steady, k=n)
    ]
    # A merged ticket is a second one about the first tickets' matter, so that the survivor is the earlier.
    merged = [index for index, ticket in enumerate(tickets) if ticket.kind == MERGED]
    for survivor, index in enumerate(merged):
        opened_at = tickets[survivor].created_at + timedelta(minutes=5)
        tickets[index] = tickets[survivor]._replace(kind=MERGED, created_at=opened_at)
    events = []
    for index, ticket in enumerate(tickets):
        steps = _steps(ticket, random)
        if ticket.kind == MERGED:
            steps.append((60, "merged_into", "agent", {"target_ticket_id": _ticket_id(merged.index(index))}))
        for number, (after, type_, actor, extra) in enumerate(steps, 1):
            at = ticket.created_at + timedelta(seconds=after)
            events.append(_event(_ticket_id(index), number, at, type=type_, actor=actor, **extra))
    for index, (created, replied, _) in enumerate(HAND_WRITTEN, len(tickets)):
        opening = {"account_id": HAND_WRITTEN_ACCOUNT, "severity": "P1"}
        ticket_id = _ticket_id(index)
        created_at, replied_at = (datetime.fromisoformat(at) for at in (created, replied))
        events.append(_event(ticket_id, 1, created_at, type="created", actor="customer", **opening))
        events.append(_event(ticket_id, 2, replied_at, type="public_reply", actor="agent"))
    return sorted(events, key=lambda event: (event["at"], event["ticket_id"], event["event_id"]))


def _steps(ticket: Ticket, random: Random) -> list[tuple[int, str, str, dict]]:
    opening: dict = {"account_id": ticket.account_id, "severity": ticket.severity}
    opener = "customer"
    in_time = random.randrange(20 * 60, 110 * 60)
    has_hours = ticket.severity == "P1" or (ticket.severity == "P2" and ticket.plan == "enterprise")
    late = random.randrange(300 * 60, 400 * 60) if has_hours else 10 * 86400
    reply: list[tuple[int, str, str, dict]] = []
    match ticket.kind:
        case "answered in time":
            reply = [
                (in_time, "public_reply", "agent", {}),
                (late, "status_changed", "agent", {"status": "solved"}),
            ]
        case "acknowledged by a robot, noted, answered in time":
            reply = [
                (2, "public_reply", "agent", {"automatic": True}),
                (600, "internal_note", "agent", {}),
                (in_time, "public_reply", "agent", {}),
            ]
        case "answered late":
            reply = [(late, "public_reply", "agent", {})]
        case "answered by the AI at once, by a human late":
            reply = [(5, "public_reply", "ai", {}), (late, "public_reply", "agent", {})]
        case "spam":
            reply = [(900, "marked_spam", "agent", {})]
        case "without severity":
            del opening["severity"]
            reply = [(in_time, "public_reply", "agent", {})]
        case "opened by the company":
            opener = "agent"
        case "solved by the customer before any reply":
            reply = [(1800, "status_changed", "customer", {"status": "solved"})]
    return [(0, "created", opener, opening), *reply]


def _ticket_id(index: int) -> str:
    return f"tck-{index + 1:03d}"


def _event(ticket_id: str, number: int, at: datetime, **fields: object) -> dict:
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"ticket_id": ticket_id, "event_id": f"{ticket_id}-{number}", "at": stamp, **fields}
