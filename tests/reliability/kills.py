"""Tasks in processes of their own that are killed, and what must be true of the warehouse meanwhile and afterwards."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from slaledger import objects
from slaledger.settings import Settings, Warehouse

FORK = multiprocessing.get_context("fork")
PATIENCE_SECONDS = 120

# The stages of a task are the product's own functions: nothing in the product knows of them. A name that is no more,
# or is not reached any more, fails the test.
LANDING = (
    "slaledger.landing.listing.put_in_force",
    "slaledger.landing.versions.claim_in_force",
    "slaledger.landing.rows.write_rejects",
    "slaledger.landing.rows._write_records",
    "slaledger.landing.checks._write_spans",
    "slaledger.landing.checks._write_reduced",
    "slaledger.landing.versions._observe_landing",
    "slaledger.landing.checks.forget_checks",
    "psycopg.Connection.commit",
    "slaledger.objects.list_versions",
    "slaledger.objects.fetch",
)
POSTING = (
    "slaledger.ledger.posting._append_statements",
    "slaledger.ledger.posting.append",
    "slaledger.objects.put",
    "slaledger.objects.put_if_absent",
    "psycopg.Connection.commit",
    "slaledger.ledger.posting.read_build",
    "slaledger.ledger.posting.require_validated",
    "slaledger.ledger.posting.draft_lines",
    "slaledger.ledger.posting._require_nothing_left",
)


@dataclass(frozen=True)
class Stage:
    """The n-th call of a function of the product (from 1): as it begins, or as it has ended."""

    name: str
    call: int
    is_before: bool


@contextmanager
def _wrapped(names: tuple[str, ...], on_call: Callable[[str, bool], None]) -> Iterator[None]:
    """Have `on_call(name, is_before)` called around each of these functions."""
    with contextlib.ExitStack() as stack:
        for name in names:
            owner, attribute = _owner(name)
            plain = getattr(owner, attribute)
            setattr(owner, attribute, _around(plain, name, on_call))
            stack.callback(setattr, owner, attribute, plain)
        yield


def _owner(name: str) -> tuple[Any, str]:
    path, attribute = name.rsplit(".", 1)
    try:
        return importlib.import_module(path), attribute
    except ModuleNotFoundError:
        module, owner = path.rsplit(".", 1)
        return getattr(importlib.import_module(module), owner), attribute


def _around(plain: Callable, name: str, on_call: Callable[[str, bool], None]) -> Callable:
    @functools.wraps(plain)
    def call(*arguments: Any, **options: Any) -> Any:
        on_call(name, True)
        result = plain(*arguments, **options)
        on_call(name, False)
        return result

    return call


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    exit_code: int  # -9: killed
    is_done: bool  # its work had ended, well or not
    error: str | None
    calls: Counter[str]  # stage -> calls; of one whose work ended


class Child:
    """A task in a process of its own, as Airflow's workers run it."""

    def __init__(
        self,
        task: Callable[[], Any],
        names: tuple[str, ...],
        *,
        at: Stage | None = None,
        kill: Callable[[], None] | None = None,
    ) -> None:
        """With `at`, it kills itself at that stage, or calls `kill` there."""
        self._task, self._names, self._at = task, names, at
        self._kill = kill or (lambda: os.kill(os.getpid(), signal.SIGKILL))
        self._reader, self._writer = FORK.Pipe(duplex=False)
        self.process = FORK.Process(target=self._run)
        self.process.start()
        self._writer.close()

    def _run(self) -> None:
        # A connection that the parent has open is the parent's.
        objects.client.cache_clear()
        calls: Counter[str] = Counter()

        def on_call(name: str, is_before: bool) -> None:
            calls[name] += is_before
            if self._at == Stage(name, calls[name], is_before):
                self._kill()

        error = None
        self._writer.send(None)
        try:
            with _wrapped(self._names, on_call):
                self._task()
        except Exception as failure:
            error = f"{type(failure).__name__}: {failure}"
        self._writer.send((error, calls))
        os._exit(bool(error))

    def wait_within(self, seconds: float) -> bool:
        """Wait until its work has begun, then so long; whether it is at work then."""
        assert self._reader.poll(PATIENCE_SECONDS), "the task does not begin"
        assert self._reader.recv() is None
        return not self._reader.poll(seconds)

    def ended(self) -> Ended:
        """Wait for its end."""
        self.process.join(PATIENCE_SECONDS)
        assert self.process.exitcode is not None, "the task does not end"
        report = None
        with contextlib.suppress(EOFError):
            while report is None:
                report = self._reader.recv()
        return Ended(self.process.exitcode, report is not None, *(report or (None, Counter())))


class Onlooker:
    """A process that asks one query all the time, and notes an answer that is not allowed."""

    def __init__(self, warehouse: Warehouse, query: sql.Composable, is_allowed: Callable[[frozenset], bool]) -> None:
        self._warehouse, self._query, self._is_allowed = warehouse, query, is_allowed
        self._stop = FORK.Event()
        self._reader, self._writer = FORK.Pipe(duplex=False)
        self._process = FORK.Process(target=self._watch)
        self._process.start()

    def _watch(self) -> None:
        looks, strange = 0, None
        while strange is None and not self._stop.is_set():
            # The server may be dead just now.
            with (
                contextlib.suppress(psycopg.OperationalError),
                psycopg.connect(self._warehouse.dsn, autocommit=True) as connection,
            ):
                while strange is None and not self._stop.is_set():
                    # All of a statement is seen as of one instant.
                    answer = frozenset(connection.execute(self._query).fetchall())
                    looks += 1
                    if not self._is_allowed(answer):
                        strange = sorted(map(str, answer))
                    time.sleep(0.01)
            time.sleep(0.01)
        self._writer.send((looks, strange))
        os._exit(0)

    def __enter__(self) -> Onlooker:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def stop(self) -> int:
        """How often it looked. Raises `AssertionError` where it saw what nobody may see."""
        self._stop.set()
        assert self._reader.poll(PATIENCE_SECONDS), "the onlooker does not end"
        looks, strange = self._reader.recv()
        self._process.join()
        assert strange is None, f"a partial batch was visible: {strange}"
        return looks


def answer(warehouse: Warehouse, query: sql.Composable) -> frozenset:
    """What an onlooker would see now."""
    with psycopg.connect(warehouse.dsn) as connection:
        return frozenset(connection.execute(query).fetchall())


def rows_of_the_books(warehouse: Warehouse) -> sql.Composed:
    """How many rows each table has that a posting writes, in one row."""
    names = [name for name in tables(warehouse, "billing") if name != "deliveries"]
    return sql.SQL("select {}").format(
        sql.SQL(", ").join(
            sql.SQL("(select count(*) from {})").format(sql.Identifier("billing", name)) for name in names
        )
    )


def landed_objects(warehouse: Warehouse) -> sql.Composed:
    """Per object: its key, the rows read, and whether the rows that are there are those that it counts."""
    rows = sql.SQL(" union all ").join(
        sql.SQL("select object_id from {}").format(sql.Identifier("raw", name))
        for name in tables(warehouse, "raw", with_column="row_sha256")
    )
    return sql.SQL(
        """
        select
            key, status, rows_read,
            rows_quarantined = (select count(*) from raw.quarantined_rows as q where q.object_id = o.object_id)
            and case
                when feed = 'monitoring/checks' then rows_loaded = (
                    select coalesce(sum(s.n), 0) from raw.check_streaks as s where s.object_id = o.object_id
                )
                else rows_loaded + rows_duplicate = (
                    select count(*) from ({rows}) as r where r.object_id = o.object_id
                )
            end as is_whole
        from raw.source_objects as o
        """
    ).format(rows=rows)


def tables(warehouse: Warehouse, schema: str, *, with_column: str | None = None) -> list[str]:
    """The names of a schema's tables, or of those with this column."""
    with psycopg.connect(warehouse.dsn) as connection:
        found = connection.execute(
            """
            select c.relname from pg_class as c
            where
                c.relnamespace = %s::regnamespace and c.relkind = 'r'
                and (%s::text is null or exists (select from pg_attribute where attrelid = c.oid and attname = %s))
            order by 1
            """,
            (schema, with_column, with_column),
        )
        return [name for (name,) in found]


CLOCKS = ("clock_timestamp", "now", "statement_timestamp", "transaction_timestamp")


def hold_the_clock(warehouse: Warehouse) -> None:
    """Put the server's clock into the hands of `set_clock`, for this database and its copies.

    Under the names of PostgreSQL's own functions, which no search path goes before; so before any table is made.
    """
    with psycopg.connect(warehouse.dsn) as connection:
        for name in CLOCKS:
            connection.execute(
                sql.SQL("alter function pg_catalog.{}() rename to {}").format(sql.Identifier(name), _ticking(name))
            )
    set_clock(warehouse, at=None)


def set_clock(warehouse: Warehouse, *, at: str | None) -> None:
    """Let it tell one instant for ever, so that what is written can be compared to the byte; None: let it run."""
    with psycopg.connect(warehouse.dsn) as connection:
        for name in CLOCKS:
            told = (
                sql.Literal(at) + sql.SQL("::timestamptz") if at else sql.SQL("pg_catalog.{}()").format(_ticking(name))
            )
            connection.execute(
                sql.SQL(
                    "create or replace function pg_catalog.{}() returns timestamptz language sql volatile return {}"
                ).format(sql.Identifier(name), told)
            )


def _ticking(name: str) -> sql.Identifier:
    """What the clock itself is called while it is held."""
    return sql.Identifier(f"{name}_that_ticks")


def dump(settings: Settings, schemas: tuple[str, ...]) -> dict[str, str]:
    """Every row of every table, all columns, in the order of its bytes; and every object of the bucket's `billing/`."""
    found = {}
    with psycopg.connect(settings.warehouse.dsn) as connection:
        for schema in schemas:
            for name in tables(settings.warehouse, schema):
                query = sql.SQL('select t::text from {} as t order by t::text collate "C"')
                rows = connection.execute(query.format(sql.Identifier(schema, name))).fetchall()
                found[f"{schema}.{name}"] = "\n".join(row for (row,) in rows)
    for version in objects.list_versions(settings.exports):
        if version.key.startswith("billing/"):
            body = objects.get(settings.exports, version.key)
            found[f"s3:{version.key}"] = hashlib.sha256(body).hexdigest()
    return found


def kill_server(postmaster: int, *, is_whole: bool) -> None:
    """`kill -9` of PostgreSQL: with `is_whole`, of all its processes at once, else of the postmaster alone."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split() if is_whole else []
    for pid in (postmaster, *map(int, children)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
