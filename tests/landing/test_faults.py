"""A store that loses or damages what it listed; runs that cross. What it does on the wire: tests/reliability."""

from __future__ import annotations

import pytest

from slaledger import landing, objects, warehouse
from slaledger.feeds.reasons import OBJECT_REASONS
from tests.feeds.test_reasons import OF_THE_STORE
from tests.landing.bucket import Bucket, minutes, monitors, ndjson

ACCOUNTS = "account_id,company_name\n"


def land(bucket: Bucket, run_id: str) -> landing.LandedCounts:
    """Land what a run listed of all feeds but checks."""
    counts = landing.LandedCounts()
    for batch in landing.plan_batches(bucket.settings, run_id=run_id, checks=False):
        counts += landing.land_batch(bucket.settings, batch, run_id=run_id)
    return counts


def lose(bucket: Bucket, key: str) -> None:
    """Delete every version of a key for good."""
    exports = bucket.settings.exports
    for version in objects.list_versions(exports):
        if version.key == key:
            objects.client(exports).delete_object(Bucket=exports.bucket, Key=key, VersionId=version.version_id)


def test_version_gone_since_the_listing_is_quarantined_whole(bucket: Bucket) -> None:
    """The others land."""
    bucket.put("accounts/accounts/a", ACCOUNTS + "a1,K\n")
    bucket.put("accounts/accounts/b", ACCOUNTS + "a2,L\n")
    run_id = bucket.list()
    lose(bucket, "accounts/accounts/a")
    assert land(bucket, run_id) == landing.LandedCounts(objects=2, objects_quarantined=1, rows_read=1, rows_loaded=1)
    assert bucket.rows("select reason_code, sha256 from raw.source_objects where key = 'accounts/accounts/a'") == [
        ("object_unreadable", None)
    ]


def test_body_that_is_not_its_checksum_is_quarantined_whole(bucket: Bucket) -> None:
    """Whole by its length, another by its ETag."""
    bucket.put("accounts/accounts/a", ACCOUNTS + "a1,K\n")
    run_id = bucket.list()
    with warehouse.connect(bucket.settings.warehouse) as connection:
        connection.execute("update audit.listed_objects set etag = repeat('0', 32)")
    assert land(bucket, run_id).objects_quarantined == 1
    assert bucket.counts("accounts/accounts/a")[:2] == ("quarantined", "checksum_mismatch")


def test_codes_of_the_store_are_listed() -> None:
    """Both are reached above."""
    assert OF_THE_STORE == {"object_unreadable", "checksum_mismatch"} <= set(OBJECT_REASONS)


def test_older_listing_does_not_take_a_key_back(bucket: Bucket) -> None:
    """A slow run lands an old version after a quick one has landed the new."""
    bucket.put("accounts/accounts/a", ACCOUNTS + "a1,K\n")
    slow = bucket.list()
    with warehouse.connect(bucket.settings.warehouse) as connection:
        # S3 counts in seconds: this version is to be older by some.
        connection.execute("update audit.listed_objects set last_modified = last_modified - interval '10 seconds'")
    bucket.put("accounts/accounts/a", ACCOUNTS + "a1,L\n")
    quick = bucket.list()
    new = bucket.rows("select object_id::text from audit.listed_objects where run_id = %s and is_latest", [quick])
    assert landing.land_batch(bucket.settings, new[0], run_id=quick).rows_loaded == 1
    assert land(bucket, slow).rows_loaded == 1
    assert bucket.rows(
        "select company_name from raw.accounts inner join raw.source_objects using (object_id) where is_in_force"
    ) == [("L",)]


def test_overlap_with_an_object_that_is_gone_is_named(bucket: Bucket) -> None:
    """Never guessed: settling stops, naming the object that it cannot read."""
    bucket.put("catalog/monitors/a", monitors("m1,dashboard,eu,fra,60,"))
    bucket.put("monitoring/checks/1", ndjson(*minutes(0, 10)))
    bucket.land()
    lose(bucket, "monitoring/checks/1")
    bucket.put("monitoring/checks/2", ndjson(*minutes(5, 15)))
    with pytest.raises(objects.ObjectMissing, match=r"monitoring/checks/1.*upload it again"):
        bucket.land()
    bucket.put("monitoring/checks/1", ndjson(*minutes(0, 10)))
    bucket.land()
    assert len(bucket.streaks()) == 1
