"""The way from the bucket to the ledger, in this process: the functions that the DAGs' tasks call, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from slaledger import delivery, gates, landing, ledger, months, terms, transform, uploads
from slaledger.settings import Settings
from slaledger.warehouse import connect


@dataclass
class Pipeline:
    """Runs months in-process; `runs` counts them, so that each has an id of its own."""

    settings: Settings
    runs: int = field(default=0)

    def put(self, directory: Path) -> None:
        """Upload a tree of exports, as `sla put` does."""
        uploads.put(self.settings, directory, on_upload=lambda _: None)

    def land(self, run_id: str) -> None:
        """What the DAG `land_exports` does."""
        landing.freeze_listing(self.settings, run_id=run_id)
        for checks in (False, True):
            for batch in landing.plan_batches(self.settings, run_id=run_id, checks=checks):
                landing.land_batch(self.settings, batch, run_id=run_id)
        landing.settle_checks(self.settings, run_id=run_id)
        terms.publish(self.settings)

    def run(self, month: str | date, as_of: str | datetime, *, close: bool = False) -> str:
        """Land what is new and build the month; on closing, post and deliver. Returns the run's id."""
        self.runs += 1
        run_id = f"test_run_{self.runs}"
        self.land(run_id)
        self.build(run_id, month, as_of, close=close)
        return run_id

    def build(self, run_id: str, month: str | date, as_of: str | datetime, *, close: bool = False) -> None:
        """What the DAG `account_month` does."""
        transform.open_build(
            self.settings,
            run_id=run_id,
            service_month=months.parse_month(month) if isinstance(month, str) else month,
            as_of=months.parse_instant(as_of) if isinstance(as_of, str) else as_of,
            is_closing=close,
        )
        gates.run_gate(self.settings, "raw", run_id=run_id)
        transform.build_models(self.settings, run_id=run_id)
        gates.run_gate(self.settings, "marts", run_id=run_id)
        if close:
            with ledger.anchored(self.settings):
                ledger.post_month(self.settings, run_id=run_id)
            transform.test_ledger(self.settings, run_id=run_id)
            delivery.deliver(self.settings, run_id=run_id)

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a query, as mappings."""
        from psycopg.rows import dict_row

        with connect(self.settings.warehouse) as connection:
            return connection.cursor(row_factory=dict_row).execute(query, parameters).fetchall()
