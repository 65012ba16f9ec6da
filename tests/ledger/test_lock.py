"""The ledger's lock: the biller alone may ask for it, and who waits is told who holds it."""

from __future__ import annotations

import dataclasses
import re
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import ExitStack, suppress

import psycopg
import pytest

from slaledger import approvals, ledger
from slaledger.ledger.chain import LedgerHeld, hold_ledger
from slaledger.terms.publish import publish
from slaledger.transform import open_build
from slaledger.warehouse import WarehouseStopped, connect
from tests.ledger.books import AS_OF, MARCH, build, close, rows, validate
from tests.ledger.test_postings import SAME, UP, plant
from tests.reliability.privileges import ROLES

# All that conflict with a posting's lock.
MODES = (
    "row share", "row exclusive", "share update exclusive", "share", "share row exclusive", "exclusive",
    "access exclusive",
)  # fmt: skip
CLOSING = {"service_month": MARCH, "as_of": AS_OF, "is_closing": True}
OTHERS = [role for role in ROLES if role != "owner"]


def check_nobody_else_holds(settings) -> None:
    """No stage may take the ledger's table in a mode that a posting would wait for; reading is none."""
    for role in OTHERS:
        with connect(settings.warehouse, role=f"sla_{role}") as connection:
            for mode in MODES:
                with suppress(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(f"lock table billing.ledger in {mode} mode")
                    raise AssertionError(f"sla_{role} may lock the ledger in {mode} mode")


def test_no_stage_may_lock_the_ledger_but_through_its_function(closed_books):
    check_nobody_else_holds(closed_books)
    with connect(closed_books.warehouse, role="sla_auditor") as reading:
        reading.execute("select * from billing.ledger")
        with connect(closed_books.warehouse, role="sla_biller") as connection:
            hold_ledger(connection)


@pytest.mark.parametrize("privilege", ["update", "insert", "delete", "truncate"])
def test_a_stage_that_may_is_found(closed_books, privilege):
    with connect(closed_books.warehouse) as connection:
        connection.execute(f"grant {privilege} on billing.ledger to sla_relay")
    try:
        with pytest.raises(AssertionError, match="sla_relay may lock the ledger"):
            check_nobody_else_holds(closed_books)
    finally:
        with connect(closed_books.warehouse) as connection:
            connection.execute(f"revoke {privilege} on billing.ledger from sla_relay")


def impatient(settings) -> None:
    with connect(settings.warehouse) as connection:
        connection.execute("alter function billing.hold_ledger set lock_timeout = '50ms'")


def test_who_waits_is_told_who_posts_and_since_when(settings):
    close(settings, SAME)
    run_id = build(settings, UP)
    validate(settings, run_id)
    impatient(settings)
    with connect(settings.warehouse, role="sla_biller") as posting:
        hold_ledger(posting)
        told = re.compile(
            rf"Session {posting.info.backend_pid} \(slaledger posting since 20[0-9-]{{8}}T[0-9:]{{8}}Z\) holds "
            rf"billing\.ledger\. Wait until it is done, or end it: .*{posting.info.backend_pid}"
        )
        with pytest.raises(LedgerHeld, match=told):
            ledger.post_month(settings, run_id=run_id)
        with pytest.raises(LedgerHeld, match=told):
            approvals.goodwill(
                settings, contract_id="K-3", service_month=MARCH, amount="5", by="Ada", because="late",
                prepared_by="Bob",
            )  # fmt: skip
    assert ledger.post_month(settings, run_id=run_id).lines_appended == 1
    # The session's name is its own again.
    with connect(settings.warehouse, role="sla_biller") as connection:
        hold_ledger(connection)
        connection.commit()
        assert connection.execute("show application_name").fetchone() == ("slaledger",)


@pytest.mark.parametrize(
    ("role", "statement", "table"),
    [
        ("sla_transformer", "delete from marts.fct_credits", "marts.fct_credits"),
        ("sla_transformer", "update audit.current_build set run_id = run_id", "audit.current_build"),
        (
            "sla_approver",
            "select audit.record_decision('held_month', 'K-1|2026-03', 'd', true, 'Ada', 'seen', 'cli')",
            "audit.decisions",
        ),
    ],
)  # fmt: skip
def test_what_a_posting_reads_is_held_and_whoever_writes_it_is_named(settings, role, statement, table):
    build(settings, dataclasses.replace(UP, status="held", held_digest="d"))
    impatient(settings)
    with connect(settings.warehouse, role=role) as writing:
        writing.execute(statement)
        with (
            pytest.raises(LedgerHeld, match=rf"Session {writing.info.backend_pid} \(slaledger\) holds {table}"),
            connect(settings.warehouse, role="sla_biller") as posting,
        ):
            hold_ledger(posting)
    with connect(settings.warehouse, role="sla_biller") as posting:
        hold_ledger(posting)
        with connect(settings.warehouse, role=role) as writing:
            writing.execute("set lock_timeout = '50ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                writing.execute(statement)
            writing.rollback()


def test_of_several_sessions_the_one_that_is_waited_for_is_named(settings):
    """Not one that holds another of the books' tables; and behind a waiter, the one that this waits for."""
    impatient(settings)

    def named(session: psycopg.Connection, table: str) -> None:
        with (
            pytest.raises(LedgerHeld, match=rf"Session {session.info.backend_pid} \(slaledger\) holds {table}"),
            connect(settings.warehouse, role="sla_biller") as posting,
        ):
            hold_ledger(posting)

    with connect(settings.warehouse, role="sla_loader") as landing:
        landing.execute("insert into audit.listed_objects select * from audit.listed_objects")
        with connect(settings.warehouse, role="sla_transformer") as building:
            building.execute("delete from marts.fct_credits")
            named(building, "marts.fct_credits")
    with (
        connect(settings.warehouse, role="sla_auditor") as reading,
        connect(settings.warehouse, role="sla_transformer") as building,
        ThreadPoolExecutor(1) as pool,
    ):
        reading.execute("select * from marts.fct_claims")
        building.execute("set lock_timeout = '20s'")
        locked = pool.submit(building.execute, "lock table marts.fct_claims in access exclusive mode")
        until_it_waits(settings, building.info.backend_pid)
        named(reading, "marts.fct_claims")
        reading.rollback()
        locked.result()
        building.rollback()


def until_it_waits(settings, pid: int) -> None:
    with psycopg.connect(settings.warehouse.dsn, autocommit=True) as looking:
        while not looking.execute("select 1 from pg_locks where pid = %s and not granted", (pid,)).fetchone():
            time.sleep(0.01)


def hold_behind(settings, tables: list[str]) -> None:
    """As the biller, while each of the tables is let go a second after it is waited for."""
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        holders = [stack.enter_context(connect(settings.warehouse, role="sla_transformer")) for _ in tables]
        for holder, table in zip(holders, tables, strict=True):
            holder.execute(f"delete from {table}")
        posting = stack.enter_context(connect(settings.warehouse, role="sla_biller"))
        held = pool.submit(hold_ledger, posting)
        for holder in holders:
            with suppress(FutureTimeout):
                held.result(timeout=1)
            holder.rollback()
        held.result()


def test_five_minutes_are_for_all_that_is_held_together(settings):
    tables = ["marts.fct_account_months", "marts.fct_claims", "marts.fct_credits", "marts.fct_findings"]
    with connect(settings.warehouse) as connection:
        connection.execute("alter function billing.hold_ledger set lock_timeout = '2500ms'")
    with pytest.raises(LedgerHeld, match=r"holds marts\."):
        hold_behind(settings, tables)
    with connect(settings.warehouse) as connection:
        plant(connection, "hold_ledger", ("deadline - clock_timestamp()", "interval '2500ms'"))
    hold_behind(settings, tables)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("the current build", lambda settings: open_build(settings, run_id="r", **CLOSING)),
        ("the terms in force", publish),
    ],
)
def test_who_waits_for_another_lock_is_told_who_holds_it(settings, name, step):
    """Any login may take it by PostgreSQL's own functions; whoever needs it does not wait for ever."""
    with connect(settings.warehouse) as connection:
        connection.execute("alter function audit.hold set lock_timeout = '50ms'")
    with connect(settings.warehouse, role="sla_auditor") as holding:
        holding.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))
        told = rf"Session {holding.info.backend_pid} \(slaledger\) holds {name}\. Wait until it is done, or end it"
        with pytest.raises(WarehouseStopped, match=told):
            step(settings)
    step(settings)


def test_there_is_no_lock_that_any_login_may_take(settings):
    """The ledger's was an advisory one."""
    with connect(settings.warehouse, role="sla_biller") as connection:
        hold_ledger(connection)
        assert rows(settings, "select from pg_locks where locktype = 'advisory'") == []
