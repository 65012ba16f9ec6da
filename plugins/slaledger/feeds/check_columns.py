"""Blocks of check lines as columns: whole-line patterns vouch for rows that the strict rule of `checks` surely takes.

A row is vouched for when its line matches a pattern of the one shape that its object's lines have (learnt from a line
that was parsed strictly), its ids and status pass the strict rule, and the catalog knows them. All others are "others".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from slaledger.feeds import values
from slaledger.feeds.bodies import Line
from slaledger.feeds.csv_records import Header
from slaledger.feeds.limits import MAX_ROW_BYTES
from slaledger.feeds.reasons import RowRejected
from slaledger.feeds.rows import Notes, parse_line
from slaledger.streaks import STATUSES, Checks, Pair, concatenate, microseconds

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

# The locations of every monitor that the catalog knows.
Known = Mapping[str, Collection[str]]

_MAX_SHAPES = 6
_WORTH_LEARNING = 64
_MAX_SHAPE_KEYS = 50
_FIELDS = ("monitor_id", "location", "checked_at", "status")

_INSTANT = (
    r"(?:19|20|21)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
    r"(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)"
)
# Inside a JSON string without escapes: anything, or (where the block is no valid UTF-8) printable ASCII.
_CHARACTERS = r'[^"\\\x00-\x1f]'
_ASCII_CHARACTERS = r"[ !#-\[\]-~]"
_SIMPLE_KEY = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)


@dataclass(frozen=True)
class Vouched:
    """What became of a block of lines: `others` are indexes of lines to be judged one by one."""

    lines: int
    offsets: np.ndarray
    checks: Checks
    others: np.ndarray


class NdjsonColumns:
    """NDJSON blocks; shapes are learnt as they come, up to a few."""

    def __init__(self, known: Known, latest: datetime, notes: Notes) -> None:
        self._known, self._latest, self._notes = known, latest, notes
        self._shapes: list[tuple[str, ...]] = []

    def vouch(self, block: bytes) -> Vouched | None:
        """The block as columns; None where a line is over the limit."""
        import numpy as np

        offsets = _offsets(block)
        if np.diff(offsets).max(initial=0) > MAX_ROW_BYTES:
            return None
        lines = _lines(block, offsets)
        characters = _CHARACTERS if _is_utf8(block) else _ASCII_CHARACTERS
        parts, left = [], np.arange(len(lines))
        tried = 0
        while len(left):
            if tried == len(self._shapes) and not self._learn(lines, left):
                break
            matched = _match(lines.take(left), _ndjson_pattern(self._shapes[tried], characters))
            checks, is_vouched = _checks(matched, self._known, self._latest)
            parts.append(checks)
            left = left[~is_vouched]
            tried += 1
        return Vouched(len(lines), offsets, concatenate(parts), left)

    def _learn(self, lines: pa.Array, left: np.ndarray) -> bool:
        """Learn the shape of the first line that is left; whether it is worth it, and a new one."""
        if len(left) < _WORTH_LEARNING or len(self._shapes) == _MAX_SHAPES:
            return False
        try:
            row = parse_line(Line(0, lines[int(left[0])].as_py().strip()))
        except RowRejected:
            return False
        shape = tuple(row)
        if len(shape) > _MAX_SHAPE_KEYS:
            return False
        is_flat = not any(isinstance(value, (dict, list)) for value in row.values())
        if not is_flat or shape in self._shapes or not all(_SIMPLE_KEY.fullmatch(key) for key in shape):
            return False
        if not set(_FIELDS) <= set(shape):
            return False
        for name in set(shape) - {*_FIELDS, "latency_ms", "error"}:
            self._notes.see_field(name)
        self._shapes.append(shape)
        return True


class CsvColumns:
    """CSV blocks, each line a record; the header gives the shape."""

    def __init__(self, known: Known, latest: datetime, header: Header) -> None:
        self._known, self._latest, self._header = known, latest, header

    def vouch(self, block: bytes) -> Vouched | None:
        """The block as columns; None where a line is over the limit, or a record runs over several lines."""
        import numpy as np

        offsets = _offsets(block)
        if np.diff(offsets).max(initial=0) > MAX_ROW_BYTES:
            return None
        if b'"' in block:
            is_quote = np.frombuffer(block, np.uint8) == ord('"')
            if (np.add.reduceat(is_quote, offsets[:-1], dtype=np.int64) % 2).any():
                return None
        lines = _lines(block, offsets)
        matched = _match(lines, _csv_pattern(self._header.columns, is_ascii=not _is_utf8(block)))
        checks, is_vouched = _checks(matched, self._known, self._latest)
        return Vouched(len(lines), offsets, checks, np.flatnonzero(~is_vouched))


def _offsets(block: bytes) -> np.ndarray:
    import numpy as np

    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + 1
    last = [] if len(ends) and ends[-1] == len(block) else [len(block)]
    return np.concatenate([[0], ends, last]).astype(np.int32)


def _lines(block: bytes, offsets: np.ndarray) -> pa.Array:
    import pyarrow as pa

    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(block)])


def _is_utf8(block: bytes) -> bool:
    try:
        return block.isascii() or bool(block.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _ndjson_pattern(shape: tuple[str, ...], characters: str) -> str:
    other = rf'(?:"{characters}*"|-?(?:0|[1-9]\d{{0,17}})(?:\.\d{{1,17}})?|true|false|null)'
    needed = {
        "monitor_id": rf'"(?P<monitor_id>{characters}+)"',
        "location": rf'"(?P<location>{characters}+)"',
        "checked_at": rf'"(?P<checked_at>{_INSTANT})"',
        "status": rf'"(?P<status>{"|".join(STATUSES)})"',
    }
    blank = r"[ \t]*"
    members = (rf'"{re.escape(key)}"{blank}:{blank}{needed.get(key, other)}' for key in shape)
    return rf"^{blank}\{{{blank}" + rf"{blank},{blank}".join(members) + rf"{blank}\}}{blank}\r?\n?$"


def _csv_pattern(columns: tuple[str, ...], *, is_ascii: bool) -> str:
    # A quoted field may hold commas, no quotes: those go one by one.
    plain = r"[ !#-+\--~]" if is_ascii else r'[^",\r\n\x00]'
    inner = r"[ !#-~]" if is_ascii else r'[^"\r\n\x00]'

    def field(name: str) -> str:
        if name == "checked_at":
            return rf'(?P<checked_at>"{_INSTANT}"|{_INSTANT})'
        if name in _FIELDS:
            return rf'(?P<{name}>"{inner}+"|{plain}+)'
        return rf'(?:"{inner}*"|{plain}*)'

    return "^" + ",".join(field(name) for name in columns) + r"\r?\n?$"


def _match(lines: pa.Array, pattern: str) -> pa.StructArray:
    import pyarrow.compute as pc

    return pc.extract_regex(lines, pattern=pattern)


def _checks(matched: pa.StructArray, known: Known, latest: datetime) -> tuple[Checks, np.ndarray]:
    """The rows of matched lines that the strict rule surely takes, and a mask of them."""
    import numpy as np
    import pyarrow.compute as pc

    is_matched = np.asarray(matched.is_valid())
    found = matched.filter(matched.is_valid())
    at, is_instant = _instants(pc.ascii_trim(found.field("checked_at").cast("string"), '"'))
    checks, is_sound = vouch_columns(
        found.field("monitor_id"), found.field("location"), at, found.field("status"), known, latest
    )
    is_sound &= is_instant
    is_vouched = is_matched.copy()
    is_vouched[is_matched] = is_sound
    return checks.select(is_sound), is_vouched


def _instants(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds since 1970, and which are instants at all: the pattern lets 30 February pass."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    is_instant = np.ones(len(texts), dtype=bool)
    try:
        instants = texts.cast(pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        days = pc.utf8_slice_codeunits(texts, 0, 10).dictionary_encode()
        is_day = np.array([_is_day(day) for day in days.dictionary.to_pylist()], dtype=bool)
        is_instant = is_day[np.asarray(days.indices)]
        instants = pc.if_else(pa.array(is_instant), texts, "1970-01-01T00:00:00Z").cast(pa.timestamp("us", "UTC"))
    return np.asarray(instants.cast(pa.int64())), is_instant


def _is_day(day: str) -> bool:
    try:
        values.as_instant(f"{day}T00:00:00Z", "checked_at")
    except RowRejected:
        return False
    return True


def vouch_columns(
    monitors: pa.Array, locations: pa.Array, at: np.ndarray, statuses: pa.Array, known: Known, latest: datetime
) -> tuple[Checks, np.ndarray]:
    """All rows as checks, and a mask of those whose ids, status and instant the strict rule surely takes.

    The texts come as bytes, as they stand in the object.
    """
    import numpy as np

    monitor, monitor_names = _encode(monitors)
    location, location_names = _encode(locations)
    status, status_names = _encode(statuses)
    combined = monitor.astype(np.int64) * max(1, len(location_names)) + location
    distinct, pair = np.unique(combined, return_inverse=True)
    pairs: list[Pair] = []
    is_known = []
    for code in distinct.tolist():
        first, second = divmod(code, max(1, len(location_names)))
        names = (monitor_names[first], location_names[second])
        is_known.append(names[0] is not None and names[1] in known.get(names[0], ()))
        pairs.append((names[0] or "", names[1] or ""))
    status_codes = np.array(
        [STATUSES.index(name) if name in STATUSES else len(STATUSES) for name in status_names], dtype=np.uint8
    )[status]
    is_sound = np.array(is_known, dtype=bool)[pair] & (status_codes < len(STATUSES)) & (at <= microseconds(latest))
    return Checks(tuple(pairs), pair.astype(np.int32), at, status_codes), is_sound


def _encode(texts: pa.Array) -> tuple[np.ndarray, list[str | None]]:
    """Codes and names; a name that is no sound id is None."""
    import numpy as np

    encoded = texts.dictionary_encode()
    return np.asarray(encoded.indices), [_name(content) for content in encoded.dictionary.to_pylist()]


def _name(content: bytes) -> str | None:
    try:
        name = content.decode("utf-8")
        # Of a quoted CSV field, what stands between the quotes.
        name = name[1:-1] if name.startswith('"') else name
        return None if "\x00" in name else values.text({"id": name}, "id")
    except (UnicodeDecodeError, RowRejected):
        return None
