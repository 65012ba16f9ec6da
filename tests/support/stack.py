"""Servers for tests: each session starts its own, below a directory of its own, and stops them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from slaledger import stack
from slaledger.stack.postgres import Postgres
from slaledger.stack.s3 import S3

Server = TypeVar("Server", Postgres, S3)


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server, started; stopped in the end, also where it did not start."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def warehouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A running PostgreSQL without databases of ours: `ensure_database(name)` makes one."""
    with running(Postgres(tmp_path_factory.mktemp("warehouse"), is_durable=False)) as server:
        yield server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A running S3 server with one versioned bucket: `exports` says how to reach it."""
    with running(S3(tmp_path_factory.mktemp("s3"))) as server:
        yield server


@pytest.fixture(scope="session")
def embedded_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.StackState]:
    """The whole stack, with Airflow; `home` is its SLA_HOME. For tests that leave it as whole as they found it."""
    home = tmp_path_factory.mktemp("stack")
    try:
        yield stack.up(home, lambda _: None)
    finally:
        stack.down(home)
