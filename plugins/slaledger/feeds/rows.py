"""What a feed's reader gives for each row: a record for its table, or a reject for the quarantine."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from slaledger.feeds import csv_records, strict_json
from slaledger.feeds.bodies import Line, first_bytes, lines, open_body, refuse_foreign
from slaledger.feeds.reasons import ObjectRejected, RowRejected

# A quarantined row keeps its fields up to this size, then its digest alone.
_MAX_RAW_RECORD_BYTES = 1 << 16
_MAX_FIELD_NAMES = 20
_NAME = re.compile(r"[\w.-]{1,60}", re.ASCII)


@dataclass(frozen=True)
class Record:
    """A row that can be used, by the columns of its feed's table."""

    line_number: int
    values: Mapping[str, Any]
    table: str | None = None  # where its feed has several

    @property
    def sha256(self) -> str:
        """Digest of the contract's fields: equal for rows that say the same."""
        canonical = json.dumps(self.values, default=_canonical, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True)
class Reject:
    """A row that cannot be used. `raw_record` holds the contract's fields only, or its digest."""

    line_number: int
    code: str
    reason: str
    raw_record: Mapping[str, Any]


@dataclass
class Notes:
    """What an object holds besides its rows: fields that the contract does not know, and remarks.

    A remark is its code, its subject (None: the object itself) and its detail.
    """

    unknown_fields: set[str] = field(default_factory=set)
    observations: list[tuple[str, str | None, str]] = field(default_factory=list)

    def see_field(self, name: str) -> None:
        """Remember an unknown field, up to a limit; of what is no name (an address, a sentence), that it is none."""
        if len(self.unknown_fields) < _MAX_FIELD_NAMES:
            self.unknown_fields.add(name if _NAME.fullmatch(name) else f"({len(name)} characters that are no name)")


Parse = Callable[[Mapping[str, Any]], dict[str, Any]]


def safe(text: str, limit: int = 60) -> str:
    """A foreign text as it may stand in a message: one line, no control characters, short."""
    shown = "".join(character if character.isprintable() else "?" for character in text[: limit + 1])
    return shown if len(shown) <= limit else shown[:limit] + "…"


def _canonical(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    raise TypeError(f"{type(value).__name__} has no canonical form")


def by_digest(line: Line) -> dict[str, str]:
    """What the quarantine keeps of a line that cannot be parsed."""
    return {"sha256": line.digest}


def kept(row: Mapping[str, Any], keep: Mapping[str, Any], digest: Callable[[], str]) -> dict[str, Any]:
    """The contract's fields of a row, for the quarantine: `keep` maps a field to None, or to its own fields."""
    record = _project(row, keep)
    try:
        strict_json.check(record)
        is_small = len(json.dumps(record).encode()) <= _MAX_RAW_RECORD_BYTES
    except (RowRejected, TypeError, ValueError):
        is_small = False
    return record if is_small else {"sha256": digest()}


def _project(value: Any, keep: Mapping[str, Any] | None) -> Any:
    if isinstance(value, list):
        return [_project(item, keep) for item in value]
    if isinstance(value, Mapping):
        # Under a field that holds no object, none of its fields is the contract's.
        return {name: _project(value[name], inner) for name, inner in (keep or {}).items() if name in value}
    return value if keep is None else None


def parse_line(line: Line) -> Mapping[str, Any]:
    """One NDJSON line as a JSON object. Raises `RowRejected`."""
    if line.content is None:
        raise RowRejected("row_too_long", "the line is over 1 MiB")
    if b"\x00" in line.content:
        raise RowRejected("nul_character", "the line holds a NUL")
    try:
        text = line.content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RowRejected("invalid_utf8", f"no valid UTF-8 at byte {error.start} of the line") from None
    try:
        row = strict_json.loads(text)
    except strict_json.NotJson as error:
        raise RowRejected(error.code, error.reason) from None
    strict_json.check(row)
    if not isinstance(row, dict):
        raise RowRejected("not_an_object", "the line is JSON, but no object")
    return row


def read_ndjson(path: Path, keep: Mapping[str, Any], parse: Parse, notes: Notes) -> Iterator[Record | Reject]:
    """The rows of an NDJSON object: its non-blank lines. Raises `ObjectRejected`."""
    refuse_documents(path)
    with open_body(path) as body:
        for line in lines(body):
            if line.is_blank:
                continue
            try:
                row = parse_line(line)
            except RowRejected as error:
                yield Reject(line.number, error.code, error.reason, by_digest(line))
                continue
            for name in row.keys() - keep.keys():
                notes.see_field(name)
            yield judge(line, row, keep, parse)


def judge(line: Line, row: Mapping[str, Any], keep: Mapping[str, Any], parse: Parse) -> Record | Reject:
    """A parsed row as its record, or as the reject that its feed makes of it."""
    try:
        return Record(line.number, parse(row))
    except RowRejected as error:
        return Reject(line.number, error.code, error.reason, kept(row, keep, lambda: line.digest))


def refuse_documents(path: Path) -> None:
    """Raise `ObjectRejected` where the object is one document instead of lines."""
    start = first_bytes(path)
    refuse_foreign(start)
    if (start.startswith(b"[") or start.partition(b"\n")[0].rstrip() == b"{") and not _goes_on(path):
        raise ObjectRejected("not_ndjson", "the object is one JSON document, not a JSON object a line")


def _goes_on(path: Path) -> bool:
    """Whether the second line is a JSON object: then a first one that is none is a bad row, and no more than that."""
    with open_body(path) as body:
        told = (line for line in lines(body) if not line.is_blank)
        next(told)
        try:
            return bool(parse_line(next(told)))
        except (RowRejected, StopIteration):
            return False


def read_csv(
    path: Path, required: tuple[str, ...], keep: Mapping[str, Any], parse: Parse, notes: Notes
) -> Iterator[Record | Reject]:
    """The rows of a CSV object: the records after its header. Raises `ObjectRejected`."""
    refuse_foreign(first_bytes(path))
    with open_body(path) as body:
        records = csv_records.records(lines(body))
        header = csv_records.read_header(records, required)
        if header is None:
            return
        for name in header.unknown(keep):
            notes.see_field(name)
        for line in records:
            try:
                row = csv_records.fields(line, header)
            except RowRejected as error:
                yield Reject(line.number, error.code, error.reason, by_digest(line))
                continue
            yield judge(line, row, keep, parse)
