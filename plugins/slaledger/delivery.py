"""The billing drop: what each posting appended, as files for the billing system, dropped once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from slaledger.ledger.canonical import instant_text, month_text
from slaledger.ledger.chain import LINE_COLUMNS, Line, read_lines_of_run
from slaledger.settings import Settings
from slaledger.warehouse import connect

if TYPE_CHECKING:
    import psycopg
    import pyarrow

PREFIX = "billing/credits"

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
    """Drop the lines of this run, and of every posting before it that did not get so far; the keys written.

    Each posting's files are a function of its lines, its manifest is written last and only if absent, and what was
    dropped is recorded after it: broken off anywhere and repeated, the drop is whole and the same.
    Raises `DropConflict`, and `slaledger.objects`' errors where S3 does not answer.
    """
    with connect(settings.warehouse, role="sla_relay") as connection:
        waiting = _postings_to_drop(connection)
    # This run's own first: a fault in an older one must not hold it back.
    waiting.sort(key=lambda posting: posting[0] != run_id)
    return [key for posting in waiting for key in _drop(settings, *posting)]


def _postings_to_drop(connection: psycopg.Connection) -> list[tuple[str, date]]:
    return connection.execute(
        """
        select lines.run_id, lines.service_month
        from billing.credit_line_items as lines
        where not exists (
            select from billing.deliveries
            where
                deliveries.is_manifest
                and deliveries.run_id = lines.run_id
                and deliveries.service_month = lines.service_month
        )
        group by lines.run_id, lines.service_month
        order by min(lines.chain_position)
        """
    ).fetchall()


def _drop(settings: Settings, run_id: str, service_month: date) -> list[str]:
    from slaledger import objects

    with connect(settings.warehouse, role="sla_relay") as connection:
        lines = read_lines_of_run(connection, run_id, service_month=service_month)
        sums = _sums(connection, run_id, service_month)
    prefix = drop_prefix(run_id, service_month=service_month)
    files = [
        DropFile(f"{prefix}/credit_line_items.csv", csv_bytes(lines)),
        DropFile(f"{prefix}/credit_line_items.parquet", parquet_bytes(lines)),
    ]
    manifest = DropFile(f"{prefix}/manifest.json", _manifest(files, lines, sums))
    if not _is_dropped(settings, manifest):
        for file in files:
            objects.put(settings.exports, file.key, file.body)
        if not objects.put_if_absent(settings.exports, manifest.key, manifest.body):
            _is_dropped(settings, manifest)
    with connect(settings.warehouse, role="sla_relay") as connection, connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into billing.deliveries (bucket, key, run_id, service_month, is_manifest, sha256, row_count)
            values (%s, %s, %s, %s, %s, %s, %s)
            on conflict do nothing
            """,
            [
                (settings.exports.bucket, file.key, run_id, service_month, file is manifest, file.sha256, len(lines))
                for file in (*files, manifest)
            ],
        )
    return [file.key for file in (*files, manifest)]


def drop_prefix(run_id: str, *, service_month: date) -> str:
    """Where a posting's files are: below its service month, under its run's id in characters that keys like."""
    readable = re.sub(r"[^A-Za-z0-9._-]", "-", run_id)[:120]
    return f"{PREFIX}/{month_text(service_month)}/{readable}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"


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

    table = pyarrow.table(
        {
            name: pyarrow.array([_plain(getattr(line, name)) for line in lines], type=_type(name))
            for name in LINE_COLUMNS
        }
    )
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


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


def _manifest(files: Sequence[DropFile], lines: Sequence[Line], sums: dict[str, str]) -> bytes:
    content: dict[str, Any] = {
        "manifest_version": 1,
        "service_month": month_text(lines[0].service_month),
        "run_id": lines[0].run_id,
        "chain": {
            "previous_hash": lines[0].previous_hash,
            "last_hash": lines[-1].line_hash,
            "last_position": lines[-1].chain_position,
        },
        "objects": [{"key": file.key, "sha256": file.sha256, "rows": len(lines), "sums": sums} for file in files],
    }
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def _sums(connection: psycopg.Connection, run_id: str, service_month: date) -> dict[str, str]:
    """Currency -> sum of the posting's lines, as text: JSON's numbers are not exact everywhere."""
    return dict(
        connection.execute(
            """
            select currency, sum(amount)::text
            from billing.credit_line_items
            where run_id = %s and service_month = %s
            group by currency
            """,
            (run_id, service_month),
        ).fetchall()
    )
