"""A million rows that cannot be used, in one run: each is on record, memory is bounded, and the month is not posted."""

from __future__ import annotations

import gzip
import json
import time
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from slaledger import ledger, terms
from slaledger.settings import Settings
from tests.conftest import make_bucket
from tests.ledger.books import build, lines
from tests.reliability.scale import scaled
from tests.reliability.test_fuzz import MEBIBYTE, MOST_MEMORY, check, land
from tests.reliability.test_ways_around import BUILT, CLAIM, EXPORTS_SQL, OURS_ALONE, OWED, Month, by_hand
from tests.second_route.packing import Upload
from tests.second_route.running import settings_for, upload
from tests.support.pipeline import Pipeline

ROWS_PER_OBJECT = 50_000


def unusable(number: int, rows: int) -> Upload:
    """Ticket events, none of which says when."""
    told = (
        json.dumps({"ticket_id": f"t-{number}-{row}", "event_id": f"e-{row}", "type": "created", "actor": "customer"})
        for row in range(rows)
    )
    body = gzip.compress("\n".join(told).encode(), compresslevel=1, mtime=0)
    return Upload(f"tickets/events/{number:03}.ndjson.gz", body, {"exported-at": "2026-04-05T00:00:00Z"})


def check_posting_held(settings: Settings) -> None:
    """A sound month beside those rows, of which one line is due, is not posted; its gate says that it is they."""
    for statement in (EXPORTS_SQL, OURS_ALONE):
        by_hand(settings, statement)
    terms.publish(settings)
    month = Month(settings, build(settings, OWED))
    said = month.gate(only="raw")
    month.by_hand(CLAIM, BUILT)
    month.gate(only="marts")
    with suppress(ledger.PostingRefused):
        month.post()
    assert lines(settings) == [], "a line was posted"
    reasons = [line for line in said.splitlines() if line.startswith("- ")]
    assert len(reasons) == 1, said
    assert reasons[0].startswith("- quarantined_shares_are_within_the_limit does not hold"), said


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
        check_posting_held(settings)


def test_a_month_that_is_posted_all_the_same_is_found(warehouse_server, s3_server, tmp_path: Path):
    """The planted fault: a limit that nothing is over. All else of the month is as it must be to be posted."""
    bucket = make_bucket(s3_server.exports, "many-lifted")
    with settings_for(warehouse_server, bucket, tmp_path, "many_lifted") as settings:
        upload(settings, [unusable(0, 100)])
        Pipeline(settings).land("many")
        with pytest.raises(AssertionError, match="a line was posted"):
            check_posting_held(replace(settings, quarantine_limit_percent=Decimal(100)))
