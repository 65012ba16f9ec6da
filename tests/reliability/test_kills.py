"""`kill -9` of tasks and of PostgreSQL, at every stage and at any moment: nothing by halves, and in the end the same.

The clock of the database stands still here, so that two warehouses can be compared to the byte, hashes and all.
A killed process is no power cut: what the disk does with a write that it has confirmed is not tested.
"""

from __future__ import annotations

import dataclasses
import random
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from slaledger import approvals, delivery, ledger
from slaledger.landing import versions
from slaledger.ledger import posting
from slaledger.settings import PROJECT_DIR, Settings
from slaledger.stack.postgres import Postgres
from slaledger.warehouse import connect, migrate
from tests.conftest import make_bucket
from tests.ledger.books import AccountMonth, build, publish_terms, rows, validate
from tests.reliability import kills
from tests.reliability.scale import scaled
from tests.reliability.striking import Work, check_killed_server, check_killed_tasks, check_same, undisturbed
from tests.support.copies import copied
from tests.support.pipeline import Pipeline
from tests.support.stack import running

pytestmark = pytest.mark.timeout(1800)

RUN = "killed"


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch) -> Path:
    """Where temporary files are made: empty whenever nobody is at work."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Postgres]:
    """A PostgreSQL that may be killed: durable, and nobody else's."""
    with running(Postgres(tmp_path_factory.mktemp("killed"))) as server:
        with psycopg.connect(server.warehouse("postgres").dsn, autocommit=True) as connection:
            # As safe, and sooner up again: one call for all the files, not one for each.
            connection.execute("alter system set recovery_init_sync_method = 'syncfs'")
        yield server


@pytest.fixture(scope="module")
def empty(server, s3_server, tmp_path_factory) -> Settings:
    """A migrated warehouse whose clock stands still, and a bucket."""
    warehouse = server.ensure_database("empty")
    kills.hold_the_clock(warehouse)
    migrate(warehouse)
    kills.set_clock(warehouse, at="2099-01-01T00:00:00Z")
    return Settings(
        home=tmp_path_factory.mktemp("home"),
        warehouse=warehouse,
        exports=make_bucket(s3_server.exports, f"kills-{uuid.uuid4().hex[:12]}"),
        quarantine_limit_percent=Decimal(10),
    )


@pytest.fixture(scope="module")
def landing(empty, tmp_path_factory) -> Work:
    """The tasks of `land_exports`: the sample's exports, and checks that overlap."""
    tree = tmp_path_factory.mktemp("exports")
    shutil.copytree(PROJECT_DIR / "examples" / "exports", tree, dirs_exist_ok=True)
    write_checks(tree / "monitoring" / "checks")
    Pipeline(empty).put(tree)
    return undisturbed(
        empty,
        lambda settings: Pipeline(settings).land(RUN),
        kills.LANDING,
        kills.landed_objects(empty.warehouse),
        # Objects land one by one, each as it will stay.
        lambda answer, before, after: before <= answer <= after,
    )


def write_checks(directory: Path) -> None:
    """Three objects; each overlaps the one before it, and a row of each cannot be used."""
    directory.mkdir(parents=True)
    for number in range(3):
        rows = [
            f'{{"monitor_id": "mon-dashboard-us", "location": "fra", "checked_at": "2026-03-01T{minute // 60:02d}:'
            f'{minute % 60:02d}:00Z", "status": "{"down" if minute % 9 == number else "up"}"}}'
            for minute in range(number * 40, number * 40 + 60)
        ]
        (directory / f"{number}.ndjson").write_text("\n".join([*rows, "broken"]))


@pytest.fixture(scope="module")
def books(empty, s3_server) -> Iterator[Settings]:
    """Account-months, validated and not posted: posted once before and now more, less, as much otherwise, or new."""
    exports = make_bucket(s3_server.exports, f"kills-{uuid.uuid4().hex[:12]}")
    with copied(dataclasses.replace(empty, exports=exports)) as settings:
        # What was built before what is a matter of the clock.
        kills.set_clock(settings.warehouse, at=None)
        publish_terms(settings)
        stands = [AccountMonth(contract_id=f"K-{number}") for number in range(12)]
        validate(settings, build(settings, *stands[:6]))
        post(settings)
        more, less, otherwise = {"amount": Decimal(100)}, {"amount": Decimal(20)}, {"counted_seconds": Decimal(13393)}
        changed = (more, more, less, less, otherwise, {})
        stands[:6] = [dataclasses.replace(stand, **change) for stand, change in zip(stands[:6], changed, strict=True)]
        run_id = build(settings, *stands, prepared_by="Ann")
        validate(settings, run_id)
        for contract_id in ("K-2", "K-3"):
            approvals.decide(
                settings,
                f"decrease:{contract_id}:2026-03:availability",
                is_approved=True,
                by="Bob",
                because="measured elsewhere",
            )
        # Gone back: what is posted then is of the instant of the posting before it, and the same each time.
        kills.set_clock(settings.warehouse, at="2026-05-01T00:00:00Z")
        yield settings


@pytest.fixture(scope="module")
def work(books) -> Work:
    """The tasks `post_ledger` and `deliver_drop`."""
    return undisturbed(
        books,
        post,
        kills.POSTING,
        kills.rows_of_the_books(books.warehouse),
        # All of a posting, or nothing.
        lambda answer, before, after: answer in (before, after),
    )


def post(settings: Settings) -> None:
    """Post and deliver the run that was built."""
    with connect(settings.warehouse) as connection:
        (run_id,) = connection.execute("select run_id from audit.current_build").fetchone()
    with ledger.anchored(settings):
        ledger.post_month(settings, run_id=run_id)
    delivery.deliver(settings, run_id=run_id)


@scaled("count", every_push=15, deep=250)
def test_landing_killed_anywhere_lands_everything_once(landing, count, chance, figure):
    started = time.monotonic()
    struck = check_killed_tasks(landing, count, chance)
    figure(f"kills of landing: {struck}, {rate(count, started)}: same bytes, no object by halves")


@scaled("count", every_push=15, deep=250)
def test_posting_killed_anywhere_posts_everything_once(work, count, chance, figure):
    started = time.monotonic()
    struck = check_killed_tasks(work, count, chance)
    figure(f"kills of posting: {struck}, {rate(count, started)}: same bytes, no batch by halves")


@scaled("count", every_push=12, deep=100)
def test_postgresql_killed_under_landing_keeps_whole_objects(landing, server, count, chance, figure):
    started = time.monotonic()
    struck = check_killed_server(landing, server, count, chance)
    figure(f"kills of PostgreSQL under landing: {struck}, {rate(count, started)}: same bytes; said {dict(struck.said)}")


@scaled("count", every_push=10, deep=100)
def test_postgresql_killed_under_posting_keeps_whole_batches(work, server, count, chance, figure):
    started = time.monotonic()
    struck = check_killed_server(work, server, count, chance)
    figure(f"kills of PostgreSQL under posting: {struck}, {rate(count, started)}: same bytes; said {dict(struck.said)}")


def rate(count: int, started: float) -> str:
    return f"{count * 60 / (time.monotonic() - started):.0f} a minute"


def test_what_is_posted_is_of_every_kind(work):
    """First credits, an increase, a decrease, and a statement that changes without its amount."""
    with work.fresh() as settings:
        work.task(settings)
        signs = rows(settings, "select entry_type, sign(amount), count(*) from billing.credit_line_items group by 1, 2")
        assert sorted(signs) == [("adjustment", -1, 2), ("adjustment", 1, 2), ("credit", 1, 12)]
        revised = rows(settings, "select contract_id from billing.sla_statements group by 1 having count(*) = 2")
        assert revised == [("K-4",)]


def disturbed_at(work: Work, *names: str) -> Work:
    """The same, struck at these stages alone."""
    return replace(work, stages=names)


of_both = pytest.mark.parametrize("is_server", [False, True], ids=["tasks", "postgresql"])


def check_killed_at(work: Work, server: Postgres, stage: str, chance: random.Random, *, is_server: bool) -> None:
    """Strike once, at this stage."""
    work = disturbed_at(work, stage)
    check_killed_server(work, server, 1, chance) if is_server else check_killed_tasks(work, 1, chance)


@of_both
def test_posting_in_two_commits_is_found(work, server, chance, monkeypatch, is_server):
    """Planted: what is there of a posting is committed before its lines are."""
    append = posting.append

    def commit_and_append(connection, *arguments, **options):
        connection.commit()
        return append(connection, *arguments, **options)

    monkeypatch.setattr(posting, "append", commit_and_append)
    with unguarded(work) as open_work, pytest.raises(AssertionError, match="a partial batch was visible"):
        check_killed_at(
            open_work, server, "slaledger.ledger.posting._require_nothing_left", chance, is_server=is_server
        )


@of_both
def test_landing_in_two_commits_is_found(landing, server, chance, monkeypatch, is_server):
    """Planted: an object's claim is committed before its rows are."""
    claim = versions.claim_in_force

    def claim_and_commit(connection, *arguments, **options):
        is_in_force = claim(connection, *arguments, **options)
        connection.commit()
        return is_in_force

    monkeypatch.setattr(versions, "claim_in_force", claim_and_commit)
    with pytest.raises(AssertionError, match="a partial batch was visible"):
        check_killed_at(landing, server, "slaledger.landing.rows._write_records", chance, is_server=is_server)


def test_a_body_that_a_killed_landing_leaves_is_found(landing, server, chance, monkeypatch):
    """Planted: bodies in files that have names."""
    monkeypatch.setattr(tempfile, "TemporaryFile", tempfile.NamedTemporaryFile)
    with pytest.raises(AssertionError, match="a body was left behind"):
        check_killed_at(landing, server, "slaledger.landing.versions.claim_in_force", chance, is_server=False)


@contextmanager
def unguarded(work: Work) -> Iterator[Work]:
    """The same on books whose triggers are off, foreign keys too: they would refuse the fault that is planted."""
    with copied(work.settings) as settings:
        with connect(settings.warehouse) as connection:
            for name in kills.tables(settings.warehouse, "billing"):
                connection.execute(
                    sql.SQL("alter table {} disable trigger all").format(sql.Identifier("billing", name))
                )
        yield replace(work, settings=settings)


def test_a_byte_that_differs_is_found(landing):
    """Planted: one field of one row is not what the undisturbed run left."""
    with landing.fresh() as settings:
        landing.task(settings)
        with connect(settings.warehouse) as connection:
            connection.execute("update raw.claims set claim_id = claim_id || '.' where line_number = 1")
        with pytest.raises(AssertionError, match=r"raw\.claims"):
            check_same(landing, settings)
