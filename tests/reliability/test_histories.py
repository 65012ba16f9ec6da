"""Whatever arrives in whatever order, is closed, restated and decided on: the lines add up to what is owed."""

from __future__ import annotations

import dataclasses
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from slaledger import objects, transform, warehouse
from slaledger import settings as project
from slaledger.settings import Settings, Warehouse
from tests.conftest import make_bucket
from tests.reliability.histories.arriving import LAST_AS_OF, MARCH
from tests.reliability.histories.checking import check_invariants, check_unchanged, read_books
from tests.reliability.histories.running import Closing, Histories, check_from_scratch, from_scratch, what_happened
from tests.reliability.scale import scaled

# On whatever machine: a history is many landings and builds.
pytestmark = pytest.mark.timeout(3600)

PER_WORLD = 400
# What a hundred histories must at least have come to: else they would show nothing.
LEAST = {
    "restated months": 60,
    "credits": 60,
    "increases": 4,
    "decreases": 5,
    "decrease rejected": 3,
    "held statements": 3,
    "held_month approved": 1,
    "blocked statements": 5,
    "claim approved": 1,
    "response time lines": 3,
    "late claims": 30,
    "late checks": 10,
    "edited incidents": 30,
    "withdrawn incidents": 1,
    "withdrawn fees": 10,
    "revocations": 5,
    "amended contracts": 10,
    "catalog changes": 10,
    "objects overwritten": 10,
    "objects copied": 5,
    "objects deleted": 3,
    "exact from scratch": 150,
    "refused from scratch": 1,
}
# As many as the contract's months have bases may at last be open: held, blocked, or with a claim that is.
MOST_UNSETTLED_PERCENT = 25


@scaled("histories", every_push=100, deep=2000)
def test_histories_add_up_to_what_is_owed(histories, seed, figure, new_settings) -> None:
    seen: Counter[str] = Counter()
    for number, first in enumerate(range(0, histories, PER_WORLD)):
        world = Histories(new_settings("history"), seed + 1000 * number, min(PER_WORLD, histories - first))
        world.run()
        fresh = new_settings("fresh", bucket_of=world.settings)
        from_scratch(fresh, world)
        states = check_from_scratch(world, fresh)
        seen += what_happened(world) + Counter({f"{state} from scratch": n for state, n in states.items()})
    figure(f"{histories} histories: {', '.join(f'{count} {what}' for what, count in sorted(seen.items()))}")
    few = {what: seen[what] for what, least in LEAST.items() if seen[what] < least}
    assert not few, f"too few of {few}"
    settled = seen["exact from scratch"]
    assert seen["unsettled from scratch"] * 100 < MOST_UNSETTLED_PERCENT * (settled + seen["unsettled from scratch"])


@pytest.fixture(scope="module")
def new_settings(warehouse_server, s3_server, tmp_path_factory) -> Callable[..., Settings]:
    """Makes a migrated warehouse, and a bucket unless another world's is given."""

    def make(name: str, *, bucket_of: Settings | None = None) -> Settings:
        unique = f"{name}{uuid.uuid4().hex[:12]}"
        database = warehouse_server.ensure_database(unique)
        warehouse.migrate(database)
        exports = bucket_of.exports if bucket_of else make_bucket(s3_server.exports, unique)
        return Settings(tmp_path_factory.mktemp(name), database, exports, Decimal(10))

    return make


# Faults that the checks above must find, each in a copy of a small world.

SMALL = [Closing(MARCH, "2026-04-20T00:00:00Z", "first"), Closing(MARCH, LAST_AS_OF, "last")]
SMALL_SEED = 5
TAMPERED = {
    "a line's amount was changed": "update billing.credit_line_items set amount = amount + 0.01 where ordinal = 1",
    "a line's reason was changed": "update billing.credit_line_items set reason = 'none' where ordinal = 1",
    "a line was taken away": "delete from billing.credit_line_items where chain_position = 3",
    "a statement was changed": "update billing.sla_statements set counted_seconds = 1 where revision = 1",
}
MISPOSTED = {
    "the whole amount was posted instead of the difference": """
        update billing.credit_line_items as lines
        set amount = lines.amount + (
            select sum(earlier.amount) from billing.credit_line_items as earlier
            where (earlier.contract_id, earlier.basis) = (lines.contract_id, lines.basis)
            and earlier.ordinal < lines.ordinal
        )
        where lines.entry_type = 'adjustment' and lines.amount > 0
        """,
    "lines of another basis were counted": """
        update billing.credit_line_items as lines
        set amount = lines.amount - others.amount
        from billing.credit_line_items as others
        where (lines.contract_id, lines.service_month) = (others.contract_id, others.service_month)
        and lines.basis = 'availability' and others.basis = 'response_time' and lines.amount > others.amount
        """,
    "a credit was never posted": """
        delete from billing.credit_line_items where chain_position = (
            select max(chain_position) from billing.credit_line_items where ordinal = 1
        )
        """,
}
MISTAKEN = {
    "a claim at its deadline counts": (
        "models/intermediate/claims/int_claim_verdicts.sql",
        "complete.complete_at >= complete.deadline_at",
        "complete.complete_at > complete.deadline_at",
    ),
    "of an incident the first export counts, not the last": (
        "models/staging/status_page/stg_status_page__incidents.sql",
        "{{ latest_in_force(source('raw', 'incidents'), ['incident_id']) }}",
        """
        select distinct on (landed.incident_id)
            landed.*, objects.exported_at, objects.key as object_key
        from {{ source('raw', 'incidents') }} as landed
        inner join {{ source('raw', 'source_objects') }} as objects
            on landed.object_id = objects.object_id and objects.is_in_force
        order by landed.incident_id, objects.exported_at, landed.line_number
        """,
    ),
}


@pytest.fixture(scope="module")
def small(new_settings) -> Histories:
    """A world that is closed twice, and holds."""
    world = Histories(new_settings("small"), SMALL_SEED, 40, list(SMALL), rounds=2)
    world.run()
    return world


@pytest.fixture
def copy(small: Histories) -> Iterator[Histories]:
    """The small world in a copy of its warehouse; what that posts is taken out of the bucket again."""
    name = f"copy{uuid.uuid4().hex[:12]}"
    maintenance = dataclasses.replace(small.settings.warehouse, database="postgres")
    with psycopg.connect(maintenance.dsn, autocommit=True) as connection:
        # dbt keeps a session open, and a template has none.
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
            [small.settings.warehouse.database],
        )
        connection.execute(f"create database {name} template {small.settings.warehouse.database}")
    database = dataclasses.replace(small.settings.warehouse, database=name)
    exports, known = small.settings.exports, read_books(small.settings).drops
    yield dataclasses.replace(small, settings=dataclasses.replace(small.settings, warehouse=database))
    for version in objects.list_versions(exports):
        if version.key.startswith("billing/") and version.key not in known:
            objects.client(exports).delete_object(Bucket=exports.bucket, Key=version.key, VersionId=version.version_id)


def tamper(database: Warehouse, statement: str) -> None:
    """What triggers would refuse, by a superuser who disables them."""
    with psycopg.connect(database.dsn) as connection:
        for table in ("credit_line_items", "sla_statements"):
            connection.execute(f"alter table billing.{table} disable trigger all")
        assert connection.execute(statement).rowcount > 0


@pytest.mark.parametrize("fault", TAMPERED)
def test_the_checks_find_what_was_changed_in_the_books(fault, copy: Histories) -> None:
    before = read_books(copy.settings)
    check_invariants(copy.settings, before)
    tamper(copy.settings.warehouse, TAMPERED[fault])
    with pytest.raises(AssertionError, match="not what they were"):
        check_unchanged(before, read_books(copy.settings))


@pytest.mark.parametrize("fault", MISPOSTED)
def test_the_checks_find_what_was_posted_amiss(fault, copy: Histories) -> None:
    closing = copy.closings[-1]
    figures = copy.second_route(closing)
    earlier = [line for line in copy.books.lines if line["run_id"] != closing.run_id]
    before = dataclasses.replace(copy.books, lines=earlier)
    copy.check_owed(before, closing.month, figures.account_months, figures.credits)
    tamper(copy.settings.warehouse, MISPOSTED[fault])
    copy.books = read_books(copy.settings)
    with pytest.raises(AssertionError, match="posted"):
        copy.check_owed(before, closing.month, figures.account_months, figures.credits)


@pytest.mark.parametrize("fault", MISTAKEN)
def test_the_checks_find_a_mistake_of_the_models(fault, copy: Histories, monkeypatch, tmp_path: Path) -> None:
    path, right, wrong = MISTAKEN[fault]
    planted = tmp_path / "dbt_project"
    shutil.copytree(project.DBT_PROJECT_DIR, planted, ignore=shutil.ignore_patterns("target", "logs"))
    text = (planted / path).read_text()
    assert text.count(right) == 1
    (planted / path).write_text(text.replace(right, wrong))
    monkeypatch.setattr(transform, "DBT_PROJECT_DIR", planted)
    closing = copy.closings[-1]
    copy.pipeline.build(closing.run_id, closing.month, closing.as_of, close=True)
    with pytest.raises(AssertionError, match="posted"):
        copy.check(closing, copy.second_route(closing))
