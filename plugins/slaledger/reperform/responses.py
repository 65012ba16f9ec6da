"""Response times: a row for each ticket of a service month (section R).

What the events of one instant do to a ticket, they do in this order: changes of severity, then a reply or a solution;
several changes in the order of their ids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from slaledger.reperform import calendars, terms
from slaledger.reperform.instants import has_happened, month_bounds, service_month_of
from slaledger.reperform.records import DAY, Contract, Exports, Instant, TermsVersion, TicketEvent


@dataclass
class Ticket:
    """A ticket as its events up to the as-of time tell it."""

    ticket_id: str
    created: TicketEvent
    is_spam: bool = False
    is_merged: bool = False
    severities: list[tuple[Instant, str]] = field(default_factory=list)
    replies: list[tuple[Instant, str]] = field(default_factory=list)  # (at, actor), only those that may count
    solved_at: list[Instant] = field(default_factory=list)  # by the customer

    @property
    def is_customers(self) -> bool:
        """Whether a customer opened it (R1)."""
        return self.created.actor == "customer"


@dataclass(frozen=True)
class Clock:
    """How the clock of a ticket went under one contract."""

    due_at: Instant | None
    severity: str | None
    is_solved: bool


def response_times(exports: Exports, *, service_month: str, as_of: Instant) -> list[dict[str, Any]]:
    """Rows of `fct_response_times` of a service month (`YYYY-MM`), by ticket id; durations in microseconds."""
    # What both feeds tell under one id and instant is one event: the first, that of `tickets/events/` (decision 0011).
    told = {(event.at, event.event_id, event.ticket_id): event for event in reversed(exports.ticket_events)}
    events = [event for key, event in sorted(told.items()) if has_happened(event.at, as_of=as_of)]
    merges = _merges(events)
    tickets = _tickets(events, merges)
    merged = _merged_into(exports, tickets, merges)
    contracts = defaultdict(list)
    for contract in exports.contracts.values():
        contracts[contract.account_id].append(contract)
    # No zone is further than a day from UTC: tickets well outside the month need no closer look.
    starts, ends = month_bounds(service_month, "UTC")
    rows = []
    for ticket in tickets.values():
        if _is_sandbox(exports, ticket):
            continue
        inherited = merged[ticket.ticket_id]
        if starts - 2 * DAY <= _created_at([ticket, *inherited]) < ends + 2 * DAY:
            account_id = _account_id(ticket, inherited)
            row = _row(exports, ticket, inherited, account_id, contracts[account_id], as_of=as_of)
            if row["service_month"] == service_month:
                rows.append(row)
    return sorted(rows, key=lambda row: row["ticket_id"])


def _merges(events: list[TicketEvent]) -> dict[str, str | None]:
    """What each merged ticket was merged into, None if the export does not name it; the last merge stands.

    A ticket whose creation is not known is no ticket, but merges run through it. Of merges in a circle the last one is
    void: somebody has to survive (decision 0011).
    """
    last = {event.ticket_id: event for event in events if event.type == "merged_into"}  # in their order
    merges = {ticket_id: event.target_ticket_id for ticket_id, event in last.items()}
    void = set()
    for ticket_id, target in merges.items():
        circle = {ticket_id}
        while target in merges and target not in circle:
            circle.add(target)
            target = merges[target]
        if target == ticket_id:
            void.add(max(circle, key=lambda each: (last[each].at, last[each].event_id, each)))
    return {ticket_id: target for ticket_id, target in merges.items() if ticket_id not in void}


def _tickets(events: list[TicketEvent], merges: dict[str, str | None]) -> dict[str, Ticket]:
    """The tickets that exist at the as-of time; of several creations of one the earliest is its own."""
    tickets: dict[str, Ticket] = {}
    for event in events:
        if event.type == "created" and event.ticket_id not in tickets:
            tickets[event.ticket_id] = Ticket(event.ticket_id, event, is_merged=event.ticket_id in merges)
    for event in events:
        ticket = tickets.get(event.ticket_id)
        if ticket is None:
            continue
        if event.type == "marked_spam":
            ticket.is_spam = True
        elif event.at < ticket.created.at:
            continue  # R1: dated before the creation, it is ignored
        elif event.type == "severity_changed" and event.severity:
            ticket.severities.append((event.at, event.severity))
        elif event.type == "public_reply" and event.actor in ("agent", "ai") and not event.is_automatic:
            ticket.replies.append((event.at, event.actor))
        elif event.type == "status_changed" and event.actor == "customer" and event.status in ("solved", "closed"):
            ticket.solved_at.append(event.at)
    return tickets


def _merged_into(
    exports: Exports, tickets: dict[str, Ticket], merges: dict[str, str | None]
) -> dict[str, list[Ticket]]:
    """By survivor, the customers' tickets that were merged into it, in chains too (R5). Sandboxes have none (P5).

    A ticket that is merged itself survives nothing, and inherits nothing.
    """
    inherited = defaultdict(list)
    for ticket in tickets.values():
        if not ticket.is_merged or not ticket.is_customers or _is_sandbox(exports, ticket):
            continue
        target = merges[ticket.ticket_id]
        while target in merges:
            target = merges[target]
        if target in tickets:
            inherited[target].append(ticket)
    return inherited


def _is_sandbox(exports: Exports, ticket: Ticket) -> bool:
    account = exports.accounts.get(ticket.created.account_id or "")
    return account is not None and account.is_sandbox


def _created_at(sources: list[Ticket]) -> Instant:
    return min(source.created.at for source in sources)


def _account_id(ticket: Ticket, inherited: list[Ticket]) -> str | None:
    """The ticket's account; of one that names none, that of the earliest ticket merged into it that does."""
    if ticket.created.account_id is not None:
        return ticket.created.account_id
    named = [source for source in inherited if source.created.account_id is not None]
    earliest = min(named, key=lambda source: (source.created.at, source.ticket_id), default=None)
    return earliest.created.account_id if earliest else None


def _row(
    exports: Exports,
    ticket: Ticket,
    inherited: list[Ticket],
    account_id: str | None,
    contracts: Iterable[Contract],
    *,
    as_of: Instant,
) -> dict[str, Any]:
    created_at = _created_at([ticket, *inherited])
    heard = [ticket, *(source for source in inherited if not source.is_spam)]
    human = min((at for source in heard for at, actor in source.replies if actor == "agent"), default=None)
    ai = min((at for source in heard for at, actor in source.replies if actor == "ai"), default=None)

    def counted_reply(version: TermsVersion | None) -> Instant | None:
        counts = [human, ai] if version is not None and version.counted_reply == "any" else [human]
        return min((at for at in counts if at is not None), default=None)

    contract = _contract(exports, ticket, contracts, created_at=created_at)
    version = terms.in_force(exports, contract.terms_id, created_at) if contract else None
    replied_at = counted_reply(version)
    clock = _clock(ticket, version, created_at=created_at, replied_at=replied_at, as_of=as_of)
    reason = _reason(ticket, contract, version, clock)
    ends = as_of if replied_at is None else replied_at
    if reason is not None:
        outcome = "not_measured"
    elif ends > clock.due_at:
        outcome = "breached"
    else:
        outcome = "pending" if replied_at is None else "met"
    is_measured = reason is None
    return {
        "ticket_id": ticket.ticket_id,
        "account_id": account_id,
        "contract_id": contract.contract_id if contract else None,
        "service_month": service_month_of(created_at, _zone(exports, contract)),
        # R6: what is not measured has no clock that stops, and no deadline that passes.
        "severity": clock.severity if is_measured or not ticket.severities else ticket.severities[-1][1],
        "created_at": created_at,
        "first_human_reply_at": human,
        "first_ai_reply_at": ai,
        "due_at": clock.due_at if is_measured else None,
        "elapsed_seconds": ends - created_at if is_measured else None,
        "business_seconds": calendars.business_time(
            created_at, ends, zone=version.calendar_time_zone, listed=version.holidays
        )
        if is_measured
        else None,
        "outcome": outcome,
        "reason": reason,
        "guaranteed": version is not None and version.guaranteed and contract.active_agreement,
    }


def _zone(exports: Exports, contract: Contract | None) -> str:
    """The zone of the contract's terms, which all versions of an id share (T4); UTC without either (R8)."""
    versions = exports.terms.get(contract.terms_id) if contract else None
    return versions[0].time_zone if versions else "UTC"


def _contract(
    exports: Exports, ticket: Ticket, contracts: Iterable[Contract], *, created_at: Instant
) -> Contract | None:
    """Of the account's contracts active at the creation the one with the earliest deadline then, then the lower id."""

    def order(contract: Contract) -> tuple[bool, Instant, str]:
        version = terms.in_force(exports, contract.terms_id, created_at)
        severity = _first_severity(ticket)
        deadline = _target(version, severity, created_at) if version and severity else None
        return deadline is None, deadline or 0, contract.contract_id

    return min((each for each in contracts if _is_active(each, created_at)), key=order, default=None)


def _is_active(contract: Contract, at: Instant) -> bool:
    if not (contract.starts_at <= at and (contract.ends_at is None or at < contract.ends_at)):
        return False
    return not any(starts <= at < ends for starts, ends in contract.suspensions)


def _first_severity(ticket: Ticket) -> str | None:
    """The severity at the creation; one first given later counts from the creation (R4)."""
    return ticket.created.severity or next((severity for _, severity in ticket.severities), None)


def _target(version: TermsVersion, severity: str, start: Instant) -> Instant | None:
    """When the target of the severity, begun at `start`, is due; None if the terms have none (R2, R3)."""
    target = version.targets.get(severity)
    if target is None:
        return None
    if target.elapsed is not None:
        return start + target.elapsed
    return calendars.due(start, target.business_days, zone=version.calendar_time_zone, listed=version.holidays)


def _clock(
    ticket: Ticket,
    version: TermsVersion | None,
    *,
    created_at: Instant,
    replied_at: Instant | None,
    as_of: Instant,
) -> Clock:
    """Step through the changes of severity until the clock stops or the deadline passes (R4, R6)."""
    severity = _first_severity(ticket)
    due_at = _target(version, severity, created_at) if version and severity else None
    is_solved = False
    steps = [(at, 0, new) for at, new in ticket.severities] + [(at, 1, "") for at in ticket.solved_at]
    for at, is_solution, new in sorted(steps, key=lambda step: step[:2]):
        has_stopped = replied_at is not None and replied_at < at + is_solution  # a solution at the reply is too late
        has_passed = due_at is not None and due_at < at + is_solution  # one at the deadline, too
        if has_stopped or has_passed:
            break
        if is_solution:
            is_solved = True
        else:
            due_at = _changed(version, severity, new, due_at=due_at, at=at, created_at=created_at)
            severity = new
    return Clock(due_at, severity, is_solved)


def _changed(
    version: TermsVersion | None,
    old: str,
    new: str,
    *,
    due_at: Instant | None,
    at: Instant,
    created_at: Instant,
) -> Instant | None:
    """The deadline after a change of severity (R4); a severity without a target never sets one."""
    if version is None or new == old:
        return due_at
    is_raised = new < old  # P1 is above P2
    deadline = _target(version, new, at if is_raised else created_at)
    if due_at is None or deadline is None:
        return deadline if due_at is None else due_at
    return min(due_at, deadline) if is_raised else max(due_at, deadline)


def _reason(ticket: Ticket, contract: Contract | None, version: TermsVersion | None, clock: Clock) -> str | None:
    """Why the ticket is not measured, the first that applies (R5); None if it is."""
    if not ticket.is_customers:
        return "opened_by_company"
    if ticket.is_spam:
        return "spam"
    if clock.severity is None:
        return "no_severity"
    if contract is None:
        return "no_active_contract"
    if version is None:
        return "no_terms"
    if clock.due_at is None:
        return "no_target"
    if clock.is_solved:
        return "solved_by_customer"
    return "merged" if ticket.is_merged else None
