"""The only module that starts dbt."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from slaledger import lineage
from slaledger.settings import DBT_PROJECT_DIR, QUIET_ENVIRONMENT, Settings, Warehouse

ARTIFACTS = ("manifest.json", "run_results.json")


class TransformFailed(Exception):
    """dbt did not get through: `failed_models` could not be run; `failed_tests` found rows they must not find."""

    def __init__(
        self, message: str, *, failed_models: tuple[str, ...] = (), failed_tests: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.failed_models = failed_models
        self.failed_tests = failed_tests


def _target_path(settings: Settings) -> Path:
    return settings.home / "dbt" / "target"


def log_directory(settings: Settings) -> Path:
    """The folder that dbt logs to."""
    return settings.home / "logs" / "dbt"


def run_dbt(settings: Settings, command: str, *selection: str) -> list:
    """One start of dbt in this process; each node's result. Raises `TransformFailed` where it did not start."""
    from dbt.cli.main import dbtRunner

    for name in ARTIFACTS[1:]:  # a start that dies early must not leave the last one's results to be read as its own
        (_target_path(settings) / name).unlink(missing_ok=True)
    arguments = [
        "--no-use-colors",
        "--no-send-anonymous-usage-stats",
        "--no-version-check",
        "--log-path",
        str(log_directory(settings)),
        command,
        "--project-dir",
        str(DBT_PROJECT_DIR),
        "--profiles-dir",
        str(DBT_PROJECT_DIR),
        "--target-path",
        str(_target_path(settings)),
        *selection,
    ]
    with dbt_environment(settings.warehouse):
        outcome = dbtRunner().invoke(arguments)
    if outcome.result is None:
        raise TransformFailed(
            f"dbt did not start: {outcome.exception}. See {log_directory(settings) / 'dbt.log'}.",
            failed_models=("dbt",),
        ) from outcome.exception
    return list(outcome.result)


@contextlib.contextmanager
def dbt_environment(warehouse: Warehouse) -> Iterator[None]:
    """What `profiles.yml` reads, while dbt runs. dbt changes the working directory, which is put back."""
    login = warehouse.login("sla_transformer")
    values = {
        **QUIET_ENVIRONMENT,
        "SLA_PG_HOST": login.host,
        "SLA_PG_PORT": str(login.port),
        "SLA_PG_USER": login.user,
        "SLA_PG_PASSWORD": login.password,
        "SLA_PG_DATABASE": login.database,
        # The session's zone, whatever the server's is.
        "PGTZ": "UTC",
    }
    before = {name: os.environ.get(name) for name in values}
    directory = Path.cwd()
    os.environ.update(values)
    try:
        yield
    finally:
        os.chdir(directory)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def keep_artifacts(settings: Settings, run_directory: Path) -> lineage.Sent:
    """Copy what the last start left to the run's folder, and send its lineage."""
    run_directory.mkdir(parents=True, exist_ok=True)
    for name in ARTIFACTS:
        shutil.copy2(_target_path(settings) / name, run_directory / name)
    with dbt_environment(settings.warehouse):
        return lineage.emit_dbt(settings, artifacts=run_directory)
