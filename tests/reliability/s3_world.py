"""A bucket of every feed behind an S3 that lies, and what must hold of what is landed and dropped through it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from slaledger import delivery, landing, objects, warehouse
from slaledger.settings import Requests, Settings
from tests.landing.bucket import Bucket
from tests.ledger import books
from tests.reliability.every_feed import BODIES
from tests.support import faulty_s3
from tests.support.buckets import empty_bucket
from tests.support.digests import CLOCKS, contents
from tests.support.faulty_s3 import FaultyS3, Strike

ATTEMPTS = 3
# Patient, for a busy machine; a hang alone is to be waited for in vain.
REQUESTS = Requests(connect_seconds=10, read_seconds=30, attempts=ATTEMPTS, backoff_seconds=0.01, total_seconds=300)
HANG = 0.5
# A strike -> what becomes of a body for as long as it lasts: an error of the run, or a reason of the object.
OF_BODIES: dict[Strike, type[Exception] | str] = {
    faulty_s3.slow_down: objects.S3Unreachable,
    faulty_s3.internal_error: objects.S3Unreachable,
    faulty_s3.too_many_requests: objects.S3Unreachable,
    faulty_s3.hang: objects.S3Unreachable,
    faulty_s3.reset_unasked: objects.S3Unreachable,
    faulty_s3.reset_in_headers: objects.S3Unreachable,
    faulty_s3.reset_in_body: objects.S3Unreachable,
    faulty_s3.truncated: objects.S3Unreachable,
    faulty_s3.long_length: objects.S3Unreachable,
    faulty_s3.short_length: "checksum_mismatch",
    faulty_s3.longer_body: "checksum_mismatch",
    faulty_s3.flipped: "checksum_mismatch",
    faulty_s3.wrong_etag: "checksum_mismatch",
    faulty_s3.wrong_checksum: "checksum_mismatch",
    faulty_s3.other_version: "checksum_mismatch",
    faulty_s3.not_found: "object_unreadable",
    faulty_s3.access_denied: "object_unreadable",
    faulty_s3.expired_token: objects.CredentialsRefused,
}
# These no asking again heals: S3 means it.
MEANT = {faulty_s3.access_denied, faulty_s3.expired_token}
OF_LISTINGS = (
    *(faulty_s3.slow_down, faulty_s3.internal_error, faulty_s3.too_many_requests, faulty_s3.hang),
    *(faulty_s3.reset_unasked, faulty_s3.reset_in_headers, faulty_s3.reset_in_body, faulty_s3.truncated),
    *(faulty_s3.long_length, faulty_s3.short_length, faulty_s3.page_repeated, faulty_s3.page_without_continuation),
    *(faulty_s3.page_called_last, faulty_s3.page_lacks_keys, faulty_s3.expired_token),
)
OF_PUTS = (
    *(faulty_s3.slow_down, faulty_s3.internal_error, faulty_s3.too_many_requests, faulty_s3.hang),
    *(faulty_s3.reset_unasked, faulty_s3.reset_unanswered, faulty_s3.reset_in_headers, faulty_s3.expired_token),
)
# Without a listing, nobody can tell a sound body from another one; and what is not there may be put.
OF_MANIFESTS = tuple(strike for strike in OF_BODIES if strike not in (faulty_s3.other_version, faulty_s3.not_found))
REFUSALS = (objects.S3Unreachable, objects.S3Refused, objects.ObjectCorrupt)


def facing(settings: Settings, strike: Strike, **requests: object) -> Settings:
    """The same, asking as is right against this strike."""
    if strike is faulty_s3.hang:
        requests["read_seconds"] = HANG
    exports = settings.exports
    asked = dataclasses.replace(exports, requests=dataclasses.replace(exports.requests, **requests))
    return dataclasses.replace(settings, exports=asked)


@dataclasses.dataclass
class World:
    """One small object of every feed in the real S3, and a warehouse that lands them through the proxy."""

    bucket: Bucket
    faults: FaultyS3
    directory: Path  # of temporary files
    any_rows: str  # what any table of `raw` has of an object
    faultless: dict[str, str] = dataclasses.field(default_factory=dict)
    whole: list[tuple] = dataclasses.field(default_factory=list)
    reads: Counter[str] = dataclasses.field(default_factory=Counter)  # key -> how often a run reads it

    @property
    def everywhere(self) -> dict[str, int]:
        """What to spoil for every answer to be spoiled."""
        return dict.fromkeys(self.reads, 0)

    def facing(self, strike: Strike, **requests: object) -> World:
        """The same, asking as is right against this strike."""
        settings = facing(self.bucket.settings, strike, **requests)
        return dataclasses.replace(self, bucket=Bucket(settings, runs=self.bucket.runs))

    def reset(self) -> None:
        """An empty warehouse, and an S3 that tells the truth."""
        self.faults.heal()
        self.bucket.empty_warehouse()

    def held(self) -> dict[str, str]:
        """Table of `raw` -> digest of its rows."""
        with warehouse.connect(self.bucket.settings.warehouse) as connection:
            # What is reported has no key: the order of reports is that of the landings.
            return contents(connection, ["raw"], without=CLOCKS)

    def listed(self) -> list[tuple]:
        """The versions that the last run's listing froze."""
        return self.bucket.rows(
            "select object_id, key, version_id, etag, size_bytes, last_modified, is_latest, is_deleted "
            "from audit.listed_objects order by 1"
        )

    def land(self) -> None:
        """A whole run, several objects at once."""
        run_id = self.bucket.list()
        with ThreadPoolExecutor(8) as pool:
            for checks in (False, True):
                batches = landing.plan_batches(self.bucket.settings, run_id=run_id, checks=checks)
                ids = [identity for batch in batches for identity in batch]
                list(pool.map(lambda identity: self.land_one(identity, run_id), ids))
        landing.settle_checks(self.bucket.settings, run_id=run_id)

    def land_one(self, identity: str, run_id: str) -> landing.LandedCounts:
        """One object alone."""
        return landing.land_batch(self.bucket.settings, [identity], run_id=run_id)

    def require_faultless(self) -> None:
        """All that is held is what a landing without faults holds."""
        assert self.held() == self.faultless
        assert (
            self.bucket.rows(
                "select key from raw.source_objects where rows_read <> rows_loaded + rows_duplicate + rows_quarantined"
            )
            == []
        )

    def require_tidy(self) -> None:
        """No temporary file is left, and nobody was asked more than was agreed."""
        assert list(self.directory.iterdir()) == []
        most = max((count for (kind, _), count in self.faults.asked.items() if kind == "get"), default=0)
        assert most <= ATTEMPTS, f"asked {most} times for one object"


def check_refused(world: World, strike: Strike, chance: Random, becomes: type[Exception] | str) -> None:
    """All answers are spoiled: each object is refused by name, with nothing of it left."""
    world = world.facing(strike)
    world.reset()
    world.faults.chance = chance
    run_id = world.bucket.list()
    ids = [row[0] for row in world.bucket.rows("select object_id::text from audit.listed_objects")]
    assert len(ids) == len(BODIES)
    world.faults.spoil(strike, "get", times=None, after=world.everywhere)
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda identity: _outcome(world, identity, run_id), ids))
    if isinstance(becomes, str):
        assert outcomes == [landing.LandedCounts(objects=1, objects_quarantined=1)] * len(ids)
        assert world.bucket.rows("select distinct status, reason_code, rows_read, sha256 from raw.source_objects") == [
            ("quarantined", becomes, 0, None)
        ]
    else:
        assert {type(outcome) for outcome in outcomes} == {becomes}, outcomes
        assert all(world.bucket.settings.exports.endpoint_url in str(outcome) for outcome in outcomes)
        assert world.bucket.rows("select from raw.source_objects") == []
    assert world.bucket.rows(world.any_rows) == [], "something of a spoiled object is there"
    world.require_tidy()


def check_healed(world: World, strike: Strike, chance: Random) -> None:
    """Of every object, one reading is spoiled once or several times, also while checks are settled: all is right."""
    world = world.facing(strike)
    world.faults.heal()
    world.faults.chance = chance
    # What is slow is right in the end: nobody asks again.
    times = 1 if strike in (faulty_s3.hang, faulty_s3.slow) else chance.randint(1, ATTEMPTS - 1)
    if strike not in MEANT:
        after = {key: chance.randrange(count) for key, count in sorted(world.reads.items())}
        world.faults.spoil(strike, "get", times=times, after=after)
    world.land()
    assert world.faults.struck == times * len(BODIES) or strike in MEANT
    world.require_faultless()
    assert list(world.directory.iterdir()) == []


def _outcome(world: World, identity: str, run_id: str) -> landing.LandedCounts | Exception:
    try:
        return world.land_one(identity, run_id)
    except Exception as error:
        return error


def check_listing(world: World, strike: Strike, chance: Random, *, is_for_good: bool) -> None:
    """A listing is spoiled: what is frozen is the whole bucket, or nothing, and the error is named."""
    world.reset()
    bucket = world.facing(strike, page_keys=4).bucket
    world.faults.chance = chance
    # The pages of both listings, and the look beyond the end.
    pages = 2 * -(-len(BODIES) // 4) + 1
    world.faults.spoil(strike, "list", times=None if is_for_good else 1, after={"": chance.randrange(pages)})
    try:
        bucket.list()
    except (objects.S3Unreachable, objects.S3Refused) as error:
        assert is_for_good or strike in MEANT, error
        assert isinstance(error, objects.CredentialsRefused) == (strike in MEANT)
        assert bucket.settings.exports.endpoint_url in str(error)
        assert world.listed() == []
    else:
        assert strike not in MEANT
        assert world.listed() == world.whole
    asked = sum(count for (kind, _), count in world.faults.asked.items() if kind == "list")
    assert asked <= pages * ATTEMPTS * ATTEMPTS
    assert world.faults.struck >= 1
    world.reset()
    bucket.list()
    assert world.listed() == world.whole


@dataclasses.dataclass
class Outbox:
    """Books with a posting that is in no bucket yet, behind the proxy, and what its drop is."""

    settings: Settings
    run_id: str
    faults: FaultyS3
    dropped: dict[str, str]
    asked: dict[str, list[str]] = dataclasses.field(default_factory=dict)  # put or get -> the keys, by name

    def bodies(self) -> dict[str, str]:
        """The drop and the anchor, as they are in the bucket: key -> ETag, the MD5."""
        self.faults.heal()
        exports = self.settings.exports
        answer = objects.client(exports).list_objects_v2(Bucket=exports.bucket, Prefix="billing/")
        return {entry["Key"]: entry["ETag"] for entry in answer.get("Contents", ())}

    def forget(self, *, bucket: bool) -> None:
        """That it was delivered; and what is in the bucket, too."""
        self.faults.heal()
        if bucket:
            empty_bucket(self.settings.exports, prefix="billing/")
        with warehouse.connect(self.settings.warehouse) as connection:
            connection.execute("delete from billing.deliveries")

    def deliver(self) -> None:
        """Whole, whatever was there of it; what it asks for is noted."""
        for kind in ("put", "get"):
            self.forget(bucket=kind == "put")
            delivery.deliver(self.settings, run_id=self.run_id)
            asked = self.faults.keys_asked(kind)
            self.asked[kind] = sorted(asked.keys() & self.bodies().keys())


def check_drop(
    outbox: Outbox, strike: Strike, kind: str, chance: Random, *, is_for_good: bool, key: str | None = None
) -> None:
    """Putting some of the drop, or reading what is there, is spoiled: the drop is whole and recorded, or neither.

    What is struck is this key, or any by chance.
    """
    outbox.forget(bucket=kind == "put")
    settings = facing(outbox.settings, strike)
    outbox.faults.chance = chance
    keys = [key] if key else chance.sample(outbox.asked[kind], chance.randint(1, len(outbox.asked[kind])))
    times = 1 if strike is faulty_s3.hang else chance.randint(1, ATTEMPTS - 1)
    outbox.faults.spoil(strike, kind, times=None if is_for_good else times, after=dict.fromkeys(keys, 0))
    try:
        delivery.deliver(settings, run_id=outbox.run_id)
    except REFUSALS as error:
        assert is_for_good or strike in MEANT, error
        assert settings.exports.endpoint_url in str(error)
        assert books.rows(settings, "select from billing.deliveries") == []
    else:
        assert not is_for_good and strike not in MEANT
        assert books.rows(settings, "select count(*) from billing.deliveries") == [(1,)]
    assert outbox.faults.struck >= 1
    most = max((count for (asked, _), count in outbox.faults.asked.items() if asked == kind), default=0)
    assert most <= 2 * ATTEMPTS
    outbox.faults.heal()
    delivery.deliver(settings, run_id=outbox.run_id)
    assert outbox.bodies() == outbox.dropped
    assert books.rows(settings, "select count(*) from billing.deliveries") == [(1,)]
