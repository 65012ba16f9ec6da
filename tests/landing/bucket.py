"""A bucket and the warehouse that it lands in, for tests."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from slaledger import landing, objects, warehouse
from slaledger.settings import Settings
from tests.support.buckets import empty_bucket

EXPORTED_AT = "2026-04-01T00:00:00Z"
MONITORS = "monitor_id,service,region,locations,interval_seconds,stale_after_seconds\n"


@dataclass
class Bucket:
    """Uploads, lands, and looks."""

    settings: Settings
    runs: Any = field(default_factory=lambda: itertools.count(1))

    def empty(self) -> None:
        """Delete every version for good, and forget all that was landed."""
        empty_bucket(self.settings.exports)
        self.empty_warehouse()

    def empty_warehouse(self) -> None:
        """Forget all that was landed before."""
        with warehouse.connect(self.settings.warehouse) as connection:
            connection.execute(
                "truncate raw.source_objects, raw.check_conflicts, raw.observations, audit.listed_objects cascade"
            )

    def put(self, key: str, body: bytes | str, *, exported_at: str | None = EXPORTED_AT, **metadata: str) -> None:
        """Upload an object."""
        if exported_at is not None:
            metadata["exported-at"] = exported_at
        content = body.encode() if isinstance(body, str) else body
        objects.put(self.settings.exports, key, content, metadata=metadata)

    def delete(self, key: str) -> None:
        """Put a delete marker on a key."""
        objects.client(self.settings.exports).delete_object(Bucket=self.settings.exports.bucket, Key=key)

    def list(self) -> str:
        """Freeze a listing for a new run; its id."""
        run_id = f"run_{next(self.runs)}"
        landing.freeze_listing(self.settings, run_id=run_id)
        return run_id

    def land(self, *, checks_first: bool = False) -> landing.LandedCounts:
        """A whole run of landing, in this process."""
        run_id = self.list()
        counts = landing.LandedCounts()
        for checks in (True, False) if checks_first else (False, True):
            for batch in landing.plan_batches(self.settings, run_id=run_id, checks=checks):
                counts += landing.land_batch(self.settings, batch, run_id=run_id)
        landing.settle_checks(self.settings, run_id=run_id)
        return counts

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with warehouse.connect(self.settings.warehouse) as connection:
            return connection.execute(query, parameters).fetchall()

    def counts(self, key: str) -> tuple[Any, ...]:
        """(status, reason_code, read, loaded, duplicate, quarantined) of a key's version in force."""
        (row,) = self.rows(
            "select status, reason_code, rows_read, rows_loaded, rows_duplicate, rows_quarantined "
            "from raw.source_objects where key = %s and is_in_force",
            [key],
        )
        return row

    def streaks(self) -> list[tuple[Any, ...]]:
        """What the streaks in force say, merged: (monitor, location, status, first, last, n), and the check of n."""
        wrong = self.rows(
            "select key from raw.source_objects left join raw.check_streaks using (object_id) "
            "where feed = 'monitoring/checks' and is_in_force group by key, rows_loaded "
            "having rows_loaded <> coalesce(sum(n), 0)"
        )
        assert wrong == [], "sum(n) of an object is its rows_loaded"
        return self.rows(MERGED)


# Streaks that touch (the next one of its pair, equal status, no gap over stale_after) are one.
MERGED = """
with monitors as (
    select distinct on (monitor_id) monitor_id, coalesce(stale_after_seconds, 2 * interval_seconds) as stale_after
    from raw.monitors inner join raw.source_objects using (object_id)
    where is_in_force
    order by monitor_id, exported_at desc, key desc, line_number desc
),
instants as (
    select monitor_id, location, status, first_at, max(last_at) as last_at, sum(n) as n,
        array_agg(checked_ats) filter (where checked_ats is not null) as checked
    from raw.check_streaks group by monitor_id, location, status, first_at
),
marked as (
    select instants.*,
        (
            lag(status) over pair is distinct from status
            or extract(epoch from first_at - lag(last_at) over pair) > stale_after
            -- An unknown instant of conflict is an instant of its own only where its neighbours differ.
        )::int as is_start
    from instants inner join monitors using (monitor_id)
    window pair as (partition by monitor_id, location order by first_at, last_at)
),
numbered as (
    select marked.*, sum(is_start) over (partition by monitor_id, location order by first_at, last_at) as streak
    from marked
)
select monitor_id, location, status, min(first_at), max(last_at)
from numbered group by monitor_id, location, streak, status order by 1, 2, 4
"""


def ndjson(*rows: dict[str, Any]) -> bytes:
    """Rows as NDJSON."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def check(at: str, status: str = "up", *, monitor: str = "m1", location: str = "fra") -> dict[str, str]:
    """A check; `at` is a time of 1 March 2026."""
    return {"monitor_id": monitor, "location": location, "checked_at": f"2026-03-01T{at}Z", "status": status}


def minutes(start: int, stop: int, status: str = "up", **names: str) -> list[dict[str, str]]:
    """A check a minute, from one minute of 1 March up to another."""
    return [check(f"{minute // 60:02d}:{minute % 60:02d}:00", status, **names) for minute in range(start, stop)]


def monitors(*lines: str) -> str:
    """A catalog of monitors."""
    return MONITORS + "\n".join(lines)
