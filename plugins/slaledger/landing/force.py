"""What is in force: of each key the latest version; of a deleted key its last one, with a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slaledger.feeds.rows import safe

if TYPE_CHECKING:
    import psycopg

_SUPERSEDE = """
update raw.source_objects
set is_in_force = false
from audit.listed_objects
where
    listed_objects.run_id = %(run_id)s
    and listed_objects.is_latest
    and source_objects.bucket = listed_objects.bucket
    and source_objects.key = listed_objects.key
    and source_objects.object_id <> listed_objects.object_id
    and source_objects.is_in_force
"""

_RESTORE = """
update raw.source_objects
set is_in_force = true
from audit.listed_objects
where
    listed_objects.run_id = %(run_id)s
    and listed_objects.is_latest
    and source_objects.object_id = listed_objects.object_id
    and not source_objects.is_in_force
"""

# A key without any version left was deleted for good: that is a deletion, too.
_MARK_DELETED = """
update raw.source_objects
set is_deleted = found.is_deleted
from (
    select
        in_force.object_id,
        not exists (
            select
            from audit.listed_objects
            where
                listed_objects.run_id = %(run_id)s
                and listed_objects.object_id = in_force.object_id
                and not listed_objects.is_deleted
        ) as is_deleted
    from raw.source_objects as in_force
    where
        in_force.bucket = %(bucket)s
        and in_force.is_in_force
) as found
where
    source_objects.object_id = found.object_id
    and source_objects.is_deleted <> found.is_deleted
"""

_DELETED = """
select
    source_objects.key,
    source_objects.object_id::text
from raw.source_objects
where
    source_objects.is_in_force
    and source_objects.is_deleted
"""

_FORGET_CHECKS = """
with superseded as (
    select check_spans.object_id
    from raw.check_spans
    inner join raw.source_objects
        on check_spans.object_id = source_objects.object_id
    where not source_objects.is_in_force
    group by check_spans.object_id
)

select coalesce(array_agg(superseded.object_id), '{}') as object_ids
from superseded
"""


def put_in_force(connection: psycopg.Connection, *, run_id: str, bucket: str) -> None:
    """Bring is_in_force and is_deleted up to date with the run's frozen listing."""
    for statement in (_SUPERSEDE, _RESTORE, _MARK_DELETED):
        connection.execute(statement, {"run_id": run_id, "bucket": bucket})
    connection.execute("delete from raw.observations where code = 'source_deleted'")
    for key, object_id in connection.execute(_DELETED).fetchall():
        observe_deleted(connection, key, object_id)
    forget_checks(connection, connection.execute(_FORGET_CHECKS).fetchone()[0])


def observe_deleted(connection: psycopg.Connection, key: str, object_id: str) -> None:
    """Report that an object's key was deleted."""
    connection.execute(
        "insert into raw.observations (code, subject, object_id, detail) values "
        "('source_deleted', %s, %s, 'the key was deleted: its last version stays in force') on conflict do nothing",
        [safe(key, 300), object_id],
    )


def claim_in_force(connection: psycopg.Connection, object_id: str, *, is_latest: bool) -> bool:
    """Put a version that has just been landed in force, unless a newer one of its key is; whether it is."""
    if is_latest:
        newer, older = (
            connection.execute(
                "select coalesce(array_agg(other.object_id) filter (where other.last_modified > own.last_modified), "
                "'{}'), coalesce(array_agg(other.object_id) filter (where other.last_modified <= own.last_modified), "
                "'{}') from raw.source_objects as own inner join raw.source_objects as other "
                "using (bucket, key) where own.object_id = %s and other.object_id <> own.object_id "
                "and other.is_in_force",
                [object_id],
            )
        ).fetchone()
        if not newer:
            if older:
                connection.execute(
                    "update raw.source_objects set is_in_force = false where object_id = any(%s)", [older]
                )
                forget_checks(connection, older)
            connection.execute("update raw.source_objects set is_in_force = true where object_id = %s", [object_id])
    return connection.execute(
        "select is_in_force from raw.source_objects where object_id = %s", [object_id]
    ).fetchone()[0]


def forget_checks(connection: psycopg.Connection, object_ids: list) -> None:
    """Take the objects' checks out of what is in force; their counts stay on record."""
    for table in ("check_streaks", "check_spans"):
        connection.execute(f"delete from raw.{table} where object_id = any(%s::uuid[])", [object_ids])
    connection.execute("delete from raw.check_conflicts where object_ids && %s::uuid[]", [object_ids])
