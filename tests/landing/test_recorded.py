"""What others recorded: a monitor's state log and a status page's polls; every row accounted for.

The recordings are outside of the repository: tests on them are skipped where they are not. Fixtures in the same shapes,
written by us, always run.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slaledger.settings import PROJECT_DIR
from tests.landing import oracle
from tests.landing.bucket import Bucket, monitors, ndjson

RECORDED_DIR = PROJECT_DIR.parent / "shared" / "data"
STATE_LOG = RECORDED_DIR / "upptime_manticore" / "checks.csv"
POLLS = RECORDED_DIR / "statuspage_polls" / "github_summary_polls_2022-03_2022-06.jsonl"
MAINTENANCES = RECORDED_DIR / "statuspage_polls" / "scheduled_maintenances_2020_2022.json"

# A record when the state changes, and one a day: silence of a day and a half is unknown.
STALE_AFTER = timedelta(seconds=129_600)

# In the shape of the state log: columns of its own, milliseconds, a service that is seen once.
OUR_STATE_LOG = """component,checked_at,status,http_code,response_ms,monitored_since,url,commit
shop,2026-08-01T23:24:37.185Z,up,200,84,2020-08-10T07:54:39.000Z,https://shop.example,45eee7df741d
desk,2026-08-02T00:00:00.002Z,up,200,20,2020-08-10T07:54:39.000Z,$SECRET,45eee7df741d
shop,2026-08-02T11:06:25.051Z,down,0,0,2020-08-10T07:54:39.000Z,https://shop.example,2b7f5d1288e2
shop,2026-08-02T11:20:00.000Z,up,200,51,2020-08-10T07:54:39.000Z,https://shop.example,0bb044f470d8
shop,2026-08-03T11:20:01.5Z,up,200,51,2020-08-10T07:54:39.000Z,https://shop.example,0bb044f470d9
shop,2026-08-06T11:20:01.5Z,up,200,51,2020-08-10T07:54:39.000Z,https://shop.example,0bb044f470d9
"""


def reshape(log: str) -> tuple[str, str]:
    """A state log as (catalog of monitors, checks): a monitor a component, one location; other columns stay."""
    rows = list(csv.DictReader(io.StringIO(log)))
    components = sorted({row["component"] for row in rows})
    lines = [f"{component},{component},global,github,86400,129600" for component in components]
    names = list(rows[0])
    checks = io.StringIO()
    writer = csv.writer(checks, lineterminator="\n")
    writer.writerow(["monitor_id", "location", *names[1:]])
    writer.writerows([row["component"], "github", *(row[name] for name in names[1:])] for row in rows)
    return monitors(*lines), checks.getvalue()


def land_state_log(bucket: Bucket, log: str) -> list[tuple]:
    """Land a state log in one object; its merged streaks, checked against brute force."""
    catalog, checks = reshape(log)
    bucket.put("catalog/monitors/upptime.csv", catalog, exported_at="2026-09-01T00:00:00Z")
    bucket.put("monitoring/checks/upptime.csv", checks, exported_at="2026-09-01T00:00:00Z")
    bucket.land()
    rows = list(csv.DictReader(io.StringIO(log)))
    every = [
        ((row["component"], "github"), datetime.fromisoformat(row["checked_at"]).astimezone(UTC), row["status"])
        for row in rows
    ]
    distinct = len(set(every))
    assert bucket.counts("monitoring/checks/upptime.csv") == (
        "loaded",
        None,
        len(rows),
        distinct,
        len(rows) - distinct,
        0,
    )
    stale_after = defaultdict(lambda: STALE_AFTER)
    streaks = bucket.streaks()
    assert streaks == oracle.merged(every, stale_after)
    unknown = bucket.rows("select detail from raw.observations where code = 'unknown_field' order by 1")
    assert [detail.split()[-4].rstrip(":") for (detail,) in unknown] == [
        "commit",
        "http_code",
        "monitored_since",
        "response_ms",
        "url",
    ]
    return streaks


def test_state_log_of_our_own(bucket: Bucket) -> None:
    """Hand-written: a heartbeat a day keeps a state, three days of silence do not."""
    streaks = land_state_log(bucket, OUR_STATE_LOG)
    assert [(row[0], row[2], f"{row[3]:%d %H:%M}", f"{row[4]:%d %H:%M}") for row in streaks] == [
        ("desk", "up", "02 00:00", "02 00:00"),
        ("shop", "up", "01 23:24", "01 23:24"),
        ("shop", "down", "02 11:06", "02 11:06"),
        ("shop", "up", "02 11:20", "03 11:20"),
        ("shop", "up", "06 11:20", "06 11:20"),
    ]


@pytest.mark.skipif(not STATE_LOG.exists(), reason="the recording is not here")
def test_recorded_state_log(bucket: Bucket) -> None:
    """336 real records of 22 components, 47 of them `down`."""
    land_state_log(bucket, STATE_LOG.read_text())
    assert bucket.rows("select sum(n) from raw.check_streaks where status = 'down'") == [(47,)]
    assert bucket.rows("select sum(n), count(distinct monitor_id) from raw.check_streaks") == [(336, 22)]


def poll(at: str, *, incidents: list[dict], maintenances: list[dict]) -> dict:
    """A poll in the recording's shape."""
    body = {
        "page": {"id": "page1", "name": "Ours", "url": "https://x.example", "time_zone": "Etc/UTC", "updated_at": at},
        "components": [{"id": "c1", "name": "Desk", "status": "operational", "group_id": None}],
        "incidents": incidents,
        "scheduled_maintenances": maintenances,
        "status": {"indicator": "minor", "description": "Minor Service Outage"},
    }
    return {"polled_at": at, "commit": "0" * 40, "body": body}


def incident(*, updates: int) -> dict:
    """An open incident with some updates, latest first, as polls show it."""
    return {
        "id": "i1",
        "name": "Desk is slow — \u2028 <b>really</b>",
        "status": "investigating",
        "created_at": "2026-03-04T15:23:34.000Z",
        "updated_at": "2026-03-04T15:30:31.000Z",
        "monitoring_at": None,
        "resolved_at": None,
        "impact": "minor",
        "shortlink": "https://x.example/1",
        "started_at": "2026-03-04T15:23:33.990Z",
        "page_id": "page1",
        "incident_updates": [
            {
                "id": f"u{number}",
                "status": "investigating",
                "body": "We are investigating.",
                "incident_id": "i1",
                "created_at": f"2026-03-04T15:{23 + number}:34.000Z",
                "updated_at": f"2026-03-04T15:{23 + number}:34.000Z",
                "display_at": f"2026-03-04T15:{23 + number}:34.000Z",
                "affected_components": [
                    {"code": "c1", "name": "Desk", "old_status": "operational", "new_status": "operational"}
                ]
                if number % 2
                else None,
                "deliver_notifications": True,
                "custom_tweet": None,
                "tweet_id": None,
            }
            for number in reversed(range(updates))
        ],
        "components": [{"id": "c1", "name": "Desk", "status": "degraded_performance"}],
    }


def maintenance() -> dict:
    """A maintenance as the list shows it, `started_at` before its creation."""
    return {
        **incident(updates=1),
        "id": "w1",
        "status": "in_progress",
        "impact": "maintenance",
        "scheduled_for": "2026-03-06T10:00:00.000Z",
        "scheduled_until": "2026-03-06T12:00:00.000Z",
        "components": [],
        "_last_seen_at": "2026-03-06T10:05:00Z",
        "incident_updates": [
            {**incident(updates=1)["incident_updates"][0], "status": "in_progress", "affected_components": None}
        ],
    }


OUR_POLLS = [
    poll("2026-03-04T15:30:00Z", incidents=[incident(updates=1)], maintenances=[]),
    poll("2026-03-04T15:35:00Z", incidents=[incident(updates=1)], maintenances=[maintenance()]),
    poll("2026-03-04T15:40:00Z", incidents=[incident(updates=3)], maintenances=[maintenance()]),
    poll("2026-03-04T15:45:00Z", incidents=[], maintenances=[maintenance()]),
]


def land_polls(bucket: Bucket, polls: list[dict], maintenances: Path | dict) -> None:
    """An object a poll, exported as it was polled; every incident and maintenance is a row, loaded or duplicate."""
    listed = json.loads(maintenances.read_text()) if isinstance(maintenances, Path) else maintenances
    for number, each in enumerate(polls):
        bucket.put(f"status_page/statuspage/{number}.json", json.dumps(each["body"]), exported_at=each["polled_at"])
    bucket.put("status_page/statuspage/maintenances.json", json.dumps(listed), exported_at="2022-12-01T00:00:00Z")
    counts = bucket.land()
    items = sum(len(each["body"]["incidents"]) + len(each["body"]["scheduled_maintenances"]) for each in polls)
    assert counts.objects == len(polls) + 1
    assert counts.objects_quarantined == counts.rows_quarantined == 0
    assert counts.rows_read == items + len(listed["scheduled_maintenances"])
    assert bucket.rows("select count(*) from raw.incidents") == [(counts.rows_read,)]
    distinct = bucket.rows("select count(distinct row_sha256) from raw.incidents")[0][0]
    assert counts.rows_loaded == distinct, "the same state polled again is a duplicate"
    assert bucket.rows(
        "select kind, exported_at, page_updated_at, incident_ids from raw.status_page_documents "
        "inner join raw.source_objects using (object_id) where kind = 'summary' order by exported_at"
    ) == [
        (
            "summary",
            datetime.fromisoformat(each["polled_at"]),
            datetime.fromisoformat(each["body"]["page"]["updated_at"]),
            [item["id"] for item in each["body"]["incidents"]],
        )
        for each in sorted(polls, key=lambda each: each["polled_at"])
    ]


def test_polls_of_our_own(bucket: Bucket) -> None:
    """Hand-written: one incident in three polls, two of them alike, gone in the fourth."""
    land_polls(bucket, OUR_POLLS, {"scheduled_maintenances": [maintenance()]})
    assert bucket.rows("select count(*), count(*) filter (where is_duplicate) from raw.incidents") == [(7, 3)]
    assert bucket.rows(
        "select jsonb_array_length(updates) from raw.incidents where incident_id = 'i1' and not is_duplicate order by 1"
    ) == [(1,), (3,)]


@pytest.mark.skipif(not POLLS.exists(), reason="the recording is not here")
def test_recorded_polls(bucket: Bucket) -> None:
    """218 real polls (107 incidents, 211 maintenances listed) and 20 real maintenances."""
    with POLLS.open() as file:
        polls = [json.loads(line) for line in file]
    land_polls(bucket, polls, MAINTENANCES)
    assert bucket.rows("select count(*) from raw.incidents") == [(107 + 211 + 20,)]


def test_names_and_texts_stay_in_the_bucket(bucket: Bucket) -> None:
    """No name, text or address of the status page is in any table."""
    land_polls(bucket, OUR_POLLS, {"scheduled_maintenances": []})
    bucket.put("claims/a", ndjson({"claim_id": "c", "service_month": "x", "mail": "ann@example.com"}))
    bucket.land()
    tables = bucket.rows("select table_schema, table_name from information_schema.tables where table_schema in ('raw')")
    from psycopg import sql

    for schema, table in tables:
        query = sql.SQL("select count(*) from {} as found where found::text ~ 'really|investigating\\.|ann@example'")
        assert bucket.rows(query.format(sql.Identifier(schema, table))) == [(0,)], table
