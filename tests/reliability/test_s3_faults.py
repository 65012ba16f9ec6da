"""S3 slows down, breaks off, lies: what lands is right to the last byte, or nothing does and the error says why."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
import uuid
from collections.abc import Collection, Iterator
from random import Random

import pytest

from slaledger import delivery, landing, ledger, objects, warehouse
from slaledger.feeds.registry import FEEDS
from slaledger.landing import listing as planning
from slaledger.ledger.chain import read_lines_between
from slaledger.ledger.postings import Posting
from slaledger.objects import bodies, listing
from slaledger.settings import Settings
from tests.landing.bucket import Bucket
from tests.ledger import books
from tests.reliability.every_feed import BODIES, put_every_feed
from tests.reliability.s3_world import (
    ATTEMPTS,
    OF_BODIES,
    OF_LISTINGS,
    OF_MANIFESTS,
    OF_PUTS,
    REQUESTS,
    Outbox,
    World,
    check_drop,
    check_healed,
    check_listing,
    check_refused,
)
from tests.reliability.scale import scaled
from tests.support import faulty_s3
from tests.support.buckets import empty_bucket
from tests.support.faulty_s3 import Strike

of_bodies = pytest.mark.parametrize("strike", OF_BODIES, ids=lambda strike: strike.__name__)
of_listings = pytest.mark.parametrize("strike", OF_LISTINGS, ids=lambda strike: strike.__name__)
seeded = scaled("seeds", every_push=2, deep=20)


@pytest.fixture(scope="module")
def world(fresh_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("temporary")
    before, tempfile.tempdir = tempfile.tempdir, str(directory)
    put_every_feed(Bucket(fresh_settings))
    exports = dataclasses.replace(fresh_settings.exports, requests=REQUESTS)
    with faulty_s3.faulty_s3(exports, Random()) as (through, faults):
        bucket = Bucket(dataclasses.replace(fresh_settings, exports=through))
        tables = bucket.rows(
            "select table_name from information_schema.columns where table_schema = 'raw' "
            "and column_name = 'object_id' and table_name <> 'source_objects'"
        )
        any_rows = " union all ".join(f"select '{table}' from raw.{table}" for (table,) in tables)
        made = World(bucket, faults, directory, any_rows)
        made.land()
        made.reads = faults.keys_asked("get")
        assert made.reads.keys() == BODIES.keys()
        assert max(made.reads.values()) > 1, "no object is read again to settle it"
        made.faultless, made.whole = made.held(), made.listed()
        assert made.bucket.rows("select distinct feed, status from raw.source_objects order by 1") == sorted(
            (feed, "loaded") for feed in FEEDS
        )
        yield made
    tempfile.tempdir = before


@pytest.fixture(scope="module")
def outbox(warehouse_server, world: World, tmp_path_factory: pytest.TempPathFactory) -> Outbox:
    template = warehouse_server.ensure_database(f"outbox_{uuid.uuid4().hex[:12]}")
    warehouse.migrate(template)
    settings = dataclasses.replace(world.bucket.settings, warehouse=template, home=tmp_path_factory.mktemp("outbox"))
    books.publish_terms(settings)
    run_id = books.build(settings, books.AccountMonth(), books.AccountMonth(contract_id="K-2", currency="EUR"))
    books.validate(settings, run_id)
    ledger.post_month(settings, run_id=run_id)
    made = Outbox(settings, run_id, world.faults, {})
    delivery.deliver(settings, run_id=run_id)
    with warehouse.connect(template) as connection:
        # These tests forget a delivery, which nobody else may.
        connection.execute("alter table billing.deliveries disable trigger all")
    made.deliver()
    made.dropped = made.bodies()
    assert len(made.dropped) == 4  # CSV, Parquet, manifest, anchor
    return made


@seeded
@of_bodies
def test_a_spoiled_body_is_refused_by_name_and_read_again(
    world: World, strike: Strike, seeds: int, seed: int, figure
) -> None:
    for number in range(seeds):
        chance = Random(f"{seed}.{number}")
        check_refused(world, strike, chance, OF_BODIES[strike])
        check_healed(world, strike, chance)
    figure(f"{seeds} x {len(BODIES)} objects of all feeds: for good, then one reading of each")


@seeded
def test_a_slow_body_lands_and_one_too_slow_is_refused(world: World, seeds: int, seed: int, figure) -> None:
    exports = world.bucket.settings.exports
    hasty = dataclasses.replace(exports, requests=dataclasses.replace(REQUESTS, total_seconds=0.15))
    bucket = Bucket(dataclasses.replace(world.bucket.settings, exports=hasty), runs=world.bucket.runs)
    for number in range(seeds):
        chance = Random(f"{seed}.{number}")
        check_refused(dataclasses.replace(world, bucket=bucket), faulty_s3.slow, chance, objects.S3Unreachable)
        check_healed(world, faulty_s3.slow, chance)
    figure(f"{seeds} x {len(BODIES)} objects of all feeds: too slow for good, then one reading of each slow in time")


@seeded
@of_listings
def test_a_spoiled_listing_is_whole_or_refused(world: World, strike: Strike, seeds: int, seed: int, figure) -> None:
    for number in range(seeds):
        check_listing(world, strike, Random(f"{seed}.{number}"), is_for_good=False)
    # What both listings lack alike for good, nobody can know of.
    if strike is not faulty_s3.page_lacks_keys:
        check_listing(world, strike, Random(seed), is_for_good=True)
    figure(f"{seeds} once, 1 for good")


@seeded
def test_what_changes_between_listing_and_reading_waits_for_the_next_run(
    world: World, seeds: int, seed: int, figure
) -> None:
    """Overwritten, or deleted: the versions that were listed land, and the next run takes the rest."""
    exports, kept = world.bucket.settings.exports, {row[2] for row in world.whole}
    fates = []
    for number in range(seeds):
        # Half of them one way, and with the next seed the other.
        if number % 2 == 0:
            overwritten = set(Random(f"{seed}.{number}").sample(sorted(BODIES), len(BODIES) // 2))
        else:
            overwritten = BODIES.keys() - overwritten
        fates += [(key, key in overwritten) for key in BODIES]
        try:
            check_changed(world, overwritten)
        finally:
            # The bucket as the other tests have it.
            world.faults.heal()
            empty_bucket(exports, kept=kept)
    check_listing(world, faulty_s3.slow_down, Random(1), is_for_good=False)
    assert len(set(fates)) == 2 * len(BODIES)
    figure(f"{len(fates)} objects of all feeds, each overwritten and deleted between the listing and its reading")


def check_changed(world: World, overwritten: Collection[str]) -> None:
    """These are overwritten after the listing, all others deleted."""
    world.reset()
    run_id = world.bucket.list()
    ids = [row[0] for row in world.bucket.rows("select object_id::text from audit.listed_objects order by key")]
    for key in BODIES:
        if key in overwritten:
            world.bucket.put(key, "{}\n")
        else:
            world.bucket.delete(key)
    for identity in ids:
        world.land_one(identity, run_id)
    landing.settle_checks(world.bucket.settings, run_id=run_id)
    world.require_faultless()
    world.land()
    versions = world.bucket.rows(
        "select key, count(*), bool_or(is_deleted) from raw.source_objects group by key order by key"
    )
    assert versions == [(key, 2 if key in overwritten else 1, key not in overwritten) for key in sorted(BODIES)]


def test_a_body_that_is_another_when_it_is_read_again_is_refused(world: World) -> None:
    """Of an upload in parts S3 states no checksum of the whole: what was read at first tells."""
    key, exports = "monitoring/checks/1.ndjson", world.bucket.settings.exports
    client = objects.client(exports)
    try:
        upload = client.create_multipart_upload(Bucket=exports.bucket, Key=key)
        whole = {"Bucket": exports.bucket, "Key": key, "UploadId": upload["UploadId"]}
        part = client.upload_part(**whole, PartNumber=1, Body=BODIES[key])
        client.complete_multipart_upload(**whole, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        world.reset()
        run_id = world.bucket.list()
        for (identity,) in world.bucket.rows("select object_id::text from audit.listed_objects order by key"):
            world.land_one(identity, run_id)
        assert world.bucket.rows("select status from raw.source_objects where key = %s and is_in_force", [key]) == [
            ("loaded",)
        ]
        world.faults.spoil(faulty_s3.other_bytes, "get", times=None, after={key: 0})
        with pytest.raises(objects.ObjectCorrupt, match="not the one that was read before"):
            landing.settle_checks(world.bucket.settings, run_id=run_id)
        world.faults.heal()
        assert landing.settle_checks(world.bucket.settings, run_id=run_id) > 0
    finally:
        world.faults.heal()
        empty_bucket(exports, kept={row[2] for row in world.whole})


@seeded
@pytest.mark.parametrize(
    ("kind", "strikes"), [("put", OF_PUTS), ("get", OF_MANIFESTS)], ids=["putting", "reading_the_manifest"]
)
def test_a_spoiled_drop_is_whole_or_none(
    outbox: Outbox, kind: str, strikes: tuple[Strike, ...], seeds: int, seed: int, figure
) -> None:
    for strike in strikes:
        for number in range(seeds):
            check_drop(outbox, strike, kind, Random(f"{seed}.{number}"), is_for_good=False)
        check_drop(outbox, strike, kind, Random(seed), is_for_good=True)
    figure(f"{len(strikes)} faults: {seeds} once, 1 for good")


def saved_unchecked(answer, file, key, *, size_bytes, until) -> str:
    """A body as it comes."""
    with answer["Body"] as body:
        content = b"".join(iter(lambda: body.read1(1 << 16), b""))
    file.write(content)
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "strike", [faulty_s3.truncated, faulty_s3.short_length, faulty_s3.flipped, faulty_s3.wrong_checksum]
)
def test_bodies_that_nobody_checks_are_caught(world: World, strike: Strike, monkeypatch) -> None:
    monkeypatch.setattr(bodies, "_save", saved_unchecked)
    with pytest.raises(AssertionError):
        check_refused(world, strike, Random(1), OF_BODIES[strike])


def test_a_body_that_is_asked_for_once_is_caught(world: World) -> None:
    exports = world.bucket.settings.exports
    once = dataclasses.replace(exports, requests=dataclasses.replace(REQUESTS, attempts=1))
    bucket = Bucket(dataclasses.replace(world.bucket.settings, exports=once), runs=world.bucket.runs)
    world.reset()
    with pytest.raises(objects.S3Unreachable):
        check_healed(dataclasses.replace(world, bucket=bucket), faulty_s3.slow_down, Random(1))


def test_asking_without_end_is_caught(world: World) -> None:
    exports = world.bucket.settings.exports
    stubborn = dataclasses.replace(exports, requests=dataclasses.replace(REQUESTS, attempts=ATTEMPTS + 1))
    bucket = Bucket(dataclasses.replace(world.bucket.settings, exports=stubborn), runs=world.bucket.runs)
    with pytest.raises(AssertionError, match="asked 4 times"):
        check_refused(dataclasses.replace(world, bucket=bucket), faulty_s3.slow_down, Random(1), objects.S3Unreachable)


def test_quarantine_for_good_of_what_s3_did_not_give_is_caught(world: World, monkeypatch) -> None:
    check_refused(world, faulty_s3.not_found, Random(1), "object_unreadable")
    monkeypatch.setattr(planning, "OF_THE_STORE", ())
    with pytest.raises(AssertionError):
        check_healed(world, faulty_s3.not_found, Random(1))


def test_a_listing_that_nobody_holds_against_another_is_caught(world: World, monkeypatch) -> None:
    def naive(exports, **_):
        found, markers, asked = [], set(), {}
        while True:
            page = objects.client(exports).list_object_versions(
                Bucket=exports.bucket, MaxKeys=exports.requests.page_keys, **asked
            )
            found += page.get("Versions", ())
            if not page["IsTruncated"]:
                return listing._versions(found, markers)
            asked = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    monkeypatch.setattr(listing, "_list", naive)
    with pytest.raises(AssertionError):
        check_listing(world, faulty_s3.page_called_last, Random(1), is_for_good=True)


@pytest.mark.parametrize("first", ["record", "manifest"])
def test_a_drop_in_another_order_is_caught(outbox: Outbox, monkeypatch, first: str) -> None:
    """Planted: it is on record, or its manifest is there, before its files; of the same lines, and whole in the end."""

    def drop(settings: Settings, posting: Posting) -> list[str]:
        with warehouse.connect(settings.warehouse, role="sla_relay") as connection:
            lines = read_lines_between(connection, first=posting.first_position, last=posting.last_position)
        *files, manifest = delivery.drop_files(posting, lines)
        if first == "record":
            delivery._record(settings, posting, manifest)
        if not delivery._is_dropped(settings, manifest):
            objects.put_if_absent(settings.exports, manifest.key, manifest.body)
            for file in files:
                objects.put(settings.exports, file.key, file.body)
        delivery._record(settings, posting, manifest)
        return []

    monkeypatch.setattr(delivery, "_drop", drop)
    outbox.forget(bucket=True)
    delivery.deliver(outbox.settings, run_id=outbox.run_id)
    assert outbox.bodies() == outbox.dropped
    dropped = {key for key in outbox.dropped if key.startswith(delivery.PREFIX)}
    assert len(dropped) == 3
    # Of a manifest that is put first and fails, nothing is there: as it should be.
    for key in sorted(dropped if first == "record" else {key for key in dropped if not key.endswith(".json")}):
        with pytest.raises(AssertionError):
            check_drop(outbox, faulty_s3.slow_down, "put", Random(1), is_for_good=True, key=key)
