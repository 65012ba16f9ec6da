"""One start of dbt builds the month or says why not; its lineage goes out, or is missed and counted."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from slaledger import dbt_start, lineage, transform
from slaledger.settings import DBT_PROJECT_DIR, Settings
from slaledger.warehouse import connect
from tests.gates.conftest import AS_OF, MONTH, RUN_ID

Month = Callable[..., Settings]
PROJECT = {
    "dbt_project.yml": "name: slaledger\nprofile: slaledger\nmodels: {+materialized: table}\n",
    "models/tried.sql": "select service_month from audit.current_build",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`project(files)`: a small dbt project in the place of ours, with our profile."""

    def make(files: dict[str, str]) -> None:
        for name, text in {**PROJECT, **files}.items():
            path = tmp_path / "project" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "project" / "profiles.yml").write_text((DBT_PROJECT_DIR / "profiles.yml").read_text())
        for module in (dbt_start, lineage):
            monkeypatch.setattr(module, "DBT_PROJECT_DIR", tmp_path / "project")

    return make


@pytest.fixture
def tried(month: Month, tmp_path: Path) -> Settings:
    """A copy of the clean month with a home of its own."""
    return dataclasses.replace(month(), home=tmp_path / "home")


def test_the_same_build_twice_is_one(tried: Settings):
    before = _rows(tried, "select * from audit.builds")
    transform.open_build(tried, run_id=RUN_ID, service_month=MONTH, as_of=AS_OF, is_closing=True)
    assert _rows(tried, "select * from audit.builds") == before


@pytest.mark.parametrize(
    "other",
    [
        {"service_month": date(2026, 4, 1)},
        {"as_of": datetime(2026, 4, 12, 0, 0, 1, tzinfo=UTC)},
        {"is_closing": False},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_run_is_one_build(tried: Settings, other: dict):
    with pytest.raises(transform.BuildMismatch, match=next(iter(other))):
        transform.open_build(
            tried, run_id=RUN_ID, **{"service_month": MONTH, "as_of": AS_OF, "is_closing": True, **other}
        )


def test_the_last_opened_build_is_the_current_one_and_only_it_is_built(tried: Settings):
    april = date(2026, 4, 1)
    transform.open_build(tried, run_id="april", service_month=april, as_of=AS_OF, is_closing=False)
    assert _rows(tried, "select run_id, service_month from audit.current_build") == [("april", april)]
    with pytest.raises(transform.BuildMismatch, match="april"):
        transform.build_models(tried, run_id=RUN_ID)


def test_what_a_build_needs_is_checked(tried: Settings):
    with pytest.raises(ValueError, match="first day"):
        transform.open_build(tried, run_id="x", service_month=date(2026, 3, 2), as_of=AS_OF, is_closing=False)
    with pytest.raises(ValueError, match="offset"):
        transform.open_build(tried, run_id="x", service_month=MONTH, as_of=AS_OF.replace(tzinfo=None), is_closing=False)


def test_the_clean_month_was_built_in_one_start(clean_month: Settings):
    assert _rows(clean_month, "select contract_id, status from marts.fct_account_months order by contract_id") == [
        ("c-ent", "measured"),
        ("c-starter", "measured"),
    ]
    assert _rows(clean_month, "select contract_id, amount from marts.fct_credits where status = 'owed'") == [
        ("c-ent", 100)
    ]
    kept = clean_month.home / "runs" / RUN_ID
    results = json.loads((kept / "run_results.json").read_text())
    manifest = json.loads((kept / "manifest.json").read_text())
    assert {"fct_account_months", "fct_credits"} <= {node["name"] for node in manifest["nodes"].values()}
    assert not [each for each in results["results"] if each["unique_id"].startswith("unit_test.")]
    assert (clean_month.home / "logs" / "dbt" / "dbt.log").is_file()
    assert (clean_month.home / "dbt" / "target" / "partial_parse.msgpack").is_file()


def test_lineage_tells_which_columns_a_mart_is_made_of(clean_month: Settings):
    lines = (clean_month.home / "lineage" / "events.ndjson").read_text().splitlines()
    events = [event for event in map(json.loads, lines) if "fct_credits" in event["job"]["name"]]
    (completed,) = [event for event in events if event["eventType"] == "COMPLETE" and event["outputs"]]
    (output,) = completed["outputs"]
    database = clean_month.warehouse.database
    assert output["namespace"] == lineage.dataset_namespace(clean_month.warehouse)
    assert output["name"] == f"{database}.marts.fct_credits"
    (source,) = output["facets"]["columnLineage"]["fields"]["amount"]["inputFields"]
    assert source["name"].startswith(f"{database}.intermediate.") and source["field"] == "amount"
    assert any("intermediate" in each["name"] for each in completed["inputs"])


def test_a_model_that_fails_is_named_with_its_message(tried: Settings, project: Callable[..., None]):
    project({"models/broken.sql": "select no_such_column from {{ ref('tried') }}", "tests/t.sql": "select 1"})
    with pytest.raises(transform.TransformFailed, match="no_such_column") as failed:
        transform.build_models(tried, run_id=RUN_ID)
    assert not isinstance(failed.value, transform.DataTestsFailed)
    assert (failed.value.failed_models, failed.value.failed_tests) == (("broken",), ("t",))
    assert (tried.home / "runs" / RUN_ID / "run_results.json").is_file()


def test_a_data_test_that_finds_rows_is_a_validation(tried: Settings, project: Callable[..., None]):
    project({"tests/assert_nothing.sql": "select * from {{ ref('tried') }}"})
    with pytest.raises(transform.DataTestsFailed, match=r"assert_nothing.*Got 1 result") as failed:
        transform.build_models(tried, run_id=RUN_ID)
    assert failed.value.is_validation
    assert (failed.value.failed_models, failed.value.failed_tests) == ((), ("assert_nothing",))


def test_a_project_that_does_not_parse_leaves_no_results_of_an_earlier_start(
    tried: Settings, project: Callable[..., None]
):
    project({})
    assert transform.build_models(tried, run_id=RUN_ID).models == 1
    project({"models/broken.sql": "select * from {{ ref('no_such_model') }}"})
    with pytest.raises(transform.TransformFailed, match="no_such_model"):
        transform.build_models(tried, run_id=RUN_ID)
    assert not (tried.home / "dbt" / "target" / "run_results.json").exists()


def test_dbt_leaves_directory_and_environment_as_they_were(tried: Settings, project: Callable[..., None]):
    project({})
    before = (Path.cwd(), dict(os.environ))
    transform.build_models(tried, run_id=RUN_ID)
    assert (Path.cwd(), dict(os.environ)) == before


@pytest.mark.parametrize("transport", ["no json", '{"type": "no such transport"}'])
def test_lineage_that_cannot_be_sent_is_counted_and_stops_nothing(
    tried: Settings, project: Callable[..., None], monkeypatch: pytest.MonkeyPatch, transport: str
):
    monkeypatch.setenv(lineage.TRANSPORT_VARIABLE, transport)
    project({})
    summary = transform.build_models(tried, run_id=RUN_ID)
    assert (summary.models, summary.lineage_events) == (1, 0)
    assert summary.lineage_failures > 0


def test_lineage_follows_airflows_transport(
    tried: Settings, project: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    path = tmp_path / "elsewhere" / "events.ndjson"
    monkeypatch.setenv(
        lineage.TRANSPORT_VARIABLE, json.dumps({"type": "file", "log_file_path": str(path), "append": True})
    )
    monkeypatch.setenv(lineage.NAMESPACE_VARIABLE, "tests")
    project({})
    summary = transform.build_models(tried, run_id=RUN_ID)
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(events) == summary.lineage_events > 0
    assert {event["job"]["namespace"] for event in events} == {"tests"}
    assert not (tried.home / "lineage").exists()


def _rows(settings: Settings, query: str) -> list[tuple]:
    with connect(settings.warehouse) as connection:
        return connection.execute(query.encode()).fetchall()


def test_models_are_built_in_utc_whatever_the_database_says(
    tried: Settings, project: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    project({"models/tried.sql": "select current_setting('TimeZone') as session_zone"})
    monkeypatch.setenv("PGTZ", "Pacific/Kiritimati")
    with connect(tried.warehouse) as connection:
        connection.execute(f"alter database \"{tried.warehouse.database}\" set timezone = 'Asia/Kolkata'")
    transform.build_models(tried, run_id=RUN_ID)
    assert _rows(tried, "select session_zone from staging.tried") == [("UTC",)]
