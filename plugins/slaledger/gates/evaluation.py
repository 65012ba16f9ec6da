"""The only module that calls Great Expectations.

Suites, checkpoint and context are made from `expectations/` each time, in memory: there is no second definition to
drift, and the connection string is written nowhere. What is kept are results, for the Data Docs.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slaledger.gates.committed import committed
from slaledger.gates.data_docs import SHOWN, complete
from slaledger.gates.quarantine import LIMIT_SETTING
from slaledger.gates.results import ExpectationResult, read
from slaledger.settings import QUIET_ENVIRONMENT, Settings
from slaledger.warehouse import role_options

if TYPE_CHECKING:
    import psycopg
    from great_expectations.checkpoint import CheckpointResult
    from great_expectations.data_context import EphemeralDataContext

DATASOURCE = "warehouse"


def evaluate(
    settings: Settings, gate: str, *, connection: psycopg.Connection, service_month: date, is_closing: bool
) -> dict[str, ExpectationResult]:
    """Run a gate's checkpoint on the current build and update the Data Docs; what was evaluated, by name.

    Claims are judged, and their rows counted, on the one snapshot of `connection`'s transaction (repeatable read).
    """
    evaluated_rows = _count_populations(connection, gate)
    with quiet():
        return _evaluate(
            settings,
            gate,
            evaluated_rows=evaluated_rows,
            snapshot=connection.execute("select pg_export_snapshot()").fetchone()[0],
            service_month=service_month,
            is_closing=is_closing,
        )


def import_library() -> None:
    """Import Great Expectations: seconds that are no gate's."""
    with quiet():
        import great_expectations  # noqa: F401


def data_docs_path(settings: Settings) -> Path:
    """The directory of the Data Docs' static site; its first page is `index.html`."""
    return settings.home / "data_docs"


def _kept(settings: Settings) -> Path:
    return settings.home / "gx" / "validations"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No telemetry, and nothing on standard output: Great Expectations prints a hint for each query."""
    os.environ.update(QUIET_ENVIRONMENT)
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _count_populations(connection: psycopg.Connection, gate: str) -> dict[str, int]:
    """Expectation -> the number of rows that it is judged on; one whose rows cannot be counted is not in it."""
    from psycopg import Error

    counts: dict[str, int] = {}
    for expectation in committed().GATES[gate]:
        with contextlib.suppress(Error), connection.transaction():
            counts[expectation.name] = connection.execute(expectation.count(gate).encode()).fetchone()[0]
    return counts


def _read_snapshot(context: EphemeralDataContext, snapshot: str) -> None:
    """Have each of Great Expectations' transactions see what the snapshot sees, and write nothing."""
    import sqlalchemy

    @sqlalchemy.event.listens_for(context.data_sources.get(DATASOURCE).get_execution_engine().engine, "begin")
    def begin(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("set transaction isolation level repeatable read, read only")
        connection.exec_driver_sql(f"set transaction snapshot '{snapshot}'")


def _evaluate(
    settings: Settings,
    gate: str,
    *,
    evaluated_rows: Mapping[str, int],
    snapshot: str,
    service_month: date,
    is_closing: bool,
) -> dict[str, ExpectationResult]:
    import great_expectations as gx
    from great_expectations.checkpoint import UpdateDataDocsAction

    context = _context(settings)
    try:
        _read_snapshot(context, snapshot)
        suites = {
            name: _suite(context, name, evaluated_rows=evaluated_rows if name == gate else {}, is_closing=is_closing)
            for name in committed().GATES
        }
        # The batch: one row, by which every query finds the build that it speaks of.
        asset = context.data_sources.get(DATASOURCE).add_query_asset(
            f"{gate} gate", query="select * from audit.current_build"
        )
        definition = context.validation_definitions.add(
            gx.ValidationDefinition(
                name=gate,
                data=asset.add_batch_definition_whole_table(f"{service_month:%Y-%m}"),
                suite=suites[gate],
            )
        )
        checkpoint = context.checkpoints.add(
            gx.Checkpoint(
                name=gate,
                validation_definitions=[definition],
                result_format="COMPLETE",
                actions=[UpdateDataDocsAction(name="data_docs")],
            )
        )
        # Without a time of its own, a run would take its name for one, and each run of a month replace the last.
        run = gx.RunIdentifier(run_name=f"{service_month:%Y-%m}", run_time=datetime.now(UTC))
        results = _results(checkpoint.run(run_id=run))
        complete(data_docs_path(settings), _kept(settings))
        return results
    finally:
        source = context.data_sources.get(DATASOURCE)
        source.get_execution_engine().close()
        source.get_engine().dispose()  # another, on which the source was tried out


def _context(settings: Settings) -> EphemeralDataContext:
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    stores = InMemoryStoreBackendDefaults()
    # The validations' results alone are kept, for the index page of the Data Docs.
    stores.stores[stores.validation_results_store_name] = {
        "class_name": "ValidationResultsStore",
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(_kept(settings)),
            "filepath_suffix": ".json",
        },
    }
    docs = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(data_docs_path(settings)),
        },
        "site_index_builder": {
            "class_name": "DefaultSiteIndexBuilder",
            "validation_results_limit": SHOWN,
        },
    }
    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=stores,
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
            data_docs_sites={"slaledger": docs},
        ),
    )
    warehouse = settings.warehouse.login("sla_validator")
    context.data_sources.add_postgres(
        DATASOURCE,
        connection_string=warehouse.dsn.replace("postgresql://", "postgresql+psycopg2://", 1),
        create_temp_table=False,
        kwargs={
            "connect_args": {
                "application_name": "slaledger gate",
                "options": "-c timezone=UTC -c datestyle=ISO,YMD"
                f" -c {LIMIT_SETTING}={settings.quarantine_limit_percent}{role_options('sla_validator')}",
            },
        },
    )
    return context


def _suite(context: EphemeralDataContext, gate: str, *, evaluated_rows: Mapping[str, int], is_closing: bool) -> Any:
    import great_expectations as gx
    from great_expectations.expectations import UnexpectedRowsExpectation

    return context.suites.add(
        gx.ExpectationSuite(
            name=gate,
            expectations=[
                UnexpectedRowsExpectation(
                    unexpected_rows_query=_templated(expectation.query(gate)),
                    severity=expectation.severity_of(is_closing=is_closing),
                    description=expectation.name.replace("_", " "),
                    notes=[f"**Why:** {expectation.why}", f"**What to do:** {expectation.remedy}"],
                    meta={
                        "name": expectation.name,
                        "remedy": expectation.remedy,
                        "evaluated_rows": evaluated_rows.get(expectation.name),
                        "needs_rows": not expectation.may_be_empty or evaluated_rows.get(expectation.only_with, 0) > 0,
                    },
                )
                for expectation in committed().GATES[gate]
            ],
        )
    )


def _templated(query: str) -> str:
    """Great Expectations formats queries: braces are doubled."""
    return query.replace("{", "{{").replace("}", "}}")


def _results(outcome: CheckpointResult) -> dict[str, ExpectationResult]:
    (validation,) = outcome.run_results.values()
    results = [read(evaluated) for evaluated in validation.to_json_dict()["results"]]
    return {result.name: result for result in results}
