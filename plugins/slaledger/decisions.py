"""The doors to `audit.decisions`: what a named person decided, who had prepared it, and by which way it came."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg

CLI, AIRFLOW = "cli", "airflow"
# The constraints that hold them apart, whoever writes.
BY_ANOTHER = ("decisions_by_another", "decisions_by_another_account")


class DecisionRefused(Exception):
    """There is nothing to decide under this id, or not in this way; the message says why."""

    is_final = True
    exit_code = 2


class NothingPending(DecisionRefused):
    """Nothing with this id, or with these figures, waits."""


class PreparerDecides(DecisionRefused):
    """Who prepared it would decide on it."""


@dataclass(frozen=True)
class Recorded:
    """The decision that stands, and whether this call recorded it."""

    is_new: bool
    is_approved: bool
    decided_by: str
    because: str
    decided_at: datetime


def record(
    connection: psycopg.Connection,
    *,
    kind: str,
    subject: str,
    subject_digest: str,
    is_approved: bool,
    decided_by: str,
    because: str,
    via: str,
) -> Recorded:
    """Record a decision in the transaction of `connection`, whose role is `sla_approver`.

    Where one on these figures stands, that one is returned, and nothing is written. The database knows what waits, who
    asked for the run, and through which account. Raises `PreparerDecides` or `NothingPending`.
    """
    with _by_another(decided_by, subject):
        row = connection.execute(
            """
            select is_new, is_approved, decided_by, because, decided_at
            from audit.record_decision(%s, %s, %s, %s, %s, %s, %s)
            """,
            (kind, subject, subject_digest, is_approved, decided_by, because, via),
        ).fetchone()
    assert row is not None
    return Recorded(*row)


def record_goodwill(
    connection: psycopg.Connection, *, key: str, subject_digest: str, decided_by: str, because: str, prepared_by: str
) -> None:
    """Record the approval of a goodwill line that the same transaction appends, as `sla_goodwill`.

    Raises `PreparerDecides`.
    """
    with _by_another(decided_by, key):
        connection.execute(
            "select audit.record_goodwill(%s, %s, %s, %s, %s)",
            (key, subject_digest, decided_by, because, prepared_by),
        )


@contextmanager
def _by_another(decided_by: str, subject: str) -> Iterator[None]:
    try:
        yield
    except psycopg.errors.ObjectNotInPrerequisiteState as refusal:
        raise NothingPending(f"{refusal.diag.message_primary}. {refusal.diag.message_hint}") from None
    except psycopg.errors.CheckViolation as violation:
        if violation.diag.constraint_name not in BY_ANOTHER:
            raise
        raise PreparerDecides(f"{decided_by} prepared {subject.replace('|', ':')}, and cannot decide on it.") from None
