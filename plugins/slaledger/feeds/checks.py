"""`monitoring/checks/`: NDJSON, CSV or Parquet → checks as columns, and rejects.

One rule for a row, `_Judge.check`; the columns of `check_columns` only vouch for rows that it would surely take.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from slaledger.feeds import csv_records, limits, values
from slaledger.feeds.bodies import (
    PARQUET_MAGIC,
    Line,
    first_bytes,
    lines,
    open_body,
    put_back,
    refuse_foreign,
)
from slaledger.feeds.check_columns import CsvColumns, Known, NdjsonColumns, Vouched
from slaledger.feeds.reasons import ObjectRejected, RowRejected
from slaledger.feeds.registry import CHECKS
from slaledger.feeds.rows import Notes, Reject, by_digest, kept, parse_line, refuse_documents
from slaledger.streaks import STATUSES, Checks, Pair, microseconds

_BLOCK_BYTES = 4 << 20


@dataclass
class Batch:
    """Some rows of an object, in its order."""

    rows: int = 0
    checks: list[Checks] = field(default_factory=list)
    not_known: list[Checks] = field(default_factory=list)  # rejected, but judged again when the catalog changes
    rejects: list[Reject] = field(default_factory=list)


def format_of(path: Path) -> str:
    """`parquet`, `ndjson` or `csv`, told by content; of an empty object `ndjson`. Raises `ObjectRejected`."""
    start = first_bytes(path)
    if start.startswith(PARQUET_MAGIC):
        return "parquet"
    refuse_foreign(start)
    if not start:
        return "ndjson"
    if start.startswith((b"{", b"[")):
        refuse_documents(path)
        return "ndjson"
    with open_body(path) as body:
        head = body.read(1 << 16).lstrip()
    names = {name.strip(b'" \r') for name in head.partition(b"\n")[0].split(b",")}
    if names & {name.encode() for name in CHECKS.required}:
        return "csv"
    if any(line.lstrip().startswith(b"{") for line in head.split(b"\n")):
        return "ndjson"
    raise ObjectRejected("wrong_format", "the content is neither NDJSON nor Parquet nor CSV with the feed's columns")


def read(path: Path, format: str, known: Known, latest: datetime, notes: Notes) -> Iterator[Batch]:
    """The rows of a check object, judged by the catalog (`known`) and the object's export (`latest`: rule M2).

    Raises `ObjectRejected`, also while it is read.
    """
    judge = _Judge(known, latest)
    rows = 0
    reader = _read_parquet if format == "parquet" else _read_text
    for batch in reader(path, format, judge, notes):
        rows += batch.rows
        if rows > limits.MAX_CHECK_ROWS:
            raise ObjectRejected("too_many_rows", f"over {limits.MAX_CHECK_ROWS} rows")
        yield batch


@dataclass(frozen=True)
class _Judge:
    known: Known
    latest: datetime

    def check(self, row: Mapping[str, Any]) -> tuple[Pair, int, int]:
        """The rule for a row: its pair, instant and status. Raises `RowRejected`, or `_NotKnown` of a sound row."""
        pair = (values.text(row, "monitor_id"), values.text(row, "location"))
        at = values.instant(row, "checked_at")
        status = STATUSES.index(values.choice(row, "status", STATUSES))
        if at > self.latest:
            raise RowRejected("future_check", "the check is dated over 5 minutes after its object's export")
        found = (pair, microseconds(at), status)
        if pair[0] not in self.known:
            raise _NotKnown("unknown_monitor", "the catalog does not know the monitor", found)
        if pair[1] not in self.known[pair[0]]:
            raise _NotKnown("unknown_location", "the catalog does not know this location of the monitor", found)
        return found


class _NotKnown(RowRejected):
    def __init__(self, code: str, reason: str, found: tuple[Pair, int, int]) -> None:
        super().__init__(code, reason)
        self.found = found


class _Slow:
    """Rows that nobody vouches for, one by one."""

    def __init__(self, judge: _Judge) -> None:
        self._judge = judge
        self._found: list[tuple[Pair, int, int]] = []
        self._not_known: list[tuple[Pair, int, int]] = []
        self.rejects: list[Reject] = []

    def reject(self, number: int, error: RowRejected, raw_record: Mapping[str, Any]) -> None:
        self.rejects.append(Reject(number, error.code, error.reason, raw_record))

    def take(self, line: Line, row: Mapping[str, Any]) -> None:
        try:
            self._found.append(self._judge.check(row))
        except RowRejected as error:
            if isinstance(error, _NotKnown):
                self._not_known.append(error.found)
            self.reject(line.number, error, kept(row, CHECKS.fields, lambda: line.digest))

    def add_to(self, batch: Batch) -> None:
        batch.checks.append(_columns(self._found))
        batch.not_known.append(_columns(self._not_known))
        batch.rejects += self.rejects


def _columns(found: list[tuple[Pair, int, int]]) -> Checks:
    import numpy as np

    index: dict[Pair, int] = {}
    pair = np.array([index.setdefault(row[0], len(index)) for row in found], dtype=np.int32)
    return Checks(
        tuple(index),
        pair,
        np.array([row[1] for row in found], dtype=np.int64),
        np.array([row[2] for row in found], dtype=np.uint8),
    )


def _read_text(path: Path, format: str, judge: _Judge, notes: Notes) -> Iterator[Batch]:
    with open_body(path) as body:
        number, header = 0, None
        if format == "csv":
            header = csv_records.read_header(csv_records.records(lines(body)), CHECKS.required)
            if header is None:
                return
            number = header.next_line - 1
            for name in header.unknown(CHECKS.fields):
                notes.see_field(name)
        columns = (
            NdjsonColumns(judge.known, judge.latest, notes)
            if header is None
            else CsvColumns(judge.known, judge.latest, header)
        )
        while block := body.read(_BLOCK_BYTES):
            block += body.readline(limits.MAX_ROW_BYTES)
            vouched = columns.vouch(block)
            if vouched is None:
                # A line over the limit, or a record over several lines: from here on record by record.
                yield from _read_slowly(put_back(block, body), number, header, judge, notes)
                return
            yield _batch(block, number, vouched, header, judge, notes)
            number += vouched.lines


def _batch(
    block: bytes,
    number: int,
    vouched: Vouched,
    header: csv_records.Header | None,
    judge: _Judge,
    notes: Notes,
) -> Batch:
    """The rows of a block: those vouched for as columns, the others one by one."""
    slow = _Slow(judge)
    rows = len(vouched.checks)
    for index in vouched.others:
        start, end = vouched.offsets[index], vouched.offsets[index + 1]
        content = block[start:end].removesuffix(b"\n").removesuffix(b"\r")
        rows += _take(slow, Line(number + int(index) + 1, content), header, notes)
    batch = Batch(rows=rows, checks=[vouched.checks])
    slow.add_to(batch)
    return batch


def _read_slowly(
    body: BinaryIO, number: int, header: csv_records.Header | None, judge: _Judge, notes: Notes
) -> Iterator[Batch]:
    rest = lines(body, number)
    slow, rows = _Slow(judge), 0
    for line in rest if header is None else csv_records.records(rest):
        rows += _take(slow, line, header, notes)
        if rows == 10_000:
            batch = Batch(rows=rows)
            slow.add_to(batch)
            yield batch
            slow, rows = _Slow(judge), 0
    batch = Batch(rows=rows)
    slow.add_to(batch)
    yield batch


def _take(slow: _Slow, line: Line, header: csv_records.Header | None, notes: Notes) -> int:
    """Judge one line or record; how many rows it is (a blank one is none)."""
    if line.is_blank if header is None else line.content == b"":
        return 0
    try:
        row = parse_line(line) if header is None else csv_records.fields(line, header)
    except RowRejected as error:
        slow.reject(line.number, error, by_digest(line))
        return 1
    if header is None:
        for name in row.keys() - CHECKS.fields.keys():
            notes.see_field(name)
    slow.take(line, row)
    return 1


def _read_parquet(path: Path, format: str, judge: _Judge, notes: Notes) -> Iterator[Batch]:
    from slaledger.feeds import check_parquet

    for number, checks, others in check_parquet.batches(path, judge.known, judge.latest, notes):
        slow = _Slow(judge)
        for index, row in others:
            line = Line(number + index, repr(sorted(row.items())).encode())
            try:
                slow.take(line, check_parquet.plain(row))
            except RowRejected as error:
                slow.reject(line.number, error, by_digest(line))
        batch = Batch(rows=len(checks) + len(others), checks=[checks])
        slow.add_to(batch)
        yield batch
