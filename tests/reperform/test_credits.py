"""Credits to the letter of U3 to U6, C1 and R7, over account-months and claims built by hand."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from slaledger.reperform.credits import credits
from slaledger.reperform.entitlements import entitlements
from slaledger.reperform.instants import parse
from slaledger.reperform.records import Fee
from tests.support.second_route import BERLIN, ENTERPRISE, account_month, contract, exports

FEE = Fee("K1", "2026-03", Fraction(1000), "USD")
DEADLINE = parse("2026-04-11T00:00:00Z")
FREE = replace(ENTERPRISE, terms_id="free", claims_required=False)
RESPONSES = replace(
    FREE,
    terms_id="responses",
    response_credits={"P1": Fraction(2), "P2": Fraction("0.5")},
    response_credit_cap=Fraction(5),
)


def claim(status, *, claim_id="C1", received_at=0, contract_id="K1"):
    return {"claim_id": claim_id, "contract_id": contract_id, "status": status, "received_at": received_at}


def rows(month, *, claims=(), tickets=(), fee=FEE, as_of=DEADLINE, terms=()):
    made = exports(terms=terms, contracts=(contract(),), fees=(fee,) if fee else ())
    entitled = entitlements(made, account_months=[month], response_times=tickets)
    return {row["basis"]: row for row in credits(entitled, claims=claims, as_of=as_of)}


def availability(month, **given):
    return rows(month, **given)["availability"]


@pytest.mark.parametrize(
    ("uptime", "percent"),
    [
        ("100", 0),
        ("99.900000000000", 0),  # 2: the line itself earns nothing
        ("99.899999999999", 5),
        ("99", 5),  # 5
        ("98.999999999999", 10),
        ("95", 10),  # 6
        ("94.999999999999", 25),
        ("94", 25),  # 7: one credit, not 5 and not 40
        ("0", 25),
    ],
)
def test_one_tier_applies_and_alone(uptime, percent):
    found = availability(account_month(uptime), claims=[claim("accepted")])
    assert (found["credit_percent"], found["amount"]) == (percent, percent * 10)
    assert found["status"] == ("owed" if percent else "not_eligible")
    assert found["reason"] == ("claim_accepted" if percent else "no_tier")


@pytest.mark.parametrize(
    ("fee", "currency", "amount"),
    [
        ("1000.00", "USD", "50.00"),  # 129
        ("1999", "JPY", "100"),  # 130
        ("10.005", "KWD", "0.500"),
        ("0.50", "USD", "0.03"),
        ("0.49", "USD", "0.02"),
        ("0", "USD", "0"),  # 133
        ("33.33", "EUR", "1.67"),
    ],
)
def test_the_credit_is_rounded_once_in_the_currency_of_the_fee(fee, currency, amount):
    found = availability(account_month(), fee=Fee("K1", "2026-03", Fraction(fee), currency), claims=[claim("accepted")])
    assert (found["amount"], found["currency"], found["status"]) == (Decimal(amount), currency, "owed")
    assert found["monthly_fee"] == Decimal(fee)


@pytest.mark.parametrize(
    ("claims", "as_of", "status", "reason", "claim_id"),
    [
        ([], DEADLINE - 1, "eligible_unclaimed", "unclaimed", None),  # 126
        ([], DEADLINE, "expired", "claim_deadline_passed", None),
        ([claim("rejected")], DEADLINE, "expired", "claim_deadline_passed", None),
        ([claim("pending")], DEADLINE - 1, "pending", "claim_pending", "C1"),
        ([claim("needs_review")], DEADLINE, "pending", "claim_in_review", "C1"),
        (
            [claim("pending", claim_id="C0", received_at=2), claim("needs_review", received_at=1)],
            DEADLINE,
            "pending",
            "claim_in_review",
            "C1",
        ),
        # The first that is open speaks.
        (
            [claim("pending", claim_id="C0", received_at=1), claim("needs_review", received_at=2)],
            DEADLINE,
            "pending",
            "claim_pending",
            "C0",
        ),
        (
            [claim("pending", claim_id="C0"), claim("duplicate", claim_id="C2"), claim("accepted")],
            DEADLINE,
            "owed",
            "claim_accepted",
            "C1",
        ),
        ([claim("accepted", contract_id="K2")], DEADLINE, "expired", "claim_deadline_passed", None),  # 117
    ],
)
def test_what_claims_make_of_an_eligible_credit(claims, as_of, status, reason, claim_id):
    found = availability(account_month(), claims=claims, as_of=as_of)
    assert (found["status"], found["reason"], found["claim_id"]) == (status, reason, claim_id)
    assert found["amount"] == 50


def test_a_tier_a_breach_or_a_cap_of_0_percent_is_none():
    tiers = ((Fraction("99.9"), Fraction(0)), (Fraction(99), Fraction(10)))
    breached = [{"contract_id": "K1", "outcome": "breached", "severity": "P1"}]
    for changes in ({"response_credits": {"P1": Fraction(0)}}, {"response_credit_cap": Fraction(0)}):
        version = replace(RESPONSES, credits=tiers, **changes)
        month = account_month("99.5", terms_id="responses")
        found = rows(month, terms=(version,), tickets=breached, claims=[claim("accepted")])
        told = {basis: (row["status"], row["reason"], row["amount"]) for basis, row in found.items()}
        assert told == {
            "availability": ("not_eligible", "no_tier", 0),
            "response_time": ("not_eligible", "no_breach", 0),
        }
        assert availability(month | {"uptime_percent": Decimal("98")}, terms=(version,))["amount"] == 100


def test_terms_may_ask_for_no_claim():
    month = account_month(terms_id="free")
    found = availability(month, terms=(FREE,))
    assert (found["status"], found["reason"], found["amount"]) == ("owed", "no_claim_required", 50)


def test_the_deadline_is_one_of_the_zone_of_the_terms():
    month = account_month(terms_id="berlin")
    before = availability(month, terms=(BERLIN,), as_of=parse("2026-04-10T21:59:59.999999Z"))
    assert before["status"] == "eligible_unclaimed"
    assert availability(month, terms=(BERLIN,), as_of=parse("2026-04-10T22:00:00Z"))["status"] == "expired"


@pytest.mark.parametrize(
    ("month", "fee", "status", "reason", "percent", "amount"),
    [
        (
            account_month("90", guaranteed=False, terms_id="klink-growth"),
            None,
            "not_eligible",
            "plan_not_eligible",
            0,
            0,
        ),
        (account_month("90", guaranteed=False), None, "not_eligible", "no_active_agreement", 0, 0),  # 108
        (
            account_month("90", guaranteed=False, status="provisional", terms_id="klink-growth"),
            None,
            "not_eligible",
            "plan_not_eligible",
            0,
            0,
        ),
        (account_month(status="provisional"), FEE, "pending", "month_not_over", None, None),
        (account_month(status="blocked", reason="fee_missing"), None, "blocked", "fee_missing", 5, None),
        (account_month("100", status="blocked", reason="fee_missing"), None, "blocked", "fee_missing", 0, None),
        (
            account_month(status="blocked", reason="currency_unknown"),
            Fee("K1", "2026-03", Fraction(10), "XYZ"),
            "blocked",
            "currency_unknown",
            5,
            None,
        ),
        (
            account_month(None, status="blocked", reason="terms_unknown", terms_version=None, guaranteed=None),
            FEE,
            "blocked",
            "terms_unknown",
            None,
            None,
        ),
        (
            account_month(None, status="blocked", reason="terms_unknown", terms_version=None, guaranteed=False),
            FEE,
            "not_eligible",
            "no_active_agreement",
            0,
            0,
        ),
        (
            account_month(status="held", reason="unknown_time_changes_tier"),
            FEE,
            "held",
            "unknown_time_changes_tier",
            None,
            None,
        ),
        (account_month(None, measured_seconds=0), None, "not_eligible", "no_measured_time", 0, 0),
        (account_month(None, reason="no_time_left_in_base"), FEE, "not_eligible", "no_measured_time", 0, 0),  # 22
    ],
)
def test_what_is_not_eligible(month, fee, status, reason, percent, amount):
    found = availability(month, fee=fee, claims=[claim("pending")])
    assert (found["status"], found["reason"]) == (status, reason)
    assert (found["credit_percent"], found["amount"], found["claim_id"]) == (percent, amount, "C1")
    assert found["currency"] == (fee.currency if fee else None)


def breach(severity, outcome="breached", contract_id="K1"):
    return {"outcome": outcome, "severity": severity, "contract_id": contract_id}


@pytest.mark.parametrize(
    ("tickets", "percent", "reason"),
    [
        ([], 0, "no_breach"),
        ([breach("P1", "met"), breach("P1", "pending"), breach("P1", contract_id="K2"), breach("P4")], 0, "no_breach"),
        ([breach("P1"), breach("P2"), breach("P2")], 3, "no_claim_required"),
        ([breach("P1")] * 2 + [breach("P2")] * 2, 5, "no_claim_required"),
        ([breach("P1")] * 3, 5, "no_claim_required"),  # the cap
    ],
)
def test_response_credits_are_a_percent_per_breach_up_to_the_cap(tickets, percent, reason):
    found = rows(account_month("100", terms_id="responses"), tickets=tickets, terms=(RESPONSES,))
    assert found["availability"]["reason"] == "no_tier"
    assert (found["response_time"]["credit_percent"], found["response_time"]["amount"]) == (percent, percent * 10)
    assert found["response_time"]["reason"] == reason


def test_response_credits_have_no_row_under_terms_without():
    assert set(rows(account_month(), tickets=[breach("P1")])) == {"availability"}


def test_a_held_month_does_not_hold_its_response_credit_and_a_blocked_one_blocks_it():
    month = account_month(terms_id="responses", status="held", reason="unknown_time_changes_tier")
    found = rows(month, tickets=[breach("P1")], terms=(RESPONSES,))
    assert (found["availability"]["status"], found["response_time"]["status"]) == ("held", "owed")
    blocked = rows(month | {"status": "blocked", "reason": "fee_missing"}, tickets=[breach("P1")], terms=(RESPONSES,))
    assert blocked["response_time"]["status"] == "blocked"
    assert (blocked["response_time"]["credit_percent"], blocked["response_time"]["amount"]) == (2, None)


def test_response_credits_need_measured_time_but_no_uptime():
    nothing = account_month(None, terms_id="responses", measured_seconds=0)
    found = rows(nothing, tickets=[breach("P1")], terms=(RESPONSES,))["response_time"]
    assert (found["status"], found["reason"], found["amount"]) == ("not_eligible", "no_measured_time", 0)
    excluded = account_month(None, terms_id="responses", reason="no_time_left_in_base")
    assert rows(excluded, tickets=[breach("P1")], terms=(RESPONSES,))["response_time"]["amount"] == 20


def test_one_claim_covers_both_bases():
    claimed = replace(RESPONSES, claims_required=True)
    found = rows(
        account_month(terms_id="responses"), tickets=[breach("P1")], terms=(claimed,), claims=[claim("accepted")]
    )
    assert {basis: (row["status"], row["amount"]) for basis, row in found.items()} == {
        "availability": ("owed", 50),
        "response_time": ("owed", 20),
    }
