"""PostgreSQL is cut off, stopped, full: a transaction is all there or not at all, and repeated, all is as if nothing was."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random

import psycopg
import pytest

from slaledger import approvals, delivery, gates, landing, ledger, terms, transform, warehouse
from slaledger.gates.results import GateFailed
from slaledger.settings import Settings
from tests.conftest import make_bucket
from tests.landing.bucket import Bucket
from tests.ledger import books
from tests.ledger.books import AccountMonth
from tests.reliability.every_feed import put_every_feed
from tests.reliability.scale import scaled
from tests.support.copies import copied
from tests.support.cutting_postgres import Cut, Wire, cutting_postgres
from tests.support.digests import contents

RUN = "the-run"
MONTHS = (
    AccountMonth(),
    AccountMonth(contract_id="K-2", currency="EUR"),
    AccountMonth(contract_id="K-3", status="held", held_digest="a" * 64, credit_status="held"),
)


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a month: the warehouse that it starts from, and what it does to it."""

    before: Settings
    act: Callable[[Settings], object]


@dataclasses.dataclass
class Undisturbed:
    """What a step does when nothing is cut."""

    states: list[dict[str, str]]  # before, and after each COMMIT
    up: int
    down: int

    @property
    def writing(self) -> list[int]:
        """The COMMITs that change something, from 1."""
        return [at for at in range(1, len(self.states)) if self.states[at] != self.states[at - 1]]


def land(settings: Settings) -> None:
    landing.freeze_listing(settings, run_id=RUN)
    for checks in (False, True):
        for batch in landing.plan_batches(settings, run_id=RUN, checks=checks):
            landing.land_batch(settings, batch, run_id=RUN)


def settle(settings: Settings) -> None:
    landing.settle_checks(settings, run_id=RUN)


def open_build(settings: Settings) -> None:
    transform.open_build(
        settings, run_id=RUN, service_month=books.MARCH, as_of=books.AS_OF, is_closing=True, prepared_by="Ann"
    )


def gate(settings: Settings) -> None:
    try:
        gates.run_gate(settings, "raw", run_id=_current_run(settings))
    except GateFailed:
        assert books.rows(settings, "select from audit.validations") != []


def post(settings: Settings) -> None:
    ledger.post_month(settings, run_id=_current_run(settings))


def deliver(settings: Settings) -> None:
    delivery.deliver(settings, run_id=_current_run(settings))


def decide(settings: Settings) -> None:
    approvals.decide(settings, "held:K-3:2026-03", is_approved=True, by="Bob", because="measured elsewhere")


def _current_run(settings: Settings) -> str:
    return books.rows(settings, "select run_id from audit.current_build")[0][0]


@pytest.fixture(scope="module")
def steps(warehouse_server, s3_server, tmp_path_factory) -> dict[str, Step]:
    """Every step, each from a warehouse of its own that has been through the steps before it."""
    exports = make_bucket(s3_server.exports, f"cuts-{uuid.uuid4().hex[:8]}")
    home = tmp_path_factory.mktemp("cuts")

    def fresh(name: str) -> Settings:
        database = warehouse_server.ensure_database(f"cuts_{name}_{uuid.uuid4().hex[:8]}")
        return Settings(home=home, warehouse=database, exports=exports, quarantine_limit_percent=Decimal(10))

    def after(settings: Settings, name: str, *acts: Callable[[Settings], object]) -> Settings:
        database = f"cuts_{name}_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(warehouse_server.warehouse("postgres").dsn, autocommit=True) as admin:
            admin.execute(f"create database {database} template {settings.warehouse.database}")
        made = dataclasses.replace(settings, warehouse=warehouse_server.warehouse(database))
        for act in acts:
            act(made)
        return made

    empty = fresh("empty")
    warehouse.migrate(empty.warehouse)
    put_every_feed(Bucket(empty))
    landed = after(empty, "landed", land)
    settled = after(landed, "settled", settle)

    def build(settings: Settings) -> None:
        with warehouse.connect(settings.warehouse) as connection:
            connection.execute(books.MARTS_SQL)
        books.publish_terms(settings)
        books.build(settings, *MONTHS, prepared_by="Ann")

    built = after(empty, "built", build)
    validated = after(built, "validated", lambda settings: books.validate(settings, _current_run(settings)))
    posted = after(validated, "posted", post)
    return {
        "land": Step(empty, land),
        "settle": Step(landed, settle),
        "publish": Step(settled, terms.publish),
        "open": Step(empty, open_build),
        "gate": Step(built, gate),
        "post": Step(validated, post),
        "deliver": Step(posted, deliver),
        "decide": Step(posted, decide),
    }


STEPS = ("land", "settle", "publish", "open", "gate", "post", "deliver", "decide")
of_steps = pytest.mark.parametrize("name", STEPS)


@pytest.fixture(scope="module")
def wire(warehouse_server) -> Iterator[tuple[int, Wire]]:
    server = warehouse_server.warehouse("postgres")
    with cutting_postgres(server.host, server.port) as made:
        yield made


def held(settings: Settings) -> dict[str, str]:
    """All that the books hold, without clocks."""
    with warehouse.connect(settings.warehouse) as connection:
        return contents(connection)


def through(settings: Settings, port: int) -> Settings:
    """The same warehouse, by way of the proxy."""
    return dataclasses.replace(settings, warehouse=dataclasses.replace(settings.warehouse, port=port))


def undisturbed(step: Step, port: int, wire: Wire) -> Undisturbed:
    """Run a step through the proxy, looking at the books after each COMMIT."""
    with copied(step.before) as settings:
        states = [held(settings)]
        wire.reset()
        wire.on_commit = lambda: states.append(held(settings))
        try:
            step.act(through(settings, port))
        finally:
            wire.on_commit = None
        assert states[-1] == held(settings)
        assert len(states) == 1 + wire.commits
        return Undisturbed(states, wire.up, wire.down)


def check_cut(step: Step, whole: Undisturbed, cut: Cut, port: int, wire: Wire) -> None:
    """Cut a step there: the books are as between two of its transactions, and its repeat ends where it would have."""
    with copied(step.before) as settings:
        wire.reset(cut)
        try:
            step.act(through(settings, port))
        except warehouse.WarehouseUnreachable as error:
            assert f"127.0.0.1:{port}" in str(error)
            assert settings.warehouse.password not in str(error)
        else:
            # The last bytes of a connection say goodbye: nobody listens for their answer.
            assert cut.where in ("up", "down"), "a COMMIT was cut, and nothing was said"
        found = held(settings)
        match cut.where:
            case "before_commit":
                assert found == whole.states[cut.at - 1]
            case "after_commit":
                assert found == whole.states[cut.at]
            case _:
                assert found in whole.states
        step.act(settings)
        assert held(settings) == whole.states[-1]


@scaled("cuts", every_push=20, deep=200)
@of_steps
def test_a_step_that_is_cut_off_is_all_or_nothing(
    steps: dict[str, Step], wire: tuple[int, Wire], name: str, cuts: int, seed: int, figure
) -> None:
    """Around each COMMIT that writes, and at random bytes."""
    step, chance = steps[name], Random(f"{seed}.{name}")
    whole = undisturbed(step, *wire)
    assert whole.writing, "the step writes nothing"
    writing = whole.writing if cuts > 20 else chance.sample(whole.writing, min(2, len(whole.writing)))
    moments = [Cut(where, at) for at in writing for where in ("before_commit", "after_commit")]
    for _ in range(-(-cuts // len(STEPS))):
        where = chance.choice(("up", "down"))
        moments.append(Cut(where, chance.randint(1, getattr(whole, where))))
    for cut in moments:
        check_cut(step, whole, cut, *wire)
    figure(f"{len(writing)} COMMITs cut on both sides, {len(moments) - 2 * len(writing)} cuts at random bytes")
