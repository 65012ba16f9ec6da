"""The only module that calls Great Expectations.

Suites, checkpoint and context are made from `expectations/` each time, in memory: there is no second definition to
drift, and the connection string is written nowhere. What is kept are results, for the Data Docs.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slaledger.gates.committed import committed
from slaledger.gates.quarantine import LIMIT_SETTING
from slaledger.gates.results import ExpectationResult
from slaledger.settings import QUIET_ENVIRONMENT, Settings

if TYPE_CHECKING:
    from great_expectations.checkpoint import CheckpointResult
    from great_expectations.data_context import EphemeralDataContext

DATASOURCE = "warehouse"
DOCS_SHOWN = 100  # validations on the index page of the Data Docs; older ones stay in audit.validations
EXAMPLES = 5


def evaluate(settings: Settings, gate: str, *, service_month: date, is_closing: bool) -> dict[str, ExpectationResult]:
    """Run a gate's checkpoint on the current build and update the Data Docs; what was evaluated, by name."""
    with quiet():
        return _evaluate(settings, gate, service_month=service_month, is_closing=is_closing)


def import_library() -> None:
    """Import Great Expectations: seconds that are no gate's."""
    with quiet():
        import great_expectations  # noqa: F401


def data_docs_path(settings: Settings) -> Path:
    """The directory of the Data Docs' static site; its first page is `index.html`."""
    return settings.home / "data_docs"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No telemetry, and nothing on standard output: Great Expectations prints a hint for each query."""
    os.environ.update(QUIET_ENVIRONMENT)
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _evaluate(settings: Settings, gate: str, *, service_month: date, is_closing: bool) -> dict[str, ExpectationResult]:
    import great_expectations as gx
    from great_expectations.checkpoint import UpdateDataDocsAction

    context = _context(settings)
    try:
        suites = {name: _suite(context, name, is_closing=is_closing) for name in committed().GATES}
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
        return _results(checkpoint.run(run_id=gx.RunIdentifier(run_name=f"{service_month:%Y-%m}")))
    finally:
        context.data_sources.get(DATASOURCE).get_execution_engine().close()


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
            "base_directory": str(settings.home / "gx" / "validations"),
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
            "validation_results_limit": DOCS_SHOWN,
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
    warehouse = settings.warehouse
    context.data_sources.add_postgres(
        DATASOURCE,
        connection_string=warehouse.dsn.replace("postgresql://", "postgresql+psycopg2://", 1),
        create_temp_table=False,
        kwargs={
            "connect_args": {
                "application_name": "slaledger gate",
                "options": "-c timezone=UTC -c datestyle=ISO,YMD"
                f" -c {LIMIT_SETTING}={settings.quarantine_limit_percent}",
            },
        },
    )
    return context


def _suite(context: EphemeralDataContext, gate: str, *, is_closing: bool) -> Any:
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
                    meta={"name": expectation.name, "remedy": expectation.remedy},
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
    results = {}
    for evaluated in validation.results:
        configuration = evaluated.expectation_config
        is_evaluated = "observed_value" in (evaluated.result or {})
        rows = evaluated.result["details"]["unexpected_rows"] if is_evaluated else []
        examples = tuple(f"{row['subject']}: {row['detail']}" for row in rows[:EXAMPLES])
        results[configuration.meta["name"]] = ExpectationResult(
            name=configuration.meta["name"],
            severity=configuration.severity.value,
            is_success=bool(evaluated.success) and is_evaluated,
            is_evaluated=is_evaluated,
            unexpected=evaluated.result["observed_value"] if is_evaluated else 0,
            detail="; ".join(examples)
            if is_evaluated
            else f"could not be evaluated: {_exception(evaluated.exception_info)}",
            examples=examples,
            remedy=configuration.meta["remedy"],
        )
    return results


def _exception(information: Mapping[str, Any] | None) -> str:
    """The first line of what the database said: Great Expectations nests it, a layer per metric."""
    for value in (information or {}).values():
        if isinstance(value, Mapping) and value.get("exception_message"):
            return str(value["exception_message"]).splitlines()[0]
    return "Great Expectations gave no result"
