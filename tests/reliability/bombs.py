"""Bombs: small files that ask for much. Run as a module, in a process of its own, it reads each and says what it took.

Each is read in a child of that process, so that the peak of one is not that of another.
"""

from __future__ import annotations

import functools
import gzip
import importlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

MIB = 1 << 20
CPU_SECONDS = 60  # of a child: one that takes longer is killed
CLAIM = b'{"claim_id": "c", "service_month": "2026-03", "received_at": "2026-04-02T00:00:00Z"'
TERMS = b"id: t\nversion: '1'\neffective_from: 2026-01-01T00:00:00Z\nextends: klink-enterprise\n"
LATEST = datetime(2026, 4, 1, tzinfo=UTC)
Write = Callable[[Path], None]


@dataclass(frozen=True)
class Bomb:
    """A feed's object: how its file is made, and the code that it, or each of its rows, is refused with."""

    feed: str
    write: Write
    code: str


def _bytes(make: Callable[[], bytes]) -> Write:
    def write(path: Path) -> None:
        path.write_bytes(make())

    return write


def _gzip(start: bytes, chunk: bytes, times: int, *, layers: int = 1) -> Write:
    """Chunks over and over, packed as tightly as gzip can."""

    def write(path: Path) -> None:
        with gzip.GzipFile(path, "wb", compresslevel=9, mtime=0) as file:
            file.write(start)
            for _ in range(times):
                file.write(chunk)
        for _ in range(layers - 1):
            path.write_bytes(gzip.compress(path.read_bytes(), mtime=0))

    return write


def _sparse(start: bytes, size: int, end: bytes = b"") -> Write:
    """A file of NULs that takes no room on the disk."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.write(start)
            file.truncate(size)
            file.seek(size)
            file.write(end)

    return write


def _parquet(rows: int, **columns: str) -> Write:
    """One value in all rows of each column: said once, however many there are."""

    def write(path: Path) -> None:
        import numpy as np
        import pyarrow as pa
        import pyarrow.parquet as pq

        given = {
            "monitor_id": "m1",
            "location": "fra",
            "checked_at": "2026-03-01T00:00:00Z",
            "status": "up",
            **columns,
        }
        indices = pa.array(np.zeros(rows, np.int32))
        table = pa.table({name: pa.DictionaryArray.from_arrays(indices, [value]) for name, value in given.items()})
        pq.write_table(table, path, compression="zstd", dictionary_pagesize_limit=256 * MIB)

    return write


def _parquet_unpacked(path: Path) -> None:
    """A column of one long text in every row, without a dictionary: 1:1000 and more."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = pa.array(["x" * MIB] * 200)
    plain = {name: pa.array(["x"] * 200) for name in ("monitor_id", "location", "checked_at")}
    pq.write_table(pa.table({**plain, "status": texts}), path, compression="zstd", use_dictionary=False)


def _parquet_columns(count: int) -> Write:
    def write(path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({f"x{n}": pa.array([n]) for n in range(count)}), path, compression="none")

    return write


def _parquet_lists(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    plain = {name: pa.array(["x"]) for name in ("monitor_id", "location", "checked_at")}
    pq.write_table(pa.table({**plain, "status": pa.array([[0] * 5_000_000], pa.list_(pa.int8()))}), path)


def _checks_of_many_keys() -> bytes:
    row = {"monitor_id": "m1", "location": "fra", "checked_at": "2026-03-01T00:00:00Z", "status": "up"}
    line = json.dumps({**row, **{f"x{n}": n for n in range(20_000)}, "status": "UP"}).encode() + b"\n"
    return line * 100


BOMBS: dict[str, Bomb] = {
    "gzip, 1:1000": Bomb("claims", _gzip(b"", b"\n" * MIB, 200), "inflate_limit"),
    "gzip, 1:1000, of checks": Bomb("monitoring/checks", _gzip(b"{}\n", b" " * MIB, 200), "inflate_limit"),
    "gzip within gzip": Bomb("claims", _gzip(b"", b"\0" * MIB, 200, layers=2), "wrong_format"),
    "gzip of many empty members": Bomb(
        "claims", _bytes(lambda: gzip.compress(b"", mtime=0) * 500_000 + b"end"), "gzip_corrupt"
    ),
    "a document in gzip, 1:1000": Bomb(
        "status_page/statuspage", _gzip(b'{"incidents": [', b" " * MIB, 200), "document_too_large"
    ),
    "a line of 2 GiB": Bomb("claims", _sparse(CLAIM, 2048 * MIB, b"}\n"), "row_too_long"),
    "a line of 512 MiB, of checks": Bomb("monitoring/checks", _sparse(b"{", 512 * MIB, b"}\n"), "row_too_long"),
    "a record of 512 MiB": Bomb(
        "accounts/fees",
        _sparse(b'contract_id,service_month,monthly_fee,currency\nk,"', 512 * MIB),
        "csv_quotes",
    ),
    "a document of 2 GiB": Bomb("tickets/zendesk", _sparse(b"{", 2048 * MIB), "document_too_large"),
    "JSON, a million deep, in a document": Bomb(
        "tickets/zendesk",
        _bytes(lambda: b'{"users": ' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}"),
        "document_too_large",
    ),
    "JSON, 390,000 deep, in a document": Bomb(
        "tickets/zendesk", _bytes(lambda: b'{"users": ' + b"[" * 390_000 + b"]" * 390_000 + b"}"), "not_json"
    ),
    "JSON, half a million deep, in a row": Bomb(
        "claims", _bytes(lambda: CLAIM + b', "x": ' + b"[" * 500_000 + b"]" * 500_000 + b"}\n"), "too_deep"
    ),
    "JSON of five million keys": Bomb(
        "tickets/zendesk",
        _bytes(lambda: b"{" + b",".join(b'"%x":0' % n for n in range(5_000_000)) + b"}"),
        "document_too_large",
    ),
    "JSON of as many keys as are read": Bomb(
        "tickets/zendesk",
        _bytes(lambda: b"{" + b",".join(b'"%070x":0' % n for n in range(399_000)) + b"}"),
        "not_zendesk",
    ),
    "JSON of as many keys as are read, wide": Bomb(
        "tickets/zendesk",
        _bytes(lambda: '{"🙂":0,'.encode() + b",".join(b'"%070x":0' % n for n in range(399_000)) + b"}"),
        "not_zendesk",
    ),
    "JSON of 2.5 million keys": Bomb(
        "tickets/zendesk",
        _bytes(lambda: b"{" + b",".join(b'"%x":0' % n for n in range(2_500_000)) + b"}"),
        "document_too_large",
    ),
    "JSON of twenty million lists": Bomb(
        "status_page/statuspage",
        _bytes(lambda: b'{"incidents": [' + b"[]," * 20_000_000 + b"[]]}"),
        "document_too_large",
    ),
    "an integer of 5,000 digits": Bomb(
        "tickets/zendesk", _bytes(lambda: b'{"users": [{"id": ' + b"9" * 5000 + b"}]}"), "number_out_of_range"
    ),
    "an integer of a million digits": Bomb(
        "claims", _bytes(lambda: b'{"claim_id": ' + b"9" * 1_000_000 + b"}\n"), "number_out_of_range"
    ),
    "checks of 20,000 keys": Bomb("monitoring/checks", _bytes(_checks_of_many_keys), "value_not_allowed"),
    "CSV of a million columns": Bomb(
        "accounts/fees", _bytes(lambda: b",".join(b"%x" % n for n in range(1_000_000)) + b"\n"), "csv_header"
    ),
    "CSV of 150,000 columns": Bomb(
        "monitoring/checks",
        _bytes(
            lambda: b"monitor_id,location,checked_at,status," + b",".join(b"%x" % n for n in range(150_000)) + b"\n"
        ),
        "csv_header",
    ),
    "Parquet of a million columns": Bomb("monitoring/checks", _parquet_columns(60_000), "parquet_limit"),
    "Parquet of 2,000 columns": Bomb("monitoring/checks", _parquet_columns(2_000), "parquet_columns"),
    "Parquet of 21 million rows": Bomb("monitoring/checks", _parquet(21_000_000), "too_many_rows"),
    "Parquet, one text of 4 MiB in all rows": Bomb(
        "monitoring/checks", _parquet(300, status="x" * (4 * MIB)), "row_too_long"
    ),
    "Parquet, one text of 200 MiB": Bomb(
        "monitoring/checks", _parquet(1000, status="x" * (200 * MIB)), "parquet_limit"
    ),
    "Parquet, 1:1000": Bomb("monitoring/checks", _parquet_unpacked, "parquet_limit"),
    "Parquet of lists": Bomb("monitoring/checks", _parquet_lists, "parquet_columns"),
    "YAML, a billion laughs": Bomb(
        "terms",
        _bytes(
            lambda: (
                TERMS
                + b"a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
                + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 10))
            )
        ),
        "terms_fault",
    ),
    "YAML, deep": Bomb("terms", _bytes(lambda: TERMS + b"x: " + b"[" * 20_000 + b"]" * 20_000), "terms_fault"),
    "YAML, deep in lines": Bomb("terms", _bytes(lambda: TERMS + b"x:\n" + b"- " * 400_000), "terms_fault"),
    "YAML of many values": Bomb("terms", _bytes(lambda: TERMS + b"x: [" + b"0," * 400_000 + b"0]"), "terms_fault"),
    "YAML, long": Bomb("terms", _bytes(lambda: TERMS + b"x: [" + b"0," * 5_000_000 + b"0]"), "row_too_long"),
}


def codes(feed: str, path: Path) -> Iterator[str]:
    """The codes that an object, or its rows, are refused with; of a row that is taken, `loaded`."""
    from slaledger.feeds import checks
    from slaledger.feeds.reasons import ObjectRejected
    from slaledger.feeds.registry import CHECKS, FEEDS, read_rows
    from slaledger.feeds.rows import Notes, Reject

    try:
        if feed == CHECKS.name:
            for batch in checks.read(path, checks.format_of(path), {"m1": {"fra"}}, LATEST, Notes()):
                yield from (reject.code for reject in batch.rejects)
                yield from ("loaded" for part in batch.checks if len(part))
        else:
            for row in read_rows(FEEDS[feed], path, Notes())[1]:
                yield row.code if isinstance(row, Reject) else "loaded"
    except ObjectRejected as error:
        yield error.code


def answer(do: Callable[[], dict[str, object] | None]) -> dict[str, object] | None:
    """Run something in a child, and give what it says; None of one that died."""
    out, back = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
            os.write(back, json.dumps(do()).encode())
        finally:
            os._exit(0)
    os.close(back)
    with os.fdopen(out, "rb") as said:
        text = said.read()
    os.waitpid(pid, 0)
    return json.loads(text) if text else None


def measure(name: str, path: Path) -> dict[str, object]:
    """What reading a bomb came to: the codes, seconds of the processor, and MiB over what the process had before."""
    bomb = BOMBS[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    found: set[str] = set()
    for code in codes(bomb.feed, path):
        found.add(code)
    took = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"codes": sorted(found), "seconds": round(took, 2), "mib": (peak - before) / 1024}


READERS = (
    *("numpy", "pyarrow.compute", "pyarrow.parquet", "yaml", "isal.isal_zlib", "slaledger.terms"),
    *("slaledger.feeds.check_parquet", "slaledger.feeds.checks", "slaledger.feeds.registry"),
)


def main() -> None:
    """Measure the bombs named as arguments (or all), each a line of JSON; `--without NAME` lifts a limit."""
    import pyarrow

    from slaledger.feeds import limits

    # What reading imports is no bomb's memory, and no bomb's time.
    for module in READERS:
        importlib.import_module(module)
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    names = sys.argv[1:]
    if names[:1] == ["--without"]:
        setattr(limits, names[1], sys.maxsize)
        names = names[2:]
    with tempfile.TemporaryDirectory() as directory:
        for name in names or BOMBS:
            path = Path(directory) / "bomb"
            answer(functools.partial(BOMBS[name].write, path))
            size = path.stat().st_size
            said = answer(functools.partial(measure, name, path)) or {"codes": ["died"], "seconds": 0, "mib": 0}
            left = sorted(each.name for each in Path(directory).iterdir() if each != path)
            print(json.dumps({"name": name, "size": size, "left": left, **said}), flush=True)
            path.unlink()


if __name__ == "__main__":
    main()
