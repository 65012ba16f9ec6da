"""Close a month: statements and lines of the current build, in one transaction (rules L1 to L6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from slaledger.ledger.canonical import month_text, number_text, statement_id, text_digest
from slaledger.ledger.chain import append, hold_ledger
from slaledger.ledger.planning import Balance, Plan, draft_lines, plan
from slaledger.ledger.postings import Origin, Posting, insert_posting, last_posting, seal, statement_hash, told_by_name
from slaledger.ledger.preconditions import (
    Build,
    read_build,
    require_month_over,
    require_validated,
)
from slaledger.settings import Settings
from slaledger.warehouse import connect
from slaledger.zones import require_recorded_zones


class LinesDoNotAddUp(Exception):
    """What was written is not what was owed; nothing of it is kept."""

    is_final = True


@dataclass(frozen=True)
class Waiting:
    """An account-month whose money waits, and why."""

    contract_id: str
    reason: str


@dataclass(frozen=True)
class PostResult:
    """What a posting did, and what it left."""

    service_month: date
    posting_number: int | None  # None: there was nothing to append
    statements_appended: int
    lines_appended: int
    amounts_appended: dict[str, Decimal]  # currency -> sum of the lines appended
    held: tuple[Waiting, ...]
    blocked: tuple[Waiting, ...]
    overpaid: tuple[Waiting, ...]  # decreases, and what waits behind them: `sla pending` lists them
    kept: tuple[Waiting, ...]  # decreases that a person rejected


@cache
def _query(name: str) -> str:
    """A query of this package, by its file's name."""
    return (Path(__file__).parent / f"{name}.sql").read_text()


def post_month(settings: Settings, *, run_id: str) -> PostResult:
    """Append the statements and lines that the run's build makes due; all of them or nothing.

    A repeat, or the same run twice at once, appends nothing more. Raises `NotCurrentBuild`, `NotClosing`,
    `MonthNotOver`, `NotValidated`, `zones.ZonesDiffer`, `planning.AmountNotPostable`,
    `chain.LedgerHeld`, `chain.IdempotencyPayloadMismatch`, `LinesDoNotAddUp` or `RefusedAtCommit`; each leaves the
    books as they were.
    """
    with told_by_name(), connect(settings.warehouse, role="sla_biller") as connection:
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        hold_ledger(connection)
        build = read_build(connection, run_id)
        # Before anything asks the marts: dbt may never have made them.
        require_validated(connection, build)
        require_month_over(connection, build)
        require_recorded_zones(connection, service_month=build.service_month, as_of=build.as_of)
        return _post(connection, build)


def _post(connection: psycopg.Connection, build: Build) -> PostResult:
    last = last_posting(connection)
    if last:
        # Clocks may go back; the books do not.
        build = replace(build, recorded_at=max(build.recorded_at, last.recorded_at))
    evidence = _Evidence(connection)
    due_statements = _draft_statements(connection, build, evidence, number=last.posting_number + 1 if last else 1)
    statements = _append_statements(connection, due_statements)
    balances = read_balances(connection, service_month=build.service_month, as_of=build.as_of)
    due = plan(balances)
    drafts = draft_lines(
        due.due,
        evidence=evidence.digests({balance.contract_id for balance, _ in due.due}),
        run_id=build.run_id,
        code_version=build.code_version,
        tzdata_version=build.tzdata_version,
    )
    lines = append(connection, drafts, recorded_at=build.recorded_at)
    _require_nothing_left(connection, build)
    posting: Posting | None = None
    if statements or lines:
        origin = _origin(connection, build)
        posting = seal(connection, last, origin, lines=lines, statement_hashes=statements)
        insert_posting(connection, posting)
    connection.execute("update audit.builds set posted_at = %s where run_id = %s", (build.recorded_at, build.run_id))
    return PostResult(
        service_month=build.service_month,
        posting_number=posting.posting_number if posting else None,
        statements_appended=len(statements),
        lines_appended=len(lines),
        amounts_appended={currency: Decimal(amount) for currency, amount in posting.sums.items()} if posting else {},
        held=_account_months_in(connection, build, "held"),
        blocked=_account_months_in(connection, build, "blocked"),
        overpaid=_overpaid(due),
        kept=tuple(Waiting(balance.contract_id, balance.reason) for balance in due.refused),
    )


def _origin(connection: psycopg.Connection, build: Build) -> Origin:
    """The build, and the validations that it rests on: `require_validated` found both."""
    validations = {
        gate: (validation_id, digest)
        for gate, validation_id, digest in connection.execute(
            """
            select distinct on (gate) gate, validation_id, candidate_sha256
            from audit.validations
            where run_id = %s and service_month = %s and as_of = %s
            order by gate, validation_number desc
            """,
            (build.run_id, build.service_month, build.as_of),
        )
    }
    return Origin(
        kind="close",
        run_id=build.run_id,
        service_month=build.service_month,
        prepared_by=build.prepared_by,
        code_version=build.code_version,
        tzdata_version=build.tzdata_version,
        recorded_at=build.recorded_at,
        as_of=build.as_of,
        raw_validation_id=validations["raw"][0],
        marts_validation_id=validations["marts"][0],
        inputs_sha256=validations["raw"][1],
        candidate_sha256=validations["marts"][1],
    )


def read_balances(connection: psycopg.Connection, *, service_month: date, as_of: datetime) -> list[Balance]:
    """Where the month's marts and lines differ, in the order that `plan` wants."""
    with connection.cursor(row_factory=class_row(Balance)) as cursor:
        return cursor.execute("select * from billing.lines_due(%s, %s)", (service_month, as_of)).fetchall()


def _require_nothing_left(connection: psycopg.Connection, build: Build) -> None:
    """The books themselves must say that the sum of the lines is the sum of the credits, before they are committed."""
    balances = read_balances(connection, service_month=build.service_month, as_of=build.as_of)
    left = plan(balances).due
    if left:
        balance = left[0][0]
        raise LinesDoNotAddUp(
            f"{len(left)} sums of lines are not what is owed after posting: contract {balance.contract_id} is owed "
            f"{number_text(balance.owed_amount)} {balance.currency} for {month_text(balance.service_month)} "
            f"({balance.basis}), its lines add up to {number_text(balance.posted_amount)}. Nothing was appended: "
            "something changed the lines while they were written; look for triggers on `billing`, and report it."
        )


class _Evidence:
    """The evidence of account-months, made and stored once a contract."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.held: dict[str, str] = {}
        self.inputs_sha256: str | None = None

    def digests(self, contract_ids: Iterable[str]) -> Mapping[str, str]:
        """Contract -> digest of the document that is now in `billing.evidence`."""
        missing = sorted(set(contract_ids) - self.held.keys())
        if missing:
            if self.inputs_sha256 is None:
                (inputs,) = self.connection.execute(_query("inputs")).fetchone()
                self.inputs_sha256 = self._store([inputs])[0]
            rows = self.connection.execute(
                _query("evidence"), {"contract_ids": missing, "inputs_sha256": self.inputs_sha256}
            ).fetchall()
            stored = self._store([document for _, document in rows])
            self.held.update(zip((contract_id for contract_id, _ in rows), stored, strict=True))
        return self.held

    def _store(self, documents: Sequence[str]) -> list[str]:
        digests = [text_digest(document) for document in documents]
        with self.connection.cursor() as cursor:
            cursor.executemany(
                # The digest is the content: what is there under it is the same text.
                "insert into billing.evidence (evidence_sha256, document) values (%s, %s)"
                " on conflict (evidence_sha256) do nothing",
                list(zip(digests, documents, strict=True)),
            )
        return digests


def _draft_statements(
    connection: psycopg.Connection, build: Build, evidence: _Evidence, *, number: int
) -> list[dict[str, Any]]:
    """The statements that are due, as rows of posting `number`."""
    with connection.cursor(row_factory=dict_row) as cursor:
        due = cursor.execute("select * from billing.statements_due(%s, %s)", (build.service_month, number)).fetchall()
    digests = evidence.digests(row["contract_id"] for row in due)
    return [
        {
            "statement_id": statement_id(
                row["contract_id"], service_month=build.service_month, revision=row["revision"]
            ),
            **row,
            "as_of": build.as_of,
            "evidence_sha256": digests[row["contract_id"]],
            "recorded_at": build.recorded_at,
            "run_id": build.run_id,
            "code_version": build.code_version,
            "tzdata_version": build.tzdata_version,
            "posting_number": number,
        }
        for row in due
    ]


def _append_statements(connection: psycopg.Connection, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Write them; their hashes."""
    hashed = [{**row, "statement_hash": statement_hash(row)} for row in rows]
    if hashed:
        insert = sql.SQL("insert into billing.sla_statements ({columns}) values ({values})").format(
            columns=sql.SQL(", ").join(map(sql.Identifier, hashed[0])),
            values=sql.SQL(", ").join(map(sql.Placeholder, hashed[0])),
        )
        with connection.cursor() as cursor:
            cursor.executemany(insert, hashed)
    return [row["statement_hash"] for row in hashed]


def _account_months_in(connection: psycopg.Connection, build: Build, status: str) -> tuple[Waiting, ...]:
    return tuple(
        Waiting(contract_id, reason or status)
        for contract_id, reason in connection.execute(
            """
            select contract_id, reason from marts.fct_account_months
            where service_month = %s and status = %s order by contract_id collate "C"
            """,
            (build.service_month, status),
        )
    )


def _overpaid(due: Plan) -> tuple[Waiting, ...]:
    return tuple(
        Waiting(balance.contract_id, f"{number_text(-balance.amount)} {balance.currency} overpaid. {balance.reason}")
        for balance in due.overpaid
    ) + tuple(
        Waiting(
            balance.contract_id,
            f"{number_text(balance.amount)} {balance.currency} wait until what was posted in another currency "
            "is taken back",
        )
        for balance in due.waiting
    )
