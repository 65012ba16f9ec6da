"""CSV, strictly: records told apart by balanced quotes, so that no record swallows another unnoticed."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from slaledger.feeds.bodies import Line
from slaledger.feeds.limits import MAX_COLUMNS, MAX_ROW_BYTES
from slaledger.feeds.reasons import ObjectRejected, RowRejected

# A field may be as long as a row; rows are capped before they come here.
csv.field_size_limit(2 * MAX_ROW_BYTES)


@dataclass(frozen=True)
class Header:
    """The columns of a CSV object, in its order."""

    columns: tuple[str, ...]
    next_line: int  # number of the line after it

    def unknown(self, known: Collection[str]) -> list[str]:
        """Columns that the contract does not know."""
        return [column for column in self.columns if column not in known]


def read_header(records: Iterator[Line], required: Collection[str]) -> Header | None:
    """The header; None for an object without a line. Raises `ObjectRejected`."""
    first = next(records, None)
    if first is None:
        return None
    if first.content is None:
        raise ObjectRejected("csv_header", "the header is over 1 MiB")
    try:
        columns = tuple(_split(first.content))
    except RowRejected as error:
        code = "invalid_encoding" if error.code == "invalid_utf8" else "csv_header"
        raise ObjectRejected(code, f"the header cannot be read: {error.reason}") from None
    if len(columns) > MAX_COLUMNS:
        raise ObjectRejected("csv_header", f"the header has over {MAX_COLUMNS} columns")
    if len(set(columns)) != len(columns):
        raise ObjectRejected("csv_header", "the header has a column twice")
    if missing := [column for column in required if column not in columns]:
        raise ObjectRejected("csv_header", f"the header lacks {', '.join(missing)}")
    return Header(columns, first.number + first.content.count(b"\n") + 1)


def records(lines: Iterable[Line]) -> Iterator[Line]:
    """The records of CSV lines, blank lines left out, each with the number of its first line.

    Raises `ObjectRejected` where the last record's quotes never close.
    """
    number, parts, size, digest = 0, [], 0, None
    is_open = False
    for line in lines:
        if not is_open:
            if line.content == b"":
                continue
            number, parts, size, digest = line.number, [], 0, None
        size += MAX_ROW_BYTES + 1 if line.content is None else len(line.content) + bool(parts)
        if size <= MAX_ROW_BYTES:
            parts.append(line.content)
        else:
            digest = hashlib.sha256(b"\n".join(parts)) if digest is None else digest
            digest.update(line.digest.encode() if line.content is None else line.content)
            parts = []
        is_open ^= line.has_odd_quotes if line.content is None else line.content.count(b'"') % 2 == 1
        if not is_open:
            yield Line(number, b"\n".join(parts)) if digest is None else Line(number, None, digest.hexdigest())
    if is_open:
        raise ObjectRejected("csv_quotes", f"a quote opened in line {number} is never closed")


def fields(record: Line, header: Header) -> dict[str, str]:
    """One record by column. Raises `RowRejected`, or `ObjectRejected` where its quotes make no sense."""
    if record.content is None:
        raise RowRejected("row_too_long", "the record is over 1 MiB")
    values = _split(record.content)
    if len(values) != len(header.columns):
        raise RowRejected("ragged_row", f"{len(values)} fields under a header of {len(header.columns)}")
    return dict(zip(header.columns, values, strict=True))


def _split(content: bytes) -> list[str]:
    if b"\x00" in content:
        raise RowRejected("nul_character", "the record holds a NUL")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RowRejected("invalid_utf8", f"no valid UTF-8 at byte {error.start} of the record") from None
    if '"' not in text:
        if "\r" in text:
            raise RowRejected("carriage_return", "a carriage return stands outside quotes")
        return text.split(",")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise ObjectRejected("csv_quotes", f"quotes cannot be read ({error})") from None
    if len(rows) != 1:
        raise ObjectRejected("csv_quotes", "quotes cannot be read")
    return rows[0]
