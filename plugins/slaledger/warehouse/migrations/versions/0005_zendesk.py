"""Runs `0005_zendesk.sql`."""

from pathlib import Path

from alembic import op

revision = "0005_zendesk"
down_revision = "0004_models_built"


def upgrade() -> None:
    sql = Path(__file__).parents[1].joinpath("0005_zendesk.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
