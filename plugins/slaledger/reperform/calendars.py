"""Business days: which they are, when a target of them is due, how much time of them passed (rule R3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache

from slaledger.reperform.instants import from_local, local_date, start_of_day, to_local
from slaledger.reperform.records import Instant

Holidays = frozenset[str] | str | None
ONE_DAY = timedelta(days=1)


@lru_cache
def _named(code: str) -> Mapping[date, str]:
    """The public holidays of a country (`DE`) or one of its subdivisions (`DE-BY`)."""
    import holidays

    country, _, subdivision = code.partition("-")
    return holidays.country_holidays(country, subdiv=subdivision or None)


@cache
def is_business_day(day: date, listed: Holidays) -> bool:
    """Whether the date is one of Monday to Friday and no holiday of the calendar."""
    if day.weekday() >= 5:
        return False
    if listed is None:
        return True
    return day not in _named(listed) if isinstance(listed, str) else day.isoformat() not in listed


def next_business_day(day: date, listed: Holidays) -> date:
    """The first business day after the date."""
    day += ONE_DAY
    while not is_business_day(day, listed):
        day += ONE_DAY
    return day


def due(start: Instant, business_days: int, *, zone: str, listed: Holidays) -> Instant:
    """When a target of so many business days that begins at `start` is due: the same local time that many later.

    Begun outside a business day, it begins at 00:00 of the next one.
    """
    shown = to_local(start, zone)
    if not is_business_day(shown.date(), listed):
        shown = datetime.combine(next_business_day(shown.date(), listed), time.min)
    day = shown.date()
    for _ in range(business_days):
        day = next_business_day(day, listed)
    # Of no days, it may begin in an hour that comes again: it is not due before it begins.
    return max(start, from_local(datetime.combine(day, shown.time()), zone))


def business_time(start: Instant, end: Instant, *, zone: str, listed: Holidays) -> int:
    """Elapsed microseconds of business days in `[start, end)`; a day has the 23, 24 or 25 hours that it really has."""
    total = 0
    day, last = local_date(start, zone), local_date(max(start, end), zone)
    while day <= last:
        if is_business_day(day, listed):
            opens, closes = _bounds(day, zone)
            total += max(0, min(end, closes) - max(start, opens))
        day += ONE_DAY
    return total


@lru_cache(maxsize=65536)
def _bounds(day: date, zone: str) -> tuple[Instant, Instant]:
    """The first instant of the date in the zone, and the first of the next."""
    return start_of_day(day, zone), start_of_day(day + ONE_DAY, zone)
