"""The billing drop: what each posting appended, as files for the billing system, dropped once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from slaledger.ledger import anchors
from slaledger.ledger.canonical import instant_text, month_text
from slaledger.ledger.chain import LINE_COLUMNS, Line, read_lines_between
from slaledger.ledger.postings import Posting, read_posting
from slaledger.settings import Settings
from slaledger.warehouse import connect

if TYPE_CHECKING:
    import psycopg
    import pyarrow

PREFIX = "billing/credits"
CSV, PARQUET = "credit_line_items.csv", "credit_line_items.parquet"

# What a spreadsheet takes as the start of a formula, in both widths, and what it skips before one.
_FORMULA = re.compile(r"[\s\ufeff]*[=+\-@＝＋－＠]|[\t\r\n]")


class DropConflict(Exception):
    """A manifest is in the drop already, and is not that of these lines."""

    is_final = True


@dataclass(frozen=True)
class DropFile:
    """An object of the drop."""

    key: str
    body: bytes

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.body).hexdigest()


def deliver(settings: Settings, *, run_id: str) -> list[str]:
    """Drop this run's postings, and every one before them that did not get so far; the keys written.

    The outbox is `billing.postings`. Each posting's anchor is written first; its files are a function of its lines,
    its manifest is written last and only if absent, and what was dropped is recorded after it: broken off anywhere
    and repeated, the drop is whole and the same. Raises `DropConflict`, `anchors.AnchorConflict`, and
    `slaledger.objects`' errors where S3 does not answer.
    """
    anchors.write_missing(settings)
    with connect(settings.warehouse, role="sla_relay") as connection:
        waiting = _postings_to_drop(connection)
    # This run's own first: a fault in an older one must not hold it back.
    waiting.sort(key=lambda posting: posting.run_id != run_id)
    return [key for posting in waiting for key in _drop(settings, posting)]


def _postings_to_drop(connection: psycopg.Connection) -> list[Posting]:
    """Those with lines that are in no bucket."""
    numbers = connection.execute("select posting_number from billing.undelivered order by posting_number").fetchall()
    return [read_posting(connection, number) for (number,) in numbers]


def _drop(settings: Settings, posting: Posting) -> list[str]:
    from slaledger import objects

    with connect(settings.warehouse, role="sla_relay") as connection:
        lines = read_lines_between(connection, first=posting.first_position, last=posting.last_position)
    files = drop_files(posting, lines)
    manifest = files[-1]
    if not _is_dropped(settings, manifest):
        for file in files[:-1]:
            objects.put(settings.exports, file.key, file.body)
        if not objects.put_if_absent(settings.exports, manifest.key, manifest.body) and not _is_dropped(
            settings, manifest
        ):
            raise DropConflict(
                f"S3 says that {manifest.key} is in bucket {settings.exports.bucket}, and does not give it. Nothing is "
                "on record as dropped: clear the task, or run the month again."
            )
    _record(settings, posting, manifest)
    return [file.key for file in files]


def _record(settings: Settings, posting: Posting, manifest: DropFile) -> None:
    with connect(settings.warehouse, role="sla_relay") as connection:
        connection.execute(
            """
            insert into billing.deliveries (posting_number, bucket, manifest_key, manifest_sha256)
            values (%s, %s, %s, %s)
            on conflict do nothing
            """,
            (posting.posting_number, settings.exports.bucket, manifest.key, manifest.sha256),
        )


def drop_files(posting: Posting, lines: Sequence[Line]) -> list[DropFile]:
    """The objects of a posting's drop, the manifest last: a function of the posting and its lines alone."""
    prefix = drop_prefix(posting)
    files = [DropFile(f"{prefix}/{CSV}", csv_bytes(lines)), DropFile(f"{prefix}/{PARQUET}", parquet_bytes(lines))]
    return [*files, DropFile(manifest_key(posting), manifest_bytes(posting, files, lines))]


def manifest_key(posting: Posting) -> str:
    """Where a posting's manifest is."""
    return f"{drop_prefix(posting)}/manifest.json"


def drop_prefix(posting: Posting) -> str:
    """Where a posting's files are: below its service month, under its number and the first digits of its hash."""
    name = f"{posting.posting_number:012d}-{posting.posting_hash[:8]}"
    return f"{PREFIX}/{month_text(posting.service_month)}/{name}"


def _is_dropped(settings: Settings, manifest: DropFile) -> bool:
    from slaledger import objects

    held = objects.get(settings.exports, manifest.key)
    if held is not None and held != manifest.body:
        raise DropConflict(
            f"{manifest.key} in bucket {settings.exports.bucket} is not the manifest of these lines: somebody else "
            "wrote it. Compare it with `billing.credit_line_items`, move it away, and run the month again."
        )
    return held is not None


def csv_bytes(lines: Iterable[Line]) -> bytes:
    """The lines as CSV (RFC 4180, UTF-8): numbers in plain digits, text that no spreadsheet runs as a formula."""
    import pandas

    cells = [[_cell(getattr(line, name)) for name in LINE_COLUMNS] for line in lines]
    frame = pandas.DataFrame(cells, columns=list(LINE_COLUMNS), dtype="object")
    return frame.to_csv(index=False, lineterminator="\r\n").encode()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            return format(value, "f")
        case int():
            return str(value)
    if isinstance(value, date):
        return instant_text(value) if hasattr(value, "hour") else value.isoformat()
    text = str(value)
    return f"'{text}" if _FORMULA.match(text) else text


def parquet_bytes(lines: Sequence[Line]) -> bytes:
    """The lines as Parquet: amounts and figures as exact decimals, instants in UTC, ids and texts as text."""
    import pyarrow
    import pyarrow.parquet

    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(_table(lines), sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def _table(lines: Sequence[Line]) -> pyarrow.Table:
    import pyarrow

    return pyarrow.table(
        {
            name: pyarrow.array([_plain(getattr(line, name)) for line in lines], type=_type(name))
            for name in LINE_COLUMNS
        }
    )


def _type(name: str) -> pyarrow.DataType:
    import pyarrow

    match name:
        case "amount" | "monthly_fee" | "credit_percent" | "uptime_percent" | "counted_seconds":
            return pyarrow.decimal128(38, 18)
        case "service_month" | "applies_from":
            return pyarrow.date32()
        case "recorded_at":
            return pyarrow.timestamp("us", tz="UTC")
        case "ordinal" | "chain_position" | "hash_version":
            return pyarrow.int64()
    return pyarrow.string()


def _plain(value: object) -> object:
    return str(value) if not isinstance(value, Decimal | int | date | None) else value


def _is_csv_of(body: bytes, lines: Sequence[Line]) -> bool:
    return body == csv_bytes(lines)


def _is_parquet_of(body: bytes, lines: Sequence[Line]) -> bool:
    """By its values: another release of pyarrow writes them in other bytes."""
    import pyarrow
    import pyarrow.parquet

    try:
        held = pyarrow.parquet.read_table(pyarrow.BufferReader(body))
    except (pyarrow.ArrowException, OSError):
        return False
    return held.equals(_table(lines))


# The files of a drop beside its manifest, and whether a body holds the lines.
FILES: dict[str, Callable[[bytes, Sequence[Line]], bool]] = {CSV: _is_csv_of, PARQUET: _is_parquet_of}


def manifest_bytes(posting: Posting, files: Sequence[DropFile], lines: Sequence[Line]) -> bytes:
    """What is in the drop: the posting, its place in the chain, and each file with its digest, rows and sums."""
    content: dict[str, Any] = {
        "manifest_version": 1,
        "service_month": month_text(posting.service_month),
        "run_id": posting.run_id,
        "posting": {"number": posting.posting_number, "hash": posting.posting_hash},
        "chain": {
            "previous_hash": lines[0].previous_hash,
            "last_hash": lines[-1].line_hash,
            "last_position": lines[-1].chain_position,
        },
        # Sums as text: JSON's numbers are not exact everywhere.
        "objects": [
            {"key": file.key, "sha256": file.sha256, "rows": len(lines), "sums": posting.sums} for file in files
        ],
    }
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()
