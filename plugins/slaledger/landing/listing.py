"""The listing of the bucket: frozen for a run, and what of it is still to be landed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slaledger import objects, warehouse
from slaledger.feeds.reasons import OF_THE_STORE
from slaledger.feeds.registry import CHECKS, OWN_PREFIX, feed_of
from slaledger.feeds.rows import safe
from slaledger.landing.force import put_in_force
from slaledger.landing.model import sql
from slaledger.landing.observing import observe
from slaledger.settings import Settings

if TYPE_CHECKING:
    import psycopg

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
    with warehouse.connect(settings.warehouse, role="sla_loader") as connection:
        connection.execute("select audit.hold('the listing of the bucket')")
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
            put_in_force(connection, run_id=run_id, bucket=exports.bucket)
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
        ("unknown_prefix", version.key, "the key lies below no feed's prefix: the object is ignored")
        for version in listed
        if version.is_latest and not version.is_deleted and not version.key.endswith("/") and not feed_of(version.key)
    ]
    connection.execute("delete from raw.observations where code = 'unknown_prefix'")
    observe(connection, [(code, safe(key, 300), None, detail) for code, key, detail in strays])


def plan_batches(settings: Settings, *, run_id: str, checks: bool) -> list[list[str]]:
    """Ids of the listed objects that are still to be landed, batched by bytes: the checks, or all other feeds.

    Among them are those that S3 did not give, or gave damaged, before; with `checks`, landed objects that the catalog
    of now would judge differently (rule M7).
    """
    with warehouse.connect(settings.warehouse, role="sla_loader") as connection:
        rows = connection.execute(
            "select object_id::text, key, size_bytes from audit.listed_objects as listed where run_id = %s "
            "and not exists (select from raw.source_objects where source_objects.object_id = listed.object_id "
            "and coalesce(reason_code, '') <> all(%s)) order by key, last_modified, version_id",
            [run_id, list(OF_THE_STORE)],
        ).fetchall()
        wanted = [row for row in rows if (feed_of(row[1]) is CHECKS) == checks]
        if checks:
            wanted += connection.execute(sql("plan_rejudged"), {"run_id": run_id, "object_id": None}).fetchall()
    return batches([(row[0], row[2]) for row in wanted])


def batches(sized: Sequence[tuple[str, int]]) -> list[list[str]]:
    """Ids by batch, of (id, bytes), in their order."""
    limit = min(_MAX_BATCH_BYTES, max(_MIN_BATCH_BYTES, -(-sum(size for _, size in sized) // _BATCHES)))
    found: list[list[str]] = []
    room = 0
    for identity, size in sized:
        if not found or size > room:
            found.append([])
            room = limit
        found[-1].append(identity)
        room -= size
    return found


def touched_months(settings: Settings, *, run_id: str) -> list[str]:
    """The service months ('YYYY-MM') that the objects landed or judged again in this run speak of."""
    with warehouse.connect(settings.warehouse, role="sla_loader") as connection:
        return [row[0] for row in connection.execute(sql("touched_months"), {"run_id": run_id})]
