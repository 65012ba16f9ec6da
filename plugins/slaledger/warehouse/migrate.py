"""Migrations: numbered SQL files, run in their order by Alembic, each once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from slaledger.settings import Warehouse
from slaledger.warehouse.connection import connect

MIGRATIONS_DIR = Path(__file__).parent / "migrations"
VERSION_TABLE = "slaledger_migrations"

# From 0009 on all that a migration makes belongs to the owner of what is there.
ACT_AS_OWNER = """
select set_config('role', nspowner::regrole::text, true)
from pg_namespace
where nspname = 'raw' and nspowner = to_regrole('sla_owner')
"""


class MigrationRefused(Exception):
    """The login may not do what a migration does; the message says what a DBA has to run."""

    is_final = True
    exit_code = 1


class VersionDiffers(Exception):
    """Code and database are of two versions; the message says which is to be brought up to date, and how."""

    exit_code = 1


def migrate(warehouse: Warehouse) -> None:
    """Bring the warehouse's raw, audit and billing schemas to this version of the code. Safe to repeat, at once too.

    With the base login. One that is up to date is only looked at. Raises `MigrationRefused`.
    """
    import sqlalchemy
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

    engine = sqlalchemy.create_engine(
        sqlalchemy.URL.create(
            "postgresql+psycopg",
            username=warehouse.user,
            password=warehouse.password,
            host=warehouse.host,
            port=warehouse.port,
            database=warehouse.database,
        )
    )
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    heads, held = set(ScriptDirectory.from_config(config).get_heads()), ()
    try:
        with engine.begin() as connection:
            # Two migrations at once: the second waits here and then finds nothing to do.
            # Any login may hold such a lock: nobody waits for ever.
            connection.execute(sqlalchemy.text("set local lock_timeout = '5min'"))
            connection.execute(sqlalchemy.text("select pg_advisory_xact_lock(hashtext('slaledger.migrate'))"))
            held = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_heads()
            if set(held) == heads:
                return
            connection.execute(sqlalchemy.text(ACT_AS_OWNER))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except sqlalchemy.exc.DBAPIError as error:
        if not isinstance(error.orig, InsufficientPrivilege | ReadOnlySqlTransaction):
            # Without the statement: it is the whole migration.
            raise MigrationRefused(
                f"{warehouse.database} cannot be migrated, and is as it was: "
                f"{error.orig.diag.message_primary or str(error.orig).strip()}"
            ) from None
        difference = _difference(warehouse, held)
        raise MigrationRefused(
            f"The login {warehouse.user} may not migrate {warehouse.database}: {error.orig.diag.message_primary}\n"
            f"{difference or 'See docs/runbooks/roles.md.'}"
        ) from None
    finally:
        engine.dispose()


def require_version(warehouse: Warehouse) -> None:
    """The database is at this code's last migration. Raises `VersionDiffers`, and what `connect` raises."""
    with connect(warehouse, role="sla_auditor") as connection:
        # Alembic's: the sessions' own search path has no schema of anybody's.
        table = f"public.{VERSION_TABLE}"
        (is_there,) = connection.execute("select to_regclass(%s) is not null", [table]).fetchone()
        rows = connection.execute(f"select version_num from {table}").fetchall() if is_there else []
    if difference := _difference(warehouse, [version for (version,) in rows]):
        raise VersionDiffers(difference)


def _difference(warehouse: Warehouse, held: Sequence[str]) -> str | None:
    *_, newest = sorted(path.stem for path in MIGRATIONS_DIR.glob("*.sql"))
    if list(held) == [newest]:
        return None
    return (
        f"The database {warehouse.database} is at migration {', '.join(held) or 'none'}, and this code is of {newest}: "
        "`sla up` migrates the embedded stack's, `python -m slaledger.warehouse` any other, with a login that may "
        "(docs/runbooks/roles.md); code that is older than its database is to be brought up to date."
    )
