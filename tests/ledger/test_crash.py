from __future__ import annotations

import multiprocessing
import os
import signal
import time

import psycopg

from slaledger import ledger
from slaledger.ledger import posting
from slaledger.warehouse import connect
from tests.ledger.books import AccountMonth, build, rows, validate


def _post_and_wait(settings, run_id, is_between) -> None:
    """Post, but stop for good between the statements and the lines."""

    def stop(*_arguments, **_options):
        is_between.set()
        time.sleep(3600)

    posting.append = stop
    ledger.post_month(settings, run_id=run_id)


def test_killed_between_statements_and_lines_leaves_nothing_and_the_repeat_does_all(settings):
    run_id = build(settings, AccountMonth(), AccountMonth(contract_id="K-2"))
    validate(settings, run_id)
    context = multiprocessing.get_context("fork")
    is_between = context.Event()
    process = context.Process(target=_post_and_wait, args=(settings, run_id, is_between))
    process.start()
    assert is_between.wait(30)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    result = ledger.post_month(settings, run_id=run_id)
    assert (result.statements_appended, result.lines_appended) == (2, 2)
    assert rows(settings, "select count(*), max(revision) from billing.sla_statements") == [(2, 1)]


def test_a_refusal_at_commit_leaves_nothing(settings):
    """What is checked when the transaction ends takes statements and evidence with it."""
    run_id = build(settings, AccountMonth())
    validate(settings, run_id)
    with connect(settings.warehouse) as connection:
        connection.execute(
            """
            create function public.refuse() returns trigger language plpgsql as
            'begin raise exception ''no''; end';
            create constraint trigger refused after insert on billing.credit_line_items
            deferrable initially deferred for each row execute function public.refuse()
            """
        )
    try:
        ledger.post_month(settings, run_id=run_id)
        raise AssertionError("the posting was not refused")
    except psycopg.errors.RaiseException:
        pass
    for table in ("sla_statements", "credit_line_items", "evidence"):
        assert rows(settings, f"select from billing.{table}") == []


def test_the_marts_stand_still_while_a_month_is_posted(settings):
    """A build that starts meanwhile waits for the posting, and cannot change what it posts."""
    run_id = build(settings, AccountMonth())
    validate(settings, run_id)
    with connect(settings.warehouse) as connection:
        posting.hold_ledger(connection)
        with connect(settings.warehouse) as other:
            other.execute("set lock_timeout = '100ms'")
            try:
                other.execute("delete from marts.fct_credits")
                raise AssertionError("the marts were changed")
            except psycopg.errors.LockNotAvailable:
                other.rollback()
