"""`sla run`: has Airflow's scheduler land what is new and build a service month, and tells how it went."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from slaledger import months
from slaledger.results import BAD_ARGUMENTS, FAILED, STOPPED, RunResult, posted_so_far, read_result
from slaledger.settings import Settings
from slaledger.stack.airflow_api import AirflowApi, AirflowRefused
from slaledger.steps import FAILURE_KEY
from slaledger.warehouse import RoleMissing, connect

POLL_SECONDS = 0.5
WORKERS = ("scheduler", "dag_processor")
# Beyond Airflow's own 15 s without a heartbeat: a busy machine is late, too.
PATIENCE_SECONDS = 75
# Where a day begins first.
EASTERNMOST = timedelta(hours=14)
ENDED = ("success", "failed")
# The expectation whose failure means that the arguments were wrong, not the data.
MONTH_IS_OVER = "only_months_that_have_ended_are_closed"


class MonthNotOver(Exception):
    """`--close` of a month that is not over."""

    exit_code = BAD_ARGUMENTS


class RunFailed(Exception):
    """A task failed, but for a gate's reasons."""

    exit_code = FAILED


class RunStopped(Exception):
    """A validation, the terms' lint or the quarantine limit stopped the run."""

    exit_code = STOPPED


@dataclass(frozen=True)
class Progress:
    """Where a run is: its DAG, how many of its tasks have ended, which are at work, and what has landed."""

    dag_id: str
    ended: int
    total: int
    at_work: tuple[str, ...]
    objects: int
    rows: int


def run_month(
    settings: Settings,
    api: AirflowApi,
    *,
    month: date,
    as_of: datetime,
    is_closing: bool,
    prepared_by: str,
    on_progress: Callable[[Progress], None],
) -> RunResult:
    """Land what is new, then build the month as of the instant, at the request of `prepared_by`.

    Raises `MonthNotOver`, `RunStopped` (a gate), `RunFailed` (anything else), all after writing nothing to the ledger.
    """
    if is_closing:
        # Over nowhere on earth yet: no need to ask which zones the contracts are in.
        _require_over(month, as_of, end=months.end_in_utc(month) - EASTERNMOST)
    run_id = f"sla_run__{month:%Y-%m}__{as_of:%Y%m%dT%H%M%S}__{uuid.uuid4().hex[:8]}"
    requests: list[tuple[str, dict[str, Any], str | None]] = [
        ("land_exports", {"announce": False}, None),
        (
            "account_month",
            {
                "service_month": f"{month:%Y-%m}",
                "as_of": as_of.isoformat(),
                "close": is_closing,
                "quarantine_limit": str(settings.quarantine_limit_percent),
                # Airflow knows but the one account that this process logs in as.
                "prepared_by": prepared_by,
            },
            f"{month:%Y-%m}",
        ),
    ]
    posted_before = posted_so_far(settings)
    try:
        _require_unpaused(api, [dag_id for dag_id, _, _ in requests])
        for dag_id, conf, partition_key in requests:
            if is_closing and dag_id == "account_month":
                _require_over(month, as_of, end=_latest_end(settings, month))
            api.trigger(dag_id, run_id=run_id, params=conf, partition_key=partition_key)
            state = _wait(settings, api, dag_id, run_id, on_progress)
            if state != "success":
                _raise_failure(settings, api, dag_id, run_id)
    except AirflowRefused as refusal:
        if refusal.status < 500:
            raise
        # Airflow's own database is on the same server, embedded: name what does not answer, if it is that.
        with connect(settings.warehouse, role="sla_auditor"):
            pass
        raise RunFailed(
            f"Airflow at {api.url} has an error of its own (HTTP {refusal.status}): `sla status` shows its parts, "
            "their logs are below $SLA_HOME/logs."
        ) from refusal
    return read_result(settings, run_id, month, posted_before=posted_before)


def _require_unpaused(api: AirflowApi, dag_ids: list[str]) -> None:
    paused = [dag["dag_id"] for dag in api.dags() if dag["dag_id"] in dag_ids and dag["is_paused"]]
    if paused:
        raise RunFailed(f"{', '.join(paused)} is paused: switch it on in Airflow's page at {api.url}, and run again.")


def _require_over(month: date, as_of: datetime, *, end: datetime) -> None:
    if as_of < end:
        raise MonthNotOver(
            f"{month:%Y-%m} is not over at {as_of.isoformat()}: run without --close, or with an --as-of after its end."
        )


def _latest_end(settings: Settings, month: date) -> datetime:
    """When the month is over in every zone that a contract's terms name (rule L5); UTC where there is none."""
    with connect(settings.warehouse, role="sla_auditor") as connection:
        row = connection.execute(
            """
            select coalesce(
                max(raw.start_of_day((%(month)s + interval '1 month')::date, t.time_zone)),
                (%(month)s + interval '1 month') at time zone 'UTC'
            )
            from raw.contracts as c
            inner join raw.source_objects as o on c.object_id = o.object_id and o.is_in_force
            inner join raw.terms_versions as t on c.terms_id = t.terms_id
            """,
            {"month": month},
        ).fetchone()
    assert row is not None
    return row[0]


def _wait(
    settings: Settings, api: AirflowApi, dag_id: str, run_id: str, on_progress: Callable[[Progress], None]
) -> str:
    last_healthy = time.monotonic()
    while True:
        state = api.run(dag_id, run_id)["state"]
        sick = [part for part in WORKERS if api.health()[part]["status"] != "healthy"]
        if not sick:
            last_healthy = time.monotonic()
        elif state not in ENDED and time.monotonic() - last_healthy > PATIENCE_SECONDS:
            # Left queued it would run first, after the next `sla up`.
            api.set_run_state(dag_id, run_id, "failed")
            raise RunFailed(
                f"Airflow's {' and '.join(sick)} shows no sign of life: run `sla up`, which starts it, and run again."
            )
        tasks = api.task_instances(dag_id, run_id)
        landed = _landed(settings, run_id)
        on_progress(
            Progress(
                dag_id=dag_id,
                ended=sum(task["state"] in ("success", "failed", "skipped", "upstream_failed") for task in tasks),
                total=len(tasks),
                at_work=tuple(sorted({task["task_id"] for task in tasks if task["state"] == "running"})),
                objects=landed[0],
                rows=landed[1],
            )
        )
        if state in ENDED:
            return state
        time.sleep(POLL_SECONDS)


def _landed(settings: Settings, run_id: str) -> tuple[int, int]:
    # The first task of the first run migrates.
    with suppress(RoleMissing), connect(settings.warehouse, role="sla_auditor") as connection:
        known = connection.execute("select to_regclass('raw.source_objects') is not null").fetchone()
        if known and known[0]:
            row = connection.execute(
                "select count(*), coalesce(sum(rows_read), 0) from raw.source_objects where run_id = %s", [run_id]
            ).fetchone()
            assert row is not None
            return int(row[0]), int(row[1])
    return 0, 0


def _raise_failure(settings: Settings, api: AirflowApi, dag_id: str, run_id: str) -> None:
    failed = [task for task in api.task_instances(dag_id, run_id) if task["state"] == "failed"]
    for task in failed:
        failure = api.xcom(dag_id, run_id, task["task_id"], key=FAILURE_KEY, map_index=task["map_index"])
        if failure is None:
            continue
        if failure["kind"] == "GateFailed":
            names = _failed_critical(settings, run_id)
            raise (MonthNotOver if names == [MONTH_IS_OVER] else RunStopped)(failure["message"])
        if failure["is_validation"]:
            raise RunStopped(failure["message"])
        stands = _undelivered(settings, run_id) if task["task_id"] == "deliver_drop" else ""
        raise RunFailed(f"{dag_id}.{task['task_id']} failed: {failure['kind']}: {failure['message']}{stands}")
    names = ", ".join(task["task_id"] for task in failed) or "no task"
    raise RunFailed(f"{dag_id} failed ({names}), without saying why: see its log in Airflow's page, run {run_id}.")


def _undelivered(settings: Settings, run_id: str) -> str:
    """What this run posted and has not dropped: it stands, whatever failed after it."""
    with connect(settings.warehouse, role="sla_auditor") as connection:
        posted = connection.execute(
            "select posting_number, line_count from billing.undelivered where run_id = %s order by posting_number",
            [run_id],
        ).fetchall()
    return "".join(
        f" Posting {number} stands with {count} line{'s' * (count != 1)}, and its drop does not yet: it follows with "
        "the next `sla run --close`, which appends nothing twice."
        for number, count in posted
    )


def _failed_critical(settings: Settings, run_id: str) -> list[str]:
    with connect(settings.warehouse, role="sla_auditor") as connection:
        rows = connection.execute(
            "select expectations from audit.validations where run_id = %s and not is_success order by evaluated_at",
            [run_id],
        ).fetchall()
    return [
        each["name"]
        for (expectations,) in rows[-1:]
        for each in expectations
        if each["severity"] == "critical" and not each["is_success"]
    ]
