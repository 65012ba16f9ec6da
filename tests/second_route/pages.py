"""JSON documents as bytes: spoilt rows, fields and wrappers full of what nobody reads, and bodies that are odd.

Spoilt rows are added, as other words of a row that is there: taken for one, or losing their page, they would be seen.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from math import inf, nan
from typing import Any

from tests.second_route.world import Row

STATUS_PAGE = ("incidents", "scheduled_maintenances")
ZENDESK = ("tickets", "ticket_events", "users")

# What `json` does not write: a key again, half a character, a byte that is no UTF-8, a number without end.
MARKS = {b"@again": b"", b"@half": rb"\ud83d", b"@byte": b"\xe9", b'"@huge"': b"1e400"}


def nested(depth: int) -> Any:
    """Lists in one another."""
    return [nested(depth - 1)] if depth else 1


UNREAD = (2**127, -(10**400), inf, nan, "@huge", nested(200), {"a": [nan, {"b": "@huge"}]})
SPOILT: tuple[Row, ...] = (
    *({"note": text} for text in ("caf@byte", "@half", "\0", nested(300), {"a": 1, "a@again": 2})),
    *({"@byte": 1}, {"id@again": 1}, {"id": nan}, {"id": 10**30}, {"created_at": 1}),
)
WRAPPERS: tuple[Row, ...] = (
    *({"count": nan}, {"count": "@huge"}, {"count": 1, "count@again": 2}, {"meta": {"a": 1, "a@again": 2}}),
    *({"next_page": "caf@byte"}, {"next_page": "@half\0"}, {"@byte": nested(200)}),
)
# No rows, or no object to be read.
ODD = (
    b" \n",
    gzip.compress(b"\xef\xbb\xbf\t", mtime=0),
    b"NaN",
    b"\xff\xfe{}",
    b'{"incidents": null, "tickets": null}',
    b'{"incidents": [], "scheduled_maintenances": 1, "tickets": [], "users": {}}',
    b'{"incidents": [], "incidents": [], "tickets": [], "tickets": []}',
    b'{"incidents": [\xff], "tickets": [\xff]}',
    b'{"status": {}, "incidents": []}',
)


def page(rng: random.Random, document: Row, names: Sequence[str]) -> bytes:
    """A document whose rows are in the lists of these names; all that was usable in it still is."""

    def chance(percent: int) -> bool:
        return rng.random() * 100 < percent

    body = dict(document)
    for name in names:
        if name not in body:
            body |= {name: None} if chance(20) else {}
            continue
        rows = [row | {"x": rng.choice(UNREAD)} if isinstance(row, dict) and chance(4) else row for row in body[name]]
        told = [row for row in rows if isinstance(row, dict)]
        if told and chance(12):
            rows.insert(rng.randrange(len(rows) + 1), rng.choice(told) | rng.choice(SPOILT))
        body[name] = rows
    if chance(30):
        body |= rng.choice(WRAPPERS)
    text = json.dumps(body, ensure_ascii=chance(50)).encode()
    for mark, instead in MARKS.items():
        text = text.replace(mark, instead)
    return gzip.compress(text, mtime=0) if chance(30) else text
