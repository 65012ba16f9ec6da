"""Connections to the warehouse, each in the role of its stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg

from slaledger.settings import Warehouse

AUDITOR = "sla_auditor"

# SQLSTATE -> what to do. What else a statement fails of is our mistake, or the data's.
_STOPPED = {
    "53100": "its disk is full. Make room there",
    "53200": "it has no memory left. Give it more, or have it do less at once",
    "58030": "it cannot read or write its files. See its log",
    "25006": "it is read-only. Is it a standby, or was it set so",
    "55P03": "another session holds the lock. Wait until that is done",
    "40P01": "it and another session wait for each other. Wait until that one is done",
    "40001": "another session changed the same rows. Wait until that one is done",
    "57014": "the statement was cancelled, by its `statement_timeout` or a person. See its log",
}


class WarehouseUnreachable(Exception):
    """PostgreSQL does not answer."""


class WarehouseStopped(Exception):
    """PostgreSQL answers, and cannot go on for now; nothing of the transaction is kept."""


class LoginRefused(Exception):
    """PostgreSQL answers, and takes neither the login nor its password."""

    is_final = True


class RoleMissing(Exception):
    """The login may not act in the stage's role, or there is none: the warehouse was never migrated."""

    is_final = True
    exit_code = 1


@contextmanager
def connect(warehouse: Warehouse, *, role: str | None = None) -> Iterator[psycopg.Connection]:
    """One transaction: committed on leaving, rolled back on an exception. UTC, whatever the machine says.

    It runs in `role` (docs/decisions/0013-roles.md), with that stage's own login where there is one; without a role,
    as the base login itself. Raises `WarehouseUnreachable` naming the address (never the password), when it breaks
    off as well, `WarehouseStopped` where it cannot go on, `LoginRefused`, and `RoleMissing`.
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
                f"The login {login.user} may not act as {role} in {login.database}: run `sla up`, which migrates "
                "the warehouse, or have a DBA do what docs/runbooks/roles.md says."
            ) from error
        # A connection that fails has no SQLSTATE.
        if "authentication failed" in str(error):
            raise LoginRefused(
                f"PostgreSQL at {login.host}:{login.port}/{login.database} does not let the login {login.user} in: "
                f"set its password in the connection of {role or 'the warehouse'} (docs/runbooks/roles.md)."
            ) from error
        raise WarehouseUnreachable(_unreachable(login, error)) from error
    # A commit that fails leaves the connection open: closing is said apart.
    with closing(connection):
        try:
            with connection:
                yield connection
        except psycopg.Error as error:
            # Not all that ends a session is known to libpq as its end: what it then raises has no SQLSTATE.
            if isinstance(error, psycopg.OperationalError) and (connection.broken or error.sqlstate is None):
                raise WarehouseUnreachable(_unreachable(login, error)) from error
            # The auditor's sessions are read-only by themselves.
            if error.sqlstate not in _STOPPED or (role == AUDITOR and error.sqlstate == "25006"):
                raise
            raise WarehouseStopped(
                f"PostgreSQL at {login.host}:{login.port}/{login.database} stopped ({error.sqlstate}): "
                f"{_why(error)}, then run it again. Nothing of this step's transaction is kept."
            ) from error


def _why(error: psycopg.Error) -> str:
    """What stopped it, and what to do; of a lock, who holds it, where a function of ours tells (audit.hold)."""
    if error.sqlstate == "55P03" and error.diag.message_hint:
        return f"{error.diag.message_primary}. {error.diag.message_hint}"
    return _STOPPED[error.sqlstate]


def role_options(role: str | None) -> str:
    """What starts a session in a role, with nothing on its search path, to be put behind other options of libpq.

    As a start-up option it outlives a rollback, `reset role` and `discard all`; `set role` would not. And it goes
    before what was set of the database or of the login: on their path an operator could be somebody else's.
    """
    # PostgreSQL applies a role's own settings at login alone, not where a session takes the role.
    read_only = " -c default_transaction_read_only=on" if role == AUDITOR else ""
    return " -c search_path=pg_catalog" + (f" -c role={role}{read_only}" if role else "")


def _unreachable(warehouse: Warehouse, error: psycopg.OperationalError) -> str:
    said = str(error).strip().splitlines() or [type(error).__name__]
    return (
        f"PostgreSQL at {warehouse.host}:{warehouse.port}/{warehouse.database} does not answer "
        f"({said[-1].strip()}): is it up? `sla status` tells for the embedded stack."
    )
