"""Parquet checks: row groups in batches, as columns; what they cannot vouch for as rows of text."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slaledger.feeds import strict_json
from slaledger.feeds.check_columns import Known, vouch_columns
from slaledger.feeds.limits import (
    INFLATE_FLOOR_BYTES,
    INFLATE_RATIO,
    MAX_CHECK_ROWS,
    MAX_COLUMNS,
    MAX_ROW_BYTES,
    PARQUET_BATCH_BYTES,
    PARQUET_CHUNK_BYTES,
    PARQUET_FOOTER_BYTES,
)
from slaledger.feeds.reasons import ObjectRejected, RowRejected
from slaledger.feeds.registry import CHECKS
from slaledger.feeds.rows import Notes
from slaledger.streaks import Checks

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

_BATCH_ROWS = 1 << 17
# With three ids at their longest, too, a row of such an `error` is not over 1 MiB.
_SURELY_SHORT = 1 << 19
_YEAR_1 = -62_135_596_800_000_000
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

    _check_footer(path)
    try:
        with pq.ParquetFile(path) as file:
            columns = _columns(file.schema_arrow, notes)
            texts = _check_metadata(file.metadata, columns, path.stat().st_size)
        # Texts that the file says once, for many rows, are not written out before it is known what they take.
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            number = 1
            for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
                for part in _parts(batch):
                    checks, is_vouched = _vouch(part, known, latest)
                    others = [(int(index), _row(part, int(index))) for index in np.flatnonzero(~is_vouched)]
                    yield number, checks.select(is_vouched), others
                    number += len(part)
    except (pa.ArrowException, OSError) as error:
        raise ObjectRejected(
            "parquet_unreadable", f"the Parquet file cannot be read ({type(error).__name__})"
        ) from None


def _check_footer(path: Path) -> None:
    """Raise `ObjectRejected` where parsing the footer alone would take too much."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        length = int.from_bytes(file.read(4), "little")
    if PARQUET_FOOTER_BYTES < length < size:
        raise ObjectRejected("parquet_limit", f"the footer has {length} bytes, over {PARQUET_FOOTER_BYTES}")


def _columns(schema: pa.Schema, notes: Notes) -> list[str]:
    """The columns that are read: those a check needs, and `error`, for what no row may hold."""
    import pyarrow as pa

    names = schema.names
    if len(names) > MAX_COLUMNS:
        raise ObjectRejected("parquet_columns", f"the file has over {MAX_COLUMNS} columns")
    if missing := [name for name in CHECKS.required if names.count(name) != 1]:
        raise ObjectRejected("parquet_columns", f"the columns hold {', '.join(missing)} not exactly once")
    if nested := [name for name in CHECKS.required if pa.types.is_nested(schema.field(name).type)]:
        raise ObjectRejected("parquet_columns", f"the columns {', '.join(nested)} are lists or structures")
    for name in names:
        if name not in CHECKS.fields:
            notes.see_field(name)
    has_error = names.count("error") == 1 and _is_text(schema.field("error").type)
    return [*CHECKS.required, *(["error"] if has_error else [])]


def _is_text(type: pa.DataType) -> bool:
    import pyarrow as pa

    type = type.value_type if pa.types.is_dictionary(type) else type
    return pa.types.is_string(type) or pa.types.is_large_string(type) or pa.types.is_string_view(type)


def _check_metadata(metadata: pq.FileMetaData, columns: Collection[str], size: int) -> list[str]:
    """The columns that come with a dictionary; raises `ObjectRejected` where what the footer declares is too much."""
    if metadata.num_rows > MAX_CHECK_ROWS:
        raise ObjectRejected("too_many_rows", f"over {MAX_CHECK_ROWS} rows")
    chunks = [
        chunk
        for group in range(metadata.num_row_groups)
        for chunk in map(metadata.row_group(group).column, range(metadata.num_columns))
        if chunk.path_in_schema in columns
    ]
    unpacked = sum(chunk.total_uncompressed_size for chunk in chunks)
    if any(chunk.total_uncompressed_size > PARQUET_CHUNK_BYTES for chunk in chunks) or unpacked > max(
        INFLATE_FLOOR_BYTES, size * INFLATE_RATIO
    ):
        raise ObjectRejected("parquet_limit", f"the columns unpack to {unpacked} bytes")
    return sorted({chunk.path_in_schema for chunk in chunks if chunk.has_dictionary_page})


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch, cut until its texts, written out, take no more than they may; or each row by itself."""
    if len(batch) > 1 and sum(map(_written_bytes, batch.columns)) > PARQUET_BATCH_BYTES:
        half = len(batch) // 2
        yield from _parts(batch.slice(0, half))
        yield from _parts(batch.slice(half))
    else:
        yield batch


def _written_bytes(column: pa.Array) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        return column.nbytes
    lengths = pc.binary_length(column.dictionary)
    return pc.sum(lengths.take(column.indices).cast(pa.int64())).as_py() or 0


def _vouch(batch: pa.RecordBatch, known: Known, latest: datetime) -> tuple[Checks, np.ndarray]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {name: _plain(batch.column(name)) for name in batch.schema.names}
    at, is_instant = _instants(columns["checked_at"])
    texts = []
    is_complete = is_instant
    for name in ("monitor_id", "location", "status"):
        column = columns[name]
        if not _is_text(column.type):
            column = pa.nulls(len(batch), pa.string())
        is_complete = is_complete & np.asarray(column.is_valid())
        texts.append(pc.fill_null(column.cast(pa.large_binary()), b""))
    if "error" in columns:
        is_complete = is_complete & _is_clean(columns["error"])
    checks, is_sound = vouch_columns(texts[0], texts[1], at, texts[2], known, latest)
    return checks, is_sound & is_complete


def _plain(column: pa.Array) -> pa.Array:
    import pyarrow as pa

    column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    return column.cast(pa.large_string()) if pa.types.is_string_view(column.type) else column


def _is_clean(texts: pa.Array) -> np.ndarray:
    """Of which texts it is sure that a row may hold them: short ones, without a NUL, of a batch that is UTF-8."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    content = texts.cast(pa.large_binary())
    is_clean = pc.less(pc.binary_length(content), _SURELY_SHORT)
    is_clean = pc.and_(is_clean, pc.invert(pc.match_substring(content, "\0")))
    try:
        content.cast(pa.large_string())
    except pa.ArrowInvalid:
        is_clean = pc.if_else(content.is_valid(), False, is_clean)
    return np.asarray(pc.fill_null(is_clean, True))


def _instants(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds of UTC timestamps, and which they are: texts, naive, finer and ancient ones go row by row."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_timestamp(column.type) or column.type.tz is None:
        return np.zeros(len(column), np.int64), np.zeros(len(column), bool)
    microseconds = column.cast(pa.timestamp("us", "UTC"), safe=False)
    is_exact = pc.equal(microseconds.cast(column.type, safe=False), column)
    at = np.asarray(pc.fill_null(microseconds.cast(pa.int64()), 0))
    # Nothing after the export is vouched for; before the year 1 there is no date either.
    return at, np.asarray(pc.fill_null(is_exact, False)) & (at >= _YEAR_1)


def _row(batch: pa.RecordBatch, index: int) -> dict[str, Any]:
    """One row, its texts as bytes: Parquet does not promise that they are UTF-8. Of an endless one, its start."""
    import pyarrow as pa

    row: dict[str, Any] = {}
    for name in batch.schema.names:
        scalar = batch.column(name)[index]
        if pa.types.is_dictionary(scalar.type):
            scalar = scalar.value
        if _is_text(scalar.type):
            row[name] = scalar.as_buffer()[: MAX_ROW_BYTES + 1].to_pybytes() if scalar.is_valid else None
        elif pa.types.is_timestamp(scalar.type) and scalar.is_valid:
            row[name] = _instant_text(scalar).encode()
        elif scalar.is_valid and not isinstance(scalar.as_py(), (bool, int, float)):
            row[name] = {"type": str(scalar.type)}
        else:
            row[name] = scalar.as_py()
    return row


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as the strict rule reads it. Raises `RowRejected` for what is no text."""
    if sum(len(value) for value in row.values() if isinstance(value, bytes)) > MAX_ROW_BYTES:
        raise RowRejected("row_too_long", "the row is over 1 MiB")
    texts = {}
    for name, value in row.items():
        try:
            texts[name] = value.decode("utf-8") if isinstance(value, bytes) else value
        except UnicodeDecodeError:
            raise RowRejected("invalid_utf8", f"`{name}` is no valid UTF-8") from None
    strict_json.check(texts)
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
