"""Parquet checks: row groups in batches, as columns; what they cannot vouch for as rows of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slaledger.feeds import strict_json
from slaledger.feeds.bodies import MAX_ROW_BYTES
from slaledger.feeds.check_columns import Known, vouch_columns
from slaledger.feeds.reasons import ObjectRejected, RowRejected
from slaledger.feeds.registry import CHECKS
from slaledger.feeds.rows import Notes
from slaledger.streaks import Checks

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_BATCH_ROWS = 1 << 17
_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def batches(
    path: Path, known: Known, latest: datetime, notes: Notes
) -> Iterator[tuple[int, Checks, list[tuple[int, dict[str, Any]]]]]:
    """(number of the batch's first row, the checks vouched for, the other rows by their index in the batch).

    Raises `ObjectRejected`.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if missing := [name for name in CHECKS.required if names.count(name) != 1]:
                raise ObjectRejected("parquet_columns", f"the columns hold {', '.join(missing)} not exactly once")
            for name in names:
                if name not in CHECKS.fields:
                    notes.see_field(name)
            number = 1
            columns = [name for name in CHECKS.fields if name in names]
            for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
                checks, is_vouched = _vouch(batch, known, latest)
                others = [(int(index), _row(batch, int(index))) for index in np.flatnonzero(~is_vouched)]
                yield number, checks.select(is_vouched), others
                number += len(batch)
    except (pa.ArrowException, OSError) as error:
        raise ObjectRejected(
            "parquet_unreadable", f"the Parquet file cannot be read ({type(error).__name__})"
        ) from None


def _vouch(batch: pa.RecordBatch, known: Known, latest: datetime) -> tuple[Checks, np.ndarray]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {name: _plain(batch.column(name)) for name in CHECKS.required}
    at, is_instant = _instants(columns["checked_at"])
    texts = []
    is_complete = is_instant
    for name in ("monitor_id", "location", "status"):
        column = columns[name]
        is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        if not is_text:
            column = pa.nulls(len(batch), pa.string())
        is_complete = is_complete & np.asarray(column.is_valid())
        texts.append(pc.fill_null(column.cast(pa.large_binary()), b""))
    checks, is_sound = vouch_columns(texts[0], texts[1], at, texts[2], known, latest)
    return checks, is_sound & is_complete


def _plain(column: pa.Array) -> pa.Array:
    import pyarrow as pa

    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _instants(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds of UTC timestamps, and which they are: texts, naive and finer ones go row by row."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_timestamp(column.type) or column.type.tz is None:
        return np.zeros(len(column), np.int64), np.zeros(len(column), bool)
    microseconds = column.cast(pa.timestamp("us", "UTC"), safe=False)
    is_exact = pc.equal(microseconds.cast(column.type, safe=False), column)
    return (
        np.asarray(pc.fill_null(microseconds.cast(pa.int64()), 0)),
        np.asarray(pc.fill_null(is_exact, False)),
    )


def _row(batch: pa.RecordBatch, index: int) -> dict[str, Any]:
    """One row, its texts as bytes: Parquet does not promise that they are UTF-8."""
    import pyarrow as pa

    row: dict[str, Any] = {}
    for name in batch.schema.names:
        scalar = _plain(batch.column(name))[index]
        if pa.types.is_string(scalar.type) or pa.types.is_large_string(scalar.type):
            row[name] = scalar.cast(pa.large_binary()).as_py()
        elif pa.types.is_timestamp(scalar.type) and scalar.is_valid:
            row[name] = _instant_text(scalar).encode()
        elif scalar.is_valid and not isinstance(scalar.as_py(), (bool, int, float)):
            row[name] = {"type": str(scalar.type)}
        else:
            row[name] = scalar.as_py()
    return row


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as the strict rule reads it. Raises `RowRejected` for what is no text."""
    texts = {}
    for name, value in row.items():
        try:
            texts[name] = value.decode("utf-8") if isinstance(value, bytes) else value
        except UnicodeDecodeError:
            raise RowRejected("invalid_utf8", f"`{name}` is no valid UTF-8") from None
    strict_json.check(texts)
    if sum(len(value) for value in row.values() if isinstance(value, bytes)) > MAX_ROW_BYTES:
        raise RowRejected("row_too_long", "the row is over 1 MiB")
    return texts


def _instant_text(scalar: pa.TimestampScalar) -> str:
    """A timestamp as ISO 8601, to its last digit; without an offset where it has no zone."""
    seconds, rest = divmod(scalar.value, _TICKS[scalar.type.unit])
    fraction = str(rest * (10**9 // _TICKS[scalar.type.unit])).rjust(9, "0").rstrip("0")
    try:
        text = (datetime(1970, 1, 1) + timedelta(seconds=seconds)).isoformat()
    except OverflowError:
        text = "out of range"
    return f"{text}{'.' + fraction if fraction else ''}{'' if scalar.type.tz is None else 'Z'}"
