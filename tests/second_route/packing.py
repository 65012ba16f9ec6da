"""Rows → objects of the bucket: split, copied, overwritten, out of order, contradicted, and partly unreadable."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from dataclasses import dataclass
from typing import Any

from tests.second_route import pages, terms_documents
from tests.second_route.world import DAY, MINUTE, SECOND, Row, World, month_bounds

CSV_FEEDS = {
    "catalog/monitors": "monitor_id service region locations interval_seconds stale_after_seconds confirm quorum_min "
    "active_from active_until",
    "catalog/components": "component_id name service region",
    "accounts/accounts": "account_id company_name sandbox zendesk_organization_id",
    "accounts/fees": "contract_id service_month monthly_fee currency",
}
# The fields by which the objects of a feed speak of the same thing; checks and claims have none.
KEYS = {
    "catalog/monitors": ("monitor_id",),
    "catalog/components": ("component_id",),
    "accounts/accounts": ("account_id",),
    "accounts/fees": ("contract_id", "service_month"),
    "accounts/contracts": ("contract_id",),
    "notices": ("notice_id",),
    "exclusions": ("exclusion_id",),
    "tickets/events": ("ticket_id", "event_id"),
}
ROWS_PER_OBJECT = {"monitoring/checks": 15_000, "tickets/events": 3_000}
EXPORT_SLACK = 5 * MINUTE  # how far after its object's export a check may be dated (M2)

BROKEN_LINES = (
    b"{",
    b"[]",
    b"not json",
    b'{"contract_id": "x"}',
    b'{"claim_id": "", "service_month": "2026-03"}',
    b"\xff\xfe",
)


@dataclass(frozen=True)
class Upload:
    """An object to put; of the same key in the order of the list."""

    key: str
    body: bytes
    metadata: dict[str, str]


def pack(world: World) -> list[Upload]:
    """Everything that the world says, as objects."""
    uploads: list[Upload] = []
    for feed in sorted(world.rows):
        if feed == "terms":
            uploads += _terms(world)
        elif feed == "monitoring/checks":
            uploads += _checks(world)
        else:
            uploads += _keyed(world, feed)
    # Of its own, so that what is done to pages changes nothing else in the world of a seed.
    rng = random.Random(f"pages of {world.seed}")
    for number, document in enumerate(world.page_documents):
        metadata = _metadata(world, document["exported_at"])
        if document["is_complete"]:
            metadata["complete"] = "true"
        body = pages.page(rng, document["body"], pages.STATUS_PAGE)
        uploads.append(Upload(f"status_page/statuspage/{number}.json", body, metadata))
    for number, document in enumerate(world.zendesk_documents):
        body = pages.page(rng, document["body"], pages.ZENDESK)
        uploads.append(Upload(f"tickets/zendesk/{number}.json", body, _metadata(world, document["exported_at"])))
    for number, body in enumerate(pages.ODD):
        for feed in ("status_page/statuspage", "tickets/zendesk"):
            uploads.append(Upload(f"{feed}/odd-{number}", body, {}))
    return uploads


def _metadata(world: World, exported_at: int) -> dict[str, str]:
    return {"exported-at": str(world.text(exported_at))}


def _keyed(world: World, feed: str) -> list[Upload]:
    rng = world.rng
    rows = list(world.rows[feed])
    after = month_bounds(world.month, "UTC")[1] + 12 * DAY
    variants = [_variant(world, feed, row) for row in rows if world.chance(3)] if feed in KEYS else []
    repeated = [row for row in rows if world.chance(2)]
    rng.shuffle(rows)
    size = ROWS_PER_OBJECT.get(feed, 400)
    chunks = [rows[first : first + size] for first in range(0, len(rows), size)]
    uploads = []
    for number, chunk in enumerate(chunks):
        # A variant before its row in one object loses to it; after it, it wins.
        mixed = [*[row for row in variants if world.chance(30)], *chunk, *[row for row in variants if world.chance(3)]]
        at = after + rng.choice((0, 0, 1, DAY, rng.randrange(DAY)))
        key = f"{feed}/{rng.choice('abc')}-{number}"
        if world.chance(15):
            uploads.append(Upload(key, _body(world, feed, [*variants, *chunk[:50]]), _metadata(world, at - DAY)))
        body = _body(world, feed, mixed)
        uploads.append(Upload(key, body, _metadata(world, at)))
        if world.chance(15):
            uploads.append(Upload(f"{feed}/copy-{number}", body, _metadata(world, at + rng.choice((-DAY, 0, DAY)))))
    uploads.append(Upload(f"{feed}/again", _body(world, feed, repeated), _metadata(world, after + rng.randrange(DAY))))
    uploads.append(Upload(f"{feed}/stale", _body(world, feed, variants), _metadata(world, after - DAY)))
    if world.chance(30):
        uploads.append(Upload(f"{feed}/nothing", b"", _metadata(world, after)))
    if world.chance(30):
        uploads.append(Upload(f"{feed}/broken", b"\x1f\x8bnot gzip at all", _metadata(world, after)))
    return uploads


def _variant(world: World, feed: str, row: Row) -> Row:
    """Another row of the same key: with what a row beside it says, in some of the other fields."""
    other = world.rng.choice(world.rows[feed])
    # A ticket is created once, and first: only replies are ever dated before.
    kept = (*KEYS[feed], "at", "type") if feed == "tickets/events" else KEYS[feed]
    names = [name for name in other if name not in kept]
    taken = {name: other[name] for name in names if world.chance(40)}
    return {**row, **taken}


def _body(world: World, feed: str, rows: list[Row]) -> bytes:
    if feed in CSV_FEEDS:
        body = _csv(world, CSV_FEEDS[feed].split(), rows)
    else:
        lines = [json.dumps(row, ensure_ascii=world.chance(50)).encode() for row in rows]
        if world.chance(20):
            lines.insert(world.rng.randrange(len(lines) + 1), world.one(*BROKEN_LINES))
        body = b"".join(line + b"\n" for line in lines)
    return gzip.compress(body, mtime=0) if world.chance(30) else body


def _csv(world: World, columns: list[str], rows: list[Row]) -> bytes:
    world.rng.shuffle(columns)
    if world.chance(20):
        columns.append("unheard_of")
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator=world.one("\n", "\r\n"))
    writer.writeheader()
    writer.writerows(rows)
    if rows and world.chance(20):
        text.write(",".join("?" for _ in columns[:-1]) + "\n")
    return text.getvalue().encode()


def _checks(world: World) -> list[Upload]:
    """Checks in three formats; each object exported after its last check, or just so before that it may be."""
    rng = world.rng
    rows = list(world.rows["monitoring/checks"])
    rng.shuffle(rows)
    size = ROWS_PER_OBJECT["monitoring/checks"]
    chunks = [rows[first : first + size] for first in range(0, len(rows), size)]
    if chunks:
        chunks.append(rng.sample(rows, min(len(rows), 200)))
        chunks += [rng.sample(rows, min(len(rows), 300)) for _ in range(2)]
    uploads = []
    for number, chunk in enumerate(chunks):
        latest = max(row["checked_at"] for row in chunk)
        exported_at = latest + world.one(DAY, 0, -EXPORT_SLACK, -EXPORT_SLACK - 1)
        if number >= len(chunks) - 2:
            # What these alone say of instants of others is a conflict (M1), or nobody's if it is dated too late.
            exported_at = sorted(row["checked_at"] for row in chunk)[len(chunk) // 2] - EXPORT_SLACK
        body = world.one(_checks_ndjson, _checks_csv, _checks_parquet)(world, chunk)
        uploads.append(Upload(f"monitoring/checks/{number}", body, _metadata(world, exported_at)))
        if world.chance(20):
            # What lay there first says something else, and is no longer in force.
            other = [{**row, "status": "down"} for row in chunk[:500]]
            uploads.insert(-1, Upload(f"monitoring/checks/{number}", _checks_csv(world, other), uploads[-1].metadata))
        if world.chance(20):
            uploads.append(Upload(f"monitoring/checks/copy-{number}", body, _metadata(world, exported_at + SECOND)))
    return uploads


def _checks_ndjson(world: World, rows: list[Row]) -> bytes:
    lines = [json.dumps({**row, "checked_at": world.text(row["checked_at"]), "latency_ms": 12}) for row in rows]
    lines.append('{"monitor_id": "m-silent", "location": "fra", "checked_at": "2026-03-01T00:00:00", "status": "down"}')
    return ("\n".join(lines) + "\n").encode()


def _checks_csv(world: World, rows: list[Row]) -> bytes:
    told = [{**row, "checked_at": world.text(row["checked_at"])} for row in rows]
    return _csv(world, ["monitor_id", "location", "checked_at", "status", "error"], told)


def _checks_parquet(world: World, rows: list[Row]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet

    names = ("monitor_id", "location", "status")
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in names}
    columns["checked_at"] = pa.array([row["checked_at"] for row in rows], pa.timestamp("us", "UTC"))
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def _terms(world: World) -> list[Upload]:
    """A document an object, or several behind one another; one that changes what landed, and so is refused (T1)."""
    before = month_bounds(world.month, "UTC")[0] - 50 * DAY
    uploads = []
    for number, document in enumerate(world.rows["terms"]):
        at = before + world.rng.randrange(90 * DAY)
        uploads.append(Upload(f"terms/{number}.yml", terms_documents.body(world, document), _metadata(world, at)))
        if world.chance(10):
            changed = {**document, "exclusions": [], "guaranteed": False}
            late = _metadata(world, at + world.one(1, DAY))
            uploads.append(Upload(f"terms/changed-{number}.yml", terms_documents.body(world, changed), late))
    return uploads
