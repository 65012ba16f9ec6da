"""Objects → `raw`: counts reconcile, whatever the bucket holds; each version lands once."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import gzip
import io
import json
import zipfile

import pytest

from slaledger import landing, objects, warehouse
from slaledger.feeds import limits
from slaledger.feeds.registry import FEEDS
from slaledger.landing.listing import batches as by_bytes
from slaledger.landing.rows import land as land_rows
from tests.landing.bucket import Bucket, check, minutes, monitors, ndjson

CLAIM = {"claim_id": "c1", "service_month": "2026-03", "received_at": "2026-04-02T00:00:00Z"}
ACCOUNTS = "account_id,company_name\n"


def test_empty_bucket_lands_nothing(bucket: Bucket) -> None:
    """No object, no row, no error."""
    assert landing.freeze_listing(bucket.settings, run_id="r") == landing.Listing("r", 0, 0)
    assert bucket.land() == landing.LandedCounts()


def test_every_feed_lands(bucket: Bucket) -> None:
    """One sound row of every feed, and each in its table."""
    bucket.put("catalog/monitors/a", monitors("m1,dashboard,eu,fra;ams,60,"))
    bucket.put("catalog/components/a", "component_id,name,service,region\nc1,C,dashboard,eu\n")
    bucket.put("monitoring/checks/a", ndjson(check("00:00:00", "down")))
    bucket.put(
        "status_page/statuspage/a",
        '{"page": {"id": "p"}, "incidents": [{"id": "i", "status": "investigating", "impact": "critical", '
        '"created_at": "2026-03-01T00:00:00Z", "incident_updates": []}]}',
        complete="true",
    )
    bucket.put(
        "notices/a",
        '{"notice_id": "n", "maintenance_id": "w", "action": "cancel", "channel": "email", '
        '"sent_at": "2026-03-01T00:00:00Z", "component_ids": ["c1"]}',
    )
    bucket.put(
        "exclusions/a",
        '{"exclusion_id": "x", "category": "force_majeure", "starts_at": "2026-03-01T00:00:00Z", '
        '"ends_at": "2026-03-01T01:00:00Z", "author": "ann", "services": ["dashboard"]}',
    )
    bucket.put(
        "tickets/events/a",
        '{"ticket_id": "t", "event_id": "e", "at": "2026-03-01T00:00:00Z", "type": "created", "actor": "customer"}',
    )
    bucket.put(
        "tickets/zendesk/a",
        '{"tickets": [{"id": 1, "created_at": "2026-03-01T00:00:00Z"}], '
        '"ticket_events": [{"id": 2, "ticket_id": 1, "created_at": "2026-03-01T00:00:00Z", "child_events": []}], '
        '"users": [{"id": 3, "role": "agent"}]}',
    )
    bucket.put("accounts/accounts/a", ACCOUNTS + "a1,Kä GmbH\n")
    bucket.put(
        "accounts/contracts/a",
        '{"contract_id": "k", "account_id": "a1", "plan": "enterprise", "terms_id": "klink-enterprise", '
        '"region": "eu", "starts_at": "2026-01-01T00:00:00Z", "active_agreement": true, '
        '"suspensions": [{"starts_at": "2026-02-01T00:00:00Z", "ends_at": "2026-02-02T00:00:00Z"}]}',
    )
    bucket.put("accounts/fees/a", "contract_id,service_month,monthly_fee,currency\nk,2026-03,1000.10,USD\n")
    bucket.put("claims/a", ndjson({**CLAIM, "incident_timeline": [{"starts_at": "2026-03-01T00:00:00Z"}]}))
    bucket.put("terms/a", "id: t\nversion: '1'\neffective_from: 2026-01-01T00:00:00Z\nextends: klink-enterprise\n")
    assert bucket.land() == landing.LandedCounts(objects=13, rows_read=15, rows_loaded=15)
    tables = (
        "monitors",
        "components",
        "check_streaks",
        "incidents",
        "status_page_documents",
        "notices",
        "exclusions",
        "ticket_events",
        "zendesk_tickets",
        "zendesk_ticket_events",
        "zendesk_users",
        "accounts",
        "contracts",
        "fees",
        "claims",
        "terms",
    )
    for table in tables:
        assert len(bucket.rows(f"select * from raw.{table}")) == 1, table
    assert bucket.rows("select company_key from raw.accounts") == [("kägmbh",)]
    assert bucket.rows("select monthly_fee::text from raw.fees") == [("1000.10",)]
    assert bucket.rows("select is_complete from raw.source_objects where feed = 'status_page/statuspage'") == [(True,)]
    assert bucket.rows("select count(*) from raw.source_objects where exported_at = '2026-04-01'") == [(13,)]


def test_version_lands_once(bucket: Bucket) -> None:
    """A second run, and a repeat of the same task, do nothing."""
    bucket.put("claims/a", ndjson(CLAIM))
    run_id = bucket.list()
    (batch,) = landing.plan_batches(bucket.settings, run_id=run_id, checks=False)
    assert landing.land_batch(bucket.settings, batch, run_id=run_id).rows_loaded == 1
    assert landing.land_batch(bucket.settings, batch, run_id=run_id) == landing.LandedCounts()
    assert bucket.land() == landing.LandedCounts()
    assert bucket.rows("select count(*) from raw.claims") == [(1,)]


def test_twice_at_once_lands_once(bucket: Bucket) -> None:
    """Eight tasks land the same objects at once: each object once, none fails."""
    bucket.put("catalog/monitors/a", monitors("m1,dashboard,eu,fra,60,"))
    bucket.land()
    for number in range(4):
        bucket.put(f"claims/{number}", ndjson({**CLAIM, "claim_id": str(number)}))
        bucket.put(f"monitoring/checks/{number}", ndjson(*minutes(10 * number, 10 * number + 10)))
    run_id = bucket.list()
    ids = [
        identity
        for checks in (False, True)
        for batch in landing.plan_batches(bucket.settings, run_id=run_id, checks=checks)
        for identity in batch
    ]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        tasks = [pool.submit(landing.land_batch, bucket.settings, ids, run_id=run_id) for _ in range(8)]
        counts = [task.result() for task in tasks]
    assert sum(count.objects for count in counts) == 8
    assert bucket.rows("select count(*) from raw.claims") == [(4,)]
    assert bucket.rows("select sum(n) from raw.check_streaks") == [(40,)]


def test_killed_between_leaves_nothing_half_done(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the rows, before the end: the object is as if never seen, and lands next time."""
    bucket.put("accounts/accounts/a", ACCOUNTS + "a1,K\na2\n")

    def die(*arguments, **named):
        land_rows(*arguments, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("slaledger.landing.rows.land", die)
        with pytest.raises(KeyboardInterrupt):
            bucket.land()
    for table in ("source_objects", "accounts", "quarantined_rows", "observations"):
        assert bucket.rows(f"select * from raw.{table}") == [], table
    assert bucket.land() == landing.LandedCounts(objects=1, rows_read=2, rows_loaded=1, rows_quarantined=1)


def test_first_listing_of_a_run_stands(bucket: Bucket) -> None:
    """A retried task lists nothing anew: what came later is the next run's."""
    bucket.put("claims/a", ndjson(CLAIM))
    assert landing.freeze_listing(bucket.settings, run_id="r").objects == 1
    bucket.put("claims/b", ndjson(CLAIM))
    assert landing.freeze_listing(bucket.settings, run_id="r").objects == 1
    assert landing.freeze_listing(bucket.settings, run_id="s").objects == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (gzip.compress(ndjson(CLAIM) * 1000, mtime=0)[:-20], "gzip_truncated"),
        (gzip.compress(bytes(1 << 20), mtime=0) * 100, "inflate_limit"),
        ("zip", "wrong_format"),
        ("[]", "not_ndjson"),
    ],
)
def test_unreadable_object_is_quarantined_whole(bucket: Bucket, body: bytes | str, code: str) -> None:
    """It shows in `raw.source_objects` alone; the others land."""
    if body == "zip":
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("claims.ndjson", ndjson(CLAIM))
        body = archive.getvalue()
    bucket.put("claims/a", body)
    bucket.put("claims/b", ndjson(CLAIM))
    assert bucket.land() == landing.LandedCounts(objects=2, objects_quarantined=1, rows_read=1, rows_loaded=1)
    assert bucket.counts("claims/a") == ("quarantined", code, 0, 0, 0, 0)
    assert bucket.rows("select * from raw.quarantined_rows") == []
    assert bucket.rows("select count(*) from raw.claims") == [(1,)]


def test_object_that_breaks_late_leaves_no_row(bucket: Bucket) -> None:
    """Thousands of good rows before the damage: none of them stays."""
    rows = b"".join(ndjson({**CLAIM, "claim_id": str(number)}) for number in range(5000))
    bucket.put("claims/a", gzip.compress(rows, mtime=0)[:-30])
    bucket.put("accounts/accounts/a", ACCOUNTS + "a1,K\n" * 5000 + 'a2,"K\n')
    bucket.land()
    assert bucket.counts("claims/a")[:2] == ("quarantined", "gzip_truncated")
    assert bucket.counts("accounts/accounts/a")[:2] == ("quarantined", "csv_quotes")
    assert bucket.rows("select count(*) from raw.claims") == [(0,)]
    assert bucket.rows("select count(*) from raw.accounts") == [(0,)]


def test_zero_bytes_are_an_export_of_no_rows(bucket: Bucket) -> None:
    """Recorded, loaded, with its instant: not the same as none."""
    for feed in FEEDS:
        bucket.put(f"{feed}/empty", b"")
        bucket.put(f"{feed}/empty.gz", gzip.compress(b"", mtime=0))
    bucket.land()
    assert bucket.rows("select distinct status, rows_read from raw.source_objects") == [("loaded", 0)]
    assert bucket.rows("select count(*) from raw.source_objects") == [(2 * len(FEEDS),)]


def test_bad_rows_do_not_cost_the_others(bucket: Bucket) -> None:
    """Each is quarantined with its line and reason; rows read = loaded + duplicate + quarantined."""
    body = ndjson(CLAIM) + b"{\n\n" + ndjson(CLAIM) + b'{"claim_id": "\\u0000"}\n' + ndjson({**CLAIM, "claim_id": ""})
    bucket.put("claims/a", b"\xef\xbb\xbf" + body.replace(b"\n", b"\r\n"))
    bucket.land()
    assert bucket.counts("claims/a") == ("loaded", None, 5, 1, 1, 3)
    assert bucket.rows("select line_number, reason_code from raw.quarantined_rows order by 1") == [
        (2, "invalid_json"),
        (5, "nul_character"),
        (6, "missing_field"),
    ]


def test_many_rows_land_in_chunks(bucket: Bucket) -> None:
    """Duplicates are told across chunks."""
    bucket.put("accounts/accounts/a", ACCOUNTS + "".join(f"a{number % 4000},K\n" for number in range(5000)) + "a\n")
    bucket.land()
    assert bucket.counts("accounts/accounts/a") == ("loaded", None, 5001, 4000, 1000, 1)


def test_copy_counts_as_duplicates_and_speaks_for_itself(bucket: Bucket) -> None:
    """Its rows are stored as of its own object, and marked; a bad row is quarantined in each."""
    bucket.put("claims/a", ndjson(CLAIM) + b"{\n", exported_at="2026-04-01T00:00:00Z")
    bucket.land()
    bucket.put("claims/b", ndjson(CLAIM) + b"{\n", exported_at="2026-04-03T00:00:00Z")
    bucket.land()
    assert bucket.counts("claims/a") == ("loaded", None, 2, 1, 0, 1)
    assert bucket.counts("claims/b") == ("loaded", None, 2, 0, 1, 1)
    assert bucket.rows(
        "select key, is_duplicate, exported_at::date::text from raw.claims inner join raw.source_objects "
        "using (object_id) order by key"
    ) == [("claims/a", False, "2026-04-01"), ("claims/b", True, "2026-04-03")]


def test_overwritten_key_is_in_force_by_its_latest_version(bucket: Bucket) -> None:
    """The old version stays on record, and out of force; going back puts other bytes in force."""
    for name in ("K", "L", "K"):
        bucket.put("accounts/accounts/a", ACCOUNTS + f"a1,{name}\n")
        bucket.land()
        (in_force,) = bucket.rows(
            "select company_name from raw.accounts inner join raw.source_objects using (object_id) where is_in_force"
        )
        assert in_force == (name,)
    assert bucket.rows("select count(*), count(*) filter (where is_in_force) from raw.source_objects") == [(3, 1)]


def test_versions_overwritten_before_the_first_run_are_on_record(bucket: Bucket) -> None:
    """Both land in one run; the latest alone is in force."""
    bucket.put("accounts/accounts/a", ACCOUNTS + "a1,K\n")
    bucket.put("accounts/accounts/a", ACCOUNTS + "a1,L\n")
    bucket.land()
    assert bucket.rows(
        "select company_name, is_in_force from raw.accounts inner join raw.source_objects using (object_id) order by 1"
    ) == [("K", False), ("L", True)]


def test_quarantined_version_supersedes_all_the_same(bucket: Bucket) -> None:
    """Of a key only the latest version is in force, readable or not."""
    bucket.put("claims/a", ndjson(CLAIM))
    bucket.land()
    bucket.put("claims/a", b"PK\x03\x04")
    bucket.land()
    assert bucket.counts("claims/a") == ("quarantined", "wrong_format", 0, 0, 0, 0)


def test_deleted_key_stays_in_force_with_a_warning(bucket: Bucket) -> None:
    """Whether it was deleted before or after it landed; uploaded again, the warning goes."""
    bucket.put("claims/a", ndjson(CLAIM))
    bucket.put("claims/b", ndjson({**CLAIM, "claim_id": "c2"}))
    bucket.delete("claims/b")
    bucket.land()
    bucket.delete("claims/a")
    bucket.land()
    query = "select subject from raw.observations where code = 'source_deleted' order by 1"
    assert bucket.rows(query) == [("claims/a",), ("claims/b",)]
    assert bucket.rows("select is_in_force, is_deleted from raw.source_objects") == [(True, True)] * 2
    bucket.put("claims/a", ndjson(CLAIM))
    bucket.land()
    assert bucket.rows(query) == [("claims/b",)]
    assert bucket.rows("select is_deleted from raw.source_objects where key = 'claims/a' order by 1") == [
        (False,),
        (True,),
    ]


def test_strays_are_reported(bucket: Bucket) -> None:
    """A key below no feed; our own drop is none of landing's business."""
    bucket.put("claim/a", b"x")
    bucket.put("tickets/a", b"{}")
    bucket.put("billing/credits/2026-03/manifest.json", b"{}")
    bucket.put("claims/", b"")
    bucket.land()
    assert bucket.rows("select code, subject, object_id from raw.observations order by 2") == [
        ("unknown_prefix", "claim/a", None),
        ("unknown_prefix", "tickets/a", None),
    ]
    assert bucket.rows("select * from raw.source_objects") == []
    bucket.delete("claim/a")
    bucket.land()
    assert bucket.rows("select subject from raw.observations") == [("tickets/a",)]


def test_metadata_that_cannot_be_read_is_reported(bucket: Bucket) -> None:
    """LastModified holds instead."""
    bucket.put("claims/a", ndjson(CLAIM), exported_at="yesterday", complete="yes")
    bucket.put("claims/b", ndjson(CLAIM), exported_at=None)
    bucket.land()
    assert bucket.rows("select code, subject, split_part(detail, ' ', 1) from raw.observations order by 3") == [
        ("malformed_metadata", "claims/a", "complete"),
        ("malformed_metadata", "claims/a", "exported-at"),
    ]
    assert bucket.rows("select distinct exported_at = last_modified, is_complete from raw.source_objects") == [
        (True, False)
    ]


def test_hostile_keys_are_only_names(bucket: Bucket) -> None:
    """No path, no SQL, no control character is made of a key."""
    keys = ["claims/..%2f..%2fetc", "claims/'; drop table raw.claims; --", "claims/é\n\u2028", "claims/" + "x" * 200]
    for number, key in enumerate(keys):
        bucket.put(key, ndjson({**CLAIM, "claim_id": str(number)}))
        bucket.delete(key)
    assert bucket.land().rows_loaded == 4
    assert {key for (key,) in bucket.rows("select key from raw.source_objects")} == set(keys)
    assert all(subject.isprintable() for (subject,) in bucket.rows("select subject from raw.observations"))


def test_batches_go_by_bytes(bucket: Bucket) -> None:
    """No batch over its share, no object left out; a big object has a batch of its own."""
    sizes = [("big", 100 << 20), *((f"small{number}", 1 << 20) for number in range(100))]
    batches = by_bytes(sizes)
    assert batches[0] == ["big"]
    assert [identity for batch in batches for identity in batch] == [identity for identity, _ in sizes]
    assert len(batches) <= 4
    assert by_bytes([]) == []
    assert len(by_bytes([(str(number), 300_000) for number in range(31)])) <= 4


def test_bucket_without_versions_lands_too(bucket: Bucket) -> None:
    """An overwritten object is another version, told by content and time."""
    name = f"{bucket.settings.exports.bucket}-plain"
    objects.client(bucket.settings.exports).create_bucket(Bucket=name)
    exports = dataclasses.replace(bucket.settings.exports, bucket=name)
    bucket = Bucket(dataclasses.replace(bucket.settings, exports=exports))
    for name in ("K", "L"):
        bucket.put("accounts/accounts/a", ACCOUNTS + f"a1,{name}\n")
        assert bucket.land().rows_loaded == 1
    assert bucket.rows(
        "select company_name from raw.accounts inner join raw.source_objects using (object_id) where is_in_force"
    ) == [("L",)]


def test_services_that_do_not_answer_are_named(bucket: Bucket) -> None:
    """The address, and what to do; no password."""
    dead = dataclasses.replace(bucket.settings.exports, endpoint_url="http://127.0.0.1:9")
    with pytest.raises(objects.S3Unreachable, match=r"http://127.0.0.1:9 does not answer .*sla status"):
        landing.freeze_listing(dataclasses.replace(bucket.settings, exports=dead), run_id="r")
    missing = dataclasses.replace(bucket.settings.exports, bucket="no-such-bucket")
    with pytest.raises(objects.S3Refused, match="no-such-bucket"):
        landing.freeze_listing(dataclasses.replace(bucket.settings, exports=missing), run_id="r")
    closed = dataclasses.replace(bucket.settings.warehouse, port=9)
    with pytest.raises(warehouse.WarehouseUnreachable, match=r"127\.0\.0\.1:9"):
        landing.freeze_listing(dataclasses.replace(bucket.settings, warehouse=closed), run_id="r")


def test_months_that_a_run_touches(bucket: Bucket) -> None:
    """Those that its objects speak of, also where a zone is ahead; none where nothing came."""
    bucket.put(
        "accounts/contracts/a",
        '{"contract_id": "k", "account_id": "a1", "plan": "enterprise", "terms_id": "klink-enterprise", '
        '"region": "eu", "starts_at": "2026-01-10T00:00:00Z", "active_agreement": true}',
        exported_at="2026-05-10T00:00:00Z",
    )
    bucket.land()
    assert landing.touched_months(bucket.settings, run_id="run_1") == [
        "2026-01",
        "2026-02",
        "2026-03",
        "2026-04",
        "2026-05",
    ]
    bucket.land()
    assert landing.touched_months(bucket.settings, run_id="run_2") == []
    bucket.put("accounts/fees/a", "contract_id,service_month,monthly_fee,currency\nk,2026-03,1,USD\n")
    bucket.land()
    assert landing.touched_months(bucket.settings, run_id="run_3") == ["2026-03"]
    bucket.put(
        "exclusions/a",
        '{"exclusion_id": "x", "category": "force_majeure", "starts_at": "2026-03-31T20:00:00Z", '
        '"ends_at": "2026-03-31T21:00:00Z", "author": "ann"}',
    )
    bucket.land()
    assert landing.touched_months(bucket.settings, run_id="run_4") == ["2026-03", "2026-04"]
    for status, run_id, until in (("resolved", "run_5", "2026-02"), ("identified", "run_6", "2026-05")):
        bucket.put(
            "status_page/statuspage/a",
            f'{{"page": {{"id": "p"}}, "incidents": [{{"id": "i", "status": "{status}", "impact": "critical", '
            '"created_at": "2026-02-10T00:00:00Z", "resolved_at": "2026-02-10T01:00:00Z"}]}',
        )
        bucket.land()
        touched = landing.touched_months(bucket.settings, run_id=run_id)
        # Reopened, it is open as long as anything was exported.
        assert (touched[0], until in touched, len(touched) > 1) == ("2026-02", True, status == "identified")


def test_months_that_another_word_on_the_same_thing_touches(bucket: Bucket) -> None:
    """What a row said before, its other dates, and what a list says by silence."""

    def exclusion(month: str) -> str:
        row = {"exclusion_id": "x", "category": "force_majeure", "author": "ann"}
        return json.dumps({**row, "starts_at": f"2026-{month}-10T00:00:00Z", "ends_at": f"2026-{month}-11T00:00:00Z"})

    def incident(incident_id: str, month: str, *updates: tuple[str, str], **given: str) -> dict[str, object]:
        created_at = f"2026-{month}-10T00:00:00Z"
        told = [{"id": at, "status": status, "created_at": at} for at, status in updates]
        row = {"id": incident_id, "status": "resolved", "impact": "none", "created_at": created_at}
        return {**row, "resolved_at": created_at, "incident_updates": told, **given}

    def touched(key: str, body: str, **metadata: str) -> list[str]:
        bucket.put(key, body, **metadata)
        bucket.land()
        runs = bucket.rows("select run_id from raw.source_objects order by landed_at desc limit 1")
        return landing.touched_months(bucket.settings, run_id=runs[0][0])

    def page(*incidents: object, **more: object) -> str:
        return json.dumps({"page": {"id": "p", "updated_at": "2026-06-10T00:00:00Z"}, "incidents": incidents, **more})

    # A later row for the same key, in another object; and a row that its key's latest version lacks.
    assert touched("exclusions/a", exclusion("02"), exported_at="2026-07-01T00:00:00Z") == ["2026-02"]
    assert touched("exclusions/b", exclusion("04"), exported_at="2026-07-02T00:00:00Z") == ["2026-02", "2026-04"]
    assert touched("exclusions/b", "", exported_at="2026-07-03T00:00:00Z") == ["2026-02", "2026-04"]
    # An update long before the start, and a `resolved` one long after `resolved_at`.
    spread = incident("i1", "03", ("2026-01-20T00:00:00Z", "investigating"), ("2026-05-20T00:00:00Z", "resolved"))
    months = ["2026-01", "2026-02", "2026-03", "2026-04", "2026-05"]
    assert touched("status_page/statuspage/a", page(spread), exported_at="2026-07-01T00:00:00Z") == months
    # A list that lacks it says nothing, unless it is complete; the same silence again is no news.
    other = page(incident("i2", "06"))
    assert touched("status_page/statuspage/b", other, exported_at="2026-07-02T00:00:00Z") == ["2026-06"]
    complete = {"exported_at": "2026-07-03T00:00:00Z", "complete": "true"}
    assert touched("status_page/statuspage/c", other, **complete) == [*months, "2026-06"]
    complete["exported_at"] = "2026-07-04T00:00:00Z"
    assert touched("status_page/statuspage/d", other, **complete) == ["2026-06"]
    # A summary that lacks one that was open.
    still_open = incident("i3", "05", status="investigating")
    listing = page(incident("i2", "06"), still_open)
    until_now = ["2026-05", "2026-06", "2026-07"]
    assert touched("status_page/statuspage/e", listing, exported_at="2026-07-05T00:00:00Z") == until_now
    summary = page(status={}, scheduled_maintenances=[])
    assert touched("status_page/statuspage/f", summary, exported_at="2026-07-06T00:00:00Z") == until_now


def test_object_over_the_limit_is_not_read(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit on objects holds, here a lower one: what is exactly of it is read."""
    body = json.dumps(CLAIM) + "\n"
    bucket.put("claims/a", body)
    bucket.put("claims/b", body + " ")
    monkeypatch.setattr(limits, "MAX_OBJECT_BYTES", len(body))
    bucket.land()
    assert bucket.counts("claims/a") == ("loaded", None, 1, 1, 0, 0)
    assert bucket.counts("claims/b") == ("quarantined", "object_too_large", 0, 0, 0, 0)
