"""Instants to the letter of `contracts.md`, and the local calendar of rules P1 and R3."""

import zoneinfo
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from slaledger.reperform import instants
from slaledger.reperform.records import DAY, SECOND


def at(*parts: int) -> int:
    return instants.from_datetime(datetime(*parts, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2026-03-01T00:00Z", at(2026, 3, 1)),
        ("2026-03-01T00:00:00.1Z", at(2026, 3, 1, 0, 0, 0, 100_000)),
        ("2026-03-01T00:00:00,000001Z", at(2026, 3, 1, 0, 0, 0, 1)),
        ("2026-03-01T00:00:00+01:00", at(2026, 2, 28, 23)),
        ("2026-03-01T00:00:00-0330", at(2026, 3, 1, 3, 30)),
        ("2026-03-01T00:00:00+14", at(2026, 2, 28, 10)),
        ("2024-02-29T23:59:59.999999+00:00", at(2024, 2, 29, 23, 59, 59, 999_999)),
    ],
)
def test_an_instant_is_read_to_the_microsecond(text: str, expected: int) -> None:
    assert instants.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("2026-03-01T00:00:00", "2026-03-01", "1772323200", "now", "infinity", "", "Z"),
        *("2026-03-01T24:00:00Z", "2026-03-01T23:60:00Z", "2026-03-01T23:59:60Z", "2026-03-01T00:00:00+24:00"),
        *("0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"),
        *("2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "0000-01-01T00:00:00Z", "2026-03-01T00:00:00.0000001Z"),
        *("2026-03-01T00:00:00.Z", "2026-03-01 00:00:00Z", " 2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z\n"),
        *("2026-03-01t00:00:00z", "2026-03-01T00:00:00 Z", "٢٠٢٦-03-01T00:00:00Z", "2026-03-01T00:00:00+01:60"),
    ],
)
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        instants.parse(text)


@pytest.mark.parametrize(
    ("month", "zone", "minutes"),
    [
        ("2026-03", "UTC", 44_640),
        ("2026-03", "Europe/Berlin", 44_580),
        ("2026-10", "Europe/Berlin", 44_700),
        ("2026-03", "America/New_York", 44_580),
        ("2026-11", "America/New_York", 43_260),
        ("2026-04", "Australia/Lord_Howe", 43_230),
        ("2026-10", "Australia/Lord_Howe", 44_610),
        ("2024-02", "UTC", 41_760),
        ("2026-12", "UTC", 44_640),
    ],
)
def test_a_month_has_the_length_that_it_really_has(month: str, zone: str, minutes: int) -> None:
    start, end = instants.month_bounds(month, zone)
    assert (end - start) == minutes * 60 * SECOND


def test_the_zones_are_the_packages_not_the_machines(tmp_path: Path) -> None:
    machines = tmp_path / "Europe" / "Berlin"
    machines.parent.mkdir()
    machines.write_bytes(instants.TZDATA.joinpath("zoneinfo", "Asia", "Tokyo").read_bytes())
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([str(tmp_path)])
    instants.zone_info.cache_clear()
    try:
        assert zoneinfo.ZoneInfo.no_cache("Europe/Berlin").utcoffset(datetime(2026, 1, 1)) == timedelta(hours=9)
        assert instants.to_local(at(2026, 1, 1), "Europe/Berlin") == datetime(2026, 1, 1, 1)
    finally:
        zoneinfo.reset_tzpath(before)
    assert {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"} <= instants.zone_names()
    assert "localtime" not in instants.zone_names()


def test_a_month_begins_where_its_zone_does() -> None:
    assert instants.month_bounds("2026-01", "Asia/Kolkata")[0] == at(2025, 12, 31, 18, 30)
    assert instants.service_month_of(at(2025, 12, 31, 18, 30), "Asia/Kolkata") == "2026-01"
    assert instants.service_month_of(at(2025, 12, 31, 18, 30) - 1, "Asia/Kolkata") == "2025-12"


def test_a_skipped_local_time_moves_to_the_first_that_exists() -> None:
    change = at(2026, 3, 29, 1)
    assert instants.from_local(datetime(2026, 3, 29, 2, 30), "Europe/Berlin") == change
    assert instants.from_local(datetime(2026, 3, 29, 2), "Europe/Berlin") == change
    assert instants.from_local(datetime(2026, 3, 29, 3), "Europe/Berlin") == change
    assert instants.from_local(datetime(2026, 3, 29, 1, 59, 59, 999_999), "Europe/Berlin") == change - 1


def test_a_midnight_that_is_skipped_begins_the_day_when_it_first_exists() -> None:
    # Chile put its clocks on from 24:00 on Saturday 5 September 2026 to 01:00.
    start = instants.start_of_day(date(2026, 9, 6), "America/Santiago")
    assert instants.to_local(start, "America/Santiago") == datetime(2026, 9, 6, 1)
    assert instants.to_local(start - 1, "America/Santiago") == datetime(2026, 9, 5, 23, 59, 59, 999_999)


def test_a_whole_skipped_day_moves_to_the_next() -> None:
    skipped = instants.from_local(datetime(2011, 12, 30, 12), "Pacific/Apia")
    assert skipped == instants.start_of_day(date(2011, 12, 31), "Pacific/Apia")


def test_a_local_time_that_occurs_twice_means_the_first() -> None:
    first = instants.from_local(datetime(2026, 10, 25, 2, 30), "Europe/Berlin")
    assert first == at(2026, 10, 25, 0, 30)
    assert instants.to_local(first + 3600 * SECOND, "Europe/Berlin") == datetime(2026, 10, 25, 2, 30)


def test_the_december_after_is_january() -> None:
    assert instants.next_month("2026-12") == "2027-01"
    assert instants.next_month("2026-01") == "2026-02"
    assert instants.start_of_day(date(1970, 1, 2), "UTC") == DAY
