"""The steps of a month that write, each with a warehouse to start from: to be disturbed, repeated, and compared."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import psycopg

from slaledger import approvals, delivery, gates, landing, ledger, terms, transform, warehouse
from slaledger.gates.results import GateFailed
from slaledger.settings import Exports, Settings
from slaledger.stack.postgres import Postgres
from tests.landing.bucket import Bucket
from tests.ledger import books
from tests.ledger.books import AccountMonth
from tests.reliability.every_feed import put_every_feed
from tests.support.buckets import empty_bucket
from tests.support.copies import copied
from tests.support.cutting_postgres import Wire
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

    def forget(self) -> None:
        """Take out of the bucket what another run of it left there: no books may be older than their anchors."""
        empty_bucket(self.before.exports, prefix="billing/")

    @contextmanager
    def fresh(self) -> Iterator[Settings]:
        """A copy of the warehouse, and nothing in the bucket that the step would put there."""
        self.forget()
        with copied(self.before) as settings:
            yield settings


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


def gate(settings: Settings, run_id: str) -> None:
    try:
        gates.run_gate(settings, "raw", run_id=run_id)
    except GateFailed:
        assert books.rows(settings, "select from audit.validations") != []


def post(settings: Settings, run_id: str) -> None:
    with ledger.anchored(settings):
        ledger.post_month(settings, run_id=run_id)


def deliver(settings: Settings, run_id: str) -> None:
    delivery.deliver(settings, run_id=run_id)


def decide(settings: Settings) -> None:
    approvals.decide(settings, "held:K-3:2026-03", is_approved=True, by="Bob", because="measured elsewhere")


def make_steps(server: Postgres, exports: Exports, drops: Exports, home: Path) -> dict[str, Step]:
    """Every step, each from a warehouse of its own that has been through the steps before it.

    What is delivered goes into a bucket of its own, beside the anchors of what was posted.
    """

    def fresh(name: str) -> Settings:
        database = server.ensure_database(f"cuts_{name}_{uuid.uuid4().hex[:8]}")
        return Settings(home=home, warehouse=database, exports=exports, quarantine_limit_percent=Decimal(10))

    def after(settings: Settings, name: str, *acts: Callable[[Settings], object]) -> Settings:
        database = f"cuts_{name}_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(server.warehouse("postgres").dsn, autocommit=True) as admin:
            admin.execute(f"create database {database} template {settings.warehouse.database}")
        made = dataclasses.replace(settings, warehouse=server.warehouse(database))
        for act in acts:
            act(made)
        return made

    empty = fresh("empty")
    warehouse.migrate(empty.warehouse)
    put_every_feed(Bucket(empty))
    landed = after(empty, "landed", land)
    settled = after(landed, "settled", settle)

    def build(settings: Settings) -> None:
        books.publish_terms(settings)
        books.build(settings, *MONTHS, prepared_by="Ann")

    built = after(empty, "built", build)
    ((run_id,),) = books.rows(built, "select run_id from audit.current_build")
    validated = after(built, "validated", lambda settings: books.validate(settings, run_id))
    posted = after(validated, "posted", lambda settings: post(settings, run_id))
    return {
        "land": Step(empty, land),
        "settle": Step(landed, settle),
        "publish": Step(settled, terms.publish),
        "open": Step(empty, open_build),
        "gate": Step(built, lambda settings: gate(settings, run_id)),
        "post": Step(validated, lambda settings: post(settings, run_id)),
        "deliver": Step(dataclasses.replace(posted, exports=drops), lambda settings: deliver(settings, run_id)),
        "decide": Step(posted, decide),
    }


def held(settings: Settings) -> dict[str, str]:
    """All that the books hold, without clocks."""
    with warehouse.connect(settings.warehouse) as connection:
        return contents(connection)


def through(settings: Settings, port: int) -> Settings:
    """The same warehouse, by way of the proxy."""
    return dataclasses.replace(settings, warehouse=dataclasses.replace(settings.warehouse, port=port))


@functools.cache
def undisturbed(step: Step, port: int, wire: Wire) -> Undisturbed:
    """Run a step through the proxy, looking at the books after each COMMIT."""
    with step.fresh() as settings:
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
