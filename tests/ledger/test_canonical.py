from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, strategies

from slaledger.ledger.canonical import digest, encode, idempotency_key, line_item_id, number_text


def test_the_encoding_of_version_1_stands():
    """Published: the digests in the books are of exactly these bytes."""
    assert encode(
        [
            None,
            True,
            "é",
            7,
            Decimal("99.950"),
            datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            date(2026, 3, 1),
            uuid.UUID(int=1),
            ["a", None],
        ]
    ) == (
        b"n0:b1:1t2:\xc3\xa9d1:7d5:99.95s27:2026-03-01T00:00:00.000000Zy10:2026-03-01"
        b"u36:00000000-0000-0000-0000-000000000001l7:t1:an0:"
    )


FIELDS = strategies.lists(strategies.none() | strategies.text(max_size=3) | strategies.integers(-9, 9), max_size=4)


@given(one=FIELDS, other=FIELDS)
def test_no_two_values_have_one_encoding(one, other):
    assert (encode(one) == encode(other)) == (one == other)


@pytest.mark.parametrize(("number", "text"), [("50.00", "50"), ("-0.030", "-0.03"), ("1E+3", "1000"), ("-0.0", "0")])
def test_a_number_has_one_text(number, text):
    assert number_text(Decimal(number)) == text


@pytest.mark.parametrize("value", [1.5, b"x", object()])
def test_a_float_has_no_form(value):
    with pytest.raises(TypeError):
        digest(value)


def test_an_instant_needs_an_offset():
    with pytest.raises(ValueError, match="offset"):
        encode([datetime(2026, 3, 1)])
    assert encode([datetime(2026, 3, 1, tzinfo=UTC)]) == b"s27:2026-03-01T00:00:00.000000Z"


def test_keys_and_ids_are_of_the_business_key_alone():
    march = date(2026, 3, 1)
    key = idempotency_key("K-1", service_month=march, basis="availability", ordinal=1)
    assert key == "K-1|2026-03|availability|1"
    assert str(line_item_id(key)) == "35c90da4-8343-509f-b451-c6106ba9fe52"
    tricky = idempotency_key("K-1|2026-03", service_month=march, basis="availability", ordinal=1)
    assert line_item_id(tricky) != line_item_id(key)
