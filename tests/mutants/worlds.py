"""The tests' data as worlds to run mutants in: the edge cases' months, the choices, Zendesk's stories, generated ones.

Each is landed as its tests land it, into a database of its own; then every money model is built, unmutated.
"""

from __future__ import annotations

import dataclasses
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from slaledger import dbt_start, transform, warehouse
from slaledger.months import parse_instant, parse_month
from slaledger.settings import DBT_PROJECT_DIR, Exports, Settings, Warehouse
from slaledger.stack.postgres import Postgres
from tests.mutants import running
from tests.mutants.models import Project
from tests.support.buckets import empty_bucket
from tests.support.pipeline import Pipeline

TEMPLATE = "template"


@dataclass(frozen=True)
class World:
    """A database with raw rows, a current build, and the unmutated models in the schema `baseline`."""

    name: str
    warehouse: Warehouse
    already_failing: frozenset[str]  # data tests that find rows though nothing is mutated


@dataclass(frozen=True)
class Ground:
    """Where worlds are made: a PostgreSQL server, a bucket, and a directory."""

    server: Postgres
    exports: Exports
    home: Path

    @property
    def manifest(self) -> Path:
        """What `compile_models` leaves."""
        return self.home / "target" / "manifest.json"

    def settings(self, database: str) -> Settings:
        """Settings for a database of the server, made if it is not there."""
        return Settings(
            home=self.home,
            warehouse=self.server.ensure_database(database),
            exports=self.exports,
            quarantine_limit_percent=Decimal(100),
        )

    def copy(self, original: str, name: str) -> Settings:
        """Settings for a new database, a copy of another one."""
        from psycopg import connect, sql

        statement = sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(original))
        with connect(self.server.warehouse("postgres").dsn, autocommit=True) as connection:
            connection.execute(statement)
        return dataclasses.replace(self.settings(TEMPLATE), warehouse=self.server.warehouse(name))


def compile_models(ground: Ground) -> Project:
    """Make the database that worlds are copies of, and compile the models and their data tests."""
    from dbt.cli.main import dbtRunner

    settings = ground.settings(TEMPLATE)
    warehouse.migrate(settings.warehouse)
    common = ["--no-use-colors", "--quiet", "--log-path", str(settings.home / "logs")]
    options = ["--project-dir", str(DBT_PROJECT_DIR), "--profiles-dir", str(DBT_PROJECT_DIR)]
    options += ["--target-path", str(settings.home / "target")]
    with dbt_start.dbt_environment(settings.warehouse):
        outcome = dbtRunner().invoke([*common, "compile", "--exclude", "test_type:unit", *options])
        assert outcome.success, outcome.exception or outcome.result
    return Project.read(ground.manifest)


def worlds(ground: Ground, project: Project) -> Iterator[World]:
    """Every world, made when it is asked for; those first that kill the most."""
    yield from edge_cases(ground, project)
    yield from choices(ground, project)
    yield from zendesk(ground, project)
    yield from generated(ground, project)


def edge_cases(ground: Ground, project: Project) -> Iterator[World]:
    """One bucket, and a world for each month that cases speak of."""
    from tests.edge_cases import collected
    from tests.edge_cases.cases import AS_OF

    landed = ground.copy(TEMPLATE, "edge_cases")
    empty_bucket(landed.exports)
    with tempfile.TemporaryDirectory(dir=ground.home) as directory:
        collected.write(Path(directory))
        Pipeline(landed).put(Path(directory))
    Pipeline(landed).land("land")
    for month, as_of in sorted(AS_OF.items(), key=lambda item: item[0] != "2026-04"):
        settings = ground.copy("edge_cases", f"edge_cases_{month}")
        yield _build(settings, project, f"edge cases {month}", month=month, as_of=parse_instant(as_of))


def choices(ground: Ground, project: Project) -> Iterator[World]:
    """Every choice that terms may make."""
    from tests.models.builder_credits import Exports as Rows
    from tests.models.choices.cases import CASES
    from tests.models.choices.world import AS_OF, MONTH, load_into

    rows = Rows()
    load_into(rows, CASES)
    settings = ground.copy(TEMPLATE, "choices")
    rows.load(settings)
    yield _build(settings, project, "choices", month=MONTH, as_of=parse_instant(AS_OF))


def zendesk(ground: Ground, project: Project) -> Iterator[World]:
    """Tickets as Zendesk's pages tell of them."""
    from tests.models.tickets import test_zendesk as told

    settings = ground.copy(TEMPLATE, "zendesk")
    empty_bucket(settings.exports)
    bucket = told.Bucket(settings)
    told.put_accounts(bucket)
    rng = random.Random(told.SEED)
    pages = told.Pages(rng)
    for number, story in enumerate([*told.written(), *(told.imagined(rng) for _ in range(told.RANDOM_STORIES))], 1):
        told.as_zendesk(number, story, pages)
    told.put_pages(bucket, pages)
    Pipeline(settings).land("land")
    for as_of in told.AS_OF:
        copied = ground.copy("zendesk", f"zendesk_{as_of}")
        yield _build(copied, project, f"zendesk {as_of}", month=told.MONTH, as_of=parse_instant(as_of))


def generated(ground: Ground, project: Project) -> Iterator[World]:
    """The worlds of `make test`, with what people decided on them, one way or the other."""
    from tests.second_route.comparing import from_mart
    from tests.second_route.generating import generate
    from tests.second_route.packing import pack
    from tests.second_route.running import Routes
    from tests.second_route.test_agreement import CONTRACTS, SHORT, TICKETS
    from tests.second_route.world import EPOCH

    for seed in SHORT.seeds:
        world = generate(seed, account_months=CONTRACTS, ticket_count=TICKETS)
        settings = ground.copy(TEMPLATE, f"seed_{seed}")
        routes = Routes(settings, world)
        routes.land(pack(world))
        as_of = EPOCH + timedelta(microseconds=world.as_of)

        def decide(rows: Callable[[str], list[dict]], routes=routes) -> None:
            waiting = ("account_months", "claims")
            routes.decide({mart: [from_mart(row) for row in rows(f"fct_{mart}")] for mart in waiting})

        yield _build(settings, project, f"seed {seed}", month=world.month, as_of=as_of, decide=decide)


def _build(
    settings: Settings,
    project: Project,
    name: str,
    *,
    month: str,
    as_of: datetime,
    decide: Callable[[Callable[[str], list[dict]]], None] | None = None,
) -> World:
    transform.open_build(settings, run_id="build", service_month=parse_month(month), as_of=as_of, is_closing=False)
    with running.connect(settings.warehouse.dsn) as connection:
        running.build(connection, project)
        if decide is not None:
            decide(lambda model: running.rows(connection, model))
            running.build(connection, project)
        return World(name, settings.warehouse, running.failing(connection, project))
