"""A closing as of an earlier instant than the last: the books follow it, and it is told (docs/decisions/0015)."""

from __future__ import annotations

import io
from datetime import date, timedelta
from decimal import Decimal

import pytest
from rich.console import Console

from slaledger import approvals, reports, results
from slaledger.ledger import post_month
from tests.ledger.books import AS_OF, MARCH, AccountMonth, build, close, lines, rows, validate

LOW = AccountMonth(credit_percent=Decimal(5), amount=Decimal("50.00"))
HIGH = AccountMonth(credit_percent=Decimal(10), amount=Decimal("100.00"))
LATER = AS_OF + timedelta(days=20)


def closed(settings, account_month: AccountMonth, as_of) -> tuple[list[int], str]:
    """The amounts after a closing, and what `sla run` prints of it."""
    run_id = build(settings, account_month, as_of=as_of)
    validate(settings, run_id)
    post_month(settings, run_id=run_id)
    console = Console(file=io.StringIO(), record=True, width=400)
    for report in reports.month_reports(results.read_result(settings, run_id, MARCH), month="2026-03", is_closing=True):
        console.print(report)
    return [int(amount) for _, _, amount, _ in lines(settings)], console.export_text()


def test_it_restates_the_month_and_is_told(settings):
    assert "had been posted" not in closed(settings, LOW, LATER)[1]
    assert "had been posted" not in closed(settings, LOW, LATER)[1]  # the same again
    known_then = rows(settings, "select max(recorded_at) from billing.postings")[0][0]
    amounts, told = closed(settings, HIGH, AS_OF)
    assert amounts == [50, 50]
    assert f"2026-03 had been posted as of {LATER.isoformat()}, which is later" in told
    assert rows(settings, "select sum(amount) from billing.lines_as_known_on(%s)", known_then) == [(Decimal(50),)]
    # As of the later instant once more: what the step back gave too much waits for a person (L3).
    result = close(settings, LOW, as_of=LATER)
    assert (result.lines_appended, [waiting.contract_id for waiting in result.overpaid]) == (0, ["K-1"])


def test_what_another_run_posted_meanwhile_is_told(settings):
    """Of two at once the second finds it done: it names who did it, and what was done."""
    close(settings, AccountMonth(contract_id="K-0"), service_month=date(2026, 2, 1))
    before = results.posted_so_far(settings)
    close(settings, HIGH)
    ((other,),) = rows(settings, "select distinct run_id from billing.credit_line_items where contract_id = 'K-1'")
    mine = build(settings, HIGH)
    validate(settings, mine)
    post_month(settings, run_id=mine)
    for posted_before, is_told in ((before, True), (results.posted_so_far(settings), False)):
        result = results.read_result(settings, mine, MARCH, posted_before=posted_before)
        assert result.lines == []
        console = Console(file=io.StringIO(), record=True, width=400)
        for report in reports.month_reports(result, month="2026-03", is_closing=True):
            console.print(report)
        told = console.export_text()
        assert (f"Appended by {other} while this run waited for it" in told) is is_told
        assert ("100.00" in told.partition("Appended by")[2]) is is_told
        assert "no line appended" in told


@pytest.mark.parametrize("steps", [(0, 20, 40), (40, 20, 0), (20, 0, 40), (20, 40, 20)])
def test_the_lines_add_up_to_what_the_last_closing_owes(settings, steps):
    owed = {0: Decimal("10.00"), 20: Decimal("50.00"), 40: Decimal("100.00")}
    for days in steps:
        for _ in range(2):  # before and after a person approved what is taken back
            close(settings, AccountMonth(amount=owed[days]), as_of=AS_OF + timedelta(days=days))
            for waiting in approvals.pending(settings):
                approvals.decide(settings, waiting.pending_id, is_approved=True, by="Ada", because="a replay")
        assert sum(amount for _, _, amount, _ in lines(settings)) == owed[days]
