"""Land a month, build, gate, post and deliver it; print the digest of each table and file that this left.

`python -m tests.reliability.same_bytes.child FILE`: the file is a pickled `Spec`, for it has a password.
"""

from __future__ import annotations

import hashlib
import io
import json
import locale
import pickle
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slaledger.settings import Settings

if TYPE_CHECKING:
    import psycopg

MONTH, AS_OF = "2026-03", "2026-05-20T00:00:00Z"
# All that may differ from run to run, and why. Of tables and files everything else is compared, byte for byte.
MAY_DIFFER = {
    "recorded_at": "an instant of the database's clock",
    "inputs_sha256": "of a row that two objects have, it says which landed first",
    "raw_validation_id": "over a record with an instant of that clock",
    "marts_validation_id": "over a record with an instant of that clock",
    "line_hash": "over recorded_at",
    "previous_hash": "over recorded_at",
    "statement_hash": "over recorded_at",
    "statements_sha256": "over recorded_at",
    "head_hash": "over recorded_at",
    "posting_hash": "over recorded_at",
    "manifest_key": "begins with the posting's hash",
    "manifest_sha256": "of a file that names the posting's hash",
}
# And where the same objects were uploaded to another bucket, which names and numbers their versions otherwise.
MAY_DIFFER_IN_ANOTHER_BUCKET = {
    "bucket": "its name",
    "object_id": "made of the bucket, the key and the version",
    "evidence_sha256": "of a document that names the inputs",
    "document": "the evidence, which names the objects' versions",
}
NEW_YEAR = 1_767_225_600  # of 2026, in UTC
TABLES = """
    select schemaname || '.' || tablename from pg_tables where schemaname in ('marts', 'billing') order by 1
"""


@dataclass(frozen=True)
class Spec:
    """What to run, and where."""

    settings: Settings
    order: int  # of landing
    output: Path
    dbt_project: Path | None = None  # another than the product's: then its models alone


def main(spec: Spec) -> None:
    """Run, and write the digests."""
    from tests.support.pipeline import Pipeline

    locale.setlocale(locale.LC_ALL, "")
    land(spec.settings, random.Random(spec.order))
    if spec.dbt_project is None:
        Pipeline(spec.settings).build("same_bytes", MONTH, AS_OF, close=True)
    else:
        build_models_alone(spec.settings, spec.dbt_project)
    told = {
        "surroundings": surroundings(spec.settings),
        "digests": digests(spec.settings, set(MAY_DIFFER)),
        "digests in any bucket": digests(spec.settings, MAY_DIFFER.keys() | MAY_DIFFER_IN_ANOTHER_BUCKET.keys()),
    }
    spec.output.write_text(json.dumps(told))


def surroundings(settings: Settings) -> dict[str, str | int]:
    """What this process really ran in: as the C library, Python and dbt found it."""
    # The start that built, not the one that tested the ledger.
    starts = [json.loads(path.read_text())["results"] for path in settings.home.glob("**/run_results.json")]
    threads = {result["thread_id"] for result in max(starts, key=len)} - {"MainThread"}
    return {
        "seconds from UTC": time.localtime(NEW_YEAR).tm_gmtoff,
        "locale": locale.setlocale(locale.LC_ALL),
        "decimal point": str(locale.localeconv()["decimal_point"]),
        "hash of a text": hash("slaledger"),
        "threads of dbt": len(threads),
    }


def build_models_alone(settings: Settings, dbt_project: Path) -> None:
    """The models of another project than the product's, and no test of them."""
    from slaledger import months, transform
    from tests.second_route import running

    running.DBT_PROJECT_DIR = dbt_project
    transform.open_build(
        settings,
        run_id="same_bytes",
        service_month=months.parse_month(MONTH),
        as_of=months.parse_instant(AS_OF),
        is_closing=False,
    )
    running.build(settings)


def land(settings: Settings, chance: random.Random) -> None:
    """What the DAG `land_exports` does, in an order of chance and in batches of chance."""
    from slaledger import landing, terms

    landing.freeze_listing(settings, run_id="same_bytes")
    for checks in (False, True):
        planned = landing.plan_batches(settings, run_id="same_bytes", checks=checks)
        object_ids = [object_id for batch in planned for object_id in batch]
        chance.shuffle(object_ids)
        while object_ids:
            size = chance.randint(1, 20)
            landing.land_batch(settings, object_ids[:size], run_id="same_bytes")
            del object_ids[:size]
    landing.settle_checks(settings, run_id="same_bytes")
    terms.publish(settings)


def digests(settings: Settings, may_differ: set[str]) -> dict[str, str]:
    """SHA-256 of every mart, of all books, and of the drop's files, without what may differ."""
    from slaledger import objects
    from slaledger.warehouse import connect

    found = {}
    with connect(settings.warehouse) as connection:
        for (table,) in connection.execute(TABLES).fetchall():
            dumped = _dump(connection, table, may_differ)
            found[table] = _sha256(dumped)
            found[f"rows of {table}"] = str(dumped.count(b"\n"))
        told = _values(connection, may_differ)
    for version in objects.list_versions(settings.exports, prefix="billing/credits/"):
        content = objects.get(settings.exports, version.key)
        found[version.key.rpartition("/")[2]] = _sha256(without(version.key, content, told, may_differ))
        told[_sha256(content)] = "sha256 of a file of the drop"
    return found


def _dump(connection: psycopg.Connection, table: str, may_differ: set[str]) -> bytes:
    """All rows of a table as PostgreSQL copies them out, in the order of their bytes."""
    columns = connection.execute(
        "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped and attname <> all(%s)",
        (table, sorted(may_differ)),
    ).fetchone()[0]
    dumped = io.BytesIO()
    # Of a table whose columns may all differ: how many rows.
    columns = columns or "null"
    with connection.cursor().copy(
        f'copy (select {columns} from {table} order by row({columns})::text collate "C") to stdout'
    ) as rows:
        for block in rows:
            dumped.write(block)
    return dumped.getvalue()


def _values(connection: psycopg.Connection, may_differ: set[str]) -> dict[str, str]:
    """Every value of the books that may differ, as files write it -> its column."""
    from slaledger.ledger.canonical import instant_text

    columns = connection.execute(
        "select table_name, column_name from information_schema.columns"
        " where table_schema = 'billing' and column_name = any(%s) order by 1, 2",
        (sorted(may_differ - {"document"}),),
    ).fetchall()
    return {
        instant_text(value) if column == "recorded_at" else str(value): column
        for table, column in columns
        for (value,) in connection.execute(f"select distinct {column} from billing.{table}").fetchall()
        if value is not None
    }


def without(key: str, content: bytes, values: dict[str, str], may_differ: set[str]) -> bytes:
    """The bytes of a file of the drop as they are stored, but for what may differ."""
    if key.endswith(".parquet"):
        return _without_columns(content, may_differ)
    for value, column in values.items():
        content = content.replace(value.encode(), f"<{column}>".encode())
    # Keys of the drop have the first digits of the posting's hash.
    for value in (value for value, column in values.items() if column == "posting_hash"):
        content = content.replace(f"-{value[:8]}/".encode(), b"-<posting_hash>/")
    return content


def _without_columns(content: bytes, may_differ: set[str]) -> bytes:
    """The pages of the columns that must not differ as they are stored, and all that the footer says of them."""
    import pyarrow.parquet

    metadata = pyarrow.parquet.ParquetFile(io.BytesIO(content)).metadata
    kept = [
        str(
            (metadata.created_by, metadata.format_version, metadata.num_rows, metadata.schema.to_arrow_schema())
        ).encode()
    ]
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            told = {name: value for name, value in column.to_dict().items() if not name.endswith("_offset")}
            if column.path_in_schema in may_differ:
                kept.append(column.path_in_schema.encode())
                continue
            first = min(each for each in (column.dictionary_page_offset, column.data_page_offset) if each)
            kept += [str(told).encode(), content[first : first + column.total_compressed_size]]
    return b"\n".join(kept)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main(pickle.loads(Path(sys.argv[1]).read_bytes()))
