"""Runs `0004_models_built.sql`."""

from pathlib import Path

from alembic import op

revision = "0004_models_built"
down_revision = "0003_billing"


def upgrade() -> None:
    sql = Path(__file__).parents[1].joinpath("0004_models_built.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
