"""Migration 0009 on clusters that never saw our roles, by logins that are no superusers; and the DBA's runbook."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import psycopg
import pytest

from slaledger.ledger import fences
from slaledger.settings import PROJECT_DIR, STAGES, Warehouse
from slaledger.stack.postgres import Postgres
from slaledger.warehouse import MigrationRefused, RoleMissing, connect, migrate
from tests.support.stack import running

ROLES = ("sla_owner", *(f"sla_{stage}" for stage in STAGES))
ONCE, DATABASE, LARGE_OBJECTS, LOGIN = (
    textwrap.dedent(block)
    for block in re.findall(r"(?ms)^ *```sql\n(.*?)^ *```", (PROJECT_DIR / "docs/runbooks/roles.md").read_text())
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Not the session's: roles are the whole cluster's."""
    with running(Postgres(tmp_path_factory.mktemp("roles"), is_durable=False)) as server:
        yield server


@pytest.fixture
def superuser(server: Postgres) -> Iterator[psycopg.Connection]:
    """A session on a cluster that has neither our roles nor other databases, when it begins and when it ends."""
    with psycopg.connect(server.warehouse("postgres").dsn, autocommit=True) as connection:
        yield connection
        for (name,) in connection.execute("select datname from pg_database where not datistemplate").fetchall():
            if name != "postgres":
                connection.execute(f"drop database {name} with (force)")
        for (name,) in connection.execute("select rolname from pg_roles where rolname ~ '^sla_' order by 1").fetchall():
            connection.execute(f"drop role {name}")
        connection.execute("drop role if exists deployer")


def deployer(server: Postgres, superuser: psycopg.Connection, *, attributes: str = "", owns: bool = True) -> Warehouse:
    """A login that is no superuser, and its database."""
    superuser.execute(f"create role deployer login password 'of the deployer' {attributes}")
    superuser.execute("create database books" + (" owner deployer" if owns else ""))
    if not owns:
        superuser.execute("grant create, connect on database books to deployer")
    return dataclasses.replace(server.warehouse("books"), user="deployer", password="of the deployer")


def require_usable(warehouse: Warehouse) -> None:
    """The login can act as each stage, and the marts have their readers."""
    migrate(warehouse)
    for role in ROLES:
        with connect(warehouse, role=role) as connection:
            assert connection.execute("select current_user").fetchone() == (role,)
    with connect(warehouse, role="sla_biller") as connection:
        connection.execute("select * from marts.fct_claims")
        connection.execute("select billing.hold_ledger()")
    with connect(warehouse) as connection:
        owners = connection.execute(
            "select distinct tableowner from pg_tables"
            " where schemaname in ('raw', 'audit', 'billing', 'gate', 'marts', 'reference')"
        ).fetchall()
        assert owners == [("sla_owner",)]


def test_two_databases_migrated_at_once_and_again_share_the_roles(server: Postgres, superuser) -> None:
    warehouses = [server.ensure_database(name) for name in ("one", "two", "three")]
    with ProcessPoolExecutor(6) as pool:
        for _ in range(2):
            list(pool.map(migrate, [*warehouses, *warehouses]))
    for warehouse in warehouses:
        require_usable(warehouse)


def test_a_login_that_makes_roles_can_act_as_each(server: Postgres, superuser) -> None:
    require_usable(deployer(server, superuser, attributes="createrole"))


def test_a_login_that_may_not_is_told_what_a_dba_runs(server: Postgres, superuser) -> None:
    warehouse = deployer(server, superuser)
    with (
        pytest.raises(RoleMissing, match="deployer may not act as sla_loader in books"),
        connect(warehouse, role="sla_loader"),
    ):
        pass
    # The role that came later is asked for by its own migration.
    for roles in ({*ROLES} - {"sla_goodwill"}, {"sla_goodwill"}):
        with pytest.raises(MigrationRefused, match="As a superuser, once: ") as refused:
            migrate(warehouse)
        assert "of the deployer" not in str(refused.value)
        statements = str(refused.value).split("once: ")[1].splitlines()[0]
        assert {*re.findall(r"create role (\w+) nologin;", statements)} == roles
        superuser.execute(statements)
    require_usable(warehouse)


def test_roles_that_another_made_are_to_be_granted(server: Postgres, superuser) -> None:
    migrate(server.ensure_database("another"))
    warehouse = deployer(server, superuser)
    with pytest.raises(MigrationRefused, match=r"once: grant sla_owner, .*, sla_auditor to deployer;"):
        migrate(warehouse)


def test_a_dba_does_what_the_runbook_says(server: Postgres, superuser) -> None:
    warehouse = deployer(server, superuser, owns=False)
    with psycopg.connect(server.warehouse("books").dsn) as books:
        books.execute("grant create on schema public to deployer")
    superuser.execute(re.sub(r"\bsla;", "deployer;", ONCE))
    migrate(warehouse)
    superuser.execute(DATABASE.replace("to sla,", "to deployer,"))
    require_usable(warehouse)
    for stage in STAGES:
        statements = [line.replace("loader", stage) for line in LOGIN.splitlines()[:2]]
        superuser.execute("\n".join(statements))
    superuser.execute(LOGIN.splitlines()[2])
    for stage in STAGES:
        superuser.execute(f"alter role sla_{stage}_login password 'of the stage'")
        login = dataclasses.replace(warehouse, user=f"sla_{stage}_login", password="of the stage")
        with connect(login, role=f"sla_{stage}") as connection:
            assert connection.execute("select current_user").fetchone() == (f"sla_{stage}",)
        with pytest.raises(RoleMissing), connect(login, role="sla_owner"):
            pass
    with psycopg.connect(server.warehouse("books").dsn) as books:
        books.execute(LARGE_OBJECTS)
    with connect(warehouse, role="sla_auditor") as connection:
        assert fences.faults(connection) == []
        connection.rollback()
        connection.execute("set transaction read write")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="lo_from_bytea"):
            connection.execute("select lo_from_bytea(0, 'x')")
        connection.rollback()
    migrate(dataclasses.replace(warehouse, user="sla_auditor_login", password="of the stage"))
