"""S3 slows down, breaks off, lies: what lands is right to the last byte, or nothing does and the error says why."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from slaledger import landing, objects, warehouse
from slaledger.feeds.registry import FEEDS
from slaledger.settings import Requests, Settings
from tests.landing.bucket import Bucket
from tests.reliability.every_feed import BODIES, put_every_feed
from tests.reliability.scale import scaled
from tests.support import faulty_s3
from tests.support.digests import CLOCKS, contents
from tests.support.faulty_s3 import FaultyS3, Strike

ATTEMPTS = 3
REQUESTS = Requests(connect_seconds=2, read_seconds=0.2, attempts=ATTEMPTS, backoff_seconds=0.01, total_seconds=20)
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
of_bodies = pytest.mark.parametrize("strike", OF_BODIES, ids=lambda strike: strike.__name__)
of_listings = pytest.mark.parametrize("strike", OF_LISTINGS, ids=lambda strike: strike.__name__)
seeded = scaled("seeds", every_push=2, deep=20)


@dataclasses.dataclass
class World:
    """One small object of every feed in the real S3, and a warehouse that lands them through the proxy."""

    bucket: Bucket
    faults: FaultyS3
    directory: Path  # of temporary files
    any_rows: str  # what any table of `raw` has of an object
    faultless: dict[str, str] = dataclasses.field(default_factory=dict)

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


@pytest.fixture(scope="module")
def world(fresh_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("temporary")
    before, tempfile.tempdir = tempfile.tempdir, str(directory)
    put_every_feed(Bucket(fresh_settings))
    exports = dataclasses.replace(fresh_settings.exports, requests=REQUESTS)
    with faulty_s3.faulty_s3(exports, Random()) as (through, faults):
        made = World(Bucket(dataclasses.replace(fresh_settings, exports=through)), faults, directory)
        made.land()
        made.faultless = made.held()
        assert made.bucket.rows("select distinct feed, status from raw.source_objects order by 1") == sorted(
            (feed, "loaded") for feed in FEEDS
        )
        yield made
    tempfile.tempdir = before


def check_refused(world: World, strike: Strike, chance: Random, becomes: type[Exception] | str) -> None:
    """All answers are spoiled: each object is refused by name, with nothing of it left."""
    world.reset()
    world.faults.chance = chance
    run_id = world.bucket.list()
    ids = [row[0] for row in world.bucket.rows("select object_id::text from audit.listed_objects")]
    assert len(ids) == len(BODIES)
    world.faults.spoil(strike, "get", times=None)
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
    """Every object's first answer is spoiled, also while checks are settled: it is read again, and all is right."""
    world.faults.heal()
    world.faults.chance = chance
    if strike not in MEANT:
        world.faults.spoil(strike, "get", times=1)
    world.land()
    assert world.faults.struck >= len(BODIES) or strike in MEANT
    world.require_faultless()
    assert list(world.directory.iterdir()) == []


def _outcome(world: World, identity: str, run_id: str) -> landing.LandedCounts | Exception:
    try:
        return world.land_one(identity, run_id)
    except Exception as error:
        return error


@seeded
@of_bodies
def test_a_spoiled_body_is_refused_by_name_and_read_again(
    world: World, strike: Strike, seeds: int, seed: int, figure
) -> None:
    for number in range(seeds):
        chance = Random(f"{seed}.{number}")
        check_refused(world, strike, chance, OF_BODIES[strike])
        check_healed(world, strike, chance)
    figure(f"{seeds} x {len(BODIES)} objects of all feeds: for good, then once each")


def test_a_slow_body_lands_and_one_too_slow_is_refused(world: World) -> None:
    exports = world.bucket.settings.exports
    hasty = dataclasses.replace(exports, requests=dataclasses.replace(REQUESTS, total_seconds=0.15))
    bucket = Bucket(dataclasses.replace(world.bucket.settings, exports=hasty), runs=world.bucket.runs)
    check_refused(dataclasses.replace(world, bucket=bucket), faulty_s3.slow, Random(1), objects.S3Unreachable)
    check_healed(world, faulty_s3.slow, Random(1))
