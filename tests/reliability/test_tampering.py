"""A superuser changes the books by hand, every trigger and constraint off: `sla verify` says where."""

from __future__ import annotations

import functools
import json
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from slaledger import approvals, delivery, evidence, ledger
from slaledger.ledger import anchored_books, canonical, chain, fences, postings, verification
from slaledger.ledger.faults import BooksFault
from slaledger.settings import Settings
from slaledger.warehouse import connect
from slaledger.warehouse import connection as connection_module
from tests.ledger.books import AS_OF, MARCH, AccountMonth, build, publish_terms, rows, validate
from tests.reliability.scale import scaled
from tests.support.copies import copied

# Table -> how `sla verify` names a row of it, and by which column.
TABLES = {
    "billing.credit_line_items": ("line", "line_item_id"),
    "billing.sla_statements": ("statement", "statement_id"),
    "billing.postings": ("posting", "posting_number"),
    "billing.evidence": ("evidence", "evidence_sha256"),
    "billing.deliveries": ("delivery of posting", "posting_number"),
    "audit.decisions": ("decision", "decision_id"),
    "audit.validations": ("validation", "validation_id"),
    "audit.builds": ("build", "run_id"),
    "billing.ledger": ("posting", None),
}
# What no posting says of its build.
UNSAID = {
    "audit.builds": {
        "started_at", "models_started_at", "models_built_at", "posted_at", "build_number", "inputs_sha256",
        "triggered_by",
    },
}  # fmt: skip

APRIL = {"service_month": MARCH.replace(month=4), "as_of": AS_OF + timedelta(days=31)}


@dataclass(frozen=True)
class Tamper:
    """Something done to the books, and the rows that may be named for it (none: any)."""

    what: str
    do: Callable[[psycopg.Connection], object]
    names: frozenset[str] = frozenset()


def post(settings: Settings, *months: AccountMonth, run_id: str | None = None) -> str:
    """What the DAG does: post, anchor, drop."""
    if run_id is None:
        run_id = build(settings, *months)
        validate(settings, run_id)
    with ledger.anchored(settings):
        ledger.post_month(settings, run_id=run_id)
    delivery.deliver(settings, run_id=run_id)
    return run_id


def write_history(settings: Settings) -> Iterator[None]:
    """Five postings: a month's credits; goodwill; then, after a pause, a revision; a decrease; another month's."""
    low, other = AccountMonth(contract_id="K-1"), AccountMonth(contract_id="K-2", currency="JPY", amount=Decimal(100))
    high = replace(low, amount=Decimal(100), credit_percent=Decimal(10), uptime_percent=Decimal("98.5"))
    post(settings, high, other, AccountMonth(contract_id="K-3"))
    given = approvals.goodwill(
        settings, contract_id="K-2", service_month=MARCH, amount="5", by="Ada", because="a bad day", prepared_by="Bob"
    )
    with ledger.anchored(settings):
        delivery.deliver(settings, run_id=given.run_id)
    yield
    run_id = post(settings, low, other, AccountMonth(contract_id="K-3"), AccountMonth(contract_id="K-4"))
    approvals.decide(settings, "decrease:K-1:2026-03:availability", is_approved=True, by="Ada", because="restated")
    post(settings, run_id=run_id)
    run_id = build(settings, AccountMonth(contract_id="K-1"), AccountMonth(contract_id="K-2"), **APRIL)
    validate(settings, run_id)
    post(settings, run_id=run_id)


@dataclass(frozen=True)
class History:
    """Whole books, and what they were two postings in."""

    books: Settings
    older: Settings


@pytest.fixture(scope="module")
def history(fresh_settings: Settings) -> Iterator[History]:
    publish_terms(fresh_settings)
    steps = write_history(fresh_settings)
    next(steps)
    with copied(fresh_settings) as older:
        list(steps)
        report = evidence.verify_books(fresh_settings)
        assert (report.is_intact, report.postings, report.lines, report.unanchored) == (True, 5, 8, 0), report
        yield History(fresh_settings, older)


@contextmanager
def lawless(settings: Settings) -> Iterator[Settings]:
    """A copy whose superuser has taken every trigger and constraint off, and can put all rows back."""
    with copied(settings) as copy:
        with connect(copy.warehouse) as connection:
            connection.execute(
                """
                do $$
                declare
                    thing record;
                begin
                    for thing in
                        select conrelid::regclass as of_table, conname from pg_constraint
                        where
                            conrelid in (
                                select oid from pg_class
                                where
                                    relnamespace = 'billing'::regnamespace
                                    or oid in (
                                        'audit.decisions'::regclass, 'audit.validations'::regclass,
                                        'audit.builds'::regclass
                                    )
                            )
                            and contype in ('c', 'u', 'p', 'f')
                    loop
                        execute format(
                            'alter table %s drop constraint if exists %I cascade', thing.of_table, thing.conname
                        );
                    end loop;
                end $$;
                alter table audit.decisions alter column decision_id drop identity;
                alter table audit.validations alter column validation_number drop identity;
                alter table audit.builds alter column build_number drop identity;
                create schema kept;
                """
            )
            for table in TABLES:
                connection.execute(f"alter table {table} disable trigger all")
                connection.execute(f"create table kept.{table.partition('.')[2]} as table {table}")
        yield copy


@contextmanager
def tampered(settings: Settings, tamper: Tamper) -> Iterator[None]:
    with connect(settings.warehouse) as connection:
        tamper.do(connection)
    yield
    put_back = "; ".join(f"insert into {table} table kept.{table.partition('.')[2]}" for table in TABLES)
    with connect(settings.warehouse) as connection:
        connection.execute(f"truncate {', '.join(TABLES)}; {put_back}")


def other(value: Any, kind: str, is_nullable: bool, chance: random.Random) -> Any:
    """Another value of the type: never one that says the same."""
    if value is not None and is_nullable and chance.random() < 0.2:
        return None
    match kind:
        case "text":
            return f"{value or ''}{chance.choice('abcxyz09')}"
        case "numeric":
            return (value or Decimal(0)) + Decimal(chance.randrange(1, 10**6)) / 10**6
        case "integer" | "bigint":
            return (value or 0) + chance.randrange(1, 1000)
        case "boolean":
            return not value
        case "date":
            return (value or MARCH) + timedelta(days=chance.randrange(1, 1000))
        case "timestamp with time zone":
            return (value or AS_OF) + timedelta(microseconds=chance.randrange(1, 10**12))
        case "uuid":
            return uuid.UUID(int=chance.getrandbits(128))
        case "text[]":
            return [*value, "f" * 64] if not value or chance.random() < 0.5 else value[1:]
        case "jsonb" if isinstance(value, list):
            return Jsonb(value[1:])
        case "jsonb":
            return Jsonb({**(value or {}), chance.choice(["USD", "EUR"]): str(chance.randrange(10**6, 10**9))})
    raise AssertionError(f"no other value of {kind}")


def columns(connection: psycopg.Connection, table: str) -> list[tuple[str, str, bool]]:
    return connection.execute(
        """
        select attname::text, format_type(atttypid, atttypmod), not attnotnull from pg_attribute
        where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum
        """,
        (table,),
    ).fetchall()


def one_field(settings: Settings, chance: random.Random, table: str, column: str | None = None) -> Tamper:
    """Any value of any row and column."""
    with connect(settings.warehouse) as connection:
        known = [each for each in columns(connection, table) if each[0] not in UNSAID.get(table, ())]
        found = [each for each in known if column in (None, each[0])]
        name, kind, is_nullable = chance.choice(found)
        with connection.cursor(row_factory=dict_row) as cursor:
            row = chance.choice(
                cursor.execute(f"select *, to_jsonb(rows) as whole from {table} as rows order by whole").fetchall()
            )
    value = other(row[name], kind, is_nullable, chance)
    what, key = TABLES[table]
    names = {f"{what} {row[key]}", f"{what} {value if name == key else row[key]}"} if key else set()
    if name == "decision_id":
        # The row is there under a number that no posting covers.
        names = set()

    def do(connection: psycopg.Connection) -> None:
        update = sql.SQL("update {} as rows set {} = %s where to_jsonb(rows) = %s").format(
            sql.SQL(table), sql.Identifier(name)
        )
        assert connection.execute(update, (value, Jsonb(row["whole"]))).rowcount == 1

    return Tamper(f"{table}.{name} of {row.get(key)} set to {value!r}", do, frozenset(names))


def swapped(settings: Settings, chance: random.Random) -> Tamper:
    """Two rows change places, or a figure."""
    table = chance.choice(["billing.credit_line_items", "billing.sla_statements", "billing.postings"])
    what, key = TABLES[table]
    with connect(settings.warehouse) as connection:
        keys = [found for (found,) in connection.execute(f"select {key} from {table}")]
        one, two = chance.sample(keys, 2)
        named = [
            name
            for name, _, _ in columns(connection, table)
            if connection.execute(
                f"select count(distinct to_jsonb({name})) = 2 from {table} where {key} = any(%s)", ([one, two],)
            ).fetchone()[0]
        ]
    name = chance.choice(named)
    statement = f"""
        update {table} as here set {name} = there.{name}
        from {table} as there
        where here.{key} = any(%(keys)s) and there.{key} = any(%(keys)s) and here.{key} <> there.{key}
    """
    return Tamper(
        f"{table}.{name} of {one} and {two} swapped",
        lambda connection: connection.execute(statement, {"keys": [one, two]}),
        frozenset({f"{what} {one}", f"{what} {two}"}),
    )


def deleted(settings: Settings, chance: random.Random, table: str | None = None) -> Tamper:
    """One row is gone: a line from the middle or the end, a posting, a statement, evidence, a decision, a record."""
    table = table or chance.choice([table for table in TABLES if table not in ("billing.ledger", "billing.deliveries")])
    key = TABLES[table][1]
    gone = chance.choice(rows(settings, f"select {key} from {table} order by {key}"))[0]
    return Tamper(
        f"{key} {gone} deleted from {table}",
        lambda connection: connection.execute(f"delete from {table} where {key} = %s", (gone,)),
    )


def last_posting_deleted(*_: object) -> Tamper:
    """A whole posting with all that belongs to it: the database alone cannot tell."""
    return Tamper(
        "the last posting deleted, with its lines, statements and delivery",
        lambda connection: connection.execute(
            """
            with last as (delete from billing.postings
                where posting_number = (select max(posting_number) from billing.postings) returning *),
            lines as (delete from billing.credit_line_items using last
                where chain_position between first_position and last_position returning 1),
            statements as (delete from billing.sla_statements using last
                where sla_statements.posting_number = last.posting_number returning 1)
            delete from billing.deliveries using last where deliveries.posting_number = last.posting_number
            """
        ),
    )


def added(settings: Settings, chance: random.Random) -> Tamper:
    """A line that nobody posted, with a hash that is right."""

    def do(connection: psycopg.Connection) -> None:
        last = list(chain.read_lines(connection))[-1]
        draft = chain.Draft(
            **{
                **{name: getattr(last, name) for name in chain.Draft.__dataclass_fields__},
                "ordinal": 9,
                "amount": Decimal(chance.randrange(1, 1000)),
            }
        )
        # What `append` leans on.
        connection.execute("create unique index one_key on billing.credit_line_items (idempotency_key)")
        chain.append(connection, [draft], recorded_at=last.recorded_at)
        connection.execute("drop index billing.one_key")

    return Tamper("a line added to the end", do)


def forged(settings: Settings, chance: random.Random, column: str | None = None) -> Tamper:
    """The last line under another id, or on another contract's evidence; its hash and its posting's are right."""
    column = column or chance.choice(["line_item_id", "evidence_sha256"])
    with connect(settings.warehouse) as connection:
        last = list(chain.read_lines(connection))[-1]
        posting = postings.last_posting(connection)
        others = [line.evidence_sha256 for line in chain.read_lines(connection) if line.contract_id != last.contract_id]
    changed = {"line_item_id": uuid.UUID(int=chance.getrandbits(128)), "evidence_sha256": chance.choice(others)}[column]
    line = replace(last, **{column: changed})
    line = replace(line, line_hash=line.computed_hash())
    closed = replace(posting, head_hash=line.line_hash)
    closed = replace(closed, posting_hash=closed.computed_hash())

    def do(connection: psycopg.Connection) -> None:
        connection.execute(
            f"update billing.credit_line_items set {column} = %s, line_hash = %s where chain_position = %s",
            (changed, line.line_hash, line.chain_position),
        )
        connection.execute(
            "update billing.postings set head_hash = %s, posting_hash = %s where posting_number = %s",
            (closed.head_hash, closed.posting_hash, closed.posting_number),
        )

    return Tamper(f"{column} of the last line set to {changed}", do, frozenset({f"line {line.line_item_id}"}))


FIELDS = [table for table in TABLES for _ in range({"billing.ledger": 1, "billing.deliveries": 2}.get(table, 5))]
KINDS = (
    *(functools.partial(one_field, table=table) for table in TABLES),
    *(functools.partial(one_field, table="billing.deliveries", column=name) for name in ("bucket", "manifest_sha256")),
    *(functools.partial(forged, column=name) for name in ("line_item_id", "evidence_sha256")),
    *(
        functools.partial(deleted, table=table)
        for table in ("audit.builds", "audit.validations", "billing.credit_line_items")
    ),
    swapped,
    last_posting_deleted,
    added,
)


def any_tampers(settings: Settings, chance: random.Random, count: int) -> Iterator[Tamper]:
    """So many, each kind at least once."""
    assert count >= len(KINDS)
    for number in range(count):
        if number < len(KINDS):
            kind = KINDS[number]
        elif chance.random() < 0.7:
            kind = functools.partial(one_field, table=chance.choice(FIELDS))
        else:
            kind = chance.choice([swapped, swapped, deleted, deleted, forged, last_posting_deleted, added])
        yield kind(settings, chance)


def check_detected(settings: Settings, tampers: Sequence[Tamper]) -> int:
    """Each is found, and where one row was changed, that row is named."""
    for tamper in tampers:
        with tampered(settings, tamper):
            report = evidence.verify_books(settings)
        # By its own check: that the copy has no laws is told apart.
        assert report.reason is not None, f"not detected: {tamper.what}"
        assert not tamper.names or report.first_bad_row in tamper.names, f"{tamper.what}: {report}"
    assert evidence.verify_books(settings).reason is None
    return len(tampers)


@pytest.mark.timeout(1200)
@scaled("tampers", every_push=50, deep=500)
def test_whatever_a_superuser_changes_is_found_and_named(history, tampers, chance, figure):
    with lawless(history.books) as books:
        found = check_detected(books, list(any_tampers(books, chance, tampers)))
    figure(f"{found} of {tampers} random tampers as superuser detected, each changed row named")


def check_old_dump(settings: Settings) -> None:
    """An older dump in the database's place is found, and takes no posting."""
    report = evidence.verify_books(settings)
    assert "older than the bucket" in (report.reason or ""), report
    run_id = build(settings, AccountMonth(contract_id="K-9"))
    validate(settings, run_id)
    with pytest.raises(ledger.AnchorConflict, match="older than the bucket"), ledger.anchored(settings):
        raise AssertionError("a posting was let in")


def test_an_old_dump_that_is_restored_is_found_and_takes_no_posting(history):
    with copied(history.older) as restored:
        assert evidence.verify_chain(restored).is_intact, "of itself it is whole: only the bucket can tell"
        check_old_dump(restored)


def test_an_old_dump_without_anchors_is_not_found(history, monkeypatch):
    monkeypatch.setattr(verification, "require_anchors_and_drops", lambda *_: 0)
    with copied(history.older) as restored, pytest.raises(AssertionError):
        check_old_dump(restored)


def without_evidence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verification, "require_evidence", lambda *_: None)
    patch.setattr(verification, "require_all_evidence", lambda *_: None)
    patch.setattr(verification, "require_whole", lambda *_: None)


def without_decisions(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verification, "_require_decisions", lambda *_, **__: None)
    patch.setattr(verification, "require_approved_goodwill", lambda *_, **__: None)


def without_statements(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verification, "statement_hash", lambda row: row["statement_hash"])


def without_postings(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verification, "_require_own_hash", lambda *_: None)
    patch.setattr(verification, "_require_posting", lambda *_, **__: None)
    patch.setattr(anchored_books, "_require_anchors", lambda *_: 0)
    # What they say of their builds, those say, too.
    without_builds(patch)


def without_lines(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verification, "_line_fault", lambda *_, **__: None)
    # What was dropped says what the lines said, too.
    without_drops(patch)


def without_drops(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(anchored_books, "_require_drops", lambda *_: None)


def without_builds(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verification, "require_builds", lambda *_: None)


def without_validations(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verification, "require_validations", lambda *_: None)


@pytest.mark.parametrize(
    ("plant", "table", "column"),
    [
        (without_builds, "audit.builds", "prepared_by"),
        (without_validations, "audit.validations", "expectations"),
        (without_evidence, "billing.evidence", "document"),
        (without_decisions, "audit.decisions", "because"),
        (without_statements, "billing.sla_statements", "uptime_percent"),
        (without_postings, "billing.postings", "prepared_by"),
        (without_lines, "billing.credit_line_items", "reason"),
        (without_drops, "billing.deliveries", "bucket"),
    ],
)
def test_a_verification_that_leaves_out_a_comparison_is_found(history, chance, monkeypatch, plant, table, column):
    with lawless(history.books) as books:
        tamper = one_field(books, chance, table, column)
        assert check_detected(books, [tamper]) == 1
        plant(monkeypatch)
        with pytest.raises(AssertionError, match="not detected"):
            check_detected(books, [tamper])


def test_without_anchors_and_drops_a_posting_that_is_cut_off_is_not_found(history, monkeypatch):
    monkeypatch.setattr(anchored_books, "_require_anchors", lambda *_: 0)
    with lawless(history.books) as books:
        assert check_detected(books, [last_posting_deleted()]) == 1
    monkeypatch.setattr(anchored_books, "_require_known_drops", lambda *_: None)
    with lawless(history.books) as books, pytest.raises(AssertionError, match="not detected"):
        check_detected(books, [last_posting_deleted()])


@contextmanager
def rewritten(books: Settings) -> Iterator[Settings]:
    """A copy with other books in their place, whole, right and lawful, under an id of their own."""
    with copied(books) as copy:
        tables = [table for table in TABLES if table.startswith("billing.")]
        with connect(copy.warehouse) as connection:
            triggers = connection.execute(
                "select tgrelid::regclass::text, tgname from pg_trigger where not tgisinternal"
                " and tgrelid::regclass::text = any(%s)",
                (tables,),
            ).fetchall()
            for table, trigger in triggers:
                connection.execute(f"alter table {table} disable trigger {trigger}")
            connection.execute(f"truncate {', '.join(table for table in tables if table != 'billing.ledger')}")
            connection.execute("update billing.ledger set ledger_id = gen_random_uuid()")
            for table, trigger in triggers:
                connection.execute(f"alter table {table} enable always trigger {trigger}")
        run_id = build(copy, AccountMonth(contract_id="K-1", amount=Decimal(45), monthly_fee=Decimal(900)))
        validate(copy, run_id)
        ledger.post_month(copy, run_id=run_id)
        yield copy


def check_other_ledger(books: Settings) -> None:
    """Its anchors are not there or right; what the bucket keeps of the books before it tells."""
    report = evidence.verify_books(books)
    assert report.reason and "another ledger" in report.reason, report
    assert report.first_bad_row.startswith("anchors below billing/anchors/"), report


def test_books_that_were_rewritten_under_another_id_are_found(history, monkeypatch):
    with rewritten(history.books) as books:
        assert evidence.verify_chain(books).is_intact, "of itself it is whole: only the bucket can tell"
        check_other_ledger(books)
        with monkeypatch.context() as patch, pytest.raises(AssertionError):
            patch.setattr(anchored_books, "_require_one_ledger", lambda *_: None)
            patch.setattr(anchored_books, "_require_anchors", lambda *_: 0)
            check_other_ledger(books)
        # Where the anchors were taken away for good, what was dropped still tells.
        listed = anchored_books.list_kept
        monkeypatch.setattr(
            verification, "list_kept", lambda asked: [each for each in listed(asked) if "/anchors/" not in each.key]
        )
        assert "of no posting in the books" in str(evidence.verify_books(books))


# A function of the caller's path that says what the books' own would not: a changed document gives its digest.
BLINDFOLD = """
create schema evil;
grant usage on schema evil to public;
create function evil.encode(bytea, text) returns text language sql immutable as $$
    select case when pg_catalog.encode($1, $2) = '{found}' then '{expected}' else pg_catalog.encode($1, $2) end
$$;
alter database {database} set search_path = evil, pg_catalog
"""


def test_a_search_path_of_the_database_does_not_blind_it(history, monkeypatch):
    with lawless(history.books) as books:
        with connect(books.warehouse) as connection:
            expected, found = connection.execute(
                """
                update billing.evidence set document = replace(document, '1000', '9000')
                where evidence_sha256 = (select min(evidence_sha256) from billing.credit_line_items)
                returning evidence_sha256, encode(sha256(convert_to(document, 'UTF8')), 'hex')
                """
            ).fetchone()
            assert expected != found
            connection.execute(BLINDFOLD.format(found=found, expected=expected, database=books.warehouse.database))
        report = evidence.verify_books(books)
        assert report.first_bad_row == f"evidence {expected}", report
        assert any(fault.startswith("setting search_path of every session is") for fault in report.fences)
        monkeypatch.setattr(connection_module, "role_options", lambda role: f" -c role={role}")
        assert evidence.verify_books(books).reason is None, "it was no blindfold"


def test_a_chain_hash_that_leaves_out_a_column_is_found(history, chance, monkeypatch):
    def short_hash(line: chain.Line) -> str:
        names = [name for name in chain.LINE_COLUMNS if name not in ("line_hash", "applies_from")]
        return canonical.row_digest("line", [(name, getattr(line, name)) for name in names])

    monkeypatch.setattr(chain.Line, "computed_hash", short_hash)
    # The bucket is that of the books before.
    monkeypatch.setattr(anchored_books, "_require_one_ledger", lambda *_: None)
    monkeypatch.setattr(anchored_books, "_require_known_drops", lambda *_: None)
    monkeypatch.setattr(anchored_books, "_require_anchors", lambda *_: 0)
    with copied(history.older) as hashed_so:
        with connect(hashed_so.warehouse) as connection:
            # The database itself would refuse such a hash.
            for table in TABLES.keys() - {"audit.validations", "audit.builds"}:
                connection.execute(f"alter table {table} disable trigger all")
            for table in ("deliveries", "credit_line_items", "sla_statements", "postings"):
                connection.execute(f"delete from billing.{table}")
            connection.execute("delete from audit.decisions")
            connection.execute("update billing.ledger set ledger_id = gen_random_uuid()")
        run_id = build(hashed_so, AccountMonth(contract_id="K-1"), **APRIL)
        validate(hashed_so, run_id)
        ledger.post_month(hashed_so, run_id=run_id)
        with lawless(hashed_so) as books:
            assert evidence.verify_books(books).reason is None
            with pytest.raises(AssertionError, match="not detected"):
                check_detected(books, [one_field(books, chance, "billing.credit_line_items", "applies_from")])


def rested(books: Settings, content: str) -> tuple[str, str]:
    """The last line on a document whose content is this expression of the true one; all hashes are right.

    The line's id and the document's digest.
    """
    with connect(books.warehouse) as connection:
        last, posting = list(chain.read_lines(connection))[-1], postings.last_posting(connection)
        (sha256,) = connection.execute(
            f"""
            insert into billing.evidence (evidence_sha256, document)
            select encode(sha256(convert_to(made.document, 'UTF8')), 'hex'), made.document
            from billing.evidence
            cross join lateral (select document::jsonb as held) as was
            cross join lateral (select ({content})::text as document) as made
            where evidence.evidence_sha256 = %s
            returning evidence_sha256
            """,
            (last.evidence_sha256,),
        ).fetchone()
        line = replace(last, evidence_sha256=sha256)
        line = replace(line, line_hash=line.computed_hash())
        posting = replace(posting, head_hash=line.line_hash)
        connection.execute(
            "update billing.credit_line_items set evidence_sha256 = %s, line_hash = %s where line_item_id = %s",
            (sha256, line.line_hash, line.line_item_id),
        )
        connection.execute(
            "update billing.postings set head_hash = %s, posting_hash = %s where posting_number = %s",
            (posting.head_hash, posting.computed_hash(), posting.posting_number),
        )
    return str(line.line_item_id), sha256


@pytest.mark.parametrize(
    ("content", "lacking"),
    [
        ("held - 'claims'", "claims"),
        ("held || '{\"claims\": {}}'", "claims"),
        ("held || '{\"terms\": [1]}'", "terms"),
        ("held || '{\"credits\": [{}]}'", "credits"),
        ("held || '{\"account_month\": []}'", "account_month"),
    ],
)
def test_evidence_that_does_not_say_all_is_named_by_whoever_reads_it(history, content, lacking, monkeypatch):
    # Such evidence has to have been posted so: of another contract or month it would be found before.
    monkeypatch.setattr(verification, "require_all_evidence", lambda *_: None)
    with lawless(history.books) as books:
        line, sha256 = rested(books, content)
        for report in (evidence.verify_chain(books), evidence.verify_line(books, line), evidence.verify_all(books)):
            assert (report.first_bad_row, lacking in report.reason) == (f"evidence {sha256}", True), report
        with pytest.raises(BooksFault, match=f"evidence {sha256}: it does not say its {lacking}"):
            evidence.explain(books, line)


def test_evidence_of_other_types_is_no_traceback(history):
    with lawless(history.books) as books:
        line, sha256 = rested(books, "jsonb_set(held, '{credits,0,monthly_fee}', '\"much\"')")
        with pytest.raises(BooksFault, match=f"evidence {sha256}: it does not say what the line rests on"):
            evidence.explain(books, line)


# What an owner or a superuser may do to what keeps the books, and the object that must be named for it.
FENCES: dict[str, tuple[str, str]] = {
    "a trigger disabled": ("alter table {table} disable trigger {trigger}", "trigger {trigger} on {table}"),
    "a trigger for no replica": ("alter table {table} enable trigger {trigger}", "trigger {trigger} on {table}"),
    "a trigger dropped": ("drop trigger {trigger} on {table}", "trigger {trigger} on {table}"),
    "a trigger under the name of another": (
        "drop trigger {trigger} on {table}; create function billing.nothing() returns trigger language plpgsql as"
        " $$begin return new; end$$; create trigger {trigger} before insert on {table} for each row execute function"
        " billing.nothing(); alter table {table} enable always trigger {trigger}",
        "trigger {trigger} on {table}",
    ),
    "one trigger more": (
        "create trigger zz before insert on {table} for each statement execute function"
        " pg_catalog.suppress_redundant_updates_trigger()",
        "trigger zz on {table}",
    ),
    "foreign keys unchecked": (
        "alter table billing.sla_statements disable trigger all",
        "constraint sla_statements_posting_fk on billing.sla_statements",
    ),
    "a constraint dropped": (
        "alter table {table} drop constraint {constraint} cascade",
        "constraint {constraint} on {table}",
    ),
    "a constraint that was not validated": (
        "alter table billing.postings drop constraint postings_hash_version;"
        " alter table billing.postings add constraint postings_hash_version check (hash_version = 1) not valid",
        "constraint postings_hash_version on billing.postings",
    ),
    "an index that runs code": (
        "create index zz on {table} ((length(billing.line_hash(null))))",
        "index {schema}.zz on {table}",
    ),
    "a column that may be null": (
        "alter table billing.postings alter column prepared_by drop not null",
        "table billing.postings",
    ),
    "one column more": ("alter table {table} add column zz text default current_user", "table {table}"),
    "a table that is no plain one": ("create table billing.zz () inherits ({table})", "table {table}"),
    "an unlogged table": ("alter table billing.deliveries set unlogged", "table billing.deliveries"),
    "row level security": ("alter table {table} enable row level security", "table {table}"),
    "a policy": ("create policy zz on {table} using (false)", "policy zz on {table}"),
    "a rule": ("create rule zz as on insert to {table} do also nothing", "rule zz on {table}"),
    "another owner of a table": ("alter table {table} owner to sla_biller", "table {table}"),
    "a grant": ("grant update, truncate on {table} to sla_biller", "table {table}"),
    "a grant on a column": ("grant update (run_id) on audit.validations to sla_validator", "table audit.validations"),
    "a grant to everybody": ("grant all on schema billing to public", "schema billing"),
    "a grant to somebody else": ("grant delete on {table} to pg_monitor", "table {table}"),
    "a role in another": ("grant sla_owner to sla_biller", "role sla_biller"),
    "a role above all laws": ("alter role sla_relay bypassrls", "role sla_relay"),
    "another body of a function": (
        "create or replace function billing.check_posting() returns trigger language plpgsql security definer"
        " set search_path = pg_catalog, pg_temp as $$begin return null; end$$",
        "function billing.check_posting()",
    ),
    "another path of a function": (
        "alter function {function} set search_path = public, pg_catalog",
        "function {function}",
    ),
    "a function with the caller's rights": (
        "alter function billing.check_posting() security invoker",
        "function billing.check_posting()",
    ),
    "another owner of a function": ("alter function {function} owner to sla_biller", "function {function}"),
    "a function for everybody": ("grant execute on function {function} to public", "function {function}"),
    "one function more": (
        "create function gate.objections(text) returns setof text language sql as 'select $1'",
        "function gate.objections(text)",
    ),
    "another view": (
        "create or replace view gate.objects as select *, convert_to(key, 'UTF8') as key_bytes from raw.source_objects",
        "view gate.objects",
    ),
    "a row of the marts that is made anew": (
        "create rule zz as on insert to marts.fct_credits do also nothing",
        "rule zz on marts.fct_credits",
    ),
    "a trigger of the marts": (
        "create trigger zz before insert on {mart} for each row execute function"
        " pg_catalog.suppress_redundant_updates_trigger()",
        "trigger zz on {mart}",
    ),
    "another owner of a mart": ("alter table {mart} owner to sla_transformer", "table {mart}"),
    "a grant on a mart": ("grant insert, update on {mart} to sla_relay", "table {mart}"),
    "a mart that anybody may fill": (
        "alter table marts.fct_credits drop constraint credits_amount_is_never_negative",
        "constraint credits_amount_is_never_negative on marts.fct_credits",
    ),
    "an index of a mart that runs code": ("create index zz on {mart} (lower(contract_id))", "index marts.zz on {mart}"),
    "a mart that is a view": (
        "alter table marts.fct_credits rename to zz; create view marts.fct_credits as table marts.zz",
        "view marts.fct_credits",
    ),
    "other minor units": (
        "update reference.currencies set minor_units = 9 where currency = 'USD'",
        "currency USD of reference.currencies",
    ),
    "a currency more": ("insert into reference.currencies values ('ZZZ', 2)", "currency ZZZ of reference.currencies"),
    "goodwill above all laws": ("alter role sla_goodwill superuser", "role sla_goodwill"),
    "a stage that makes roles": ("alter role {role} createrole", "role {role}"),
    "a stage that makes databases": ("alter role {role} createdb", "role {role}"),
    "a stage that logs in": ("alter role {role} login", "role {role}"),
    "a stage that replicates": ("alter role {role} replication", "role {role}"),
    "a stage in one of the server's roles": ("grant pg_write_all_data to {role}", "role {role}"),
    "goodwill's grants": ("grant select on billing.deliveries to sla_goodwill", "table billing.deliveries"),
    "an event trigger": (
        "create function public.zz() returns event_trigger language plpgsql as 'begin end';"
        " create event trigger zz on ddl_command_end execute function public.zz()",
        "event trigger zz",
    ),
    "what is made later": (
        "alter default privileges for role {role} grant all on tables to sla_auditor",
        "default grants of {role} on what it makes of kind r",
    ),
    "the database for everybody": ("grant all on database {database} to public", "grants on the database"),
    "the database for a stage": ("grant create on database {database} to {role}", "grants on the database"),
    "a sequence that begins again": (
        "alter sequence audit.decisions_decision_id_seq maxvalue 3 cycle restart 1",
        "sequence audit.decisions_decision_id_seq",
    ),
    "a search path of the database": (
        "alter database {database} set search_path = public, pg_catalog",
        "setting search_path of every session",
    ),
    "a search path of a stage": (
        "alter role {role} in database {database} set search_path = public, pg_catalog",
        "setting search_path of {role}",
    ),
    "a search path of every database": (
        "alter role all set search_path = public, pg_catalog",
        "setting search_path of every session",
    ),
    "a login without triggers": (
        "create role zz login in role sla_biller; alter role zz set session_replication_role = replica",
        "setting session_replication_role of zz",
    ),
    "a shorter list": ("delete from gate.expectations where gate = 'marts'", "rows of gate.expectations"),
}


def check_fence(settings: Settings, kind: str, chance: random.Random) -> None:
    """It is found and named, and nothing else is, but what goes with it. Nothing of it is kept."""
    change, named = FENCES[kind]
    with connect(settings.warehouse) as connection:
        assert fences.faults(connection) == []
        table, trigger = chance.choice(
            connection.execute(
                """
                select tgrelid::regclass::text, tgname::text from pg_trigger
                where not tgisinternal and tgrelid::regclass::text ~ '^(billing|audit)[.]' order by 1, 2
                """
            ).fetchall()
        )
        constraint = chance.choice(
            connection.execute(
                "select conname::text from pg_constraint where conrelid = %s::regclass and contype not in ('n', 't')"
                " order by 1",
                (table,),
            ).fetchall()
        )[0]
        function = chance.choice(
            connection.execute(
                """
                select format('%s(%s)', oid::regproc, pg_get_function_identity_arguments(oid)) from pg_proc
                where pronamespace in ('billing'::regnamespace, 'gate'::regnamespace) order by 1
                """
            ).fetchall()
        )[0]
        words = {"table": table, "trigger": trigger, "constraint": constraint, "function": function}
        words["schema"] = table.partition(".")[0]
        words["mart"] = chance.choice(["marts.fct_account_months", "marts.fct_claims", "marts.fct_credits"])
        words["role"] = chance.choice(["sla_loader", "sla_approver", "sla_goodwill", "sla_relay"])
        words["database"] = settings.warehouse.database
        connection.execute(change.format(**words))
        found = fences.faults(connection)
        connection.rollback()
    assert any(fault.startswith(f"{named.format(**words)} is ") for fault in found), f"{kind}: {words}, {found}"


@pytest.mark.timeout(1200)
@scaled("rounds", every_push=1, deep=10)
def test_whatever_an_owner_does_to_a_fence_is_found_and_named(history, rounds, chance, figure):
    for _ in range(rounds):
        for kind in FENCES:
            check_fence(history.books, kind, chance)
    figure(f"{rounds * len(FENCES)} of {rounds * len(FENCES)} changes of triggers, tables, functions, grants named")


def test_books_without_laws_are_told(history):
    """All through `sla verify`: the rows are right, and nothing keeps them so."""
    with lawless(history.books) as books:
        report = evidence.verify_books(books)
    assert report.reason is None and not report.is_intact
    for fault in (
        "trigger postings_checked on billing.postings is not as the migrations make it: disabled",
        "constraint postings_pk on billing.postings is missing",
    ):
        assert fault in str(report)


@pytest.mark.parametrize(
    ("said", "instead", "kind"),
    [
        ("case pg_trigger.tgenabled", "case 'A'::\"char\"", "a trigger disabled"),
        ("case when functions.prosecdef", "case when false", "a function with the caller's rights"),
        ("'granted ' || grants.list", "null", "a grant"),
        ("case when relations.relrowsecurity", "case when false and relations.relrowsecurity", "row level security"),
        ("functions.prosrc,", "'',", "another body of a function"),
        ("'gate', 'marts', 'reference')", "'gate')", "a trigger of the marts"),
        ("'sla_auditor', 'sla_goodwill'", "'sla_auditor'", "goodwill above all laws"),
        ("settings.role_id = 0\n            or", "false or", "a search path of the database"),
    ],
)
def test_fences_that_leave_something_out_are_found(history, chance, monkeypatch, tmp_path, said, instead, kind):
    query, listed = tmp_path / "fences.sql", tmp_path / "fences.json"
    whole = fences.QUERY.read_text()
    assert said in whole
    query.write_text(whole.replace(said, instead))
    monkeypatch.setattr(fences, "QUERY", query)
    monkeypatch.setattr(fences, "LIST", listed)
    with connect(history.books.warehouse) as connection:
        listed.write_text(json.dumps(fences.digests(fences.read(connection))))
    with pytest.raises(AssertionError, match=kind):
        check_fence(history.books, kind, chance)
