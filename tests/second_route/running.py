"""A world through the pipeline as it is: bucket, landing, dbt's models; and through the second route."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from slaledger import dbt_start, objects, transform, warehouse
from slaledger.reperform.records import Decision, Exports, Figures
from slaledger.settings import DBT_PROJECT_DIR, TERMS_DIR, Settings
from slaledger.settings import Exports as Bucket
from slaledger.warehouse import connect
from tests.second_route.comparing import COLUMNS, Difference, compare, findings_from_mart, from_mart
from tests.second_route.packing import Upload
from tests.second_route.world import EPOCH, Row, World
from tests.support.buckets import empty_bucket
from tests.support.pipeline import Pipeline


def upload(settings: Settings, uploads: list[Upload]) -> None:
    """Put the objects into the emptied bucket; those of one key one after the other."""
    empty_bucket(settings.exports)
    by_key: dict[str, list[Upload]] = defaultdict(list)
    for each in uploads:
        by_key[each.key].append(each)

    def put(versions: list[Upload]) -> None:
        for each in versions:
            objects.put(settings.exports, each.key, each.body, metadata=each.metadata)

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(put, by_key.values()))


@contextmanager
def settings_for(server, exports: Bucket, home: Path, name: str | int) -> Iterator[Settings]:
    """A migrated warehouse of its own, which is dropped in the end, and the shared bucket."""
    database = server.ensure_database(f"second_route_{name}")
    warehouse.migrate(database)
    try:
        yield Settings(home=home, warehouse=database, exports=exports, quarantine_limit_percent=Decimal(10))
    finally:
        with warehouse.connect(replace(database, database="postgres")) as connection:
            connection.autocommit = True
            connection.execute(f"drop database {database.database} with (force)")


@dataclass
class Routes:
    """Both routes of one world, which has the warehouse and the bucket to itself."""

    settings: Settings
    world: World
    decisions: list[Decision] = field(default_factory=list)
    landings: int = 0
    builds: int = 0
    exports: Exports | None = None

    def land(self, uploads: list[Upload]) -> None:
        """Land the world's objects, and read them by the second route."""
        upload(self.settings, uploads)
        self.land_bucket()

    def land_bucket(self) -> None:
        """Land what is new in the bucket, and read it all by the second route."""
        self.landings += 1
        Pipeline(self.settings).land(self._run_id(f"land_{self.landings}"))
        self.exports = self._read()

    def _run_id(self, what: str) -> str:
        return f"seed_{self.world.seed}_{what}"

    def _read(self) -> Exports:
        from slaledger.reperform import objects as bucket
        from slaledger.reperform.reading import read

        found = bucket.from_bucket(objects.client(self.settings.exports), self.settings.exports.bucket)
        return read(found, shipped_terms=[path.read_bytes() for path in sorted(TERMS_DIR.glob("*.yml"))])

    def models(self) -> dict[str, list[Row]]:
        """Build the models, without their tests, and give the marts' rows of the month, by mart."""
        self.builds += 1
        transform.open_build(
            self.settings,
            run_id=self._run_id(f"build_{self.builds}"),
            service_month=datetime.strptime(self.world.month, "%Y-%m").date(),
            as_of=(EPOCH + timedelta(microseconds=self.world.as_of)).astimezone(UTC),
            is_closing=False,
        )
        build(self.settings)
        with connect(self.settings.warehouse) as connection:
            return self.rows(connection)

    def second_route(self) -> dict[str, list[Row]]:
        """The same by the second route."""
        from slaledger.reperform.route import reperform

        assert self.exports is not None, "land first"
        figures: Figures = reperform(
            self.exports, service_month=self.world.month, as_of=self.world.as_of, decisions=self.decisions
        )
        return {mart: getattr(figures, mart) for mart in COLUMNS}

    def rows(self, connection: psycopg.Connection) -> dict[str, list[Row]]:
        """The marts' rows of the month, in the second route's units."""
        cursor = connection.cursor(row_factory=dict_row)
        month = [f"{self.world.month}-01"]

        def read(mart: str, joined: str = "") -> list[Row]:
            statement = f"select * from marts.fct_{mart} {joined} where service_month = %s"
            return cursor.execute(statement, month).fetchall()

        marts = {mart: [from_mart(row) for row in read(mart)] for mart in COLUMNS if mart != "findings"}
        return marts | {
            "findings": findings_from_mart(read("findings", "left join raw.source_objects using (object_id)"))
        }

    def decide(self, models: dict[str, list[Row]]) -> None:
        """Have somebody decide on most of what waits, one way or the other (rules D7, C7)."""
        rng = self.world.rng
        second = self.second_route()
        months = {row["contract_id"]: row for row in second["account_months"]}
        claims = {(row["claim_id"], row["contract_id"]): row for row in second["claims"]}
        held = [row for row in models["account_months"] if row["status"] == "held"]
        in_review = [row for row in models["claims"] if row["status"] == "needs_review"]
        written = []
        for row in sorted(held, key=lambda row: row["contract_id"]):
            is_approved = rng.random() < 0.5
            if rng.random() < 0.7:
                subject = f"{row['contract_id']}|{row['service_month']}"
                written.append(("held_month", subject, row["held_digest"], is_approved))
                about = months[row["contract_id"]]["about"]
                self.decisions.append(
                    Decision("held_month", row["contract_id"], row["service_month"], is_approved, about=about)
                )
        for row in sorted(in_review, key=lambda row: (row["claim_id"], row["contract_id"] or "")):
            is_approved = rng.random() < 0.6
            if rng.random() < 0.7:
                written.append(("claim", row["decision_subject"], row["decision_digest"], is_approved))
                about = claims[row["claim_id"], row["contract_id"]]["about"]
                contract_id = row["contract_id"] or ""
                self.decisions.append(
                    Decision(
                        "claim", contract_id, row["service_month"], is_approved, claim_id=row["claim_id"], about=about
                    )
                )
        with connect(self.settings.warehouse) as connection:
            connection.cursor().executemany(
                "select audit.record_decision(%s, %s, %s, %s, 'Ann Other', 'a seed said so', 'cli')",
                written,
            )


def differences(models: dict[str, list[Row]], second_route: dict[str, list[Row]]) -> list[Difference]:
    """What differs in any mart."""
    return [each for mart in COLUMNS for each in compare(mart, models[mart], second_route[mart])]


def build(settings: Settings) -> None:
    """Seeds and models in one start of dbt, without any test: adversarial exports fail those that speak of exports."""
    from dbt.cli.main import dbtRunner

    arguments = ["--no-use-colors", "--quiet", "--log-path", str(settings.home / "logs"), "build"]
    arguments += ["--project-dir", str(DBT_PROJECT_DIR), "--profiles-dir", str(DBT_PROJECT_DIR)]
    arguments += ["--target-path", str(settings.home / "target")]
    arguments += ["--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]
    with dbt_start.dbt_environment(settings.warehouse):
        outcome = dbtRunner().invoke(arguments)
    assert outcome.success, outcome.exception or [str(each.message) for each in outcome.result if each.message]
