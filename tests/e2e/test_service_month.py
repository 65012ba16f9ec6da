"""The sample month through Airflow's scheduler, by the command line; its ledger against figures reckoned by hand.

One story, so that the scheduler runs few months, six in all: an empty bucket; the sample closed twice at once, the
scheduler killed twice and a `sla run` once under it; every task cleared; services killed; two months that the gates
must stop, and no way of Airflow's around them. In the end nothing of the exports is in Airflow.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from slaledger import objects
from slaledger.gates.committed import committed
from slaledger.settings import PROJECT_DIR, WRITER_POOL
from slaledger.stack.airflow import prepare
from slaledger.stack.airflow_api import AirflowApi
from slaledger.steps import FAILURE_KEY
from slaledger.warehouse import migrate
from tests.e2e.conftest import RUN_SECONDS, Sla
from tests.reliability.scale import scaled
from tests.reliability.test_canaries import FORMS, MARK, Canaries, exports, hits
from tests.support import digests
from tests.support.buckets import empty_bucket

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

MONTH = "2026-03"
RUN = ("run", "--month", MONTH, "--as-of", "2026-04-20T00:00:00Z", "--close")
LEDGER = """
    select line_item_id, idempotency_key, entry_type, basis, contract_id, amount, currency, line_hash, previous_hash
    from billing.credit_line_items order by line_item_id
"""

STATEMENTS = "select * from billing.sla_statements order by contract_id, revision"


def expected() -> list[dict[str, str]]:
    with (PROJECT_DIR / "examples" / "expected.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    return rows


@pytest.fixture(scope="module")
def empty_run(sla: Sla) -> subprocess.CompletedProcess[str]:
    return sla("run", "--month", MONTH)


@dataclass(frozen=True)
class Twins:
    """Two runs of one month that Airflow had at work at once, in the task that posts."""

    first_run_id: str  # whose `sla run` was killed
    second: subprocess.CompletedProcess[str]
    struck: tuple[str, ...]  # the stages that a kill of the scheduler has struck
    seconds: float


def begin_twins(sla: Sla, *, kills: Collection[str], chance: random.Random) -> Twins:
    """Have Airflow land and close the month twice at once: both wait to post, and are let go together.

    The first's `sla run` is killed. Airflow's scheduler is killed at these of `STAGES`.
    """
    struck: list[str] = []

    def strike(stage: str, run_id: str) -> None:
        if stage in kills and kill_scheduler(sla, stage, run_id):
            struck.append(stage)

    started = time.monotonic()
    known = {row["run_id"] for row in sla.rows("select run_id from audit.builds")}
    with nobody_posts(sla) as let_go:
        first = sla.start(*RUN)
        if "landing" in kills:
            count = chance.randint(1, 12)
            sla.wait_until(lambda: sla.rows(LANDED, [count]), what=f"{count} of the 33 objects of checks had landed")
            strike("landing", sla.rows(LANDED, [count])[0]["run_id"])
            start_again(sla)
        first_run_id = sla.opened(known)
        first.kill()
        first.communicate()
        if "building" in kills:
            sla.wait_until(lambda: is_at(sla, "building", first_run_id), what="the first was building")
            time.sleep(chance.uniform(0, 8))
            strike("building", first_run_id)
            start_again(sla)
        sla.wait_until(lambda: is_at_work(sla, first_run_id, "post_ledger"), what="the first was about to post")
        second = sla.start(*RUN)
        with limits_lifted(sla):
            second_run_id = sla.opened(known | {first_run_id})
        sla.wait_until(lambda: are_at_once(sla, first_run_id, second_run_id), what="both were in the task that posts")
        if "waiting" in kills:
            strike("waiting", second_run_id)
            start_again(sla)
        let_go("ledger")
        if "posting" in kills:
            sla.wait_until(lambda: is_at(sla, "posting", second_run_id), what="the second had written its lines")
            strike("posting", second_run_id)
            # What the scheduler started lives on until the next one starts: half the time, long enough to commit.
            if chance.random() < 0.5:
                let_go("postings")
            start_again(sla)
        let_go("postings")
    out, err = second.communicate(timeout=RUN_SECONDS)
    result = subprocess.CompletedProcess(RUN, second.returncode, out, err)
    assert sla.state_at_end("account_month", first_run_id) == "failed"
    return Twins(first_run_id, result, tuple(struck), time.monotonic() - started)


# Where the scheduler is killed: objects of checks land; the models are built; `post_ledger` waits for the ledger; it
# has written its lines, and not committed them.
STAGES = ("landing", "building", "waiting", "posting")
LANDED = """
    select listed.run_id
    from audit.listed_objects as listed
    left join raw.source_objects as landed using (run_id, object_id)
    group by listed.run_id
    having count(landed.object_id) filter (where landed.key like 'monitoring/%%') >= %s
"""


def kill_scheduler(sla: Sla, stage: str, run_id: str) -> bool:
    """`kill -9` of the scheduler; whether the run was at this stage, before it and after."""
    was_at = is_at(sla, stage, run_id)
    sla.kill("scheduler")
    return was_at and is_at(sla, stage, run_id)


def is_at(sla: Sla, stage: str, run_id: str) -> bool:
    """Whether the run is at this stage: what the warehouse says, and the task that Airflow has at work."""
    task_id, query = {
        "landing": (
            "land_checks",
            """
            select from audit.listed_objects as listed
            left join raw.source_objects as landed using (run_id, object_id)
            where listed.run_id = %(run_id)s
            having count(landed.object_id) between 1 and count(*) - 1
            """,
        ),
        "building": (
            "build_models",
            """
            select from audit.builds
            where run_id = %(run_id)s and models_started_at is not null and models_built_at is null
            """,
        ),
        "waiting": ("post_ledger", WAITING.format("billing.ledger")),
        "posting": ("post_ledger", WAITING.format("billing.postings")),
    }[stage]
    return bool(sla.rows(query, {"run_id": run_id})) and is_at_work(sla, run_id, task_id)


# The sessions that wait for this table.
WAITING = "select from pg_locks where relation = '{}'::regclass and not granted"


def start_again(sla: Sla) -> None:
    """What a person does then."""
    up = sla("up")
    assert up.returncode == 0, up.stderr


@contextmanager
def nobody_posts(sla: Sla) -> Iterator[Callable[[str], None]]:
    """Hold what a posting locks first, and what it writes last, until they are let go: `ledger`, then `postings`."""
    with psycopg.connect(sla.stack.warehouse.dsn) as connection:
        connection.execute("lock table billing.postings in share mode")
        connection.execute("savepoint ledger")
        connection.execute("lock table billing.ledger in exclusive mode")

        def let_go(held: str) -> None:
            connection.execute("rollback to ledger" if held == "ledger" else "rollback")

        yield let_go


def is_at_work(sla: Sla, run_id: str, task_id: str) -> bool:
    """Whether Airflow has this task of the run at work."""
    dag_id = "land_exports" if task_id == "land_checks" else "account_month"
    tasks = sla.airflow.task_instances(dag_id, run_id)
    return any((task["task_id"], task["state"]) == (task_id, "running") for task in tasks)


def are_at_once(sla: Sla, *run_ids: str) -> bool:
    """Whether Airflow has `post_ledger` of all of them at work, and as many sessions wait for the ledger."""
    return len(sla.rows(WAITING.format("billing.ledger"))) >= len(run_ids) and all(
        is_at_work(sla, run_id, "post_ledger") for run_id in run_ids
    )


@contextmanager
def limits_lifted(sla: Sla) -> Iterator[None]:
    """Have Airflow run two of a month at once, which the pool of one and `max_active_runs` keep it from."""
    sla.airflow.ensure_pool(WRITER_POOL, slots=2, description="One too many")
    stop = threading.Event()

    def lift() -> None:
        # The DAG's own figure comes back whenever its file is read.
        with psycopg.connect(airflow_database(sla), autocommit=True) as connection:
            while not stop.wait(0.2):
                connection.execute("update dag set max_active_runs = 2 where dag_id = 'account_month'")

    lifting = threading.Thread(target=lift)
    lifting.start()
    try:
        yield
    finally:
        stop.set()
        lifting.join()


def airflow_database(sla: Sla) -> str:
    return replace(sla.stack.warehouse, database="airflow").dsn


@pytest.fixture(scope="module")
def twins(sla: Sla, empty_run, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    """The sample month, closed twice at once; the scheduler is killed while it lands, and while one posts."""
    sample = tmp_path_factory.mktemp("sample")
    subprocess.run([sys.executable, "examples/generate.py", str(sample)], cwd=PROJECT_DIR, check=True)
    put = sla("put", sample)
    assert put.returncode == 0, put.stderr
    return begin_twins(sla, kills=("landing", "posting"), chance=random.Random(os.environ.get("SLA_SEED", "4")))


@pytest.fixture(scope="module")
def closed(twins: Twins, sla: Sla) -> subprocess.CompletedProcess[str]:
    """The one that posted."""
    prepare(sla.airflow)  # one at a time again
    return twins.second


CONTENTS = ("raw", "marts", "billing")


def contents(
    sla: Sla, connection: psycopg.Connection | None = None, *, without: Collection[str] = ()
) -> dict[str, str]:
    """The digest of every table of raw, marts and billing, to the byte but for these columns; of drop and anchors."""
    with psycopg.connect(sla.stack.warehouse.dsn) if connection is None else nullcontext(connection) as asked:
        found = digests.contents(asked, CONTENTS, without=without)
    if not without:
        found |= {
            version.key: hashlib.sha256(objects.get(sla.stack.exports, version.key)).hexdigest()
            for version in objects.list_versions(sla.stack.exports)
            if version.key.startswith("billing/") and version.is_latest
        }
    return found


# What another run of the same month may say otherwise: who ran, what the clock said, and what is named after it.
OF_ANOTHER_RUN = (
    *digests.CLOCKS,
    *("raw_validation_id", "marts_validation_id", "ledger_id", "manifest_key", "manifest_sha256"),
)


def faults(sla: Sla, connection: psycopg.Connection | None = None) -> list[str]:
    """What of the ledger is not one set of lines, by one posting, as reckoned by hand, with all its statements."""
    with psycopg.connect(sla.stack.warehouse.dsn) if connection is None else nullcontext(connection) as asked:
        lines = asked.execute(
            "select contract_id, basis, amount, currency from billing.credit_line_items order by 1, 2, 3, 4"
        ).fetchall()
        statements = asked.execute("select contract_id from billing.sla_statements order by 1").fetchall()
        postings = asked.execute("select statement_count, line_count from billing.postings").fetchall()
    owed = sorted(
        (row["contract_id"], row["basis"], Decimal(row["amount"]), row["currency"])
        for row in expected()
        if row["credit_status"] == "owed" and Decimal(row["amount"]) > 0
    )
    assert owed
    contracts = sorted({row["contract_id"] for row in expected()})
    found = {
        f"lines {lines}": lines == owed,
        f"statements {statements}": [contract for (contract,) in statements] == contracts,
        f"postings {postings}": postings == [(len(contracts), len(owed))],
    }
    return [fault for fault, is_right in found.items() if not is_right]


def test_an_empty_bucket_is_done_with_a_warning(empty_run):
    assert empty_run.returncode == 0, empty_run.stderr
    assert "bucket_has_exports" in empty_run.stdout
    assert f"{MONTH} has no contracts" in empty_run.stdout


def test_the_closed_month_leaves_one_account_month_held_and_says_which(closed):
    assert closed.returncode == 4, closed.stdout + closed.stderr
    (held,) = [row for row in expected() if row["credit_status"] == "held"]
    assert f"held {held['contract_id']}" in closed.stdout


def test_the_month_is_as_reckoned_by_hand(sla, closed):
    """Route one: `examples/expected.csv`, reckoned by hand in `examples/README.md`. Route two: the pipeline."""
    found = {
        (row["contract_id"], row["basis"]): row
        for row in sla.rows(
            """
            select
                c.*, c.status as credit_status, m.status, m.measured_seconds, m.counted_seconds, m.excluded_seconds,
                m.unknown_seconds, m.uptime_percent, m.uptime_percent_low
            from marts.fct_credits as c
            inner join marts.fct_account_months as m
                on c.contract_id = m.contract_id and c.service_month = m.service_month
            where c.service_month = %s
            """,
            [f"{MONTH}-01"],
        )
    }
    assert set(found) == {(row["contract_id"], row["basis"]) for row in expected()}
    for row in expected():
        for name, text in row.items():
            value = found[row["contract_id"], row["basis"]][name]
            wanted = None if text == "" else Decimal(text) if isinstance(value, Decimal) else text
            assert value == wanted, f"{row['contract_id']}.{row['basis']}.{name}"


def test_the_ledger_is_what_is_owed_by_hand_and_posted_once(sla, closed):
    assert faults(sla) == []
    lines = sla.rows("select distinct entry_type from billing.credit_line_items")
    assert lines == [{"entry_type": "credit"}]
    assert sla.rows("select distinct revision from billing.sla_statements") == [{"revision": 1}]


SPOILED_LEDGER = {
    "no unique key, and both of two at once posted": """
        insert into billing.credit_line_items
        select (jsonb_populate_record(
            lines, jsonb_build_object('line_item_id', gen_random_uuid(), 'chain_position', chain_position + 1000)
        )).*
        from billing.credit_line_items as lines
    """,
    "posting in two commits, and the scheduler killed between them": """
        delete from billing.credit_line_items where chain_position > 1
    """,
    "statements in a commit of their own": """
        delete from billing.credit_line_items; delete from billing.postings
    """,
    "a task that appends when it is repeated": """
        insert into billing.credit_line_items
        select (jsonb_populate_record(lines, jsonb_build_object(
            'line_item_id', gen_random_uuid(), 'idempotency_key', 'again', 'chain_position', chain_position + 1000
        ))).*
        from billing.credit_line_items as lines
        limit 1
    """,
}


def unguarded(connection: psycopg.Connection) -> None:
    """Take every key, check and trigger off the books, until the transaction ends."""
    for key in connection.execute(
        "select conrelid::regclass::text, conname from pg_constraint"
        " where connamespace = 'billing'::regnamespace and contype in ('p', 'u', 'f', 'c', 'x')"
    ).fetchall():
        connection.execute("alter table {} drop constraint if exists {} cascade".format(*key))
    connection.execute("set local session_replication_role = replica")
    for (name,) in connection.execute(
        "select relname from pg_class where relnamespace = 'billing'::regnamespace and relkind = 'r'"
    ).fetchall():
        connection.execute(f"alter table billing.{name} disable trigger all")


SPOILED_TABLES = {
    "rows that land otherwise the second time": "update raw.fees set monthly_fee = monthly_fee + 1",
    "rows lost between two tries": "delete from raw.exclusions",
    "marts that are built otherwise the second time": """
        update marts.fct_account_months set counted_seconds = counted_seconds + 1 where contract_id = 'con-01'
    """,
}


@pytest.mark.parametrize("fault", [*SPOILED_LEDGER, *SPOILED_TABLES])
def test_tables_that_such_a_fault_has_spoiled_are_not_taken_for_the_same(sla, closed, fault):
    """The planted faults: what they leave is told by the comparisons; what is in the ledger, by hand, too."""
    before = contents(sla), contents(sla, without=OF_ANOTHER_RUN)
    with psycopg.connect(sla.stack.warehouse.dsn) as connection:
        unguarded(connection)
        assert (contents(sla, connection), contents(sla, connection, without=OF_ANOTHER_RUN)) == before
        assert faults(sla, connection) == []
        connection.execute((SPOILED_LEDGER | SPOILED_TABLES)[fault])
        assert contents(sla, connection) != before[0]
        assert contents(sla, connection, without=OF_ANOTHER_RUN) != before[1]
        assert (faults(sla, connection) != []) == (fault in SPOILED_LEDGER)
        connection.rollback()


@pytest.mark.parametrize("stage", STAGES)
def test_a_kill_that_came_too_late_is_not_counted(sla, twins, closed, stage):
    """The planted fault: both runs are past this stage."""
    assert not is_at(sla, stage, twins.first_run_id)
    assert not are_at_once(sla, twins.first_run_id)


def test_every_object_reconciles(sla, closed):
    objects = sla.rows("select * from raw.source_objects")
    assert len(objects) > 40
    for landed in objects:
        counts = [landed[f"rows_{name}"] for name in ("loaded", "duplicate", "quarantined")]
        assert landed["rows_read"] == sum(counts), landed["key"]
    assert sum(landed["rows_read"] for landed in objects) > 800_000


def test_of_two_in_the_same_task_at_once_one_posts(sla, twins, closed, figure):
    """`begin_twins` saw both in it. The first's `sla run` was killed: its run went on, and the other took over."""
    assert closed.returncode == 4, closed.stdout + closed.stderr
    assert "Appended to billing.credit_line_items" in closed.stdout
    (run,) = sla.rows("select distinct run_id from billing.credit_line_items")
    assert run["run_id"] != twins.first_run_id
    refused = sla.airflow.xcom("account_month", twins.first_run_id, "post_ledger", key=FAILURE_KEY)
    assert refused["kind"] == "NotCurrentBuild" and "run the month again" in refused["message"]
    assert twins.struck == ("landing", "posting")
    figure(
        "1 month closed twice at once, both in `post_ledger`; 2 kills of the scheduler, while objects landed and while "
        f"lines were written and not committed: one set of lines; {twins.seconds:.0f} s"
    )


@scaled("times", every_push=2, deep=5)
def test_every_task_cleared_by_airflow_leaves_the_same(sla, twins, closed, times, figure):
    """It has run once before: of the landing, the tasks of the run that objects landed by."""
    before = contents(sla)
    (current,) = sla.rows("select run_id from audit.current_build")
    landing, month = ("land_exports", twins.first_run_id), ("account_month", current["run_id"])
    repeated = 0
    for _ in range(times - 1):
        repeated += cleared(sla, *landing, "land_feeds", "land_checks", "settle") + cleared(sla, *month)
        assert contents(sla) == before
    # Cleared whole it plans anew, and finds nothing: its batches as they were had their turns.
    repeated += sum(cleared(sla, *landing) for _ in range(times - 1))
    assert contents(sla) == before
    assert faults(sla) == []
    assert repeated >= (times - 1) * (3 + 3 + 7)
    figure(
        f"every task run {times} times, cleared by Airflow {repeated} times in all: raw, marts, ledger and drop the "
        "same to the byte"
    )


def cleared(sla: Sla, dag_id: str, run_id: str, *task_ids: str) -> int:
    """Clear these tasks, or all, and wait; how many have run once more."""

    def tries() -> dict[tuple[str, int], int]:
        tasks = sla.airflow.task_instances(dag_id, run_id)
        return {(task["task_id"], task["map_index"]): task["try_number"] for task in tasks}

    before = tries()
    assert sla.clear(dag_id, run_id, *task_ids) == "success"
    after = tries()
    return sum(after[task] > number for task, number in before.items() if task in after)


def test_who_clears_a_run_after_another_of_the_month_makes_no_figures(sla, twins, closed):
    """The first's figures would stand under the name of who asked for it then."""
    before = contents(sla), sla.rows("select * from audit.builds"), sla.rows("select * from audit.current_build")
    assert sla.clear("account_month", twins.first_run_id, "open_build", "build_models") == "failed"
    refused = sla.airflow.xcom("account_month", twins.first_run_id, "open_build", key=FAILURE_KEY)
    assert refused["kind"] == "BuildMismatch" and "was opened for 2026-03 after run" in refused["message"]
    after = contents(sla), sla.rows("select * from audit.builds"), sla.rows("select * from audit.current_build")
    assert after == before


@pytest.mark.deep
@pytest.mark.timeout(14400)
def test_closed_twice_at_once_many_times_with_the_scheduler_killed(sla, closed, chance, figure):
    """Each round lands and posts from nothing, and ends as a run that nothing happened to."""
    unpost(sla)
    alone = sla(*RUN)
    assert alone.returncode == 4, alone.stdout + alone.stderr
    wanted, started, rounds, struck = contents(sla, without=OF_ANOTHER_RUN), time.monotonic(), 0, Counter[str]()
    while rounds < 10 or struck.total() < 30:
        unpost(sla)
        # Three of the four: where two of a month post at once is always struck once.
        round_of = begin_twins(sla, kills=[*chance.sample(STAGES[:3], 2), "posting"], chance=chance)
        prepare(sla.airflow)
        rounds += 1
        struck.update(round_of.struck)
        assert round_of.second.returncode == 4, round_of.second.stdout + round_of.second.stderr
        assert faults(sla) == []
        assert contents(sla, without=OF_ANOTHER_RUN) == wanted
        print(f"round {rounds}: {dict(struck)}, {round_of.seconds:.0f} s")
    figure(
        f"{rounds} months closed twice at once, {struck.total()} kills of the scheduler that struck ({dict(struck)}), "
        f"in {(time.monotonic() - started) / 60:.0f} minutes: raw, marts and ledger as of a run alone"
    )


def unpost(sla: Sla) -> None:
    """A warehouse that nothing has landed in, in the place of the one that is there, and no drops or anchors."""
    server = replace(sla.stack.warehouse, database="postgres").dsn
    database = sla.stack.warehouse.database
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database {database} with (force)")
        connection.execute(f"create database {database}")
    migrate(sla.stack.warehouse)
    empty_bucket(sla.stack.exports, prefix="billing/")


def test_each_line_is_explained_and_the_chain_holds(sla, closed):
    for line in sla.rows(LEDGER)[:3]:
        explained = sla("explain", str(line["line_item_id"]))
        assert explained.returncode == 0, explained.stderr
        for text in (line["contract_id"], f"{line['amount']:f}", line["currency"], line["line_hash"]):
            assert text in explained.stdout
    verified = sla("verify")
    assert verified.returncode == 0, verified.stdout


def test_the_drop_holds_the_lines_and_its_manifest_says_so(sla, closed):
    listed = {version.key for version in objects.list_versions(sla.stack.exports)}
    drops = sorted(key for key in listed if key.startswith(f"billing/credits/{MONTH}/"))
    (manifest_key,) = [key for key in drops if key.endswith("manifest.json")]
    manifest = json.loads(objects.get(sla.stack.exports, manifest_key))
    lines = sla.rows("select currency, sum(amount) as amount from billing.credit_line_items group by currency")
    assert {Path(dropped["key"]).suffix for dropped in manifest["objects"]} == {".csv", ".parquet"}
    for dropped in manifest["objects"]:
        body = objects.get(sla.stack.exports, dropped["key"])
        assert dropped["sha256"] == hashlib.sha256(body).hexdigest()
        assert dropped["rows"] == len(sla.rows("select 1 from billing.credit_line_items"))
        sums = {currency: Decimal(amount) for currency, amount in dropped["sums"].items()}
        assert sums == {line["currency"]: line["amount"] for line in lines}


def test_what_is_held_is_pending(sla, closed):
    (held,) = [row for row in expected() if row["credit_status"] == "held"]
    pending = sla("pending")
    assert pending.returncode == 0
    assert f"held:{held['contract_id']}:{MONTH}" in pending.stdout


REVIEW = f"claim:clm-007:con-07:{MONTH}"
REASON = "the mail server was late"


def test_what_waits_is_decided_in_airflow_by_another_than_who_prepared_it(sla, closed):
    """Rejected, so that no later closing owes more. `admin`, the account of `sla run`, is refused; `billing` is not."""
    ((prepared_by, triggered_by),) = {
        tuple(row.values()) for row in sla.rows("select distinct prepared_by, triggered_by from audit.builds")
    }
    assert triggered_by == "admin"
    (held,) = [row["contract_id"] for row in expected() if row["credit_status"] == "held"]
    run_id = f"decide_{uuid.uuid4().hex[:8]}"
    sla.airflow.trigger("decide_pending", run_id=run_id)
    task, failure = answer_in_airflow(sla, run_id, "billing", REVIEW)
    assert (task["state"], failure) == ("success", None)
    task, failure = answer_in_airflow(sla, run_id, "admin", f"held:{held}:{MONTH}")
    assert task["state"] == "failed"
    assert failure["kind"] == "PreparerDecides" and "It still waits" in failure["message"]
    assert sla.state_at_end("decide_pending", run_id) == "failed"
    assert sla.rows(
        "select kind, subject, is_approved, decided_by, because, prepared_by, triggered_by, via from audit.decisions"
    ) == [
        {
            "kind": "claim",
            "subject": f"clm-007|con-07|{MONTH}",
            "is_approved": False,
            "decided_by": "billing",
            "because": REASON,
            "prepared_by": prepared_by,
            "triggered_by": "admin",
            "via": "airflow",
        }
    ]
    pending = sla("pending").stdout
    assert REVIEW not in pending and f"held:{held}:{MONTH}" in pending
    assert REASON not in (sla.stack.home / "lineage" / "events.ndjson").read_text(encoding="utf-8")


def answer_in_airflow(sla: Sla, run_id: str, user: str, pending_id: str) -> tuple[dict, dict | None]:
    """In a run of `decide_pending`, reject one thing as this user; the task's end, and its failure.

    It is answered at once: before Airflow knows that the asking process has ended, perhaps. Then it asks once more.
    """
    api = AirflowApi(sla.stack.airflow_url, user, sla.stack.users[user])

    def task() -> dict:
        found = [each for each in api.task_instances("decide_pending", run_id) if each["task_id"] == "decide"]
        return next((each for each in found if each["rendered_map_index"] == pending_id), {"state": None})

    def wait(*states: str) -> None:
        sla.wait_until(lambda: task()["state"] in states, what=f"{pending_id} was one of {states}")

    def answer(map_index: int) -> None:
        path = f"/dags/decide_pending/dagRuns/{run_id}/taskInstances/decide/{map_index}/hitlDetails"
        form = {name: field["value"] for name, field in api._api("GET", path)["params"].items()}
        api._api("PATCH", path, json={"chosen_options": ["Reject"], "params_input": {**form, "because": REASON}})

    wait("awaiting_input")
    while (ended := task())["state"] not in ("success", "failed"):
        if ended["state"] == "awaiting_input":
            # A task that is lost twice has failed: the second time as a person would, who reads first.
            time.sleep(15 * (ended["try_number"] - 1))
            answer(ended["map_index"])
        wait("awaiting_input", "success", "failed")
    failure = api.xcom("decide_pending", run_id, "decide", key="failure", map_index=ended["map_index"])
    return ended, failure


def test_nothing_of_the_run_is_in_the_lineage_but_names(sla, closed):
    events = (sla.stack.home / "lineage" / "events.ndjson").read_text(encoding="utf-8").splitlines()
    assert events
    jobs = {json.loads(event)["job"]["name"] for event in events}
    assert any("fct_account_months" in job for job in jobs), "dbt's models are in the lineage"
    assert any("land_exports" in job for job in jobs), "Airflow's tasks are in the lineage"
    assert sla.stack.warehouse.password not in "".join(events)
    assert sla.stack.exports.secret_key not in "".join(events)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "--month", "2026-13"), "no service month"),
        (("run", "--month", MONTH, "--as-of", "2026-04-20"), "no instant"),
        (("run", "--month", MONTH, "--as-of", "2026-03-31T23:59:59.999999Z", "--close"), "is not over"),
    ],
)
def test_bad_arguments_are_told_before_anything_runs(sla, closed, arguments, says):
    builds = sla.rows("select count(*) from audit.builds")
    refused = sla(*arguments)
    assert refused.returncode == 2
    assert says in refused.stderr
    assert sla.rows("select count(*) from audit.builds") == builds


def test_services_that_do_not_answer_are_named(sla, closed):
    """Exit 1, and nothing half-done: the S3 server, then PostgreSQL, are killed; `sla up` mends it."""
    before = sla.rows(LEDGER)
    for part, says in (("s3", "S3 at http://127.0.0.1"), ("postgres", "PostgreSQL at 127.0.0.1")):
        sla.kill(part)
        failed = sla(*RUN)
        assert failed.returncode == 1, failed.stdout + failed.stderr
        assert says in failed.stderr
        assert "does not answer" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert sla("up").returncode == 0
    assert sla.rows(LEDGER) == before


def test_every_critical_expectation_on_the_marts_stops_the_month(sla, closed):
    """Exit 3, with all of them named: a hand in the database spoils the marts as soon as dbt is done."""
    before = sla.rows(LEDGER)
    with planted(sla, "after update of models_built_at", "new.models_built_at is not null", SPOILED_MARTS):
        stopped = sla(*RUN)
    assert stopped.returncode == 3, stopped.stdout + stopped.stderr
    # A month that is not over is a wrong argument (exit 2), and stops before.
    assert set(SPOILED_MARTS) == critical("marts") - {"only_months_that_have_ended_are_closed"}
    assert {name for name in SPOILED_MARTS if name not in stopped.stderr} == set()
    refused = post_past_the_gates(sla, "validate_marts")
    assert "marts gate" in refused["message"]
    assert sla.rows(LEDGER) == before


def test_every_critical_expectation_on_raw_stops_the_month(sla, closed, canaries, tmp_path):
    """Exit 3, with all of them named: faulty exports, and a hand in the database as soon as they have landed."""
    before = sla.rows(LEDGER)
    plant_exports(tmp_path)
    assert sla("put", tmp_path).returncode == 0
    for key, body, metadata in exports(canaries):
        objects.put(sla.stack.exports, key, body, metadata={"exported-at": "2026-05-20T00:00:00Z", **metadata})
    with planted(sla, "before insert", "true", SPOILED_RAW):
        stopped = sla("run", "--month", "2026-05", "--as-of", "2026-06-10T00:00:00Z", "--close")
    assert stopped.returncode == 3, stopped.stdout + stopped.stderr
    assert {name for name in critical("raw") if name not in stopped.stderr} == set()
    assert "has the unknown field …" in stopped.stderr
    assert "The ledger is untouched" in stopped.stderr
    assert sla.rows(LEDGER) == before
    refused = post_past_the_gates(sla, "validate_raw", "build_models", "validate_marts")
    assert "raw gate" in refused["message"]
    assert sla.rows(LEDGER) == before


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    """What must not leave the exports; landed by the last month."""
    return Canaries()


def airflow_places(sla: Sla, connection: psycopg.Connection) -> dict[str, str]:
    """Every row of every table that Airflow has, and every file that a run leaves but where secrets are kept."""
    found = {}
    for (name,) in connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall():
        query = sql.SQL("select t::text from {} as t").format(sql.Identifier(name))
        found[f"airflow.{name}"] = "\n".join(row for (row,) in connection.execute(query))
    for directory in ("logs", "lineage", "runs", "dbt"):
        for path in (path for path in (sla.stack.home / directory).rglob("*") if path.is_file()):
            found[str(path.relative_to(sla.stack.home))] = path.read_text(encoding="utf-8", errors="replace")
    return found


# Every form of every canary has one of these in it: one is looked for where the other is.
PARTS = (MARK, MARK.encode().hex(), "FuYXJ5")


def leaks(sla: Sla, canaries: Canaries, places: dict[str, str]) -> list[str]:
    """Where something is that must not leave: of the exports, or of the connections."""
    forms = [form(text) for text in (*canaries.addresses, *canaries.secrets) for form in FORMS]
    assert all(any(part in form for part in PARTS) for form in forms)
    warehouse = sla.stack.warehouse
    passwords = {warehouse.password, *(login.password for login in warehouse.stages.values())}
    passwords |= {sla.stack.exports.secret_key, *sla.stack.users.values()}
    assert all(len(password) > 7 for password in passwords)
    found = [place for place, content in places.items() if any(password in content for password in passwords)]
    return found + hits(
        canaries, {place: text for place, text in places.items() if any(part in text for part in PARTS)}
    )


def test_nothing_of_the_exports_and_no_secret_is_in_airflow(sla, canaries, figure):
    """XComs, rendered fields, task and event logs, what was asked and answered; after all of the above."""
    assert canaries.told > len(canaries.addresses), "the month that lands them has not run"
    assert len(sla.rows("select from raw.source_objects where key = 'tickets/zendesk/torn.json'")) == 1
    with psycopg.connect(airflow_database(sla)) as connection:
        places = airflow_places(sla, connection)
        tables = ("xcom", "rendered_task_instance_fields", "log", "hitl_detail", "dag_run", "task_instance")
        assert all(places[f"airflow.{name}"] for name in tables), "nothing to look at"
        assert any(place.startswith("logs/airflow/dag_id=land_exports") for place in places)
        found = leaks(sla, canaries, places)
        figure(
            f"{len(canaries.addresses)} addresses, {len(canaries.secrets)} secrets, the stack's passwords; "
            f"{len(places)} tables of Airflow and files: {len(found)} hits"
        )
        assert found == []
        # The planted faults: an XCom, and a log, that have one of them.
        for text in (canaries.addresses[7], canaries.secrets[3], sla.stack.warehouse.password):
            connection.execute("update xcom set value = to_json(%s::text)", [f"Cannot read '{text}'"])
            assert leaks(sla, canaries, {"xcom": airflow_places(sla, connection)["airflow.xcom"]})
            assert leaks(sla, canaries, {"logs/planted": f"line 3: {text}"})
        connection.rollback()


def test_posting_alone_in_a_run_of_its_own_is_refused(sla, closed):
    """Everything before it marked as done before the scheduler gets to it."""
    before, run_id = sla.rows(LEDGER), "alone"
    params = {"service_month": MONTH, "as_of": "2026-04-20T00:00:00Z", "close": True}
    with sla.paused("account_month"):
        sla.airflow.trigger("account_month", run_id=run_id, params=params, partition_key=MONTH)
        sla.mark_success("account_month", run_id, "open_build", "validate_raw", "build_models", "validate_marts")
    refused = refusal(sla, run_id)
    assert refused["kind"] == "NotCurrentBuild"
    assert "run the month again" in refused["message"]
    assert sla.rows(LEDGER) == before


def post_past_the_gates(sla: Sla, *task_ids: str) -> dict[str, str]:
    """In the last run, mark these tasks as done, and have the scheduler go on; how the posting was refused."""
    (current,) = sla.rows("select run_id from audit.current_build")
    with sla.paused("account_month"):
        # Airflow clears what failed behind a task that is marked.
        sla.mark_success("account_month", current["run_id"], *task_ids)
    refused = refusal(sla, current["run_id"])
    assert refused["kind"] == "NotValidated"
    assert "un the month again" in refused["message"]
    assert sla.clear("account_month", current["run_id"], "post_ledger") == "failed"
    return refused


def refusal(sla: Sla, run_id: str) -> dict[str, str]:
    """How `post_ledger` of the run fails."""
    api = sla.airflow

    def has_failed() -> bool:
        tasks = {task["task_id"]: task["state"] for task in api.task_instances("account_month", run_id)}
        assert tasks["post_ledger"] != "success"
        return tasks["post_ledger"] == "failed"

    sla.wait_until(has_failed, what="the posting was refused")
    return api.xcom("account_month", run_id, "post_ledger", key=FAILURE_KEY)


def critical(gate: str) -> set[str]:
    found = {each.name for each in committed().GATES[gate] if each.severity == "critical"}
    assert found
    return found


@contextmanager
def planted(sla: Sla, event: str, condition: str, faults: dict[str, str]) -> Iterator[None]:
    """Have the database commit these faults itself, as its superuser, at this event of `audit.builds`.

    Before an insert by this name it comes before the product's own triggers, which put on record what was in force.
    """
    statements = ";\n".join(faults.values())
    sla.execute(
        f"""
        create function audit.plant() returns trigger language plpgsql security definer as $$
        begin
            {statements};
            return new;
        end
        $$;
        create trigger a_plant {event} on audit.builds for each row when ({condition}) execute function audit.plant()
        """
    )
    try:
        yield
    finally:
        sla.execute("drop function audit.plant cascade")


SPOILED_RAW = {
    "standard_terms_are_published": "delete from raw.terms_versions where terms_id = 'klink-growth'",
    "landed_rows_match_the_counts_of_their_objects": "delete from raw.exclusions",
    "overlapping_checks_are_settled": """
        update raw.check_spans set last_at = last_at + interval '1 day', settled_with = null
    """,
    "checks_are_judged_by_the_catalog_in_force": """
        update raw.check_spans set is_known = false where monitor_id = 'mon-dashboard-us'
    """,
}

# A contract each, so that no fault hides another.
SPOILED_MARTS = {
    "seconds_add_up_to_the_measured_period": """
        update marts.fct_account_months set counted_seconds = measured_seconds + 1 where contract_id = 'con-01'
    """,
    "uptime_percents_are_within_bounds": """
        update marts.fct_account_months set uptime_percent_low = uptime_percent + 0.000000000001
        where contract_id = 'con-03'
    """,
    "uptime_percents_are_exact": """
        update marts.fct_account_months set uptime_percent = uptime_percent - 0.000000000001
        where contract_id = 'con-04'
    """,
    "uncertain_months_are_held": """
        update marts.fct_account_months set unknown_seconds = 200000, uptime_percent_low = 91
        where contract_id = 'con-05'
    """,
    "credits_owed_are_of_ended_measured_months": """
        update marts.fct_account_months set status = 'held' where contract_id = 'con-06'
    """,
    "credit_percents_are_the_tiers_of_the_uptimes": """
        update marts.fct_credits set credit_percent = 25 where contract_id = 'con-17'
    """,
    "credit_amounts_are_exact_to_the_minor_unit": """
        update marts.fct_credits set amount = amount + 0.01 where contract_id = 'con-19'
    """,
    "response_credits_are_those_of_the_breaches": """
        insert into marts.fct_credits
        select
            account_id, contract_id, service_month, 'response_time', credit_percent, monthly_fee, currency, amount,
            status, reason, claim_id
        from marts.fct_credits where contract_id = 'con-22'
    """,
    "downtime_segments_add_up_to_the_account_months": """
        update marts.fct_account_downtime set ended_at = ended_at - interval '1 microsecond'
        where contract_id = 'con-21b' and kind = 'counted'
    """,
    "downtime_segments_never_overlap": """
        insert into marts.fct_account_downtime
        select contract_id, service_month, started_at + interval '1 minute', ended_at, 'unknown', '{}', '{}', '{}'
        from marts.fct_account_downtime where contract_id = 'con-26' and kind = 'counted'
    """,
    "credits_owed_are_guaranteed": "update raw.contracts set active_agreement = false where contract_id = 'con-24'",
    "credits_have_the_fee_as_billed": "update raw.fees set monthly_fee = 1 where contract_id = 'con-25'",
    "credits_owed_have_an_accepted_claim": """
        update marts.fct_claims set status = 'needs_review' where contract_id = 'con-58'
    """,
    "claims_are_in_one_state_per_contract": "update marts.fct_claims set status = 'lost' where contract_id = 'con-59'",
    "contracts_of_the_month_have_one_account_month": """
        delete from marts.fct_account_months where contract_id = 'con-31'
    """,
    "account_months_have_one_availability_credit": "delete from marts.fct_credits where contract_id = 'con-32'",
    "measured_periods_are_those_of_the_contracts": """
        update raw.contracts set ends_at = '2026-03-25T12:00:00Z' where contract_id = 'con-34'
    """,
    "terms_versions_are_those_in_force": """
        update raw.terms_versions set effective_from = '2026-03-02T00:00:00Z' where terms_id = 'klink-starter'
    """,
    "sandbox_accounts_have_no_rows": "update raw.accounts set is_sandbox = true where account_id = 'acc-33'",
}


def plant_exports(directory: Path) -> None:
    exported = {"exported-at": "2026-05-20T00:00:00Z"}
    incident = {
        "id": "planted",
        "status": "investigating",
        "impact": "critical",
        "created_at": "2026-05-02T10:00:00Z",
        "started_at": "2026-05-02T10:00:00Z",
        "resolved_at": None,
        "page_id": "klink",
        "components": [{"id": "no-such-component"}],
        "incident_updates": [],
    }
    notice = {
        "notice_id": "planted",
        "maintenance_id": "planted",
        "action": "announce",
        "channel": "email",
        "sent_at": "2026-05-01T00:00:00Z",
        "window_start": "2026-05-10T00:00:00Z",
        "window_end": "2026-05-10T01:00:00Z",
        "component_ids": ["no-such-component"],
    }
    terms = {
        "id": "planted",
        "version": "1",
        "effective_from": "2026-05-01T00:00:00Z",
        "extends": "klink-starter",
        "colour": "red",
    }
    claims = [{"claim_id": f"planted-{number}", "service_month": "May"} for number in range(200)]
    bodies = {
        "status_page/statuspage/planted.json": json.dumps({"page": {"id": "klink"}, "incidents": [incident]}),
        "notices/planted.ndjson": json.dumps(notice),
        "claims/planted.ndjson": "\n".join(map(json.dumps, claims)),
        "terms/planted.yml": json.dumps(terms),
    }
    for key, body in bodies.items():
        path = directory / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")
        path.with_name(path.name + ".meta.json").write_text(json.dumps(exported), encoding="utf-8")
