"""Credits (rules U4 to U6, R7, C1, C5) at five moments; the lines of edge-cases.md: tests/edge_cases."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.models.credits.conftest import Moment


@pytest.mark.parametrize(
    ("contract_id", "status", "reason", "amount"),
    [
        ("C-107", "not_eligible", "plan_not_eligible", "0"),
        ("C-108", "not_eligible", "no_active_agreement", "0"),
        ("C-123", "not_eligible", "no_tier", "0"),
        ("C-over", "owed", "claim_accepted", "50.00"),
        ("C-7", "owed", "claim_accepted", "250.00"),
        ("C-129", "owed", "claim_accepted", "50.00"),
        ("C-130 JPY", "owed", "claim_accepted", "100"),
        ("C-130 KWD", "owed", "claim_accepted", "0.500"),
        ("C-130 USD", "owed", "claim_accepted", "0.03"),
        ("C-132", "blocked", "currency_unknown", None),
        ("C-132 unclaimed", "blocked", "currency_unknown", None),
        ("C-no fee", "blocked", "fee_missing", None),
        ("C-no fee, no outage", "blocked", "fee_missing", None),
        ("C-133", "owed", "claim_accepted", "0.00"),
        ("C-134", "owed", "claim_accepted", "50.00"),
        ("C-unasked", "owed", "no_claim_required", "50.00"),
        ("C-suspended", "not_eligible", "no_measured_time", "0"),
        ("C-no terms", "blocked", "terms_unknown", None),
        ("C-held", "held", "unknown_time_changes_tier", None),
        ("C-126", "expired", "claim_deadline_passed", "50.00"),
        ("C-120", "expired", "claim_deadline_passed", "50.00"),
        ("C-review yes", "pending", "claim_in_review", "50.00"),
        ("C-both 1", "owed", "claim_accepted", "50.00"),
        ("C-both 2", "not_eligible", "plan_not_eligible", "0"),
    ],
)
def test_credit(april: dict[str, Moment], contract_id: str, status: str, reason: str, amount: str | None) -> None:
    assert april["later"].credit(contract_id) == (status, reason, amount)


def test_nothing_is_credited_while_the_month_runs(april: dict[str, Moment]) -> None:
    within = april["within"]
    assert within.credit("C-126") == ("pending", "month_not_over", None)
    assert within.credits["C-126", "availability"]["credit_percent"] is None
    assert within.credit("C-107") == ("not_eligible", "plan_not_eligible", "0")
    assert within.credit("C-no fee") == ("pending", "month_not_over", None)


def test_unclaimed_until_the_deadline_then_expired(april: dict[str, Moment]) -> None:
    assert april["last instant"].credit("C-126") == ("eligible_unclaimed", "unclaimed", "50.00")
    assert april["deadline"].credit("C-126") == ("expired", "claim_deadline_passed", "50.00")


def test_a_claim_that_is_open_keeps_the_credit_pending(april: dict[str, Moment]) -> None:
    row = april["last instant"].credits["C-incomplete", "availability"]
    assert (row["status"], row["reason"], row["claim_id"]) == ("pending", "claim_pending", "incomplete")
    assert april["later"].credits["C-held", "availability"]["claim_id"] == "held"


def test_the_accepted_claim_is_named(april: dict[str, Moment]) -> None:
    assert april["later"].credits["C-121", "availability"]["claim_id"] == "121 c"
    assert april["decided"].credits["C-review yes", "availability"]["claim_id"] == "review yes"
    assert april["decided"].credit("C-review no") == ("expired", "claim_deadline_passed", "50.00")


def test_fee_and_currency_as_known(april: dict[str, Moment]) -> None:
    credits = april["later"].credits
    known = {
        name: (credits[name, "availability"]["monthly_fee"], credits[name, "availability"]["currency"])
        for name in ("C-134", "C-132", "C-no fee", "C-107")
    }
    assert known == {
        "C-134": (1000, "EUR"),
        "C-132": (1000, "XXX"),
        "C-no fee": (None, None),
        "C-107": (1000, "USD"),
    }


@pytest.mark.parametrize(
    ("contract_id", "percent", "status", "amount"),
    [("C-R0", "0", "not_eligible", "0"), ("C-R1", "1.5", "owed", "5.00"), ("C-R4", "2", "owed", "6.67")],
)
def test_response_credits_add_up_to_their_cap(
    april: dict[str, Moment], contract_id: str, percent: str, status: str, amount: str
) -> None:
    row = april["later"].credits[contract_id, "response_time"]
    assert (row["status"], row["credit_percent"], str(row["amount"])) == (status, Decimal(percent), amount)
    assert april["later"].credits[contract_id, "availability"]["status"] == "not_eligible"


def test_response_credits_only_where_the_terms_have_them(april: dict[str, Moment]) -> None:
    credited = {contract_id for contract_id, basis in april["later"].credits if basis == "response_time"}
    assert credited == {"C-R0", "C-R1", "C-R4"}


def test_every_account_month_has_one_availability_row(april: dict[str, Moment]) -> None:
    contracts = [contract_id for contract_id, basis in april["later"].credits if basis == "availability"]
    assert len(contracts) == len(set(contracts)) == 40
    assert "C-sandbox" not in contracts
    assert "C-gone" not in contracts
