"""The same bytes, whatever the zone, locale, hash seed, threads, server settings and orders of whoever runs it."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from slaledger import objects, warehouse
from slaledger.settings import DBT_PROJECT_DIR, PROJECT_DIR, Exports, Settings
from tests.conftest import make_bucket
from tests.reliability.histories.putting import uploads_of
from tests.reliability.same_bytes.child import OF_THE_BUCKET, Spec
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
MOST_SECONDS = 1200
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
    """So many: each zone, locale, number of threads and setting of the server is among the first eight."""
    zones, locales = [*ZONES[1:], *ZONES], [*LOCALES[1:], *LOCALES]
    return [
        Variation(
            zone=zones[number % len(zones)],
            locale=locales[number % len(locales)],
            hash_seed=str(chance.randrange(2**32)),
            threads=(1, 4)[number % 2],
            server=number % len(SERVER),
            order=chance.randrange(2**32),
            has_own_bucket=number % 7 == 1,
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

    def run(self, variation: Variation, *, dbt_project: Path | None = None) -> dict[str, str]:
        """The digests of what a child leaves."""
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
        return json.loads(output.read_text())


def put(exports: Exports, uploads: list[Upload], chance: random.Random) -> None:
    """Upload in an order of chance, in which the versions of a key keep theirs."""
    keys = [upload.key for upload in uploads]
    chance.shuffle(keys)
    by_key = {key: [upload for upload in uploads if upload.key == key] for key in set(keys)}
    for key in keys:
        upload = by_key[key].pop(0)
        objects.put(exports, upload.key, upload.body, metadata=upload.metadata)


@pytest.fixture(scope="module")
def locales(tmp_path_factory) -> Path:
    """Where the locales are; without `localedef` and its sources they are only named, which the figure says."""
    directory = tmp_path_factory.mktemp("locales")
    for name in LOCALES[1:] if shutil.which("localedef") else ():
        command = ["localedef", "-i", name.partition(".")[0], "-f", "UTF-8", str(directory / name)]
        subprocess.run(command, capture_output=True, check=False)
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


def check_same(first: dict[str, str], other: dict[str, str], variation: Variation) -> None:
    """Nothing differs but, of another bucket, the versions that it names."""
    left_out = OF_THE_BUCKET if variation.has_own_bucket else frozenset()
    names = (first.keys() | other.keys()) - left_out
    differing = sorted(name for name in names if first.get(name) != other.get(name))
    assert not differing, f"{variation}: {differing} differ"


@scaled("count", every_push=8, deep=40)
def test_the_bytes_are_the_same(count, chance, figure, machine: Machine) -> None:
    first = machine.run(Variation())
    assert int(first["rows of billing.credit_line_items"]) > 10
    assert {"credit_line_items.csv", "credit_line_items.parquet", "manifest.json"} <= first.keys()
    for variation in variations(count - 1, chance):
        print(variation)
        check_same(first, machine.run(variation), variation)
    made = sorted(path.name for path in machine.locales.iterdir())
    figure(
        f"{count} runs, {len(first)} digests each, all the same; {first['rows of billing.credit_line_items']} lines;"
        f" locales made here: {', '.join(made) or 'none, so that C stood for them'}"
    )


# Mistakes of models: what they do, the mart that tells, and in its file what stands for what.
MISTAKES = {
    "fct_response_times": (
        "models/marts/fct_response_times.sql",
        {
            "with\n\nresponse_times": "{{ config(pre_hook=\"set local time zone '\" ~ env_var('TZ') ~ \"'\") }}\n"
            "with\n\nresponse_times",
            "response_times.created_at,": "response_times.created_at::date::timestamptz as created_at,",
        },
    ),
    "fct_credits": (
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
}


def test_a_figure_of_the_sessions_zone_or_of_the_order_of_rows_is_found(machine: Machine, tmp_path: Path) -> None:
    planted = tmp_path / "dbt_project"
    shutil.copytree(DBT_PROJECT_DIR, planted, ignore=shutil.ignore_patterns("target", "logs"))
    for path, replaced in MISTAKES.values():
        text = (planted / path).read_text()
        for right, wrong in replaced.items():
            assert text.count(right) == 1, right
            text = text.replace(right, wrong)
        (planted / path).write_text(text)
    first = machine.run(Variation(), dbt_project=planted)
    other = Variation(zone="Pacific/Kiritimati", order=1)
    with pytest.raises(AssertionError, match=r"'marts\.fct_credits'.*'marts\.fct_response_times'"):
        check_same(first, machine.run(other, dbt_project=planted), other)
