"""Fixtures that cannot stand in a catalogue as text: made here, by the names that entries use."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable

_CLAIM = {"claim_id": "", "service_month": "2026-03", "received_at": "2026-04-02T00:00:00Z"}
_ROW_LIMIT = 1 << 20


def _claim_of(size: int) -> bytes:
    row = {**_CLAIM, "claim_id": f"O14-{size}", "padding": ""}
    padding = size - len(json.dumps(row).encode())
    return json.dumps({**row, "padding": "x" * padding}).encode() + b"\n"


def _parquet(**columns: list[str]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def _checks_at_six_seconds() -> bytes:
    rows = (
        {"monitor_id": "M-P21", "location": "fra", "checked_at": f"2026-03-10T10:{n // 10:02}:{n % 10 * 6:02}Z"}
        for n in range(100)
    )
    return b"".join(json.dumps({**row, "status": "up"}).encode() + b"\n" for row in rows)


# Whole bodies.
MADE: dict[str, Callable[[], bytes]] = {
    "line_feeds": lambda: b"\n" * (100 << 20),
    "parquet_of_a_check": lambda: _parquet(
        monitor_id=["m"], location=["fra"], checked_at=["2026-03-01T00:00:00Z"], status=["up"]
    ),
    "parquet_without_status": lambda: _parquet(monitor_id=["m"], location=["fra"], checked_at=["2026-03-01T00:00:00Z"]),
    "claim_of_1_mib": lambda: _claim_of(_ROW_LIMIT),
    "claim_of_1_mib_and_1_byte": lambda: _claim_of(_ROW_LIMIT + 1),
    "claim_nested_100_000_deep": lambda: b'{"claim_id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
    "claim_of_10_000_unknown_fields": lambda: json.dumps(
        {**_CLAIM, "claim_id": "O15-keys", **{f"x{n}": n for n in range(10_000)}}
    ).encode(),
    "200_lines_that_are_no_json": lambda: b"no JSON\n" * 200,
    "100_checks_in_10_minutes": _checks_at_six_seconds,
}


def _zip(body: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("claims.ndjson", body)
    return archive.getvalue()


def _tar(body: bytes) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as file:
        entry = tarfile.TarInfo("claims.ndjson")
        entry.size = len(body)
        file.addfile(entry, io.BytesIO(body))
    return archive.getvalue()


# What is done to a body, in the order that an entry names it.
DONE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, mtime=0),
    "gzip_each_line": lambda body: b"".join(gzip.compress(line, mtime=0) for line in body.splitlines(keepends=True)),
    "cut_trailer": lambda body: body[:-8],
    "add_garbage": lambda body: body + b"garbage",
    "zip": _zip,
    "tar": _tar,
    "utf_16": lambda body: body.decode().encode("utf-16"),
}
