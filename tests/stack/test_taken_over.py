"""Migration 0013 where dbt had made the marts: it takes over their rows, and runs nothing that hangs on them."""

from __future__ import annotations

import re
import uuid

import psycopg
import pytest
from alembic import command

from slaledger.settings import DBT_PROJECT_DIR, Warehouse
from slaledger.warehouse import MigrationRefused, connect, migrate
from slaledger.warehouse.migrate import MIGRATIONS_DIR
from tests.reliability.test_marts import TROJAN

# The marts as dbt made them: by the same contract.
MADE = "".join(
    re.findall(r"(?ms)^create table (?:marts|reference)\..*?^\);\n", (MIGRATIONS_DIR / "0013_marts.sql").read_text())
)


@pytest.fixture
def before(warehouse_server, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """Migrated to 0012, with a row of January in the credits that dbt made."""
    warehouse = warehouse_server.ensure_database(f"before_{uuid.uuid4().hex[:12]}")
    with monkeypatch.context() as patch:
        upgrade = command.upgrade
        patch.setattr(command, "upgrade", lambda config, _: upgrade(config, "0012_approvals"))
        migrate(warehouse)
    with connect(warehouse) as connection:
        connection.execute("set local role sla_transformer")
        connection.execute(MADE)
        connection.execute("insert into reference.currencies values ('USD', 9)")
        connection.execute(
            "insert into marts.fct_credits (account_id, contract_id, service_month, basis, status, reason)"
            " values ('A-1', 'K-1', '2026-01-01', 'availability', 'held', 'unknown_time_changes_tier')"
        )
    return warehouse


def test_rows_of_all_months_are_kept_and_no_code_of_dbts_runs_as_another(before: Warehouse) -> None:
    with connect(before) as connection:
        connection.execute("set local role sla_transformer")
        connection.execute(TROJAN)
        connection.execute("create index on marts.fct_credits (staging.trojan(contract_id))")
        connection.execute("alter table marts.fct_credits enable row level security")
        connection.execute("alter table marts.fct_credits force row level security")
        connection.execute("create policy planted on marts.fct_credits using (staging.trojan(1))")
        connection.execute(
            "create trigger planted before insert on marts.fct_credits for each row execute function staging.trojan()"
        )
        connection.execute("create view marts.seen as select * from marts.fct_credits")
        connection.execute("create function marts.planted() returns void language sql as 'select staging.note()'")
        connection.execute("reset role; truncate staging.ran")
    migrate(before)
    with connect(before) as connection:
        assert connection.execute("select contract_id, service_month::text from marts.fct_credits").fetchall() == [
            ("K-1", "2026-01-01")
        ]
        # What dbt made of it is not what money is rounded to.
        assert connection.execute("select minor_units from reference.currencies where currency = 'USD'").fetchall() == [
            (2,)
        ]
        assert {who for (who,) in connection.execute("select who from staging.ran")} == {"sla_transformer"}
        things = connection.execute(
            "select relname from pg_class where relnamespace = 'marts'::regnamespace and relkind in ('r', 'v')"
        ).fetchall()
        assert sorted(name for (name,) in things) == sorted(
            path.stem for path in (DBT_PROJECT_DIR / "models" / "marts").glob("*.sql")
        )
        for catalog in ("pg_policy where polrelid", "pg_trigger where not tgisinternal and tgrelid"):
            query = f"select from {catalog} = 'marts.fct_credits'::regclass"
            assert not connection.execute(query).fetchall(), catalog
        left = "select relname from pg_class where relnamespace = 'staging'::regnamespace and relkind = 'r'"
        assert connection.execute(left).fetchall() == [("ran",)]


@pytest.mark.parametrize(
    ("planted", "says"),
    [
        (
            "set local role sla_transformer; alter table marts.fct_credits rename to was;"
            "create view marts.fct_credits as select * from marts.was",
            "is not a table",
        ),
        ("create view public.page as select * from marts.fct_credits", "other objects depend on it"),
        ("alter table marts.fct_credits drop column reason", 'column "reason" does not exist'),
    ],
)
def test_what_cannot_be_taken_over_stops_the_migration(before: Warehouse, planted: str, says: str) -> None:
    with connect(before) as connection:
        connection.execute(planted)
    with pytest.raises(MigrationRefused, match=f"is as it was: .*{says}"):
        migrate(before)
    with connect(before) as connection:
        assert connection.execute("select count(*) from marts.fct_credits").fetchone() == (1,)
    with psycopg.connect(before.dsn) as connection:
        assert connection.execute("select version_num from public.slaledger_migrations").fetchone() == (
            "0012_approvals",
        )
