"""`sla run`: has Airflow's scheduler land what is new and build a service month, and tells how it went."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from slaledger import months
from slaledger.settings import Settings
from slaledger.stack.airflow_api import AirflowApi, AirflowRefused
from slaledger.steps import FAILURE_KEY
from slaledger.warehouse import RoleMissing, connect

DONE, FAILED, BAD_ARGUMENTS, STOPPED, LEFT = 0, 1, 2, 3, 4
POLL_SECONDS = 0.5
WORKERS = ("scheduler", "dag_processor")
# Beyond Airflow's own 30 s without a heartbeat: a busy machine is late, too.
PATIENCE_SECONDS = 60
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


@dataclass(frozen=True)
class MonthFigure:
    """One account-month and basis as the table of `sla run` shows it."""

    account_id: str
    contract_id: str
    status: str
    reason: str | None
    uptime_percent: Decimal | None
    uptime_percent_low: Decimal | None
    counted_seconds: Decimal | None
    excluded_seconds: Decimal | None
    unknown_seconds: Decimal | None
    credit_percent: Decimal | None
    amount: Decimal | None
    currency: str | None
    credit_status: str
    credit_reason: str | None
    basis: str  # availability | response_time, the latter only where the terms credit breaches


@dataclass(frozen=True)
class RunResult:
    """What a run that went through leaves."""

    run_id: str
    figures: list[MonthFigure]
    warnings: list[dict[str, Any]]
    objects: int
    rows_read: int
    rows_quarantined: int
    lines: list[dict[str, Any]] = field(default_factory=list)
    lines_of_others: list[dict[str, Any]] = field(default_factory=list)  # for the month, while this run waited
    posted_as_of: datetime | None = None  # where the month had been posted as of a later instant than this run's

    @property
    def left(self) -> list[MonthFigure]:
        """Held and blocked account-months."""
        return [each for each in self.figures if each.status in ("held", "blocked") and each.basis == "availability"]

    @property
    def exit_code(self) -> int:
        """4 where account-months are left, else 0."""
        return LEFT if self.left else DONE


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
    posted_before = last_posting(settings)
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
    return _result(settings, run_id, month, posted_before=posted_before)


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


def last_posting(settings: Settings) -> int:
    """The number of the last posting; 0: there is none."""
    with suppress(RoleMissing), connect(settings.warehouse, role="sla_auditor") as connection:
        known = connection.execute("select to_regclass('billing.postings') is not null").fetchone()
        if known and known[0]:
            row = connection.execute("select coalesce(max(posting_number), 0) from billing.postings").fetchone()
            assert row is not None
            return int(row[0])
    return 0


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


def _result(settings: Settings, run_id: str, month: date, *, posted_before: int = 0) -> RunResult:
    with connect(settings.warehouse, role="sla_auditor") as connection:
        figures = connection.execute(
            """
            select
                m.account_id, m.contract_id, m.status, m.reason, m.uptime_percent, m.uptime_percent_low,
                m.counted_seconds, m.excluded_seconds, m.unknown_seconds, c.credit_percent, c.amount, c.currency,
                c.status as credit_status, c.reason as credit_reason, coalesce(c.basis, 'availability') as basis
            from marts.fct_account_months as m
            left join marts.fct_credits as c
                on m.contract_id = c.contract_id and m.service_month = c.service_month
            where m.service_month = %s
            order by m.account_id, m.contract_id, c.basis
            """,
            [month],
        ).fetchall()
        expectations = connection.execute(
            "select expectations from audit.validations where run_id = %s order by evaluated_at", [run_id]
        ).fetchall()
        counts = connection.execute(
            "select count(*), coalesce(sum(rows_read), 0), coalesce(sum(rows_quarantined), 0) "
            "from raw.source_objects where run_id = %s",
            [run_id],
        ).fetchone()
        lines = connection.execute(
            """
            select
                lines.line_item_id, lines.entry_type, lines.basis, lines.account_id, lines.contract_id, lines.amount,
                lines.currency, lines.run_id
            from billing.credit_line_items as lines
            where
                lines.run_id = %(run)s
                or exists (
                    select from billing.postings
                    where
                        postings.run_id = lines.run_id and postings.posting_number > %(posted_before)s
                        and postings.service_month = %(month)s and postings.kind = 'close'
                )
            order by lines.account_id, lines.contract_id, lines.basis
            """,
            {"run": run_id, "posted_before": posted_before, "month": month},
        ).fetchall()
        posted = connection.execute(
            """
            select max(postings.as_of)
            from billing.postings
            inner join audit.builds on postings.service_month = builds.service_month
            where builds.run_id = %s and postings.as_of > builds.as_of
            """,
            [run_id],
        ).fetchone()
    assert counts is not None
    assert posted is not None
    names = ("line_item_id", "entry_type", "basis", "account_id", "contract_id", "amount", "currency", "run_id")
    told = [dict(zip(names, line, strict=True)) for line in lines]
    return RunResult(
        run_id=run_id,
        figures=[MonthFigure(*row) for row in figures],
        warnings=[each for (entries,) in expectations for each in entries if not each["is_success"]],
        objects=int(counts[0]),
        rows_read=int(counts[1]),
        rows_quarantined=int(counts[2]),
        lines=[line for line in told if line["run_id"] == run_id],
        lines_of_others=[line for line in told if line["run_id"] != run_id],
        posted_as_of=posted[0],
    )
