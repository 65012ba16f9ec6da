"""The bucket → `raw`: freeze the listing, plan batches, land object versions, each in one transaction.

The database decides exactly-once: (bucket, key, version) is unique, and whoever inserts it first lands it.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slaledger import landing_force, objects, warehouse
from slaledger.feeds.reasons import ObjectRejected, RowRejected
from slaledger.feeds.registry import CHECKS, OWN_PREFIX, Feed, feed_of, is_not_supported
from slaledger.feeds.rows import Notes, safe
from slaledger.feeds.values import as_instant
from slaledger.settings import Settings

if TYPE_CHECKING:
    import psycopg

_SQL_DIR = Path(__file__).parent / "landing_sql"
_NAMESPACE = uuid.UUID("6b3c5f0e-6f0b-5c59-9d58-0a1d6f1d1c11")

# Mapped tasks: about four for a normal month, none over 64 MiB of bodies unless one object is.
_BATCHES = 4
_MIN_BATCH_BYTES = 4 << 20
_MAX_BATCH_BYTES = 64 << 20


@dataclass(frozen=True)
class Listing:
    """What a run's frozen listing holds."""

    run_id: str
    objects: int  # versions below a feed's prefix
    not_landed: int  # of these, those that no run has landed yet


@dataclass(frozen=True)
class LandedCounts:
    """What landing some objects came to; rows_read = rows_loaded + rows_duplicate + rows_quarantined."""

    objects: int = 0
    objects_quarantined: int = 0
    rows_read: int = 0
    rows_loaded: int = 0
    rows_duplicate: int = 0
    rows_quarantined: int = 0

    def __add__(self, other: LandedCounts) -> LandedCounts:
        """Counts of both."""
        return LandedCounts(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Landing:
    """One object version on its way: as listed, as fetched, and as its metadata says."""

    object_id: str
    version: objects.ObjectVersion
    feed: Feed
    run_id: str
    fetched: objects.Fetched | None
    exported_at: datetime
    is_complete: bool
    notes: Notes
    fault: ObjectRejected | None = None


def sql(name: str) -> str:
    """A statement from `landing_sql/`."""
    return (_SQL_DIR / f"{name}.sql").read_text()


def object_id(bucket: str, key: str, version_id: str) -> str:
    """The id of an object version: the same object has the same id everywhere."""
    return str(uuid.uuid5(_NAMESPACE, f"{len(bucket)}:{bucket}{len(key)}:{key}{version_id}"))


def freeze_listing(settings: Settings, *, run_id: str) -> Listing:
    """List the bucket once for the run, record it, and bring up to date what is in force.

    Safe to repeat: the first listing of a run stands. Raises `S3Unreachable`, `S3Refused`, `WarehouseUnreachable`.
    """
    exports = settings.exports
    listed = [version for version in objects.list_versions(exports) if not version.key.startswith(OWN_PREFIX)]
    landed = [version for version in listed if feed_of(version.key) and not version.key.endswith("/")]
    with warehouse.connect(settings.warehouse) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('slaledger.landing'))")
        is_frozen = connection.execute(
            "select exists (select from audit.listed_objects where run_id = %s)", [run_id]
        ).fetchone()[0]
        if not is_frozen:
            with connection.cursor().copy(
                "copy audit.listed_objects (run_id, object_id, bucket, key, version_id, etag, size_bytes, "
                "last_modified, is_latest, is_deleted) from stdin"
            ) as copy:
                for version in landed:
                    copy.write_row(
                        (
                            run_id,
                            object_id(exports.bucket, version.key, version.version_id),
                            exports.bucket,
                            version.key,
                            version.version_id,
                            version.etag,
                            version.size_bytes,
                            version.last_modified,
                            version.is_latest,
                            version.is_deleted,
                        )
                    )
            _observe_strays(connection, listed)
            landing_force.put_in_force(connection, run_id=run_id, bucket=exports.bucket)
        counts = connection.execute(
            "select count(*), count(*) filter (where source_objects.object_id is null) "
            "from audit.listed_objects left join raw.source_objects using (object_id) "
            "where listed_objects.run_id = %s",
            [run_id],
        ).fetchone()
    return Listing(run_id, *counts)


def _observe_strays(connection: psycopg.Connection, listed: Iterable[objects.ObjectVersion]) -> None:
    """Report objects that no feed takes, as the bucket is now."""
    strays = [
        ("feed_not_supported", version.key, "this feed is not landed yet: the object stays in the bucket")
        if is_not_supported(version.key)
        else ("unknown_prefix", version.key, "the key lies below no feed's prefix: the object is ignored")
        for version in listed
        if version.is_latest and not version.is_deleted and not version.key.endswith("/") and not feed_of(version.key)
    ]
    connection.execute("delete from raw.observations where code in ('feed_not_supported', 'unknown_prefix')")
    observe(connection, [(code, safe(key, 300), None, detail) for code, key, detail in strays])


def observe(connection: psycopg.Connection, observations: Sequence[tuple[str, str, str | None, str]]) -> None:
    """Record (code, subject, object_id, detail), each once."""
    if observations:
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into raw.observations (code, subject, object_id, detail) values (%s, %s, %s, %s) "
                "on conflict do nothing",
                observations,
            )


def plan_batches(settings: Settings, *, run_id: str, checks: bool) -> list[list[str]]:
    """Ids of the listed objects that are still to be landed, batched by bytes: the checks, or all other feeds.

    With `checks`, landed objects that the catalog of now would judge differently are among them (rule M7).
    """
    with warehouse.connect(settings.warehouse) as connection:
        rows = connection.execute(
            "select object_id::text, key, size_bytes from audit.listed_objects as listed where run_id = %s "
            "and not exists (select from raw.source_objects where source_objects.object_id = listed.object_id) "
            "order by key, last_modified, version_id",
            [run_id],
        ).fetchall()
        wanted = [row for row in rows if (feed_of(row[1]) is CHECKS) == checks]
        if checks:
            wanted += connection.execute(sql("plan_rejudged"), {"run_id": run_id, "object_id": None}).fetchall()
    return _batches([(row[0], row[2]) for row in wanted])


def _batches(sized: Sequence[tuple[str, int]]) -> list[list[str]]:
    limit = min(_MAX_BATCH_BYTES, max(_MIN_BATCH_BYTES, -(-sum(size for _, size in sized) // _BATCHES)))
    batches: list[list[str]] = []
    room = 0
    for identity, size in sized:
        if not batches or size > room:
            batches.append([])
            room = limit
        batches[-1].append(identity)
        room -= size
    return batches


def land_batch(settings: Settings, object_ids: Sequence[str], *, run_id: str) -> LandedCounts:
    """Land the listed objects, each in one transaction; one that is landed already is left as it is.

    Safe to repeat, and twice at once. Raises `S3Unreachable`, `S3Refused`, `WarehouseUnreachable`.
    """
    from slaledger import landing_checks, landing_rows

    counts = LandedCounts()
    with warehouse.connect(settings.warehouse) as connection:
        listed = {
            row[0]: objects.ObjectVersion(*row[1:])
            for row in connection.execute(
                "select object_id::text, key, version_id, etag, size_bytes, last_modified, is_latest, is_deleted "
                "from audit.listed_objects where run_id = %s and object_id = any(%s::uuid[])",
                [run_id, list(object_ids)],
            )
        }
        left = {identity for identity in listed if _is_to_be_landed(connection, identity)}
    for identity in (identity for identity in object_ids if identity in left):
        version = listed[identity]
        feed = feed_of(version.key)
        with tempfile.TemporaryDirectory(prefix="slaledger-") as directory:
            landing = fetch(settings, identity, version, feed, run_id=run_id, directory=Path(directory))
            with warehouse.connect(settings.warehouse) as connection:
                land = landing_checks.land if feed is CHECKS else landing_rows.land
                counts += _land(connection, settings, landing, land)
    return counts


def _is_to_be_landed(connection: psycopg.Connection, identity: str) -> bool:
    """Whether the object has not been landed, or is to be judged again."""
    feed = connection.execute("select feed from raw.source_objects where object_id = %s", [identity]).fetchone()
    if feed is None:
        return True
    rejudged = connection.execute(sql("plan_rejudged"), {"run_id": None, "object_id": identity}).fetchone()
    return feed[0] == CHECKS.name and rejudged is not None


def fetch(
    settings: Settings,
    identity: str,
    version: objects.ObjectVersion,
    feed: Feed,
    *,
    run_id: str,
    directory: Path,
) -> Landing:
    """Read one version; what S3 does not give, or gives damaged, is an object to be quarantined whole."""
    fetched = fault = None
    try:
        fetched = objects.fetch(settings.exports, version, directory)
    except objects.ObjectMissing:
        fault = ObjectRejected("object_unreadable", "S3 lists the object but does not give it")
    except objects.ObjectCorrupt:
        fault = ObjectRejected("checksum_mismatch", "the body is not what S3's checksum says")
    metadata = fetched.metadata if fetched else {}
    notes = Notes()
    exported_at = version.last_modified
    if stated := metadata.get("exported-at"):
        try:
            exported_at = as_instant(stated, "exported-at")
        except RowRejected:
            detail = "exported-at is no instant with an offset: LastModified holds"
            notes.observations.append(("malformed_metadata", "exported-at", detail))
    complete = metadata.get("complete", "false")
    if complete not in ("true", "false"):
        notes.observations.append(("malformed_metadata", "complete", "complete is neither true nor false: false holds"))
    return Landing(
        object_id=identity,
        version=version,
        feed=feed,
        run_id=run_id,
        fetched=fetched,
        exported_at=exported_at,
        is_complete=complete == "true",
        notes=notes,
        fault=fault,
    )


def _land(connection: psycopg.Connection, settings: Settings, landing: Landing, land: Any) -> LandedCounts:
    """Claim the object version, land its rows or quarantine it whole. One transaction: the caller's."""
    version = landing.version
    is_claimed = connection.execute(
        sql("claim_object"),
        {
            "object_id": landing.object_id,
            "bucket": settings.exports.bucket,
            "key": version.key,
            "version_id": version.version_id,
            "etag": version.etag,
            "sha256": landing.fetched.sha256 if landing.fetched else None,
            "size_bytes": version.size_bytes,
            "exported_at": landing.exported_at,
            "feed": landing.feed.name,
            "format": landing.feed.format,
            "is_deleted": version.is_deleted,
            "is_complete": landing.is_complete,
            "last_modified": version.last_modified,
            "run_id": landing.run_id,
        },
    ).fetchone()
    if not is_claimed:
        connection.execute("select from raw.source_objects where object_id = %s for update", [landing.object_id])
        if not _is_to_be_landed(connection, landing.object_id):
            return LandedCounts()
    if not is_claimed and landing.fault:
        raise objects.ObjectMissing(
            f"{version.key!r} is to be judged again by the catalog of now, but S3 no longer gives it: upload it again."
        )
    is_in_force = landing_force.claim_in_force(connection, landing.object_id, is_latest=version.is_latest)
    try:
        with connection.transaction():
            if landing.fault:
                raise landing.fault
            counts, format = land(connection, landing, is_in_force=is_in_force)
    except ObjectRejected as error:
        counts, format = LandedCounts(objects=1, objects_quarantined=1), landing.feed.format
        connection.execute(
            "update raw.source_objects set status = 'quarantined', reason_code = %s, reason = %s where object_id = %s",
            [error.code, error.reason, landing.object_id],
        )
    connection.execute(
        "update raw.source_objects set format = %s, rows_read = %s, rows_loaded = %s, rows_duplicate = %s, "
        "rows_quarantined = %s, run_id = %s where object_id = %s",
        [
            format,
            counts.rows_read,
            counts.rows_loaded,
            counts.rows_duplicate,
            counts.rows_quarantined,
            landing.run_id,
            landing.object_id,
        ],
    )
    if is_claimed:
        _observe_landing(connection, landing)
    return counts


def _observe_landing(connection: psycopg.Connection, landing: Landing) -> None:
    observations = [
        ("unknown_field", name, landing.object_id, "the contract does not know this field: it is ignored")
        for name in sorted(landing.notes.unknown_fields)
    ]
    observations += [(code, subject, landing.object_id, detail) for code, subject, detail in landing.notes.observations]
    observe(connection, observations)
    if landing.version.is_latest and landing.version.is_deleted:
        landing_force.observe_deleted(connection, landing.version.key, landing.object_id)


def settle_checks(settings: Settings, *, run_id: str) -> int:
    """Reduce again, together, the check objects whose times overlap; how many. Safe to repeat."""
    from slaledger import landing_checks

    return landing_checks.settle(settings, run_id=run_id)


def touched_months(settings: Settings, *, run_id: str) -> list[str]:
    """The service months ('YYYY-MM') that the objects landed or judged again in this run speak of."""
    with warehouse.connect(settings.warehouse) as connection:
        return [row[0] for row in connection.execute(sql("touched_months"), {"run_id": run_id})]
