"""A warehouse of its own for every test, copied from one that has been migrated."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from slaledger import objects
from slaledger.settings import Exports, Settings, Warehouse
from slaledger.stack.postgres import Postgres
from slaledger.warehouse import migrate
from tests.ledger.books import AccountMonth, close, new_ledger, publish_terms
from tests.support.buckets import empty_bucket
from tests.support.copies import copy_database


@pytest.fixture(scope="session")
def template(warehouse_server) -> Warehouse:
    """Migrated, with the marts' tables."""
    warehouse = warehouse_server.ensure_database("ledger_template")
    migrate(warehouse)
    return warehouse


@contextmanager
def fresh_books(template: Warehouse, server: Postgres, home: Path) -> Iterator[Settings]:
    """The books alone: no bucket."""
    name = f"ledger_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.warehouse("postgres").dsn, autocommit=True) as admin:
        copy_database(admin, template.database, name)
        settings = Settings(
            home=home,
            warehouse=server.warehouse(name),
            exports=Exports(bucket="none", endpoint_url=None, region="us-east-1", access_key=None, secret_key=None),
            quarantine_limit_percent=Decimal(10),
        )
        new_ledger(settings)
        publish_terms(settings)
        yield settings
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def settings(template: Warehouse, warehouse_server, tmp_path: Path) -> Iterator[Settings]:
    with fresh_books(template, warehouse_server, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def closed_books(template: Warehouse, warehouse_server, tmp_path_factory) -> Iterator[Settings]:
    """One line, for a module whose tests leave nothing behind."""
    with fresh_books(template, warehouse_server, tmp_path_factory.mktemp("home")) as made:
        close(made, AccountMonth())
        yield made


@pytest.fixture(scope="session")
def drop_exports(s3_server) -> Exports:
    """One bucket for all tests here."""
    exports = replace(s3_server.exports, bucket=f"drop-{uuid.uuid4().hex[:12]}")
    objects.ensure_bucket(exports)
    return exports


@pytest.fixture
def drop_settings(settings: Settings, drop_exports: Exports) -> Settings:
    """The same with that bucket, emptied."""
    empty_bucket(drop_exports)
    return replace(settings, exports=drop_exports)
