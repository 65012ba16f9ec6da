"""The command line against a whole stack, as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from slaledger.settings import PROJECT_DIR
from slaledger.stack import StackState

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

    def kill_when(self, arguments: Sequence[str | Path], is_time: Callable[[], bool]) -> None:
        """Start the command, and `kill -9` it as soon as it is time."""
        process = subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            cwd=PROJECT_DIR,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + RUN_SECONDS
        while not is_time():
            assert process.poll() is None, "it ended before it was time to kill it"
            assert time.monotonic() < deadline, "it was never time to kill it"
            time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def kill(self, part: str) -> None:
        """`kill -9` a part of the stack."""
        noted = json.loads((self.stack.home / "stack.json").read_text(encoding="utf-8"))
        os.kill(noted["processes"][part]["pid"], signal.SIGKILL)

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
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
