"""Business days to the letter of rule R3, and the second route's own table of ISO 4217."""

from fractions import Fraction

import pytest

from slaledger.reperform import calendars
from slaledger.reperform.currencies import rounded
from slaledger.reperform.instants import parse
from slaledger.reperform.records import SECOND
from tests.support.second_route import HOUR

MONDAY = frozenset({"2026-04-06"})


@pytest.mark.parametrize(
    ("start", "days", "zone", "listed", "due"),
    [
        # 86: Friday 16:00 is due Monday 16:00, over a change of clocks, too: 71 elapsed hours.
        ("2026-04-10T16:00:00Z", 1, "UTC", None, "2026-04-13T16:00:00Z"),
        ("2026-03-27T16:00:00+01:00", 1, "Europe/Berlin", None, "2026-03-30T16:00:00+02:00"),
        # 87: received on a Saturday, it starts on Monday at 00:00.
        ("2026-04-11T10:00:00Z", 1, "UTC", None, "2026-04-14T00:00:00Z"),
        # 88: a holiday on the Monday puts two business days from Friday on the Wednesday.
        ("2026-04-03T09:30:00Z", 2, "UTC", MONDAY, "2026-04-08T09:30:00Z"),
        ("2026-04-02T09:30:00+02:00", 1, "Europe/Berlin", "DE", "2026-04-07T09:30:00+02:00"),  # Good Friday, Easter
        # 89: a holiday of Bavaria alone is one under its calendar, and no other.
        ("2026-06-03T09:30:00Z", 1, "UTC", "DE-BY", "2026-06-05T09:30:00Z"),
        ("2026-06-03T09:30:00Z", 1, "UTC", "DE", "2026-06-04T09:30:00Z"),
        # Received on a holiday: as on any day that is no business day.
        ("2026-04-06T12:00:00Z", 1, "UTC", MONDAY, "2026-04-08T00:00:00Z"),
        # The last microsecond before the weekend, and the first of it.
        ("2026-04-10T23:59:59.999999Z", 1, "UTC", None, "2026-04-13T23:59:59.999999Z"),
        ("2026-04-11T00:00:00Z", 1, "UTC", None, "2026-04-14T00:00:00Z"),
        # Cairo's clocks skip 00:00 to 01:00 on Friday 24 April 2026: 00:30 moves to 01:00, and so does midnight.
        ("2026-04-23T00:30:00+02:00", 1, "Africa/Cairo", None, "2026-04-24T01:00:00+03:00"),
        ("2026-04-23T12:00:00+02:00", 1, "Africa/Cairo", frozenset({"2026-04-23"}), "2026-04-27T00:00:00+03:00"),
        # They show 23:00 to 24:00 twice on Thursday 29 October: the first is meant.
        ("2026-10-28T23:30:00+03:00", 1, "Africa/Cairo", None, "2026-10-29T23:30:00+03:00"),
        ("2026-10-29T23:30:00+02:00", 1, "Africa/Cairo", None, "2026-10-30T23:30:00+02:00"),
        # Of no business days: due when it begins, and never before.
        ("2026-10-29T23:30:00+03:00", 0, "Africa/Cairo", None, "2026-10-29T23:30:00+03:00"),
        ("2026-10-29T23:30:00+02:00", 0, "Africa/Cairo", None, "2026-10-29T23:30:00+02:00"),
        ("2026-10-30T12:00:00+02:00", 0, "Africa/Cairo", frozenset({"2026-10-30"}), "2026-11-02T00:00:00+02:00"),
    ],
)
def test_a_target_is_due_at_the_same_local_time(start, days, zone, listed, due):
    assert calendars.due(parse(start), days, zone=zone, listed=listed) == parse(due)


@pytest.mark.parametrize(
    ("start", "end", "zone", "listed", "expected"),
    [
        ("2026-04-10T16:00:00Z", "2026-04-13T16:00:00Z", "UTC", None, 24 * HOUR),
        ("2026-04-11T10:00:00Z", "2026-04-12T10:00:00Z", "UTC", None, 0),
        ("2026-04-10T23:59:59.999999Z", "2026-04-13T00:00:00.000002Z", "UTC", None, 3),
        ("2026-04-06T00:00:00Z", "2026-04-07T00:00:01Z", "UTC", MONDAY, SECOND),
        # A Friday of 23 hours and a Thursday of 25.
        ("2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z", "Africa/Cairo", None, 23 * HOUR),
        ("2026-10-28T21:00:00Z", "2026-10-29T22:00:00Z", "Africa/Cairo", None, 25 * HOUR),
        ("2026-10-28T20:00:00Z", "2026-10-29T23:00:00Z", "Africa/Cairo", frozenset({"2026-10-29"}), 2 * HOUR),
        ("2026-04-10T16:00:00Z", "2026-04-10T16:00:00Z", "UTC", None, 0),
    ],
)
def test_business_time_is_real_time_of_business_days(start, end, zone, listed, expected):
    assert calendars.business_time(parse(start), parse(end), zone=zone, listed=listed) == expected


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("50", "USD", "50"),
        ("99.95", "JPY", "100"),
        ("99.4999", "JPY", "99"),
        ("0.50025", "KWD", "0.5"),
        ("0.0005", "KWD", "0.001"),
        ("0.025", "USD", "0.03"),
        ("0.024999", "USD", "0.02"),
    ],
)
def test_money_is_rounded_half_up_to_the_minor_unit(amount, currency, expected):  # 130
    assert rounded(Fraction(amount), currency) == Fraction(expected)
