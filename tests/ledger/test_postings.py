"""The biller in `psql`: whatever it appends that was not validated or is not owed is refused when it commits."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import psycopg.rows
import pytest

from slaledger import approvals, ledger
from slaledger.ledger import posting as closing
from slaledger.ledger.chain import HOLD_DECISIONS, LEDGER_LOCK, Draft, append, read_lines
from slaledger.ledger.planning import draft_lines, plan
from slaledger.ledger.postings import Origin, Posting, insert_posting, last_posting, seal, statement_hash
from slaledger.ledger.preconditions import read_build
from slaledger.warehouse import connect
from tests.ledger.books import MARCH, AccountMonth, build, close, lines, rows, validate

UP = AccountMonth(amount=Decimal(100), credit_percent=Decimal(10), uptime_percent=Decimal("98.5"))
NEW = AccountMonth(contract_id="K-2", currency="JPY", amount=Decimal(100))


def as_is(given):
    return given


def resealed(posting: Posting, **changes: object) -> Posting:
    """Another posting, with the hash that its columns give."""
    changed = dataclasses.replace(posting, **changes)
    return changed if "posting_hash" in changes else dataclasses.replace(changed, posting_hash=changed.computed_hash())


def forge(
    settings,
    run_id: str,
    *,
    drafts: Callable[[list[Draft]], Sequence[Draft]] = as_is,
    origin: Callable[[Origin], Origin] = as_is,
    posting: Callable[[Posting], Posting] = as_is,
    before: str = "select",
    validations: dict | None = None,
) -> None:
    """Append what the run makes due as `post_month` does, but ask nothing first, and change what is given."""
    with connect(settings.warehouse, role="sla_biller") as connection:
        connection.execute(before)
        connection.execute(LEDGER_LOCK)
        connection.execute(HOLD_DECISIONS)
        opened, last = read_build(connection, run_id), last_posting(connection)
        evidence = closing._Evidence(connection)
        hashes = closing._append_statements(connection, opened, evidence, number=last.posting_number + 1)
        balances = closing.read_balances(connection, service_month=opened.service_month, as_of=opened.as_of)
        # Decreases, too: as if somebody had approved.
        due = [
            (balance, "Ada" if balance.difference < 0 else None)
            for balance in [*(each for each, _ in plan(balances, {}).due), *plan(balances, {}).overpaid]
        ]
        made = draft_lines(
            due,
            evidence=evidence.digests({balance.contract_id for balance, _ in due}),
            run_id=run_id,
            code_version=opened.code_version,
            tzdata_version=opened.tzdata_version,
        )
        appended = append(connection, drafts(made), recorded_at=opened.recorded_at)
        rests_on = closing._origin(connection, opened) if validations is None else _resting_on(opened, validations)
        sealed = seal(connection, last, origin(rests_on), lines=appended, statement_hashes=hashes)
        insert_posting(connection, posting(sealed))


def _resting_on(opened, validations: dict) -> Origin:
    names = ("run_id", "service_month", "prepared_by", "code_version", "tzdata_version", "recorded_at", "as_of")
    return Origin(kind="close", **{name: getattr(opened, name) for name in names}, **validations)


INVENTED = {
    "raw_validation_id": uuid.UUID(int=1),
    "marts_validation_id": uuid.UUID(int=2),
    "inputs_sha256": "0" * 64,
    "candidate_sha256": "0" * 64,
}


@pytest.fixture(scope="module")
def pending(closed_books) -> tuple:
    """One posting, and a run whose gates let it post: an increase and another contract's credit are due."""
    run_id = build(closed_books, UP, NEW)
    validate(closed_books, run_id)
    return closed_books, run_id


@pytest.fixture
def refused(pending):
    """Forge, and demand that the database refuses it when it commits, saying so; and that nothing is left of it."""

    def check(message: str, **changes) -> None:
        settings, run_id = pending
        with pytest.raises(psycopg.errors.CheckViolation, match=message):
            forge(settings, run_id, **changes)
        assert len(lines(settings)) == 1
        assert rows(settings, "select count(*) from billing.sla_statements") == [(1,)]

    return check


def test_what_is_validated_and_owed_is_taken(settings):
    """The forger changes nothing: so it is what is changed below that is refused."""
    close(settings, AccountMonth())
    run_id = build(settings, UP, NEW)
    validate(settings, run_id)
    forge(settings, run_id)
    assert [line[1:] for line in lines(settings)] == [
        ("credit", Decimal(50), "USD"), ("adjustment", Decimal(50), "USD"), ("credit", Decimal(100), "JPY")
    ]  # fmt: skip


def test_what_appends_nothing_is_no_posting(settings):
    assert close(settings, AccountMonth()).posting_number == 1
    assert close(settings, AccountMonth()).posting_number is None
    # A revision of the statement alone is one.
    assert close(settings, AccountMonth(uptime_percent=Decimal("99.4"))).posting_number == 2
    assert rows(settings, "select posting_number, statement_count, line_count from billing.postings order by 1") == [
        (1, 1, 1),
        (2, 1, 0),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Decimal("50.01")},
        {"amount": Decimal("49.99")},
        {"currency": "EUR"},
        {"contract_id": "K-9"},
        {"basis": "response_time"},
    ],
)
def test_an_amount_that_is_not_owed_is_refused(refused, changes):
    refused(
        r"add up to .* owed",
        drafts=lambda made: [dataclasses.replace(made[0], **changes), *made[1:]],
    )


def test_a_line_too_few_is_refused(refused):
    refused(r"contract K-2 \(availability\) add up to 0 JPY, and 100 is owed", drafts=lambda made: made[:1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"uptime_percent": Decimal("98.4")}, "figures of line"),
        ({"counted_seconds": Decimal(1)}, "figures of line"),
        ({"claim_id": "CL-9"}, "figures of line"),
        ({"account_id": "A-9"}, "figures of line"),
        ({"monthly_fee": Decimal(999)}, "figures of line"),
        ({"terms_version": "2025-01"}, "figures of line"),
        ({"ordinal": 3}, "is not the next of its contract"),
        ({"run_id": "another"}, "is another posting's"),
        ({"code_version": "another"}, "is another posting's"),
    ],
)
def test_a_line_that_says_something_else_is_refused(refused, changes, message):
    refused(message, drafts=lambda made: [dataclasses.replace(made[0], **changes), *made[1:]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda posting: resealed(posting, line_count=1, last_position=2), "outside every posting"),
        (lambda posting: resealed(posting, line_count=3, last_position=4), "it says 3 lines"),
        (lambda posting: resealed(posting, statement_count=1), "it says 1 statements"),
        (lambda posting: resealed(posting, statements_sha256="0" * 64), "or others"),
        (lambda posting: resealed(posting, sums={"USD": "50", "JPY": "101"}), "it says 2 lines of"),
        (lambda posting: resealed(posting, head_hash="0" * 64), "head of the chain"),
        (lambda posting: resealed(posting, first_position=3, last_position=4), "outside every posting"),
        (lambda posting: resealed(posting, previous_hash="0" * 64), "does not follow"),
        (lambda posting: resealed(posting, recorded_at=datetime(2020, 1, 1, tzinfo=UTC)), "does not follow"),
        (lambda posting: resealed(posting, posting_hash="0" * 64), "do not give its hash"),
        (lambda posting: resealed(posting, decisions_through=7, decision_hashes=["0" * 64]), "decisions"),
        (lambda posting: resealed(posting, prepared_by="Mallory"), "is not the one whose build is current"),
        (lambda posting: resealed(posting, as_of=datetime(2027, 1, 1, tzinfo=UTC)), "or is another posting's"),
        (lambda posting: resealed(posting, inputs_sha256="0" * 64), "other exports are in force"),
        (lambda posting: resealed(posting, candidate_sha256="0" * 64), "the marts are not those"),
        (lambda posting: resealed(posting, marts_validation_id=uuid.UUID(int=9)), "no successful validation"),
        (lambda posting: resealed(posting, raw_validation_id=uuid.UUID(int=9)), "no successful validation"),
    ],
)
def test_a_posting_that_says_something_else_is_refused(refused, change, message):
    refused(message, posting=change)


def test_a_snapshot_of_before_is_refused(refused):
    refused("is not read committed", before="set transaction isolation level repeatable read")


@pytest.mark.parametrize("gates", [(), ("raw",), ("marts",)])
def test_without_a_validation_by_both_gates_nothing_is_taken(settings, gates):
    close(settings, AccountMonth())
    run_id = build(settings, UP)
    validate(settings, run_id, gates=gates)
    with connect(settings.warehouse) as connection:
        digests = {
            "inputs_sha256": ledger.inputs_sha256(connection), "candidate_sha256": ledger.candidate_sha256(connection)
        }  # fmt: skip
    with pytest.raises(psycopg.errors.CheckViolation, match="no successful validation"):
        forge(settings, run_id, validations={**INVENTED, **digests})
    assert len(lines(settings)) == 1


def test_a_validation_that_failed_after_one_that_held_is_the_one_that_counts(settings):
    close(settings, AccountMonth())
    run_id = build(settings, UP)
    validate(settings, run_id)
    with connect(settings.warehouse, role="sla_biller") as connection:
        held = closing._origin(connection, read_build(connection, run_id))
    validate(settings, run_id, is_success=False, gates=("marts",))
    with pytest.raises(psycopg.errors.CheckViolation, match="no successful validation"):
        forge(settings, run_id, origin=lambda origin: dataclasses.replace(held, recorded_at=origin.recorded_at))


def test_marts_that_changed_after_the_gates_are_not_posted(settings):
    close(settings, AccountMonth())
    run_id = build(settings, UP)
    validate(settings, run_id)
    with connect(settings.warehouse) as connection:
        connection.execute("update marts.fct_credits set amount = 1000")
    with pytest.raises(psycopg.errors.CheckViolation, match="the marts are not those"):
        forge(settings, run_id)
    with connect(settings.warehouse) as connection:
        now = ledger.candidate_sha256(connection)
    with pytest.raises(psycopg.errors.CheckViolation, match="no successful validation"):
        forge(settings, run_id, origin=lambda origin: dataclasses.replace(origin, candidate_sha256=now))


def test_a_decrease_needs_the_decision_of_another_on_these_figures(settings):
    close(settings, UP)
    run_id = build(settings, AccountMonth(), prepared_by="Bob")
    validate(settings, run_id)
    with pytest.raises(psycopg.errors.CheckViolation, match="has approved it as Ada"):
        forge(settings, run_id)
    approvals.decide(settings, "decrease:K-1:2026-03:availability", is_approved=True, by="Cleo", because="restated")
    with pytest.raises(psycopg.errors.CheckViolation, match="has approved it as Ada"):
        forge(settings, run_id)
    assert ledger.post_month(settings, run_id=run_id).lines_appended == 1


def test_a_decision_on_other_figures_takes_nothing_back(settings):
    close(settings, UP)
    validate(settings, build(settings, AccountMonth(), prepared_by="Bob"))
    approvals.decide(settings, "decrease:K-1:2026-03:availability", is_approved=True, by="Ada", because="restated")
    run_id = build(settings, AccountMonth(amount=Decimal(10), credit_percent=Decimal(1)), prepared_by="Bob")
    validate(settings, run_id)
    with pytest.raises(psycopg.errors.CheckViolation, match="has approved it as Ada"):
        forge(settings, run_id)


@pytest.mark.parametrize(
    "change", [{"amount": Decimal(6)}, {"approved_by": "Cleo"}, {"contract_id": "K-9"}, {"currency": "EUR"}]
)
def test_goodwill_is_what_was_approved(settings, monkeypatch, change):
    from slaledger.ledger import goodwill

    close(settings, AccountMonth())
    plain = goodwill.append
    monkeypatch.setattr(
        goodwill, "append", lambda connection, drafts, **when: plain(
            connection, [dataclasses.replace(draft, **change) for draft in drafts], **when
        ),
    )  # fmt: skip
    with pytest.raises(ledger.RefusedAtCommit, match="goodwill, and nobody"):
        approvals.goodwill(
            settings, contract_id="K-1", service_month=MARCH, amount="5", by="Ada", because="late", prepared_by="Bob"
        )
    assert rows(settings, "select from audit.decisions") == []


def test_a_credit_in_the_name_of_goodwill_is_refused(refused):
    refused(
        "is another posting's",
        posting=lambda posting: resealed(
            posting, kind="goodwill", as_of=None, raw_validation_id=None, marts_validation_id=None, inputs_sha256=None,
            candidate_sha256=None, statement_count=0,
        ),
    )  # fmt: skip


class TestOutsideAPosting:
    def test_a_line(self, pending):
        settings, _ = pending
        with (
            pytest.raises(psycopg.errors.CheckViolation, match="outside every posting"),
            connect(settings.warehouse, role="sla_biller") as connection,
        ):
            (line,) = read_lines(connection)
            draft = Draft(**{name: getattr(line, name) for name in Draft.__dataclass_fields__})
            further = {"entry_type": "adjustment", "ordinal": 2, "corrects_line_item_id": line.line_item_id}
            append(connection, [dataclasses.replace(draft, **further)], recorded_at=line.recorded_at)

    def test_a_statement(self, pending):
        settings, _ = pending
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            self._state(settings, number=2)

    def test_a_statement_in_an_old_posting(self, pending):
        settings, _ = pending
        with pytest.raises(psycopg.errors.CheckViolation, match="posting 1, which is there already"):
            self._state(settings, number=1)

    def _state(self, settings, *, number: int) -> None:
        with connect(settings.warehouse, role="sla_biller") as connection:
            cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
            row = cursor.execute("select * from billing.sla_statements").fetchone()
            row |= {"statement_id": uuid.uuid4(), "contract_id": "K-9", "posting_number": number}
            row["statement_hash"] = statement_hash(row)
            names = ", ".join(row)
            connection.execute(
                f"insert into billing.sla_statements ({names}) values ({', '.join(f'%({name})s' for name in row)})", row
            )


def test_it_is_the_database_that_refuses(settings):
    """With its trigger gone, the same forgery is taken."""
    close(settings, AccountMonth())
    run_id = build(settings, UP)
    validate(settings, run_id)
    with connect(settings.warehouse) as connection:
        connection.execute("alter table billing.postings disable trigger postings_checked")
    forge(settings, run_id, drafts=lambda made: [dataclasses.replace(made[0], amount=Decimal(1_000_000))])
    assert lines(settings)[1][2] == Decimal(1_000_000)


def test_the_marts_owner_cannot_have_the_owners_rights_run_its_code(settings):
    """A view in the place of a mart would be read with the rights of the books' owner."""
    close(settings, AccountMonth())
    with connect(settings.warehouse) as connection:
        connection.execute("set local role sla_transformer")
        connection.execute("alter table marts.fct_claims rename to claims")
        connection.execute("create view marts.fct_claims as select * from marts.claims")
    with (
        pytest.raises(psycopg.errors.RaiseException, match=r"marts\.fct_claims is no plain table"),
        connect(settings.warehouse, role="sla_validator") as connection,
    ):
        ledger.candidate_sha256(connection)
