"""`examples/expected.csv` is kept by hand: it must agree with the contracts and fees, and add up."""

from __future__ import annotations

import csv
import json
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

EXAMPLES_DIR = Path(__file__).resolve().parents[2] / "examples"
EXPORTS_DIR = EXAMPLES_DIR / "exports"
MINOR_UNITS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
PUBLIC_TIERS = {"5": (99, Fraction("99.9")), "10": (95, 99), "25": (0, 95)}
AURORA_TIERS = {"5": (Fraction("99.9"), Fraction("99.95")), "10": (Fraction("99.5"), Fraction("99.9"))}


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _contracts() -> dict[str, dict]:
    lines = (EXPORTS_DIR / "accounts/contracts/contracts.ndjson").read_text(encoding="utf-8").splitlines()
    return {contract["contract_id"]: contract for contract in map(json.loads, lines)}


def _rows(basis: str) -> list[dict[str, str]]:
    return [row for row in _csv(EXAMPLES_DIR / "expected.csv") if row["basis"] == basis]


def _uptime(row: dict[str, str], *, with_unknown: bool = False) -> Fraction:
    measured, counted, excluded, unknown = (
        int(row[f"{name}_seconds"]) for name in ("measured", "counted", "excluded", "unknown")
    )
    out_of_base = _contracts()[row["contract_id"]]["terms_id"] == "klink-berliner-medien"
    downtime = counted + (unknown if with_unknown else 0)
    return 100 * (1 - Fraction(downtime, measured - (excluded if out_of_base else 0)))


def test_there_is_a_row_for_each_contract_of_the_month_and_none_for_the_sandbox() -> None:
    sandbox = {row["account_id"] for row in _csv(EXPORTS_DIR / "accounts/accounts/accounts.csv") if row["sandbox"]}
    of_march = {
        contract_id
        for contract_id, contract in _contracts().items()
        if contract["starts_at"] < "2026-04-01" and contract["account_id"] not in sandbox
    }
    assert [row["contract_id"] for row in _rows("availability")] == sorted(of_march)
    assert len(of_march) == 59


def test_uptimes_follow_from_the_seconds() -> None:
    for row in _rows("availability"):
        for column, with_unknown in (("uptime_percent", False), ("uptime_percent_low", True)):
            cut = int(_uptime(row, with_unknown=with_unknown) * 10**12)
            assert int(Decimal(row[column]) * 10**12) == cut, row


def test_tiers_and_amounts_follow_from_uptime_and_fee() -> None:
    fees = {row["contract_id"]: row for row in _csv(EXPORTS_DIR / "accounts/fees/fees-2026-03.csv")}
    for row in _rows("availability") + _rows("response_time"):
        fee = fees.get(row["contract_id"], {"monthly_fee": "", "currency": ""})
        assert (row["monthly_fee"], row["currency"]) == (fee["monthly_fee"], fee["currency"]), row
        if row["credit_status"] == "held":
            assert (row["credit_percent"], row["amount"]) == ("", "")
            continue
        if row["credit_status"] == "not_eligible":
            assert (row["credit_percent"], row["amount"]) == ("0", "0")
            continue
        if row["basis"] == "availability":
            aurora = _contracts()[row["contract_id"]]["terms_id"] == "klink-aurora"
            lower, upper = (AURORA_TIERS if aurora else PUBLIC_TIERS)[row["credit_percent"]]
            assert lower <= _uptime(row) < upper, row
        unit = Decimal(1).scaleb(-MINOR_UNITS[row["currency"]])
        exact = Decimal(row["monthly_fee"]) * Decimal(row["credit_percent"]) / 100
        assert Decimal(row["amount"]) == exact.quantize(unit, rounding=ROUND_HALF_UP), row


def test_what_is_owed_adds_up_to_what_the_readme_says() -> None:
    owed: dict[str, Decimal] = {}
    lines = 0
    for row in _csv(EXAMPLES_DIR / "expected.csv"):
        if row["credit_status"] == "owed" and Decimal(row["amount"]):
            owed[row["currency"]] = owed.get(row["currency"], Decimal(0)) + Decimal(row["amount"])
            lines += 1
    assert lines == 14
    assert owed == {
        "USD": Decimal("602.51"),
        "EUR": Decimal("2115.00"),
        "JPY": Decimal("15000"),
        "KWD": Decimal("20.501"),
    }
    readme = (EXAMPLES_DIR / "README.md").read_text(encoding="utf-8")
    for figure in ("USD 602.51", "EUR 2,115.00", "JPY 15,000", "KWD 20.501"):
        assert figure in readme, figure


def test_exactly_one_account_month_is_held() -> None:
    held = [row["contract_id"] for row in _rows("availability") if row["status"] == "held"]
    assert held == ["con-57"]
