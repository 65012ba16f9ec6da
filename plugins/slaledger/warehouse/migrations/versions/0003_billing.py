"""Runs `0003_billing.sql`."""

from pathlib import Path

from alembic import op

revision = "0003_billing"
down_revision = "0002_audit"


def upgrade() -> None:
    sql = Path(__file__).parents[1].joinpath("0003_billing.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
