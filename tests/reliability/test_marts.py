"""dbt's role fills the marts and makes none: nothing of its own runs with the rights of who reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from slaledger import approvals, ledger
from slaledger.settings import PROJECT_DIR, Settings
from slaledger.stack import logins
from slaledger.warehouse import connect
from tests.ledger.books import MARCH, AccountMonth, build, publish_terms, validate
from tests.support.copies import copied

MARTS = (
    *("marts.fct_account_months", "marts.fct_account_downtime", "marts.fct_response_times", "marts.fct_claims"),
    *("marts.fct_credits", "marts.fct_findings", "reference.currencies"),
)
# Notes whom it runs as, once it has laid down a role that can be laid down. Nobody's code asks for it.
TROJAN = """
    create table staging.ran (who text);
    grant usage on schema staging to public;
    grant insert on staging.ran to public;
    create function staging.note() returns void language plpgsql as $$
    declare
        who text;
    begin
        begin
            perform set_config('role', 'none', true);
        exception
            when others then null;
        end;
        who := current_user;
        insert into staging.ran values (who);
    exception
        when read_only_sql_transaction then raise exception 'the trojan ran as %', who;
    end
    $$;
    create function staging.trojan(value anyelement) returns boolean language plpgsql immutable as $$
    begin
        perform staging.note();
        return true;
    end
    $$;
    create function staging.trojan() returns trigger language plpgsql as $$
    begin
        perform staging.note();
        return new;
    end
    $$;
    grant execute on all functions in schema staging to public
"""
# What would run it, on a mart; each is refused.
ON_A_MART = {
    "a view in its place": "alter table {mart} rename to was",
    "it in another schema": "alter table {mart} set schema staging",
    "no mart at all": "drop table {mart} cascade",
    "a rule": "create rule planted as on insert to {mart} do also select staging.note()",
    "a policy": "create policy planted on {mart} using (staging.trojan(1))",
    "row-level security": "alter table {mart} enable row level security",
    "a trigger": "create trigger planted before insert on {mart} for each row execute function staging.trojan()",
    "a constraint trigger": "create constraint trigger planted after insert on {mart} deferrable initially deferred"
    " for each row execute function staging.trojan()",
    "an expression index": "create index planted on {mart} (staging.trojan({column}))",
    "a partial index": "create index planted on {mart} ({column}) where staging.trojan({column})",
    "a column": "alter table {mart} add column planted boolean default staging.trojan(1)",
    "a generated column": "alter table {mart} add column planted boolean"
    " generated always as (staging.trojan({column})) stored",
    "another type": "alter table {mart} alter {column} type text using staging.trojan({column})::text",
    "a default": "alter table {mart} alter {column} set default staging.trojan(1)::text",
    "statistics": "create statistics staging.planted on (staging.trojan({column})), {column} from {mart}",
    "a child": "create table staging.child () inherits ({mart})",
    "a check": "alter table {mart} add constraint planted check (staging.trojan({column}))",
    "its owner": "alter table {mart} owner to sla_transformer",
    "a comment": "comment on table {mart} is 'planted'",
    "a change in place": "update {mart} set {column} = {column}",
}
ELSEWHERE = {
    "a reference": "create table staging.referring (planted text references reference.currencies)",
    "a table among the marts": "create table marts.planted ()",
    "a view beside the currencies": "create view reference.planted as select 1",
    "another way to hold still": "create or replace function billing.hold_ledger() returns void language sql as ''",
    "a search path of its own": "alter function billing.hold_ledger set search_path = staging",
    "another digest": "create or replace function audit.candidate_sha256() returns text language sql as 'select null'",
    "a function in public": "create function public.round(numeric, integer) returns numeric language sql as 'select 0'",
    "a schema": "create schema planted",
    "the owner's schema": "alter schema marts owner to sla_transformer",
    "somebody's search path": "alter role sla_owner set search_path = staging",
    "the database's search path": "do $$ begin execute format('alter database %I set search_path = staging',"
    " current_database()); end $$",
    "defaults of the owner": "alter default privileges for role sla_owner grant all on tables to sla_transformer",
    "an operator of everybody": "create operator pg_catalog.<<<< (function = staging.both, leftarg = text,"
    " rightarg = text)",
    "a cast of everybody": "create cast (text as date) with function staging.dated(text)",
    "an event trigger": "create event trigger planted on ddl_command_end execute function staging.trojan()",
}
# What it may make: what the readers call by name, in its own schema.
SHADOWS = """
    create function staging.both(a text, b text) returns boolean language plpgsql as $$
    begin
        perform staging.note();
        return true;
    end
    $$;
    create function staging.dated(a text) returns date language plpgsql as $$
    begin
        perform staging.note();
        return null;
    end
    $$;
    create operator staging.= (function = staging.both, leftarg = text, rightarg = text);
    create operator staging.<> (function = staging.both, leftarg = text, rightarg = text);
    create function staging.round(a numeric, b integer) returns numeric language plpgsql as $$
    begin
        perform staging.note();
        return a;
    end
    $$;
    create type staging.text as (value text);
    create view staging.credits as select *, staging.trojan(amount) as planted from marts.fct_credits;
    create function staging.hold_ledger() returns void language sql as 'select staging.note()';
    grant execute on all functions in schema staging to public
"""


@pytest.fixture(scope="module")
def validated(fresh_settings: Settings) -> tuple[Settings, str]:
    """A month that is to be closed, with what dbt's role may make beside it; and the run."""
    publish_terms(fresh_settings)
    run_id = build(fresh_settings, AccountMonth())
    validate(fresh_settings, run_id)
    with psycopg.connect(fresh_settings.warehouse.dsn) as connection:
        connection.execute("set role sla_transformer")
        connection.execute(TROJAN)
        connection.execute(SHADOWS)
    return fresh_settings, run_id


@contextmanager
def transformer(settings: Settings) -> Iterator[psycopg.Connection]:
    """dbt's role, whatever login it has."""
    with connect(settings.warehouse, role="sla_transformer") as connection:
        connection.autocommit = True
        yield connection


def require_refused(settings: Settings) -> int:
    """How many statements were tried as dbt's role; each is refused for want of a right."""
    statements = {f"{way} ({mart})": (sql, mart) for way, sql in ON_A_MART.items() for mart in MARTS}
    statements |= {way: (sql, MARTS[0]) for way, sql in ELSEWHERE.items()}
    with transformer(settings) as session:
        for way, (statement, mart) in statements.items():
            (column,) = session.execute(
                "select attname from pg_attribute where attrelid = %s::regclass and attnum = 1", (mart,)
            ).fetchone()
            try:
                session.execute(f"begin; {statement.replace('{mart}', mart).replace('{column}', column)}")
            except psycopg.errors.InsufficientPrivilege:
                continue
            finally:
                session.execute("rollback")
            raise AssertionError(f"sla_transformer may put {way}")
    return len(statements)


def require_nobody_runs_it(settings: Settings, run_id: str) -> None:
    """All that reads the marts does, by the base login, and in SECURITY DEFINER functions: nothing of dbt's ran."""
    with connect(settings.warehouse) as connection:
        for mart in MARTS:
            connection.execute(f"select * from {mart} order by 1")
    for role, statement in (
        ("sla_validator", "select audit.candidate_sha256()"),
        ("sla_biller", "select billing.hold_ledger()"),
        ("sla_approver", "select * from billing.sums('2026-03-01')"),
    ):
        with connect(settings.warehouse, role=role) as connection:
            connection.execute(statement)
    approvals.pending(settings)
    ledger.post_month(settings, run_id=run_id)
    given = approvals.goodwill(
        settings, contract_id="K-1", service_month=MARCH, amount="5", by="Ada", because="late", prepared_by="Bob"
    )
    assert given.is_new
    with connect(settings.warehouse) as connection:
        ran = {who for (who,) in connection.execute("select distinct who from staging.ran")}
    assert not ran, f"code of sla_transformer ran as {', '.join(sorted(ran))}"


def test_the_marts_take_rows_of_dbt_and_nothing_else(validated, figure) -> None:
    settings, run_id = validated
    with copied(settings) as books:
        figure(f"{require_refused(books)} statements of sla_transformer that would change what a mart is: all refused")
        require_nobody_runs_it(books, run_id)


def test_one_mart_of_dbts_own_is_enough(validated) -> None:
    """Who owns a mart runs code as the books' owner and, in whoever reads with the base login, as the superuser."""
    settings, run_id = validated
    with copied(settings) as books:
        with connect(books.warehouse) as connection:
            connection.execute("alter table marts.fct_credits owner to sla_transformer")
            connection.execute("grant all on marts.fct_credits to sla_owner")
        with pytest.raises(AssertionError, match=r"sla_transformer may put .* \(marts\.fct_credits\)"):
            require_refused(books)
        with transformer(books) as session:
            session.execute("alter table marts.fct_credits enable row level security")
            session.execute("create policy planted on marts.fct_credits using (staging.trojan(1))")
        with pytest.raises(AssertionError, match=r"code of sla_transformer ran as sla, sla_owner\n"):
            require_nobody_runs_it(books, run_id)


def test_what_dbt_makes_is_read_by_the_auditor_alone_and_with_his_own_login_it_is_nobody_else(
    validated, tmp_path: Path
) -> None:
    settings, _ = validated
    with copied(settings) as books:
        stages = logins.stages_of(tmp_path, books.warehouse)
        logins.ensure_stages(stages)
        with psycopg.connect(stages.login("sla_transformer").dsn, autocommit=True) as own:
            own.execute("create view staging.figures as select staging.trojan(1) as planted")
            own.execute("grant select on staging.figures to public")
        with (
            pytest.raises(psycopg.errors.RaiseException, match="the trojan ran as sla_auditor_login"),
            connect(stages, role="sla_auditor") as connection,
        ):
            connection.execute("select * from staging.figures")


def require_only_dbt_reads_its_schemas(root: Path) -> int:
    """How many files were looked at: none but dbt's own names a table of `staging` or `intermediate`."""
    files = [
        path
        for directory in ("plugins", "dags", "expectations")
        for path in sorted((root / directory).rglob("*"))
        if path.suffix in (".py", ".sql") and path.parent.name not in ("migrations", "versions")
    ]
    for path in files:
        found = re.search(r"\b(staging|intermediate)\.\w+", path.read_text())
        assert not found, f"{path.relative_to(root)} reads {found and found[0]}, which is whatever dbt's role makes it"
    return len(files)


def test_no_code_but_dbts_reads_what_dbt_makes(tmp_path: Path) -> None:
    assert require_only_dbt_reads_its_schemas(PROJECT_DIR) > 100
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "planted.py").write_text("connection.execute('select * from intermediate.int_credits')")
    with pytest.raises(AssertionError, match=r"planted\.py reads intermediate\.int_credits"):
        require_only_dbt_reads_its_schemas(tmp_path)
