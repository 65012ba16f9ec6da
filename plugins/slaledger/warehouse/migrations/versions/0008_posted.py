"""Runs `0008_posted.sql`."""

from pathlib import Path

from alembic import op

revision = "0008_posted"
down_revision = "0007_start_of_day"


def upgrade() -> None:
    sql = Path(__file__).parents[1].joinpath("0008_posted.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
