"""Checks as columns: what is vouched for is exactly what the strict rule takes, in every format."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slaledger.feeds import check_parquet, checks
from slaledger.feeds.reasons import ObjectRejected
from slaledger.feeds.rows import Notes
from slaledger.streaks import STATUSES, Checks, concatenate, instant
from tests.feeds.test_reasons import CHECK, EXPORTED_AT, KNOWN, ndjson

LATEST = EXPORTED_AT + timedelta(minutes=5)
MANY = 200  # more than it takes to learn a shape


def read(path: Path, body: bytes) -> tuple[list[tuple], list[tuple], int]:
    """Sorted checks, (line, code) of the rejects, and rows."""
    path.write_bytes(body)
    batches = list(checks.read(path, checks.format_of(path), KNOWN, LATEST, Notes()))
    found = concatenate([part for batch in batches for part in batch.checks])
    rejects = [(reject.line_number, reject.code) for batch in batches for reject in batch.rejects]
    assert sum(batch.rows for batch in batches) == len(found) + len(rejects)
    return listed(found), sorted(rejects), sum(batch.rows for batch in batches)


def listed(found: Checks) -> list[tuple]:
    """Checks as sorted rows."""
    return sorted(
        (*found.pairs[pair], instant(at), STATUSES[status])
        for pair, at, status in zip(found.pair, found.at, found.status, strict=True)
    )


def rows(count: int) -> list[dict[str, Any]]:
    """Sound checks, one a minute."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    return [
        {**CHECK, "checked_at": (start + timedelta(minutes=number)).isoformat(), "latency_ms": number}
        for number in range(count)
    ]


def csv(rows: list[dict[str, Any]], *, quote: str = "", end: str = "\n") -> bytes:
    """Checks as CSV."""
    names = list(rows[0])
    lines = [names, *([str(row[name]) for name in names] for row in rows)]
    return "".join(",".join(f"{quote}{value}{quote}" for value in line) + end for line in lines).encode()


def parquet(columns: dict[str, Any]) -> bytes:
    """Checks as Parquet."""
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def test_formats_agree(tmp_path: Path) -> None:
    """The same checks in every format and dress are the same checks."""
    import pyarrow

    given_rows = rows(MANY)
    instants = [datetime.fromisoformat(row["checked_at"]) for row in given_rows]
    texts = {name: [row[name] for row in given_rows] for name in ("monitor_id", "location", "status")}
    expected = [("m1", "fra", at, "up") for at in instants]
    plain = ndjson(*given_rows)
    bodies = [
        plain,
        plain + b"\n",
        gzip.compress(plain, mtime=0),
        b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n"),
        plain.replace(b"\n", b"\n\n \n"),
        plain.replace(b", ", b",").replace(b": ", b":"),
        csv(given_rows),
        csv(given_rows, end="\r\n"),
        csv(given_rows, quote='"'),
        b"\xef\xbb\xbf" + csv(given_rows),
        gzip.compress(csv(given_rows, quote='"'), mtime=0),
        parquet({**texts, "checked_at": pyarrow.array(instants, pyarrow.timestamp("us", "UTC"))}),
        parquet({**texts, "checked_at": pyarrow.array(instants, pyarrow.timestamp("ns", "Europe/Berlin"))}),
        parquet({**texts, "checked_at": pyarrow.array(instants, pyarrow.timestamp("ms", "UTC"))}),
        parquet({**texts, "checked_at": [row["checked_at"] for row in given_rows]}),
        parquet(
            {
                **{name: pyarrow.array(column).dictionary_encode() for name, column in texts.items()},
                "checked_at": pyarrow.array(instants, pyarrow.timestamp("us", "UTC")),
            }
        ),
    ]
    for number, body in enumerate(bodies):
        assert read(tmp_path / str(number), body) == (expected, [], MANY), number


def test_naive_and_finer_parquet_timestamps_are_rejected(tmp_path: Path) -> None:
    """A naive one has no offset; a nanosecond is no sixth digit; null is no instant."""
    import pyarrow

    texts = {"monitor_id": ["m1"] * 3, "location": ["fra"] * 3, "status": ["up"] * 3}
    naive = pyarrow.array([0, 1, None], pyarrow.timestamp("us"))
    codes = [(1, "invalid_instant"), (2, "invalid_instant"), (3, "missing_field")]
    assert read(tmp_path / "a", parquet({**texts, "checked_at": naive})) == ([], codes, 3)
    fine = pyarrow.array([1_000, 1_001, 2**62], pyarrow.timestamp("ns", "UTC"))
    found, rejects, _ = read(tmp_path / "b", parquet({**texts, "checked_at": fine}))
    assert [row[2] for row in found] == [datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)]
    assert rejects == [(2, "invalid_instant"), (3, "invalid_instant")]


def test_parquet_texts_are_judged_strictly(tmp_path: Path) -> None:
    """No UTF-8, a NUL, another type: rejects, no exceptions."""
    import pyarrow

    names = pyarrow.array([b"m1", b"\xff", b"m\x00", b"", None]).cast(pyarrow.string(), safe=False)
    body = parquet(
        {
            "monitor_id": names,
            "location": ["fra"] * 5,
            "status": ["up"] * 5,
            "checked_at": pyarrow.array([0] * 5, pyarrow.timestamp("us", "UTC")),
        }
    )
    _, rejects, _ = read(tmp_path / "a", body)
    assert rejects == [(2, "invalid_utf8"), (3, "nul_character"), (4, "missing_field"), (5, "missing_field")]
    body = parquet({"monitor_id": [7], "location": ["fra"], "status": ["up"], "checked_at": ["2026-03-01T00:00:00Z"]})
    assert read(tmp_path / "b", body)[1] == [(1, "wrong_type")]


def test_a_parquet_timestamp_before_the_calendar_is_rejected(tmp_path: Path) -> None:
    import pyarrow

    texts = {name: [CHECK[name]] * 3 for name in ("monitor_id", "location", "status")}
    at = pyarrow.array([-62_135_596_800, -62_135_596_801, -(2**40)], pyarrow.timestamp("s", "UTC"))
    found, rejects, _ = read(tmp_path / "a", parquet({**texts, "checked_at": at}))
    assert [at for _, _, at, _ in found] == [datetime(1, 1, 1, tzinfo=UTC)]
    assert rejects == [(2, "invalid_instant"), (3, "invalid_instant")]


def test_parquet_views_of_texts_are_texts(tmp_path: Path) -> None:
    import pyarrow

    body = parquet({name: pyarrow.array([value], pyarrow.string_view()) for name, value in CHECK.items()})
    found, rejects, _ = read(tmp_path / "a", body)
    assert (len(found), rejects) == (1, [])


@pytest.mark.parametrize("type", ["string", "large_string"])
def test_a_parquet_row_is_judged_by_its_error_too(tmp_path: Path, type: str) -> None:
    """contracts.md: no valid UTF-8, a NUL, over 1 MiB; of any other type `error` is not judged."""
    import pyarrow

    bad = [b"timeout", None, b"a\x00b", b"\xff", b"x" * (1 << 19), b"x" * (1 << 20)]
    errors = pyarrow.array(bad, pyarrow.large_binary()).view(pyarrow.large_string())
    errors = errors.cast(getattr(pyarrow, type)(), safe=False)
    rows = {name: [value] * len(bad) for name, value in CHECK.items()}
    found, rejects, _ = read(tmp_path / "a", parquet({**rows, "error": errors}))
    assert len(found) == 3
    assert rejects == [(3, "nul_character"), (4, "invalid_utf8"), (6, "row_too_long")]
    for odd in (pyarrow.array([7] * len(bad)), pyarrow.array([["a\x00"]] * len(bad))):
        assert read(tmp_path / "b", parquet({**rows, "error": odd}))[1] == []


@pytest.mark.parametrize("limit", [1, 400, 1 << 20])
def test_parquet_is_read_in_parts_where_its_texts_take_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Whatever the parts: the same checks, and rejects by the same numbers; a text over 1 MiB costs its row alone."""
    given_rows = [{**row, "status": "UP" if number % 7 == 3 else "up"} for number, row in enumerate(rows(30))]
    given_rows[5]["status"] = "x" * ((1 << 20) + 1)
    columns = {name: [row[name] for row in given_rows] for name in ("monitor_id", "location", "checked_at", "status")}
    monkeypatch.setattr(check_parquet, "PARQUET_BATCH_BYTES", limit)
    found, rejects, read_rows = read(tmp_path / "a", parquet(columns))
    expected = {number + 1: "value_not_allowed" for number in range(30) if number % 7 == 3} | {6: "row_too_long"}
    assert (dict(rejects), len(found), read_rows) == (expected, 30 - len(expected), 30)


def test_parquet_of_lists_is_rejected_whole(tmp_path: Path) -> None:
    """A list may hold more than its row tells."""
    columns = {name: ["x"] for name in ("monitor_id", "location", "checked_at")}
    with pytest.raises(ObjectRejected, match="parquet_columns"):
        read(tmp_path / "a", parquet({**columns, "status": [["up"]]}))


def test_bad_rows_keep_their_lines(tmp_path: Path) -> None:
    """Among many good ones, in NDJSON and CSV."""
    bad = {
        7: {"checked_at": "2026-02-30T00:00:00Z"},
        100: {"status": "UP"},
        150: {"monitor_id": "m9"},
        199: {"location": ""},
    }
    given_rows = [{**row, **bad.get(number, {})} for number, row in enumerate(rows(MANY))]
    codes = ["invalid_instant", "value_not_allowed", "unknown_monitor", "missing_field"]
    found, rejects, _ = read(tmp_path / "a", ndjson(*given_rows))
    assert rejects == list(zip([8, 101, 151, 200], codes, strict=True))
    assert len(found) == MANY - 4
    _, rejects, _ = read(tmp_path / "b", csv(given_rows))
    assert rejects == list(zip([9, 102, 152, 201], codes, strict=True))


def test_long_line_and_multiline_record_go_one_by_one(tmp_path: Path) -> None:
    """They cost speed, not rows."""
    good = ndjson(*rows(MANY)) + b"\n"
    found, rejects, _ = read(tmp_path / "a", good + b"x" * (5 << 20) + b"\n" + good)
    assert (len(found), rejects) == (2 * MANY, [(MANY + 1, "row_too_long")])
    body = (
        csv([{**row, "error": "-"} for row in rows(MANY)]) + b'm1,fra,2026-03-02T00:00:00Z,up,1,"two\nlines"\nm1,fra\n'
    )
    found, rejects, _ = read(tmp_path / "b", body)
    assert (len(found), rejects) == (MANY + 1, [(MANY + 4, "ragged_row")])


def test_blocks_are_cut_at_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever falls on which block."""
    body = ndjson(*rows(MANY)) + b"\nx\n"
    for size in (1, 57, 1000):
        monkeypatch.setattr(checks, "_BLOCK_BYTES", size)
        found, rejects, _ = read(tmp_path / str(size), body)
        assert (len(found), rejects) == (MANY, [(MANY + 1, "invalid_json")])


# Pieces of lines, sound and unsound, so that many combinations nearly match what is vouched for.
VALUES = st.one_of(
    st.sampled_from(["m1", "m2", "fra", "ams", "up", "down", "UP", "", " ", "é", "m1 ", "\x7f", "\u2028"]),
    st.sampled_from(
        [
            "2026-03-01T00:00:00Z",
            "2026-03-01T00:00:00.5+01:00",
            "2026-02-29T00:00:00Z",
            "2026-03-01T00:00:00",
            "2026-03-01T24:00:00Z",
            "2026-03-01T00:00:00.1234567Z",
            "2026-03-01T00:00:00+0100",
            "2026-03-01T00:00:00+23:59",
            "1899-03-01T00:00:00Z",
            "2026-04-01T00:05:00Z",
            "2026-04-01T00:05:00.000001Z",
        ]
    ),
    st.sampled_from([1, -0.5, None, True, [], {}, 10**40]),
)
ROW = st.one_of(
    st.fixed_dictionaries(
        {
            "monitor_id": st.sampled_from(["m1", "m1", "m1", "m2", "\\", '"', "é"]),
            "location": st.sampled_from(["fra", "fra", "ams"]),
            "checked_at": VALUES,
            "status": st.sampled_from([*STATUSES, "UP", None]),
        },
        optional={"latency_ms": VALUES, "error": VALUES, "more": VALUES},
    ),
    st.dictionaries(st.sampled_from([*CHECK, "more"]), VALUES),
)


def one_by_one(path: Path, body: bytes) -> tuple[list[tuple], list[tuple], int]:
    """What the strict rule alone says: nothing is vouched for."""
    vouch = checks.NdjsonColumns.vouch, checks.CsvColumns.vouch
    checks.NdjsonColumns.vouch = checks.CsvColumns.vouch = lambda self, block: None
    try:
        return read(path, body)
    finally:
        checks.NdjsonColumns.vouch, checks.CsvColumns.vouch = vouch


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, max_size=8), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_vouching_changes_nothing_in_ndjson(
    tmp_path: Path, odd: list[dict[str, Any]], end: str, is_ascii: bool, is_broken: bool
) -> None:
    """Vouched for in columns, or judged one by one: the same checks and rejects."""
    lines = [json.dumps(row, ensure_ascii=is_ascii) for row in [*rows(70), *odd, *rows(3)]]
    body = end.join(lines).encode() + (b'\n{"monitor_id": "\xff"}' if is_broken else b"")
    assert read(tmp_path / "a", body) == one_by_one(tmp_path / "b", body)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, max_size=8), st.sampled_from(["", '"']), st.booleans())
def test_vouching_changes_nothing_in_csv(
    tmp_path: Path, odd: list[dict[str, Any]], quote: str, is_broken: bool
) -> None:
    """The same for CSV, quoted and unquoted."""
    names = [*CHECK, "latency_ms"]
    lines = [
        ",".join(
            f"{quote}{str(row.get(name, '')).replace(chr(34), chr(34) * 2 if quote else '')}{quote}" for name in names
        )
        for row in [*rows(5), *odd, *rows(2)]
    ]
    body = "\n".join([",".join(names), *lines]).encode() + (b"\n\xff" if is_broken else b"")
    assert read(tmp_path / "a", body) == one_by_one(tmp_path / "b", body)
