"""Which month is built as of when, and what its one start of dbt came to."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from urllib.parse import quote

from slaledger.dbt_start import TransformFailed, keep_artifacts, log_directory, run_dbt
from slaledger.settings import Settings, code_version, tzdata_version
from slaledger.warehouse import connect
from slaledger.zones import require_recorded_zones

logger = logging.getLogger(__name__)

# What makes a run's build: opened, changed and compared under this one lock.
BUILD_LOCK = "select audit.hold('the current build')"
# Who asked for a build that no person asked for.
SCHEDULE = "schedule"
# dbt's word for a node that did not get through, where it is no test that found rows.
BROKEN = ("error", "runtime error", "partial success")


class BuildMismatch(Exception):
    """A run's build was opened before with other values, or another run's build is the current one."""

    is_final = True


class LedgerDoesNotAddUp(TransformFailed):
    """The tests of the ledger found lines that are not what is owed, after the run posted."""

    is_final = True


class DataTestsFailed(TransformFailed):
    """Everything ran, and data tests found rows they must not find: a validation stops the month (exit 3)."""

    is_validation = True


@dataclass(frozen=True)
class BuildSummary:
    """What one start of dbt did."""

    service_month: date
    as_of: datetime
    models: int
    tests: int
    test_warnings: tuple[str, ...]
    seconds: float  # by the wall, whole start
    rows: dict[str, int]  # mart -> rows of the service month
    lineage_events: int
    lineage_failures: int


def open_build(
    settings: Settings,
    *,
    run_id: str,
    service_month: date,
    as_of: datetime,
    is_closing: bool,
    prepared_by: str = SCHEDULE,
    triggered_by: str | None = None,
) -> None:
    """Make the run's build the current one: a service month (its first day) as of one instant.

    `prepared_by` is who asked for it, `triggered_by` the account that Airflow knows: neither can decide on its figures.
    The same run with the same values changes nothing; raises `BuildMismatch` where it was opened with others, before
    another run of the month, or while other exports were in force.
    """
    if service_month.day != 1:
        raise ValueError(f"service_month is {service_month}: give the month's first day.")
    if as_of.tzinfo is None:
        raise ValueError(f"as_of is {as_of}: give it with an offset.")
    given = (service_month, as_of, is_closing, code_version(), tzdata_version(), prepared_by, triggered_by)
    with _as_opened(), connect(settings.warehouse, role="sla_transformer") as connection:
        connection.execute(BUILD_LOCK)
        connection.execute(
            """
            insert into audit.builds (
                run_id, service_month, as_of, is_closing, code_version, tzdata_version, prepared_by, triggered_by
            ) values (%s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (run_id) do nothing
            """,
            (run_id, *given),
        )
        names = (
            *("service_month", "as_of", "is_closing", "code_version", "tzdata_version"),
            *("prepared_by", "triggered_by"),
        )
        held = connection.execute(
            f"select {', '.join(names)} from audit.builds where run_id = %s", (run_id,)
        ).fetchone()
        if held != given:
            differences = "; ".join(
                f"{name} was {was}, now {now}" for name, was, now in zip(names, held, given, strict=True) if was != now
            )
            raise BuildMismatch(
                f"Run {run_id} was opened before with other values ({differences}): start a new run with `sla run`."
            )
        connection.execute(
            """
            insert into audit.current_build (run_id, service_month, as_of)
            values (%s, %s, %s)
            on conflict (is_current) do update
            set run_id = excluded.run_id, service_month = excluded.service_month, as_of = excluded.as_of
            where current_build.run_id <> excluded.run_id
            """,
            (run_id, service_month, as_of),
        )


@contextlib.contextmanager
def _as_opened() -> Iterator[None]:
    """Tell in our words that the database finds a run's build surpassed (`audit.require_as_opened`)."""
    import psycopg

    try:
        yield
    except psycopg.errors.ObjectNotInPrerequisiteState as refusal:
        raise BuildMismatch(
            f"{refusal.diag.message_primary}: figures made anew would stand under the name of who asked for them then. "
            "Start a new run with `sla run`."
        ) from None


def require_current_build(settings: Settings, *, run_id: str) -> tuple[date, datetime]:
    """The month and the as-of time of the run's build; raises `BuildMismatch` unless it is the current one."""
    with connect(settings.warehouse, role="sla_transformer") as connection:
        row = connection.execute("select run_id, service_month, as_of from audit.current_build").fetchone()
    if row is None or row[0] != run_id:
        current = "there is none" if row is None else f"the current one is {row[0]}'s ({row[1]:%Y-%m})"
        raise BuildMismatch(
            f"The build of run {run_id} is not the current one: {current}. One run writes at a time; "
            "run the month again with `sla run` when the other is done."
        )
    return row[1], row[2]


def build_models(settings: Settings, *, run_id: str) -> BuildSummary:
    """Build and test every model of the current build in one start of dbt, then send its lineage.

    Raises `BuildMismatch`; `zones.ZonesDiffer`; `DataTestsFailed`, or `TransformFailed` where anything could not be
    run, naming each failed model and test with dbt's message.
    """
    service_month, as_of = require_current_build(settings, run_id=run_id)
    started = time.monotonic()
    with _as_opened(), connect(settings.warehouse, role="sla_transformer") as connection:
        (recorded,) = connection.execute(
            "update audit.builds set models_started_at = clock_timestamp(), models_built_at = null"
            " where run_id = %s returning tzdata_version",
            (run_id,),
        ).fetchone()
    if recorded != tzdata_version():
        raise BuildMismatch(
            f"Run {run_id} was opened with tzdata {recorded}, and {tzdata_version()} is installed now: "
            "start a new run with `sla run`."
        )
    with connect(settings.warehouse, role="sla_transformer") as connection:
        require_recorded_zones(connection, service_month=service_month, as_of=as_of)
        connection.execute("update audit.builds set posted_at = null where service_month = %s", (service_month,))
    results = run_dbt(settings, "build", "--exclude", "test_type:unit")
    run_directory = settings.home / "runs" / quote(run_id, safe="+:")
    sent = keep_artifacts(settings, run_directory)
    _raise_failures(results, service_month=service_month, log_directory=log_directory(settings))
    with connect(settings.warehouse, role="sla_transformer") as connection:
        connection.execute("update audit.builds set models_built_at = clock_timestamp() where run_id = %s", (run_id,))
    kinds = [str(result.node.resource_type) for result in results]
    return BuildSummary(
        service_month=service_month,
        as_of=as_of,
        models=kinds.count("model"),
        tests=kinds.count("test"),
        test_warnings=tuple(
            f"{result.node.name}: {result.message}" for result in results if str(result.status) == "warn"
        ),
        seconds=time.monotonic() - started,
        rows=_count_rows(settings, service_month=service_month),
        lineage_events=sent.events,
        lineage_failures=sent.failures,
    )


def test_ledger(settings: Settings, *, run_id: str) -> None:
    """Hold the lines to what is owed once more, now that the run has posted: the tests tagged `ledger`, in one start.

    Raises `BuildMismatch`; `LedgerDoesNotAddUp` naming contracts and months; `TransformFailed` where a test could not
    be run.
    """
    service_month, _ = require_current_build(settings, run_id=run_id)
    results = run_dbt(settings, "test", "--select", "tag:ledger")
    broken = [result for result in results if str(result.status) in BROKEN]
    if broken or not results:
        raise TransformFailed(
            f"The ledger of {service_month:%Y-%m} could not be tested after posting, and nothing goes into the billing "
            f"drop until it is: {'; '.join(f'{each.node.name}: {each.message}' for each in broken) or 'no tests'}. "
            f"See {log_directory(settings) / 'dbt.log'}.",
            failed_models=tuple(result.node.name for result in broken),
        )
    failed = [result for result in results if str(result.status) == "fail"]
    if not failed:
        return
    problems = []
    with connect(settings.warehouse, role="sla_transformer") as connection:
        for result in failed:
            rows = connection.execute(
                f"select * from ({result.node.compiled_code}) as rows order by contract_id, service_month, problem"
            ).fetchall()
            problems += [f"- contract {row[0]}, {row[1]:%Y-%m}: {row[2]} ({result.node.name})" for row in rows[:5]]
    raise LedgerDoesNotAddUp(
        f"After posting {service_month:%Y-%m} the ledger's lines are not what is owed, and nothing goes into the "
        "billing drop until they are:\n" + "\n".join(problems) + "\nRun `sla verify`, find out who changed "
        "`billing` or `marts`, and report it.",
        failed_tests=tuple(result.node.name for result in failed),
    )


def _raise_failures(results: list, *, service_month: date, log_directory: Path) -> None:
    tests = [result for result in results if str(result.status) == "fail"]
    broken = [result for result in results if str(result.status) in BROKEN]
    if not tests and not broken:
        return
    lines = [
        f"- {result.node.resource_type} {result.node.name} ({result.node.original_file_path}): "
        f"{' '.join((result.message or '').split())}"
        for result in [*broken, *tests]
    ]
    raise (TransformFailed if broken else DataTestsFailed)(
        f"dbt did not get through service month {service_month:%Y-%m}: {len(broken)} could not be run, "
        f"{len(tests)} data tests failed. The ledger is untouched.\n"
        + "\n".join(lines)
        + f"\nSee {log_directory / 'dbt.log'}.",
        failed_models=tuple(result.node.name for result in broken),
        failed_tests=tuple(result.node.name for result in tests),
    )


def _count_rows(settings: Settings, *, service_month: date) -> dict[str, int]:
    from psycopg import sql

    with connect(settings.warehouse, role="sla_transformer") as connection:
        names = connection.execute(
            "select table_name from information_schema.columns where table_schema = 'marts'"
            " and column_name = 'service_month' order by table_name"
        ).fetchall()
        count = sql.SQL("select count(*) from marts.{} where service_month = %s")
        return {
            name: connection.execute(count.format(sql.Identifier(name)), (service_month,)).fetchone()[0]
            for (name,) in names
        }
