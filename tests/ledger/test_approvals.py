from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal

import psycopg
import pytest

from slaledger import approvals, ledger, transform
from slaledger import settings as settings_module
from slaledger.decisions import PreparerDecides
from slaledger.gates.quarantine import LIMIT_SETTING
from slaledger.ledger.canonical import digest
from slaledger.ledger.goodwill import GoodwillRefused
from slaledger.reperform.lines import due
from slaledger.reperform.records import Decision
from slaledger.stack import logins
from slaledger.warehouse import connect
from slaledger.zones import ZonesDiffer
from tests.ledger.books import AS_OF, MARCH, AccountMonth, build, close, lines, publish_terms, rows
from tests.ledger.conftest import fresh_books
from tests.second_route.comparing import from_mart
from tests.second_route.world import micros
from tests.support.pipeline import Pipeline
from tests.support.second_route import exports

HIGH = AccountMonth(credit_percent=Decimal(10), amount=Decimal("100.00"))
LOW = AccountMonth(credit_percent=Decimal(5), amount=Decimal("50.00"))
NOTHING = AccountMonth(credit_percent=Decimal(0), amount=Decimal(0), credit_status="not_eligible", claim_id=None)
DECREASE = "decrease:K-1:2026-03:availability"
HELD = AccountMonth(status="held", held_digest="a" * 64, credit_status="held")
HELD_ID = "held:K-1:2026-03"
ROLES = tuple(f"sla_{stage}" for stage in settings_module.STAGES)
INSERT = """
    insert into audit.decisions (kind, subject, subject_digest, is_approved, decided_by, because, prepared_by, via)
    values ('held_month', 'K-1|2026-03', 'd', true, 'Ada', 'x', 'Bob', 'cli')
"""
# As if it were the function's: a context that PostgreSQL tells holds the text of the statement.
DISGUISED = f"""
    do $$
    begin
        execute $insert$ /* PL/pgSQL function audit.record_decision(text) line 1 at SQL statement
PL/pgSQL function audit.record_decision(text) line 1 at SQL statement */ {INSERT} $insert$;
    end $$
"""
RECORD = "select * from audit.record_decision('held_month', 'K-1|2026-03', repeat('a', 64), true, %s, 'x', %s)"


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

    def test_other_figures_than_were_shown_are_not_decided_on(self, settings):
        build(settings, HELD)
        (shown,) = approvals.pending(settings)
        build(settings, AccountMonth(status="held", held_digest="b" * 64, credit_status="held"))
        arguments = {"is_approved": True, "by": "Ada", "because": "I looked", "subject_digest": shown.subject_digest}
        with pytest.raises(approvals.FiguresChanged, match="figures have changed: nothing was recorded"):
            approvals.decide(settings, HELD_ID, **arguments)
        build(settings, AccountMonth())
        with pytest.raises(approvals.NothingPending):
            approvals.decide(settings, HELD_ID, **arguments)
        assert rows(settings, "select count(*) from audit.decisions") == [(0,)]
        build(settings, HELD)
        assert approvals.decide(settings, HELD_ID, **arguments).is_new

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
                    terms_id, terms_version, decision_subject, decision_digest
                ) values ('CL-1', 'A-1', 'K-1', '2026-03-01', '2026-04-11T00:00Z', '2026-04-11T00:00Z',
                    '2026-04-11T00:00Z', 'needs_review', 'klink-enterprise', '2026-01', 'CL-1|K-1|2026-03', 'd1')
                """
            )
        approve(settings, "claim:CL-1:K-1:2026-03")
        assert rows(settings, "select kind, subject, subject_digest from audit.decisions") == [
            ("claim", "CL-1|K-1|2026-03", "d1")
        ]

    def test_before_anything_was_built_nothing_waits(self, settings):
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

    def test_its_approval_is_recorded_with_it(self, settings):
        close(settings, LOW)
        given = self.give(settings, prepared_by="Bob")
        ((key,),) = rows(
            settings,
            "select idempotency_key from billing.credit_line_items where line_item_id = %s",
            given.line_item_id,
        )
        assert key == "K-1|2026-03|goodwill|1"
        assert rows(
            settings,
            """
            select kind, subject, subject_digest, is_approved, decided_by, because, prepared_by, via
            from audit.decisions
            """,
        ) == [
            (
                "goodwill",
                key,
                digest("slaledger goodwill", key, Decimal(25), "USD"),
                True,
                "Ada",
                "a late claim",
                "Bob",
                "cli",
            )
        ]

    def test_where_each_stage_has_its_own_login(self, settings, tmp_path):
        """Of these the biller's may not approve, nor the approver's post."""
        warehouse = logins.stages_of(tmp_path, settings.warehouse)
        logins.ensure_stages(warehouse)
        stages = replace(settings, warehouse=warehouse)
        close(settings, LOW)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="sla_approver"):
            run(stages, "set local role sla_approver", role="sla_biller")
        assert self.give(stages).is_new
        close(settings, NOTHING)
        assert approve(stages).is_new

    def test_who_prepares_it_does_not_approve_it(self, settings, monkeypatch):
        close(settings, LOW)
        me = settings_module.user_name()
        with pytest.raises(PreparerDecides, match="give with --by who approved it"):
            self.give(settings, by=f" {me.upper()} ")
        monkeypatch.setenv("SLA_USER", "Ada")
        with pytest.raises(PreparerDecides):
            self.give(settings)
        assert (len(lines(settings)), rows(settings, "select count(*) from audit.decisions")) == (1, [(0,)])
        assert self.give(settings, by=me).is_new

    def test_without_its_line_there_is_no_approval(self, settings):
        close(settings, LOW)
        with connect(settings.warehouse) as connection:
            connection.execute(
                """
                create function billing.fail() returns trigger language plpgsql as
                $$ begin raise exception 'the line is lost'; end $$;
                create trigger fail before insert on billing.credit_line_items
                for each row execute function billing.fail()
                """
            )
        with pytest.raises(psycopg.errors.RaiseException, match="the line is lost"):
            self.give(settings)
        assert rows(settings, "select count(*) from audit.decisions") == [(0,)]

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
        close(
            settings,
            AccountMonth(currency=None, monthly_fee=None, amount=None, status="blocked", credit_status="blocked"),
        )
        with pytest.raises(GoodwillRefused, match="no fee"):
            self.give(settings)
        with pytest.raises(GoodwillRefused, match="2026-02"):
            self.give(settings, service_month=date(2026, 2, 1))


class TestByAnother:
    """Whoever prepared it does not decide on it (four eyes)."""

    @pytest.mark.parametrize(
        "name", ["ada lovel\u00e4ce", "ADA LOVEL\u00c4CE", "  Ada  Lovela\u0308ce ", "\uff21da Lovel\u00e4ce"]
    )
    def test_the_preparer_is_refused_however_the_name_is_written(self, settings, name):
        build(settings, HELD, prepared_by="Ada Lovel\u00e4ce")
        with pytest.raises(PreparerDecides, match="somebody else has to"):
            approve(settings, HELD_ID, by=name)
        assert [(item.pending_id, item.preparers) for item in approvals.pending(settings)] == [
            (HELD_ID, "Ada Lovel\u00e4ce")
        ]
        assert approve(settings, HELD_ID, by="Bob").is_new
        assert rows(settings, "select decided_by, prepared_by, via from audit.decisions") == [
            ("Bob", "Ada Lovel\u00e4ce", "cli")
        ]

    def test_it_is_the_one_whose_figures_stand(self, settings):
        build(settings, HELD, prepared_by="Ada")
        build(settings, HELD, prepared_by="Bob")
        build(settings, AccountMonth(), service_month=date(2026, 4, 1), prepared_by="Ada")
        # Asked for, and never built: the figures are still Bob's.
        with connect(settings.warehouse) as connection:
            connection.execute(
                """
                insert into audit.builds (
                    run_id, service_month, as_of, is_closing, code_version, tzdata_version, prepared_by
                ) values ('stopped', %s, %s, true, '1', '2026a', 'Ada')
                """,
                (MARCH, AS_OF),
            )
        with pytest.raises(PreparerDecides):
            approve(settings, HELD_ID, by="Bob")
        assert approve(settings, HELD_ID, by="Ada").is_new

    def test_of_a_decrease_it_is_who_had_the_month_built_again(self, settings):
        close(settings, HIGH, prepared_by="Ada")
        close(settings, LOW, prepared_by="Bob")
        with pytest.raises(PreparerDecides):
            approve(settings, by="bob")
        assert approve(settings, by="Ada").is_new

    def test_of_a_feed_it_is_everybody_whose_month_it_stops(self, settings):
        """Ada's March, though Bob's April is the current build; and Bob's, once its gate counts these rows too."""
        run(settings, LANDED.format(rows_read=100, rows_quarantined=50), role=None)
        assert approvals.pending(settings) == []  # it stops nobody's month yet
        count(settings, build(settings, HELD, prepared_by="Ada", triggered_by="admin"))
        april = build(settings, AccountMonth(), service_month=date(2026, 4, 1), prepared_by="Bob")
        (waits,) = [item for item in approvals.pending(settings) if item.kind == "quarantine_limit"]
        assert (waits.pending_id, waits.preparers) == ("quarantine:claims", "Ada through the account admin")
        assert waits.description == "50 of 100 rows are quarantined; the limit is 10 percent"
        count(settings, april)
        for name in ("ada", "Admin", "BOB"):
            with pytest.raises(PreparerDecides, match="prepared by Ada through the account admin and Bob"):
                approve(settings, "quarantine:claims", by=name)
        # March is somebody else's as soon as they have it counted anew.
        count(settings, build(settings, HELD, prepared_by="Cleo"))
        with pytest.raises(PreparerDecides):
            approve(settings, "quarantine:claims", by="Cleo")
        assert approve(settings, "quarantine:claims", by="Ada").is_new
        assert not [item for item in approvals.pending(settings) if item.kind == "quarantine_limit"]

    def test_of_a_feed_with_other_counts_another_decision_waits(self, settings):
        run(settings, LANDED.format(rows_read=100, rows_quarantined=50), role=None)
        count(settings, build(settings, AccountMonth(), prepared_by="Ada"))
        approve(settings, "quarantine:claims", by="Bob")
        run(settings, LANDED.format(rows_read=1, rows_quarantined=1), role=None)
        assert approvals.pending(settings) == []
        count(settings, build(settings, AccountMonth(), prepared_by="Ada"))
        assert [item.pending_id for item in approvals.pending(settings)] == ["quarantine:claims"]

    @pytest.mark.parametrize("contract_id", ["K|2026-01", "K|1", "2026-01|availability"])
    def test_whatever_the_contract_is_called(self, settings, contract_id):
        build(settings, AccountMonth(), service_month=date(2026, 1, 1), prepared_by="Bob")
        build(settings, replace(HELD, contract_id=contract_id), prepared_by="Ada")
        assert [item.preparers for item in approvals.pending(settings)] == ["Ada"]

    def test_the_database_refuses_it_by_itself(self, settings):
        build(settings, HELD, prepared_by="Ada")
        with pytest.raises(psycopg.errors.CheckViolation, match="decisions_by_another"):
            run(settings, RECORD, " ADA", "cli", role="sla_approver")
        with pytest.raises(psycopg.errors.CheckViolation, match="decisions_via_check"):
            run(settings, RECORD, "Bob", "by telephone", role="sla_approver")
        assert rows(settings, "select count(*) from audit.decisions") == [(0,)]

    @pytest.mark.parametrize("name", ["Ada\u200b", "Ada\nBob"])
    def test_a_name_shows_all_that_it_is(self, settings, name):
        build(settings, HELD, prepared_by="Ada")
        with pytest.raises(approvals.DecisionRefused, match="no name of a person"):
            approve(settings, HELD_ID, by=name)


def count(settings, run_id: str) -> None:
    """The raw gate's record, against a limit of 10 percent: a feed is over it."""
    with connect(settings.warehouse, role="sla_validator") as connection:
        connection.execute("select set_config(%s, '10', true)", (LIMIT_SETTING,))
        connection.execute(
            """
            insert into audit.validations (
                validation_id, run_id, gate, service_month, as_of, candidate_sha256, is_success, expectations
            )
            select gen_random_uuid(), run_id, 'raw', service_month, as_of, audit.inputs_sha256(), false, '[]'
            from audit.builds where run_id = %s
            """,
            (run_id,),
        )


def open_run(settings, run_id: str, *, by: str, service_month: date = MARCH) -> None:
    """What the first task of a run does, when it is run and when it is cleared; then dbt begins."""
    transform.open_build(
        settings,
        run_id=run_id,
        service_month=service_month,
        as_of=AS_OF,
        is_closing=True,
        prepared_by=by,
        triggered_by=by,
    )
    with connect(settings.warehouse) as connection:
        connection.execute("update audit.builds set models_started_at = clock_timestamp() where run_id = %s", (run_id,))


LANDED = """
    insert into raw.source_objects (
        object_id, bucket, key, version_id, etag, sha256, size_bytes, exported_at, landed_at, feed, format, status,
        rows_read, rows_loaded, rows_duplicate, rows_quarantined, is_in_force, last_modified, run_id
    ) values (
        gen_random_uuid(), 'b', format('claims/%s.ndjson', gen_random_uuid()), 'v', 'e', gen_random_uuid(), 1,
        now(), now(), 'claims', 'ndjson', 'loaded', {rows_read}, {rows_read} - {rows_quarantined}, 0,
        {rows_quarantined}, true, now(), 'r'
    )
"""


class TestClearedRuns:
    """Who clears another's run makes no figures under that one's name."""

    def test_a_run_may_be_cleared_as_long_as_nothing_is_new(self, settings):
        build(settings, HELD)
        open_run(settings, "run-of-ada", by="Ada")
        open_run(settings, "april", by="Bob", service_month=date(2026, 4, 1))
        open_run(settings, "run-of-ada", by="Ada")
        assert rows(settings, "select run_id from audit.current_build") == [("run-of-ada",)]
        assert [item.preparers for item in approvals.pending(settings)] == ["Ada"]

    @pytest.mark.parametrize("is_first_task_cleared", [True, False])
    def test_not_after_another_of_the_month(self, settings, is_first_task_cleared):
        """Bob's figures stand; he has Ada's run make them anew, to approve them himself."""
        open_run(settings, "run-of-ada", by="Ada")
        build(settings, HELD, prepared_by="Bob")
        with pytest.raises(transform.BuildMismatch, match="was opened for 2026-03 after run run-of-ada"):
            if is_first_task_cleared:
                open_run(settings, "run-of-ada", by="Ada")
            else:
                with transform._as_opened():
                    run(
                        settings,
                        "update audit.builds set models_started_at = null where run_id = 'run-of-ada'",
                        role=None,
                    )
        with pytest.raises(PreparerDecides):
            approve(settings, HELD_ID, by="Bob")

    def test_not_on_other_exports(self, settings):
        open_run(settings, "run-of-ada", by="Ada")
        run(settings, LANDED.format(rows_read=0, rows_quarantined=0), role=None)
        with pytest.raises(transform.BuildMismatch, match="Other exports are in force than when run run-of-ada"):
            open_run(settings, "run-of-ada", by="Ada")

    @pytest.mark.parametrize("role", ["sla_owner", "sla_transformer", None])
    @pytest.mark.parametrize(
        "statement",
        [
            "update audit.builds set prepared_by = 'Ada'",
            "update audit.builds set triggered_by = null",
            "update audit.builds set inputs_sha256 = null",
            "delete from audit.builds",
            "truncate audit.builds cascade",
        ],
    )
    def test_who_prepared_it_is_on_record_for_good(self, settings, role, statement):
        open_run(settings, "run-of-bob", by="Bob")
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.RaiseException)):
            run(settings, statement, role=role)

    def test_what_refuses_it_are_the_triggers(self, settings):
        """The planted fault: without them Bob has his figures stand under Ada's name, and approves them."""
        open_run(settings, "run-of-ada", by="Ada")
        build(settings, HELD, prepared_by="Bob")
        run(settings, "alter table audit.builds disable trigger builds_keep", role=None)
        run(settings, "alter table audit.current_build disable trigger current_build_as_opened", role=None)
        open_run(settings, "run-of-ada", by="Ada")
        run(settings, "update audit.builds set prepared_by = 'Ada'", role=None)
        assert approve(settings, HELD_ID, by="Bob").is_new


class TestAtOnce:
    def test_of_two_people_one_decides_and_the_others_are_told(self, settings):
        build(settings, HELD)
        people = [f"Person {number}" for number in range(8)]

        def say(name: str) -> str:
            try:
                return str(approve(settings, HELD_ID, by=name, is_approved=name.endswith(("1", "3", "5", "7"))))
            except approvals.AlreadyDecided as refusal:
                return str(refusal)

        with ThreadPoolExecutor(len(people)) as pool:
            said = list(pool.map(say, people))
        ((decided_by,),) = rows(settings, "select decided_by from audit.decisions")
        assert sum(f"by {decided_by}." in each for each in said) == 1
        assert sum(f"by {decided_by} at" in each and "that stands" in each for each in said) == len(people) - 1

    def test_the_same_words_at_once_are_one_decision(self, settings):
        build(settings, HELD)
        with ThreadPoolExecutor(8) as pool:
            said = list(pool.map(lambda _: approve(settings, HELD_ID), range(8)))
        assert [each.is_new for each in said].count(True) == 1
        assert rows(settings, "select count(*) from audit.decisions") == [(1,)]


@pytest.fixture(scope="module")
def decided(template, warehouse_server, tmp_path_factory) -> Iterator[settings_module.Settings]:
    """One decision, for tests that change nothing."""
    with fresh_books(template, warehouse_server, tmp_path_factory.mktemp("home")) as made:
        build(made, HELD)
        approve(made, HELD_ID)
        yield made


class TestOneWay:
    @pytest.mark.parametrize("statement", [INSERT, DISGUISED], ids=["plain", "disguised"])
    @pytest.mark.parametrize("role", [*ROLES, "sla_owner", None])
    def test_nobody_inserts_directly(self, decided, role, statement):
        refusals = (
            psycopg.errors.InsufficientPrivilege,
            psycopg.errors.ReadOnlySqlTransaction,
            psycopg.errors.ObjectNotInPrerequisiteState,
        )
        with pytest.raises(refusals):
            run(decided, statement, role=role)

    def test_what_refuses_it_is_the_trigger_and_the_grants(self, settings):
        """The planted fault: without them the statement above is a good one."""
        with connect(settings.warehouse) as connection:
            connection.execute("alter table audit.decisions disable trigger decisions_one_way")
            connection.execute("grant insert on audit.decisions to sla_loader")
            connection.execute("grant execute on function audit.person to sla_loader")
        run(settings, INSERT, role="sla_loader")

    @pytest.mark.parametrize("role", sorted({*ROLES} - {"sla_approver"}))
    def test_nobody_else_goes_the_way_of_the_approver(self, decided, role):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="record_decision"):
            run(decided, RECORD, "Ada", "cli", role=role)

    def test_the_way_is_the_owners_and_looks_nothing_up_where_others_write(self, decided):
        assert rows(
            decided,
            """
            select prosecdef, proowner::regrole::text, proconfig, proacl::text
            from pg_proc where proname = 'record_decision'
            """,
        ) == [
            (
                True,
                "sla_owner",
                ["search_path=pg_catalog, pg_temp"],
                "{sla_owner=X/sla_owner,sla_approver=X/sla_owner}",
            )
        ]

    @pytest.mark.parametrize("role", [*ROLES, "sla_owner", None])
    @pytest.mark.parametrize(
        "statement",
        [
            "update audit.decisions set is_approved = false",
            "delete from audit.decisions",
            "truncate audit.decisions",
        ],
    )
    def test_what_was_decided_is_kept_for_good(self, decided, role, statement):
        with pytest.raises(
            (
                psycopg.errors.InsufficientPrivilege,
                psycopg.errors.ReadOnlySqlTransaction,
                psycopg.errors.RaiseException,
            ),
            match="append-only" if role in (None, "sla_owner") else "permission denied|read-only",
        ):
            run(decided, statement, role=role)
        assert rows(decided, "select count(*) from audit.decisions where is_approved") == [(1,)]


def run(settings, statement: str, *values: object, role: str | None) -> None:
    """A statement of somebody in this role; of the login itself, which owns the cluster, without one."""
    with connect(settings.warehouse, role=role) as connection:
        connection.execute(statement, values or None)


def test_goodwill_of_one_person_is_one_however_the_name_is_written(settings):
    close(settings, AccountMonth())
    given = {"contract_id": "K-1", "service_month": MARCH, "amount": "25", "because": "kind"}
    assert approvals.goodwill(settings, **given, by="Ada").is_new
    assert not approvals.goodwill(settings, **given, by=" ADA ").is_new
    assert approvals.goodwill(settings, **given, by="Eve").is_new
