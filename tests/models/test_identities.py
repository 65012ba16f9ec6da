"""What must hold between the tables on every run: planted faults, on a month that was closed from real objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from slaledger import transform
from slaledger.settings import Settings
from slaledger.warehouse import connect
from tests.models.builder import failures
from tests.support.pipeline import Pipeline

GIVEN = Path(__file__).parents[1] / "scenarios" / "claims-deadlines" / "given"

PARTS = "assert_account_month_parts_add_up"
DOWNTIME = "assert_account_downtime_adds_up_to_its_month"
ACCOUNTED = "assert_every_contract_month_is_accounted_for"
CREDITED = "assert_contract_months_have_one_availability_credit"
LINES = "assert_lines_add_up_to_their_credits"
ORDER = "assert_lines_stand_in_order"
CLAIMS = "assert_claims_have_one_verdict_per_contract"
EVIDENT = "assert_lines_are_what_their_evidence_owes"
ARITHMETIC = "assert_lines_are_their_percent_of_their_fee"
OF_THE_LEDGER = (LINES, ORDER, EVIDENT, ARITHMETIC)
IDENTITIES = (PARTS, DOWNTIME, ACCOUNTED, CREDITED, *OF_THE_LEDGER, CLAIMS)

SOME_LINE = "(select min(line_item_id::text)::uuid from billing.credit_line_items)"
SOME_CLAIM = "(select min(claim_id) from raw.claims where service_month = '2026-03-01')"
FIRST_LINE = "(select min(chain_position) from billing.credit_line_items)"
LAST_LINE = "(select max(chain_position) from billing.credit_line_items)"

# A second line that says what the first said, under a key, a place and a link of its own.
DOUBLED = f"""
insert into billing.credit_line_items
select (jsonb_populate_record(lines, jsonb_build_object(
    'line_item_id', gen_random_uuid(),
    'idempotency_key', lines.idempotency_key || '0',
    'ordinal', 2,
    'chain_position', lines.chain_position + 1,
    'previous_hash', lines.line_hash,
    'line_hash', repeat('0', 64)
))).*
from billing.credit_line_items as lines
where lines.chain_position = {LAST_LINE}
"""

# A second line that takes the whole first one back.
TAKEN_BACK = DOUBLED.replace("'ordinal', 2,", "'ordinal', 2, 'amount', -lines.amount,")


def change_line(assignment: str) -> str:
    """Change one line."""
    return f"update billing.credit_line_items set {assignment} where line_item_id = {SOME_LINE}"


# Each of these is what an error of a join, or somebody's hand, would leave.
PLANTS = {
    "a microsecond too much": (
        PARTS,
        "update marts.fct_account_months set unknown_seconds = unknown_seconds + 0.000001",
    ),
    "a microsecond of downtime lost": (
        DOWNTIME,
        "update marts.fct_account_downtime set ended_at = ended_at - interval '1 microsecond'",
    ),
    "an account-month lost by a join": (
        ACCOUNTED,
        "delete from marts.fct_account_months"
        " where contract_id = (select min(contract_id) from marts.fct_account_months)",
    ),
    "an account-month of no contract": (
        ACCOUNTED,
        "update marts.fct_account_months set contract_id = 'nobody'"
        " where contract_id = (select min(contract_id) from marts.fct_account_months)",
    ),
    "a credit lost by a join": (
        CREDITED,
        "delete from marts.fct_credits where contract_id = (select min(contract_id) from marts.fct_credits)",
    ),
    "a credit of no account-month": (
        CREDITED,
        "update marts.fct_credits set contract_id = 'nobody'"
        " where contract_id = (select min(contract_id) from marts.fct_credits)",
    ),
    "a line of a minor unit more": (ARITHMETIC, change_line("amount = amount + 0.01")),
    "a line of another percent": (ARITHMETIC, change_line("credit_percent = credit_percent + 5")),
    "a line in no known currency": (ARITHMETIC, change_line("currency = 'ZZZ'")),
    "a line that was doubled": (ARITHMETIC, DOUBLED),
    "a line in cents for dollars": (EVIDENT, change_line("amount = amount * 100, monthly_fee = monthly_fee * 100")),
    "half a line of half the fee": (LINES, change_line("amount = amount / 2, monthly_fee = monthly_fee / 2")),
    "twice the percent of half the fee": (
        EVIDENT,
        change_line("credit_percent = credit_percent * 2, monthly_fee = monthly_fee / 2"),
    ),
    "a line moved to another currency": (EVIDENT, change_line("currency = 'EUR'")),
    "a line taken back while it is owed": (LINES, TAKEN_BACK),
    "a line taken back against its evidence": (EVIDENT, TAKEN_BACK),
    "the last line deleted": (LINES, f"delete from billing.credit_line_items where chain_position = {LAST_LINE}"),
    "all lines deleted": (LINES, "delete from billing.credit_line_items"),
    "a credit of a minor unit more than its lines": (
        LINES,
        "update marts.fct_credits set amount = amount + 0.01 where status = 'owed'",
    ),
    "a line deleted from among the others": (
        ORDER,
        f"delete from billing.credit_line_items where chain_position = {FIRST_LINE}",
    ),
    "a line whose number is not the next": (
        ORDER,
        f"update billing.credit_line_items set ordinal = ordinal + 1 where chain_position = {LAST_LINE}",
    ),
    "a line that follows another's hash": (
        ORDER,
        f"update billing.credit_line_items set previous_hash = repeat('0', 64) where chain_position = {LAST_LINE}",
    ),
    "a line without its statement": (
        ORDER,
        f"update billing.credit_line_items set statement_id = gen_random_uuid() where chain_position = {LAST_LINE}",
    ),
    "a line of another contract's statement": (
        ORDER,
        "update billing.credit_line_items as lines set statement_id = ("
        "select min(statements.statement_id::text)::uuid from billing.sla_statements as statements"
        f" where statements.contract_id <> lines.contract_id) where lines.chain_position = {LAST_LINE}",
    ),
    "a claim lost by a join": (
        CLAIMS,
        "delete from marts.fct_claims where claim_id = (select min(claim_id) from marts.fct_claims)",
    ),
    "a claim lost before it was judged": (
        CLAIMS,
        f"delete from intermediate.int_claims where claim_id = {SOME_CLAIM};"
        f"delete from intermediate.int_claim_verdicts where claim_id = {SOME_CLAIM};"
        f"delete from marts.fct_claims where claim_id = {SOME_CLAIM}",
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

OWES_MORE = "update marts.fct_credits set amount = amount + 1 where status = 'owed'"
LAST_OWED = f"(select contract_id from billing.credit_line_items where chain_position = {LAST_LINE})"

# What the mart owes and the lines say may differ, rightly (rules L2 and L3, decision 0008).
WAITING = {
    "a month that was built again since": f"{OWES_MORE}; update audit.builds set posted_at = null",
    "account-months that are held": f"{OWES_MORE}; update marts.fct_account_months set status = 'held'",
    "account-months that are blocked": f"{OWES_MORE}; update marts.fct_account_months set status = 'blocked'",
    "a claim that is open again": "update marts.fct_credits set status = 'pending'",
    "a decrease": "update marts.fct_credits set amount = amount - 1 where status = 'owed'",
    "an increase behind a decrease": "update marts.fct_credits set currency = 'EUR' where status = 'owed'",
    "an account-month that is no more": f"delete from marts.fct_credits where contract_id = {LAST_OWED};"
    f"delete from marts.fct_account_months where contract_id = {LAST_OWED}",
}

# No claims of the month: nothing is to be judged (rules C3, P5, and what the as-of time cuts).
NO_CLAIM = {
    "another month's": f"update raw.claims set service_month = '2026-02-01' where claim_id = {SOME_CLAIM}",
    "a sandbox's": "update raw.accounts set is_sandbox = true where account_id = ("
    f"select min(account_id) from raw.claims where claim_id = {SOME_CLAIM})",
    "received after the as-of time": f"update raw.claims set received_at = '2026-05-01' where claim_id = {SOME_CLAIM}",
}

# What the books themselves hold against a hand, so that dbt is all that is left.
DISARM = """
alter table billing.credit_line_items disable trigger user;
do $$
declare
    held record;
begin
    for held in
        select conname from pg_constraint
        where conrelid = 'billing.credit_line_items'::regclass and contype in ('c', 'f')
        order by contype desc
    loop
        execute format('alter table billing.credit_line_items drop constraint %I cascade', held.conname);
    end loop;
end $$;
"""


@pytest.fixture(scope="module")
def closed(pipeline: Pipeline) -> Pipeline:
    pipeline.put(GIVEN)
    pipeline.run("2026-03", "2026-04-20T00:00:00Z", close=True)
    return pipeline


@pytest.fixture
def spoiled(closed: Pipeline) -> Iterator[Settings]:
    """The closed month in a database of its own, to plant a fault in."""
    warehouse = dataclasses.replace(closed.settings.warehouse, database="spoiled")
    server = dataclasses.replace(warehouse, database="postgres")
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        # dbt keeps its connection, and a database in use is no template.
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
            [closed.settings.warehouse.database],
        )
        connection.execute(f"create database spoiled template {closed.settings.warehouse.database}")
    yield dataclasses.replace(closed.settings, warehouse=warehouse)
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("drop database spoiled with (force)")


def test_identities_hold_on_a_closed_month(closed: Pipeline) -> None:
    statuses = {row["status"] for row in closed.rows("select status from marts.fct_claims")}
    assert {"accepted", "duplicate", "rejected"} <= statuses
    assert len(closed.rows("select from billing.credit_line_items")) > 1
    assert closed.rows("select from marts.fct_account_downtime")
    assert failures(closed.settings, "test", select=IDENTITIES) == {}


@pytest.mark.parametrize("plant", PLANTS)
def test_identities_fail_for_what_they_are_for(spoiled: Settings, plant: str) -> None:
    assertion, statement = PLANTS[plant]
    with connect(spoiled.warehouse) as connection:
        connection.execute(DISARM)
        assert connection.execute(statement).rowcount != 0
    assert set(failures(spoiled, "test", select=(assertion,))) == {assertion}


@pytest.mark.parametrize("case", WAITING)
def test_what_waits_does_not_fail_the_ledger(spoiled: Settings, case: str) -> None:
    with connect(spoiled.warehouse) as connection:
        connection.execute(WAITING[case])
    assert failures(spoiled, "test", select=OF_THE_LEDGER) == {}


@pytest.mark.parametrize("case", NO_CLAIM)
def test_what_is_no_claim_of_the_month_is_in_no_state(spoiled: Settings, case: str) -> None:
    with connect(spoiled.warehouse) as connection:
        (claim_id,) = connection.execute(SOME_CLAIM).fetchone()
        assert connection.execute(NO_CLAIM[case]).rowcount == 1
    assert set(failures(spoiled, "test", select=(CLAIMS,))) == {CLAIMS}, "it is judged still"
    with connect(spoiled.warehouse) as connection:
        connection.execute("delete from marts.fct_claims where claim_id = %s", [claim_id])
    assert failures(spoiled, "test", select=(CLAIMS,)) == {}


def test_a_run_that_posted_fails_by_its_ledger_naming_contract_and_month(spoiled: Settings) -> None:
    with connect(spoiled.warehouse) as connection:
        (run_id, contract_id) = connection.execute(f"select run_id, {LAST_OWED} from audit.current_build").fetchone()
    transform.test_ledger(spoiled, run_id=run_id)
    with connect(spoiled.warehouse) as connection:
        connection.execute(DISARM)
        connection.execute(f"delete from billing.credit_line_items where chain_position = {LAST_LINE}")
    with pytest.raises(transform.LedgerDoesNotAddUp) as failed:
        transform.test_ledger(spoiled, run_id=run_id)
    assert f"contract {contract_id}, 2026-03: owed 50.00 USD (availability), its lines add up to 0" in str(failed.value)
    assert failed.value.failed_tests == (LINES,)
