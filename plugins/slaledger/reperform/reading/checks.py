"""`monitoring/checks/`: NDJSON, CSV or Parquet, told apart by their content."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from slaledger.reperform import instants
from slaledger.reperform.reading import fields
from slaledger.reperform.reading.rows import (
    MAX_ROW_BYTES,
    Fields,
    Framed,
    Unreadable,
    Unusable,
    check_texts,
    csv_rows,
    ndjson,
    plain,
    read_rows,
)
from slaledger.reperform.records import SECOND, ExportObject, Instant, Monitor, Rejected

REQUIRED = ("monitor_id", "location", "checked_at", "status")
STATUSES = frozenset({"up", "down", "degraded", "unknown"})
FUTURE = 300 * SECOND
PARQUET_MAGIC = b"PAR1"
NO_TEXT = object()  # a value that is neither a text nor an instant
TIMESTAMP_UNITS = ("s", "ms", "us", "ns")  # each a thousandth of the one before

Checks = dict[tuple[str, str], list[tuple[Instant, str]]]
Conflicts = dict[tuple[str, str, Instant], dict[str, str]]


def read(
    objects: Iterable[ExportObject], *, monitors: dict[str, Monitor], rejected: list[Rejected]
) -> tuple[Checks, Conflicts]:
    """The checks by (monitor, location): of one instant one, `unknown` if they conflict (M1); no future ones (M2).

    Nor any of a monitor or a location that the catalog does not know (M7). And the conflicts: of each status the first
    object that has it.
    """
    locations = {monitor_id: frozenset(monitor.locations) for monitor_id, monitor in monitors.items()}

    def check(row: Fields, source: ExportObject) -> tuple[str, str, Instant, str]:
        monitor_id, location = fields.text(row, "monitor_id"), fields.text(row, "location")
        checked_at = fields.instant(row, "checked_at")
        status = fields.choice(row, "status", STATUSES)
        if checked_at > source.exported_at + FUTURE:
            raise Unusable("checked_at is more than 5 minutes after the export (M2)")
        if location not in locations.get(monitor_id, ()):
            raise Unusable("the catalog does not know this monitor and location (M7)")
        return monitor_id, location, checked_at, status

    ranked = read_rows(objects, frame=frame, parse=check, rejected=rejected)
    statuses: dict[tuple[str, str], dict[Instant, str]] = {}
    conflicts: Conflicts = {}
    for _, (monitor_id, location, checked_at, status) in ranked:
        held = statuses.setdefault((monitor_id, location), {})
        if held.setdefault(checked_at, status) != status:
            conflicts[monitor_id, location, checked_at] = {}
    for (_, key, _), (monitor_id, location, checked_at, status) in sorted(
        (each for each in ranked if each[1][:3] in conflicts), key=lambda each: each[0]
    ):
        statuses[monitor_id, location][checked_at] = "unknown"
        conflicts[monitor_id, location, checked_at].setdefault(status, key)
    return {place: sorted(held.items()) for place, held in statuses.items()}, conflicts


def frame(body: bytes) -> Iterator[Framed]:
    """The rows; a CSV is what has a required field in its first line, NDJSON what has a line that begins an object.

    Raises `Unreadable` for anything else.
    """
    if body.startswith(PARQUET_MAGIC):
        return parquet(body)
    text = plain(body).lstrip()
    header = {cell.strip(b'" \r') for cell in text.split(b"\n", 1)[0].split(b",")}
    if not text.startswith((b"{", b"[")):
        if header & {name.encode() for name in REQUIRED}:
            return csv_rows(body, REQUIRED)
        if text and not any(line.lstrip().startswith(b"{") for line in text.split(b"\n")):
            raise Unreadable("it is neither NDJSON nor Parquet nor a CSV of checks")
    return ndjson(body)


def parquet(body: bytes) -> Iterator[Framed]:
    """The rows of a Parquet file, as a CSV would have them."""
    import pyarrow
    from pyarrow import parquet as files
    from pyarrow import types

    try:
        file = files.ParquetFile(io.BytesIO(body))
        schema = file.schema_arrow
        for name in REQUIRED:
            if schema.names.count(name) != 1 or types.is_nested(schema.field(name).type):
                raise Unreadable(f"it has no one plain column {name}")
        columns = [name for name in (*REQUIRED, "error") if schema.names.count(name) == 1]
        table = file.read(columns=columns)
        values = {name: column_values(table.column(name)) for name in columns}
    except (pyarrow.ArrowException, OSError, ValueError, LookupError) as error:
        raise Unreadable(f"it is no Parquet: {error}") from error
    for index in range(table.num_rows):
        row = {name: column[index] for name, column in values.items()}
        try:
            check_length(row)
            yield index + 1, {name: as_text(value) for name, value in row.items()}
        except Unusable as why:
            yield index + 1, why


def column_values(column: Any) -> list[Any]:
    """A column's values: texts as bytes, UTC timestamps as (ticks, ticks a second); of others, which they are not."""
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_timestamp(column.type) and column.type.tz is not None:
        ticks_a_second = 1000 ** TIMESTAMP_UNITS.index(column.type.unit)
        ticks = column.cast("int64").to_pylist()
        return [None if value is None else (value, ticks_a_second) for value in ticks]
    if any(is_text(column.type) for is_text in (types.is_string, types.is_large_string, types.is_string_view)):
        return column.cast("large_binary").to_pylist()
    return [None if is_null else NO_TEXT for is_null in column.is_null().to_pylist()]


def check_length(row: dict[str, Any]) -> None:
    """Raise `Unusable` if the texts of the row have more bytes than a row may have."""
    left = MAX_ROW_BYTES
    for value in row.values():
        left -= len(value) if isinstance(value, bytes) else 0
    if left < 0:
        raise Unusable("it is over 1 MiB")


def as_text(value: Any) -> Any:
    """A Parquet value as a text; what is neither text nor UTC timestamp stays, and is no text."""
    if isinstance(value, tuple):
        return instant_text(*value)
    return decoded(value) if isinstance(value, bytes) else value


@lru_cache(maxsize=1 << 16)
def instant_text(ticks: int, ticks_a_second: int) -> str:
    """A UTC timestamp as ISO 8601."""
    microseconds, rest = divmod(ticks * SECOND, ticks_a_second)
    if rest:
        raise Unusable("checked_at is finer than a microsecond")
    try:
        return instants.to_datetime(microseconds).isoformat()
    except OverflowError:
        raise Unusable("checked_at is no date of the calendar") from None


@lru_cache(maxsize=1 << 10)
def decoded(value: bytes) -> str:
    """A usable text."""
    text = value.decode(errors="surrogateescape")
    check_texts(text)
    return text
