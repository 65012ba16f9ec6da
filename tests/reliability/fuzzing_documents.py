"""Sound documents, spoiled within: a status page's and Zendesk's JSON, terms as YAML, and Parquet, column by column."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

LISTS = {
    "status_page/statuspage": ("incidents", "scheduled_maintenances"),
    "tickets/zendesk": ("tickets", "ticket_events", "users"),
}
# What YAML makes of a word, and what it must not make of it.
YAML_VALUES = (
    *("yes", "null", "~", "''", "0x1F", "1e3", ".inf", "2026-02-30", "2026-01-01", "2026-01-01 00:00:00", "12:30:00"),
    *("[]", "{}", "[UTC]", "{a: 1}", "!!python/object/apply:os.system [id]", "!!binary aGk=", "&a b", "*a", "|", "-1"),
    *(
        "99.90",
        "100",
        "101",
        "0.999",
        "99.9999999999999999999",
        "0",
        "5d",
        "1 business days",
        "business",
        "any",
        "1_000",
    ),
    *("Europe/Nowhere", "EST", "klink-enterprise", "P5", "'2026-01'", "2026-01-01T00:00:00", "\u00a0", "#", "İ"),
)
PARQUET_ROWS = 300
# Of the rows that are said over again; the others are what sound ones are compared by.
SPOILED = 15 / 16


def spoil_document(
    rng: random.Random, body: bytes, names: tuple[str, ...], *, values: tuple, copies: int, told: Counter[str]
) -> bytes:
    """A JSON document with each row so many times, most of them spoiled somewhere within, its wrapper now and then."""
    root = json.loads(body)
    for name in names:
        if isinstance(root.get(name), list):
            sound = [row for row in root[name] for _ in range(copies)]
            root[name] = [_spoiled(rng, row, values) if rng.random() < SPOILED else row for row in sound]
            told["spoiled"] += sum(row != was for row, was in zip(root[name], sound, strict=True))
    if rng.random() < 0.1:
        # What is no row: of most of it nobody may take notice, but no list may be lost without being quarantined.
        root = _spoiled(rng, root, values, depth=1)
    return json.dumps(root).encode()


def _spoiled(rng: random.Random, node: Any, values: tuple, *, depth: int = 6) -> Any:
    """A copy of the node in which one place, however deep, is something else, missing, or called otherwise."""
    if depth and isinstance(node, dict) and node:
        copy, name = dict(node), rng.choice(list(node))
        if isinstance(copy[name], (dict, list)) and copy[name] and rng.random() < 0.75:
            copy[name] = _spoiled(rng, copy[name], values, depth=depth - 1)
            return copy
        way = rng.randrange(8)
        if way == 0:
            del copy[name]
        elif way == 1:
            copy[rng.choice(("unheard_of", name.upper(), f" {name}", ""))] = copy.pop(name)
        elif way == 2:
            copy[name] = copy[rng.choice(list(copy))]
        elif way == 3:
            copy[name] = [copy[name]]
        elif way == 4:
            copy[name] = str(copy[name])
        else:
            copy[name] = rng.choice(values)
        return copy
    if depth and isinstance(node, list) and node:
        place, copy = rng.randrange(len(node)), list(node)
        if rng.random() < 0.75:
            copy[place] = _spoiled(rng, copy[place], values, depth=depth - 1)
        else:
            copy[place : place + rng.randrange(2)] = [rng.choice((*values, copy[place]))]
        return copy
    return rng.choice(values)


def spoil_terms(rng: random.Random, body: bytes) -> bytes:
    """Terms with a line or two changed, lost, said twice or moved."""
    lines = body.decode().split("\n")
    for _ in range(rng.randint(1, 2)):
        lines = lines or [""]
        place = rng.randrange(len(lines))
        name, colon, _ = lines[place].partition(":")
        lines[place : place + 1] = rng.choice(
            (
                *(([f"{name}: {rng.choice(YAML_VALUES)}"] if colon else [rng.choice(YAML_VALUES)]),) * 5,
                *([], [lines[place]] * 2, [f"  {lines[place]}"], [lines[place], "---"], [f"{lines[place]} # end"]),
                [lines[place].replace(name.strip() or " ", rng.choice(("unheard_of", "id", "<<")), 1)],
            )
        )
    return "\n".join(lines).encode()


def spoil_parquet(rng: random.Random, body: bytes) -> bytes:
    """Some rows of a Parquet file with one column, or two, of another type, partly empty, or with odd values."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(body))
    start = rng.randrange(max(1, len(table) - PARQUET_ROWS))
    table = table.slice(start, PARQUET_ROWS)
    # Each once: what a column became, not every other way can take.
    for name in rng.sample(table.column_names, min(rng.randint(1, 2), table.num_columns)):
        if name not in table.column_names:
            continue
        place = table.column_names.index(name)
        column = table.column(place).combine_chunks()
        ways = INSTANT_WAYS if pa.types.is_timestamp(column.type) and rng.random() < 0.8 else COLUMN_WAYS
        table = rng.choice(ways)(rng, table, place, name, column)
    return written(rng, table)


def written(rng: random.Random, table: pa.Table) -> bytes:
    """A Parquet file, by any of the choices that its writer has."""
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(
        table,
        file,
        row_group_size=rng.choice((7, 100, 10_000)),
        compression=rng.choice(("none", "snappy", "gzip", "zstd")),
        use_dictionary=rng.random() < 0.5,
        store_schema=rng.random() < 0.7,
        data_page_version=rng.choice(("1.0", "2.0")),
    )
    return file.getvalue()


def _with(table: pa.Table, place: int, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(place, name, column)


def _cast_to(type_name: str, *arguments: Any) -> Callable:
    def way(_: random.Random, table: pa.Table, place: int, name: str, column: pa.Array) -> pa.Table:
        import pyarrow as pa

        try:
            return _with(table, place, name, column.cast(getattr(pa, type_name)(*arguments), safe=False))
        except (pa.ArrowException, NotImplementedError):
            return _with(table, place, name, column.cast(pa.string()))

    return way


def _partly_empty(rng: random.Random, table: pa.Table, place: int, name: str, column: pa.Array) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    empty = pa.array([rng.random() < 0.2 for _ in range(len(column))])
    return _with(table, place, name, pc.if_else(empty, pa.scalar(None, column.type), column))


def _odd_texts(rng: random.Random, table: pa.Table, place: int, name: str, column: pa.Array) -> pa.Table:
    """Texts, some odd; as bytes they need not be UTF-8, though the file says that they are."""
    import pyarrow as pa

    texts = [value and value.encode() for value in column.cast(pa.string()).to_pylist()]
    odd = (b"", b" ", b"\xff", b"a\x00b", b"\xed\xa0\x80", b"DOWN", b"down ", b"x" * 300, b"\xef\xbb\xbfup", b"now")
    odd += (b"2026-03-01T00:00:00", b"2026-03-01T00:00:00.1234567Z", b"2026-03-01T24:00:00Z", b"2026-03-01T00:00+01")
    column = pa.array([rng.choice(odd) if rng.random() < 0.3 else text for text in texts], pa.binary())
    large = rng.random() < 0.3
    column = column.cast(pa.large_binary()).view(pa.large_string()) if large else column.view(pa.string())
    return _with(table, place, name, column.dictionary_encode() if rng.random() < 0.5 else column)


def _dictionary(_: random.Random, table: pa.Table, place: int, name: str, column: pa.Array) -> pa.Table:
    return _with(table, place, name, column.dictionary_encode())


def _nested(rng: random.Random, table: pa.Table, place: int, name: str, column: pa.Array) -> pa.Table:
    import pyarrow as pa

    if rng.random() < 0.5:
        return _with(table, place, name, pa.StructArray.from_arrays([column], [name]))
    return _with(table, place, name, pa.array([[value] for value in column.to_pylist()], pa.list_(column.type)))


def _lost(_: random.Random, table: pa.Table, place: int, __: str, ___: pa.Array) -> pa.Table:
    return table.remove_column(place) if table.num_columns > 1 else table


def _renamed(rng: random.Random, table: pa.Table, place: int, name: str, column: pa.Array) -> pa.Table:
    return _with(table, place, rng.choice((name.upper(), "error", "latency_ms", table.column_names[0])), column)


def _more(rng: random.Random, table: pa.Table, _: int, __: str, column: pa.Array) -> pa.Table:
    import pyarrow as pa

    other = rng.choice((column, pa.array([[b"\xff"]] * len(column)), pa.array([2**60] * len(column))))
    return table.append_column(rng.choice(("error", "latency_ms", "unheard_of")), other)


def _moved(unit: str, zone: str | None) -> Callable:
    """Timestamps of another unit, or of no zone; some of them beyond any calendar, or between two microseconds."""

    def way(rng: random.Random, table: pa.Table, place: int, name: str, column: pa.Array) -> pa.Table:
        import pyarrow as pa

        told = column.cast(pa.timestamp(unit, zone), safe=False)
        # Parquet has no seconds: they are written as milliseconds, and must fit.
        most = 2**62 // (1000 if unit == "s" else 1)
        odd = (0, -1, 1, most, -most, 253_402_300_800 * {"s": 1, "ms": 10**3}.get(unit, 10**6))
        ticks = [rng.choice(odd) if rng.random() < 0.05 else value for value in told.cast(pa.int64()).to_pylist()]
        return _with(table, place, name, pa.array(ticks, pa.int64()).cast(pa.timestamp(unit, zone)))

    return way


COLUMN_WAYS = (
    *(_partly_empty, _partly_empty, _odd_texts, _odd_texts, _odd_texts, _dictionary, _nested, _lost, _renamed, _more),
    *(_cast_to("large_string"), _cast_to("string"), _cast_to("binary"), _cast_to("int64"), _cast_to("float64")),
    *(_cast_to("bool_"), _cast_to("null"), _cast_to("date32"), _cast_to("decimal128", 30, 3), _cast_to("string_view")),
)
INSTANT_WAYS = (
    *(_moved("s", "UTC"), _moved("ms", "UTC"), _moved("us", "UTC"), _moved("ns", "UTC"), _moved("us", None)),
    *(_moved("ms", "+05:30"), _moved("us", "America/New_York"), _moved("ns", None), _moved("us", "Nowhere/At_All")),
)
