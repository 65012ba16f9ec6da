"""Eight processes post one month at the same moment: one set of lines, and whoever offers another says so."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from slaledger import ledger
from slaledger.ledger import chain, posting
from slaledger.ledger.verification import verify_chain
from slaledger.settings import Settings
from slaledger.warehouse import connect
from tests.ledger.books import AccountMonth, build, publish_terms, rows, validate
from tests.reliability.scale import scaled
from tests.support.buckets import empty_bucket
from tests.support.copies import copied

pytestmark = pytest.mark.timeout(1800)

WRITERS = 8
CONTRACTS = ("K-1", "K-2", "K-3")
# What each is owed by the builds of a month, one after the other, and its uptime: a credit and two adjustments, each
# with a revision of the statement.
BUILDS = (
    (Decimal("50.00"), Decimal("99.5")), (Decimal("80.00"), Decimal("99.2")), (Decimal("120.00"), Decimal("98.8"))
)  # fmt: skip
# What a writer may say: that there is a line with this key, or, when it is the first, what the database says of lines
# that nobody is owed.
NAMED = (ledger.IdempotencyPayloadMismatch, ledger.LinesDoNotAddUp, ledger.RefusedAtCommit)


class Captured(Exception):
    """Not a fault: the drafts are in hand, and the posting is given up."""


@dataclass(frozen=True)
class Outcome:
    """How one process fared."""

    extra: Decimal | None  # added to each amount; None: an ordinary posting
    lines: int  # appended
    error: str | None
    is_named: bool


_start = None


def _remember(start) -> None:
    global _start
    _start = start


def _post(settings: Settings, run_id: str, drafts: Sequence[chain.Draft], extra: Decimal | None) -> Outcome:
    """In a process of its own: wait for the others, then post; with `extra`, lines drafted before anybody wrote."""
    plain = posting.draft_lines
    if extra is not None:
        stale = [replace(draft, amount=draft.amount + extra) for draft in drafts]
        posting.draft_lines = lambda *_arguments, **_options: stale
    _start.wait(60)
    try:
        return Outcome(extra, ledger.post_month(settings, run_id=run_id).lines_appended, None, True)
    except Exception as error:
        return Outcome(extra, 0, f"{type(error).__name__}: {error}", isinstance(error, NAMED))
    finally:
        posting.draft_lines = plain


@contextmanager
def writers() -> Iterator[Callable]:
    """Eight processes that stand ready; made after the faults are planted, which they inherit."""
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(
        WRITERS, mp_context=context, initializer=_remember, initargs=(context.Barrier(WRITERS),)
    ) as pool:

        def together(settings: Settings, run_id: str, drafts: Sequence, extras: Sequence) -> list[Outcome]:
            posted = [pool.submit(_post, settings, run_id, drafts, extra) for extra in extras]
            return [each.result(timeout=120) for each in posted]

        yield together


def candidate(settings: Settings, number: int) -> tuple[str, date, int]:
    """The run's id, the service month and which build of it: a validated candidate of three contracts."""
    of_all, step = divmod(number, len(BUILDS))
    month = date(2026 + of_all // 12, of_all % 12 + 1, 1)
    amount, uptime_percent = BUILDS[step]
    run_id = build(
        settings,
        *(AccountMonth(contract_id=each, amount=amount, uptime_percent=uptime_percent) for each in CONTRACTS),
        service_month=month,
        as_of=datetime(2099, 1, 1, tzinfo=UTC),
    )
    validate(settings, run_id)
    return run_id, month, step


def expected(step: int) -> list[tuple[str, int, Decimal]]:
    """(contract, ordinal, amount) of a month's lines after its builds up to this one: what each owes more."""
    owed = [Decimal(0), *(amount for amount, _ in BUILDS[: step + 1])]
    return [(each, ordinal, owed[ordinal] - owed[ordinal - 1]) for each in CONTRACTS for ordinal in range(1, step + 2)]


def drafts_of(settings: Settings, run_id: str) -> list[chain.Draft]:
    """What a writer would append who looked before anybody wrote."""
    drafts: list[chain.Draft] = []
    plain = posting.draft_lines

    def capture(*arguments, **options):
        drafts.extend(plain(*arguments, **options))
        raise Captured

    posting.draft_lines = capture
    try:
        ledger.post_month(settings, run_id=run_id)
    except Captured:
        return drafts
    finally:
        posting.draft_lines = plain
    raise AssertionError("a posting was made that drafts no lines")


def posted(settings: Settings, month: date) -> list[tuple[str, int, Decimal]]:
    """(contract, ordinal, amount) of the month's lines."""
    return rows(
        settings,
        "select contract_id, ordinal, amount from billing.credit_line_items where service_month = %s"
        " order by contract_id, ordinal, amount",
        month,
    )


def revisions(settings: Settings, month: date) -> list[tuple[str, int]]:
    """(contract, revision) of the month's statements."""
    return rows(
        settings,
        "select contract_id, revision from billing.sla_statements where service_month = %s order by 1, 2",
        month,
    )


def check_same(settings: Settings, rounds: int) -> int:
    """All eight post what is owed more: one does it, seven find it done. How many postings were made."""
    with writers() as together:
        for number in range(rounds):
            run_id, month, step = candidate(settings, number)
            outcomes = together(settings, run_id, [], [None] * WRITERS)
            assert [each.error for each in outcomes] == [None] * WRITERS, "a repeat of the same must do nothing"
            assert sorted(each.lines for each in outcomes) == [0] * (WRITERS - 1) + [len(CONTRACTS)], (
                "lines more than once"
            )
            assert posted(settings, month) == expected(step)
            due = [(contract, ordinal) for contract, ordinal, _ in expected(step)]
            assert revisions(settings, month) == due, "statements more than once"
    return rounds * WRITERS


def check_differing(settings: Settings, rounds: int, chance: random.Random) -> int:
    """Some offer other amounts under the same keys: they raise, whoever was first. How many raised."""
    raised = 0
    with writers() as together:
        for number in range(rounds):
            run_id, month, step = candidate(settings, number)
            drafts = drafts_of(settings, run_id)
            assert [(draft.contract_id, draft.ordinal, draft.amount) for draft in drafts] == [
                line for line in expected(step) if line[1] == step + 1
            ]
            honest = chance.randrange(1, WRITERS)
            extras = [Decimal(0)] * honest + [Decimal(other) for other in range(1, WRITERS - honest + 1)]
            chance.shuffle(extras)
            outcomes = together(settings, run_id, drafts, extras)
            assert posted(settings, month) == expected(step)
            assert revisions(settings, month) == [(contract, ordinal) for contract, ordinal, _ in expected(step)]
            for outcome in outcomes:
                if outcome.extra == 0:
                    assert outcome.error is None, outcome
                else:
                    assert outcome.error is not None, f"{outcome.extra} more a line was ignored without a word"
                    assert outcome.is_named, outcome
                    raised += 1
            assert sum(outcome.lines for outcome in outcomes) == len(CONTRACTS)
    return raised


@pytest.fixture(scope="module")
def empty_books(fresh_settings):
    """Migrated, with the marts' tables and the terms."""
    publish_terms(fresh_settings)
    return fresh_settings


@pytest.fixture
def books(empty_books):
    """Books of its own for every test, and an empty bucket."""
    empty_bucket(empty_books.exports)
    with copied(empty_books) as settings:
        yield settings


@scaled("rounds", every_push=20, deep=200)
def test_eight_postings_at_once_of_the_same_make_one_set_of_lines(books, rounds, figure):
    postings = check_same(books, rounds)
    assert verify_chain(books).is_intact
    figure(f"{rounds} rounds, {postings} concurrent postings of the same: {rounds} sets of lines, no error")


@scaled("rounds", every_push=20, deep=200)
def test_of_eight_postings_at_once_every_differing_one_raises(books, rounds, chance, figure):
    raised = check_differing(books, rounds, chance)
    assert verify_chain(books).is_intact
    figure(f"{rounds} rounds of 8 concurrent postings: {rounds} sets of lines, all {raised} differing postings raised")


def drop_the_guards(settings: Settings) -> None:
    """Planted: the books take whatever comes, twice too.

    But for evidence, of which each writer says the same: without its key none of them could write at all.
    """
    with connect(settings.warehouse) as connection:
        connection.execute(
            """
            do $$
            declare
                guard record;
            begin
                for guard in
                    select conrelid::regclass as of_table, conname from pg_constraint
                    where
                        connamespace = 'billing'::regnamespace and contype in ('u', 'p')
                        and conrelid <> 'billing.evidence'::regclass
                loop
                    execute format('alter table %s drop constraint %I cascade', guard.of_table, guard.conname);
                end loop;
                for guard in
                    select oid::regclass as of_table from pg_class
                    where relnamespace = 'billing'::regnamespace and relkind = 'r'
                loop
                    execute format('alter table %s disable trigger all', guard.of_table);
                end loop;
            end $$
            """
        )


def test_without_the_unique_key_and_the_lock_the_check_finds_it(books, monkeypatch):
    drop_the_guards(books)
    insert = chain._insert().as_string().replace("on conflict (idempotency_key) do nothing", "")
    monkeypatch.setattr(chain, "_insert", lambda: insert)
    monkeypatch.setattr(posting, "hold_ledger", lambda _: None)
    store = posting._Evidence._store

    def store_apart(_: object, documents: Sequence[str]) -> list[str]:
        # Whoever waits for another's evidence to be committed sees his lines, too.
        with connect(books.warehouse) as connection:
            return store(posting._Evidence(connection), documents)

    monkeypatch.setattr(posting._Evidence, "_store", store_apart)
    with pytest.raises(AssertionError, match="more than once"):
        check_same(books, 5)


def test_a_key_that_is_there_and_not_compared_is_found(books, monkeypatch, chance):
    """`on conflict do nothing`, and nothing else."""
    monkeypatch.setattr(chain, "_require_same", lambda *_: None)
    with pytest.raises(AssertionError, match="ignored without a word"):
        check_differing(books, 5, chance)
