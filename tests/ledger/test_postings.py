"""The biller in `psql`: whatever it appends that was not validated or is not owed is refused when it commits."""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import psycopg.rows
import pytest

from slaledger import approvals, ledger
from slaledger.ledger import goodwill
from slaledger.ledger import posting as closing
from slaledger.ledger.canonical import line_item_id, statement_id, text_digest
from slaledger.ledger.chain import Draft, append, hold_ledger, read_lines
from slaledger.ledger.planning import draft_lines, plan
from slaledger.ledger.postings import Origin, Posting, insert_posting, last_posting, seal, statement_hash
from slaledger.ledger.preconditions import read_build
from slaledger.warehouse import connect
from tests.ledger.books import MARCH, AccountMonth, build, close, lines, rows, validate

UP = AccountMonth(amount=Decimal(100), credit_percent=Decimal(10), uptime_percent=Decimal("98.5"))
SAME = AccountMonth(contract_id="K-3", credit_status="expired")
NEW = AccountMonth(contract_id="K-2", currency="JPY", amount=Decimal(100))


def as_is(given):
    return given


def resealed(posting: Posting, **changes: object) -> Posting:
    """Another posting, with the hash that its columns give."""
    changed = dataclasses.replace(posting, **changes)
    return changed if "posting_hash" in changes else dataclasses.replace(changed, posting_hash=changed.computed_hash())


class Taken(Exception):
    """Not a fault: the books would take it, and it is given up."""


def plant(connection, function: str, *changes: tuple[str, str]) -> None:
    """Have a function, of the books unless told otherwise, say something else, within this transaction."""
    name = function if "." in function else f"billing.{function}"
    (text,) = connection.execute("select pg_get_functiondef(%s::regproc)", (name,)).fetchone()
    for was, now in changes:
        assert text.count(was) == 1, f"{function} no longer says {was!r} once: plant the fault where it is now"
        text = text.replace(was, now)
    connection.execute(text)


@contextmanager
def checked(settings) -> Iterator[psycopg.Connection]:
    """A superuser's transaction, checked as at COMMIT, that ends in `Taken` if it is not refused."""
    with connect(settings.warehouse) as connection:
        yield connection
        connection.execute("set constraints all immediate")
        raise Taken


def turn_biller(connection, plants: Sequence[tuple], *, role: str = "sla_biller") -> None:
    """Plant the faults, and go on as the biller."""
    for function, *changes in plants:
        plant(connection, function, *changes)
    connection.execute(f"set local role {role}")


def forge(
    settings,
    run_id: str,
    *,
    drafts: Callable[[list[Draft]], Sequence[Draft]] = as_is,
    origin: Callable[[Origin], Origin] = as_is,
    posting: Callable[[Posting], Posting] = as_is,
    statements: Callable[[list[dict]], list[dict]] = as_is,
    document: Callable[[dict], object] = as_is,
    recorded_at: Callable[[Posting], datetime] | None = None,
    before: str = "select",
    hold: Callable[[psycopg.Connection], None] = hold_ledger,
    validations: dict | None = None,
    plants: Sequence[tuple] = (),
) -> None:
    """Append what the run makes due as `post_month` does, but ask nothing first, and change what is given."""
    with checked(settings) if plants else connect(settings.warehouse, role="sla_biller") as connection:
        if plants:
            turn_biller(connection, plants)
        connection.execute(before)
        hold(connection)
        opened, last = read_build(connection, run_id), last_posting(connection)
        if recorded_at:
            opened = dataclasses.replace(opened, recorded_at=recorded_at(last))
        evidence = closing._Evidence(connection)
        if document is not as_is:
            (held,) = evidence.digests({"K-1"}).values()
            (text,) = connection.execute(
                "select document from billing.evidence where evidence_sha256 = %s", (held,)
            ).fetchone()
            (evidence.held["K-1"],) = evidence._store([json.dumps(document(json.loads(text)))])
        due_statements = closing._draft_statements(connection, opened, evidence, number=last.posting_number + 1)
        hashes = closing._append_statements(connection, statements(due_statements))
        balances = closing.read_balances(connection, service_month=opened.service_month, as_of=opened.as_of)
        # Decreases, too: as if somebody had approved.
        due = [
            (balance, "Ada" if balance.amount < 0 else None)
            for balance in [*(each for each, _ in plan(balances).due), *plan(balances).overpaid]
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
    """Two postings, one line, and a run whose gates let it post: an increase and another contract's credit are due."""
    close(closed_books, AccountMonth(), SAME)
    run_id = build(closed_books, UP, NEW, SAME)
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
        assert rows(settings, "select count(*) from billing.sla_statements") == [(2,)]

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


def ignoring(column: str) -> tuple:
    """Planted: a line is compared with what is due but for a column."""
    return "check_close", ("'owed_amount', 'posted_amount'", f"'{column}', 'owed_amount', 'posted_amount'")


def first(**changes: object) -> dict:
    """A forgery of the first line, an increase of K-1."""
    return {"drafts": lambda made: [dataclasses.replace(made[0], **changes), *made[1:]]}


def further(**changes: object) -> dict:
    """A second line for what the first is due; for a decimal, that much of it goes over to the second."""

    def draft(made: list[Draft]) -> list[Draft]:
        part = changes.get("part", Decimal(0))
        second = dataclasses.replace(made[0], ordinal=made[0].ordinal + 1, amount=part or made[0].amount)
        return [dataclasses.replace(made[0], amount=made[0].amount - part), second, *made[1:]]

    return {"drafts": draft}


def correcting_another_contract(made: list[Draft]) -> list[Draft]:
    other = line_item_id(made[1].idempotency_key)
    return [made[1], dataclasses.replace(made[0], corrects_line_item_id=other)]


def restated(**changes: object) -> dict:
    """A forgery of the first statement, of K-1."""
    return {"statements": lambda made: [{**made[0], **changes}, *made[1:]]}


def with_superfluous(made: list[dict]) -> list[dict]:
    """Of K-3, whose figures are those of its last statement."""
    changes = {"contract_id": "K-3", "revision": 2, "terms_version": "2026-01"}
    own = {"counted_seconds": SAME.counted_seconds, **dict.fromkeys(
        ("uptime_percent", "uptime_percent_low", "uptime_percent_alternative"), SAME.uptime_percent
    )}  # fmt: skip
    made_id = statement_id("K-3", service_month=MARCH, revision=2)
    return [*made, {**made[0], **changes, **own, "statement_id": made_id}]


def in_kuwait(document: dict) -> dict:
    """From the evidence goodwill takes its currency."""
    return {**document, "credits": [{**credit, "currency": "KWD"} for credit in document["credits"]]}


NOT_DUE = r"line \S+ of contract K-1 is not what is due: its "
NO_EVIDENCE = r"the evidence of (statement|line) \S+ is not of its account-month"
STATEMENT = r"statement \S+ of contract K-1 is not the account-month of the marts: its "
SINGLE = ("check_close", ("when line_count > 1 then", "when false then"))
UNHELD = ("check_posting", ("new.recorded_at not between transaction_timestamp() and clock_timestamp()", "false"))


# What is forged, what the books say of it, and the check without which they take it.
@pytest.mark.parametrize(
    ("changes", "message", "plants"),
    [
        (first(amount=Decimal("50.01")), f"{NOT_DUE}amount[\n.]", [ignoring("amount")]),
        (first(amount=Decimal("49.99")), f"{NOT_DUE}amount[\n.]", [ignoring("amount")]),
        (first(currency="EUR"), "line .* of contract K-1 is not due in its currency", []),
        (first(contract_id="K-9"), "line .* of contract K-9 is not due", []),
        (first(basis="response_time"), "line .* of contract K-1 is not due", []),
        ({"drafts": lambda made: made[:1]}, r"contract K-2 \(availability\) add up to 0 JPY, and 100 is owed", [
            ("check_close", ("(wanted).amount > 0 and not is_decrease_open", "false"))
        ]),
        (further(), "line .* of contract K-1 is one of 2 for what is due once", [SINGLE]),
        (further(part=Decimal(20)), f"{NOT_DUE}amount[\n.]", [
            ("check_close", *ignoring("amount")[1:], *SINGLE[1:])
        ]),
        (first(uptime_percent=Decimal("98.4")), f"{NOT_DUE}uptime_percent[\n.]", [ignoring("uptime_percent")]),
        (first(counted_seconds=Decimal(1)), f"{NOT_DUE}counted_seconds[\n.]", [ignoring("counted_seconds")]),
        (first(credit_percent=Decimal(11)), f"{NOT_DUE}credit_percent[\n.]", [ignoring("credit_percent")]),
        (first(monthly_fee=Decimal(999)), f"{NOT_DUE}monthly_fee[\n.]", [ignoring("monthly_fee")]),
        (first(claim_id="CL-9"), f"{NOT_DUE}claim_id[\n.]", [ignoring("claim_id")]),
        (first(account_id="A-9"), f"{NOT_DUE}account_id[\n.]", [ignoring("account_id")]),
        (first(terms_id="klink-growth"), f"{NOT_DUE}terms_id[\n.]", [ignoring("terms_id")]),
        (first(terms_version="2025-01"), f"{NOT_DUE}terms_version[\n.]", [ignoring("terms_version")]),
        (first(applies_from=date(2026, 4, 1)), f"{NOT_DUE}applies_from[\n.]", [ignoring("applies_from")]),
        (first(applies_from=date(2096, 5, 1)), f"{NOT_DUE}applies_from[\n.]", [ignoring("applies_from")]),
        (first(reason="because"), f"{NOT_DUE}reason[\n.]", [ignoring("reason")]),
        ({"drafts": correcting_another_contract}, f"{NOT_DUE}corrects_line_item_id[\n.]", [
            ignoring("corrects_line_item_id")
        ]),
        (first(statement_id=statement_id("K-3", service_month=MARCH, revision=1)), f"{NOT_DUE}statement_id[\n.]", [
            ignoring("statement_id")
        ]),
        (first(approved_by="Ada"), "names an approver, and nobody had to approve it", [
            ("check_close", ("(wanted).amount > 0 and approved_by is not null", "false"))
        ]),
        (first(ordinal=3), "line .* is not the next of its contract", [
            ("check_posting", ("and lines.ordinal <> lines.place", "and false"))
        ]),
        (first(run_id="another"), "is another posting's", []),
        (first(code_version="another"), "is another posting's", []),
        ({"statements": lambda made: made[1:]}, "contract K-1 has no statement in it", [
            ("check_close", ("full join (\n", "left join (\n"))
        ]),
        ({"statements": with_superfluous}, "statement .* of contract K-3 is not due", [
            (
                "check_close",
                ("full join (\n", "right join (\n"),
                ("'contract_id', resting.contract_id,", ""),
                (",\n                'account_month', to_jsonb(months)", ""),
                ("and documents.content ->", "or documents.content ->"),
            )
        ]),
        (restated(uptime_percent=Decimal("98.4")), f"{STATEMENT}uptime_percent[\n.]", [
            ("check_close", ("(to_jsonb(statements) @> to_jsonb(due))", "true"))
        ]),
        (restated(revision=3), f"{STATEMENT}revision[\n.]", [
            ("check_close", ("(to_jsonb(statements) @> to_jsonb(due))", "true"))
        ]),
        (restated(code_version="another"), f"{STATEMENT}code_version[\n.]", [
            ("check_close", ("(to_jsonb(statements) @> to_jsonb(due))", "true"))
        ]),
        ({"document": lambda document: {**document, "contract_id": "K-2"}}, NO_EVIDENCE, [
            ("check_close", ("'contract_id', resting.contract_id,", ""))
        ]),
        ({"document": lambda document: {**document, "service_month": "2026-02-01"}}, NO_EVIDENCE, [
            ("check_close", ("'service_month', posting.service_month,", ""))
        ]),
        ({"document": lambda document: {**document, "as_of": "2026-04-19T12:00:00+00:00"}}, NO_EVIDENCE, [
            ("check_close", ("'as_of', posting.as_of,\n", "'document', 'slaledger account-month evidence 1',\n"))
        ]),
        ({"document": lambda document: {**document, "account_month": None}}, NO_EVIDENCE, [
            ("check_close", (",\n                'account_month', to_jsonb(months)", ""))
        ]),
        (
            {"document": lambda document: {name: said for name, said in document.items() if name != "claims"}},
            NO_EVIDENCE, [("check_close", ("or not documents.has_lists", ""))],
        ),
        ({"document": lambda document: {**document, "terms": {}}}, NO_EVIDENCE, [
            ("check_close", ("or not documents.has_lists", ""))
        ]),
        ({"document": in_kuwait}, NO_EVIDENCE, [
            ("check_close", ("and documents.content ->", "or documents.content ->"))
        ]),
        ({"document": lambda document: {**document, "inputs_sha256": "0" * 64}}, NO_EVIDENCE, [
            ("check_close", ("or not exists (\n            select\n            from billing.evidence", (
                "or false and not exists (\n            select\n            from billing.evidence"
            )))
        ]),
        ({"recorded_at": lambda last: last.recorded_at + timedelta(days=1)}, "at another time than it is", [UNHELD]),
        ({"recorded_at": lambda last: last.recorded_at + timedelta(microseconds=1)}, "at another time", [UNHELD]),
    ],
)  # fmt: skip
def test_what_is_not_due_is_refused_by_its_own_check(pending, refused, changes, message, plants):
    refused(message, **changes)
    if plants:
        with pytest.raises(Taken):
            forge(*pending, **changes, plants=plants)


def test_at_the_time_of_the_posting_before_it_a_clock_may_have_gone_back(pending):
    with pytest.raises(Taken):
        forge(*pending, recorded_at=lambda last: last.recorded_at, plants=[("check_posting",)])


@pytest.mark.parametrize("document", ["[]", "7", "nothing", ""])
def test_evidence_is_a_json_object(pending, document):
    insert = ("insert into billing.evidence values (%s, %s)", (text_digest(document), document))
    with (
        pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.InvalidTextRepresentation)),
        connect(pending[0].warehouse, role="sla_biller") as connection,
    ):
        connection.execute(*insert)
    with pytest.raises(Taken), connect(pending[0].warehouse) as connection:
        connection.execute("alter table billing.evidence drop constraint evidence_is_an_object")
        connection.execute(*insert)
        raise Taken


@pytest.mark.parametrize("is_planted", [False, True])
def test_a_decision_that_is_still_to_come_leaves_no_gap(settings, is_planted):
    """The posting covers a later one, and its own transaction held nothing: its check waits for the earlier one."""
    close(settings, AccountMonth())
    # Two questions of another month.
    waiting = {"status": "held", "held_digest": "digest", "credit_status": "held"}
    april = [AccountMonth(contract_id=contract_id, **waiting) for contract_id in ("first", "second")]
    build(settings, *april, service_month=date(2026, 4, 1))
    run_id = build(settings, UP)
    validate(settings, run_id)
    if is_planted:
        with connect(settings.warehouse) as connection:
            plant(connection, "check_posting", ("perform billing.hold_ledger();", ""))

    def decide(connection, contract_id: str) -> None:
        connection.execute(
            "select audit.record_decision('held_month', %s, 'digest', true, 'Ada', 'seen', 'cli')",
            (f"{contract_id}|2026-04",),
        )

    with ThreadPoolExecutor(1) as pool:
        with connect(settings.warehouse, role="sla_approver") as earlier:
            decide(earlier, "first")
            with connect(settings.warehouse, role="sla_approver") as later:
                decide(later, "second")
            forged = pool.submit(forge, settings, run_id, hold=lambda _: None)
            while not forged.done() and not rows(settings, "select from pg_locks where not granted"):
                time.sleep(0.01)
        if not is_planted:
            with pytest.raises(psycopg.errors.CheckViolation, match="decisions that it says were made before it"):
                forged.result()
            return
        forged.result()
    assert rows(settings, "select decisions_through, cardinality(decision_hashes) from billing.postings")[-1] == (2, 1)


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


GOODWILL_IS = r"line \S+ is goodwill, and "


def ignoring_of_goodwill(column: str) -> tuple:
    """Planted: goodwill is compared with its statement but for a column."""
    return "check_goodwill", (
        "(to_jsonb(lines) @> (to_jsonb(due) - 'minor_units'))",
        f"(to_jsonb(lines) @> (to_jsonb(due) - 'minor_units' - '{column}'))",
    )


@pytest.mark.parametrize(
    ("change", "message", "plants"),
    [
        ({"amount": Decimal(6)}, "nobody but who prepared it", []),
        ({"approved_by": "Cleo"}, "nobody but who prepared it", []),
        ({"contract_id": "K-9"}, "its line is missing", []),
        ({"currency": "EUR"}, "nobody but who prepared it", []),
        ({"run_id": "another"}, "is another posting's", []),
        ({"reason": "early"}, f"{GOODWILL_IS}its reason", [
            ("check_goodwill", ("or lines.reason <> decisions.because", ""))
        ]),
        *(
            ({column: value}, f"{GOODWILL_IS}not of the last statement .* its {column}[\n.]", [
                ignoring_of_goodwill(column)
            ])
            for column, value in {
                "account_id": "A-9",
                "credit_percent": Decimal(5),
                "monthly_fee": Decimal(999),
                "uptime_percent": Decimal(1),
                "counted_seconds": Decimal(1),
                "terms_id": "klink-growth",
                "terms_version": "2025-01",
                "claim_id": "CL-1",
                "applies_from": date(2096, 5, 1),
                "statement_id": statement_id("K-3", service_month=MARCH, revision=1),
                "evidence_sha256": None,
            }.items()
        ),
    ],
)  # fmt: skip
def test_goodwill_is_what_was_approved(pending, monkeypatch, change, message, plants):
    settings, _ = pending
    if change.keys() == {"evidence_sha256"}:
        change = {"evidence_sha256": rows(
            settings, "select evidence_sha256 from billing.evidence where strpos(document, 'slaledger inputs') > 0"
        )[0][0]}  # fmt: skip
    plain = goodwill.append
    monkeypatch.setattr(
        goodwill, "append", lambda connection, drafts, **when: plain(
            connection, [dataclasses.replace(draft, **change) for draft in drafts], **when
        ),
    )  # fmt: skip

    def give() -> None:
        approvals.goodwill(
            settings, contract_id="K-1", service_month=MARCH, amount="5", by="Ada", because="late", prepared_by="Bob"
        )

    with pytest.raises(ledger.RefusedAtCommit, match=message):
        give()
    assert rows(settings, "select from audit.decisions") == []
    if plants:
        monkeypatch.setattr(goodwill, "connect", lambda *_, **__: checked(settings))
        monkeypatch.setattr(
            goodwill,
            "hold_ledger",
            lambda connection: (turn_biller(connection, plants, role="sla_goodwill"), hold_ledger(connection)),
        )
        with pytest.raises(Taken):
            give()


def in_the_name_of_goodwill(posting: Posting) -> Posting:
    return resealed(
        posting, kind="goodwill", as_of=None, raw_validation_id=None, marts_validation_id=None, inputs_sha256=None,
        candidate_sha256=None, statement_count=0,
    )  # fmt: skip


def test_a_credit_in_the_name_of_goodwill_is_refused(settings):
    close(settings, AccountMonth())
    run_id = build(settings, UP)
    validate(settings, run_id)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="sla_biller may append none of kind goodwill"):
        forge(settings, run_id, posting=in_the_name_of_goodwill)
    with connect(settings.warehouse) as connection:
        connection.execute("alter table billing.postings disable trigger postings_of_their_kind")
    with pytest.raises(psycopg.errors.CheckViolation, match="is another posting's"):
        forge(settings, run_id, posting=in_the_name_of_goodwill)


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
            self._state(settings, number=3)

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
