"""Runs `0014_books.sql`."""

from pathlib import Path

from alembic import op

revision = "0014_books"
down_revision = "0013_marts"


def upgrade() -> None:
    sql = Path(__file__).parents[1].joinpath("0014_books.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
