"""Spoiled rows and files: no exception but those that say what is wrong, every count reconciles, memory is bounded."""

from __future__ import annotations

import gzip
import itertools
import multiprocessing
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from slaledger.feeds import checks
from slaledger.feeds.reasons import ObjectRejected
from slaledger.feeds.rows import Notes, Reject
from slaledger.landing import rows as landed_rows
from slaledger.reperform.records import Exports as Read
from slaledger.settings import Exports, Settings
from slaledger.warehouse import connect
from tests.reliability import readings
from tests.reliability.fuzzing import NDJSON, spoil, spoil_bytes
from tests.reliability.fuzzing_documents import COLUMN_WAYS, INSTANT_WAYS, written
from tests.reliability.scale import scaled
from tests.second_route.comparing import report
from tests.second_route.generating import generate
from tests.second_route.packing import Upload, pack
from tests.second_route.running import Routes, differences, settings_for, upload
from tests.second_route.world import World
from tests.support.pipeline import Pipeline

MEBIBYTE = 1 << 20
ODD_ROWS = 200
# Of the process that lands, with all that it imports.
MOST_MEMORY = 512 * MEBIBYTE
# A world is as large as one start of dbt is worth; each row is said so often, most of these times spoiled.
ACCOUNT_MONTHS, TICKETS, COPIES = 300, 800, 11


@pytest.fixture(scope="module")
def bucket(s3_server) -> Exports:
    from tests.conftest import make_bucket

    return make_bucket(s3_server.exports, "fuzz")


def land(settings: Settings, uploads: list[Upload], run_id: str) -> int:
    """Land what is uploaded in a process of its own; the most memory that it held, in bytes."""
    upload(settings, uploads)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(land_here, (settings, run_id))


def land_here(settings: Settings, run_id: str) -> int:
    """What the DAG's tasks do; the most memory that this process ever held."""
    Pipeline(settings).land(run_id)
    # Not `ru_maxrss`: that is also of the process that was forked for this one.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def check(settings: Settings, uploads: list[Upload]) -> Counter[str]:
    """Every object is on record, and every row is in exactly one place; the sums of the counts."""
    with connect(settings.warehouse) as connection:
        tables = connection.execute(
            """
            select table_name from information_schema.columns
            where table_schema = 'raw' and column_name = 'is_duplicate'
            """
        ).fetchall()
        parts = [f"select object_id, 1::bigint as n from raw.{name} where not is_duplicate" for (name,) in tables]
        parts.append("select object_id, n from raw.check_streaks")
        loaded = dict(
            connection.execute(
                f"select object_id, sum(n) from ({' union all '.join(parts)}) as loaded group by object_id"
            ).fetchall()
        )
        quarantined = dict(
            connection.execute("select object_id, count(*) from raw.quarantined_rows group by object_id").fetchall()
        )
        objects = connection.execute(
            """
            select object_id, key, status, is_in_force, rows_read, rows_loaded, rows_duplicate, rows_quarantined
            from raw.source_objects
            """
        ).fetchall()
    last = {each.key: each.body for each in uploads}
    assert {key for _, key, *_ in objects} == set(last), "an object of the bucket is not on record"
    counts: Counter[str] = Counter()
    for object_id, key, status, is_in_force, read, was_loaded, duplicate, rejected in objects:
        assert read == was_loaded + duplicate + rejected, key
        assert rejected == quarantined.get(object_id, 0), f"{key}: the rows quarantined are not those counted"
        if is_in_force:
            assert was_loaded == loaded.get(object_id, 0), f"{key}: the rows loaded are not those counted"
        if status == "quarantined":
            assert read == 0, f"{key} is quarantined whole, and has rows"
        elif is_in_force and key.startswith(NDJSON) and (lines := lines_of(last[key])) is not None:
            assert read == lines, f"{key}: {lines} lines, {read} rows read"
            counts["lines"] += lines
        counts.update(rows=read, loaded=was_loaded, duplicate=duplicate, quarantined=rejected)
        counts[f"objects {status}"] += 1
    return counts


def lines_of(body: bytes) -> int | None:
    """Non-blank lines, counted on their own; None for what is not NDJSON."""
    try:
        body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    except (OSError, EOFError):
        return None
    text = body.removeprefix(b"\xef\xbb\xbf")
    if text.lstrip()[:1] != b"{":
        return None
    return sum(bool(line.strip(b" \t\r")) for line in text.split(b"\n"))


def spoiled_world(seed: int, times: int, told: Counter[str]) -> tuple[World, list[Upload]]:
    """A world whose objects are so many times there, each time spoiled otherwise, but for terms; rows counted."""
    world = generate(seed, account_months=ACCOUNT_MONTHS, ticket_count=TICKETS)
    sound = pack(world)
    uploads = [spoiled for each in sound for spoiled in spoil(world.rng, each, copies=COPIES, told=told)]
    repeated = [each for each in sound if not each.key.startswith("terms/")]
    for number in range(1, times):
        for each in repeated:
            again = replace(each, key=f"{each.key}~{number}")
            uploads += spoil(world.rng, again, copies=COPIES, told=told)
    return world, uploads


def check_that_misreadings_are_told(settings: Settings, exports: Read) -> None:
    """The planted fault: of everything that the second route read, the first record is lost."""
    with pytest.MonkeyPatch.context() as patch:
        held = {name for name, of in readings.READ.items() if any(True for _ in of(exports))}
        lost = {name: lambda exports, of=of: islice(of(exports), 1, None) for name, of in readings.READ.items()}
        patch.setattr(readings, "READ", lost)
        told = readings.differences(settings.warehouse, replace(exports, rejected=[]))
    assert len(held) >= len(lost) - 1, f"the world has only {held}"
    assert {"set aside", *held} <= {line.partition(",")[0] for line in told}


@pytest.mark.timeout(7200)
@scaled("spoiled", every_push=100_000, deep=5_000_000)
def test_spoiled_rows_land_somewhere_and_both_routes_read_them_alike(
    warehouse_server, bucket, tmp_path: Path, seed, figure, spoiled
):
    """So many rows that are not what they were; the sound ones among them come on top."""
    total: Counter[str] = Counter()
    most, number = 0, seed
    while total["spoiled"] < spoiled:
        # One start of dbt for more rows, where there are many.
        world, uploads = spoiled_world(number, 1 if spoiled <= 100_000 else 5, total)
        with settings_for(warehouse_server, bucket, tmp_path, f"fuzz_{number}") as settings:
            most = max(most, land(settings, uploads, f"fuzz_{number}"))
            total += check(settings, uploads)
            routes = Routes(settings, world)
            routes.land_bucket()
            models = routes.models()
            read = readings.differences(settings.warehouse, routes.exports)
            assert not read, f"SLA_SEED={number}\n" + "\n".join(read)
            found = differences(models, routes.second_route())
            assert not found, report(found, seed=number)
            if number == seed:
                check_that_misreadings_are_told(settings, routes.exports)
        number += 1
    figure(f"{dict(total)}, at most {most // MEBIBYTE} MiB")
    assert total["loaded"] > total["rows"] / 10
    assert total["quarantined"] > total["rows"] / 10
    assert total["lines"] > total["rows"] / 4
    assert most <= MOST_MEMORY


@pytest.mark.timeout(7200)
@scaled("files", every_push=400, deep=20_000)
def test_spoiled_files_are_rejected_whole_or_land(warehouse_server, bucket, tmp_path: Path, chance, figure, files):
    total: Counter[str] = Counter()
    most, landed, number = 0, 0, 0
    while landed < files:
        seed = chance.randrange(10**6)
        world = generate(seed, account_months=20, ticket_count=100)
        uploads = [
            Upload(f"{each.key}-{copy}", spoil_bytes(chance, each.body), each.metadata)
            for copy in range(4)
            for each in {each.key: each for each in pack(world)}.values()
        ]
        with settings_for(warehouse_server, bucket, tmp_path, f"files_{files}_{number}") as settings:
            most = max(most, land(settings, uploads, "files"))
            total += check(settings, uploads)
            routes = Routes(settings, world)
            routes.land_bucket()
            read = readings.differences(settings.warehouse, routes.exports, is_staged=False)
            assert not read, f"world {seed}\n" + "\n".join(read)
        landed += len(uploads)
        number += 1
    figure(f"{landed} files: {dict(total)}, at most {most // MEBIBYTE} MiB")
    assert total["objects quarantined"] > files / 10
    assert total["objects loaded"] > files / 10
    assert most <= MOST_MEMORY


def test_a_parquet_column_spoiled_in_any_way_is_refused_by_name_or_row_by_row(tmp_path: Path, chance):
    """Also in those that chance seldom comes to; instants beyond all calendars are quarantined row by row."""
    import pyarrow as pa

    path, seen = tmp_path / "checks.parquet", set()
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    sound = pa.table(
        {
            "monitor_id": ["m-1"] * ODD_ROWS,
            "location": ["fra"] * ODD_ROWS,
            "status": ["up", "down"] * (ODD_ROWS // 2),
            "checked_at": [begin + timedelta(minutes=row) for row in range(ODD_ROWS)],
        }
    )
    # Of instants some are moved, by chance: several times, then.
    ways = [*itertools.product(range(4), dict.fromkeys(COLUMN_WAYS)), *itertools.product([3] * 5, INSTANT_WAYS)]
    for place, way in ways:
        name, column = sound.column_names[place], sound.column(place).combine_chunks()
        path.write_bytes(written(chance, way(chance, sound, place, name, column)))
        try:
            batches = list(checks.read(path, "parquet", {"m-1": ["fra"]}, begin + timedelta(days=1), Notes()))
        except ObjectRejected as error:
            seen.add(error.code)
        else:
            assert sum(batch.rows for batch in batches) == ODD_ROWS
            seen |= {reject.code for batch in batches for reject in batch.rejects}
    assert {"parquet_columns", "invalid_instant", "wrong_type", "missing_field", "invalid_utf8"} <= seen


def test_a_row_dropped_in_silence_is_found(warehouse_server, bucket, tmp_path: Path, monkeypatch):
    """The planted fault: what cannot be used is left out, instead of quarantined."""
    read = landed_rows.read_rows

    def forgetful(*arguments):
        documents, rows = read(*arguments)
        return documents, (row for row in rows if not isinstance(row, Reject))

    monkeypatch.setattr(landed_rows, "read_rows", forgetful)
    world = generate(1, account_months=20, ticket_count=100)
    uploads = [spoiled for each in pack(world) for spoiled in spoil(world.rng, each, copies=2, told=Counter())]
    with settings_for(warehouse_server, bucket, tmp_path, "forgetful") as settings:
        upload(settings, uploads)
        land_here(settings, "forgetful")
        with pytest.raises(AssertionError, match="rows read"):
            check(settings, uploads)
        routes = Routes(settings, world)
        routes.land_bucket()
        assert readings.differences(settings.warehouse, routes.exports, is_staged=False)
