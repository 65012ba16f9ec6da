from __future__ import annotations

import json

import psycopg
import pytest

from slaledger.warehouse import connect
from tests.ledger.books import lines

KEY = {"contract_id": "K-1", "basis": "goodwill", "ordinal": 1}
TABLES = {
    "billing.sla_statements": "run_id",
    "billing.credit_line_items": "run_id",
    "billing.postings": "run_id",
    "billing.evidence": "document",
    "billing.deliveries": "bucket",
    "billing.ledger": "ledger_id",
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", ["update {0} set {1} = {1}", "delete from {0}", "truncate {0} cascade"])
@pytest.mark.parametrize("role", ["origin", "replica"])
def test_no_row_is_changed_by_anyone(closed_books, table, statement, role):
    """The role is the owner and a superuser; `replica` switches ordinary triggers off."""
    with (
        pytest.raises(psycopg.errors.RaiseException, match="append-only"),
        connect(closed_books.warehouse) as connection,
    ):
        connection.execute(f"set session_replication_role = {role}")
        connection.execute(statement.format(table, TABLES[table]))
    assert len(lines(closed_books)) == 1


def insert(settings, **changed) -> int:
    """How many lines there would be with a goodwill that follows the line, but for what is changed; taken back."""
    contract, basis, ordinal = (changed.get(name, value) for name, value in KEY.items())
    values = {
        "line_item_id": "00000000-0000-0000-0000-000000000001",
        "idempotency_key": f"{contract}|2026-03|{basis}|{ordinal}",
        "entry_type": "goodwill",
        "basis": basis,
        "ordinal": ordinal,
        "approved_by": "Ada",
        "chain_position": 2,
        "line_hash": "0" * 64,
        **changed,
    }
    with connect(settings.warehouse) as connection:
        connection.execute(
            """
            insert into billing.credit_line_items
            select (jsonb_populate_record(
                lines, %s::jsonb || jsonb_build_object('previous_hash', coalesce(%s, lines.line_hash))
            )).*
            from billing.credit_line_items as lines
            """,
            (json.dumps(values), changed.get("previous_hash")),
        )
        # What is looked at when a transaction commits.
        connection.execute("set constraints all immediate")
        (count,) = connection.execute("select count(*) from billing.credit_line_items").fetchone()
        connection.rollback()
    return count


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"amount": "NaN"}, "amount_finite"),
        ({"amount": "Infinity"}, "amount_finite"),
        ({"amount": "-Infinity"}, "amount_finite"),
        ({"amount": "1e15"}, "amount_finite"),
        ({"amount": 0}, "amount_finite"),
        ({"amount": -1}, "entry_type"),
        ({"monthly_fee": "NaN"}, "figures_finite"),
        ({"uptime_percent": "NaN"}, "figures_finite"),
        ({"uptime_percent": 100.1}, "figures_finite"),
        ({"counted_seconds": "NaN"}, "figures_finite"),
        ({"currency": "usd"}, "currency"),
        ({"settlement": "cash"}, "settlement"),
        ({"approved_by": None}, "entry_type"),
        ({"approved_by": " "}, "approved_by_somebody"),
        ({"entry_type": "refund"}, "entry_type"),
        ({"entry_type": "credit"}, "entry_type"),
        ({"entry_type": "adjustment", "basis": "availability", "ordinal": 2}, "entry_type"),
        ({"entry_type": "credit", "basis": "response_time", "amount": -1}, "entry_type"),
        ({"basis": "cash"}, "basis"),
        ({"idempotency_key": "K-1|2026-03|goodwill|7"}, "key_is_of_line"),
        ({"service_month": "2026-03-02"}, "month_is_first_day"),
        ({"applies_from": "2026-05-02"}, "applies_from_first_day"),
        ({"hash_version": 2}, "hashes"),
    ],
)
def test_a_line_that_is_wrong_is_refused(closed_books, changed, name):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        insert(closed_books, **changed)
    assert caught.value.diag.constraint_name == f"credit_line_items_{name}"
