"""However an object is damaged, the rest is read, and what is not used is listed."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import pytest
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from slaledger.reperform import objects
from slaledger.reperform.records import ExportObject
from tests.reperform.export_objects import SHIPPED, csv, ndjson, put, read

CHECK = {"monitor_id": "m1", "location": "fra", "checked_at": "2026-03-10T12:00:00Z", "status": "up", "error": None}
EVENT = {"ticket_id": "t1", "event_id": "e1", "at": "2026-03-01T00:00:00Z", "type": "created", "actor": "customer"}
BYTES = [b"", b"\0", b"\xff", b'"', b"{", b"\n", b",", b"null", b"-1"]
ZENDESK = {
    "tickets": [{"id": 1, "created_at": "2026-03-01T00:00:00Z", "priority": "high", "tags": []}],
    "ticket_events": [
        {"id": 2, "ticket_id": 1, "created_at": "2026-03-01T00:00:00Z"}
        | {"child_events": [{"id": 3, "event_type": "Comment", "public": True, "via": {"channel": "rule"}}]}
    ],
    "users": [{"id": 4, "role": "agent", "tags": ["ai_agent"]}],
}


def samples() -> list[ExportObject]:
    """An object of every feed and format."""
    table = io.BytesIO()
    rows = csv("monitor_id,location,checked_at,status", "m1,fra,2026-03-10T12:00:00Z,up")
    parquet.write_table(arrow_csv.read_csv(io.BytesIO(rows.encode())), table)
    return [
        *objects.from_directory(Path("examples/exports")),
        put("monitoring/checks/a", ndjson(CHECK, CHECK)),
        put("monitoring/checks/b", rows),
        put("monitoring/checks/c", table.getvalue()),
        put("tickets/events/a", ndjson(EVENT)),
        put("tickets/zendesk/a", json.dumps(ZENDESK)),
        put("terms/enterprise", SHIPPED[0]),
    ]


def damaged(body: bytes, random_source: random.Random) -> bytes:
    """The body with a few bytes changed, cut out, or repeated."""
    for _ in range(random_source.randint(1, 4)):
        start = random_source.randrange(len(body) + 1)
        end = start + random_source.choice([0, 1, 1, 2, 40])
        instead = random_source.choice(
            [b"", b"\0", b"\xff", b'"', b"{", b"\n", b",", b"null", b"-1", body[start:end] * 2]
        )
        body = body[:start] + instead + body[end:]
    return body


@pytest.mark.parametrize("seed", range(20))
def test_no_damage_to_an_object_is_fatal_to_another(seed: int) -> None:
    random_source = random.Random(seed)
    whole = samples()
    harmed = [put(f"{each.key}.harmed", damaged(each.body, random_source), "2020-01-01T00:00:00Z") for each in whole]
    alone, beside = read(*whole), read(*whole, *harmed)
    # What the damaged ones say came earlier, so it overrules nothing.
    for name in ("monitors", "components", "accounts", "contracts", "fees"):
        found = getattr(beside, name)
        assert {key: found[key] for key in getattr(alone, name)} == getattr(alone, name)
    for name in ("notices", "register", "ticket_events"):
        assert set(getattr(alone, name)) <= set(getattr(beside, name))
    assert set(alone.rejected) <= set(beside.rejected)
    spoilt = {rejection.key for rejection in set(beside.rejected) - set(alone.rejected)}
    # But a version of terms that landed earlier, with other content, stands (T1).
    assert {key for key in spoilt if not key.startswith("terms/")} <= {each.key for each in harmed}
