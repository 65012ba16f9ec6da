"""Runs `0016_gates.sql`."""

from pathlib import Path

from alembic import op

revision = "0016_gates"
down_revision = "0015_approvals"


def upgrade() -> None:
    sql = Path(__file__).parents[1].joinpath("0016_gates.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
