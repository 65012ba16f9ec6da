"""Runs `0010_postings.sql`."""

from pathlib import Path

from alembic import op

revision = "0010_postings"
down_revision = "0009_roles"


def upgrade() -> None:
    sql = Path(__file__).parents[1].joinpath("0010_postings.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
