"""A world: the exports of one service month as of one instant, made up from a seed so that things collide.

Instants are whole microseconds since 1970 UTC. `rows` are what the objects will say, feed by feed; a *scene* is a
region of its own with one account or a few that see it, and `moments`, the instants that everything there likes to
happen at, a microsecond before or after.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MONTHS = ("2026-03", "2026-04", "2026-10", "2026-11", "2028-02")
# Clocks that change in the night, at midnight, by half an hour, or never.
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana"),
    *("America/Santiago", "Africa/Cairo", "Asia/Beirut", "Atlantic/Azores", "America/Nuuk", "Pacific/Chatham"),
)
CORE = ("dashboard", "call_routing", "messaging_engine")
# `search` is core under some custom terms alone, and runs in the region `global`, too.
SERVICES = (*CORE, "search")

Row = dict[str, Any]
Span = tuple[int, int]


def micros(at: datetime) -> int:
    """A datetime with an offset as an instant."""
    return (at - EPOCH) // timedelta(microseconds=1)


def local(zone: str, year: int, month: int, day: int, *, clock: timedelta = timedelta()) -> int:
    """A local time of a zone as an instant."""
    naive = datetime(year, month, day) + clock
    return micros(naive.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))


def following(month: str, count: int = 1) -> str:
    """The service month so many months later."""
    number = int(month[:4]) * 12 + int(month[5:]) - 1 + count
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


@cache
def month_bounds(month: str, zone: str) -> Span:
    """The service month in a zone (rule P1)."""
    after = following(month)
    return local(zone, int(month[:4]), int(month[5:]), 1), local(zone, int(after[:4]), int(after[5:]), 1)


@dataclass
class World:
    """Rows by feed, and what they are made from."""

    seed: int
    month: str
    as_of: int
    rng: random.Random
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    page_documents: list[Row] = field(default_factory=list)
    zendesk: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))  # by list, and of earlier pages
    zendesk_documents: list[Row] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)
    organizations: list[int] = field(default_factory=list)  # that Zendesk knows: accounts, or named by some
    companies: dict[str, str] = field(default_factory=dict)

    def chance(self, percent: float) -> bool:
        return self.rng.random() * 100 < percent

    def one(self, *values: Any) -> Any:
        return self.rng.choice(values)

    def some(self, values: tuple[str, ...] | list[str], *, least: int = 1) -> list[str]:
        return self.rng.sample(list(values), self.rng.randint(min(least, len(values)), len(values)))

    def add(self, feed: str, **row: Any) -> Row:
        """A row of a feed; None are the fields that are absent."""
        self.rows[feed].append({name: value for name, value in row.items() if value is not None})
        return self.rows[feed][-1]

    def text(self, at: int | None) -> str | None:
        """An instant as some writer of ISO 8601 would spell it, always with an offset."""
        if at is None:
            return None
        moment = EPOCH + timedelta(microseconds=at)
        style = self.rng.random()
        if style < 0.7:
            return moment.isoformat().replace("+00:00", "Z")
        if style < 0.8:
            return moment.isoformat(timespec="microseconds")
        offset = timedelta(minutes=self.rng.choice((-570, -300, 60, 120, 330, 660)))
        return moment.astimezone(timezone(offset)).isoformat()


@dataclass
class Scene:
    """A region and the accounts that see it; `start` and `end` are its month in the zone of its terms."""

    world: World
    number: int
    zone: str
    start: int
    end: int
    moments: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)  # durations that decide something: minimum outages, notices
    account_ids: list[str] = field(default_factory=list)
    components: list[tuple[str, str]] = field(default_factory=list)  # (component, service)
    incident_ids: list[str] = field(default_factory=list)
    outages: list[Span] = field(default_factory=list)  # when something may be down
    measured: list[Span] = field(default_factory=list)  # of its first contract (P2)
    is_exact: bool = False  # its outages are laid out to the microsecond: nothing else may disturb them
    calm: list[Row] = field(default_factory=list)  # incidents that every document tells alike
    wild: list[Row] = field(default_factory=list)  # those that documents may correct, withdraw or resolve
    summaries: Span = (0, 0)  # when summaries of its page speak (S5)
    silent: list[tuple[Row, tuple[int, ...]]] = field(default_factory=list)  # incidents, and which of them list these
    maintenances: list[Row] = field(default_factory=list)

    @property
    def region(self) -> str:
        return f"r{self.number:05d}"

    def pick(self) -> int:
        """An instant: at, just before or just after another that matters here, else anywhere near the month."""
        rng = self.world.rng
        roll = rng.random()
        if roll < 0.45 and self.moments:
            at = rng.choice(self.moments) + rng.choice((0, 0, 0, -1, 1, -MINUTE, MINUTE, *self.lengths))
        elif roll < 0.6:
            at = rng.choice((self.start, self.end, self.end, min(self.world.as_of, self.end))) + rng.choice(
                (0, 0, -1, 1)
            )
        else:
            at = rng.randrange(self.start - DAY, self.end + DAY)
            if rng.random() < 0.7:
                at -= at % rng.choice((SECOND, MINUTE, HOUR))
        self.moments.append(at)
        return at

    def span(self, *longest: int) -> Span:
        """A span, of a length that decides something, or of at most one of the lengths."""
        rng = self.world.rng
        start = self.pick()
        if rng.random() < 0.4 and len(self.moments) > 1:
            other = self.pick()
            if start != other:
                return min(start, other), max(start, other)
        if rng.random() < 0.4 and self.lengths:
            length = rng.choice(self.lengths) + rng.choice((0, 0, -1, 1))
        else:
            length = rng.randrange(1, rng.choice(longest or (HOUR, DAY)))
        end = start + max(length, 1)
        self.moments.append(end)
        return start, end

    def around_outage(self) -> Span:
        """A span about an outage: just it, a microsecond more or less, or half of it; anywhere if there is none."""
        if not self.outages or self.world.chance(15):
            return self.span(HOUR, DAY)
        start, end = self.world.rng.choice(self.outages)
        middle = (start + end) // 2
        first = self.world.one(start, start, start - 1, start + 1, middle, start - HOUR)
        last = self.world.one(end, end, end + 1, end - 1, middle, end + HOUR)
        return (first, last) if first < last else (start, end)
