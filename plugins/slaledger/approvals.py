"""What waits for a named person, and what they decide: kept for good in `audit.decisions` (rules D7, C7, L3, L4)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby

import psycopg

from slaledger.decisions import CLI, DecisionRefused, NothingPending, PreparerDecides, Recorded, record
from slaledger.settings import Settings, user_name
from slaledger.warehouse import connect

# The kinds of `audit.decisions`, as the ids of `sla pending` begin.
KINDS = {"held_month": "held", "claim": "claim", "decrease": "decrease", "quarantine_limit": "quarantine"}


class AmbiguousPending(DecisionRefused):
    """Several things with this id wait."""


class AlreadyDecided(DecisionRefused):
    """A named person decided otherwise on exactly these figures."""


class FiguresChanged(DecisionRefused):
    """The figures that were shown are no longer those that wait."""


@dataclass(frozen=True)
class PendingDecision:
    """Something that waits for a named person, and the figures that their decision is bound to."""

    pending_id: str  # `held:K-1:2026-03`: the kind and the subject, as typed
    kind: str  # of `audit.decisions`
    subject: str
    subject_digest: str
    description: str
    preparers: str  # who cannot decide on it, in a few words: who asked for the runs that left it

    @property
    def ids(self) -> tuple[str, str]:
        """What may be typed for it: its id, short and told apart."""
        return _ids(self.kind, self.subject, self.subject_digest)


@dataclass(frozen=True)
class Decided:
    """What became of a decision."""

    pending_id: str
    is_approved: bool
    is_new: bool  # False: it had been decided just so before, and nothing was written
    decided_by: str

    def __str__(self) -> str:
        """The sentence that the command line prints."""
        verb = "approved" if self.is_approved else "rejected"
        if self.is_new:
            return f"{self.pending_id} is {verb} by {self.decided_by}."
        return f"{self.pending_id} had been {verb} by {self.decided_by} before: nothing was written."


def pending(settings: Settings) -> list[PendingDecision]:
    """Everything that nobody has decided on yet, as the months were last built, in the order of its ids.

    Two subjects that read alike get a `#` and the first digits of their digests behind their ids.
    """
    with connect(settings.warehouse, role="sla_approver") as connection:
        undecided = connection.execute(
            """
            select kind, subject, subject_digest, description, prepared_by, triggered_by
            from audit.questions() as waiting
            where not exists (
                select from audit.decisions
                where (decisions.kind, decisions.subject, decisions.subject_digest)
                    = (waiting.kind, waiting.subject, waiting.subject_digest)
            )
            order by kind, subject, subject_digest
            """
        ).fetchall()
    waiting = [(figures, list(rows)) for figures, rows in groupby(undecided, key=lambda row: row[:3])]
    times = Counter(_ids(*figures)[0] for figures, _ in waiting)
    return sorted(
        (
            PendingDecision(
                ids[times[ids[0]] > 1],
                *figures,
                description=rows[0][3],
                preparers=" and ".join(sorted({_prepared_through(*row[4:]) for row in rows})),
            )
            for figures, rows in waiting
            for ids in [_ids(*figures)]
        ),
        key=lambda item: item.pending_id,
    )


def decide(
    settings: Settings,
    pending_id: str,
    *,
    is_approved: bool,
    by: str,
    because: str,
    via: str = CLI,
    subject_digest: str | None = None,
) -> Decided:
    """Record what a named person decides on something that waits, bound to its figures of now.

    `subject_digest` is of the figures that the person was shown, where that was a while ago. Said again in the same
    words, nothing is written. Once the figures change, it waits for a new decision. Raises `NothingPending`,
    `AmbiguousPending`, `AlreadyDecided`, `FiguresChanged`, `PreparerDecides`, or `DecisionRefused` for an empty name
    or reason.
    """
    by, because = _named(by, because)
    waiting = pending(settings)
    chosen = [item for item in waiting if pending_id in item.ids]
    if len(chosen) > 1:
        alike = ", ".join(item.pending_id for item in chosen)
        raise AmbiguousPending(f"Several things wait under {pending_id}: give one of {alike}.")
    with connect(settings.warehouse, role="sla_approver") as connection:
        if not chosen:
            recorded = _decided_before(connection, pending_id, waiting, subject_digest)
        elif subject_digest not in (None, chosen[0].subject_digest):
            raise FiguresChanged(
                f"Since {pending_id} was shown its figures have changed: nothing was recorded. It waits with the new "
                f"ones: {chosen[0].description}"
            )
        else:
            recorded = _record(connection, chosen[0], is_approved=is_approved, by=by, because=because, via=via)
    # A decision of before, or of somebody who was quicker.
    if not recorded.is_new and (recorded.is_approved, recorded.decided_by, recorded.because) != (
        is_approved,
        by,
        because,
    ):
        raise AlreadyDecided(
            f"{pending_id} was {'approved' if recorded.is_approved else 'rejected'} by {recorded.decided_by} at "
            f"{recorded.decided_at.isoformat(timespec='seconds')}: that stands for these figures. If they change, it "
            "will wait again in `sla pending`."
        )
    return Decided(pending_id, is_approved, recorded.is_new, by)


def _record(
    connection: psycopg.Connection, item: PendingDecision, *, is_approved: bool, by: str, because: str, via: str
) -> Recorded:
    try:
        return record(
            connection,
            kind=item.kind,
            subject=item.subject,
            subject_digest=item.subject_digest,
            is_approved=is_approved,
            decided_by=by,
            because=because,
            via=via,
        )
    except PreparerDecides:
        raise PreparerDecides(
            f"{by} asked for the run that left {item.pending_id} (prepared by {item.preparers}), and so cannot "
            "decide on it: somebody else has to, under their own name. It still waits."
        ) from None


def _decided_before(
    connection: psycopg.Connection, pending_id: str, waiting: list[PendingDecision], subject_digest: str | None
) -> Recorded:
    for kind, subject, digest, *decision in connection.execute(
        """
        select kind, subject, subject_digest, is_approved, decided_by, because, decided_at
        from audit.decisions order by decision_id desc
        """
    ):
        if kind in KINDS and pending_id in _ids(kind, subject, digest) and subject_digest in (None, digest):
            return Recorded(False, *decision)
    known = ", ".join(item.pending_id for item in waiting[:10]) or "nothing"
    raise NothingPending(f"Nothing waits under {pending_id!r}. Waiting: {known}. `sla pending` lists all.")


def _ids(kind: str, subject: str, subject_digest: str) -> tuple[str, str]:
    """The id that is typed; and with the figures' first digits, where several read alike."""
    short = f"{KINDS[kind]}:{subject.replace('|', ':')}"
    return short, f"{short}#{subject_digest[:8]}"


def _prepared_through(prepared_by: str, triggered_by: str | None) -> str:
    """Who prepared it; and the account, where that is another name."""
    return prepared_by if triggered_by in (None, prepared_by) else f"{prepared_by} through the account {triggered_by}"


def _named(by: str, because: str) -> tuple[str, str]:
    by, because = by.strip(), because.strip()
    if not by:
        raise DecisionRefused("Nobody is named: give the person who decides with --by.")
    if not by.isprintable():
        raise DecisionRefused(f"{by!r} is no name of a person: write it on one line, without invisible characters.")
    if not because:
        raise DecisionRefused("No reason is given: say why with --because.")
    return by, because


@dataclass(frozen=True)
class Goodwill:
    """A goodwill line."""

    line_item_id: str
    amount: Decimal
    currency: str
    run_id: str  # for `delivery.deliver`
    is_new: bool  # False: the same goodwill had been given before, and nothing was written

    def __str__(self) -> str:
        """The line's id."""
        return self.line_item_id


def goodwill(
    settings: Settings,
    *,
    contract_id: str,
    service_month: date,
    amount: str | Decimal,
    by: str,
    because: str,
    prepared_by: str | None = None,
) -> Goodwill:
    """Append a goodwill line that `by` approves, in the currency of the contract's fee for the month (rule L4).

    `prepared_by` is who asks for it, by default whoever runs this process: another person. Given again with the same
    amount, name and reason it is the same goodwill: nothing is written. Its as-of time is the instant at which it is
    recorded. Raises `DecisionRefused` for an empty name or reason, `PreparerDecides` where the two are one person, and
    `GoodwillRefused` where the amount is not positive and exact to the minor unit, the month was not closed for the
    contract, or its fee is unknown.
    """
    from slaledger.ledger.goodwill import append_goodwill

    by, because = _named(by, because)
    line, is_new = append_goodwill(
        settings,
        contract_id=contract_id,
        service_month=service_month,
        amount=str(amount),
        by=by,
        because=because,
        prepared_by=prepared_by or user_name(),
    )
    return Goodwill(str(line.line_item_id), line.amount, line.currency, line.run_id, is_new)
