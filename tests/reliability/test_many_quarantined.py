"""A million rows that cannot be used, in one run: each is on record, memory is bounded, and the month is not posted."""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from slaledger import gates, ledger, transform
from slaledger.settings import Settings
from slaledger.warehouse import connect
from tests.conftest import make_bucket
from tests.reliability.scale import scaled
from tests.reliability.test_fuzz import MEBIBYTE, MOST_MEMORY, check, land
from tests.second_route.packing import Upload
from tests.second_route.running import settings_for

ROWS_PER_OBJECT = 50_000
MARCH, AS_OF = date(2026, 3, 1), datetime(2026, 4, 20, tzinfo=UTC)


def unusable(number: int, rows: int) -> Upload:
    """Ticket events, none of which says when."""
    told = (
        json.dumps({"ticket_id": f"t-{number}-{row}", "event_id": f"e-{row}", "type": "created", "actor": "customer"})
        for row in range(rows)
    )
    body = gzip.compress("\n".join(told).encode(), compresslevel=1, mtime=0)
    return Upload(f"tickets/events/{number:03}.ndjson.gz", body, {"exported-at": "2026-04-05T00:00:00Z"})


def is_posting_held(settings: Settings) -> bool:
    """Whether neither the gate nor the ledger lets a closing run through; the books are as they were."""
    transform.open_build(
        settings, run_id="closing", service_month=MARCH, as_of=AS_OF, is_closing=True, prepared_by="the test"
    )
    with pytest.raises(gates.GateFailed, match="quarantine"):
        gates.run_gate(settings, "raw", run_id="closing")
    with pytest.raises(ledger.PostingRefused):
        ledger.post_month(settings, run_id="closing")
    with connect(settings.warehouse) as connection:
        return connection.execute("select count(*) from billing.credit_line_items").fetchone()[0] == 0


@pytest.mark.timeout(1800)
@scaled("rows", every_push=20_000, deep=1_000_000)
def test_each_is_on_record_and_nothing_is_posted(warehouse_server, s3_server, tmp_path: Path, figure, rows):
    per_object = min(ROWS_PER_OBJECT, rows // 2)
    uploads = [unusable(number, per_object) for number in range(rows // per_object)]
    bucket = make_bucket(s3_server.exports, f"many-{rows}")
    with settings_for(warehouse_server, bucket, tmp_path, f"many_{rows}") as settings:
        started = time.monotonic()
        most = land(settings, uploads, "many")
        seconds = time.monotonic() - started
        counts = check(settings, uploads)
        # How long it took is told, and last in docs/reliability.md; it is not asserted: that is for benchmarks.
        figure(f"{rows} rows in {seconds:.0f} s with the upload, at most {most // MEBIBYTE} MiB")
        assert counts["quarantined"] == counts["rows"] == rows
        assert most <= MOST_MEMORY
        assert is_posting_held(settings)
