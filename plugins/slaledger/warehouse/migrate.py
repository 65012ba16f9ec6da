"""Migrations: numbered SQL files, run in their order by Alembic, each once."""

from __future__ import annotations

from pathlib import Path

from slaledger.settings import Warehouse

MIGRATIONS_DIR = Path(__file__).parent / "migrations"


def migrate(warehouse: Warehouse) -> None:
    """Bring the warehouse's raw, audit and billing schemas to this version of the code. Safe to repeat, at once too."""
    import sqlalchemy
    from alembic import command
    from alembic.config import Config

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
    with engine.begin() as connection:
        # Two migrations at once: the second waits here and then finds nothing to do.
        connection.execute(sqlalchemy.text("select pg_advisory_xact_lock(hashtext('slaledger.migrate'))"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()
