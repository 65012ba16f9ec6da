"""Runs `0015_approvals.sql`."""

from pathlib import Path

from alembic import op

revision = "0015_approvals"
down_revision = "0014_books"


def upgrade() -> None:
    sql = Path(__file__).parents[1].joinpath("0015_approvals.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
