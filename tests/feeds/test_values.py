"""Strict values: what is read, and what is not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from slaledger.feeds import values
from slaledger.feeds.reasons import RowRejected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T00:00:00Z", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T00:00:00.1Z", datetime(2026, 3, 1, 0, 0, 0, 100_000, tzinfo=UTC)),
        ("2026-03-01T00:00:00.000001+00:00", datetime(2026, 3, 1, 0, 0, 0, 1, tzinfo=UTC)),
        ("2026-03-01T01:30:00+01:30", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-02-28T18:00:00-0600", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T02:00+02", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2028-02-29T00:00:00Z", datetime(2028, 2, 29, tzinfo=UTC)),
        # The hour that occurs twice in Berlin: told apart by its offset.
        ("2026-10-25T02:30:00+02:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-10-25T02:30:00+01:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_instant_is_read(text: str, expected: datetime) -> None:
    """ISO 8601 with an offset, to the microsecond, in UTC."""
    assert values.as_instant(text, "at") == expected
    assert values.as_instant(text, "at").tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T00:00:00",
        "2026-03-01",
        "2026-03-01 00:00:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T23:59:60Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-03-01T00:00:00.1234567Z",
        "2026-03-01T00:00:00.Z",
        "2026-03-01T00:00:00+24:00",
        "2026-03-01T00:00:00+01:60",
        "2026-03-01T00:00:00 Z",
        "2026-03-01T00:00:00Z\n",
        "0001-01-01T00:00:00+01:00",
        "0000-01-01T00:00:00Z",
        "now",
        "infinity",
        "-infinity",
        "1772323200",
        "1772323200000",
        "٢٠٢٦-03-01T00:00:00Z",
        "",
        None,
        1772323200,
    ],
)
def test_instant_is_refused(text: object) -> None:
    """Nothing symbolic, nothing naive, nothing that a calendar does not have."""
    with pytest.raises(RowRejected) as caught:
        values.as_instant(text, "at")
    assert caught.value.code == "invalid_instant"


@pytest.mark.parametrize("text", ["0", "1000", "1000.00", "333.333333333333", "999999999999999.999999999999999999"])
def test_amount_is_read(text: str) -> None:
    """Plain digits, exactly."""
    assert values.amount({"fee": text}, "fee") == Decimal(text)


@pytest.mark.parametrize(
    "text", ["-1", "+1", "1e3", "1_000", "1,5", ".5", "5.", "١٢", "1０", "NaN", "inf", "1" * 16, "0." + "1" * 19, 5]
)
def test_amount_is_refused(text: object) -> None:
    """No sign, no exponent, no other digits, no float; no more decimals than the billing drop can carry."""
    with pytest.raises(RowRejected):
        values.amount({"fee": text}, "fee")


@pytest.mark.parametrize("text", ["0", "0.0000001", "86400000001", 5])
def test_seconds_are_refused(text: object) -> None:
    """Above 0, to the microsecond, at most a million days."""
    with pytest.raises(RowRejected):
        values.seconds({"interval": text}, "interval")


def test_service_month_is_its_first_day() -> None:
    """`YYYY-MM` alone."""
    assert values.service_month({"month": "2026-03"}, "month") == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("Klink.Cloud GmbH", "KLINK CLOUD gmbh"),
        ("ＡＣＭＥ １２", "acme 12"),
        ("Straße", "STRASSE"),
        ("Ünïön", "u\u0308ni\u0308o\u0308n".replace("u\u0308", "ü").upper()),
        ("ﬁne", "FINE"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("東京 株式会社", "東京・株式会社"),
    ],
)
def test_company_names_match(name: str, same: str) -> None:
    """Rule C4: after NFKC and case folding, letters and digits only, of any script."""
    assert values.company_key(name) == values.company_key(same) != ""


def test_company_names_differ() -> None:
    """Digits and letters count; signs do not."""
    assert values.company_key("Acme 1") != values.company_key("Acme 2")
    assert values.company_key("Acme!") == "acme"


def test_a_company_name_without_letters_and_digits_is_compared_whole() -> None:
    """Rule C4: of two such names nothing would be left, and each would match the other."""
    assert values.company_key("🙂") == values.company_key(" 🙂 ") != values.company_key("!!") != ""
