"""Both routes take the same rows out of pages as `pages.py` spoils them, and lose no other."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from slaledger.feeds.reasons import ObjectRejected
from slaledger.feeds.registry import FEEDS, read_rows
from slaledger.feeds.rows import Notes, Reject
from tests.feeds.test_reasons import INCIDENT, ZENDESK_EVENT, ZENDESK_USER
from tests.reperform.export_objects import put, read, rejected_rows
from tests.second_route import pages
from tests.second_route.world import Row

FEEDS_OF_PAGES = {
    "status_page/statuspage": (pages.STATUS_PAGE, {"page": {"id": "p"}, "incidents": [INCIDENT] * 9}),
    "tickets/zendesk": (
        pages.ZENDESK,
        {"ticket_events": [ZENDESK_EVENT] * 9, "users": [ZENDESK_USER] * 9},
    ),
}


def landed(tmp_path: Path, feed: str, body: bytes) -> tuple[int, list[int]]:
    """How many rows of a body landing reads, and which it rejects; 0 is the object."""
    path = tmp_path / "body"
    path.write_bytes(body)
    try:
        rows = list(read_rows(FEEDS[feed], path, Notes())[1])
    except ObjectRejected:
        return 0, [0]
    return len(rows), [row.line_number for row in rows if isinstance(row, Reject)]


@pytest.mark.parametrize("feed", FEEDS_OF_PAGES)
def test_rows_are_lost_alone_and_to_both(tmp_path: Path, feed: str) -> None:
    names: Sequence[str]
    document: Row
    names, document = FEEDS_OF_PAGES[feed]
    sound = sum(len(document.get(name, ())) for name in names)
    rng, spoilt, seen = random.Random(feed), 0, b""
    for _ in range(120):
        body = pages.page(rng, document, names)
        rows, rejected = landed(tmp_path, feed, body)
        assert rows - len(rejected) >= sound and 0 not in rejected, body
        assert rejected_rows(read(put(f"{feed}/a", body))) == rejected, body
        spoilt += len(rejected)
        seen += gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
    assert spoilt > 10
    for mark in (b"\xe9", rb"\ud83d", rb"\u0000", b"NaN", b"1e400", b"[" * 200, b"null", b'"a": 1, "a": 2'):
        assert mark in seen


@pytest.mark.parametrize("feed", FEEDS_OF_PAGES)
@pytest.mark.parametrize("body", pages.ODD)
def test_odd_bodies_have_no_rows(tmp_path: Path, feed: str, body: bytes) -> None:
    rows, rejected = landed(tmp_path, feed, body)
    assert rows == 0 and rejected_rows(read(put(f"{feed}/a", body))) == rejected
