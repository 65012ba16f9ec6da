"""The command line against a whole stack, as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from slaledger.settings import PROJECT_DIR
from slaledger.stack import StackState
from slaledger.stack.airflow_api import AirflowApi
from tests.reliability.conftest import chance, seed  # noqa: F401

RUN_SECONDS = 900


@dataclass(frozen=True)
class Sla:
    """`sla`, with a stack's home; `rows` asks its warehouse."""

    stack: StackState

    @property
    def environment(self) -> dict[str, str]:
        """What a user has set."""
        return {**os.environ, "SLA_HOME": str(self.stack.home)}

    def command(self, *arguments: str | Path) -> list[str]:
        """The command that a user types."""
        return [str(Path(sys.executable).with_name("sla")), *map(str, arguments)]

    def __call__(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment | variables,
            cwd=PROJECT_DIR,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start the command, and go on."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            cwd=PROJECT_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until(self, is_time: Callable[[], Any], *, what: str) -> None:
        """Wait until it is so."""
        deadline = time.monotonic() + RUN_SECONDS
        while not is_time():
            assert time.monotonic() < deadline, f"it never came to be that {what}"
            time.sleep(0.2)

    def kill(self, part: str) -> None:
        """`kill -9` a part of the stack."""
        noted = json.loads((self.stack.home / "stack.json").read_text(encoding="utf-8"))
        os.kill(noted["processes"][part]["pid"], signal.SIGKILL)

    @property
    def airflow(self) -> AirflowApi:
        """Airflow's REST API, as `admin`."""
        return AirflowApi(self.stack.airflow_url, "admin", self.stack.users["admin"])

    def opened(self, known: Collection[str]) -> str:
        """Wait until a run opens a build that is none of the known ones; its id."""
        query = "select run_id from audit.builds where run_id <> all(%s)"
        self.wait_until(lambda: self.rows(query, [list(known)]), what="a run opened its build")
        (build,) = self.rows(query, [list(known)])
        return build["run_id"]

    def clear(self, dag_id: str, run_id: str, *task_ids: str, is_waiting: bool = True) -> str:
        """Clear these tasks of a run, or all, as Airflow's page does; wait, and tell how the run ended."""
        body = {"dry_run": False, "only_failed": False, "dag_run_id": run_id, "task_ids": list(task_ids) or None}
        cleared = self.airflow._api("POST", f"/dags/{dag_id}/clearTaskInstances", json=body)
        assert cleared["total_entries"]
        return self.state_at_end(dag_id, run_id) if is_waiting else "queued"

    def mark_success(self, dag_id: str, run_id: str, *task_ids: str) -> None:
        """Mark tasks of a run as done, as Airflow's page does."""
        for task_id in task_ids:
            path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
            self.airflow._api("PATCH", path, json={"new_state": "success"})

    @contextmanager
    def paused(self, dag_id: str) -> Iterator[None]:
        """Keep the scheduler from the DAG."""
        self.airflow._api("PATCH", f"/dags/{dag_id}", json={"is_paused": True})
        try:
            yield
        finally:
            self.airflow._api("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def state_at_end(self, dag_id: str, run_id: str) -> str:
        """Wait for a run's end."""
        api = self.airflow
        self.wait_until(lambda: api.run(dag_id, run_id)["state"] in ("success", "failed"), what=f"{run_id} ended")
        return api.run(dag_id, run_id)["state"]

    def rows(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
        """The rows of a query on the warehouse, as mappings."""
        with psycopg.connect(self.stack.warehouse.dsn, row_factory=dict_row) as connection:
            return connection.execute(query, parameters).fetchall()

    def execute(self, statements: str) -> None:
        """Statements on the warehouse, by its owner."""
        with psycopg.connect(self.stack.warehouse.dsn) as connection:
            connection.execute(statements)


@pytest.fixture(scope="session")
def sla(embedded_stack: StackState) -> Sla:
    return Sla(embedded_stack)
