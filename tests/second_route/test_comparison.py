"""The comparison sees a difference, and worlds are replayed by their seed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.second_route.comparing import COLUMNS, KEYS, compare, from_mart, report
from tests.second_route.generating import generate
from tests.second_route.packing import pack
from tests.second_route.world import Row


def _row(mart: str) -> Row:
    return {column: f"a {column}" for column in COLUMNS[mart].split()}


@pytest.mark.parametrize("mart", COLUMNS)
def test_the_comparison_sees_each_column_and_each_row(mart: str) -> None:
    row = _row(mart)
    assert not compare(mart, [row], [dict(row)])
    for column in set(COLUMNS[mart].split()) - set(KEYS[mart].split()):
        for other in ("another", None):
            (difference,) = compare(mart, [{**row, column: other}], [row])
            assert (difference.column, difference.models) == (column, other)
    assert [each.column for each in compare(mart, [], [row])] == ["(row)"]
    assert [each.column for each in compare(mart, [row], [])] == ["(row)"]
    assert [each.column for each in compare(mart, [row, row], [row])] == ["(row)"]


def test_numbers_are_compared_to_the_last_digit_and_instants_to_the_microsecond() -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)
    row = from_mart(
        {"measured_from": at, "counted_seconds": Decimal("2592.000001"), "uptime_percent": Decimal("99.90")}
    )
    assert row == {
        "measured_from": 1_772_366_400_000_001,
        "counted_seconds": 2_592_000_001,
        "uptime_percent": Decimal("99.9"),
    }
    with pytest.raises(AssertionError, match="no whole number of microseconds"):
        from_mart({"counted_seconds": Decimal("0.0000001")})


def test_a_report_names_the_seed_the_column_the_ids_and_both_values() -> None:
    row = _row("credits") | {"contract_id": "C-1", "amount": Decimal("0.03")}
    told = report(compare("credits", [row], [{**row, "amount": Decimal("0.02")}]), seed=7)
    assert all(part in told for part in ("SLA_SEED=7", "credits.amount: 1", "C-1", "0.03", "0.02"))


def test_a_seed_gives_the_same_bytes_again_and_another_seed_others() -> None:
    def packed(seed: int) -> list:
        return pack(generate(seed, account_months=40, ticket_count=60))

    assert packed(5) == packed(5)
    assert packed(5) != packed(10)
