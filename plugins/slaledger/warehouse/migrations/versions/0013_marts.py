"""Runs `0013_marts.sql`."""

from pathlib import Path

from alembic import op

revision = "0013_marts"
down_revision = "0012_approvals"


def upgrade() -> None:
    sql = Path(__file__).parents[1].joinpath("0013_marts.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
