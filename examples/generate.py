"""Writes the sample month: what klink.cloud's systems would export for March 2026.

    python examples/generate.py OUT_DIR [--seed N]

What people keep by hand (catalog, contracts, notices, claims…) is copied from `examples/exports/`; checks
and tickets are made here, from the story below and a seed. Same seed, same bytes; each file's mtime is the
instant it was exported at, which `sla put` hands on. `examples/README.md` tells what it all comes to.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

STATIC_DIR = Path(__file__).resolve().parent / "exports"
SEED = 202603

SERVICES = ("dashboard", "call_routing", "messaging_engine")
REGIONS = ("eu", "us")
LOCATIONS = ("fra", "iad", "sin")

# Checks begin a day early: March begins on 28 February at 23:00 UTC in Berlin.
FIRST_DAY = datetime(2026, 2, 28, tzinfo=UTC)
DAYS = 32
MINUTES_A_DAY = 1440

# When each prefix was exported, if not day by day. The last event of every feed is after the month's end.
EXPORTED_AT = {
    "terms/": datetime(2025, 12, 15, 9, tzinfo=UTC),
    "catalog/": datetime(2026, 4, 1, 6, tzinfo=UTC),
    "accounts/": datetime(2026, 4, 1, 6, tzinfo=UTC),
    "notices/": datetime(2026, 4, 1, 6, tzinfo=UTC),
    "exclusions/": datetime(2026, 4, 1, 6, tzinfo=UTC),
    "status_page/": datetime(2026, 4, 1, 6, tzinfo=UTC),
    "claims/": datetime(2026, 4, 12, 6, tzinfo=UTC),
    "tickets/": datetime(2026, 4, 15, 6, tzinfo=UTC),
}


@dataclass(frozen=True)
class Episode:
    """What the probes of some monitors see over some minutes; `end` is the first minute that it is over."""

    status: str
    services: tuple[str, ...]
    regions: tuple[str, ...]
    start: str
    end: str
    locations: tuple[str, ...] = LOCATIONS


# The story, as the probes see it; README.md says what each episode comes to.
EPISODES = (
    Episode("down", ("messaging_engine",), ("us",), "2026-03-06T16:00", "2026-03-06T16:18"),
    Episode("down", ("call_routing",), ("us",), "2026-03-08T05:00", "2026-03-08T05:30", locations=("iad",)),
    Episode("down", ("call_routing",), ("eu",), "2026-03-10T09:00", "2026-03-10T09:35"),
    Episode("down", ("messaging_engine",), ("eu", "us"), "2026-03-12T14:00", "2026-03-12T15:30"),
    Episode("down", ("dashboard",), ("eu",), "2026-03-12T14:30", "2026-03-12T14:45"),
    Episode("down", ("dashboard",), ("eu",), "2026-03-15T02:00", "2026-03-15T05:15"),
    Episode("down", SERVICES, ("us",), "2026-03-19T20:00", "2026-03-19T20:50"),
    Episode("down", ("messaging_engine",), ("eu",), "2026-03-21T01:00", "2026-03-21T01:20"),
    Episode("down", ("call_routing",), ("us",), "2026-03-22T03:00", "2026-03-22T03:40"),
    Episode("degraded", ("messaging_engine",), ("eu",), "2026-03-24T10:00", "2026-03-24T10:30"),
    Episode("silent", SERVICES, ("us",), "2026-03-25T12:01", "2026-03-25T12:12"),
)

# A day whose object somebody copied under another name, and one with a row that nobody can place in time.
COPIED_DAY = datetime(2026, 3, 5, tzinfo=UTC)
DAY_WITH_A_BAD_ROW = datetime(2026, 3, 17, tzinfo=UTC)
BAD_ROW = {
    "monitor_id": "mon-dashboard-eu",
    "location": "fra",
    "checked_at": "2026-03-17T12:00:00",
    "status": "down",
}


def main() -> None:
    """Reads the command line and writes the tree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    n_files = generate(arguments.out_dir, seed=arguments.seed)
    print(f"{n_files} files in {arguments.out_dir}")


def generate(out_dir: Path, *, seed: int = SEED) -> int:
    """Writes the whole sample below `out_dir`, returns how many files."""
    written = [*_copy_static(out_dir), *_write_checks(out_dir, seed=seed), _write_tickets(out_dir, seed=seed)]
    return len(written)


def _copy_static(out_dir: Path) -> Iterator[Path]:
    for source in sorted(path for path in STATIC_DIR.rglob("*") if path.is_file()):
        relative = source.relative_to(STATIC_DIR).as_posix()
        exported_at = next(at for prefix, at in EXPORTED_AT.items() if relative.startswith(prefix))
        target = out_dir / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        yield _stamp(target, exported_at)


def _write_checks(out_dir: Path, *, seed: int) -> Iterator[Path]:
    import numpy as np

    folder = out_dir / "monitoring" / "checks"
    folder.mkdir(parents=True, exist_ok=True)
    writers = {"ndjson.gz": _ndjson, "csv.gz": _csv, "parquet": _parquet}
    monitors = [(service, region) for service in SERVICES for region in REGIONS]
    series = [(monitor, location) for monitor in monitors for location in LOCATIONS]
    statuses = np.full((DAYS * MINUTES_A_DAY, len(series)), "up", dtype="U8")
    for episode in EPISODES:
        seen_by = [
            column
            for column, ((service, region), location) in enumerate(series)
            if service in episode.services and region in episode.regions and location in episode.locations
        ]
        statuses[_minute(episode.start) : _minute(episode.end), seen_by] = episode.status
    random = np.random.default_rng(seed)
    latencies = random.integers(20, 400, size=statuses.shape)
    names = [f"mon-{service}-{region}" for (service, region), _ in series]
    for day in range(DAYS):
        date = FIRST_DAY + timedelta(days=day)
        rows: list[tuple[str, str, str, str, int | None, str | None]] = []
        for minute in range(day * MINUTES_A_DAY, (day + 1) * MINUTES_A_DAY):
            checked_at = (FIRST_DAY + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
            of_minute = zip(names, series, statuses[minute].tolist(), latencies[minute].tolist(), strict=True)
            for name, (_, location), status, latency in of_minute:
                if status == "down":
                    rows.append((name, location, checked_at, status, None, "timeout"))
                elif status != "silent":
                    rows.append((name, location, checked_at, status, latency, None))
        suffix = list(writers)[day % len(writers)]
        if date == DAY_WITH_A_BAD_ROW:
            suffix = "ndjson.gz"
        body = writers[suffix](rows)
        if date == DAY_WITH_A_BAD_ROW:
            body = gzip.compress(gzip.decompress(body) + _line(BAD_ROW), compresslevel=6, mtime=0)
        exported_at = date + timedelta(days=1, minutes=5)
        names_of_day = [f"checks-{date:%Y-%m-%d}.{suffix}"]
        if date == COPIED_DAY:
            names_of_day.append(f"checks-{date:%Y-%m-%d}-copy.{suffix}")
        for file_name in names_of_day:
            path = folder / file_name
            path.write_bytes(body)
            yield _stamp(path, exported_at)


CHECK_FIELDS = ("monitor_id", "location", "checked_at", "status", "latency_ms", "error")


def _ndjson(rows: list[tuple]) -> bytes:
    lines = (
        f'{{"monitor_id":"{name}","location":"{location}","checked_at":"{at}","status":"{status}"'
        + (f',"latency_ms":{latency}' if error is None else f',"error":"{error}"')
        + "}\n"
        for name, location, at, status, latency, error in rows
    )
    return gzip.compress("".join(lines).encode(), compresslevel=6, mtime=0)


def _csv(rows: list[tuple]) -> bytes:
    lines = (",".join("" if value is None else str(value) for value in row) for row in rows)
    return gzip.compress("\n".join([",".join(CHECK_FIELDS), *lines, ""]).encode(), compresslevel=6, mtime=0)


def _parquet(rows: list[tuple]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = dict(zip(CHECK_FIELDS, map(list, zip(*rows, strict=True)), strict=True))
    columns["checked_at"] = [datetime.fromisoformat(at) for at in columns["checked_at"]]
    schema = pa.schema(
        [(name, pa.string()) for name in ("monitor_id", "location")]
        + [("checked_at", pa.timestamp("us", tz="UTC")), ("status", pa.string())]
        + [("latency_ms", pa.int64()), ("error", pa.string())]
    )
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns, schema=schema), buffer, compression="zstd")
    return buffer.getvalue()


def _write_tickets(out_dir: Path, *, seed: int) -> Path:
    from tickets import make_tickets

    contracts_path = STATIC_DIR / "accounts/contracts/contracts.ndjson"
    contracts = [json.loads(line) for line in contracts_path.read_text(encoding="utf-8").splitlines()]
    path = out_dir / "tickets" / "events" / "tickets-2026-03.ndjson.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    events = make_tickets(contracts, seed=seed)
    path.write_bytes(gzip.compress(b"".join(_line(event) for event in events), compresslevel=6, mtime=0))
    return _stamp(path, EXPORTED_AT["tickets/"])


def _minute(instant: str) -> int:
    return int((datetime.fromisoformat(f"{instant}+00:00") - FIRST_DAY).total_seconds()) // 60


def _line(record: dict) -> bytes:
    return (json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n").encode()


def _stamp(path: Path, exported_at: datetime) -> Path:
    os.utime(path, (exported_at.timestamp(), exported_at.timestamp()))
    return path


if __name__ == "__main__":
    main()
