"""A store that loses, damages or cuts off what it listed; runs that cross."""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

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


@contextmanager
def cutting_proxy(target: tuple[str, int], *, cuts: int) -> Iterator[str]:
    """A proxy that breaks off the first answers after 100 KiB; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    left = [cuts]

    def pump(source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        passed = 0
        with suppress(OSError):
            while (chunk := source.recv(1 << 14)) and (limit is None or passed < limit):
                sink.sendall(chunk)
                passed += len(chunk)
        left[0] -= limit is not None and passed >= limit
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()

    def serve() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(target)
            limit = 100 << 10 if left[0] > 0 else None
            threading.Thread(target=pump, args=(near, far, None), daemon=True).start()
            threading.Thread(target=pump, args=(far, near, limit), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


@pytest.mark.parametrize(("cuts", "is_read"), [(2, True), (99, False)])
def test_body_that_breaks_off_is_read_again(bucket: Bucket, cuts: int, is_read: bool) -> None:
    """A few times; then the address is named, and nothing is landed: the next run tries again."""
    bucket.put("accounts/accounts/a", ACCOUNTS + "".join(f"a{number},{'K' * 100}\n" for number in range(3000)))
    run_id = bucket.list()
    exports = bucket.settings.exports
    address = urlsplit(exports.endpoint_url)
    with cutting_proxy((address.hostname, address.port), cuts=cuts) as proxy:
        through = Bucket(dataclasses.replace(bucket.settings, exports=dataclasses.replace(exports, endpoint_url=proxy)))
        if is_read:
            assert land(through, run_id).rows_loaded == 3000
        else:
            with pytest.raises(objects.S3Unreachable, match=proxy):
                land(through, run_id)
            assert bucket.rows("select * from raw.source_objects") == []
            assert land(bucket, run_id).rows_loaded == 3000


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
