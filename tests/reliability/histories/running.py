"""Histories through the pipeline, round by round, each held against what is owed from scratch."""

from __future__ import annotations

import io
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from slaledger import approvals, decisions, delivery, landing, ledger, objects, terms, transform
from slaledger.reperform.records import Decision, Figures
from slaledger.settings import TERMS_DIR, Settings
from slaledger.warehouse import connect
from tests.edge_cases.world import instant
from tests.reliability.histories.arriving import LAST_AS_OF, MONTHS
from tests.reliability.histories.building import Models
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
from tests.reliability.histories.planning import SPANS, Closing, plan_closings
from tests.reliability.histories.putting import Bucket, arrivals_of
from tests.support.pipeline import Pipeline

REPLAYED = 3  # closings before the last
DECIDER = "Ann Other"
EMPTY = Books([], {}, {})


@dataclass
class Histories:
    """Worlds of histories, one for each span of months, in a warehouse and a bucket that they have to themselves."""

    settings: Settings
    models: Models
    seed: int
    count: int
    closings: list[Closing] = field(default_factory=list)
    spans: tuple[tuple[str, ...], ...] = SPANS
    told: Counter[str] = field(default_factory=Counter)
    decisions: list[Decision] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    bodies: dict[tuple[str, str], Any] = field(default_factory=dict)  # of object versions, once they were fetched

    def __post_init__(self) -> None:
        self.chance = random.Random(f"rounds {self.seed}")
        self.closings = self.closings or plan_closings(self.chance)
        self.rounds = sum(closing.has_news for closing in self.closings)
        arrivals, told = arrivals_of(self.count, spans=self.spans, rounds=self.rounds, seed=self.seed)
        self.told += told
        self.bucket = Bucket(self.settings.exports, arrivals, self.chance, self.told)
        self.pipeline = Pipeline(self.settings)
        self.books = read_books(self.settings)

    def run(self) -> None:
        """Every closing; raises AssertionError where the books are not what they must be."""
        for number in range(len(self.closings)):
            self.close(number)
        check_unchanged(self.books, read_books(self.settings))

    def close(self, number: int) -> None:
        """What arrives, a closing, what people decide on it, and the closing's posting once more."""
        closing = self.closings[number]
        if closing.has_news:
            news = sum(each.has_news for each in self.closings[:number])
            self.bucket.put_round(news)
            self.pipeline.land(f"landing_{news}")
        if closing.surpasses:
            self.check_refused(closing)
        self.models.close(self.settings, run_id=closing.run_id, month=closing.month, as_of=closing.as_of)
        figures = self.second_route(closing)
        self.check(closing, figures)
        self.decide(closing, figures, decreases_alone=closing.as_of == LAST_AS_OF)
        # What people approved is appended by the same run, posted again.
        ledger.post_month(self.settings, run_id=closing.run_id)
        delivery.deliver(self.settings, run_id=closing.run_id)
        states = self.check(closing, figures)
        self.told += Counter({f"{state} at a closing": count for state, count in states.items()})
        assert ledger.post_month(self.settings, run_id=closing.run_id).lines_appended == 0, "a repeat appended lines"
        self.told["closings"] += 1

    def check_refused(self, closing: Closing) -> None:
        """A run of before is not made anew on other exports: that takes a run of its own."""
        try:
            self.models.close(self.settings, run_id=closing.surpasses, month=closing.month, as_of=closing.as_of)
        except transform.BuildMismatch:
            self.told["earlier runs refused"] += 1
        else:
            raise AssertionError(f"{closing.surpasses} was made anew, on other exports than it was opened on")

    def check(self, closing: Closing, figures: Figures) -> Counter[str]:
        """Hold the books against those before, and against what is owed; in which state how many sums are."""
        before, self.books = self.books, read_books(self.settings, self.bodies)
        check_unchanged(before, self.books)
        check_invariants(self.settings, self.books)
        return self.check_owed(before, closing.month, figures.account_months, figures.credits)

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

        found = bucket.from_bucket(_Fetching(self.settings, self.bodies), self.settings.exports.bucket)
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
            self._record(item, is_approved=is_approved)
            self.told[f"{item.kind} {'approved' if is_approved else 'rejected'}"] += 1

    def _record(self, item: approvals.PendingDecision, *, is_approved: bool) -> None:
        """What `sla approve` records, without asking again for all that waits."""
        with connect(self.settings.warehouse, role="sla_approver") as connection:
            decisions.record(
                connection,
                kind=item.kind,
                subject=item.subject,
                subject_digest=item.subject_digest,
                is_approved=is_approved,
                decided_by=DECIDER,
                because="a seed said so",
                via=decisions.CLI,
            )

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


def replay(settings: Settings, history: Histories) -> None:
    """A replay: all of the bucket in an emptied warehouse, object by object in another order, and closed again.

    The last closings are all made, some of those before them, in their order; what is too much is taken back.
    """
    chance = random.Random(f"from scratch {history.seed}")
    landing.freeze_listing(settings, run_id="fresh")
    for checks in (False, True):
        object_ids = [each for batch in landing.plan_batches(settings, run_id="fresh", checks=checks) for each in batch]
        chance.shuffle(object_ids)
        landing.land_batch(settings, object_ids, run_id="fresh")
    landing.settle_checks(settings, run_id="fresh")
    terms.publish(settings)
    decided = history.pipeline.rows(
        "select kind, subject, subject_digest, is_approved, decided_by, because from audit.decisions"
        " where kind <> 'decrease' order by decision_id"
    )
    with connect(settings.warehouse) as connection:
        # Before anything waits here.
        connection.execute("alter table audit.decisions disable trigger decisions_one_way")
        connection.cursor().executemany(
            """
            insert into audit.decisions (
                kind, subject, subject_digest, is_approved, decided_by, because, prepared_by, via
            ) values (%s, %s, %s, %s, %s, %s, 'schedule', 'cli')
            """,
            [tuple(row.values()) for row in decided],
        )
        connection.execute("alter table audit.decisions enable always trigger decisions_one_way")
    before, last = history.closings[: -len(MONTHS)], history.closings[-len(MONTHS) :]
    some = sorted(chance.sample(range(len(before)), min(REPLAYED, len(before))))
    for number, closing in enumerate([*(before[each] for each in some), *chance.sample(last, len(last))]):
        run_id = f"replay_{number}"
        history.models.close(settings, run_id=run_id, month=closing.month, as_of=closing.as_of)
        if closing in last:
            for item in approvals.pending(settings):
                if item.kind == "decrease" and f"|{closing.month}|" in item.subject:
                    approvals.decide(settings, item.pending_id, is_approved=True, by=DECIDER, because="of the replay")
                    history.told["decreases in replays"] += 1
            ledger.post_month(settings, run_id=run_id)
        history.told["closings replayed"] += 1


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


class _Fetching:
    """An S3 client that asks for no version of an object twice: it is what it was."""

    def __init__(self, settings: Settings, bodies: dict[tuple[str, str], Any]) -> None:
        self.client = objects.client(settings.exports)
        self.get_paginator = self.client.get_paginator
        self.bodies = bodies

    def get_object(self, **which: str) -> dict[str, Any]:
        of_version = (which["Key"], which["VersionId"])
        if of_version not in self.bodies:
            answer = self.client.get_object(**which)
            self.bodies[of_version] = (answer["Body"].read(), answer["Metadata"])
        body, metadata = self.bodies[of_version]
        return {"Body": io.BytesIO(body), "Metadata": metadata}


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
