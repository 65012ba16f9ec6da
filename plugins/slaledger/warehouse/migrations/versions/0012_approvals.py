"""Runs `0012_approvals.sql`."""

from pathlib import Path

from alembic import op

revision = "0012_approvals"
down_revision = "0011_gates"


def upgrade() -> None:
    sql = Path(__file__).parents[1].joinpath("0012_approvals.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
