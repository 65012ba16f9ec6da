"""Instants as whole microseconds since 1970-01-01T00:00Z, and the local calendar that they fall into."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from slaledger.reperform.records import DAY, SECOND, Instant, Span

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:[.,](\d{1,6}))?)?"
    r"(?:Z|([+-])([01]\d|2[0-3])(?::?([0-5]\d))?)",
    re.ASCII,
)
# What a calendar can say: the years 1 to 9999, in UTC.
FIRST = (date.min - EPOCH.date()).days * DAY
END = ((date.max - EPOCH.date()).days + 1) * DAY


@lru_cache(maxsize=4096)
def day_number(text: str) -> int:
    """Days from 1970-01-01 to the date `YYYY-MM-DD`; ValueError if there is no such date."""
    return (date.fromisoformat(text) - EPOCH.date()).days


@lru_cache(maxsize=1 << 16)
def parse(text: str) -> Instant:
    """The instant that an ISO 8601 text with an offset names, to the microsecond.

    Calendar date and time of day in the extended format, seconds optional; ValueError for anything else: no offset,
    `24:00`, `:60`, a seventh fractional digit, a date that does not exist, a year below 1 or above 9999 in UTC.
    """
    found = INSTANT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no ISO 8601 instant with an offset and at most 6 fractional digits")
    day, hour, minute, second, fraction, sign, offset_hour, offset_minute = found.groups()
    seconds = int(hour) * 3600 + int(minute) * 60 + int(second or 0)
    if sign:
        offset = int(offset_hour) * 3600 + int(offset_minute or 0) * 60
        seconds -= offset if sign == "+" else -offset
    instant = day_number(day) * DAY + seconds * SECOND + int((fraction or "0").ljust(6, "0"))
    if not FIRST <= instant < END:
        raise ValueError(f"{text!r} is before the year 1 or after the year 9999 in UTC")
    return instant


def has_happened(at: Instant, *, as_of: Instant) -> bool:
    """Whether what happened at an instant is part of the figures as of another: what was at that instant is."""
    return at <= as_of


def from_datetime(moment: datetime) -> Instant:
    """The instant of an aware datetime."""
    return (moment - EPOCH) // MICROSECOND


def to_datetime(instant: Instant) -> datetime:
    """The instant as an aware datetime in UTC."""
    return EPOCH + timedelta(microseconds=instant)


# The time zones are those of the pinned `tzdata` package: `ZoneInfo(name)` prefers whatever the machine has, and two
# machines would reckon two months. It is read here, as `reset_tzpath` would change the zones of the whole process.
TZDATA = resources.files("tzdata")


@cache
def zone_names() -> frozenset[str]:
    """The names of the time-zone database."""
    return frozenset(TZDATA.joinpath("zones").read_text().split())


@cache
def zone_info(zone: str) -> ZoneInfo:
    """The zone of a name of the time-zone database."""
    with TZDATA.joinpath("zoneinfo", *zone.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=zone)


def to_local(instant: Instant, zone: str) -> datetime:
    """What the clocks of the zone show at the instant: a naive datetime."""
    return to_datetime(instant).astimezone(zone_info(zone)).replace(tzinfo=None, fold=0)


def from_local(shown: datetime, zone: str) -> Instant:
    """The first instant at which the clocks of the zone show the naive datetime, or, if they skip it, what follows.

    Rule R3: a skipped local time moves to the first one that exists, one that occurs twice means the first.
    """
    aware = shown.replace(tzinfo=zone_info(zone), fold=0)
    instant = from_datetime(aware.astimezone(UTC))
    if to_local(instant, zone) == shown:
        return instant
    # Skipped: between the two readings of it lies the change, the first instant that shows a later time.
    before, after = from_datetime(aware.replace(fold=1).astimezone(UTC)), instant
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if to_local(middle, zone) > shown else (middle, after)
    return after


def local_date(instant: Instant, zone: str) -> date:
    """The date in the zone at the instant."""
    return to_local(instant, zone).date()


def start_of_day(day: date, zone: str) -> Instant:
    """The first instant of a date in the zone."""
    return from_local(datetime.combine(day, time.min), zone)


def service_month_of(instant: Instant, zone: str) -> str:
    """The calendar month (`YYYY-MM`) in the zone at the instant."""
    return local_date(instant, zone).isoformat()[:7]


def first_day(service_month: str) -> date:
    """The first day of a `YYYY-MM`."""
    return date.fromisoformat(f"{service_month}-01")


def next_month(service_month: str) -> str:
    """The `YYYY-MM` after it."""
    return (first_day(service_month) + timedelta(days=31)).isoformat()[:7]


@lru_cache(maxsize=4096)
def month_bounds(service_month: str, zone: str) -> Span:
    """A calendar month (`YYYY-MM`) as the zone really has it (P1)."""
    return (
        start_of_day(first_day(service_month), zone),
        start_of_day(first_day(next_month(service_month)), zone),
    )
