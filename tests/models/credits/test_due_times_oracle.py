"""Deadlines and business time against a brute force in Python, written from rules R3 and R4 alone.

The oracle walks local minutes and days with `zoneinfo`; it shares nothing with the models. The seed is printed.
"""

from __future__ import annotations

import functools
import os
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.models.builder import build
from tests.models.builder_credits import Built, Exports

SEED = int(os.environ.get("SLA_TEST_SEED", "20261123"))
MODELS = ("+fct_response_times",)
TARGETS = {"P1": timedelta(hours=2), "P2": timedelta(hours=4), "P3": 1, "P4": 2}
# Clocks that change in the middle of the night, at midnight, by half an hour, or never, around the months below.
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "America/Havana", "America/Santiago", "Africa/Cairo"),
    *("Asia/Beirut", "Atlantic/Azores", "Australia/Lord_Howe", "America/Nuuk", "Asia/Kathmandu", "Pacific/Chatham"),
)
MONTHS = {"2026-03": "2026-05-20T07:31:00Z", "2026-10": "2026-12-10T21:07:09.000001Z"}


@dataclass(frozen=True)
class Calendar:
    """Business days: Monday to Friday in a zone, less its holidays."""

    zone: str
    holidays: frozenset[date]

    def is_business_day(self, day: date) -> bool:
        return day.weekday() < 5 and day not in self.holidays

    def local(self, at: datetime) -> datetime:
        return at.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)


@functools.cache
def first_instant(zone: str, wanted: datetime) -> datetime:
    """The first instant at which the zone's clocks show the wanted local time or, where they skip it, a later one."""
    at = wanted.replace(tzinfo=UTC) - timedelta(hours=15)
    tail = timedelta(seconds=wanted.second, microseconds=wanted.microsecond)
    at -= tail
    for _ in range(31 * 60):
        shown = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        if shown + tail == wanted:
            return at + tail
        if shown >= wanted:
            return at
        at += timedelta(minutes=1)
    raise AssertionError(f"{zone} never shows {wanted}")


def due(calendar: Calendar, counted_from: datetime, target: timedelta | int) -> datetime:
    """Rule R3."""
    if isinstance(target, timedelta):
        return counted_from + target
    local = calendar.local(counted_from)
    day, at = local.date(), local.time()
    if not calendar.is_business_day(day):
        at = time(0)
        while not calendar.is_business_day(day):
            day += timedelta(days=1)
    for _ in range(target):
        day += timedelta(days=1)
        while not calendar.is_business_day(day):
            day += timedelta(days=1)
    return first_instant(calendar.zone, datetime.combine(day, at))


def business_time(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """The part of `[start, end)` on business days."""
    total = timedelta()
    day = calendar.local(start).date()
    while day <= calendar.local(end).date():
        if calendar.is_business_day(day):
            opens = max(start, first_instant(calendar.zone, datetime.combine(day, time(0))))
            closes = min(end, first_instant(calendar.zone, datetime.combine(day + timedelta(days=1), time(0))))
            total += max(closes - opens, timedelta())
        day += timedelta(days=1)
    return total


@dataclass(frozen=True)
class Ticket:
    """A ticket with its severities in order, and its reply."""

    ticket_id: str
    month: str
    terms_id: str
    calendar: Calendar
    created_at: datetime
    severities: tuple[tuple[datetime, str], ...]
    reply_at: datetime | None
    as_of: datetime


def expect(ticket: Ticket) -> dict[str, object]:
    """Rules R3, R4 and R6, one event after the other."""
    severity = ticket.severities[0][1]
    deadline = due(ticket.calendar, ticket.created_at, TARGETS[severity])
    for at, given in ticket.severities[1:]:
        if at > deadline or (ticket.reply_at is not None and at > ticket.reply_at):
            break
        if given < severity:
            deadline = min(deadline, due(ticket.calendar, at, TARGETS[given]))
        elif given > severity:
            deadline = max(deadline, due(ticket.calendar, ticket.created_at, TARGETS[given]))
        severity = given
    end = ticket.reply_at or ticket.as_of
    if ticket.reply_at is not None:
        outcome = "met" if ticket.reply_at <= deadline else "breached"
    else:
        outcome = "breached" if ticket.as_of > deadline else "pending"
    return {
        "severity": severity,
        "due_at": deadline,
        "outcome": outcome,
        "elapsed": end - ticket.created_at,
        "business": business_time(ticket.calendar, ticket.created_at, end),
    }


def some_tickets(choose: random.Random) -> list[Ticket]:
    """Tickets around changes of clocks, weekends and holidays, to the microsecond and to the minute."""
    tickets = []
    for zone in ZONES:
        holidays = {date(2026, month, 1) + timedelta(days=choose.randrange(60)) for month in (3, 10) for _ in range(8)}
        calendar = Calendar(zone, frozenset(holidays))
        for month, as_of_text in MONTHS.items():
            as_of = datetime.fromisoformat(as_of_text)
            first = datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
            for number in range(25):
                created = first + timedelta(minutes=choose.randrange(31 * 24 * 60))
                if choose.random() < 0.5:
                    created += timedelta(microseconds=choose.randrange(60_000_000))
                created = min(created, first + timedelta(days=31, microseconds=-1))
                at, severities = created, [(created, choose.choice("1234"))]
                for _ in range(choose.choice((0, 0, 1, 2, 3))):
                    at += timedelta(minutes=choose.randrange(1, 2000))
                    severities.append((at, choose.choice("1234")))
                answers = (None, *(timedelta(minutes=choose.choice((90, 120, 600, 1440, 4320))) for _ in range(3)))
                reply = choose.choice(answers)
                tickets.append(
                    Ticket(
                        ticket_id=f"{zone} {month} {number}",
                        month=month,
                        terms_id="in-" + zone.replace("/", "-").replace("_", "-").lower(),
                        calendar=calendar,
                        created_at=created,
                        severities=tuple((when, f"P{level}") for when, level in severities),
                        reply_at=reply and created + reply,
                        as_of=as_of,
                    )
                )
    return tickets


@pytest.fixture(scope="module")
def tickets() -> list[Ticket]:
    print(f"SLA_TEST_SEED={SEED}")
    return some_tickets(random.Random(SEED))


@pytest.fixture(scope="module")
def built(fresh_settings, tickets: list[Ticket]) -> Built:
    exports = Exports()
    for terms_id, calendar in {ticket.terms_id: ticket.calendar for ticket in tickets}.items():
        holidays = sorted(day.isoformat() for day in calendar.holidays)
        exports.terms(terms_id, response_times={"calendar": {"time_zone": calendar.zone, "holidays": holidays}})
        exports.customer(terms_id, terms_id=terms_id)
    for ticket in tickets:
        exports.ticket(
            ticket.ticket_id,
            f"A-{ticket.terms_id}",
            ticket.created_at,
            ticket.severities[0][1],
            reply=ticket.reply_at,
        )
        for at, severity in ticket.severities[1:]:
            exports.event(ticket.ticket_id, "severity_changed", at, "agent", severity=severity)
    exports.load(fresh_settings)
    for month, as_of in MONTHS.items():
        build(fresh_settings, month=month, as_of=as_of, select=MODELS)
    return Built(fresh_settings)


def test_no_ticket_differs_from_the_brute_force(built: Built, tickets: list[Ticket]) -> None:
    rows = built.by("fct_response_times", "ticket_id")
    assert len(rows) == len(tickets) == len(ZONES) * len(MONTHS) * 25
    differences = []
    for ticket in tickets:
        row, expected = rows[ticket.ticket_id], expect(ticket)
        found = {
            "severity": row["severity"],
            "due_at": row["due_at"],
            "outcome": row["outcome"],
            "elapsed": timedelta(microseconds=int(row["elapsed_seconds"] * 1_000_000)),
            "business": timedelta(microseconds=int(row["business_seconds"] * 1_000_000)),
        }
        if found != expected:
            differences.append((ticket, found, expected))
    assert not differences, f"seed {SEED}: {len(differences)} of {len(tickets)} differ, the first: {differences[0]}"


def test_the_brute_force_meets_every_outcome(tickets: list[Ticket]) -> None:
    outcomes = {str(expect(ticket)["outcome"]) for ticket in tickets}
    assert {"met", "breached"} <= outcomes


@pytest.mark.parametrize(
    ("zone", "wanted", "first"),
    [
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00Z"),  # skipped: 03:00 CEST
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30Z"),  # twice: the first, CEST
        ("America/Havana", "2026-03-08T00:00", "2026-03-08T05:00Z"),  # no midnight: 01:00 CDT
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30Z"),  # half an hour skipped: 02:30
    ],
)
def test_the_brute_force_knows_odd_local_times(zone: str, wanted: str, first: str) -> None:
    assert first_instant(zone, datetime.fromisoformat(wanted)) == datetime.fromisoformat(first)


def test_no_local_day_starts_at_another_instant(built: Built) -> None:
    days = built.rows(
        "select time_zone, local_day, started_at, changed_at from intermediate.int_local_days"
        " where local_day < '2027-01-01'"
    )
    assert {day["time_zone"] for day in days} == set(ZONES)
    different = [
        day
        for day in days
        if day["started_at"] != first_instant(day["time_zone"], datetime.combine(day["local_day"], time(0)))
    ]
    assert not different
    assert sum(day["changed_at"] is not None for day in days) >= 5
