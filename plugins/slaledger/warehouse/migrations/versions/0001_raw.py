"""Runs `0001_raw.sql`."""

from pathlib import Path

from alembic import op

revision = "0001_raw"
down_revision = None


def upgrade() -> None:
    sql = Path(__file__).parents[1].joinpath("0001_raw.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
