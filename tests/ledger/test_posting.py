from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pytest

from slaledger import ledger
from slaledger.ledger import posting
from slaledger.ledger.chain import Draft, append, hold_ledger, read_lines
from slaledger.ledger.planning import Plan
from slaledger.warehouse import connect
from slaledger.zones import ZonesDiffer
from tests.ledger.books import AS_OF, AccountMonth, build, close, lines, publish_terms, rows, validate


def test_fee_1000_usd_at_99_5_is_a_line_of_50(settings):
    result = close(settings, AccountMonth())
    assert (result.statements_appended, result.lines_appended) == (1, 1)
    assert result.amounts_appended == {"USD": Decimal("50.00")}
    (line,) = rows(
        settings,
        """
        select idempotency_key, entry_type, basis, amount::text, settlement, applies_from, credit_percent, monthly_fee,
            uptime_percent, counted_seconds, terms_id, terms_version, claim_id, reason, code_version, tzdata_version
        from billing.credit_line_items
        """,
    )
    assert line == (
        "K-1|2026-03|availability|1", "credit", "availability", "50.00", "future_invoice", date(2026, 5, 1),
        Decimal(5), Decimal(1000), Decimal("99.5"), Decimal(13392), "klink-enterprise", "2026-01", "CL-1",
        "5 % of 1000 USD", "1.0+test", "2026a",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fee", "currency", "amount"),
    [("1999", "JPY", "100"), ("10.005", "KWD", "0.500"), ("0.50", "USD", "0.03")],
)
def test_amounts_are_exact_to_the_minor_unit(settings, fee, currency, amount):
    close(settings, AccountMonth(monthly_fee=Decimal(fee), currency=currency, amount=Decimal(amount)))
    assert lines(settings) == [("K-1", "credit", Decimal(amount), currency)]


@pytest.mark.parametrize(
    ("currency", "amount"), [("USD", "0.025"), ("JPY", "99.95"), ("XXX", "1"), ("USD", "NaN"), ("USD", "Infinity")]
)
def test_an_amount_that_is_not_exact_closes_nothing(settings, currency, amount):
    """Where the mart would take it, too."""
    with connect(settings.warehouse) as connection:
        connection.execute("alter table marts.fct_credits drop constraint credits_amount_is_never_negative")
    with pytest.raises(ledger.AmountNotPostable, match="K-1"):
        close(settings, AccountMonth(currency=currency, amount=Decimal(amount)))
    assert rows(settings, "select from billing.sla_statements") == []


def test_lines_that_do_not_add_up_to_what_is_owed_are_not_kept(settings):
    with connect(settings.warehouse) as connection:
        connection.execute(
            """
            create function skim() returns trigger language plpgsql as $$
                begin new.amount = new.amount - 0.01; return new; end $$;
            create trigger skim before insert on billing.credit_line_items for each row execute function skim();
            """
        )
    with pytest.raises(ledger.LinesDoNotAddUp, match=r"K-1 is owed 50 USD for 2026-03.*add up to 49\.99"):
        close(settings, AccountMonth())
    assert rows(settings, "select from billing.sla_statements") == lines(settings) == []


def test_what_the_database_refuses_is_told_by_name(settings, monkeypatch):
    """Where the code itself would let it through."""
    monkeypatch.setattr(posting, "_require_nothing_left", lambda *_: None)
    monkeypatch.setattr(
        posting, "plan", lambda balances: Plan(tuple((each, None) for each in balances[1:]), (), (), ())
    )
    with pytest.raises(ledger.RefusedAtCommit, match=r"K-1 .* add up to 0 USD, and 50\.00 is owed.*by hand"):
        close(settings, AccountMonth(), AccountMonth(contract_id="K-2"))
    assert rows(settings, "select from billing.sla_statements") == lines(settings) == []


def test_a_repeat_appends_nothing(settings):
    run_id = build(settings, AccountMonth())
    validate(settings, run_id)
    ledger.post_month(settings, run_id=run_id)
    again = ledger.post_month(settings, run_id=run_id)
    assert (again.statements_appended, again.lines_appended, again.amounts_appended) == (0, 0, {})
    assert close(settings, AccountMonth()).lines_appended == 0
    assert len(lines(settings)) == 1


def test_eight_at_once_append_once(settings):
    run_id = build(settings, *(AccountMonth(contract_id=f"K-{number}") for number in range(20)))
    validate(settings, run_id)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: ledger.post_month(settings, run_id=run_id), range(8)))
    assert sorted(result.lines_appended for result in results) == [0] * 7 + [20]
    assert sorted(result.statements_appended for result in results) == [0] * 7 + [20]
    assert len(lines(settings)) == 20


def test_fee_zero_states_and_makes_no_line(settings):
    result = close(settings, AccountMonth(monthly_fee=Decimal(0), amount=Decimal(0)))
    assert (result.statements_appended, result.lines_appended) == (1, 0)


@pytest.mark.parametrize("status", ["eligible_unclaimed", "expired", "pending", "not_eligible"])
def test_what_is_not_owed_makes_no_line(settings, status):
    assert close(settings, AccountMonth(credit_status=status)).lines_appended == 0


@pytest.mark.parametrize("status", ["held", "blocked"])
def test_held_and_blocked_account_months_wait_and_the_rest_is_done(settings, status):
    paid = AccountMonth(contract_id="K-2")
    close(settings, AccountMonth(), paid)
    waits = AccountMonth(status=status, reason="because", credit_status=status, amount=None, credit_percent=None)
    more = dataclasses.replace(paid, amount=Decimal("100.00"), credit_percent=Decimal(10))
    result = close(settings, waits, more)
    assert getattr(result, status) == (ledger.Waiting("K-1", "because"),)
    assert lines(settings)[2:] == [("K-2", "adjustment", Decimal(50), "USD")]
    assert result.overpaid == ()
    assert rows(
        settings, "select revision, status from billing.sla_statements where contract_id = 'K-1' order by revision"
    ) == [(1, "measured"), (2, status)]


def test_an_increase_is_an_adjustment_of_the_difference(settings):
    close(settings, AccountMonth())
    close(settings, AccountMonth(uptime_percent=Decimal("98.5"), credit_percent=Decimal(10), amount=Decimal(100)))
    assert lines(settings) == [("K-1", "credit", Decimal(50), "USD"), ("K-1", "adjustment", Decimal(50), "USD")]
    ((first, corrects, reason),) = rows(
        settings,
        """
        select credit.line_item_id, adjustment.corrects_line_item_id, adjustment.reason
        from billing.credit_line_items as credit, billing.credit_line_items as adjustment
        where credit.entry_type = 'credit' and adjustment.entry_type = 'adjustment'
        """,
    )
    assert corrects == first
    assert reason == "Owed 100 USD, posted 50: credit percent was 5, is 10"


def test_uptime_that_changes_within_its_tier_is_a_revision_and_no_line(settings):
    close(settings, AccountMonth())
    result = close(settings, AccountMonth(uptime_percent=Decimal("99.4"), counted_seconds=Decimal("16070.4")))
    assert (result.statements_appended, result.lines_appended) == (1, 0)
    assert rows(settings, "select revision, uptime_percent from billing.sla_statements order by revision") == [
        (1, Decimal("99.5")),
        (2, Decimal("99.4")),
    ]


def test_a_figure_written_with_more_zeros_is_no_revision(settings):
    close(settings, AccountMonth())
    assert close(settings, AccountMonth(uptime_percent=Decimal("99.500"))).statements_appended == 0


def test_a_new_claim_later_is_a_line_without_a_revision(settings):
    close(settings, AccountMonth(credit_status="eligible_unclaimed", claim_id=None))
    result = close(settings, AccountMonth())
    assert (result.statements_appended, result.lines_appended) == (0, 1)


def test_both_bases_have_their_own_lines(settings):
    response = AccountMonth(basis="response_time", credit_percent=Decimal(1), amount=Decimal("10.00"))
    close(settings, AccountMonth(), response)
    assert rows(settings, "select basis, amount from billing.credit_line_items order by chain_position") == [
        ("availability", Decimal(50)),
        ("response_time", Decimal(10)),
    ]


def test_a_contract_id_with_separators_has_its_own_key(settings):
    close(settings, AccountMonth(contract_id="K|2026-03"), AccountMonth(contract_id="K"))
    assert len(lines(settings)) == 2


def test_applies_from_follows_the_zone_of_the_terms(settings):
    publish_terms(settings, terms_id="kiritimati", time_zone="Pacific/Kiritimati")
    # 30 April, 12:00 UTC is 1 May there: the first of the month after is in June.
    close(settings, AccountMonth(terms_id="kiritimati"), as_of=datetime(2026, 4, 30, 12, tzinfo=UTC))
    assert rows(settings, "select applies_from from billing.credit_line_items") == [(date(2026, 6, 1),)]


class TestRefused:
    def test_another_build_is_current(self, settings):
        first = build(settings, AccountMonth())
        validate(settings, first)
        build(settings, AccountMonth())
        with pytest.raises(ledger.NotCurrentBuild, match=first):
            ledger.post_month(settings, run_id=first)

    def test_not_closing(self, settings):
        with pytest.raises(ledger.NotClosing, match="--close"):
            close(settings, AccountMonth(), is_closing=False)

    def test_provisional(self, settings):
        with pytest.raises(ledger.MonthNotOver, match="K-1"):
            close(settings, AccountMonth(status="provisional", credit_status="pending", amount=None))

    def test_over_in_utc_but_not_in_the_zone_of_the_terms(self, settings):
        publish_terms(settings, terms_id="hawaii", time_zone="Pacific/Honolulu")
        with pytest.raises(ledger.MonthNotOver, match="K-2"):
            close(
                settings,
                AccountMonth(),
                AccountMonth(contract_id="K-2", terms_id="hawaii"),
                as_of=datetime(2026, 4, 1, 9, 59, 59, tzinfo=UTC),
            )

    def test_a_month_without_contracts_that_is_not_over(self, settings):
        with pytest.raises(ledger.MonthNotOver):
            close(settings, as_of=datetime(2026, 3, 31, tzinfo=UTC))
        assert close(settings).statements_appended == 0

    @pytest.mark.parametrize("gates", [(), ("raw",), ("marts",)])
    def test_a_gate_did_not_run(self, settings, gates):
        run_id = build(settings, AccountMonth())
        validate(settings, run_id, gates=gates)
        with pytest.raises(ledger.NotValidated, match=run_id):
            ledger.post_month(settings, run_id=run_id)

    def test_a_gate_failed_after_it_held(self, settings):
        run_id = build(settings, AccountMonth())
        validate(settings, run_id)
        validate(settings, run_id, is_success=False, gates=("marts",))
        with pytest.raises(ledger.NotValidated, match="failed"):
            ledger.post_month(settings, run_id=run_id)

    def test_another_runs_validation_is_none(self, settings):
        validate(settings, build(settings, AccountMonth()))
        run_id = build(settings, AccountMonth())
        with pytest.raises(ledger.NotValidated):
            ledger.post_month(settings, run_id=run_id)

    @pytest.mark.parametrize(
        "change",
        [
            "update marts.fct_credits set amount = amount + 1",
            "update marts.fct_account_months set counted_seconds = counted_seconds + 0.000001",
            """
            insert into marts.fct_claims (
                claim_id, service_month, received_at, deadline_at, status, terms_id, terms_version, decision_subject,
                decision_digest
            )
            values ('CL-9', '2026-03-01', '2026-04-01Z', '2026-04-11Z', 'pending', 'terms', '2026-01', 's', 'd')
            """,
            """
            insert into marts.fct_account_downtime (
                contract_id, service_month, started_at, ended_at, kind, services, categories, source_ids
            ) values ('K-1', '2026-03-01', '2026-03-02Z', '2026-03-03Z', 'counted', '{}', '{}', '{}')
            """,
        ],
    )
    def test_the_marts_changed_after_the_gate(self, settings, change):
        run_id = build(settings, AccountMonth())
        validate(settings, run_id)
        with connect(settings.warehouse) as connection:
            connection.execute(change)
        with pytest.raises(ledger.NotValidated, match="not those"):
            ledger.post_month(settings, run_id=run_id)
        assert rows(settings, "select from billing.sla_statements") == []

    def test_an_object_landed_after_the_gate(self, settings):
        run_id = build(settings, AccountMonth())
        validate(settings, run_id)
        with connect(settings.warehouse) as connection:
            connection.execute(
                """
                insert into raw.source_objects (
                    object_id, bucket, key, version_id, etag, sha256, size_bytes, exported_at, landed_at, feed,
                    format, status, last_modified, run_id
                ) values (
                    gen_random_uuid(), 'b', 'late.csv', '1', 'e', 'f', 0, now(), now(), 'accounts/fees',
                    'csv', 'loaded', now(), 'other'
                )
                """
            )
        with pytest.raises(ledger.NotValidated, match="a landing came between"):
            ledger.post_month(settings, run_id=run_id)
        assert rows(settings, "select count(*) from billing.credit_line_items") == [(0,)]

    def test_a_zone_is_not_the_recorded_one(self, settings):
        # PostgreSQL takes this for an offset; `tzdata` has no such zone.
        publish_terms(settings, terms_id="elsewhere", time_zone="XYZ5")
        with pytest.raises(ZonesDiffer, match="XYZ5 is no zone of tzdata"):
            close(settings, AccountMonth())
        assert rows(settings, "select from billing.sla_statements") == []


class TestIdempotencyKey:
    def _drafts(self, settings):
        close(settings, AccountMonth())
        with connect(settings.warehouse) as connection:
            (line,) = read_lines(connection)
        names = [field.name for field in dataclasses.fields(Draft)]
        return Draft(**{name: getattr(line, name) for name in names})

    def test_the_same_payload_is_no_second_line(self, settings):
        draft = self._drafts(settings)
        with connect(settings.warehouse) as connection:
            hold_ledger(connection)
            assert append(connection, [draft], recorded_at=AS_OF) == []
        assert len(lines(settings)) == 1

    @pytest.mark.parametrize("change", [{"amount": Decimal("50.01")}, {"currency": "EUR"}])
    def test_another_payload_is_refused_naming_both(self, settings, change):
        draft = dataclasses.replace(self._drafts(settings), **change)
        with (
            pytest.raises(ledger.IdempotencyPayloadMismatch, match=r"credit of 50 USD; .* credit of 50"),
            connect(settings.warehouse) as connection,
        ):
            hold_ledger(connection)
            append(connection, [draft], recorded_at=AS_OF)

    def test_a_fork_of_the_chain_is_refused(self, settings):
        self._drafts(settings)
        with pytest.raises(psycopg.errors.UniqueViolation), connect(settings.warehouse) as connection:
            connection.execute("create temp table fork as select * from billing.credit_line_items")
            connection.execute(
                """
                update fork set line_item_id = gen_random_uuid(), ordinal = 1, chain_position = 2,
                    contract_id = 'K-9', idempotency_key = 'K-9|2026-03|availability|1', line_hash = repeat('0', 64)
                """
            )
            connection.execute("insert into billing.credit_line_items select * from fork")
