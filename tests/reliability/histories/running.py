"""Histories through the pipeline, round by round, each held against what is owed from scratch."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from slaledger import approvals, delivery, landing, ledger, objects, terms
from slaledger.reperform.records import Decision, Figures
from slaledger.settings import TERMS_DIR, Settings
from slaledger.warehouse import connect
from tests.edge_cases.world import instant
from tests.reliability.histories.arriving import APRIL, LAST_AS_OF, MARCH, MONTHS
from tests.reliability.histories.checking import (
    Books,
    Refusal,
    check_invariants,
    check_owed,
    check_unchanged,
    key_of,
    owed_by_currency,
    read_books,
)
from tests.reliability.histories.putting import Bucket, arrivals_of
from tests.support.pipeline import Pipeline

# As-of times: beside the deadlines of claims, before and after people did things. April is over by the fourth.
AS_OF = {
    MARCH: ("2026-04-04T00:00:00Z", "2026-04-11T00:00:00Z", "2026-04-20T00:00:00Z", "2026-05-05T12:00:00Z"),
    APRIL: ("2026-05-04T00:00:00Z", "2026-05-11T00:00:00Z", "2026-05-20T00:00:00Z", "2026-06-01T00:00:00Z"),
}
DECIDER = "Ann Other"
EMPTY = Books([], {}, {})


@dataclass(frozen=True)
class Closing:
    """A month that a run closes as of an instant."""

    month: str
    as_of: str
    run_id: str


def plan_closings(chance: random.Random) -> list[Closing]:
    """Both months twice, in any order of months and as-of times; an earlier run again; at last, both as of the last."""
    months = [*MONTHS, *MONTHS]
    chance.shuffle(months)
    closings = [Closing(month, chance.choice(AS_OF[month]), f"closing_{number}") for number, month in enumerate(months)]
    # Another run whole again, after what was closed since.
    closings.append(chance.choice(closings[:-1]))
    last = list(MONTHS)
    chance.shuffle(last)
    return closings + [Closing(month, LAST_AS_OF, f"last_{month}") for month in last]


@dataclass
class Histories:
    """A world of histories in a warehouse and a bucket of its own."""

    settings: Settings
    seed: int
    count: int
    closings: list[Closing] = field(default_factory=list)
    rounds: int = 0  # in which something arrives; by default all but the last
    told: Counter[str] = field(default_factory=Counter)
    decisions: list[Decision] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(f"rounds {self.seed}")
        self.closings = self.closings or plan_closings(self.chance)
        self.rounds = self.rounds or len(self.closings) - 1
        arrivals, told = arrivals_of(self.count, rounds=self.rounds, seed=self.seed)
        self.told += told
        self.bucket = Bucket(self.settings.exports, arrivals, self.chance, self.told)
        self.pipeline = Pipeline(self.settings)
        self.books = read_books(self.settings)

    def run(self) -> None:
        """Every round; raises AssertionError where the books are not what they must be."""
        for number in range(len(self.closings)):
            self.round(number)

    def round(self, number: int) -> None:
        """What arrives, a closing, what people decide on it, and the closing's posting once more."""
        closing = self.closings[number]
        is_last = closing.as_of == LAST_AS_OF
        if number < self.rounds:
            self.bucket.put_round(number)
        self.pipeline.land(f"landing_{number}")
        self.pipeline.build(closing.run_id, closing.month, closing.as_of, close=True)
        figures = self.second_route(closing)
        self.check(closing, figures)
        self.decide(closing, figures, decreases_alone=is_last)
        # What people approved is appended by the same run, posted again.
        ledger.post_month(self.settings, run_id=closing.run_id)
        delivery.deliver(self.settings, run_id=closing.run_id)
        self.check(closing, figures)
        assert ledger.post_month(self.settings, run_id=closing.run_id).lines_appended == 0, "a repeat appended lines"
        self.told["closings"] += 1

    def check(self, closing: Closing, figures: Figures) -> None:
        """Hold the books against those before, and against what is owed."""
        before, self.books = self.books, read_books(self.settings)
        check_unchanged(before, self.books)
        check_invariants(self.settings, self.books)
        self.check_owed(before, closing.month, figures.account_months, figures.credits)

    def check_owed(self, before: Books, month: str, account_months: list, credits: list) -> Counter[str]:
        """Hold what the lines of a month add up to against what is owed; in which state how many of them are."""
        return check_owed(
            before,
            self.books,
            month=month,
            account_months=account_months,
            credits=credits,
            refusals=self.refusals,
            pending=[item.pending_id for item in approvals.pending(self.settings)],
        )

    def second_route(self, closing: Closing) -> Figures:
        """What is owed by the second route, from all objects in the bucket."""
        from slaledger.reperform import objects as bucket
        from slaledger.reperform.reading import read
        from slaledger.reperform.route import reperform

        found = bucket.from_bucket(objects.client(self.settings.exports), self.settings.exports.bucket)
        exports = read(found, shipped_terms=[path.read_bytes() for path in sorted(TERMS_DIR.glob("*.yml"))])
        as_of = (instant(closing.as_of) - datetime(1970, 1, 1, tzinfo=UTC)) // datetime.resolution
        return reperform(exports, service_month=closing.month, as_of=as_of, decisions=self.decisions)

    def decide(self, closing: Closing, figures: Figures, *, decreases_alone: bool) -> None:
        """Have a person approve or reject most of what waits of the month, and remember it for the second route."""
        months = {row["contract_id"]: row for row in figures.account_months}
        claims = {(row["claim_id"], row["contract_id"] or ""): row for row in figures.claims}
        owed = {key_of(row): row for row in figures.credits}
        for item in approvals.pending(self.settings):
            is_approved = self.chance.random() < 0.6
            if self.chance.random() < 0.25 or (decreases_alone and item.kind != "decrease"):
                continue
            if item.kind == "held_month":
                contract_id, month = item.subject.split("|")
                if month != closing.month:
                    continue
                about = months[contract_id]["about"]
                self.decisions.append(Decision("held_month", contract_id, month, is_approved, about=about))
            elif item.kind == "claim":
                claim_id, contract_id, month = item.subject.split("|")
                if month != closing.month:
                    continue
                about = claims[claim_id, contract_id]["about"]
                self.decisions.append(
                    Decision("claim", contract_id, month, is_approved, claim_id=claim_id, about=about)
                )
            elif item.kind == "decrease":
                contract_id, month, basis = item.subject.split("|")
                if month != closing.month:
                    continue
                is_approved = self._refuse((contract_id, month, basis), owed, is_approved=is_approved)
            approvals.decide(
                self.settings, item.pending_id, is_approved=is_approved, by=DECIDER, because="a seed said so"
            )
            self.told[f"{item.kind} {'approved' if is_approved else 'rejected'}"] += 1

    def _refuse(self, key: tuple[str, str, str], owed: dict, *, is_approved: bool) -> bool:
        """Remember a decrease that is rejected; where two currencies are too high, nobody rejects one."""
        due = owed_by_currency(owed.get(key))
        over = {
            currency: due.get(currency, Decimal(0))
            for currency, amount in self.books.sums()[key].items()
            if amount > due.get(currency, Decimal(0))
        }
        if is_approved or len(over) != 1:
            return True
        ((currency, amount),) = over.items()
        item_ids = tuple(
            line["line_item_id"] for line in self.books.lines if key_of(line) == key and line["currency"] == currency
        )
        self.refusals.append(Refusal(key, currency, amount, item_ids))
        return False


def from_scratch(settings: Settings, history: Histories) -> None:
    """All that is in the bucket in a fresh warehouse, landed object by object in another order, and closed once."""
    chance = random.Random(f"from scratch {history.seed}")
    landing.freeze_listing(settings, run_id="fresh")
    for checks in (False, True):
        object_ids = [each for batch in landing.plan_batches(settings, run_id="fresh", checks=checks) for each in batch]
        chance.shuffle(object_ids)
        for object_id in object_ids:
            landing.land_batch(settings, [object_id], run_id="fresh")
    landing.settle_checks(settings, run_id="fresh")
    terms.publish(settings)
    decisions = history.pipeline.rows(
        "select kind, subject, subject_digest, is_approved, decided_by, because from audit.decisions"
        " where kind <> 'decrease' order by decision_id"
    )
    with connect(settings.warehouse) as connection:
        connection.cursor().executemany(
            "select from audit.record_decision(%s, %s, %s, %s, %s, %s, 'cli')",
            [tuple(row.values()) for row in decisions],
        )
    pipeline = Pipeline(settings)
    for closing in history.closings[:-3:-1]:
        pipeline.build(f"fresh_{closing.month}", closing.month, closing.as_of, close=True)


def check_from_scratch(history: Histories, settings: Settings) -> Counter[str]:
    """The lines of the history add up to those of the fresh warehouse, but for decreases refused or waiting.

    Returns how many account-months and bases were in which state.
    """
    pipeline = Pipeline(settings)
    fresh = read_books(settings)
    states: Counter[str] = Counter()
    for month in MONTHS:
        account_months, credits = (
            pipeline.rows(
                f"select mart.*, to_char(service_month, 'YYYY-MM') as service_month from marts.{mart} as mart"
                " where service_month = %s",
                [f"{month}-01"],
            )
            for mart in ("fct_account_months", "fct_credits")
        )
        figures = {"month": month, "account_months": account_months, "credits": credits}
        exact = check_owed(EMPTY, fresh, **figures, refusals=(), pending=())
        assert set(exact) <= {"exact", "unsettled"}, f"from scratch, {exact}"
        states += history.check_owed(history.books, month, account_months, credits)
    return states


def what_happened(history: Histories) -> Counter[str]:
    """How the books of a history came to be what they are, in numbers."""
    (row,) = history.pipeline.rows(
        """
        select
            (select count(*) from billing.sla_statements where revision > 1) as "restated months",
            (select count(*) from billing.sla_statements where status = 'held') as "held statements",
            (select count(*) from billing.sla_statements where status = 'blocked') as "blocked statements",
            count(*) filter (where entry_type = 'credit') as "credits",
            count(*) filter (where entry_type = 'adjustment' and amount > 0) as "increases",
            count(*) filter (where amount < 0) as "decreases",
            count(*) filter (where basis = 'response_time') as "response time lines",
            count(distinct currency) as "currencies",
            coalesce(max(ordinal), 0) as "most lines of one month"
        from billing.credit_line_items
        """
    )
    return history.told + Counter(row)
