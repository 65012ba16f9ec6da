"""Connections to the warehouse, each in the role of its stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg

from slaledger.settings import Warehouse

AUDITOR = "sla_auditor"


class WarehouseUnreachable(Exception):
    """PostgreSQL does not answer."""


class RoleMissing(Exception):
    """The login may not act in the stage's role, or there is none: the warehouse was never migrated."""

    is_final = True
    exit_code = 1


@contextmanager
def connect(warehouse: Warehouse, *, role: str | None = None) -> Iterator[psycopg.Connection]:
    """One transaction: committed on leaving, rolled back on an exception. UTC, whatever the machine says.

    It runs in `role` (docs/decisions/0013-roles.md), with that stage's own login where there is one; without a role,
    as the base login itself. Raises `WarehouseUnreachable` naming the address (never the password), when it breaks
    off as well, and `RoleMissing`.
    """
    login = warehouse.login(role)
    try:
        connection = psycopg.connect(
            host=login.host,
            port=login.port,
            user=login.user,
            password=login.password,
            dbname=login.database,
            connect_timeout=10,
            application_name="slaledger",
            options=f"-c timezone=UTC -c datestyle=ISO,YMD -c intervalstyle=iso_8601{role_options(role)}",
        )
    except psycopg.OperationalError as error:
        if role and f'role "{role}"' in str(error):
            raise RoleMissing(
                f"The login {login.user} may not act as {role} in {login.database}: run a month with `sla run`, which "
                "migrates the warehouse, or have a DBA do what docs/runbooks/roles.md says."
            ) from error
        raise WarehouseUnreachable(_unreachable(login, error)) from error
    # A commit that fails leaves the connection open: closing is said apart.
    with closing(connection):
        try:
            with connection:
                yield connection
        except psycopg.OperationalError as error:
            if not connection.broken:
                raise
            raise WarehouseUnreachable(_unreachable(login, error)) from error


def role_options(role: str | None) -> str:
    """What starts a session in a role, to be put behind other options of libpq.

    As a start-up option it outlives a rollback, `reset role` and `discard all`; `set role` would not.
    """
    # PostgreSQL applies a role's own settings at login alone, not where a session takes the role.
    read_only = " -c default_transaction_read_only=on" if role == AUDITOR else ""
    return f" -c role={role}{read_only}" if role else ""


def _unreachable(warehouse: Warehouse, error: psycopg.OperationalError) -> str:
    said = str(error).strip().splitlines() or [type(error).__name__]
    return (
        f"PostgreSQL at {warehouse.host}:{warehouse.port}/{warehouse.database} does not answer "
        f"({said[-1].strip()}): is it up? `sla status` tells for the embedded stack."
    )
