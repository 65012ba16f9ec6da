"""Runs `0006_terms_lines.sql`."""

from pathlib import Path

from alembic import op

revision = "0006_terms_lines"
down_revision = "0005_zendesk"


def upgrade() -> None:
    sql = Path(__file__).parents[1].joinpath("0006_terms_lines.sql").read_text()
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
