"""Checks → `raw.check_streaks`: an object alone as it lands, then together with the objects that it overlaps.

What the warehouse holds in the end equals landing everything from nothing, in any order (rule M6).
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from slaledger import objects, warehouse
from slaledger.feeds import checks as check_feed
from slaledger.feeds.check_columns import Known
from slaledger.feeds.rows import Notes
from slaledger.landing.force import forget_checks
from slaledger.landing.model import LandedCounts, Landing, sql
from slaledger.landing.rows import write_rejects
from slaledger.settings import Settings
from slaledger.streaks import Checks, Conflict, Pair, Reduced, Source, Streak, concatenate, reduce, spans, within

if TYPE_CHECKING:
    import psycopg

# A check may be dated this much after its object's export (rule M2).
_CLOCK_TOLERANCE = timedelta(minutes=5)
# Parsed neighbours kept while settling: 13 bytes a check.
_CACHED_CHECKS = 5_000_000

_Windows = dict[Pair, tuple[datetime, datetime]]


def land(connection: psycopg.Connection, landing: Landing, *, is_in_force: bool) -> tuple[LandedCounts, str]:
    """Write the object's streaks as it makes them alone, its spans and rejects; counts and format.

    An object that is judged again is replaced. Raises `ObjectRejected`, when nothing of it is to stay.
    """
    path = landing.fetched.path
    format = check_feed.format_of(path)
    stale_after = catalog(connection)
    known = _by_monitor(stale_after)
    connection.execute("delete from raw.quarantined_rows where object_id = %s", [landing.object_id])
    forget_checks(connection, [landing.object_id])
    good, not_known, rows, rejected = [], [], 0, 0
    for batch in check_feed.read(path, format, known, landing.exported_at + _CLOCK_TOLERANCE, landing.notes):
        write_rejects(connection, landing.object_id, batch.rejects)
        good += batch.checks
        not_known += batch.not_known
        rows += batch.rows
        rejected += len(batch.rejects)
    own = Source(landing.object_id, (), concatenate(good))
    reduced = reduce(own, [], stale_after)
    if is_in_force:
        _write_spans(connection, landing.object_id, own.checks, stale_after)
        _write_spans(connection, landing.object_id, concatenate(not_known), None)
        _write_reduced(connection, landing.object_id, reduced)
    counts = LandedCounts(
        objects=1,
        rows_read=rows,
        rows_loaded=reduced.rows_loaded,
        rows_duplicate=reduced.rows_duplicate,
        rows_quarantined=rejected,
    )
    return counts, format


def catalog(connection: psycopg.Connection) -> dict[Pair, timedelta]:
    """The `stale_after` of every monitor and location that the catalog knows, by its latest rows in force."""
    return {
        (monitor_id, location): timedelta(microseconds=int(microseconds))
        for monitor_id, location, microseconds in connection.execute(sql("read_catalog"))
    }


def _by_monitor(pairs: Iterable[Pair]) -> Known:
    known: dict[str, set[str]] = defaultdict(set)
    for monitor_id, location in pairs:
        known[monitor_id].add(location)
    return known


def _write_spans(
    connection: psycopg.Connection, object_id: str, checks: Checks, stale_after: Mapping[Pair, timedelta] | None
) -> None:
    with connection.cursor().copy(
        "copy raw.check_spans (object_id, monitor_id, location, first_at, last_at, is_known, stale_after_seconds) "
        "from stdin"
    ) as copy:
        for pair, first_at, last_at in spans(checks):
            seconds = None if stale_after is None else _seconds(stale_after[pair])
            copy.write_row((object_id, *pair, first_at, last_at, stale_after is not None, seconds))


def _write_reduced(connection: psycopg.Connection, object_id: str, reduced: Reduced) -> None:
    with connection.cursor().copy(
        "copy raw.check_streaks (object_id, monitor_id, location, status, first_at, last_at, n, max_gap_seconds, "
        "checked_ats) from stdin"
    ) as copy:
        for streak in reduced.streaks:
            copy.write_row(_streak_row(object_id, streak))
    _write_conflicts(connection, reduced.conflicts)


def _streak_row(object_id: str, streak: Streak) -> tuple[object, ...]:
    checked_ats = None if streak.checked_ats is None else list(streak.checked_ats)
    return (
        object_id,
        *streak.pair,
        streak.status,
        streak.first_at,
        streak.last_at,
        streak.n,
        _seconds(streak.max_gap),
        checked_ats,
    )


def _seconds(duration: timedelta) -> str:
    """A duration in seconds, exactly, as PostgreSQL's numeric reads it."""
    microseconds = duration // timedelta(microseconds=1)
    return f"{microseconds // 10**6}.{microseconds % 10**6:06d}"


def _write_conflicts(connection: psycopg.Connection, conflicts: Sequence[Conflict]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into raw.check_conflicts (monitor_id, location, checked_at, statuses, object_ids) "
            "values (%s, %s, %s, %s, %s::uuid[]) on conflict (monitor_id, location, checked_at) "
            "do update set statuses = excluded.statuses, object_ids = excluded.object_ids",
            [
                (*conflict.pair, conflict.checked_at, list(conflict.statuses), list(conflict.object_ids))
                for conflict in conflicts
            ],
        )


@dataclass(frozen=True)
class _Unsettled:
    """An object to be reduced again: per pair its span, the objects that overlap it, and their digest."""

    windows: _Windows
    neighbours: Mapping[Pair, Sequence[str]]
    digests: Mapping[Pair, str | None]
    stale_after: Mapping[Pair, timedelta]  # that it was judged with


@dataclass
class _Reader:
    """Reads check objects back from S3, the last few kept."""

    settings: Settings
    run_id: str
    kept: OrderedDict[str, Source] = field(default_factory=OrderedDict)

    def read(self, connection: psycopg.Connection, object_id: str) -> Source:
        """The checks of an object as it was judged: of the pairs that were known then."""
        if object_id in self.kept:
            self.kept.move_to_end(object_id)
            return self.kept[object_id]
        row = connection.execute(
            "select key, version_id, etag, size_bytes, last_modified, is_in_force, is_deleted, exported_at, format, "
            "sha256 from raw.source_objects where object_id = %s",
            [object_id],
        ).fetchone()
        version, exported_at, format, sha256 = objects.ObjectVersion(*row[:7]), *row[7:]
        pairs = connection.execute(
            "select monitor_id, location from raw.check_spans where object_id = %s and is_known", [object_id]
        ).fetchall()
        known = _by_monitor(pairs)
        with tempfile.TemporaryFile() as file:
            path = objects.fetch(self.settings.exports, version, file, sha256=sha256).path
            batches = check_feed.read(path, format, known, exported_at + _CLOCK_TOLERANCE, Notes())
            checks = concatenate([part for batch in batches for part in batch.checks])
        order = (exported_at.isoformat(timespec="microseconds"), version.key, version.version_id)
        self.kept[object_id] = Source(object_id, order, checks)
        while len(self.kept) > 1 and sum(len(source.checks) for source in self.kept.values()) > _CACHED_CHECKS:
            self.kept.popitem(last=False)
        return self.kept[object_id]


def settle(settings: Settings, *, run_id: str) -> int:
    """Reduce every object again whose neighbours are not those that it was reduced with; how many.

    One transaction an object. Raises `S3Unreachable`, `ObjectMissing` naming an object that is gone.
    """
    reader = _Reader(settings, run_id)
    with warehouse.connect(settings.warehouse, role="sla_loader") as connection:
        unsettled = _find_unsettled(connection)
    for object_id, plan in unsettled.items():
        with warehouse.connect(settings.warehouse, role="sla_loader") as connection:
            _settle(connection, reader, object_id, plan)
    return len(unsettled)


def _find_unsettled(connection: psycopg.Connection) -> dict[str, _Unsettled]:
    found: dict[str, _Unsettled] = {}
    for object_id, monitor_id, location, first_at, last_at, neighbours, digest, stale_after in connection.execute(
        sql("find_unsettled")
    ):
        plan = found.setdefault(object_id, _Unsettled({}, {}, {}, {}))
        pair = (monitor_id, location)
        plan.windows[pair] = (first_at, last_at)
        plan.neighbours[pair] = neighbours
        plan.digests[pair] = digest
        plan.stale_after[pair] = timedelta(microseconds=int(stale_after))
    return found


def _settle(connection: psycopg.Connection, reader: _Reader, object_id: str, plan: _Unsettled) -> None:
    connection.execute("select from raw.source_objects where object_id = %s for update", [object_id])
    own = reader.read(connection, object_id)
    windows: dict[str, _Windows] = defaultdict(dict)
    for pair, neighbours in plan.neighbours.items():
        for neighbour in neighbours:
            windows[neighbour][pair] = plan.windows[pair]
    others = []
    for neighbour in sorted(windows):
        source = reader.read(connection, neighbour)
        others.append(Source(neighbour, source.order, within(source.checks, windows[neighbour])))
    # Of the catalog of now: a copy without streaks of its own was not judged again when it changed.
    known = catalog(connection)
    stale_after = {pair: known.get(pair, plan.stale_after[pair]) for pair in plan.windows}
    reduced = reduce(own, others, stale_after)
    connection.execute("delete from raw.check_streaks where object_id = %s", [object_id])
    connection.execute("delete from raw.check_conflicts where object_ids @> array[%s]::uuid[]", [object_id])
    _write_reduced(connection, object_id, reduced)
    with connection.cursor() as cursor:
        cursor.executemany(
            "update raw.check_spans set settled_with = %s, stale_after_seconds = %s "
            "where object_id = %s and monitor_id = %s and location = %s",
            [(digest, _seconds(stale_after[pair]), object_id, *pair) for pair, digest in plan.digests.items()],
        )
    connection.execute(
        "update raw.source_objects set rows_loaded = %s, rows_duplicate = %s, run_id = %s where object_id = %s",
        [reduced.rows_loaded, reduced.rows_duplicate, reader.run_id, object_id],
    )
