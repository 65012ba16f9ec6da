"""PostgreSQL is cut off, stopped, full: each transaction is there or not, and a repeat ends where it would have."""

from __future__ import annotations

import itertools
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import psycopg
import pytest
from psycopg import sql

from slaledger import transform, warehouse
from slaledger.landing import versions
from slaledger.ledger import posting
from slaledger.settings import Settings
from tests.conftest import make_bucket
from tests.ledger import books
from tests.reliability.scale import scaled
from tests.reliability.steps import RUN, Step, Undisturbed, held, make_steps, through, undisturbed
from tests.support.cutting_postgres import Cut, Wire, cutting_postgres
from tests.support.digests import tables
from tests.support.small_disk import fill, on_small_disk

pytestmark = pytest.mark.timeout(1800)

ON_A_PUSH = {"land": 4, "settle": 2, "publish": 2, "open": 2, "gate": 1, "post": 4, "deliver": 3, "decide": 2}
STEPS = tuple(ON_A_PUSH)
of_steps = pytest.mark.parametrize("name", STEPS)


@pytest.fixture(scope="module")
def steps(warehouse_server, s3_server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Step]:
    """Every step, by its name."""
    exports, drops = (make_bucket(s3_server.exports, f"cuts-{uuid.uuid4().hex[:8]}") for _ in range(2))
    return make_steps(warehouse_server, exports, drops, tmp_path_factory.mktemp("cuts"))


@pytest.fixture(scope="module")
def wire(warehouse_server) -> Iterator[tuple[int, Wire]]:
    server = warehouse_server.warehouse("postgres")
    with cutting_postgres(server.host, server.port) as made:
        yield made


def check_cut(step: Step, whole: Undisturbed, cut: Cut, port: int, wire: Wire) -> bool:
    """Cut a step there: the books are as between two of its transactions, and its repeat ends where it would have.

    Whether it came so far as to be cut.
    """
    with step.fresh() as settings:
        wire.reset(cut)
        try:
            step.act(through(settings, port))
        except warehouse.WarehouseUnreachable as error:
            assert f"127.0.0.1:{port}" in str(error)
            assert settings.warehouse.password not in str(error)
        else:
            # The last bytes of a connection say goodbye: nobody listens for their answer.
            assert not wire.has_cut or cut.where in ("up", "down"), "a COMMIT was cut, and nothing was said"
        found = held(settings)
        match cut.where if wire.has_cut else "nowhere":
            case "before_commit":
                assert found == whole.states[cut.at - 1]
            case "after_commit":
                assert found == whole.states[cut.at]
            case "nowhere":
                assert found == whole.states[-1]
            case _:
                assert found in whole.states
        step.act(settings)
        assert held(settings) == whole.states[-1]
        return wire.has_cut


@scaled("cuts", every_push=20, deep=200)
@of_steps
def test_a_step_that_is_cut_off_is_all_or_nothing(
    steps: dict[str, Step], wire: tuple[int, Wire], name: str, cuts: int, seed: int, figure
) -> None:
    """Within each COMMIT that writes and within its answer, and at random bytes."""
    step, chance = steps[name], Random(f"{seed}.{name}")
    whole = undisturbed(step, *wire)
    assert whole.writing, "the step writes nothing"
    is_deep = cuts > 20
    writing = whole.writing if is_deep else chance.sample(whole.writing, min(2, len(whole.writing)))
    for at in writing:
        # Before the answer nothing of it is there, and with it all: what is written differs.
        for where in ("before_commit", "after_commit"):
            assert check_cut(step, whole, Cut(where, at, chance.random()), *wire), f"COMMIT {at} was not reached"
    shares = {each: _share(each, cuts) for each in STEPS}
    assert sum(shares.values()) >= cuts
    missed = 0
    for _ in range(shares[name]):
        while not _is_cut_at_a_byte(step, whole, chance, *wire):
            missed += 1
            assert missed <= cuts, "the step does not come to where it is to be cut"
    figure(
        f"{2 * len(writing)} cuts within {len(writing)} COMMITs, before and after they were done; "
        f"{shares[name]} of all steps' {sum(shares.values())} cuts at random bytes, {missed} more were not reached"
    )


def _share(name: str, cuts: int) -> int:
    """How many of the cuts at random bytes a step has: on a push, a gate takes as long as all others together."""
    return ON_A_PUSH[name] if cuts == sum(ON_A_PUSH.values()) else cuts // len(STEPS)


def _is_cut_at_a_byte(step: Step, whole: Undisturbed, chance: Random, port: int, wire: Wire) -> bool:
    where = chance.choice(("up", "down"))
    return check_cut(step, whole, Cut(where, chance.randint(1, getattr(whole, where))), port, wire)


@pytest.mark.parametrize("at", ["statement", "copy", "commit"])
def test_a_socket_that_fails_unlike_any_other_is_unreachable_too(steps: dict[str, Step], at: str) -> None:
    """An errno that libpq does not take for the end of a connection: psycopg does not call it broken."""
    with steps["land"].fresh() as settings:
        before = held(settings)
        with (
            pytest.raises(warehouse.WarehouseUnreachable, match="could not receive data from server"),
            warehouse.connect(settings.warehouse) as connection,
        ):
            connection.execute("create table raw.made (line text)")
            if at != "copy":
                _lose(connection)
            if at == "statement":
                connection.execute("select")
            if at == "copy":
                with connection.cursor().copy("copy raw.made from stdin") as copy:
                    _lose(connection)
                    for _ in range(1000):
                        copy.write(b"." * 1000)
        assert held(settings) == before


def _lose(connection: psycopg.Connection) -> None:
    """Put something that is no socket in the place of its socket."""
    with open(os.devnull, "r+b") as nothing:
        os.dup2(nothing.fileno(), connection.fileno())


def check_repeated(step: Step, whole: Undisturbed, settings: Settings) -> None:
    """Repeated, it ends where it would have."""
    step.act(settings)
    assert held(settings) == whole.states[-1]


def _set(settings: Settings, parameter: str, value: str) -> None:
    """A setting of the database, for sessions to come."""
    with psycopg.connect(settings.warehouse.dsn, autocommit=True) as admin:
        admin.execute("set default_transaction_read_only = off; set statement_timeout = 0; set lock_timeout = 0")
        admin.execute(f"alter database {settings.warehouse.database} set {parameter} = {value}")


@pytest.mark.parametrize("name", ["land", "post"])
@pytest.mark.parametrize(
    ("parameter", "value", "default", "says"),
    [
        ("statement_timeout", "'1ms'", "0", "57014.*statement_timeout"),
        ("lock_timeout", "'50ms'", "0", "55P03.*another session"),
        ("default_transaction_read_only", "on", "off", "25006.*read-only"),
    ],
)
def test_a_step_that_postgresql_stops_leaves_nothing_partial(
    steps: dict[str, Step], wire: tuple[int, Wire], name: str, parameter: str, value: str, default: str, says: str
) -> None:
    step = steps[name]
    whole = undisturbed(step, *wire)
    with step.fresh() as settings:
        # The other session is there before: the setting is not for it.
        with psycopg.connect(settings.warehouse.dsn) as other:
            _set(settings, parameter, value)
            if parameter == "lock_timeout":
                other.execute("lock table raw.source_objects, billing.sla_statements in access exclusive mode")
            with pytest.raises(warehouse.WarehouseStopped, match=says) as caught:
                step.act(settings)
            assert settings.warehouse.password not in str(caught.value)
        _set(settings, parameter, default)
        assert held(settings) in whole.states
        check_repeated(step, whole, settings)


@pytest.mark.parametrize("name", ["land", "post"])
def test_a_step_that_finds_no_connection_left_says_so(
    steps: dict[str, Step], wire: tuple[int, Wire], name: str
) -> None:
    step = steps[name]
    whole = undisturbed(step, *wire)
    with step.fresh() as settings:
        others = []
        try:
            with pytest.raises(psycopg.OperationalError):
                while True:
                    others.append(psycopg.connect(settings.warehouse.dsn))
            with pytest.raises(warehouse.WarehouseUnreachable, match="too many clients"):
                step.act(settings)
        finally:
            for other in others:
                other.close()
        _wait_for_room(settings)
        assert held(settings) == whole.states[0]
        check_repeated(step, whole, settings)


def _wait_for_room(settings: Settings) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            psycopg.connect(settings.warehouse.dsn).close()
            time.sleep(0.2)
            return
        except psycopg.OperationalError:
            time.sleep(0.1)


@scaled("rounds", every_push=3, deep=60)
@pytest.mark.parametrize("name", ["land", "post"])
def test_a_step_whose_session_is_terminated_is_all_or_nothing(
    steps: dict[str, Step], wire: tuple[int, Wire], name: str, rounds: int, seed: int, figure
) -> None:
    """`pg_terminate_backend` for whoever is at work at a random moment of an undisturbed step's time, or next."""
    step, chance = steps[name], Random(f"{seed}.{name}.terminated")
    whole = undisturbed(step, *wire)
    seconds, stopped, missed = _seconds_of(step), 0, 0
    while stopped < rounds:
        with step.fresh() as settings:
            if _is_terminated(step, settings, after_seconds=chance.uniform(0, seconds)):
                stopped += 1
            else:
                # This machine is faster now than it was: sooner, then.
                seconds, missed = seconds * 0.8, missed + 1
            assert held(settings) in whole.states
            check_repeated(step, whole, settings)
    figure(f"{stopped} sessions terminated; {missed} times too late")


def _seconds_of(step: Step) -> float:
    """How long it takes undisturbed."""
    with step.fresh() as settings:
        begun = time.monotonic()
        step.act(settings)
        return time.monotonic() - begun


def _is_terminated(step: Step, settings: Settings, *, after_seconds: float) -> bool:
    """Whether the step lost a session; no other end is taken for it."""
    is_done = threading.Event()
    with psycopg.connect(settings.warehouse.dsn, autocommit=True) as admin:
        killer = threading.Thread(target=_terminate, args=(admin, after_seconds, is_done))
        killer.start()
        try:
            step.act(settings)
        except warehouse.WarehouseUnreachable:
            return True
        finally:
            is_done.set()
            killer.join()
    return False


def _terminate(admin: psycopg.Connection, after_seconds: float, is_done: threading.Event) -> None:
    """After so long, terminate the step's sessions, until it is done."""
    is_done.wait(after_seconds)
    while not is_done.wait(0.001):
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and application_name like 'slaledger%'"
        )


@scaled("rounds", every_push=1, deep=20)
@pytest.mark.parametrize("name", ["land", "post"])
def test_a_full_disk_leaves_the_books_whole(
    steps: dict[str, Step], wire: tuple[int, Wire], name: str, rounds: int, chance: Random, tmp_path: Path, figure
) -> None:
    """53100: nothing of the transaction is there; with room again, the repeat does all."""
    step = steps[name]
    whole = undisturbed(step, *wire)
    for number in range(rounds):
        step.forget()
        # What was refused keeps some room on the disk: each round has a disk of its own.
        with on_small_disk(step.before, tmp_path / f"disk{number}") as (settings, ballast):
            for room_bytes in (0, chance.randrange(8192, 65536)):
                fill(ballast, room_bytes)
                with pytest.raises(warehouse.WarehouseStopped, match=r"53100.*disk is full"):
                    step.act(settings)
                ballast.unlink()
                assert held(settings) in whole.states
            check_repeated(step, whole, settings)
    figure(f"{2 * rounds} times the disk was full: with no room, and with some")


def check_every_commit(step: Step, whole: Undisturbed, port: int, wire: Wire) -> None:
    """Cut before each COMMIT, as long as there is another one."""
    for at in itertools.count(1):
        if not check_cut(step, whole, Cut("before_commit", at), port, wire):
            return


@contextmanager
def unguarded(step: Step) -> Iterator[Step]:
    """The same on books whose triggers are off, foreign keys too: they refuse a posting in two commits uncut."""
    with step.fresh() as settings:
        with warehouse.connect(settings.warehouse) as connection:
            for schema, table in tables(connection, ["billing"]):
                connection.execute(sql.SQL("alter table {} disable trigger all").format(sql.Identifier(schema, table)))
        yield Step(settings, step.act)


@pytest.mark.parametrize(
    ("name", "module", "function"), [("land", versions, "claim_in_force"), ("post", posting, "append")]
)
def test_a_step_in_two_transactions_is_caught(
    steps: dict[str, Step], wire: tuple[int, Wire], monkeypatch, name: str, module, function: str
) -> None:
    """The object is claimed, or the statements are written, and committed before their rows and lines.

    Nothing is wrong with what it does as long as nobody cuts it: the cuts find it.
    """
    honest = getattr(module, function)

    def commits_first(connection, *arguments, **options):
        connection.commit()
        return honest(connection, *arguments, **options)

    with unguarded(steps[name]) as step:
        whole = undisturbed(step, *wire)
        monkeypatch.setattr(module, function, commits_first)
        with step.fresh() as settings:
            step.act(settings)
            assert held(settings) == whole.states[-1]
        with pytest.raises(AssertionError):
            check_every_commit(step, whole, *wire)
        assert wire[1].has_cut


def test_a_repeat_that_appends_again_is_caught(steps: dict[str, Step], wire: tuple[int, Wire], monkeypatch) -> None:
    """A decision that is recorded under another name each time it is asked for."""
    step = steps["open"]
    whole = undisturbed(step, *wire)
    runs = iter(range(10))

    def another(settings: Settings) -> None:
        transform.open_build(
            settings,
            run_id=f"{RUN}-{next(runs)}",
            service_month=books.MARCH,
            as_of=books.AS_OF,
            is_closing=True,
            prepared_by="Ann",
        )

    with pytest.raises(AssertionError):
        check_cut(Step(step.before, another), whole, Cut("after_commit", whole.writing[-1]), *wire)
