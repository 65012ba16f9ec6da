"""What is reported of tickets: rules R1 and R5, and what a ticket names that nobody knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from slaledger.reperform import instants
from slaledger.reperform.findings.month import Finding, Month, Object, instant_text
from slaledger.reperform.instants import has_happened
from slaledger.reperform.records import DAY, TicketEvent

TICKETS = "tickets/"


def findings(month: Month, rows: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """All of them, of the tickets of the month; `rows` are their response times."""
    events: dict[str, list[TicketEvent]] = defaultdict(list)
    for event in sorted(month.exports.ticket_events, key=lambda event: (event.at, event.event_id)):
        if has_happened(event.at, as_of=month.as_of):
            events[event.ticket_id].append(event)
    merges = {
        ticket_id: [event for event in own if event.type == "merged_into"][-1]
        for ticket_id, own in events.items()
        if any(event.type == "merged_into" for event in own)
    }
    for row in rows:
        yield from _of_row(month, row)
        yield from _early_replies(month, events[row["ticket_id"]])
        yield from _merged(month, row["ticket_id"], merges, events)
    yield from _unborn(month, events)
    yield from _unknown_users(month, rows, events)
    yield from _shared_organizations(month)


def _source(month: Month, event: TicketEvent) -> Object | None:
    return month.object_of(TICKETS, (event.ticket_id, event.event_id))


def _of_row(month: Month, row: dict[str, Any]) -> Iterator[Finding]:
    ticket_id, account_id = row["ticket_id"], row["account_id"]
    if row["reason"] == "no_severity":
        yield Finding("ticket_without_severity", ticket_id, None, "It was never given a severity: it has no target.")
    if account_id is None:
        yield Finding("ticket_account_unknown", ticket_id, None, "It names no account.")
    elif account_id not in month.exports.accounts:
        told = f"Account {account_id} is not among the accounts exported."
        yield Finding("ticket_account_unknown", ticket_id, None, told)
    if row["reason"] in ("no_terms", "no_target"):
        told = "Its contract had no terms in force, or none with a target for its severity, when it was created."
        yield Finding("ticket_without_terms", ticket_id, None, told)


def _early_replies(month: Month, events: list[TicketEvent]) -> Iterator[Finding]:
    """R1: replies dated before the ticket's own creation, whoever's they are of ours."""
    created_at = next(event.at for event in events if event.type == "created")
    for event in events:
        if event.type == "public_reply" and event.actor in ("agent", "ai") and event.at < created_at:
            told = f"A public reply at {instant_text(event.at)} is dated before the ticket's creation, and ignored."
            yield Finding("reply_before_creation", event.ticket_id, _source(month, event), told)


def _merged(
    month: Month, ticket_id: str, merges: dict[str, TicketEvent], events: dict[str, list[TicketEvent]]
) -> Iterator[Finding]:
    """R5: the last merge of a ticket, followed as far as it goes."""
    if ticket_id not in merges:
        return
    trail = [ticket_id]
    while (target := merges[trail[-1]].target_ticket_id) in merges and target not in trail:
        trail.append(target)
    source, survivor = _source(month, merges[ticket_id]), target
    if target in trail:
        circle = trail[trail.index(target) :]
        survivor = max(circle, key=lambda each: (merges[each].at, merges[each].event_id, each))
    if survivor == ticket_id:
        told = "Merges lead back to it: the last of them is ignored, and it survives."
        yield Finding("merge_in_a_circle", ticket_id, source, told)
    elif survivor is not None and not any(event.type == "created" for event in events.get(survivor, [])):
        told = f"It was merged into ticket {survivor}, of which no creation is known."
        yield Finding("merge_survivor_unknown", ticket_id, source, told)


def _unborn(month: Month, events: dict[str, list[TicketEvent]]) -> Iterator[Finding]:
    """Tickets that nothing says the creation of, first heard of in the month, give or take a day for its zone."""
    starts, ends = instants.month_bounds(month.service_month, "UTC")
    for ticket_id, own in events.items():
        is_near = bool(own) and starts - DAY <= own[0].at < ends + DAY
        if is_near and not any(event.type == "created" for event in own):
            told = "No event says when it was created: it is not in the response times."
            yield Finding("ticket_without_creation", ticket_id, _source(month, own[0]), told)


def _unknown_users(
    month: Month, rows: Sequence[dict[str, Any]], events: dict[str, list[TicketEvent]]
) -> Iterator[Finding]:
    """Zendesk's users that no export has: what they did on tickets of the month is taken for the customer's."""
    tickets: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for event in events[row["ticket_id"]]:
            if event.unknown_user_id is not None:
                tickets[event.unknown_user_id].add(event.ticket_id)
    for user_id, named in tickets.items():
        told = (
            f"No users export of Zendesk has this user, who is taken for a customer on {len(named)} tickets,"
            f" the first is {min(named)}."
        )
        yield Finding("ticket_user_unknown", user_id, None, told)


def _shared_organizations(month: Month) -> Iterator[Finding]:
    for organization_id, account_ids in month.exports.organizations.items():
        if len(account_ids) > 1:
            told = (
                "Several accounts name this organization of Zendesk: its tickets are taken for those of account"
                f" {min(account_ids)}."
            )
            yield Finding("organization_of_several_accounts", organization_id, None, told)
