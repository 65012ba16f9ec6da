"""dbt's unit tests, all that there are: each rule on rows of its own; and the contracts of the marts that they lead to.

A run of a month leaves the unit tests out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from slaledger import terms, transform
from slaledger.settings import DBT_PROJECT_DIR, Settings

MARTS = DBT_PROJECT_DIR / "models" / "marts"

# The marts without a key, each with the reason.
WITHOUT_A_KEY = {"fct_findings": "a detail is longer than an index takes; a data test holds that each is told once"}


@dataclass(frozen=True)
class Built:
    """What dbt made of the project: its manifest, and the status of everything that it ran."""

    settings: Settings
    manifest: dict[str, Any]
    statuses: dict[str, str]

    def marts(self) -> dict[str, dict[str, Any]]:
        """The models of marts, by name."""
        return {
            node["name"]: node
            for node in self.manifest["nodes"].values()
            if node["resource_type"] == "model" and node["schema"] == "marts"
        }


@pytest.fixture(scope="module")
def built(fresh_settings: Settings) -> Built:
    terms.publish(fresh_settings)
    transform.open_build(
        fresh_settings,
        run_id="unit_tests",
        service_month=date(2026, 4, 1),
        as_of=datetime(2026, 5, 5, tzinfo=UTC),
        is_closing=False,
    )
    warehouse, target = fresh_settings.warehouse, fresh_settings.home / "target"
    # `build` makes the models that a unit test reads the columns of, and runs it before its own model.
    ran = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("dbt")), "--quiet", "--no-use-colors"),
            *("--log-path", str(fresh_settings.home / "logs"), "build", "--target-path", str(target)),
            *("--project-dir", str(DBT_PROJECT_DIR), "--profiles-dir", str(DBT_PROJECT_DIR)),
        ],
        env={
            **os.environ,
            "SLA_PG_HOST": warehouse.host,
            "SLA_PG_PORT": str(warehouse.port),
            "SLA_PG_USER": warehouse.user,
            "SLA_PG_PASSWORD": warehouse.password,
            "SLA_PG_DATABASE": warehouse.database,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    return Built(
        settings=fresh_settings,
        manifest=json.loads((target / "manifest.json").read_text(encoding="utf-8")),
        statuses={result["unique_id"]: result["status"] for result in results},
    )


def test_every_unit_test_of_the_models_passes(built: Built) -> None:
    defined = set(built.manifest["unit_tests"])
    passed = {unique_id for unique_id, status in built.statuses.items() if status == "pass"}
    assert defined, "no unit test was found"
    assert defined <= passed, f"not run, or not passed: {sorted(defined - passed)}"


def test_every_mart_has_an_enforced_contract(built: Built) -> None:
    marts = built.marts()
    assert set(marts) == {path.stem for path in MARTS.glob("*.sql")}
    for name, node in marts.items():
        assert node["contract"]["enforced"], f"{name}: set `contract.enforced`"
        keys = [held["type"] for held in node["constraints"] if held["type"] in ("primary_key", "custom")]
        assert bool(keys) != (name in WITHOUT_A_KEY), f"{name}: give it a key, or a reason why it has none"


# What every row of a mart has, whatever became of it: a column that falls out of here was made nullable.
NEVER_NULL = {
    "fct_account_months": {"account_id", "contract_id", "service_month", "terms_id", "measured_seconds", "status"},
    "fct_account_downtime": {
        *("contract_id", "service_month", "started_at", "ended_at", "kind"),
        *("services", "categories", "source_ids"),
    },
    "fct_response_times": {"ticket_id", "service_month", "created_at", "outcome", "guaranteed"},
    "fct_claims": {
        *("claim_id", "service_month", "received_at", "deadline_at", "status"),
        *("terms_id", "terms_version", "decision_subject", "decision_digest"),
    },
    "fct_credits": {"account_id", "contract_id", "service_month", "basis", "status", "reason"},
    "fct_findings": {"code", "service_month", "subject", "detail"},
}


def test_what_every_row_has_is_never_null(built: Built) -> None:
    never_null = {
        name: {
            column["name"]
            for column in node["columns"].values()
            if any(held["type"] == "not_null" for held in column["constraints"])
        }
        for name, node in built.marts().items()
    }
    assert never_null == NEVER_NULL
