from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from slaledger import months


@pytest.mark.parametrize(
    "text", ["2026-3", "2026-13", "2026-00", "26-03", "2026-03-01", "", "٢٠٢٦-٠٣", "0000-01", "2026-03\n"]
)
def test_what_is_no_month_is_refused(text):
    with pytest.raises(months.BadMonth, match="YYYY-MM"):
        months.parse_month(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-04-15",
        "2026-04-15T00:00:00",
        "2026-04-15T24:00:00Z",
        "2026-04-15T23:59:60Z",
        "2026-02-30T00:00:00Z",
        "2026-04-15T00:00:00.1234567Z",
        "now",
        "infinity",
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_what_is_no_instant_is_refused(text):
    with pytest.raises(months.BadInstant, match="offset"):
        months.parse_instant(text)


def test_an_instant_is_taken_in_utc():
    assert months.parse_instant("2026-04-15T02:00:00.000001+02:00") == datetime(2026, 4, 15, microsecond=1, tzinfo=UTC)


def test_a_month_ends_where_the_next_begins():
    assert months.end_in_utc(date(2026, 12, 1)) == datetime(2027, 1, 1, tzinfo=UTC)
    assert months.end_in_utc(months.parse_month("2028-02")) == datetime(2028, 3, 1, tzinfo=UTC)
