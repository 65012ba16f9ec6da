"""Logins of PostgreSQL: one a stage, a member of that stage's role alone, and one that has Airflow's database.

No login but the server's superuser, who migrates, can connect to a database that is not its own.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from slaledger.settings import COMMAND_LINE_ROLES, STAGES, Warehouse
from slaledger.stack.home_secrets import secret

if TYPE_CHECKING:
    import psycopg

AIRFLOW = "airflow"
READ_ONLY = "sla_auditor"


def stages_of(home: Path, warehouse: Warehouse) -> Warehouse:
    """The warehouse with a login for each stage, by the secrets of the home; they are made the first time."""
    return dataclasses.replace(
        warehouse,
        stages={
            f"sla_{stage}": dataclasses.replace(
                warehouse, user=f"sla_{stage}_login", password=secret(home, f"postgres_{stage}_password"), stages={}
            )
            for stage in STAGES
        },
    )


def of_airflow(warehouse: Warehouse) -> Warehouse:
    """The logins that Airflow's tasks get: its base login only reads, so that none can be the superuser."""
    stages = {role: login for role, login in warehouse.stages.items() if role not in COMMAND_LINE_ROLES}
    return dataclasses.replace(warehouse.login(READ_ONLY), stages=stages)


def ensure_stages(warehouse: Warehouse) -> None:
    """Make the stages' logins on the server of a migrated warehouse, or give them their passwords again.

    The base login is a superuser. Safe to repeat.
    """
    with _superuser(warehouse) as connection:
        for role, login in warehouse.stages.items():
            _ensure_login(connection, login)
            _execute(connection, "grant {} to {}", role, login.user)
            if role == READ_ONLY:
                _execute(connection, "alter role {} set default_transaction_read_only = on", login.user)


def ensure_airflow(server: Warehouse, password: str) -> Warehouse:
    """Airflow's own database, which only its own login can connect to, and that login. Safe to repeat."""
    login = dataclasses.replace(server, user=AIRFLOW, password=password, database=AIRFLOW, stages={})
    with _superuser(server) as connection:
        _ensure_login(connection, login)
        if not connection.execute("select 1 from pg_database where datname = %s", (AIRFLOW,)).fetchone():
            _execute(connection, "create database {} owner {}", AIRFLOW, AIRFLOW)
        for database in (AIRFLOW, "postgres", "template1"):
            _execute(connection, "revoke all on database {} from public", database)
    return login


def _superuser(server: Warehouse) -> psycopg.Connection:
    import psycopg

    return psycopg.connect(server.dsn, autocommit=True)


def _ensure_login(connection: psycopg.Connection, login: Warehouse) -> None:
    from psycopg import sql

    known = connection.execute("select 1 from pg_roles where rolname = %s", (login.user,)).fetchone()
    # The server gets a verifier: a statement may be logged, and is seen in pg_stat_activity.
    verifier = connection.pgconn.encrypt_password(login.password.encode(), login.user.encode(), b"scram-sha-256")
    connection.execute(
        sql.SQL("alter role {} password {}" if known else "create role {} login password {}").format(
            sql.Identifier(login.user), sql.Literal(verifier.decode())
        )
    )


def _execute(connection: psycopg.Connection, statement: str, *names: str) -> None:
    from psycopg import sql

    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
