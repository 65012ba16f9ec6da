"""The sample month through Airflow's scheduler, by the command line; its ledger against figures reckoned by hand.

One story, so that the scheduler runs few months, six in all: an empty bucket; the sample closed twice at once, the
scheduler killed under it; every task cleared; services killed; two months that the gates must stop, and no way of
Airflow's around them.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from slaledger.gates.committed import committed
from slaledger.settings import PROJECT_DIR
from slaledger.stack.airflow_api import AirflowApi
from slaledger.steps import FAILURE_KEY
from tests.e2e.conftest import RUN_SECONDS, Sla
from tests.reliability.scale import scaled

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
    """Two `sla run --close` of one month that began at the same moment."""

    results: list[subprocess.CompletedProcess[str]]
    scheduler_kills: int
    seconds: float


def run_twins(sla: Sla, *, scheduler_kills: int) -> Twins:
    """Start both; kill Airflow's scheduler under them so often, in turn while models are built and before posting."""
    started = time.monotonic()
    known = {row["run_id"] for row in sla.rows("select run_id from audit.builds")}
    running = [sla.start(*RUN), sla.start(*RUN)]
    for number in range(scheduler_kills):
        is_time = VALIDATED if number % 2 else BUILDING
        sla.wait_until(
            lambda query=is_time: sla.rows(query, [list(known)]) or all(each.poll() is not None for each in running),
            what="a month was being closed",
        )
        sla.kill("scheduler")
        assert sla("up").returncode == 0
    results = []
    for each in running:
        out, err = each.communicate(timeout=RUN_SECONDS)
        results.append(subprocess.CompletedProcess(RUN, each.returncode, out, err))
    return Twins(results, scheduler_kills, time.monotonic() - started)


# Of the runs that began since.
BUILDING = "select from audit.builds where models_built_at is null and run_id <> all(%s)"
VALIDATED = "select from audit.validations where gate = 'marts' and is_success and run_id <> all(%s)"


@pytest.fixture(scope="module")
def twins(sla: Sla, empty_run, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    """The sample month, closed twice at once, while the scheduler is killed twice."""
    sample = tmp_path_factory.mktemp("sample")
    subprocess.run([sys.executable, "examples/generate.py", str(sample)], cwd=PROJECT_DIR, check=True)
    put = sla("put", sample)
    assert put.returncode == 0, put.stderr
    return run_twins(sla, scheduler_kills=2)


@pytest.fixture(scope="module")
def closed(twins: Twins) -> subprocess.CompletedProcess[str]:
    """One of them."""
    return twins.results[0]


def whole_ledger(sla: Sla) -> dict[str, list]:
    """Every row of `billing`, all columns, and every object of the drop and of the anchors."""
    from slaledger import objects

    tables = sla.rows("select relname from pg_class where relnamespace = 'billing'::regnamespace and relkind = 'r'")
    found = {
        table["relname"]: sla.rows(f"select t::text as row from billing.{table['relname']} as t order by 1")
        for table in tables
    }
    found["bucket"] = sorted(
        (version.key, hashlib.sha256(objects.get(sla.stack.exports, version.key)).hexdigest())
        for version in objects.list_versions(sla.stack.exports)
        if version.key.startswith("billing/") and version.is_latest
    )
    return found


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
    lines = sla.rows("select * from billing.credit_line_items")
    owed = [row for row in expected() if row["credit_status"] == "owed" and Decimal(row["amount"]) > 0]
    assert owed
    assert sorted((line["contract_id"], line["basis"], line["amount"], line["currency"]) for line in lines) == sorted(
        (row["contract_id"], row["basis"], Decimal(row["amount"]), row["currency"]) for row in owed
    )
    assert {line["entry_type"] for line in lines} == {"credit"}
    statements = sla.rows("select contract_id, revision from billing.sla_statements")
    assert sorted(statement["contract_id"] for statement in statements) == sorted(
        {row["contract_id"] for row in expected()}
    )
    assert {statement["revision"] for statement in statements} == {1}


def test_every_object_reconciles(sla, closed):
    objects = sla.rows("select * from raw.source_objects")
    assert len(objects) > 40
    for landed in objects:
        counts = [landed[f"rows_{name}"] for name in ("loaded", "duplicate", "quarantined")]
        assert landed["rows_read"] == sum(counts), landed["key"]
    assert sum(landed["rows_read"] for landed in objects) > 800_000


def test_closed_twice_at_once_with_the_scheduler_killed_one_appends_and_one_finds_it_done(sla, twins, figure):
    assert [result.returncode for result in twins.results] == [4, 4], [result.stderr for result in twins.results]
    assert sum("no line appended" in result.stdout for result in twins.results) == 1
    assert sla.rows("select count(distinct run_id) as runs from billing.credit_line_items") == [{"runs": 1}]
    figure(f"1 month closed twice at once, the scheduler killed {twins.scheduler_kills} times: one set of lines")


@scaled("times", every_push=2, deep=5)
def test_every_task_cleared_by_airflow_leaves_the_same(sla, closed, times, figure):
    """It has run once before; the landing's tasks, too."""
    before = whole_ledger(sla)
    (current,) = sla.rows("select run_id from audit.current_build")
    for _ in range(times - 1):
        for dag_id in ("land_exports", "account_month"):
            assert sla.clear(dag_id, current["run_id"]) == "success"
        assert whole_ledger(sla) == before
    figure(f"every task run {times} times, cleared by Airflow: the same ledger, drop and anchors")


@pytest.mark.deep
@pytest.mark.timeout(7200)
def test_closed_again_twice_at_once_many_times(sla, closed, figure):
    before = whole_ledger(sla)
    rounds = [run_twins(sla, scheduler_kills=3) for _ in range(10)]
    for twins in rounds:
        assert [result.returncode for result in twins.results] == [4, 4], [result.stderr for result in twins.results]
    assert whole_ledger(sla) == before
    minutes = sum(twins.seconds for twins in rounds) / 60
    figure(f"10 months closed twice at once, the scheduler killed 30 times, in {minutes:.0f} minutes: the same ledger")


def test_each_line_is_explained_and_the_chain_holds(sla, closed):
    for line in sla.rows(LEDGER)[:3]:
        explained = sla("explain", str(line["line_item_id"]))
        assert explained.returncode == 0, explained.stderr
        for text in (line["contract_id"], f"{line['amount']:f}", line["currency"], line["line_hash"]):
            assert text in explained.stdout
    verified = sla("verify")
    assert verified.returncode == 0, verified.stdout


def test_the_drop_holds_the_lines_and_its_manifest_says_so(sla, closed):
    from slaledger import objects

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
    """Rejected, so that no later closing owes more. `billing` answers; first as if `billing` had asked for the run."""
    ((prepared_by,),) = {tuple(row.values()) for row in sla.rows("select distinct prepared_by from audit.builds")}
    sla.execute("update audit.builds set prepared_by = 'billing'")
    task, failure = answer_in_airflow(sla, "billing", REVIEW)
    assert task["state"] == "failed"
    assert failure["kind"] == "PreparerDecides" and "It still waits" in failure["message"]
    sla.execute(f"update audit.builds set prepared_by = '{prepared_by}'")
    task, failure = answer_in_airflow(sla, "billing", REVIEW)
    assert (task["state"], failure) == ("success", None)
    assert sla.rows(
        "select kind, subject, is_approved, decided_by, because, prepared_by, via from audit.decisions"
    ) == [
        {
            "kind": "claim",
            "subject": f"clm-007|con-07|{MONTH}",
            "is_approved": False,
            "decided_by": "billing",
            "because": REASON,
            "prepared_by": prepared_by,
            "via": "airflow",
        }
    ]
    assert REVIEW not in sla("pending").stdout
    assert REASON not in (sla.stack.home / "lineage" / "events.ndjson").read_text(encoding="utf-8")


def answer_in_airflow(sla: Sla, user: str, pending_id: str) -> tuple[dict, dict | None]:
    """Trigger `decide_pending`, reject one thing as this user, and end the run; the task's end, and its failure."""
    api = AirflowApi(sla.stack.airflow_url, user, sla.stack.users[user])
    run_id = f"decide_{uuid.uuid4().hex[:8]}"
    api.trigger("decide_pending", run_id=run_id)

    def task() -> dict:
        found = [each for each in api.task_instances("decide_pending", run_id) if each["task_id"] == "decide"]
        return next((each for each in found if each["rendered_map_index"] == pending_id), {"state": None})

    def wait(*states: str) -> dict:
        deadline = time.monotonic() + 120
        while task()["state"] not in states:
            assert time.monotonic() < deadline, f"{pending_id} is {task()['state']}, not one of {states}"
            time.sleep(0.5)
        return task()

    map_index = wait("awaiting_input")["map_index"]
    # Answered before the scheduler knows that the asking process is gone, Airflow believes the task lost.
    gone = f"task_id='decide', run_id='{run_id}', try_number=1, map_index={map_index})"
    log = sla.stack.home / "logs" / "scheduler.log"
    deadline = time.monotonic() + 120
    while not re.search(f"Received executor event .*{re.escape(gone)}", log.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline, "the asking process did not end"
        time.sleep(0.5)
    path = f"/dags/decide_pending/dagRuns/{run_id}/taskInstances/decide/{map_index}/hitlDetails"
    api._api("PATCH", path, json={"chosen_options": ["Reject"], "params_input": {"because": REASON}})
    ended = wait("success", "failed")
    failure = api.xcom("decide_pending", run_id, "decide", key="failure", map_index=map_index)
    api.set_run_state("decide_pending", run_id, "failed")  # what else waits is not asked for any longer
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


def test_every_critical_expectation_on_raw_stops_the_month(sla, closed, tmp_path):
    """Exit 3, with all of them named: faulty exports, and a hand in the database as soon as they have landed."""
    before = sla.rows(LEDGER)
    plant_exports(tmp_path)
    assert sla("put", tmp_path).returncode == 0
    with planted(sla, "after insert", "true", SPOILED_RAW):
        stopped = sla("run", "--month", "2026-05", "--as-of", "2026-06-10T00:00:00Z", "--close")
    assert stopped.returncode == 3, stopped.stdout + stopped.stderr
    assert {name for name in critical("raw") if name not in stopped.stderr} == set()
    assert "has the unknown field colour" in stopped.stderr
    assert "The ledger is untouched" in stopped.stderr
    assert sla.rows(LEDGER) == before
    refused = post_past_the_gates(sla, "validate_raw", "build_models", "validate_marts")
    assert "raw gate" in refused["message"]
    assert sla.rows(LEDGER) == before


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
    """Have the database commit these faults itself, as its superuser, at this event of `audit.builds`."""
    statements = ";\n".join(faults.values())
    sla.execute(
        f"""
        create function audit.plant() returns trigger language plpgsql security definer as $$
        begin
            {statements};
            return null;
        end
        $$;
        create trigger plant {event} on audit.builds for each row when ({condition}) execute function audit.plant()
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
    "credits_owed_have_the_fee_as_billed": "update raw.fees set monthly_fee = 1 where contract_id = 'con-25'",
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
