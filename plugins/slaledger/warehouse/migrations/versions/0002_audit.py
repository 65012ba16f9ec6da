"""Runs `0002_audit.sql`."""

from pathlib import Path

from alembic import op

revision = "0002_audit"
down_revision = "0001_raw"


def upgrade() -> None:
    sql = Path(__file__).parents[1].joinpath("0002_audit.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
