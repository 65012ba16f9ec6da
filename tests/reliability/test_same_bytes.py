"""The same bytes, whatever the zone, locale, hash seed, threads, server settings and orders of whoever runs it."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from slaledger import objects, warehouse
from slaledger.settings import DBT_PROJECT_DIR, PROJECT_DIR, Exports, Settings
from tests.conftest import make_bucket
from tests.reliability.histories.putting import uploads_of
from tests.reliability.same_bytes.child import Spec
from tests.reliability.scale import scaled
from tests.second_route.packing import Upload

ZONES = ("UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Kiritimati", "Pacific/Chatham", "America/New_York")
LOCALES = ("C", "de_DE.UTF-8", "tr_TR.UTF-8")
# Of the server, for every session that does not say otherwise.
SERVER = (
    {},
    {"datestyle": "German, DMY", "work_mem": "64kB", "timezone": "Pacific/Chatham"},
    {"datestyle": "SQL, MDY", "enable_hashagg": "off", "intervalstyle": "sql_standard", "timezone": "Asia/Kolkata"},
    {"enable_sort": "off", "extra_float_digits": "0", "bytea_output": "escape", "lc_numeric": "C"},
)
# Of dbt, in an order whose length is none of the others': each comes to meet each.
THREADS = (1, 4, 4, 4, 4, 1, 1)
MOST_SECONDS = 1200
Told = dict[str, dict[str, Any]]  # the child's surroundings, and its digests by name: with its bucket, and in any
# On whatever machine: each variation is a landing and a build.
pytestmark = pytest.mark.timeout(3600)


@dataclass(frozen=True)
class Variation:
    """Where and how a month is run."""

    zone: str = "UTC"
    locale: str = "C"
    hash_seed: str = "0"
    threads: int = 4
    server: int = 0
    order: int = 0  # of uploading and landing
    has_own_bucket: bool = False  # to which the same objects were uploaded in another order

    def environment(self, locales: Path) -> dict[str, str]:
        """That of the child."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PG", "PYTHON"))},
            "TZ": self.zone,
            "LC_ALL": self.locale,
            "LANG": self.locale,
            "LOCPATH": str(locales),
            "PYTHONHASHSEED": self.hash_seed,
            "PYTHONPATH": os.pathsep.join((str(PROJECT_DIR), str(PROJECT_DIR / "plugins"))),
            "SLA_DBT_THREADS": str(self.threads),
        }


def variations(count: int, chance: random.Random) -> list[Variation]:
    """So many: each zone, locale, number of threads and setting of the server is among the first seven."""
    zones, locales = [*ZONES[1:], *ZONES], [*LOCALES[1:], *LOCALES]
    return [
        Variation(
            zone=zones[number % len(zones)],
            locale=locales[number % len(locales)],
            hash_seed=str(chance.randrange(2**32)),
            threads=THREADS[number % len(THREADS)],
            server=number % len(SERVER),
            order=chance.randrange(2**32),
            has_own_bucket=number % 13 == 1,
        )
        for number in range(count)
    ]


@dataclass(frozen=True)
class Machine:
    """What all children share: a migrated warehouse to copy, the objects, and dbt's parsed project."""

    home: Path
    template: Settings
    uploads: list[Upload]
    locales: Path
    make_bucket: Callable[[], Exports]

    def run(self, variation: Variation, *, dbt_project: Path | None = None) -> Told:
        """What a child leaves; raises AssertionError where it did not run in these surroundings."""
        # Always of one name, or dbt would parse its project again.
        database = dataclasses.replace(self.template.warehouse, database=f"{self.template.warehouse.database}_run")
        with psycopg.connect(self.template.warehouse.dsn, autocommit=True) as connection:
            connection.execute(f"drop database if exists {database.database} with (force)")
        maintenance = dataclasses.replace(database, database="postgres")
        with psycopg.connect(maintenance.dsn, autocommit=True) as connection:
            connection.execute(f"create database {database.database} template {self.template.warehouse.database}")
            for name, value in SERVER[variation.server].items():
                connection.execute(f"alter database {database.database} set {name} = '{value}'")
        exports = self.template.exports
        if variation.has_own_bucket:
            exports = self.make_bucket()
            put(exports, self.uploads, random.Random(variation.order))
        home = self.home / uuid.uuid4().hex
        parsed = self.home / "partial_parse.msgpack"
        if parsed.exists() and not dbt_project:
            (home / "dbt/target").mkdir(parents=True)
            shutil.copy2(parsed, home / "dbt/target")
        settings = dataclasses.replace(self.template, home=home, warehouse=database, exports=exports)
        output = self.home / f"{home.name}.json"
        spec = self.home / f"{home.name}.spec"
        spec.touch(mode=0o600)
        spec.write_bytes(pickle.dumps(Spec(settings, variation.order, output, dbt_project)))
        done = subprocess.run(
            [sys.executable, "-m", "tests.reliability.same_bytes.child", str(spec)],
            env=variation.environment(self.locales),
            cwd=home.parent,
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
        )
        assert done.returncode == 0, f"{variation}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        if not dbt_project:
            shutil.copy2(home / "dbt/target/partial_parse.msgpack", parsed)
        for version in objects.list_versions(exports):
            if version.key.startswith("billing/"):
                objects.client(exports).delete_object(
                    Bucket=exports.bucket, Key=version.key, VersionId=version.version_id
                )
        shutil.rmtree(home)
        told = json.loads(output.read_text())
        check_surroundings(told["surroundings"], variation)
        return told


def put(exports: Exports, uploads: list[Upload], chance: random.Random) -> None:
    """Upload in an order of chance, in which the versions of a key keep theirs."""
    keys = [upload.key for upload in uploads]
    chance.shuffle(keys)
    by_key = {key: [upload for upload in uploads if upload.key == key] for key in set(keys)}
    for key in keys:
        upload = by_key[key].pop(0)
        objects.put(exports, upload.key, upload.body, metadata=upload.metadata)


def check_surroundings(found: dict[str, str | int], variation: Variation) -> None:
    """A child ran where it was told to: a zone or a locale that the machine does not have is taken for UTC and C."""
    offset = datetime(2026, 1, 1, tzinfo=UTC).astimezone(ZoneInfo(variation.zone)).utcoffset()
    assert found["seconds from UTC"] == offset.total_seconds(), f"{variation}: {found}"
    assert found["locale"] == variation.locale, f"{variation}: {found}"
    assert found["decimal point"] == ("." if variation.locale == "C" else ","), f"{variation}: {found}"
    assert (found["threads of dbt"] > 1) == (variation.threads > 1), f"{variation}: {found}"


@pytest.fixture(scope="module")
def locales(tmp_path_factory) -> Path:
    """Where the locales are: made here, for most machines have none, and nobody needs to be root for it."""
    directory = tmp_path_factory.mktemp("locales")
    for name in LOCALES[1:]:
        command = ["localedef", "-i", name.partition(".")[0], "-f", "UTF-8", str(directory / name)]
        try:
            subprocess.run(command, capture_output=True, check=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(
                f"NOTHING OF THIS MODULE WAS TESTED: the locale {name} cannot be made here "
                f"({getattr(error, 'stderr', '') or error}). Install `localedef` and its sources (Debian: `locales`)."
            )
    return directory


@pytest.fixture(scope="module")
def machine(warehouse_server, s3_server, tmp_path_factory, locales: Path) -> Machine:
    name = f"same{uuid.uuid4().hex[:12]}"
    database = warehouse_server.ensure_database(name)
    warehouse.migrate(database)
    home = tmp_path_factory.mktemp("same_bytes")

    def bucket() -> Exports:
        return make_bucket(s3_server.exports, f"same{uuid.uuid4().hex[:12]}")

    template = Settings(home, database, bucket(), Decimal(10))
    uploads = uploads_of(40, rounds=3, seed=4)
    put(template.exports, uploads, random.Random(0))
    return Machine(home, template, uploads, locales, bucket)


def check_same(first: Told, other: Told, variation: Variation) -> None:
    """Nothing differs but, of another bucket, what names its objects."""
    kind = "digests in any bucket" if variation.has_own_bucket else "digests"
    names = first[kind].keys() | other[kind].keys()
    differing = sorted(name for name in names if first[kind].get(name) != other[kind].get(name))
    assert not differing, f"{variation}: {differing} differ"


@scaled("count", every_push=8, deep=40)
def test_the_bytes_are_the_same(count, chance, figure, machine: Machine) -> None:
    first = machine.run(Variation())
    digests = first["digests"]
    assert int(digests["rows of billing.credit_line_items"]) > 10
    assert {"credit_line_items.csv", "credit_line_items.parquet", "manifest.json"} <= digests.keys()
    varied = variations(count - 1, chance)
    for variation in varied:
        print(variation)
        check_same(first, machine.run(variation), variation)
    figure(
        f"{count} runs, {len(digests)} digests each, all the same; "
        f"{digests['rows of billing.credit_line_items']} lines; "
        f"{len({each.zone for each in varied})} zones, {len({each.locale for each in varied})} locales"
    )


def test_the_variations_are_of_all_kinds_and_independent_of_one_another() -> None:
    varied = [Variation(), *variations(7, random.Random(0))]
    assert {each.zone for each in varied} == set(ZONES)
    assert {each.locale for each in varied} == set(LOCALES)
    assert {each.server for each in varied} == set(range(len(SERVER)))
    assert sum(each.has_own_bucket for each in varied) == 1
    for server in range(len(SERVER) - 1):
        assert {each.threads for each in varied if each.server == server} == {1, 4}
    for name in LOCALES[1:]:
        assert {each.threads for each in varied if each.locale == name} == {1, 4}


# Mistakes of models, one for each thing that may vary: the mart that tells, and in its file what stands for what.
MISTAKES = {
    "the zone": (
        "fct_response_times",
        "models/marts/fct_response_times.sql",
        {
            "with\n\nresponse_times": "{{ config(pre_hook=\"set local time zone '\" ~ env_var('TZ') ~ \"'\") }}\n"
            "with\n\nresponse_times",
            "response_times.created_at,": "response_times.created_at::date::timestamptz as created_at,",
        },
    ),
    "the order of rows": (
        "fct_credits",
        "models/staging/accounts/stg_accounts__fees.sql",
        {
            "{{ latest_in_force(\n        source('raw', 'fees'), ['contract_id', 'service_month']\n    ) }}": """
            select distinct on (fees.contract_id, fees.service_month)
                fees.*, objects.exported_at, objects.key as object_key
            from {{ source('raw', 'fees') }} as fees
            inner join {{ source('raw', 'source_objects') }} as objects
                on fees.object_id = objects.object_id and objects.is_in_force
            order by fees.contract_id, fees.service_month, fees.ctid
            """
        },
    ),
    "the locale": (
        "fct_account_months",
        "models/marts/fct_account_months.sql",
        {
            "account_month_figures.terms_version": "account_month_figures.terms_version"
            " || '{{ modules.datetime.date(2026, 3, 1).strftime('%A') }}' as terms_version",
        },
    ),
    "hashes": (
        "fct_findings",
        "models/marts/fct_findings.sql",
        {"        findings.detail": "findings.detail || '{{ set(['to', 'by', 'or', 'in', 'at']) | join }}' as detail"},
    ),
    "threads": (
        "fct_account_downtime",
        "models/marts/fct_account_downtime.sql",
        {"merged.source_ids": "merged.source_ids || '{{ target.threads }}'::text as source_ids"},
    ),
    "the server's settings": (
        "fct_claims",
        "models/marts/fct_claims.sql",
        {"verdicts.terms_version": "verdicts.terms_version || (interval '1 day 2 hours')::text as terms_version"},
    ),
}


def test_a_figure_of_anything_that_varies_is_found(machine: Machine, tmp_path: Path) -> None:
    planted = tmp_path / "dbt_project"
    shutil.copytree(DBT_PROJECT_DIR, planted, ignore=shutil.ignore_patterns("target", "logs"))
    for _, path, replaced in MISTAKES.values():
        text = (planted / path).read_text()
        for right, wrong in replaced.items():
            assert text.count(right) == 1, right
            text = text.replace(right, wrong)
        (planted / path).write_text(text)
    first = machine.run(Variation(), dbt_project=planted)
    other = Variation("Pacific/Kiritimati", "de_DE.UTF-8", hash_seed="1", threads=1, server=2, order=1)
    with pytest.raises(AssertionError) as found:
        check_same(first, machine.run(other, dbt_project=planted), other)
    assert set(re.findall(r"'marts\.(\w+)'", str(found.value))) == {mart for mart, _, _ in MISTAKES.values()}
