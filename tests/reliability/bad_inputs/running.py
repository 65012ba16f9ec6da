"""The way of the catalogue through the real landing and, for figures, the builds of a month; and what came of it."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest

from slaledger import landing, objects, terms, warehouse
from slaledger.settings import Settings
from tests.edge_cases.cases import TABLES
from tests.reliability.bad_inputs.cases import Put
from tests.support.pipeline import Pipeline

# The builds that figures are of: the month, its as-of time, whether it is closed, and after which round.
BUILDS = {
    "first": ("2026-03", "2026-04-20T00:00:00Z", True, 1),
    "again": ("2026-03", "2026-05-20T00:00:00Z", True, 2),
    "april": ("2026-04", "2026-04-20T00:00:00Z", False, 2),
}

FIGURES = {name: owner for name, owner in TABLES.items() if name not in ("source_objects", "quarantined_rows")} | {
    "sla_statements": "contract_id"
}

Row = Mapping[str, Any]


@dataclass
class Landed:
    """What landing left after a round: versions by key, and what is said of each by its object's id."""

    versions: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    quarantined: dict[Any, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    observed: dict[Any, list[str]] = field(default_factory=lambda: defaultdict(list))
    strays: set[str] = field(default_factory=set)


@dataclass
class Outcome:
    """What became of the catalogue."""

    rounds: list[Landed] = field(default_factory=list)
    figures: dict[tuple[str, str, str], list[Row]] = field(
        default_factory=lambda: defaultdict(list)
    )  # by table, build and owner
    stopping: dict[str, set[str]] = field(default_factory=dict)  # by expectation, all that breaks it
    held: list[tuple[str, str]] = field(default_factory=list)  # tables that hold a text that is to be nowhere
    dropped: list[Mapping[str, str]] = field(default_factory=list)  # the lines of the billing drop's CSV


def put(settings: Settings, puts: Sequence[Put]) -> None:
    """Upload the objects of a round, and delete the keys that it deletes."""
    for each in puts:
        if each.body is None:
            objects.client(settings.exports).delete_object(Bucket=settings.exports.bucket, Key=each.key)
        else:
            objects.put(settings.exports, each.key, each.body, metadata=dict(each.metadata))


def befall(settings: Settings, each: Put) -> None:
    """What happens to an object between the listing and its reading."""
    if each.between == "other_etag":
        with warehouse.connect(settings.warehouse) as connection:
            connection.execute("update audit.listed_objects set etag = repeat('0', 32) where key = %s", [each.key])
    elif each.between == "overwritten":
        objects.put(settings.exports, each.key, b"", metadata=dict(each.metadata))
    elif each.between == "gone":
        for version in objects.list_versions(settings.exports):
            if version.key == each.key:
                objects.client(settings.exports).delete_object(
                    Bucket=settings.exports.bucket, Key=each.key, VersionId=version.version_id
                )


def land(settings: Settings, puts: Sequence[Put], *, run_id: str) -> None:
    """What the DAG `land_exports` does, with what happens in the middle of it."""
    put(settings, puts)
    landing.freeze_listing(settings, run_id=run_id)
    for each in puts:
        befall(settings, each)
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", directory)
        for checks in (False, True):
            for batch in landing.plan_batches(settings, run_id=run_id, checks=checks):
                landing.land_batch(settings, batch, run_id=run_id)
        landing.settle_checks(settings, run_id=run_id)
        assert os.listdir(directory) == [], "bodies that were read are left on the disk"
    terms.publish(settings)


def look(pipeline: Pipeline) -> Landed:
    """Read what landing left."""
    landed = Landed()
    for row in pipeline.rows("select * from raw.source_objects order by key, last_modified, landed_at"):
        landed.versions[row["key"]].append(row)
    for row in pipeline.rows("select object_id, line_number, reason_code from raw.quarantined_rows"):
        landed.quarantined[row["object_id"]][row["line_number"]] = row["reason_code"]
    for row in pipeline.rows("select code, subject, object_id from raw.observations order by code"):
        if row["object_id"] is None:
            landed.strays.add(row["subject"])
        landed.observed[row["object_id"]].append(row["code"])
    return landed


def search(pipeline: Pipeline, outcome: Outcome, texts: Sequence[str]) -> None:
    """Look for the texts that are to be nowhere, in every table there is."""
    for table in pipeline.rows(
        "select quote_ident(table_schema) || '.' || quote_ident(table_name) as name from information_schema.tables "
        "where table_schema not in ('pg_catalog', 'information_schema')"
    ):
        query = (
            f"select distinct text from {table['name']} as held, unnest(%s::text[]) as text "
            "where strpos(held::text, text) > 0"
        )
        outcome.held += [(table["name"], row["text"]) for row in pipeline.rows(query, [texts])]


def count(pipeline: Pipeline, outcome: Outcome, build: str) -> None:
    """Build a month, and read its figures."""
    month, as_of, is_closing, _ = BUILDS[build]
    pipeline.build(f"build_{build}", month, as_of, close=is_closing)
    for table, owner in FIGURES.items():
        schema = "billing" if table in ("credit_line_items", "sla_statements") else "marts"
        query = f"select * from {schema}.{table} where service_month = %s"
        for row in pipeline.rows(query, [date.fromisoformat(f"{month}-01")]):
            outcome.figures[table, build, row[owner]].append(row)


def collect(settings: Settings, outcome: Outcome) -> None:
    """Read what the closings dropped for billing."""
    client = objects.client(settings.exports)
    listed = client.list_objects_v2(Bucket=settings.exports.bucket, Prefix="billing/credits/").get("Contents", [])
    for each in listed:
        if each["Key"].endswith(".csv"):
            body = client.get_object(Bucket=settings.exports.bucket, Key=each["Key"])["Body"].read().decode()
            outcome.dropped += csv.DictReader(io.StringIO(body, newline=""))
