from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from slaledger import terms, transform, warehouse
from slaledger.settings import Exports, Settings

MONTH = date(2026, 3, 1)
AS_OF = datetime(2026, 4, 12, tzinfo=UTC)
RUN_ID = "clean_month"
numbers = itertools.count()


@pytest.fixture(scope="session")
def clean_month(warehouse_server, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The month of `clean_month.sql`, landed, opened for closing and built by dbt. Read it; do not change it."""
    database = warehouse_server.ensure_database("gates_clean")
    warehouse.migrate(database)
    settings = Settings(
        home=tmp_path_factory.mktemp("gates"),
        warehouse=database,
        exports=Exports("exports", None, "us-east-1", None, None),
        quarantine_limit_percent=Decimal(10),
    )
    with warehouse.connect(database) as connection:
        connection.execute((Path(__file__).parent / "clean_month.sql").read_bytes())
    terms.publish(settings)
    transform.open_build(settings, run_id=RUN_ID, service_month=MONTH, as_of=AS_OF, is_closing=True)
    transform.build_models(settings, run_id=RUN_ID)
    return settings


@pytest.fixture
def month(clean_month: Settings) -> Callable[..., Settings]:
    """`month(sql, …)`: a copy of the clean month with a fault planted."""

    def copy(*faults: str) -> Settings:
        name = f"gates_{next(numbers)}"
        source = clean_month.warehouse
        with psycopg.connect(dataclasses.replace(source, database="postgres").dsn, autocommit=True) as server:
            server.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (source.database,)
            )
            server.execute(f"create database {name} template {source.database}")
        planted = dataclasses.replace(clean_month, warehouse=dataclasses.replace(source, database=name))
        with warehouse.connect(planted.warehouse) as connection:
            for fault in faults:
                connection.execute(fault.encode())
        return planted

    return copy
