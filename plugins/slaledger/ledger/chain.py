"""Lines as the chain holds them: their columns, their hash, and appending them once."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from slaledger.ledger.canonical import HASH_VERSION, idempotency_key, line_item_id, number_text, row_digest, text_digest

# What the first line follows.
GENESIS = text_digest("slaledger.ledger.genesis.v1")

SETTLEMENT = "future_invoice"


class IdempotencyPayloadMismatch(Exception):
    """A line with this key is in the ledger, and says something else."""

    is_final = True


class LedgerHeld(Exception):
    """Another session holds the ledger, or what a posting reads, and does not let go."""


def hold_ledger(connection: psycopg.Connection) -> None:
    """The first statement of every transaction that appends to the books: what it reads stands still until it ends.

    Neither another posting, nor a build, nor a decision comes between: what is read after it is what the writer
    before us left. Raises `LedgerHeld`, naming who holds it, after five minutes.
    """
    try:
        connection.execute("select billing.hold_ledger()")
    except psycopg.errors.LockNotAvailable as held:
        raise LedgerHeld(
            f"{held.diag.message_primary}. {held.diag.message_hint}. Nothing was appended: run it again then."
        ) from held


@dataclass(frozen=True)
class Draft:
    """A line to append, before it has a place in the chain."""

    entry_type: str
    basis: str
    ordinal: int
    account_id: str
    contract_id: str
    service_month: date
    amount: Decimal
    currency: str
    credit_percent: Decimal | None
    monthly_fee: Decimal | None
    uptime_percent: Decimal | None
    counted_seconds: Decimal | None
    terms_id: str | None
    terms_version: str | None
    claim_id: str | None
    statement_id: uuid.UUID
    applies_from: date
    corrects_line_item_id: uuid.UUID | None
    reason: str
    approved_by: str | None
    evidence_sha256: str
    run_id: str
    code_version: str
    tzdata_version: str

    @property
    def idempotency_key(self) -> str:
        """Contract, month, basis and ordinal (rule L2)."""
        return idempotency_key(
            self.contract_id, service_month=self.service_month, basis=self.basis, ordinal=self.ordinal
        )


@dataclass(frozen=True)
class Line:
    """A row of `billing.credit_line_items`: its columns, in their order."""

    line_item_id: uuid.UUID
    idempotency_key: str
    entry_type: str
    basis: str
    account_id: str
    contract_id: str
    service_month: date
    amount: Decimal
    currency: str
    credit_percent: Decimal | None
    monthly_fee: Decimal | None
    uptime_percent: Decimal | None
    counted_seconds: Decimal | None
    terms_id: str | None
    terms_version: str | None
    claim_id: str | None
    statement_id: uuid.UUID
    settlement: str
    applies_from: date
    corrects_line_item_id: uuid.UUID | None
    reason: str
    approved_by: str | None
    evidence_sha256: str
    run_id: str
    code_version: str
    tzdata_version: str
    recorded_at: datetime
    previous_hash: str
    line_hash: str
    ordinal: int
    chain_position: int
    hash_version: int

    @property
    def payload(self) -> tuple[str, Decimal, str, uuid.UUID | None]:
        """What must match where a key is appended again (rule L2)."""
        return self.entry_type, self.amount, self.currency, self.corrects_line_item_id

    def computed_hash(self) -> str:
        """The digest of every column but `line_hash`, names and values, hash version 1."""
        return row_digest("line", [(name, getattr(self, name)) for name in LINE_COLUMNS if name != "line_hash"])


LINE_COLUMNS = tuple(field.name for field in dataclasses.fields(Line))


@functools.cache
def _insert() -> sql.Composed:
    return sql.SQL(
        "insert into billing.credit_line_items ({columns}) values ({values})"
        " on conflict (idempotency_key) do nothing returning line_item_id"
    ).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, LINE_COLUMNS)),
        values=sql.SQL(", ").join(map(sql.Placeholder, LINE_COLUMNS)),
    )


def _select(condition: str) -> sql.Composed:
    return sql.SQL("select {columns} from billing.credit_line_items {condition}").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, LINE_COLUMNS)), condition=sql.SQL(condition)
    )


def read_lines(connection: psycopg.Connection) -> Iterator[Line]:
    """Every line, in the order of the chain."""
    with connection.cursor(name="ledger_lines", row_factory=class_row(Line)) as cursor:
        cursor.itersize = 5_000
        yield from cursor.execute(_select("order by chain_position, line_item_id"))


def read_line(connection: psycopg.Connection, item_id: uuid.UUID) -> Line | None:
    """The line with this id."""
    with connection.cursor(row_factory=class_row(Line)) as cursor:
        return cursor.execute(_select("where line_item_id = %s"), (item_id,)).fetchone()


def read_lines_between(connection: psycopg.Connection, *, first: int, last: int) -> list[Line]:
    """The lines at these chain positions, in their order: those of a posting."""
    with connection.cursor(row_factory=class_row(Line)) as cursor:
        return cursor.execute(
            _select("where chain_position between %s and %s order by chain_position"), (first, last)
        ).fetchall()


def append(connection: psycopg.Connection, drafts: Sequence[Draft], *, recorded_at: datetime) -> list[Line]:
    """Append what is not there yet to the end of the chain; the lines that this call appended.

    The caller came through `hold_ledger`. A key that is there with the same payload is left as it is; the unique key
    decides, not this look. Raises `IdempotencyPayloadMismatch` naming both where the payload differs.
    """
    with connection.cursor(row_factory=class_row(Line)) as cursor:
        keys = [draft.idempotency_key for draft in drafts]
        held = {
            line.idempotency_key: line for line in cursor.execute(_select("where idempotency_key = any(%s)"), (keys,))
        }
        head = cursor.execute(_select("order by chain_position desc limit 1")).fetchone()
        position, previous_hash = (head.chain_position, head.line_hash) if head else (0, GENESIS)
        if head:
            recorded_at = max(recorded_at, head.recorded_at)
        lines = []
        for draft in drafts:
            line = _place(draft, position=position + 1, previous_hash=previous_hash, recorded_at=recorded_at)
            if draft.idempotency_key in held:
                _require_same(held[draft.idempotency_key], line)
                continue
            lines.append(line)
            position, previous_hash = line.chain_position, line.line_hash
    with connection.cursor() as cursor:
        cursor.executemany(_insert(), [_row(line) for line in lines])
        if cursor.rowcount != len(lines):
            # Somebody wrote without the lock between the look and the insert: nothing of this is kept.
            raise IdempotencyPayloadMismatch(
                f"{len(lines) - max(cursor.rowcount, 0)} of {len(lines)} lines met a line of the same key that was "
                "written meanwhile without the ledger's lock: run the month again."
            )
    return lines


def _place(draft: Draft, *, position: int, previous_hash: str, recorded_at: datetime) -> Line:
    key = draft.idempotency_key
    unsealed = Line(
        line_item_id=line_item_id(key),
        idempotency_key=key,
        settlement=SETTLEMENT,
        recorded_at=recorded_at,
        previous_hash=previous_hash,
        line_hash="",
        chain_position=position,
        hash_version=HASH_VERSION,
        **_row(draft),
    )
    return dataclasses.replace(unsealed, line_hash=unsealed.computed_hash())


def _row(values: Draft | Line) -> dict[str, object]:
    return {field.name: getattr(values, field.name) for field in dataclasses.fields(values)}


def _require_same(held: Line, offered: Line) -> None:
    if held.payload != offered.payload:
        raise IdempotencyPayloadMismatch(
            f"Line {held.line_item_id} with key {held.idempotency_key} is in the ledger as {_payload_text(held)}; "
            f"now it would be {_payload_text(offered)}. Nothing was appended: run the month again from `sla run`."
        )


def _payload_text(line: Line) -> str:
    corrected = f", correcting {line.corrects_line_item_id}" if line.corrects_line_item_id else ""
    return f"{line.entry_type} of {number_text(line.amount)} {line.currency}{corrected}"
