"""`kill -9` of tasks and of PostgreSQL, at every stage and at any moment: nothing by halves, and in the end the same.

The clock of the database stands still here, so that two warehouses can be compared to the byte, hashes and all.
A killed process is no power cut: what the disk does with a write that it has confirmed is not tested.
"""

from __future__ import annotations

import random
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest
from psycopg import sql

from slaledger import delivery, ledger
from slaledger.landing import versions
from slaledger.ledger import posting
from slaledger.ledger.verification import verify_chain
from slaledger.settings import PROJECT_DIR, Settings
from slaledger.stack import processes
from slaledger.stack.postgres import Postgres
from slaledger.warehouse import connect, migrate
from tests.conftest import make_bucket
from tests.ledger.books import MARTS_SQL, AccountMonth, build, publish_terms, validate
from tests.reliability import kills
from tests.reliability.kills import Child, Ended, Onlooker, Stage
from tests.reliability.scale import scaled
from tests.support.buckets import empty_bucket
from tests.support.copies import copied
from tests.support.pipeline import Pipeline
from tests.support.stack import running

pytestmark = pytest.mark.timeout(1800)

SCHEMAS = ("audit", "billing", "raw")
RUN = "killed"


@dataclass(frozen=True)
class Work:
    """A task, and what is known of it from a run that nobody disturbed."""

    settings: Settings  # the warehouse as it is before, to be copied
    task: Callable[[Settings], object]
    stages: tuple[str, ...]
    query: sql.Composed  # what the onlooker asks
    before: frozenset
    after: frozenset
    is_whole: Callable[[frozenset, frozenset, frozenset], bool]  # answer, before, after
    calls: Counter[str]
    seconds: float
    dump: dict[str, str]

    @contextmanager
    def fresh(self) -> Iterator[Settings]:
        """The warehouse as it was before, and the bucket too."""
        empty_of_drops(self.settings)
        with copied(self.settings) as settings:
            yield settings

    def stage(self, number: int, chance: random.Random) -> Stage:
        """One of its stages, each in turn: any of the calls, begun or done."""
        name = self.stages[number % len(self.stages)]
        return Stage(name, chance.randint(1, self.calls[name]), chance.random() < 0.5)

    def may_be_seen(self, answer: frozenset) -> bool:
        """Whether nothing of it is there by halves."""
        return self.is_whole(answer, self.before, self.after)


def undisturbed(
    settings: Settings,
    task: Callable[[Settings], object],
    stages: tuple[str, ...],
    query: sql.Composed,
    is_whole: Callable[[frozenset, frozenset, frozenset], bool],
) -> Work:
    """Have the task run once, in a copy, and note all that a disturbed one is compared with."""
    with copied(settings) as copy:
        task(copy)  # its imports, which the children then inherit
    empty_of_drops(settings)
    with copied(settings) as copy:
        before = kills.answer(copy.warehouse, query)
        started = time.monotonic()
        ended = Child(lambda: task(copy), stages).ended()
        seconds = time.monotonic() - started
        assert ended.error is None, ended.error
        assert set(stages) == {name for name in stages if ended.calls[name]}, "a stage is not reached any more"
        after = kills.answer(copy.warehouse, query)
        assert after != before
        dump = kills.dump(copy, SCHEMAS)
    return Work(settings, task, stages, query, before, after, is_whole, ended.calls, seconds, dump)


def empty_of_drops(settings: Settings) -> None:
    """What tasks have written into the bucket goes; exports stay, and their versions."""
    empty_bucket(settings.exports, prefix="billing/")


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Postgres]:
    """A PostgreSQL that may be killed: durable, and nobody else's."""
    with running(Postgres(tmp_path_factory.mktemp("killed"))) as server:
        yield server


@pytest.fixture(scope="module")
def empty(server, s3_server, tmp_path_factory) -> Settings:
    """A migrated warehouse whose clock stands still, and a bucket."""
    warehouse = server.ensure_database("empty")
    kills.hold_the_clock(warehouse)
    migrate(warehouse)
    kills.set_clock(warehouse, is_running=False)
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
        kills.LANDING_STAGES,
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
def books(empty) -> Iterator[Settings]:
    """Twelve account-months, validated and not posted."""
    with copied(empty) as settings:
        # What was built before what is a matter of the clock.
        kills.set_clock(settings.warehouse, is_running=True)
        with connect(settings.warehouse) as connection:
            connection.execute(MARTS_SQL)
        publish_terms(settings)
        run_id = build(settings, *(AccountMonth(contract_id=f"K-{number}") for number in range(12)))
        validate(settings, run_id)
        kills.set_clock(settings.warehouse, is_running=False)
        yield settings


@pytest.fixture(scope="module")
def work(books) -> Work:
    """The tasks `post_ledger` and `deliver_drop`."""
    return undisturbed(
        books,
        post,
        kills.POSTING_STAGES,
        kills.rows_of_the_books(books.warehouse),
        # All of a posting, or nothing.
        lambda answer, before, after: answer in (before, after),
    )


def post(settings: Settings) -> None:
    """Post and deliver the run that was built."""
    with connect(settings.warehouse) as connection:
        (run_id,) = connection.execute("select run_id from audit.current_build").fetchone()
    ledger.post_month(settings, run_id=run_id)
    delivery.deliver(settings, run_id=run_id)


def check_whole(work: Work, settings: Settings) -> None:
    """Nothing is there by halves now."""
    answer = kills.answer(settings.warehouse, work.query)
    assert work.may_be_seen(answer), f"a partial batch was visible: {sorted(map(str, answer))}"


def check_same(work: Work, settings: Settings) -> None:
    """Repeated, it leaves what a run leaves that nobody disturbed: every row and every object, to the byte."""
    ended = Child(lambda: work.task(settings), ()).ended()
    assert ended.error is None, ended.error
    dump = kills.dump(settings, SCHEMAS)
    assert {name for name in dump.keys() | work.dump.keys() if dump.get(name) != work.dump.get(name)} == set()
    assert verify_chain(settings).is_intact


def check_killed_tasks(work: Work, count: int, chance: random.Random) -> int:
    """Kill the task so many times, first at each of its stages; how often somebody looked meanwhile."""
    done = looks = history = 0
    while done < count:
        with work.fresh() as settings:
            onlooker = Onlooker(settings.warehouse, work.query, work.may_be_seen)
            stage = work.stage(history, chance)
            ended = Child(lambda: work.task(settings), work.stages, at=stage).ended()
            assert ended.exit_code == -9, f"{stage} was not reached: {ended.error}"
            check_whole(work, settings)
            done, history = done + 1, history + 1
            # Then at any moment, while more are due than there are stages left.
            while count - done > max(len(work.stages) - history, 0) and chance.random() < 0.6:
                child = Child(lambda: work.task(settings), ())
                time.sleep(chance.uniform(0, work.seconds))
                child.process.kill()
                assert child.ended().error is None
                check_whole(work, settings)
                done += 1
            check_same(work, settings)
            looks += onlooker.stop()
    assert history >= len(work.stages), "not every stage had its turn"
    return looks


def check_killed_server(work: Work, server: Postgres, count: int, chance: random.Random) -> Counter[str]:
    """Kill PostgreSQL so many times under the task, at its stages and at any moment; what the tasks said of it."""
    said: Counter[str] = Counter()
    done = history = 0
    while done < count:
        with work.fresh() as settings:
            onlooker = Onlooker(settings.warehouse, work.query, work.may_be_seen)
            ended = kill_server_under(work, settings, server, at=work.stage(history, chance), chance=chance)
            said[kind(ended)] += 1
            done, history = done + 1, history + 1
            while done < count and chance.random() < 0.7:
                said[kind(kill_server_under(work, settings, server, at=None, chance=chance))] += 1
                done += 1
            check_same(work, settings)
            onlooker.stop()
    assert set(said) <= {"nothing", "WarehouseUnreachable"}, said
    return said


def kill_server_under(
    work: Work, settings: Settings, server: Postgres, *, at: Stage | None, chance: random.Random
) -> Ended:
    """Kill the server while the task runs, at a stage or at any moment, and start it again."""
    server.start()
    postmaster, is_whole, port = server.process, chance.random() < 0.5, server.port

    def kill() -> None:
        kills.kill_server(postmaster.pid, is_whole=is_whole)

    child = Child(lambda: work.task(settings), work.stages, at=at, kill=kill)
    if at is None:
        time.sleep(chance.uniform(0, work.seconds))
        kill()
    ended = child.ended()
    assert not processes.wait_gone({postmaster}, seconds=10), f"{at} was not reached"
    server.start()
    assert server.port == port
    check_whole(work, settings)
    return ended


def kind(ended: Ended) -> str:
    """The kind of error that a task ended with."""
    assert ended.exit_code in (0, 1), ended
    return "nothing" if ended.error is None else ended.error.split(":")[0]


@scaled("count", every_push=15, deep=250)
def test_landing_killed_anywhere_lands_everything_once(landing, count, chance, figure):
    started = time.monotonic()
    looks = check_killed_tasks(landing, count, chance)
    figure(
        f"{count} kills of landing, {looks} looks meanwhile, {rate(count, started)}: same bytes, no object by halves"
    )


@scaled("count", every_push=15, deep=250)
def test_posting_killed_anywhere_posts_everything_once(work, count, chance, figure):
    started = time.monotonic()
    looks = check_killed_tasks(work, count, chance)
    figure(f"{count} kills of posting, {looks} looks meanwhile, {rate(count, started)}: same bytes, no batch by halves")


@scaled("count", every_push=5, deep=100)
def test_postgresql_killed_under_landing_keeps_whole_objects(landing, server, count, chance, figure):
    started = time.monotonic()
    said = check_killed_server(landing, server, count, chance)
    figure(f"{count} kills of PostgreSQL under landing, {rate(count, started)}: same bytes; tasks said {dict(said)}")


@scaled("count", every_push=5, deep=100)
def test_postgresql_killed_under_posting_keeps_whole_batches(work, server, count, chance, figure):
    started = time.monotonic()
    said = check_killed_server(work, server, count, chance)
    figure(f"{count} kills of PostgreSQL under posting, {rate(count, started)}: same bytes; tasks said {dict(said)}")


def rate(count: int, started: float) -> str:
    return f"{count * 60 / (time.monotonic() - started):.0f} a minute"


def test_posting_in_two_commits_is_found(work, chance, monkeypatch):
    """Planted: what is there of a posting is committed before its lines are."""
    append = posting.append

    def commit_and_append(connection, *arguments, **options):
        connection.commit()
        return append(connection, *arguments, **options)

    monkeypatch.setattr(posting, "append", commit_and_append)
    with unguarded(work) as open_work, pytest.raises(AssertionError, match="a partial batch was visible"):
        check_killed_tasks(open_work, len(work.stages), chance)


def test_landing_in_two_commits_is_found(landing, chance, monkeypatch):
    """Planted: an object's claim is committed before its rows are."""
    claim = versions.claim_in_force

    def claim_and_commit(connection, *arguments, **options):
        is_in_force = claim(connection, *arguments, **options)
        connection.commit()
        return is_in_force

    monkeypatch.setattr(versions, "claim_in_force", claim_and_commit)
    with pytest.raises(AssertionError, match="a partial batch was visible"):
        check_killed_tasks(landing, len(landing.stages), chance)


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
