"""Least privilege: every role may run what is declared of it in `privileges.py`, and nothing else."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
import yaml

from slaledger.settings import DBT_PROJECT_DIR, PROJECT_DIR, Warehouse
from slaledger.stack import logins
from slaledger.warehouse import connect, migrate
from tests.reliability.privileges import ROLES, attempts, differences

Sessions = Mapping[str, psycopg.Connection]
REFUSED = psycopg.errors.InsufficientPrivilege


@pytest.fixture(scope="module")
def warehouse(warehouse_server, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Migrated, with the logins of its stages, and with what dbt would make."""
    made = logins.stages_of(tmp_path_factory.mktemp("home"), warehouse_server.ensure_database("forbidden"))
    migrate(made)
    logins.ensure_stages(made)
    with connect(made, role="sla_transformer") as connection:
        connection.execute("create view staging.model as select * from raw.fees")
        connection.execute("create table intermediate.model as select * from staging.model")
    return made


@pytest.fixture(scope="module")
def metadata(warehouse_server) -> Warehouse:
    """Airflow's own database, and its login."""
    return logins.ensure_airflow(warehouse_server.warehouse("postgres"), "of Airflow alone")


@pytest.fixture(scope="module")
def superuser(warehouse: Warehouse) -> Iterator[psycopg.Connection]:
    with psycopg.connect(warehouse.dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def sessions(warehouse: Warehouse) -> Iterator[Sessions]:
    """Role -> a session of its stage's own login; the owner has none, and is the superuser's."""
    with ExitStack() as stack:
        opened = {
            role: stack.enter_context(
                psycopg.connect(
                    warehouse.login(f"sla_{role}").dsn,
                    autocommit=True,
                    # The auditor could write nothing anyway: what is tried here is what it was granted.
                    options=f"-c role=sla_{role} -c default_transaction_read_only=off",
                )
            )
            for role in ROLES
        }
        yield opened


def require_matrix(superuser: psycopg.Connection, sessions: Sessions, *, of: str = "") -> int:
    """How many statements were run, about `of` alone if it is given; each is allowed or forbidden as declared."""
    count, found = differences(sessions, [attempt for attempt in attempts(superuser) if of in attempt.action])
    assert not found, "\n".join(found)
    return count


def test_every_role_may_do_what_is_declared_and_nothing_else(superuser, sessions, figure) -> None:
    count = require_matrix(superuser, sessions)
    assert count > 5_000
    figure(f"{count} statements of {len(ROLES)} roles: each allowed or forbidden as declared")


@pytest.mark.parametrize(
    ("plant", "mend", "of", "found"),
    [
        (
            "grant delete on billing.credit_line_items to sla_biller",
            "revoke delete on billing.credit_line_items from sla_biller",
            "billing.credit_line_items",
            "sla_biller may DELETE on billing.credit_line_items",
        ),
        (
            "revoke select on raw.fees from sla_transformer",
            "grant select on raw.fees to sla_transformer",
            "raw.fees",
            "sla_transformer may not SELECT on raw.fees",
        ),
        (
            "grant update (prepared_by) on audit.builds to sla_transformer",
            "revoke update (prepared_by) on audit.builds from sla_transformer",
            "audit.builds",
            "sla_transformer may UPDATE of audit.builds.prepared_by",
        ),
        (
            "grant execute on function audit.record_decision to public",
            "revoke execute on function audit.record_decision from public",
            "audit.record_decision",
            r"sla_biller may execute audit.record_decision\(",
        ),
        (
            "grant create on schema billing to sla_biller",
            "revoke create on schema billing from sla_biller",
            "create in",
            "sla_biller may create in billing",
        ),
        (
            "alter table marts.fct_claims owner to sla_transformer",
            "alter table marts.fct_claims owner to sla_owner;"
            "grant select, insert, delete on marts.fct_claims to sla_transformer",
            "marts.fct_claims",
            "sla_transformer may ALTER on marts.fct_claims",
        ),
        ("create table billing.new (id int)", "drop table billing.new", "nothing", "declare .* billing.new"),
        ("create schema new", "drop schema new", "nothing", "declare .* new"),
    ],
)
def test_a_planted_privilege_is_found(superuser, sessions, plant: str, mend: str, of: str, found: str) -> None:
    superuser.execute(plant)
    try:
        with pytest.raises(AssertionError, match=found):
            require_matrix(superuser, sessions, of=of)
    finally:
        superuser.execute(mend)
    require_matrix(superuser, sessions, of=of)


def require_own_database(stages: Mapping[str, Warehouse], airflow: Warehouse) -> None:
    """The stages' logins can connect to the warehouse alone, and Airflow's to its own database alone."""
    for login in [*stages.values(), airflow]:
        with psycopg.connect(login.dsn):
            pass
        for database in {airflow.database, "forbidden", "postgres", "template1"} - {login.database}:
            try:
                psycopg.connect(dataclasses.replace(login, database=database).dsn).close()
            except psycopg.OperationalError as error:
                assert "permission denied for database" in str(error), error
            else:
                raise AssertionError(f"{login.user} can connect to {database}")


def test_no_login_reaches_another_database(warehouse: Warehouse, metadata: Warehouse, superuser) -> None:
    require_own_database(warehouse.stages, metadata)
    superuser.execute("grant connect on database forbidden to airflow")
    try:
        with pytest.raises(AssertionError, match="airflow can connect to forbidden"):
            require_own_database(warehouse.stages, metadata)
    finally:
        superuser.execute("revoke connect on database forbidden from airflow")


def require_one_role_each(sessions: Sessions) -> None:
    """The login of a stage can become no other stage, nor the owner, nor the superuser."""
    stages = {role: session for role, session in sessions.items() if role != "owner"}
    others = {"sla", *(f"sla_{role}" for role in ROLES), *(session.info.user for session in stages.values())}
    for role, session in stages.items():
        for other in sorted(others - {f"sla_{role}", session.info.user}):
            for statement in (
                f"set role {other}",
                f"set session authorization {other}",
                f"grant {other} to sla_{role}",
            ):
                try:
                    session.execute(f"{statement}; rollback")
                except REFUSED:
                    continue
                raise AssertionError(f"{session.info.user} may {statement}")


def test_no_login_can_become_another(sessions, superuser) -> None:
    require_one_role_each(sessions)
    superuser.execute("grant sla_owner to sla_relay_login")
    try:
        with pytest.raises(AssertionError, match="sla_relay_login may set role sla_owner"):
            require_one_role_each(sessions)
    finally:
        superuser.execute("revoke sla_owner from sla_relay_login")


def require_append_only(superuser: psycopg.Connection, sessions: Sessions) -> int:
    """How many tables neither their owner nor a superuser can update, delete from or truncate, replica or not."""
    tables = superuser.execute(
        "select format('%s.%s', schemaname, tablename) from pg_tables"
        " where schemaname = 'billing' or (schemaname, tablename) in (('audit', 'decisions'), ('audit', 'validations'))"
    ).fetchall()
    for (table,) in tables:
        (column,) = superuser.execute(
            "select quote_ident(min(attname)) from pg_attribute"
            " where attrelid = %s::regclass and attnum > 0 and not attisdropped",
            (table,),
        ).fetchone()
        for statement in (
            f"update {table} set {column} = default",
            f"delete from {table}",
            f"truncate {table} cascade",
        ):
            for session, first in (
                (sessions["owner"], "select"),
                (superuser, "select"),
                (superuser, "set local session_replication_role = replica"),
            ):
                try:
                    session.execute(f"begin; {first}; {statement}; rollback")
                except psycopg.errors.RaiseException as error:
                    assert "append-only" in str(error), error
                    session.execute("rollback")
                else:
                    raise AssertionError(f"{statement} is not refused ({session.info.user}, {first})")
    return len(tables)


def test_what_is_kept_for_good_is_append_only_for_its_owner_and_the_superuser(superuser, sessions, figure) -> None:
    figure(f"{require_append_only(superuser, sessions)} tables append-only, for their owner and the superuser too")
    trigger = "alter table billing.deliveries {} trigger deliveries_append_only"
    for state in ("disable", "enable"):  # enabled, but not for a replica
        superuser.execute(trigger.format(state))
        with pytest.raises(AssertionError, match=r"billing\.deliveries"):
            require_append_only(superuser, sessions)
    superuser.execute(trigger.format("enable always"))


def require_fixed_search_paths(superuser: psycopg.Connection) -> int:
    """How many functions run as their owner; each looks for names where its caller cannot put any."""
    functions = superuser.execute(
        "select oid::regprocedure::text, coalesce(proconfig::text, '') from pg_proc"
        " where prosecdef and pronamespace::regnamespace::text !~ '^(pg_|information_schema)'"
    ).fetchall()
    for name, settings in functions:
        assert "search_path=pg_catalog, pg_temp" in settings, f"{name} has {settings or 'no search_path'}"
    return len(functions)


def test_what_runs_as_its_owner_has_a_fixed_search_path(superuser) -> None:
    assert require_fixed_search_paths(superuser) >= 1
    superuser.execute("alter function billing.hold_ledger reset search_path")
    try:
        with pytest.raises(AssertionError, match=r"billing\.hold_ledger"):
            require_fixed_search_paths(superuser)
    finally:
        superuser.execute("alter function billing.hold_ledger set search_path = pg_catalog, pg_temp")


def test_the_role_outlives_a_rollback_and_a_reset(warehouse: Warehouse) -> None:
    base = dataclasses.replace(warehouse, stages={})
    for login in (base, warehouse):
        with connect(login, role="sla_loader") as connection:
            for statement in ("rollback", "reset role", "reset all"):
                connection.execute(statement)
                assert connection.execute("select current_user").fetchone() == ("sla_loader",), statement
            (user,) = connection.execute("select session_user").fetchone()
            assert user == ("sla" if login is base else "sla_loader_login")


def test_the_auditor_only_reads_even_with_the_login_of_a_superuser(warehouse: Warehouse) -> None:
    for login in (dataclasses.replace(warehouse, stages={}), warehouse):
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), connect(login, role="sla_auditor") as connection:
            connection.execute("create temporary table scratch ()")
    with (
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        psycopg.connect(warehouse.login("sla_auditor").dsn) as by_hand,
    ):
        by_hand.execute("create temporary table scratch ()")


def require_roles(root: Path) -> int:
    """How many calls open a session of the warehouse; each names its role. Nothing but them, the stack and the
    migrations opens one.
    """
    count = 0
    for path in sorted(root.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call) or ast.unparse(call.func).split(".")[-1] != "connect":
                continue
            where = f"{path.relative_to(root)}:{call.lineno} {ast.unparse(call)}"
            if ast.unparse(call.func) == "psycopg.connect":
                assert path.parent.name == "stack" or path.name == "connection.py", f"{where}: by `warehouse.connect`"
                continue
            count += 1
            roles = [ast.unparse(keyword.value).strip("'") for keyword in call.keywords if keyword.arg == "role"]
            assert len(roles) == 1 and roles[0].removeprefix("sla_") in ROLES[1:], f"{where} names no stage's role"
    return count


def test_every_session_of_the_code_has_a_role(tmp_path: Path, figure) -> None:
    figure(f"{require_roles(PROJECT_DIR / 'plugins')} calls, each in the role of its stage")
    profile = yaml.safe_load((DBT_PROJECT_DIR / "profiles.yml").read_text())
    assert {output["role"] for output in profile["slaledger"]["outputs"].values()} == {"sla_transformer"}
    for planted in (
        "connect(settings.warehouse)",
        "warehouse.connect(settings.warehouse, role='sla_owner')",
        "psycopg.connect(settings.warehouse.dsn)",
    ):
        (tmp_path / "planted.py").write_text(planted)
        with pytest.raises(AssertionError, match=r"planted\.py:1"):
            require_roles(tmp_path)
