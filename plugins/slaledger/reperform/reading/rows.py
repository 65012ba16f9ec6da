"""The rows of an object, framed by its format; which of them are usable text; and which one of a key is in force."""

from __future__ import annotations

import csv
import gzip
import json
import re
import string
import zlib
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from slaledger.reperform.records import ExportObject, Rejected

MAX_ROW_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
MAX_DIGITS = 30
MAX_DEPTH = 256
BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
# Archives that hold a text as it is, and mark-up: what stands in them on lines of its own is no row.
NO_TEXT = re.compile(
    rb"\s*(?:\x1f\x8b|PK\x03\x04|BZh|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|7z\xbc\xaf|%PDF|PAR1|<|.{257}ustar)",
    re.DOTALL,
)

Record = TypeVar("Record")
Fields = Mapping[str, Any]
Rank = tuple[int, str, int]  # exported_at, object key, row: of one key the greatest wins
Framed = tuple[int, "Fields | Unusable"]


class Unusable(Exception):
    """Why a row cannot be used."""


class Unreadable(Exception):
    """Why an object cannot be read at all."""


@dataclass(frozen=True)
class NoNumber:
    """In place of `NaN` and its like, and of endless numbers: of no type that a field has, so no field can hold it."""

    text: str

    def __str__(self) -> str:
        return self.text


def whole(text: str) -> int | NoNumber:
    """A whole number of JSON."""
    return int(text) if len(text) <= MAX_DIGITS else NoNumber(text)


def fraction(text: str) -> Decimal | NoNumber:
    """A number of JSON with a point or an exponent."""
    try:
        return Decimal(text)
    except ArithmeticError:
        return NoNumber(text)


class Ambiguous(dict[str, Any]):
    """A JSON object that says `twice` what is under these keys; of each the last."""

    twice: set[str]


def unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object of a row, which says everything once."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unusable("it has a key twice")
    return found


def perhaps_ambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object of a document: of its wrapper or of a row, which only its place tells."""
    found: dict[str, Any] = {}
    twice = set()
    for key, value in pairs:
        if key in found:
            twice.add(key)
        found[key] = value
    if twice:
        found = Ambiguous(found)
        found.twice = twice
    return found


ROW = json.JSONDecoder(object_pairs_hook=unambiguous, parse_int=whole, parse_float=fraction, parse_constant=NoNumber)
DOCUMENT = json.JSONDecoder(
    object_pairs_hook=perhaps_ambiguous, parse_int=whole, parse_float=fraction, parse_constant=NoNumber
)


def check_texts(value: Any) -> None:
    """Raise `Unusable` if a text within, keys too, holds a NUL or what UTF-8 cannot say.

    Or if an object within is ambiguous, or it is nested too deep.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, str):
                check_text(item)
            elif isinstance(item, Ambiguous):
                raise Unusable("it has a key twice")
            elif isinstance(item, Mapping):
                inner += [*item, *item.values()]
            elif isinstance(item, list):
                inner += item
        if not inner:
            return
        level = inner
    raise Unusable(f"it is nested over {MAX_DEPTH} deep")


def check_text(text: str) -> None:
    """Raise `Unusable` if it holds a NUL or what UTF-8 cannot say."""
    if "\0" in text:
        raise Unusable("it holds a NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unusable("it is no valid UTF-8") from None


def plain(body: bytes) -> bytes:
    """The body without its gzip and its byte-order mark. Raises `Unreadable` where that is one of UTF-16."""
    if body.startswith(GZIP_MAGIC):
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error) as error:
            raise Unreadable(f"its gzip is broken: {error}") from error
    if body.startswith(UTF16_BOMS):
        raise Unreadable("it is UTF-16")
    body = body.removeprefix(BOM)
    if NO_TEXT.match(body):
        raise Unreadable("it is an archive, or mark-up")
    return body


def ndjson(body: bytes) -> Iterator[Framed]:
    """The non-blank lines, which end at a line feed alone, with their line numbers.

    Raises `Unreadable` where it is one document over all lines: it begins like one, and no second line is a row.
    """
    rows: list[tuple[int, Fields | Unusable]] = []
    begins_document = False
    for number, line in enumerate(plain(body).split(b"\n"), start=1):
        if not line.strip(b" \t\r"):
            continue
        begins_document = begins_document or (not rows and (line.startswith(b"[") or line.strip() == b"{"))
        try:
            rows.append((number, json_row(line)))
        except Unusable as why:
            rows.append((number, why))
    if begins_document and not (len(rows) > 1 and rows[1][1] and isinstance(rows[1][1], dict)):
        raise Unreadable("it is one JSON document, not a JSON object a line")
    yield from rows


def json_row(line: bytes) -> Fields:
    """One line of NDJSON."""
    if len(line) > MAX_ROW_BYTES:
        raise Unusable("it is over 1 MiB")
    try:
        value = ROW.decode(line.decode())
    except UnicodeDecodeError:
        raise Unusable("it is no valid UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise Unusable(f"it is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise Unusable("it is no JSON object")
    if b"\\u" in line or line.count(b"[") + line.count(b"{") > MAX_DEPTH:
        check_texts(value)
    return value


def csv_rows(body: bytes, required: Collection[str]) -> Iterator[Framed]:
    """The records after the header, by their first line's number; each must have as many cells as that.

    Raises `Unreadable` where the header cannot be read, has a column twice or lacks a required one, or where quotes
    make no sense: then nobody knows which lines are a record.
    """
    header: list[str] | None = None
    rows: list[tuple[int, Fields | Unusable]] = []
    for number, record in csv_records(plain(body)):
        try:
            found = cells(record)
            if header is not None:
                if len(found) != len(header):
                    raise Unusable(f"it has {len(found)} cells under a header of {len(header)}")
                rows.append((number, dict(zip(header, found, strict=True))))
        except Unusable as why:
            if header is None:
                raise Unreadable(f"its header: {why}") from None
            rows.append((number, why))
        else:
            header = found if header is None else header
            if len(set(header)) < len(header) or not set(required) <= set(header):
                raise Unreadable(f"its header has a column twice, or not all of {', '.join(required)}")
    yield from rows


def csv_records(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Lines, put together while a quote is open, with the number of their first; blank ones are none."""
    open_since, parts = 0, []
    for number, line in enumerate(body.split(b"\n"), start=1):
        line = line.removesuffix(b"\r")
        if not line and not parts:
            continue
        open_since = open_since if parts else number
        parts.append(line)
        if sum(part.count(b'"') for part in parts) % 2 == 0:
            yield open_since, b"\n".join(parts)
            parts = []
    if parts:
        raise Unreadable(f"a quote of line {open_since} is never closed")


def cells(record: bytes) -> list[str]:
    """The cells of a record."""
    if len(record) > MAX_ROW_BYTES:
        raise Unusable("it is over 1 MiB")
    # Bytes that are no UTF-8 become surrogates, which no text may hold.
    text = record.decode(errors="surrogateescape")
    check_text(text)
    if '"' not in text:
        if "\r" in text:
            raise Unusable("a carriage return stands outside quotes")
        return text.split(",")
    csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_BYTES))
    reader = csv.reader((f"{line}\n" for line in text.split("\n")), strict=True)
    try:
        (found,) = reader
    except (csv.Error, ValueError) as error:
        raise Unreadable(f"its quotes cannot be read: {error}") from error
    return found


def json_document(body: bytes, names: Sequence[str]) -> tuple[Fields, dict[str, list[Any]]]:
    """The one JSON object that a body is, and those of the lists of these names that it has; null is no list.

    Of a blank body both are empty. Raises `Unreadable` where there is no list at all, or something else in place of
    one, or a list twice. What is in the lists is still to be checked, row by row; all else is none of a row's.
    """
    text = plain(body).decode(errors="surrogateescape")
    if not text.strip(string.whitespace):
        return {}, {}
    try:
        value = DOCUMENT.decode(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise Unreadable("it is no JSON object")
    lists = {name: value[name] for name in names if value.get(name) is not None}
    twice = value.twice if isinstance(value, Ambiguous) else set()
    if not lists or twice.intersection(names) or not all(isinstance(rows, list) for rows in lists.values()):
        raise Unreadable(f"it has none of {', '.join(names)}, or one twice, or something else in place of one")
    return value, lists


def document_row(value: Any) -> Fields:
    """An element of a list in a JSON document, checked as a row."""
    if not isinstance(value, dict):
        raise Unusable("it is no JSON object")
    check_texts(value)
    if len(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode()) > MAX_ROW_BYTES:
        raise Unusable("it is over 1 MiB")
    return value


def rejection(source: ExportObject, number: int, why: Exception) -> Rejected:
    """The record of a row (or, number 0, an object) that is not used."""
    return Rejected(key=source.key, version_id=source.version_id, row=number, why=str(why))


def read_rows(
    objects: Iterable[ExportObject],
    *,
    frame: Callable[[bytes], Iterator[Framed]],
    parse: Callable[[Fields, ExportObject], Record],
    rejected: list[Rejected],
) -> list[tuple[Rank, Record]]:
    """Every usable row of the objects with its rank; the others are added to `rejected`."""
    ranked = []
    for source in objects:
        try:
            for number, fields in frame(source.body):
                try:
                    if isinstance(fields, Unusable):
                        raise fields
                    record = parse(fields, source)
                except Unusable as why:
                    rejected.append(rejection(source, number, why))
                else:
                    ranked.append(((source.exported_at, source.key, number), record))
        except Unreadable as why:
            rejected.append(rejection(source, 0, why))
    return ranked


def in_force(ranked: Iterable[tuple[Rank, Record]], key: Callable[[Record], Hashable]) -> dict[Any, Record]:
    """Of each key the record that came last: by export, then object key, then row."""
    return {key(record): record for _, record in sorted(ranked, key=lambda pair: pair[0])}
