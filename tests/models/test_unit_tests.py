"""dbt's unit tests, all that there are: each rule on rows of its own. A run of a month leaves them out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from slaledger import terms, transform
from slaledger.settings import DBT_PROJECT_DIR, Settings


def test_every_unit_test_of_the_models_passes(fresh_settings: Settings) -> None:
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
    defined = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["unit_tests"]
    passed = {result["unique_id"] for result in results if result["status"] == "pass"}
    assert defined, "no unit test was found"
    assert set(defined) <= passed, f"not run, or not passed: {sorted(set(defined) - passed)}"
