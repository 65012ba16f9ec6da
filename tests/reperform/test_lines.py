"""What a closing run would append, to the letter of section L; the numbers are those of `edge-cases.md`."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from slaledger.reperform import route
from slaledger.reperform.instants import parse
from slaledger.reperform.lines import applies_from, due, statement_due
from slaledger.reperform.records import ClaimMessage, Decision, Fee, TicketEvent
from tests.support.second_route import BERLIN, ENTERPRISE, account_month, exports

AS_OF = parse("2026-04-20T00:00:00Z")


def credit(amount, status="owed", *, percent=5, currency="USD", basis="availability"):
    return {
        "account_id": "A1",
        "contract_id": "K1",
        "service_month": "2026-03",
        "basis": basis,
        "credit_percent": percent,
        "currency": currency,
        "amount": None if amount is None else Decimal(amount),
        "monthly_fee": Decimal(1000),
        "claim_id": "C1",
        "status": status,
    }


def posted(*amounts, currency="USD", basis="availability"):
    return [
        credit(amount, currency=currency, basis=basis)
        | {"ordinal": ordinal, "entry_type": "credit" if ordinal == 1 else "adjustment"}
        | {"terms_id": "klink-enterprise", "terms_version": "2026-01"}
        for ordinal, amount in enumerate(amounts, start=1)
    ]


def decrease(owed, *amounts, is_approved=True, basis="availability", currency="USD"):
    """A decision on a decrease to what is owed, of lines of these amounts."""
    about = {
        "currency": currency,
        "owed": Fraction(owed),
        "posted": [(ordinal, Decimal(amount)) for ordinal, amount in enumerate(amounts, start=1)],
    }
    return Decision("decrease", "K1", "2026-03", is_approved, basis=basis, about=about)


MONTH = account_month("99.5", counted_seconds=13_392)


def told(credits, lines, decisions=(), months=(MONTH,)):
    found = due(credits, account_months=months, posted=lines, exports=exports(), as_of=AS_OF, decisions=decisions)
    return [
        (line["state"], line["entry_type"], line["ordinal"], str(line["amount"]), line["corrects_ordinal"])
        for line in found
    ]


@pytest.mark.parametrize(
    ("credits", "lines", "decisions", "expected"),
    [
        ([credit("50")], [], [], [("append", "credit", 1, "50", None)]),
        ([credit("50")], posted("50"), [], []),  # 81, 135, 139: equal, nothing
        ([credit("0")], [], [], []),  # 133: a fee of 0 makes no line
        ([credit("100")], posted("50"), [], [("append", "adjustment", 2, "50", 1)]),  # 137
        ([credit("50")], posted("100"), [], [("overpaid", "adjustment", None, "-50", 1)]),  # 136
        ([credit("50")], posted("100"), [decrease("50", "100")], [("append", "adjustment", 2, "-50", 1)]),
        (
            [credit("50")],
            posted("100"),
            [decrease("50", "100", is_approved=False)],
            [("decrease_rejected", "adjustment", None, "-50", 1)],
        ),
        # A decision speaks only for the very decrease that it was made on: what is owed, the lines, the basis.
        ([credit("50")], posted("100"), [decrease("51", "100")], [("overpaid", "adjustment", None, "-50", 1)]),
        (
            [credit("50")],
            posted("100", "-50", "50"),
            [decrease("50", "100")],
            [("overpaid", "adjustment", None, "-50", 1)],
        ),
        (
            [credit("50")],
            posted("100"),
            [decrease("50", "100", currency="EUR")],
            [("overpaid", "adjustment", None, "-50", 1)],
        ),
        (
            [credit("50")],
            posted("100"),
            [decrease("50", "100", basis="response_time")],
            [("overpaid", "adjustment", None, "-50", 1)],
        ),
        # 138: up and back again.
        ([credit("50")], posted("50", "50"), [decrease("50", "50", "50")], [("append", "adjustment", 3, "-50", 1)]),
        ([credit("50")], posted("50", "50", "-50"), [], []),
        # 127: what is not owed any more goes down to nothing, never below.
        (
            [credit("0", "not_eligible")],
            posted("50"),
            [decrease("0", "50")],
            [("append", "adjustment", 2, "-50", 1)],
        ),
        ([credit("50", "expired")], posted("50"), [], [("overpaid", "adjustment", None, "-50", 1)]),
        ([credit("50", "eligible_unclaimed")], [], [], []),
        ([credit("50", "pending")], [], [], []),
        ([credit("50", "pending")], posted("100"), [], []),  # it hangs on a claim that is still open
        ([credit("100")], posted("50", "-50"), [], [("append", "adjustment", 3, "100", 1)]),
        # 125: goodwill never counts.
        ([credit("50")], [posted("50")[0] | {"entry_type": "goodwill"}], [], [("append", "credit", 1, "50", None)]),
        # Each basis on its own.
        (
            [credit("50"), credit("20", basis="response_time")],
            posted("50"),
            [],
            [("append", "credit", 1, "20", None)],
        ),
        # A basis that has lines but no credit any more is owed nothing, unless the account-month is not known.
        (
            [credit("50")],
            posted("50") + posted("20", basis="response_time"),
            [],
            [("overpaid", "adjustment", None, "-20", 1)],
        ),
    ],
)
def test_what_is_appended(credits, lines, decisions, expected):
    assert told(credits, lines, decisions) == expected


@pytest.mark.parametrize("status", ["held", "blocked", "provisional"])
def test_nothing_is_due_while_nobody_knows_what_is_owed(status):
    months = [MONTH | {"status": status}]
    assert told([credit(None, "held"), credit("20", basis="response_time")], posted("50"), months=months) == []
    assert told([credit("0", "not_eligible")], posted("50"), [decrease("0", "50")], months=months) == []
    assert told([credit(None, "blocked")], posted("20", basis="response_time"), months=months) == []


def test_a_line_tells_what_it_rests_on():
    names = ("uptime_percent", "counted_seconds", "terms_id", "terms_version")
    names += ("credit_percent", "monthly_fee", "claim_id", "settlement")
    given = {"exports": exports(terms=(BERLIN,)), "as_of": parse("2026-04-30T22:00:00Z")}
    (line,) = due([credit("50")], account_months=[MONTH], posted=[], **given)
    standard = ("klink-enterprise", "2026-01")
    assert tuple(line[name] for name in names) == (
        *(Decimal("99.5"), 13_392, *standard, 5, Decimal(1000), "C1", "future_invoice"),
    )
    assert line["applies_from"] == date(2026, 5, 1)
    # Of an account-month that is no more nothing is known but the terms of its lines, and their zone.
    lines = [posted("50")[0] | {"terms_id": "berlin"}]
    (line,) = due([], account_months=[], posted=lines, **given)
    assert tuple(line[name] for name in names) == (
        *(None, None, "berlin", "2026-01", None, None, None, "future_invoice"),
    )
    assert (line["amount"], line["currency"], line["applies_from"]) == (-50, "USD", date(2026, 6, 1))


def test_money_of_two_currencies_does_not_add_up():
    assert told([credit("45", currency="EUR")], posted("50"), [decrease("0", "50")]) == [
        ("append", "adjustment", 2, "-50", 1),
        ("append", "adjustment", 3, "45", 1),
    ]
    assert told([credit("45", currency="EUR")], posted("50")) == [
        ("overpaid", "adjustment", None, "-50", 1),
        ("waiting", "adjustment", None, "45", 1),
    ]


def test_appending_what_is_due_leaves_nothing_due():
    lines = posted("100")
    (line,) = due(
        [credit("50")],
        account_months=[MONTH],
        posted=lines,
        exports=exports(),
        as_of=AS_OF,
        decisions=[decrease("50", "100")],
    )
    assert told([credit("50")], [*lines, line], [decrease("50", "100")]) == []


@pytest.mark.parametrize(
    ("as_of", "zone", "expected"),
    [
        ("2026-04-30T21:59:59.999999Z", "Europe/Berlin", date(2026, 5, 1)),
        ("2026-04-30T22:00:00Z", "Europe/Berlin", date(2026, 6, 1)),
        ("2026-12-01T00:00:00Z", "UTC", date(2027, 1, 1)),
    ],
)
def test_a_credit_is_for_invoices_of_the_next_month_in_the_zone(as_of, zone, expected):
    assert applies_from(parse(as_of), zone) == expected
    made = exports(terms=(replace(BERLIN, time_zone=zone),))
    month = MONTH | {"terms_id": "berlin"}
    (line,) = due([credit("50")], account_months=[month], posted=[], exports=made, as_of=parse(as_of))
    assert line["applies_from"] == expected


def test_a_statement_is_revised_when_a_figure_differs():
    month = account_month("99.5")
    statement = month | {"revision": 2, "run_id": "r"}
    assert statement_due(month, None) == 1
    assert statement_due(month, statement) is None
    assert statement_due(account_month("99.51"), statement) == 3  # 139: and no money row
    assert statement_due(account_month("99.5", status="held"), statement) == 3
    assert statement_due(account_month("99.5", status="provisional"), None) is None


def test_the_whole_way_from_the_exports():
    """A month of 31 days without any check: nothing unknown, for no monitor watches; a breach earns the credit."""
    terms = replace(
        ENTERPRISE,
        terms_id="custom",
        response_credits={"P1": Fraction("2.5")},
        response_credit_cap=Fraction(5),
    )
    at = parse("2026-03-10T10:00:00Z")
    made = exports(
        terms=(terms,),
        fees=(Fee("K1", "2026-03", Fraction("1000.10"), "USD"),),
        events=(TicketEvent("T1", "E1", at, "created", "customer", account_id="A1", severity="P1"),),
        claims=(ClaimMessage("c", 0, 1, "C1", "A1", "Müller & Söhne GmbH", "2026-03", None, at + 1, ((at, None),)),),
    )
    figures = route.reperform(made, service_month="2026-03", as_of=parse("2026-04-02T00:00:00Z"))
    assert [(row["uptime_percent"], row["status"]) for row in figures.account_months] == [(100, "measured")]
    assert [row["outcome"] for row in figures.response_times] == ["breached"]
    assert [(row["status"], row["contract_id"]) for row in figures.claims] == [("accepted", "K1")]
    assert [(row["basis"], row["status"], row["amount"]) for row in figures.credits] == [
        ("availability", "not_eligible", 0),
        ("response_time", "owed", Decimal("25.00")),
    ]
    given = {"posted": [], "exports": made}
    (line,) = due(figures.credits, account_months=figures.account_months, as_of=parse("2026-04-02T00:00:00Z"), **given)
    assert (line["entry_type"], line["amount"], line["applies_from"]) == ("credit", Decimal(25), date(2026, 5, 1))
    open_month = route.reperform(made, service_month="2026-03", as_of=parse("2026-03-31T23:59:59Z"))
    assert {row["status"] for row in open_month.credits + open_month.claims} == {"pending"}
    last = parse("2026-03-31T23:59:59Z")
    assert due(open_month.credits, account_months=open_month.account_months, as_of=last, **given) == []
