"""OpenLineage events of dbt and of the gates, which no listener sees; to wherever Airflow's own events go.

Lineage is for people; the evidence of a line is in the database. So a failure to send is logged and counted,
and never stops a month.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slaledger import __version__
from slaledger.settings import DBT_PROJECT_DIR, Settings, Warehouse
from slaledger.warehouse import connect

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

logger = logging.getLogger(__name__)

PRODUCER = f"urn:slaledger:{__version__}"
# Airflow's own settings (platform.md), so that dbt's and the gates' events land beside the tasks'.
TRANSPORT_VARIABLE = "AIRFLOW__OPENLINEAGE__TRANSPORT"
NAMESPACE_VARIABLE = "AIRFLOW__OPENLINEAGE__NAMESPACE"

IMPORTED = re.compile(r'select \* from (?P<relation>"[^"]+"\."(?P<schema>[^"]+)"\."(?P<name>[^"]+)")')
LAST = re.compile(r"select \* from final\s*$")


@dataclass(frozen=True)
class Sent:
    """How many events went out, and how many did not."""

    events: int = 0
    failures: int = 0


@dataclass(frozen=True)
class Assertion:
    """What a gate asserted of a table (`schema.table`)."""

    table: str
    name: str
    severity: str
    is_success: bool
    unexpected: int


def default_transport(home: Path) -> dict[str, Any]:
    """Where events go unless Airflow's configuration says otherwise: one file of NDJSON."""
    return {"type": "file", "log_file_path": str(home / "lineage" / "events.ndjson"), "append": True}


def emit_dbt(settings: Settings, *, artifacts: Path) -> Sent:
    """Make dbt's events from the artifacts of one start, column lineage and tests too, and send them.

    `artifacts` is a directory with `manifest.json` and `run_results.json`; the profile's variables are set.
    """
    try:
        from openlineage.common.provider.dbt.local import DbtLocalArtifactProcessor

        columns = _columns(settings.warehouse)

        class StarsNamed(DbtLocalArtifactProcessor):
            """The parser of column lineage does not look through stars, and our models import and end with them."""

            def get_dbt_metadata(self) -> Any:
                manifest, *rest = super().get_dbt_metadata()
                for node in manifest["nodes"].values():
                    if node.get("compiled_code"):
                        own = columns.get((node["schema"], node["alias"]))
                        node["compiled_code"] = _name_stars(node["compiled_code"], own=own, columns=columns)
                return manifest, *rest

        processor = StarsNamed(
            producer=PRODUCER,
            job_namespace=_namespace(),
            project_dir=str(DBT_PROJECT_DIR),
            target_path=str(artifacts.absolute()),
        )
        processor.dbt_run_metadata = _running_task()
        events = processor.parse().events()
    except Exception:
        logger.exception("No lineage of dbt: its artifacts in %s could not be turned into events.", artifacts)
        return Sent(failures=1)
    return _emit(settings, events)


def emit_gate(settings: Settings, *, gate: str, started_at: datetime, assertions: Sequence[Assertion]) -> Sent:
    """Send what a gate asserted, as data-quality assertions on the tables that it read."""
    try:
        from openlineage.client.event_v2 import InputDataset, Job, Run, RunEvent, RunState
        from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality
        from openlineage.client.uuid import generate_new_uuid

        tables: dict[str, list[Any]] = {}
        for assertion in assertions:
            tables.setdefault(assertion.table, []).append(
                quality.Assertion(
                    assertion="custom_sql",
                    name=assertion.name,
                    success=assertion.is_success,
                    severity=_severity(assertion.severity),
                    expected="0",
                    actual=str(assertion.unexpected),
                )
            )
        inputs = [
            InputDataset(
                namespace=dataset_namespace(settings.warehouse),
                name=f"{settings.warehouse.database}.{table}",
                inputFacets={"dataQualityAssertions": quality.DataQualityAssertionsDatasetFacet(assertions=asserted)},
            )
            for table, asserted in sorted(tables.items())
        ]
        parent = _running_task()
        facets = {"parent": parent.to_openlineage()} if parent else {}
        run = Run(runId=str(generate_new_uuid()), facets=facets)
        job = Job(namespace=_namespace(), name=f"gate.{gate}")
        events = [
            RunEvent(eventType=state, eventTime=at.isoformat(), run=run, job=job, producer=PRODUCER, inputs=inputs)
            for state, at in ((RunState.START, started_at), (RunState.COMPLETE, datetime.now(UTC)))
        ]
    except Exception:
        logger.exception("No lineage of the %s gate: its events could not be made.", gate)
        return Sent(failures=1)
    return _emit(settings, events)


def dataset_namespace(warehouse: Warehouse) -> str:
    """The namespace that dbt's and Airflow's own events give the warehouse's tables."""
    return f"postgres://{warehouse.host}:{warehouse.port}"


def _columns(warehouse: Warehouse) -> dict[tuple[str, str], list[str]]:
    """(schema, relation) → its columns, in their order."""
    with connect(warehouse, role="sla_transformer") as connection:
        rows = connection.execute(
            "select table_schema, table_name, array_agg(column_name::text order by ordinal_position)"
            " from information_schema.columns"
            " where table_schema not in ('information_schema', 'pg_catalog') group by table_schema, table_name"
        ).fetchall()
    return {(schema, name): names for schema, name, names in rows}


def _name_stars(query: str, *, own: list[str] | None, columns: Mapping[tuple[str, str], list[str]]) -> str:
    """Name the columns of import CTEs (`select * from` a relation) and of the last `select * from final`."""

    def named(match: re.Match[str]) -> str:
        names = columns.get((match["schema"], match["name"]))
        return f"select {', '.join(names)} from {match['relation']}" if names else match[0]

    query = IMPORTED.sub(named, query)
    return LAST.sub(f"select {', '.join(f'final.{name}' for name in own)} from final", query) if own else query


def _severity(severity: str) -> str:
    return {"critical": "error", "warning": "warn"}[severity]


def _namespace() -> str:
    return os.environ.get(NAMESPACE_VARIABLE) or "slaledger"


def _running_task() -> Any | None:
    """The Airflow task that we run in, so that its events are the parent of ours; None outside Airflow."""
    if "airflow.sdk" not in sys.modules:
        return None
    try:
        from airflow.providers.openlineage.plugins import macros
        from airflow.sdk import get_current_context
        from openlineage.common.provider.dbt.facets import ParentRunMetadata

        task_instance = get_current_context()["ti"]
        return ParentRunMetadata(
            run_id=macros.lineage_run_id(task_instance),
            job_name=macros.lineage_job_name(task_instance),
            job_namespace=macros.lineage_job_namespace(),
            root_parent_run_id=macros.lineage_root_run_id(task_instance),
            root_parent_job_name=macros.lineage_root_job_name(task_instance),
            root_parent_job_namespace=macros.lineage_root_job_namespace(task_instance),
        )
    except Exception as error:  # outside a task, or an Airflow that tells its ids otherwise: events without a parent
        logger.info("Lineage has no parent task: %s", error)
        return None


def _emit(settings: Settings, events: Sequence[Any]) -> Sent:
    try:
        client = _client(settings)
    except Exception:
        logger.exception("No lineage: %s names no transport that can be opened.", TRANSPORT_VARIABLE)
        return Sent(failures=len(events))
    failures = 0
    for event in events:
        try:
            client.emit(event)
        except Exception as error:
            failures += 1
            if failures == 1:  # the first says why; a receiver that is down would say it hundreds of times
                logger.error("A lineage event could not be sent: %s", error)
    client.close()
    if failures:
        logger.error("%d of %d lineage events could not be sent.", failures, len(events))
    return Sent(events=len(events) - failures, failures=failures)


def _client(settings: Settings) -> OpenLineageClient:
    from openlineage.client import OpenLineageClient

    text = os.environ.get(TRANSPORT_VARIABLE)
    transport = json.loads(text) if text else default_transport(settings.home)
    if transport.get("type") == "file":
        Path(transport["log_file_path"]).parent.mkdir(parents=True, exist_ok=True)
    return OpenLineageClient(config={"transport": transport})
