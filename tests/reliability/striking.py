"""Work that is struck until it was hit often enough, and what must hold after every blow and in the end."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from slaledger import objects
from slaledger.ledger.verification import verify_chain
from slaledger.settings import Settings
from slaledger.stack import processes
from slaledger.stack.postgres import Postgres
from tests.reliability import kills
from tests.reliability.kills import Child, Ended, Onlooker, Stage
from tests.support.buckets import empty_bucket
from tests.support.copies import copied

SCHEMAS = ("audit", "billing", "raw")


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
    dropped: frozenset[str]  # the versions below `billing/` that were there before

    @contextmanager
    def fresh(self) -> Iterator[Settings]:
        """The warehouse as it was before, and the bucket too."""
        empty_bucket(self.settings.exports, prefix="billing/", kept=self.dropped)
        with copied(self.settings) as settings:
            yield settings

    def plan(self, count: int, chance: random.Random) -> list[Stage | None]:
        """Where to strike: each stage; then there or whenever (None)."""
        assert count >= len(self.stages), "not every stage has its turn"
        more = [
            chance.choice(self.stages) if number and chance.random() < 0.4 else None
            for number in range(count - len(self.stages))
        ]
        plan = [
            name and Stage(name, chance.randint(1, self.calls[name]), chance.random() < 0.5)
            for name in (*self.stages, *more)
        ]
        chance.shuffle(plan)
        return plan

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
    dropped = frozenset(version.version_id for version in objects.list_versions(settings.exports, prefix="billing/"))
    with copied(settings) as copy:
        task(copy)  # its imports, which the children then inherit
    empty_bucket(settings.exports, prefix="billing/", kept=dropped)
    with copied(settings) as copy:
        before = kills.answer(copy.warehouse, query)
        started = time.monotonic()
        ended = Child(lambda: task(copy), stages).ended()
        seconds = time.monotonic() - started
        assert ended.error is None, ended.error
        assert set(stages) == {name for name, calls in ended.calls.items() if calls}, "a stage is not reached"
        after = kills.answer(copy.warehouse, query)
        assert after != before
        dump = kills.dump(copy, SCHEMAS)
    return Work(settings, task, stages, query, before, after, is_whole, ended.calls, seconds, dump, dropped)


def check_whole(work: Work, settings: Settings) -> None:
    """Nothing is there by halves now, neither in the books nor of a body."""
    answer = kills.answer(settings.warehouse, work.query)
    assert work.may_be_seen(answer), f"a partial batch was visible: {sorted(map(str, answer))}"
    left = list(Path(tempfile.gettempdir()).iterdir())
    assert left == [], f"a body was left behind: {left}"


def check_same(work: Work, settings: Settings) -> None:
    """Repeated, it leaves what a run leaves that nobody disturbed: every row and every object, to the byte."""
    ended = Child(lambda: work.task(settings), ()).ended()
    assert ended.error is None, ended.error
    dump = kills.dump(settings, SCHEMAS)
    differing = {name for name in dump.keys() | work.dump.keys() if dump.get(name) != work.dump.get(name)}
    assert differing == set(), f"not what an undisturbed run leaves: {differing}"
    assert verify_chain(settings).is_intact


@dataclass
class Struck:
    """What was hit while it was at work. Who was late, or unnoticed, does not count."""

    at: Counter[str]  # stage, or "any moment" -> hits
    said: Counter[str]  # what the tasks ended with that were hit
    missed: int = 0
    looks: int = 0

    def __str__(self) -> str:
        moments = self.at["any moment"]
        stages = len(self.at.keys() - {"any moment"})
        return (
            f"{self.at.total()} hits ({self.at.total() - moments} at {stages} stages, {moments} at any moment; "
            f"{self.missed} too late, not counted), {self.looks} looks meanwhile"
        )


def check_killed(
    work: Work,
    strike: Callable[[Settings, Stage | None, random.Random], Ended | None],
    count: int,
    chance: random.Random,
) -> Struck:
    """Strike the work until it was hit so many times; `strike` gives how the task ended, None where it missed."""
    struck = Struck(Counter(), Counter())
    plan = work.plan(count, chance)
    while plan:
        with work.fresh() as settings, Onlooker(settings.warehouse, work.query, work.may_be_seen) as onlooker:
            is_fresh = is_left = True
            while plan and is_left:
                at = plan[-1]
                ended = strike(settings, at, chance)
                check_whole(work, settings)
                if ended:
                    plan.pop()
                    struck.at[at.name if at else "any moment"] += 1
                    struck.said[kind(ended)] += 1
                else:
                    assert at is None or not is_fresh, f"{at} was not reached"
                    struck.missed += 1
                # What is left, or its next repeat, is struck again: as long as it is not done.
                is_left = ended is not None and chance.random() < 0.75
                is_fresh = False
            check_same(work, settings)
            struck.looks += onlooker.stop()
    assert struck.at.total() == count
    assert struck.at.keys() >= set(work.stages), "not every stage had its turn"
    return struck


def check_killed_tasks(work: Work, count: int, chance: random.Random) -> Struck:
    """Kill the task so many times."""

    def strike(settings: Settings, at: Stage | None, chance: random.Random) -> Ended | None:
        child = Child(lambda: work.task(settings), work.stages if at else (), at=at)
        if at is None and child.wait_within(chance.uniform(0, work.seconds)):
            child.process.kill()
        ended = child.ended()
        assert ended.error is None, ended.error
        return ended if ended.exit_code == -9 and not ended.is_done else None

    return check_killed(work, strike, count, chance)


def check_killed_server(work: Work, server: Postgres, count: int, chance: random.Random) -> Struck:
    """Kill PostgreSQL so many times under the task, and start it again."""

    def strike(settings: Settings, at: Stage | None, chance: random.Random) -> Ended | None:
        server.start()
        postmaster, is_whole, port = server.process, chance.random() < 0.5, server.port
        is_struck = kills.FORK.Event()

        def kill() -> None:
            is_struck.set()
            kills.kill_server(postmaster.pid, is_whole=is_whole)

        child = Child(lambda: work.task(settings), work.stages if at else (), at=at, kill=kill)
        if at is None and child.wait_within(chance.uniform(0, work.seconds)):
            kill()
        ended = child.ended()
        assert ended.error is None or kind(ended) == "WarehouseUnreachable", ended.error
        if is_struck.is_set():
            assert processes.wait_gone({postmaster}, seconds=10) == set()
        server.start()
        assert server.port == port
        # At a stage it was at work, whatever it still asked of the server; else it must have noticed.
        return ended if is_struck.is_set() and (at or ended.error) else None

    return check_killed(work, strike, count, chance)


def kind(ended: Ended) -> str:
    """The kind of error that a task ended with."""
    return "nothing" if ended.error is None else ended.error.split(":")[0]
