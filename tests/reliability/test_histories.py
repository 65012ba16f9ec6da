"""Whatever arrives in whatever order, is closed, restated and decided on: the lines add up to what is owed."""

from __future__ import annotations

import dataclasses
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import psycopg
import pytest

from slaledger import months, objects, transform
from slaledger.settings import Settings, Warehouse
from tests.conftest import make_bucket
from tests.ledger.books import new_ledger
from tests.reliability.histories.arriving import LAST_AS_OF, MARCH, MONTHS
from tests.reliability.histories.building import Models
from tests.reliability.histories.checking import check_invariants, check_unchanged, read_books
from tests.reliability.histories.planning import SPANS, Closing, plan_of
from tests.reliability.histories.running import Histories, check_from_scratch, replay, what_happened
from tests.reliability.scale import scaled
from tests.support.pipeline import Pipeline

# On whatever machine: a history is many landings and builds.
pytestmark = pytest.mark.timeout(3600)

PER_WAREHOUSE = 100
# What a hundred histories must at least have come to: else they would show nothing.
LEAST = {
    "closings": 15,
    "closings replayed": 7,
    "earlier runs refused": 1,
    "restated months": 100,
    "credits": 100,
    "increases": 6,
    "decreases": 10,
    "decrease approved": 10,
    "decrease rejected": 10,
    "refused at a closing": 15,
    "refused from scratch": 5,
    "overpaid at a closing": 4,
    "held statements": 6,
    "held_month approved": 2,
    "held_month rejected": 1,
    "blocked statements": 8,
    "claim approved": 2,
    "claim rejected": 1,
    "response time lines": 4,
    "late contracts": 5,
    "late claims": 40,
    "late checks": 15,
    "late fees": 15,
    "late incidents": 15,
    "edited incidents": 35,
    "withdrawn incidents": 1,
    "withdrawn fees": 15,
    "exclusions": 15,
    "revocations": 8,
    "notices": 15,
    "amended contracts": 15,
    "catalog changes": 15,
    "objects overwritten": 50,
    "objects copied": 20,
    "objects deleted": 10,
    "exact at a closing": 700,
    "exact from scratch": 250,
}
# As many as the contract's months have bases may at last be open: held, blocked, or with a claim that is.
MOST_UNSETTLED_PERCENT = 25


@scaled("histories", every_push=100, deep=2000)
def test_histories_add_up_to_what_is_owed(histories, seed, figure, compiled, new_settings) -> None:
    seen: Counter[str] = Counter()
    plans: set[tuple] = set()
    for number, first in enumerate(range(0, histories, PER_WAREHOUSE)):
        count = min(PER_WAREHOUSE, histories - first)
        worlds = Histories(new_settings("history"), compiled.models, seed + 1000 * number, count)
        worlds.run()
        replayed = new_settings("replay", bucket_of=worlds.settings)
        replay(replayed, worlds)
        states = check_from_scratch(worlds, replayed)
        seen += what_happened(worlds) + Counter({f"{state} from scratch": n for state, n in states.items()})
        plans |= {plan_of(worlds.closings, span) for span in worlds.spans}
        drop(worlds.settings.warehouse, replayed.warehouse)
    told = ", ".join(f"{count} {what}" for what, count in sorted(seen.items()))
    figure(f"{histories} histories by {len(plans)} plans: {told}")
    assert len(plans) * 100 >= histories * len(SPANS)
    few = {what: seen[what] for what, least in LEAST.items() if seen[what] < least}
    assert not few, f"too few of {few}"
    settled = seen["exact from scratch"]
    assert seen["unsettled from scratch"] * 100 < MOST_UNSETTLED_PERCENT * (settled + seen["unsettled from scratch"])


@dataclass(frozen=True)
class Compiled:
    """The models as dbt compiled them, and a warehouse with nothing in it but what dbt made."""

    models: Models
    built: Settings  # dbt's own: with another one it would parse its project again
    empty: Warehouse


@pytest.fixture(scope="module")
def compiled(fresh_settings: Settings) -> Compiled:
    Pipeline(fresh_settings).land("empty")
    month, as_of = months.parse_month(MARCH), months.parse_instant(LAST_AS_OF)
    transform.open_build(fresh_settings, run_id="empty", service_month=month, as_of=as_of, is_closing=False)
    transform.build_models(fresh_settings, run_id="empty")
    models = Models.compiled(fresh_settings.home / "runs" / "empty" / "manifest.json")
    return Compiled(models, fresh_settings, copy_of(fresh_settings.warehouse))


@pytest.fixture(scope="module")
def new_settings(compiled: Compiled, s3_server, tmp_path_factory) -> Callable[..., Settings]:
    """Makes a warehouse in which dbt built on nothing, and a bucket unless another world's is given."""

    def make(name: str, *, bucket_of: Settings | None = None) -> Settings:
        exports = bucket_of.exports if bucket_of else make_bucket(s3_server.exports, f"{name}{uuid.uuid4().hex[:12]}")
        settings = Settings(tmp_path_factory.mktemp(name), copy_of(compiled.empty), exports, Decimal(10))
        new_ledger(settings)
        return settings

    return make


def copy_of(database: Warehouse) -> Warehouse:
    """A copy on the same server."""
    name = f"copy{uuid.uuid4().hex[:12]}"
    with psycopg.connect(dataclasses.replace(database, database="postgres").dsn, autocommit=True) as connection:
        # dbt keeps a session open, and a template has none.
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [database.database]
        )
        connection.execute(f"create database {name} template {database.database}")
    return dataclasses.replace(database, database=name)


def drop(*databases: Warehouse) -> None:
    """Drop copies."""
    for database in databases:
        with psycopg.connect(dataclasses.replace(database, database="postgres").dsn, autocommit=True) as connection:
            connection.execute(f"drop database {database.database} with (force)")


# Faults that the checks above must find, each in a copy of a small world.

SMALL = [Closing(MARCH, "2026-04-20T00:00:00Z", "first"), Closing(MARCH, LAST_AS_OF, "last")]
SMALL_SEED = 40
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
        "int_claim_verdicts",
        "complete.complete_at >= complete.deadline_at",
        "complete.complete_at > complete.deadline_at",
    ),
    "of an incident the first export counts, not the last": (
        "stg_status_page__incidents",
        "source_objects.exported_at desc",
        "source_objects.exported_at",
    ),
}


@pytest.fixture(scope="module")
def small(compiled: Compiled) -> Histories:
    """A world that is closed twice, and holds; in the warehouse that dbt knows."""
    world = Histories(compiled.built, compiled.models, SMALL_SEED, 40, list(SMALL), spans=(MONTHS[:2],))
    world.run()
    return world


@pytest.fixture
def copy(small: Histories) -> Iterator[Histories]:
    """The small world in a copy of its warehouse; what that posts is taken out of the bucket again."""
    database = copy_of(small.settings.warehouse)
    exports, known = small.settings.exports, read_books(small.settings).drops
    yield dataclasses.replace(small, settings=dataclasses.replace(small.settings, warehouse=database))
    for version in objects.list_versions(exports):
        if version.key.startswith("billing/") and version.key not in known:
            objects.client(exports).delete_object(Bucket=exports.bucket, Key=version.key, VersionId=version.version_id)
    drop(database)


def test_dbt_and_the_gates_leave_what_its_statements_alone_leave(small: Histories) -> None:
    digest = "select audit.candidate_sha256() as digest, count(*) as months from marts.fct_account_months"
    before = small.pipeline.rows(digest)
    closing = small.closings[-1]
    small.pipeline.build("by_dbt", closing.month, closing.as_of, close=True)
    assert small.pipeline.rows(digest) == before
    assert before[0]["months"] > 0
    check_unchanged(small.books, read_books(small.settings))
    assert len(read_books(small.settings).lines) == len(small.books.lines)


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
def test_the_checks_find_a_mistake_of_the_models(fault, copy: Histories) -> None:
    closing = copy.closings[-1]
    mistaken = copy.models.planted(*MISTAKEN[fault])
    mistaken.close(copy.settings, run_id="mistaken", month=closing.month, as_of=closing.as_of)
    with pytest.raises(AssertionError, match="posted"):
        copy.check(closing, copy.second_route(closing))
