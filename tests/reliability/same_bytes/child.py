"""Land a month, build, gate, post and deliver it; print the digest of each table and file that this left.

`python -m tests.reliability.same_bytes.child FILE`: the file is a pickled `Spec`, for it has a password.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import pickle
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slaledger.settings import Settings

MONTH, AS_OF = "2026-03", "2026-05-20T00:00:00Z"
# What tells one run from another: instants of the database's clock, ids of the run, and hashes over them.
OF_THE_RUN = frozenset(
    {
        *("recorded_at", "run_id", "line_hash", "previous_hash", "statement_hash", "posting_hash", "head_hash"),
        *("last_hash", "evidence_sha256", "inputs_sha256", "sha256", "key", "chain", "hash"),
    }
)
# What names objects by their versions, which another bucket numbers otherwise.
OF_THE_BUCKET = frozenset({"marts.fct_findings", "billing.evidence"})


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

    land(spec.settings, random.Random(spec.order))
    if spec.dbt_project is None:
        Pipeline(spec.settings).build("same_bytes", MONTH, AS_OF, close=True)
    else:
        build_models_alone(spec.settings, spec.dbt_project)
    spec.output.write_text(json.dumps(digests(spec.settings)))


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
    """What the DAG `land_exports` does, an object at a time, in an order of chance."""
    from slaledger import landing, terms

    landing.freeze_listing(settings, run_id="same_bytes")
    for checks in (False, True):
        planned = landing.plan_batches(settings, run_id="same_bytes", checks=checks)
        object_ids = [object_id for batch in planned for object_id in batch]
        chance.shuffle(object_ids)
        for object_id in object_ids:
            landing.land_batch(settings, [object_id], run_id="same_bytes")
    landing.settle_checks(settings, run_id="same_bytes")
    terms.publish(settings)


def digests(settings: Settings) -> dict[str, str]:
    """SHA-256 of every mart, of the books, and of the drop's files, without what is of the run."""
    from slaledger import objects
    from slaledger.warehouse import connect

    found = {}
    with connect(settings.warehouse) as connection:
        tables = connection.execute(
            "select schemaname || '.' || tablename from pg_tables where schemaname = 'marts'"
            " or (schemaname, tablename) in (('billing', 'credit_line_items'), ('billing', 'sla_statements'),"
            " ('billing', 'evidence')) order by 1"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(
                f"select (to_jsonb(told) - %s::text [])::text from {table} as told order by 1", [sorted(OF_THE_RUN)]
            ).fetchall()
            found[table] = _sha256("\n".join(row for (row,) in rows).encode())
            found[f"rows of {table}"] = str(len(rows))
    for version in objects.list_versions(settings.exports):
        if version.key.startswith("billing/credits/"):
            content = objects.get(settings.exports, version.key)
            found[version.key.rpartition("/")[2]] = _sha256(repr(plain(version.key, content)).encode())
    return found


def plain(key: str, content: bytes) -> Any:
    """What a file of the drop says, in its order, without what is of the run."""
    import pyarrow.parquet

    if key.endswith(".csv"):
        return [_without(row) for row in csv.DictReader(io.StringIO(content.decode(), newline=""))]
    if key.endswith(".parquet"):
        return [_without(row) for row in pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()]
    return _without(json.loads(content))


def _without(value: Any) -> Any:
    match value:
        case dict():
            return [(name, _without(each)) for name, each in value.items() if name not in OF_THE_RUN]
        case list():
            return [_without(each) for each in value]
    return value


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main(pickle.loads(Path(sys.argv[1]).read_bytes()))
