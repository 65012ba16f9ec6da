"""Rows of every feed but checks: good rows and quarantined rows into `raw`, in chunks of bounded size."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from slaledger.feeds.registry import Table, read_rows
from slaledger.feeds.rows import Record, Reject
from slaledger.feeds.status_page import Document
from slaledger.landing.model import LandedCounts, Landing

if TYPE_CHECKING:
    import psycopg

_CHUNK_ROWS = 2_000


def land(connection: psycopg.Connection, landing: Landing, *, is_in_force: bool) -> tuple[LandedCounts, str]:
    """Write the object's rows; counts and format. Raises `ObjectRejected`, when nothing of it is to stay."""
    feed = landing.feed
    # Whether a row is a duplicate depends on what is held: one writer a feed.
    connection.execute("select audit.hold('the rows of ' || %s)", [feed.name])
    documents, rows = read_rows(feed, landing.fetched.path, landing.notes)
    _write_documents(connection, landing.object_id, documents)
    counts = LandedCounts(objects=1)
    for chunk in _chunks(rows):
        records = [row for row in chunk if isinstance(row, Record)]
        rejects = [row for row in chunk if isinstance(row, Reject)]
        duplicates = sum(
            _write_records(
                connection,
                landing.object_id,
                table,
                [record for record in records if record.table in (None, table.name)],
            )
            for table in feed.tables
        )
        write_rejects(connection, landing.object_id, rejects)
        counts += LandedCounts(
            rows_read=len(chunk),
            rows_loaded=len(records) - duplicates,
            rows_duplicate=duplicates,
            rows_quarantined=len(rejects),
        )
    return counts, feed.format


def _chunks(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while chunk := list(itertools.islice(rows, _CHUNK_ROWS)):
        yield chunk


def _write_records(connection: psycopg.Connection, object_id: str, table: Table, records: Sequence[Record]) -> int:
    """Copy the records; how many are duplicates: of a row held, or of an earlier one here."""
    from psycopg import sql
    from psycopg.types.json import Jsonb

    name = sql.Identifier("raw", table.name)
    digests = [record.sha256 for record in records]
    seen = {
        row[0]
        for row in connection.execute(
            sql.SQL("select row_sha256 from {} where row_sha256 = any(%s)").format(name), [digests]
        )
    }
    columns = ("object_id", "line_number", "row_sha256", "is_duplicate", *table.columns)
    statement = sql.SQL("copy {} ({}) from stdin").format(name, sql.SQL(", ").join(map(sql.Identifier, columns)))
    duplicates = 0
    with connection.cursor().copy(statement) as copy:
        for record, digest in zip(records, digests, strict=True):
            duplicates += digest in seen
            copy.write_row(
                (
                    object_id,
                    record.line_number,
                    digest,
                    digest in seen,
                    *(
                        Jsonb(value) if column in table.json_columns and value is not None else value
                        for column, value in ((column, record.values[column]) for column in table.columns)
                    ),
                )
            )
            seen.add(digest)
    return duplicates


def write_rejects(connection: psycopg.Connection, object_id: str, rejects: Iterable[Reject]) -> None:
    """Copy quarantined rows."""
    from psycopg.types.json import Jsonb

    with connection.cursor().copy(
        "copy raw.quarantined_rows (object_id, line_number, reason_code, reason, raw_record) from stdin"
    ) as copy:
        for reject in rejects:
            copy.write_row((object_id, reject.line_number, reject.code, reject.reason, Jsonb(dict(reject.raw_record))))


def _write_documents(connection: psycopg.Connection, object_id: str, documents: Iterable[Document]) -> None:
    for document in documents:
        connection.execute(
            "insert into raw.status_page_documents "
            "(object_id, kind, page_id, page_updated_at, incident_ids, maintenance_ids) "
            "values (%s, %s, %s, %s, %s, %s)",
            [
                object_id,
                document.kind,
                document.page_id,
                document.page_updated_at,
                list(document.incident_ids),
                list(document.maintenance_ids),
            ],
        )
