"""Checks: three formats, conflicts (M1), future ones (M2), unknown monitors and locations (M7)."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from slaledger.reperform.records import ExportObject
from tests.reperform.export_objects import at, csv, ndjson, put, read, reasons, rejected_rows

MONITORS = put(
    "catalog/monitors/m.csv",
    csv(
        "monitor_id,service,region,locations,interval_seconds,stale_after_seconds,confirm,quorum_min,active_from",
        "m1,dashboard,eu,fra;iad,60,,,,2026-04-01T00:00:00Z",
    ),
)
NOON = "2026-03-10T12:00:00Z"
CHECK = {"monitor_id": "m1", "location": "fra", "checked_at": NOON, "status": "up"}
UP = {("m1", "fra"): [(at(NOON), "up")]}


def parquet_of(checked_at: pa.Array, **more: Any) -> bytes:
    table = pa.table(
        {"monitor_id": ["m1"] * len(checked_at), "location": ["fra"] * len(checked_at), "checked_at": checked_at}
        | {"status": ["up"] * len(checked_at)}
        | more
    )
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


def checks(*bodies: bytes | str) -> dict[tuple[str, str], list[tuple[int, str]]]:
    objects = [put(f"monitoring/checks/{index}.txt", body) for index, body in enumerate(bodies)]
    return read(MONITORS, *objects).checks


def test_formats_are_told_apart_by_content() -> None:
    lines, table = ndjson(CHECK), csv("status,location,checked_at,monitor_id,error", f"up,fra,{NOON},m1,")
    moment = pa.array([datetime(2026, 3, 10, 12, tzinfo=UTC)], type=pa.timestamp("us", tz="UTC"))
    for body in (lines, table, parquet_of(moment), gzip.compress(lines.encode()), gzip.compress(table.encode())):
        assert checks(body) == UP


def test_a_first_line_that_is_no_json_spoils_no_other() -> None:
    exports = read(MONITORS, put("monitoring/checks/a", "monitor,place\n" + ndjson(CHECK)))
    assert exports.checks == UP
    assert rejected_rows(exports) == [1]


@pytest.mark.parametrize("body", [f"monitor_id,location\n{ndjson(CHECK)}", "no check\n", 'a "b"\rc\n'])
def test_what_is_no_object_of_checks_is_rejected_whole(body: str) -> None:
    assert rejected_rows(read(MONITORS, put("monitoring/checks/a", body))) == [0]


def test_equal_checks_are_one_and_conflicting_ones_unknown_whatever_their_objects() -> None:
    assert checks(ndjson(CHECK, CHECK), ndjson(CHECK)) == UP
    for bodies in ([ndjson(CHECK, CHECK | {"status": "down"})], [ndjson(CHECK | {"status": "down"}), ndjson(CHECK)]):
        assert checks(*bodies, ndjson(CHECK)) == {("m1", "fra"): [(at(NOON), "unknown")]}
    assert checks(ndjson(CHECK | {"checked_at": "2026-03-10T13:00:00+01:00"}), ndjson(CHECK)) == UP


def test_checks_come_in_the_order_of_time() -> None:
    instants = [f"2026-03-10T12:00:0{second}Z" for second in (3, 1, 2)]
    found = checks(ndjson(*(CHECK | {"checked_at": instant} for instant in instants)))
    assert [instant for instant, _ in found["m1", "fra"]] == sorted(map(at, instants))


@pytest.mark.parametrize(("checked_at", "usable"), [("12:05:00Z", True), ("12:05:00.000001Z", False)])
def test_a_check_may_be_five_minutes_after_its_export(checked_at: str, usable: bool) -> None:
    body = ndjson(CHECK | {"checked_at": f"2026-03-10T{checked_at}"})
    early = put("monitoring/checks/a", body, NOON)
    assert bool(read(MONITORS, early).checks) == usable
    # In an object exported later the same check is none of the future.
    assert read(MONITORS, early, put("monitoring/checks/b", body, "2026-03-10T12:06:00Z")).checks


@pytest.mark.parametrize("other", [{"monitor_id": "m2"}, {"location": "sin"}])
def test_an_unknown_monitor_or_location_is_rejected_until_the_catalog_knows_it(other: dict[str, str]) -> None:
    unknown = put("monitoring/checks/a", ndjson(CHECK, CHECK | other))
    exports = read(MONITORS, unknown)
    assert exports.checks == UP
    assert rejected_rows(exports) == [2]
    header = "monitor_id,service,region,locations,interval_seconds"
    later = put("catalog/monitors/n", csv(header, "m2,x,eu,fra,60", "m1,x,eu,fra;sin,60"), "2026-05-01T00:00:00Z")
    assert read(unknown, MONITORS, later).rejected == []


@pytest.mark.parametrize(
    "change",
    [
        {"status": "UP"},
        {"status": None},
        {"status": ""},
        {"location": " "},
        {"monitor_id": 1},
        {"checked_at": "2026-03-10T12:00:00"},
        {"checked_at": 1_773_144_000},
        {"checked_at": None},
    ],
)
def test_a_check_that_cannot_be_used_is_rejected(change: dict[str, Any]) -> None:
    exports = read(MONITORS, put("monitoring/checks/a", ndjson(CHECK | change, CHECK)))
    assert exports.checks == UP
    assert rejected_rows(exports) == [1]


def test_latency_and_unknown_fields_are_not_judged() -> None:
    assert checks(ndjson(CHECK | {"latency_ms": "slow", "error": 5, "x": []})) == UP


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_parquet_timestamps_of_any_unit_and_zone_are_instants(unit: str) -> None:
    moment = datetime(2026, 3, 10, 13, tzinfo=timezone(timedelta(hours=1)))
    assert checks(parquet_of(pa.array([moment], type=pa.timestamp(unit, tz="Europe/Berlin")))) == UP


def test_parquet_texts_are_instants_also_as_dictionaries() -> None:
    texts = pa.array([NOON])
    assert checks(parquet_of(texts)) == UP
    assert checks(parquet_of(texts.dictionary_encode(), status=pa.array(["up"]).dictionary_encode())) == UP


def test_parquet_rows_that_cannot_be_used_are_rejected_alone() -> None:
    nanoseconds = [at(NOON) * 1000, at(NOON) * 1000 + 1, None]
    exports = read(
        MONITORS,
        put("monitoring/checks/a", parquet_of(pa.array(nanoseconds, type=pa.timestamp("ns", tz="UTC")))),
        put("monitoring/checks/b", parquet_of(pa.array([datetime(2026, 3, 10, 12)], type=pa.timestamp("us")))),
        put("monitoring/checks/c", parquet_of(pa.array([NOON, NOON]), error=["a\0b", None])),
        put("monitoring/checks/d", parquet_of(pa.array([2**62], type=pa.timestamp("ms", tz="UTC")))),
        put("monitoring/checks/e", parquet_of(pa.array([at(NOON)]))),
        put("monitoring/checks/f", parquet_of(pa.array([NOON]), error=["x" * (1 << 20)])),
    )
    assert exports.checks == UP
    assert [(rejection.key[-1], rejection.row) for rejection in exports.rejected] == [
        *(("a", 2), ("a", 3), ("b", 1), ("c", 1), ("d", 1), ("e", 1), ("f", 1))
    ]


def test_parquet_texts_are_those_that_the_file_calls_texts() -> None:
    assert checks(parquet_of(pa.array([NOON]), location=pa.array(["fra"], pa.string_view()))) == UP
    exports = read(MONITORS, put("monitoring/checks/a", parquet_of(pa.array([NOON]), location=pa.array([b"fra"]))))
    assert exports.checks == {}
    assert rejected_rows(exports) == [1]


def test_a_parquet_without_its_columns_is_rejected_whole() -> None:
    for column in (pa.array([["fra"]]), pa.array([{"a": "fra"}])):
        body = parquet_of(pa.array([NOON]), location=column)
        assert rejected_rows(read(MONITORS, put("monitoring/checks/a", body))) == [0]


def test_a_broken_parquet_is_rejected_whole() -> None:
    whole = parquet_of(pa.array([NOON]))
    exports = read(MONITORS, put("monitoring/checks/a", whole[:-5]), put("monitoring/checks/b", json.dumps(CHECK)))
    assert exports.checks == UP
    assert rejected_rows(exports) == [0]


def monitor(**cells: str) -> ExportObject:
    row = {"monitor_id": "m1", "service": "s", "region": "r", "locations": "a;b", "interval_seconds": "60"} | cells
    return put("catalog/monitors/a", csv(",".join(row), ",".join(row.values())))


def test_a_monitor_has_its_defaults() -> None:
    found = read(monitor()).monitors["m1"]
    assert (found.interval, found.stale_after, found.confirm, found.quorum_min) == (60_000_000, 120_000_000, 1, 2)
    assert (found.active_from, found.active_until) == (None, None)
    # Ids are compared exactly: a blank belongs to its id.
    assert read(monitor(locations="a; a;a")).monitors["m1"].locations == ("a", " a")
    lone = read(monitor(locations="a;a", stale_after_seconds="1.000001", confirm="3")).monitors["m1"]
    assert (lone.locations, lone.quorum_min, lone.stale_after, lone.confirm) == (("a",), 1, 1_000_001, 3)


@pytest.mark.parametrize(
    "cells",
    [
        *({"interval_seconds": value} for value in ("", "0", "-60", "0.0000001", "1e3", "many", "٦٠")),
        *({"stale_after_seconds": "0"}, {"confirm": "0"}, {"quorum_min": "0"}, {"locations": "a;"}, {"service": ""}),
        {"active_from": "2026-01-01T00:00:00Z", "active_until": "2026-01-01T00:00:00Z"},
        {"active_from": "2026-01-01"},
    ],
)
def test_a_monitor_that_cannot_be_used_is_rejected(cells: dict[str, str]) -> None:
    exports = read(monitor(**cells))
    assert exports.monitors == {}
    assert len(list(reasons(exports))) == 1


def test_a_component_needs_all_its_fields() -> None:
    exports = read(
        put("catalog/components/a", csv("component_id,name,service,region", "c1,N,s,r", "c2,,s,r", "c3,N,s,"))
    )
    assert list(exports.components) == ["c1"]
    assert rejected_rows(exports) == [3, 4]
