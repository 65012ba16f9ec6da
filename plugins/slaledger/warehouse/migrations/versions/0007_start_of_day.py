"""Runs `0007_start_of_day.sql`."""

from pathlib import Path

from alembic import op

revision = "0007_start_of_day"
down_revision = "0006_terms_lines"


def upgrade() -> None:
    sql = Path(__file__).parents[1].joinpath("0007_start_of_day.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
