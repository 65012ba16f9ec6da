"""A warehouse of its own for every test, copied from one that has been migrated."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from slaledger import objects
from slaledger.settings import Exports, Settings, Warehouse
from slaledger.warehouse import connect, migrate
from tests.ledger.books import MARTS_SQL, publish_terms


@pytest.fixture(scope="session")
def template(warehouse_server) -> Warehouse:
    """Migrated, with the marts' tables."""
    warehouse = warehouse_server.ensure_database("ledger_template")
    migrate(warehouse)
    with connect(warehouse) as connection:
        connection.execute(MARTS_SQL)
    return warehouse


@pytest.fixture
def warehouse(template: Warehouse, warehouse_server) -> Iterator[Warehouse]:
    name = f"ledger_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(warehouse_server.warehouse("postgres").dsn, autocommit=True) as admin:
        admin.execute(f"create database {name} template {template.database}")
        yield warehouse_server.warehouse(name)
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def settings(warehouse: Warehouse, tmp_path: Path) -> Settings:
    """The books alone: no bucket."""
    made = Settings(
        home=tmp_path,
        warehouse=warehouse,
        exports=Exports(bucket="none", endpoint_url=None, region="us-east-1", access_key=None, secret_key=None),
        quarantine_limit_percent=Decimal(10),
    )
    publish_terms(made)
    return made


@pytest.fixture
def drop_settings(settings: Settings, s3_server) -> Settings:
    """The same with a bucket of its own."""
    exports = replace(s3_server.exports, bucket=f"drop-{uuid.uuid4().hex[:12]}")
    objects.ensure_bucket(exports)
    return replace(settings, exports=exports)
