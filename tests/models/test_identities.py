"""What must hold between the tables on every run: planted faults, on a month that was closed from real objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from slaledger.warehouse import connect
from tests.models.builder import failures

GIVEN = Path(__file__).parents[1] / "scenarios" / "claims-deadlines" / "given"

LINES = "assert_lines_add_up_to_their_credits"
CLAIMS = "assert_claims_have_one_verdict_per_contract"

# Each of these is what an error of a join, or somebody's hand, would leave.
PLANTS = {
    "a line of a minor unit more": (
        LINES,
        "update billing.credit_line_items set amount = amount + 0.01 where ordinal = 1 and entry_type = 'credit'"
        " and line_item_id = (select min(line_item_id::text)::uuid from billing.credit_line_items)",
    ),
    "a line of another percent": (
        LINES,
        "update billing.credit_line_items set credit_percent = 10 where credit_percent = 5"
        " and line_item_id = (select min(line_item_id::text)::uuid from billing.credit_line_items)",
    ),
    "a line in no known currency": (
        LINES,
        "update billing.credit_line_items set currency = 'ZZZ'"
        " where line_item_id = (select min(line_item_id::text)::uuid from billing.credit_line_items)",
    ),
    "a claim lost by a join": (
        CLAIMS,
        "delete from marts.fct_claims where claim_id = (select min(claim_id) from marts.fct_claims)",
    ),
    "a claim that nobody made": (CLAIMS, "update marts.fct_claims set claim_id = 'nobody' where status = 'accepted'"),
    "a claim without a state": (
        CLAIMS,
        "alter table marts.fct_claims alter column status drop not null;"
        "update marts.fct_claims set status = null where status = 'accepted'",
    ),
    "a claim judged for another's contract": (
        CLAIMS,
        "update marts.fct_claims set contract_id = 'nobody' where status = 'accepted'",
    ),
    "two accepted claims of a contract": (
        CLAIMS,
        "update marts.fct_claims set status = 'accepted' where status = 'duplicate'",
    ),
}


@pytest.fixture(scope="module")
def closed(pipeline):
    pipeline.put(GIVEN)
    pipeline.run("2026-03", "2026-04-20T00:00:00Z", close=True)
    return pipeline


def test_identities_hold_on_a_closed_month(closed) -> None:
    statuses = {row["status"] for row in closed.rows("select status from marts.fct_claims")}
    assert {"accepted", "duplicate", "rejected"} <= statuses
    assert closed.rows("select from billing.credit_line_items")
    assert failures(closed.settings, "test", select=(LINES, CLAIMS)) == {}


@pytest.mark.parametrize("plant", PLANTS)
def test_identities_fail_for_what_they_are_for(closed, plant: str) -> None:
    assertion, statement = PLANTS[plant]
    tables = ("billing.credit_line_items", "marts.fct_claims")
    with connect(closed.settings.warehouse) as connection:
        for table in tables:
            kept = table.replace(".", "_")
            connection.execute(f"drop table if exists kept_{kept}; create table kept_{kept} as table {table}")
        connection.execute("alter table billing.credit_line_items disable trigger user")
        connection.execute("alter table billing.credit_line_items drop constraint credit_line_items_currency")
        connection.execute(statement)
    try:
        assert set(failures(closed.settings, "test", select=(LINES, CLAIMS))) == {assertion}
    finally:
        with connect(closed.settings.warehouse) as connection:
            for table in tables:
                connection.execute(f"delete from {table}; insert into {table} table kept_{table.replace('.', '_')}")
            connection.execute("alter table billing.credit_line_items enable trigger user")
            connection.execute(
                "alter table billing.credit_line_items add constraint credit_line_items_currency"
                " check (currency ~ '^[A-Z]{3}$')"
            )
