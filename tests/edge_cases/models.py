"""The first route: the bucket through landing, the gates, dbt's models in PostgreSQL and the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from typing import Any

from slaledger import approvals, ledger
from tests.edge_cases import stories
from tests.edge_cases.cases import AS_OF, CLOSED, TABLES
from tests.support.pipeline import Pipeline

Row = dict[str, Any]

# By (table, month, owner); what landed is of no month.
Rows = dict[tuple[str, str, str], list[Row]]

_LANDED = {
    "source_objects": "select * from raw.source_objects",
    "quarantined_rows": """
        select source_objects.key, quarantined_rows.line_number, quarantined_rows.reason_code
        from raw.quarantined_rows
        inner join raw.source_objects on quarantined_rows.object_id = source_objects.object_id
    """,
}


def account(pipeline: Pipeline, *, months: Collection[str] = tuple(AS_OF)) -> Rows:
    """Account for months as of their instants, one of them closed, and give what each table then said."""
    found: Rows = defaultdict(list)
    for month in months:
        run_id = pipeline.run(month, AS_OF[month], close=month == CLOSED)
        if month == CLOSED:
            # As Airflow does after a lost heartbeat (line 135).
            ledger.post_month(pipeline.settings, run_id=run_id)
            _grant_goodwill(pipeline)
        for table, owner in TABLES.items():
            if table not in _LANDED:
                schema = "billing" if table == "credit_line_items" else "marts"
                query = f"select * from {schema}.{table} where service_month = %s"
                for row in pipeline.rows(query, [date.fromisoformat(f"{month}-01")]):
                    found[table, month, row[owner]].append(row)
    for table, query in _LANDED.items():
        for row in pipeline.rows(query):
            found[table, "", row[TABLES[table]]].append(row)
    return found


def _grant_goodwill(pipeline: Pipeline) -> None:
    for path in sorted(stories.SCENARIOS_DIR.glob("*/goodwill.csv")):
        for row in stories.read(path):
            approvals.goodwill(
                pipeline.settings,
                contract_id=row["contract_id"],
                service_month=date.fromisoformat(f"{row['service_month']}-01"),
                amount=row["amount"],
                by=row["by"],
                because=row["because"],
            )
