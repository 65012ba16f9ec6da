"""Fixtures for all tests: real servers, and no way out of this machine."""

from __future__ import annotations

import dataclasses
import json
import os
import uuid
from collections.abc import Callable
from decimal import Decimal

import pytest
import pytest_socket

from slaledger import objects, warehouse
from slaledger.settings import (
    EXPORTS_CONNECTION,
    QUIET_ENVIRONMENT,
    STAGES,
    WAREHOUSE_CONNECTION,
    Exports,
    Settings,
    stage_connection,
)

pytest_plugins = ["tests.support.edges", "tests.support.stack"]

# Whatever stack the developer has up: the tests have their own.
for name in (
    *("SLA_HOME", "SLA_BUCKET", "SLA_QUARANTINE_LIMIT", WAREHOUSE_CONNECTION, EXPORTS_CONNECTION),
    *map(stage_connection, STAGES),
):
    os.environ.pop(name, None)
os.environ.update(QUIET_ENVIRONMENT)


def pytest_runtest_setup() -> None:
    pytest_socket.socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)


@pytest.fixture(scope="module")
def fresh_settings(warehouse_server, s3_server, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A migrated warehouse, an empty versioned bucket and a home, for one module of tests alone."""
    name = f"t{uuid.uuid4().hex[:12]}"
    database = warehouse_server.ensure_database(name)
    warehouse.migrate(database)
    return Settings(
        home=tmp_path_factory.mktemp("home"),
        warehouse=database,
        exports=make_bucket(s3_server.exports, name),
        quarantine_limit_percent=Decimal(10),
    )


@pytest.fixture(scope="module")
def pipeline(fresh_settings: Settings):
    """The way from the bucket to the ledger, in this process."""
    from tests.support.pipeline import Pipeline

    return Pipeline(fresh_settings)


def make_bucket(exports: Exports, name: str) -> Exports:
    """An empty versioned bucket on the same server."""
    named = dataclasses.replace(exports, bucket=name)
    objects.ensure_bucket(named)
    return named


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tell what was measured: printed, and appended to the file `$SLA_FIGURES` if that is set."""

    def tell(text: str) -> None:
        print(f"FIGURE {request.node.name}: {text}")
        if path := os.environ.get("SLA_FIGURES"):
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"test": request.node.nodeid, "figure": text}) + "\n")

    return tell
