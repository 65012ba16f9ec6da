"""Run a gate: evaluate, keep the record, stop the month."""

from __future__ import annotations

import json
import logging
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Literal

import psycopg

from slaledger import lineage
from slaledger.gates.committed import committed
from slaledger.gates.evaluation import data_docs_path, evaluate, import_library
from slaledger.gates.quarantine import LIMIT_SETTING
from slaledger.gates.results import ExpectationResult, GateFailed, GateResult, failure, sentence
from slaledger.settings import Settings
from slaledger.transform import BuildMismatch
from slaledger.warehouse import connect

logger = logging.getLogger(__name__)

Gate = Literal["raw", "marts"]


@dataclass(frozen=True)
class _Build:
    run_id: str
    service_month: date
    as_of: datetime
    is_closing: bool
    models_built_at: datetime | None


def run_gate(settings: Settings, gate: Gate, *, run_id: str) -> GateResult:
    """Evaluate every expectation of a gate on the run's build, write `audit.validations` and the Data Docs.

    Raises `GateFailed` (after the record is written) naming each critical expectation that does not hold or was not
    evaluated, how many rows broke it, one of them, and what to do; `BuildMismatch` where another build is current.
    """
    expected = committed().GATES[gate]
    started_at = datetime.now(UTC)
    import_library()
    with connect(settings.warehouse, role="sla_validator") as connection:
        # One snapshot for the build, the digest, the claims and the rows that they are judged on.
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        build = _current_build(connection, run_id=run_id)
        if gate == "marts" and build.models_built_at is None:
            raise GateFailed(
                f"The marts gate of {build.service_month:%Y-%m} has nothing to validate: dbt did not get through "
                f"the models of run {run_id}. Clear its task `build_models`, or run the month again with `sla run`."
            )
        digest = _candidate_sha256(connection, gate)
        started = time.monotonic()
        evaluated = evaluate(
            settings, gate, connection=connection, service_month=build.service_month, is_closing=build.is_closing
        )
    results = tuple(
        evaluated.get(expectation.name)
        or ExpectationResult(
            name=expectation.name,
            severity=expectation.severity_of(is_closing=build.is_closing),
            is_success=False,
            is_evaluated=False,
            evaluated_rows=0,
            unexpected=0,
            detail="was not evaluated",
            examples=(),
            remedy=expectation.remedy,
        )
        for expectation in expected
    )
    result = GateResult(
        gate=gate,
        service_month=build.service_month,
        as_of=build.as_of,
        candidate_sha256=digest,
        results=results,
        seconds=time.monotonic() - started,
        data_docs=data_docs_path(settings),
    )
    _record(settings, result, run_id=run_id)
    lineage.emit_gate(
        settings,
        gate=gate,
        started_at=started_at,
        assertions=[
            lineage.Assertion(
                table=expectation.table,
                name=outcome.name,
                severity=outcome.severity,
                is_success=outcome.is_success,
                unexpected=outcome.unexpected,
            )
            for expectation, outcome in zip(expected, results, strict=True)
        ],
    )
    for warning in result.warnings:
        logger.warning("%s gate, %s: %s", gate, f"{build.service_month:%Y-%m}", sentence(warning))
    if result.failed:
        raise GateFailed(failure(result), failed=result.failed)
    return result


def _current_build(connection: psycopg.Connection, *, run_id: str) -> _Build:
    row = connection.execute(
        "select builds.run_id, builds.service_month, builds.as_of, builds.is_closing, builds.models_built_at"
        " from audit.current_build inner join audit.builds on current_build.run_id = builds.run_id"
    ).fetchone()
    if row is None or row[0] != run_id:
        raise BuildMismatch(
            f"The build of run {run_id} is not the current one ({row[0] if row else 'there is none'}): "
            "run the month again with `sla run` when the other is done."
        )
    return _Build(*row)


def _candidate_sha256(connection: psycopg.Connection, gate: Gate) -> str:
    from slaledger import ledger

    return ledger.candidate_sha256(connection) if gate == "marts" else ledger.inputs_sha256(connection)


def _record(settings: Settings, result: GateResult, *, run_id: str) -> None:
    entries = [asdict(outcome) for outcome in result.results]
    try:
        with connect(settings.warehouse, role="sla_validator") as connection:
            connection.execute(
                "select set_config(%s, %s, true)", (LIMIT_SETTING, str(settings.quarantine_limit_percent))
            )
            connection.execute(
                """
                insert into audit.validations
                    (validation_id, run_id, gate, service_month, as_of, candidate_sha256, is_success, expectations)
                values (%s, %s, %s, %s, %s, %s, %s, %s)
                """,
                (
                    # Of the content, once the trigger has seen it.
                    uuid.UUID(int=0),
                    run_id,
                    result.gate,
                    result.service_month,
                    result.as_of,
                    result.candidate_sha256,
                    not result.failed,
                    json.dumps(entries),
                ),
            )
    except psycopg.errors.CheckViolation as refused:
        raise GateFailed(f"{refused.diag.message_primary}. {refused.diag.message_hint or ''}") from refused
