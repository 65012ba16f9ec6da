"""The ledger's lock: the biller alone may ask for it, and who waits is told who holds it."""

from __future__ import annotations

import dataclasses
import re
from contextlib import suppress

import psycopg
import pytest

from slaledger import approvals, ledger
from slaledger.ledger.chain import LedgerHeld, hold_ledger
from slaledger.warehouse import connect
from tests.ledger.books import MARCH, build, close, rows, validate
from tests.ledger.test_postings import SAME, UP
from tests.reliability.privileges import ROLES

# All that conflict with a posting's lock.
MODES = (
    "row share", "row exclusive", "share update exclusive", "share", "share row exclusive", "exclusive",
    "access exclusive",
)  # fmt: skip
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


def test_there_is_no_lock_that_any_login_may_take(settings):
    """The ledger's was an advisory one."""
    with connect(settings.warehouse, role="sla_biller") as connection:
        hold_ledger(connection)
        assert rows(settings, "select from pg_locks where locktype = 'advisory'") == []
