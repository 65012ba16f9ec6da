"""Runs `0009_roles.sql`."""

from pathlib import Path

from alembic import op

revision = "0009_roles"
down_revision = "0008_posted"


def upgrade() -> None:
    sql = Path(__file__).parents[1].joinpath("0009_roles.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
