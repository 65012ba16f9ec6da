"""The first instant of local days in SQL, against a walk over the minutes around midnight (rules P1, R3)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from slaledger.settings import Settings
from slaledger.warehouse import connect
from slaledger.zones import ZONE_FILES
from tests.second_route.world import ZONES

DAYS = [date(2025, 12, 31) + timedelta(days=number) for number in range(2 * 366)]


def clocks(zone: str) -> ZoneInfo:
    """Those of the `tzdata` package, to which PostgreSQL is held."""
    with (ZONE_FILES / zone).open("rb") as data:
        return ZoneInfo.from_file(data, key=zone)


def first_minute_of(day: date, zone: ZoneInfo) -> datetime:
    """The first minute, of the hours around midnight, at which the zone's clocks show the day."""
    about = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) - timedelta(hours=4)
    return next(
        at
        for at in (about + timedelta(minutes=number) for number in range(9 * 60))
        if at.astimezone(zone).date() >= day
    )


def near_a_change(day: date, zone: ZoneInfo) -> bool:
    offsets = {datetime(each.year, each.month, each.day, 12, tzinfo=zone).utcoffset() for each in around(day)}
    return len(offsets) > 1


def around(day: date) -> list[date]:
    return [day + timedelta(days=number) for number in (-1, 0, 1)]


@pytest.mark.parametrize("zone", [*ZONES, "Antarctica/Troll"])
def test_a_day_starts_at_the_first_instant_that_shows_it(fresh_settings: Settings, zone: str) -> None:
    shown = clocks(zone)
    days = [day for day in DAYS if day.day == 1 or near_a_change(day, shown)]
    with connect(fresh_settings.warehouse) as connection:
        found = connection.execute(
            "select day, raw.start_of_day(day, %s) from unnest(%s::date[]) as days (day)", [zone, days]
        ).fetchall()
    assert {day: at.astimezone(UTC) for day, at in found} == {day: first_minute_of(day, shown) for day in days}


def test_november_2020_starts_at_the_first_of_two_midnights_in_havana(fresh_settings: Settings) -> None:
    with connect(fresh_settings.warehouse) as connection:
        (at,) = connection.execute("select raw.start_of_day('2020-11-01', 'America/Havana')").fetchone()
    assert at == datetime(2020, 11, 1, 4, tzinfo=UTC)
