"""Connections to the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg

from slaledger.settings import Warehouse


class WarehouseUnreachable(Exception):
    """PostgreSQL does not answer."""


@contextmanager
def connect(warehouse: Warehouse) -> Iterator[psycopg.Connection]:
    """One transaction: committed on leaving, rolled back on an exception. UTC, whatever the machine says.

    Raises `WarehouseUnreachable` naming the address (never the password), when it breaks off as well.
    """
    try:
        connection = psycopg.connect(
            host=warehouse.host,
            port=warehouse.port,
            user=warehouse.user,
            password=warehouse.password,
            dbname=warehouse.database,
            connect_timeout=10,
            application_name="slaledger",
            options="-c timezone=UTC -c datestyle=ISO,YMD -c intervalstyle=iso_8601",
        )
    except psycopg.OperationalError as error:
        raise WarehouseUnreachable(_unreachable(warehouse, error)) from error
    # A commit that fails leaves the connection open: closing is said apart.
    with closing(connection):
        try:
            with connection:
                yield connection
        except psycopg.OperationalError as error:
            if not connection.broken:
                raise
            raise WarehouseUnreachable(_unreachable(warehouse, error)) from error


def _unreachable(warehouse: Warehouse, error: psycopg.OperationalError) -> str:
    said = str(error).strip().splitlines() or [type(error).__name__]
    return (
        f"PostgreSQL at {warehouse.host}:{warehouse.port}/{warehouse.database} does not answer "
        f"({said[-1].strip()}): is it up? `sla status` tells for the embedded stack."
    )
