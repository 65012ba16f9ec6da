from __future__ import annotations

from datetime import date
from decimal import Decimal

import psycopg
import pytest

from slaledger import approvals, ledger
from slaledger.ledger.goodwill import GoodwillRefused
from slaledger.reperform.lines import due
from slaledger.reperform.records import Decision
from slaledger.warehouse import connect
from slaledger.zones import ZonesDiffer
from tests.ledger.books import AS_OF, MARCH, AccountMonth, close, lines, publish_terms, rows
from tests.second_route.comparing import from_mart
from tests.second_route.world import micros
from tests.support.pipeline import Pipeline
from tests.support.second_route import exports

HIGH = AccountMonth(credit_percent=Decimal(10), amount=Decimal("100.00"))
LOW = AccountMonth(credit_percent=Decimal(5), amount=Decimal("50.00"))
NOTHING = AccountMonth(credit_percent=Decimal(0), amount=Decimal(0), credit_status="not_eligible", claim_id=None)
DECREASE = "decrease:K-1:2026-03:availability"


def approve(settings, pending_id=DECREASE, *, is_approved=True, by="Ada", because="the monitor lied"):
    return approvals.decide(settings, pending_id, is_approved=is_approved, by=by, because=because)


def total(settings) -> Decimal:
    return sum((amount for _, _, amount, _ in lines(settings)), Decimal(0))


def due_by_the_second_route(settings, decisions, *, posted: int) -> list[dict]:
    """What the second route makes of the marts, before all lines but the first so many."""
    tables = ("marts.fct_credits", "marts.fct_account_months", "billing.credit_line_items")
    found = [Pipeline(settings).rows(f"select * from {table}") for table in tables]
    credits, account_months, told = ([from_mart(row) for row in each] for each in found)
    return due(
        credits,
        account_months=account_months,
        posted=sorted(told, key=lambda line: line["chain_position"])[:posted],
        exports=exports(),
        as_of=micros(AS_OF),
        decisions=decisions,
    )


class TestDecrease:
    def test_waits_for_a_named_person_and_is_then_an_adjustment(self, settings):
        close(settings, HIGH)
        result = close(settings, LOW)
        assert result.lines_appended == 0
        assert result.overpaid == (
            ledger.Waiting("K-1", "50 USD overpaid. Owed 50 USD, posted 100: credit percent was 10, is 5"),
        )
        assert [item.pending_id for item in approvals.pending(settings)] == [DECREASE]
        assert approve(settings).is_new
        assert approvals.pending(settings) == []
        assert close(settings, LOW).amounts_appended == {"USD": Decimal("-50.00")}
        assert rows(
            settings,
            """
            select entry_type, amount, approved_by, corrects_line_item_id is not null
            from billing.credit_line_items order by chain_position
            """,
        ) == [("credit", Decimal(100), None, False), ("adjustment", Decimal(-50), "Ada", True)]
        assert close(settings, LOW).lines_appended == 0

    def test_to_nothing_is_never_below_zero(self, settings):
        close(settings, HIGH)
        close(settings, NOTHING)
        approve(settings)
        close(settings, NOTHING)
        assert total(settings) == 0

    def test_rejected_the_customer_keeps_it(self, settings):
        close(settings, HIGH)
        close(settings, LOW)
        approve(settings, is_approved=False)
        result = close(settings, LOW)
        assert (result.lines_appended, result.overpaid) == (0, ())
        assert [kept.contract_id for kept in result.kept] == ["K-1"]
        assert approvals.pending(settings) == []

    def test_other_figures_need_another_decision(self, settings):
        close(settings, HIGH)
        close(settings, LOW)
        approve(settings)
        result = close(settings, NOTHING)
        assert result.lines_appended == 0
        assert result.overpaid[0].reason.startswith("100 USD overpaid")
        assert [item.pending_id for item in approvals.pending(settings)] == [DECREASE]

    def test_up_down_and_back_adds_up_and_shows_every_line(self, settings):
        close(settings, LOW)
        close(settings, HIGH)
        close(settings, LOW)
        approve(settings)
        close(settings, LOW)
        close(settings, HIGH)
        # Down once more: the approval of before was of other lines.
        assert close(settings, LOW).lines_appended == 0
        assert [amount for _, _, amount, _ in lines(settings)] == [50, 50, -50, 50]
        assert approve(settings).is_new
        close(settings, LOW)
        assert [amount for _, _, amount, _ in lines(settings)] == [50, 50, -50, 50, -50]

    def test_by_the_second_route_an_approval_is_of_its_own_lines_too(self, settings):
        decisions = []
        for figures, expected in (
            (HIGH, [("append", 100)]),
            (LOW, [("overpaid", -50)]),
            (LOW, [("append", -50)]),
            (LOW, []),
            (HIGH, [("append", 50)]),
            (LOW, [("overpaid", -50)]),
            (LOW, [("append", -50)]),
        ):
            posted = len(lines(settings))
            result, owed = close(settings, figures), due_by_the_second_route(settings, decisions, posted=posted)
            assert [(line["state"], line["amount"]) for line in owed] == expected
            appended = [amount for _, _, amount, _ in lines(settings)[posted:]]
            assert appended == [line["amount"] for line in owed if line["state"] == "append"]
            assert len(result.overpaid) == len(owed) - len(appended)
            for line in owed:
                if line["state"] == "overpaid":
                    approve(settings)
                    key = (line["contract_id"], line["service_month"])
                    decisions.append(Decision("decrease", *key, True, basis=line["basis"], about=line["about"]))

    def test_an_account_month_that_is_no_more_is_owed_nothing(self, settings):
        close(settings, HIGH, AccountMonth(contract_id="K-2"))
        result = close(settings, AccountMonth(contract_id="K-2"))
        assert result.overpaid[0].reason.endswith("the account-month is no more")
        approve(settings)
        close(settings, AccountMonth(contract_id="K-2"))
        assert rows(settings, "select sum(amount) from billing.credit_line_items where contract_id = 'K-1'") == [
            (Decimal(0),)
        ]

    def test_another_currency_waits_until_the_first_is_taken_back(self, settings):
        euros = AccountMonth(currency="EUR", monthly_fee=Decimal(800), amount=Decimal("40.00"))
        close(settings, LOW)
        result = close(settings, euros)
        assert result.lines_appended == 0
        assert [waiting.reason.split(".")[0] for waiting in result.overpaid] == [
            "50 USD overpaid",
            "40 EUR wait until what was posted in another currency is taken back",
        ]
        (waits,) = approvals.pending(settings)
        assert "monthly fee was 1000, is 800; its currency was USD, is EUR" in waits.description
        approve(settings)
        assert close(settings, euros).amounts_appended == {"USD": Decimal(-50), "EUR": Decimal(40)}
        assert [line[1:] for line in lines(settings)] == [
            ("credit", 50, "USD"),
            ("adjustment", -50, "USD"),
            ("adjustment", 40, "EUR"),
        ]
        assert close(settings, euros).lines_appended == 0


class TestDecide:
    def test_said_again_writes_nothing_and_says_so(self, settings):
        close(settings, HIGH)
        close(settings, LOW)
        assert "is approved by Ada" in str(approve(settings))
        again = approve(settings)
        assert not again.is_new and "nothing was written" in str(again)
        assert rows(settings, "select count(*) from audit.decisions") == [(1,)]

    @pytest.mark.parametrize("change", [{"is_approved": False}, {"by": "Bob"}, {"because": "another reason"}])
    def test_decided_otherwise_before_stands(self, settings, change):
        close(settings, HIGH)
        close(settings, LOW)
        approve(settings)
        with pytest.raises(approvals.AlreadyDecided, match="approved by Ada"):
            approve(settings, **change)

    def test_an_unknown_id_says_what_waits(self, settings):
        close(settings, HIGH)
        close(settings, LOW)
        with pytest.raises(approvals.NothingPending, match=DECREASE):
            approve(settings, "decrease:K-9:2026-03:availability")

    @pytest.mark.parametrize("words", [{"by": " "}, {"because": ""}])
    def test_nobody_and_no_reason_decide_nothing(self, settings, words):
        close(settings, HIGH)
        close(settings, LOW)
        with pytest.raises(approvals.DecisionRefused):
            approve(settings, **words)

    def test_two_that_read_alike_are_told_apart(self, settings):
        close(
            settings,
            *(
                AccountMonth(contract_id=contract_id, status="held", held_digest=digest, credit_status="held")
                for contract_id, digest in (("K|1", "a" * 64), ("K:1", "b" * 64))
            ),
        )
        assert [item.pending_id for item in approvals.pending(settings)] == [
            "held:K:1:2026-03#aaaaaaaa",
            "held:K:1:2026-03#bbbbbbbb",
        ]
        with pytest.raises(approvals.AmbiguousPending, match="bbbbbbbb"):
            approve(settings, "held:K:1:2026-03")
        approve(settings, "held:K:1:2026-03#bbbbbbbb")
        assert rows(settings, "select subject, subject_digest from audit.decisions") == [("K:1|2026-03", "b" * 64)]

    def test_a_held_month_waits_with_its_figures(self, settings):
        close(settings, AccountMonth(status="held", held_digest="a" * 64, credit_status="held"))
        (item,) = approvals.pending(settings)
        assert (item.pending_id, item.kind) == ("held:K-1:2026-03", "held_month")
        approve(settings, item.pending_id)
        assert rows(settings, "select kind, subject, subject_digest, is_approved from audit.decisions") == [
            ("held_month", "K-1|2026-03", "a" * 64, True)
        ]

    def test_a_claim_in_review_waits(self, settings):
        close(settings, AccountMonth(credit_status="pending"))
        with connect(settings.warehouse) as connection:
            connection.execute(
                """
                insert into marts.fct_claims (
                    claim_id, account_id, contract_id, service_month, received_at, complete_at, deadline_at, status,
                    decision_subject, decision_digest
                ) values ('CL-1', 'A-1', 'K-1', '2026-03-01', '2026-04-11T00:00Z', '2026-04-11T00:00Z',
                    '2026-04-11T00:00Z', 'needs_review', 'CL-1|K-1|2026-03', 'd1')
                """
            )
        approve(settings, "claim:CL-1:K-1:2026-03")
        assert rows(settings, "select kind, subject, subject_digest from audit.decisions") == [
            ("claim", "CL-1|K-1|2026-03", "d1")
        ]

    def test_before_anything_was_built_nothing_waits(self, settings):
        with connect(settings.warehouse) as connection:
            connection.execute("drop schema marts cascade")
        assert approvals.pending(settings) == []


class TestGoodwill:
    def give(self, settings, amount="25.00", because="a late claim", **changed):
        arguments = {"contract_id": "K-1", "service_month": MARCH, "by": "Ada", "because": because, **changed}
        return approvals.goodwill(settings, amount=amount, **arguments)

    def test_is_a_line_of_its_own_that_the_sla_never_counts(self, settings):
        close(settings, LOW)
        given = self.give(settings)
        assert given.is_new
        assert rows(
            settings,
            """
            select entry_type, basis, amount, currency, approved_by, reason, claim_id, settlement
            from billing.credit_line_items where line_item_id = %s
            """,
            given.line_item_id,
        ) == [("goodwill", "goodwill", Decimal(25), "USD", "Ada", "a late claim", None, "future_invoice")]
        assert close(settings, LOW).lines_appended == 0
        close(settings, NOTHING)
        approve(settings)
        assert close(settings, NOTHING).amounts_appended == {"USD": Decimal(-50)}

    def test_given_twice_in_the_same_words_is_one(self, settings):
        close(settings, LOW)
        first, again = self.give(settings), self.give(settings, "25")
        assert (again.line_item_id, again.is_new) == (first.line_item_id, False)
        assert self.give(settings, because="and another").is_new
        assert len(lines(settings)) == 3

    def test_a_zone_that_is_not_the_recorded_one_stops_it(self, settings):
        close(settings, LOW)
        publish_terms(settings, terms_id="elsewhere", time_zone="XYZ5")
        with pytest.raises(ZonesDiffer, match="XYZ5 is no zone of tzdata"):
            self.give(settings)
        assert len(lines(settings)) == 1

    def test_in_a_currency_without_minor_unit(self, settings):
        close(settings, AccountMonth(currency="JPY", amount=Decimal(50)))
        with pytest.raises(GoodwillRefused, match="more than 0 decimals"):
            self.give(settings, "25.5")
        assert self.give(settings, "25").currency == "JPY"

    @pytest.mark.parametrize("amount", ["0", "0.00", "-5", "NaN", "1e3", "5,00", "", "٣", "25.001"])
    def test_an_amount_that_is_none_is_refused(self, closed_books, amount):
        with pytest.raises(GoodwillRefused):
            self.give(closed_books, amount)

    def test_needs_a_statement_and_a_fee(self, settings):
        with pytest.raises(GoodwillRefused, match="close the month first"):
            self.give(settings)
        close(settings, AccountMonth(currency=None, monthly_fee=None, amount=None, status="blocked"))
        with pytest.raises(GoodwillRefused, match="no fee"):
            self.give(settings)
        with pytest.raises(GoodwillRefused, match="2026-02"):
            self.give(settings, service_month=date(2026, 2, 1))


def test_decisions_are_append_only(settings):
    close(settings, HIGH)
    close(settings, LOW)
    approve(settings)
    for statement in ("update audit.decisions set is_approved = false", "delete from audit.decisions"):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"), connect(settings.warehouse) as books:
            books.execute(statement)
