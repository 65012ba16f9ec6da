"""Whatever is restated, in whatever order: the lines add up to what is owed, and none of them ever changes."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import HealthCheck, given, settings, strategies

from slaledger import approvals, evidence
from tests.ledger.books import AccountMonth, close, rows

COUNTER = iter(range(1_000_000))
OWED = strategies.integers(min_value=0, max_value=300).map(lambda cents: Decimal(cents) / 100)
BASES = ("availability", "response_time")
STEPS = strategies.lists(
    strategies.tuples(strategies.sampled_from(BASES), OWED, strategies.booleans()), min_size=1, max_size=5
)


def months(contract_id: str, owed: dict[str, Decimal]) -> list[AccountMonth]:
    return [
        AccountMonth(
            contract_id=contract_id,
            basis=basis,
            amount=owed[basis],
            credit_status="owed" if owed[basis] else "expired",
        )
        for basis in BASES
    ]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_lines_add_up_to_what_is_owed_and_never_change(closed_books, steps):
    contract_id = f"H-{next(COUNTER)}"
    owed = dict.fromkeys(BASES, Decimal(0))
    posted: list[tuple] = []
    for basis, amount, is_approved in steps:
        owed[basis] = amount
        close(closed_books, *months(contract_id, owed))
        pending_id = f"decrease:{contract_id}:2026-03:{basis}"
        if is_approved and pending_id in {item.pending_id for item in approvals.pending(closed_books)}:
            approvals.decide(closed_books, pending_id, is_approved=True, by="Ada", because="restated")
            close(closed_books, *months(contract_id, owed))
        now = lines(closed_books, contract_id)
        assert now[: len(posted)] == posted
        posted = now
        for each in BASES:
            total = sum((line.amount for line in map(Amount, posted) if line.basis == each), Decimal(0))
            assert total >= 0
            assert total >= owed[each]
            if is_approved and each == basis:
                assert total == owed[each]
    for basis in BASES:
        pending_id = f"decrease:{contract_id}:2026-03:{basis}"
        if pending_id in {item.pending_id for item in approvals.pending(closed_books)}:
            approvals.decide(closed_books, pending_id, is_approved=True, by="Ada", because="restated")
    close(closed_books, *months(contract_id, owed))
    final = lines(closed_books, contract_id)
    assert final[: len(posted)] == posted
    for basis in BASES:
        assert sum((line.amount for line in map(Amount, final) if line.basis == basis), Decimal(0)) == owed[basis]
    assert close(closed_books, *months(contract_id, owed)).lines_appended == 0
    assert evidence.verify_chain(closed_books).is_intact


class Amount:
    """What a line adds, and to which basis."""

    def __init__(self, row: tuple) -> None:
        self.basis, self.amount = row[3], row[7]


def lines(books, contract_id: str) -> list[tuple]:
    return rows(
        books,
        "select * from billing.credit_line_items where contract_id = %s order by chain_position",
        contract_id,
    )
