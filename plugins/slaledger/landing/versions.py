"""Object versions → `raw`, each in one transaction.

The database decides exactly-once: (bucket, key, version) is unique, and whoever inserts it first lands it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from slaledger import objects, warehouse
from slaledger.feeds import limits
from slaledger.feeds.reasons import OF_THE_STORE, ObjectRejected, RowRejected
from slaledger.feeds.registry import CHECKS, Feed, feed_of
from slaledger.feeds.rows import Notes, safe
from slaledger.feeds.values import as_instant
from slaledger.landing import checks, rows
from slaledger.landing.force import claim_in_force, observe_deleted
from slaledger.landing.model import LandedCounts, Landing, sql
from slaledger.landing.observing import observe
from slaledger.settings import Settings

if TYPE_CHECKING:
    import psycopg


def land_batch(settings: Settings, object_ids: Sequence[str], *, run_id: str) -> LandedCounts:
    """Land the listed objects, each in one transaction; one that is landed already is left as it is.

    Safe to repeat, and twice at once. Raises `S3Unreachable`, `S3Refused`, `WarehouseUnreachable`.
    """
    counts = LandedCounts()
    with warehouse.connect(settings.warehouse, role="sla_loader") as connection:
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
        with tempfile.TemporaryFile() as file:
            landing = fetch(settings, identity, version, feed, run_id=run_id, file=file)
            with warehouse.connect(settings.warehouse, role="sla_loader") as connection:
                land = checks.land if feed is CHECKS else rows.land
                counts += _land(connection, settings, landing, land)
    return counts


def _is_to_be_landed(connection: psycopg.Connection, identity: str) -> bool:
    """Whether the object has not been landed, has not been given by S3, or is to be judged again."""
    held = connection.execute(
        "select feed, reason_code from raw.source_objects where object_id = %s", [identity]
    ).fetchone()
    if held is None or held[1] in OF_THE_STORE:
        return True
    rejudged = connection.execute(sql("plan_rejudged"), {"run_id": None, "object_id": identity}).fetchone()
    return held[0] == CHECKS.name and rejudged is not None


def fetch(
    settings: Settings,
    identity: str,
    version: objects.ObjectVersion,
    feed: Feed,
    *,
    run_id: str,
    file: IO[bytes],
) -> Landing:
    """Read one version; what S3 does not give, or gives damaged, is an object to be quarantined whole."""
    fetched = fault = None
    try:
        if version.size_bytes > limits.MAX_OBJECT_BYTES:
            raise ObjectRejected("object_too_large", f"the object has {version.size_bytes} bytes")
        fetched = objects.fetch(settings.exports, version, file)
    except ObjectRejected as error:
        fault = error
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
            notes.observations.append(("malformed_metadata", None, detail))
    complete = metadata.get("complete", "false")
    if complete not in ("true", "false"):
        notes.observations.append(("malformed_metadata", None, "complete is neither true nor false: false holds"))
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
    # Two that insert one version at once can each wait for the other: a table has more unique keys than one.
    connection.execute("select audit.hold('object ' || %s)", [landing.object_id])
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
            "of_the_store": list(OF_THE_STORE),
        },
    ).fetchone()
    if not is_claimed:
        (reason_code,) = connection.execute(
            "select reason_code from raw.source_objects where object_id = %s for update", [landing.object_id]
        ).fetchone()
        if reason_code in OF_THE_STORE or not _is_to_be_landed(connection, landing.object_id):
            return LandedCounts()
    if not is_claimed and landing.fault:
        raise objects.ObjectMissing(
            f"{version.key!r} is to be judged again by the catalog of now, but S3 no longer gives it: upload it again."
        )
    is_in_force = claim_in_force(connection, landing.object_id, is_latest=version.is_latest)
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
    notes = landing.notes
    remarks = [
        ("unknown_field", None, f"the contract does not know the field {name}: it is ignored")
        for name in sorted(notes.unknown_fields)
    ]
    observe(
        connection,
        [
            (code, safe(landing.version.key, 300) if subject is None else subject, landing.object_id, detail)
            for code, subject, detail in [*remarks, *notes.observations]
        ],
    )
    if landing.version.is_latest and landing.version.is_deleted:
        observe_deleted(connection, landing.version.key, landing.object_id)
