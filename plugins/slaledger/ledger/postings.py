"""Postings: one row for each transaction that appended anything, chained by hash; the batch, and the outbox."""

from __future__ import annotations

import dataclasses
import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from slaledger.ledger.canonical import HASH_VERSION, digest, number_text, row_digest
from slaledger.ledger.chain import GENESIS, Line
from slaledger.ledger.preconditions import PostingRefused


class RefusedAtCommit(PostingRefused):
    """The database does not hold what was to be appended to be validated and owed."""


@contextmanager
def told_by_name() -> Iterator[None]:
    """Around a transaction that posts: what its triggers refuse is a `RefusedAtCommit`."""
    try:
        yield
    except psycopg.errors.CheckViolation as refusal:
        raise RefusedAtCommit(
            f"{refusal.diag.message_primary}. Nothing was appended: run the month again with `sla run --close`; if it "
            "comes back, somebody changed `billing` or `marts` by hand (docs/runbooks/ledger.md)."
        ) from refusal


# The columns of a statement that its hash is of: all but the hash.
STATEMENT_COLUMNS = (
    "statement_id", "contract_id", "service_month", "revision", "account_id", "terms_id", "terms_version", "guaranteed",
    "measured_from", "measured_until", "measured_seconds", "counted_seconds", "excluded_seconds", "unknown_seconds",
    "uptime_percent", "uptime_percent_low", "uptime_percent_alternative", "outcome_sensitive", "commitment_percent",
    "met", "status", "reason", "as_of", "evidence_sha256", "recorded_at", "run_id", "code_version", "tzdata_version",
    "posting_number",
)  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """Who posts what for, and what it rests on: the part of a posting that is known before it."""

    kind: str  # close | goodwill
    run_id: str
    service_month: date
    prepared_by: str
    code_version: str
    tzdata_version: str
    recorded_at: datetime
    as_of: datetime | None = None  # of a closing, like the next four: goodwill rests on no validation
    raw_validation_id: uuid.UUID | None = None
    marts_validation_id: uuid.UUID | None = None
    inputs_sha256: str | None = None
    candidate_sha256: str | None = None


@dataclass(frozen=True)
class Posting:
    """A row of `billing.postings`."""

    posting_number: int
    kind: str
    run_id: str
    service_month: date
    as_of: datetime | None
    raw_validation_id: uuid.UUID | None
    marts_validation_id: uuid.UUID | None
    inputs_sha256: str | None
    candidate_sha256: str | None
    prepared_by: str
    statement_count: int
    statements_sha256: str
    line_count: int
    first_position: int
    last_position: int
    head_hash: str
    sums: dict[str, str]  # currency -> sum of its lines
    decisions_through: int
    decision_hashes: list[str]
    code_version: str
    tzdata_version: str
    recorded_at: datetime
    previous_hash: str
    posting_hash: str
    hash_version: int

    def computed_hash(self) -> str:
        """The digest of every column but `posting_hash`, names and values, hash version 1."""
        return row_digest(
            "posting", [(name, _plain(getattr(self, name))) for name in POSTING_COLUMNS if name != "posting_hash"]
        )


POSTING_COLUMNS = tuple(field.name for field in dataclasses.fields(Posting))


def _plain(value: object) -> object:
    return [part for pair in sorted(value.items()) for part in pair] if isinstance(value, dict) else value


def genesis(ledger_id: uuid.UUID) -> str:
    """What the first posting of this ledger follows."""
    return digest("slaledger ledger", ledger_id)


def read_ledger_id(connection: psycopg.Connection) -> uuid.UUID:
    """The id that this ledger was given when its database was made."""
    return connection.execute("select ledger_id from billing.ledger").fetchone()[0]


def statement_hash(row: Mapping[str, Any]) -> str:
    """The digest of a statement's columns but its hash, names and values, hash version 1."""
    return row_digest("statement", [(name, row[name]) for name in STATEMENT_COLUMNS])


def statements_digest(hashes: Iterable[str]) -> str:
    """Of a posting's statements, by their hashes."""
    return hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()


def sums_of(lines: Iterable[Line]) -> dict[str, str]:
    """Currency -> sum of the lines, as text without trailing zeros."""
    sums: dict[str, Decimal] = {}
    for line in lines:
        sums[line.currency] = sums.get(line.currency, Decimal(0)) + line.amount
    return {currency: number_text(amount) for currency, amount in sorted(sums.items())}


def read_decision_hashes(connection: psycopg.Connection, *, after: int) -> dict[int, str]:
    """Decision -> its digest, of those after the one given, in their order; null columns are left out."""
    rows = connection.execute(
        """
        select decisions.decision_id, fields.key, fields.value
        from audit.decisions
        cross join lateral jsonb_each_text(jsonb_strip_nulls(to_jsonb(decisions))) as fields (key, value)
        where decisions.decision_id > %s
        order by decisions.decision_id, fields.key collate "C"
        """,
        (after,),
    )
    return {
        decision_id: row_digest("decision", [(name, value) for _, name, value in fields])
        for decision_id, fields in groupby(rows, key=lambda row: row[0])
    }


def read_postings(connection: psycopg.Connection) -> Iterator[Posting]:
    """Every posting, in order."""
    with connection.cursor(name="postings", row_factory=class_row(Posting)) as cursor:
        yield from cursor.execute(_select("order by posting_number"))


def read_posting(connection: psycopg.Connection, number: int) -> Posting | None:
    """The posting with this number."""
    with connection.cursor(row_factory=class_row(Posting)) as cursor:
        return cursor.execute(_select("where posting_number = %s"), (number,)).fetchone()


def last_posting(connection: psycopg.Connection) -> Posting | None:
    """The one that the next follows."""
    with connection.cursor(row_factory=class_row(Posting)) as cursor:
        return cursor.execute(_select("order by posting_number desc limit 1")).fetchone()


def _select(condition: str) -> sql.Composed:
    return sql.SQL("select {columns} from billing.postings {condition}").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, POSTING_COLUMNS)), condition=sql.SQL(condition)
    )


def seal(
    connection: psycopg.Connection,
    last: Posting | None,
    origin: Origin,
    *,
    lines: Sequence[Line],
    statement_hashes: Sequence[str],
) -> Posting:
    """What a posting has to say of what this transaction appended after `last`.

    The caller came through `hold_ledger`.
    """
    first_position = last.last_position + 1 if last else 1
    decided_before = last.decisions_through if last else 0
    decisions = read_decision_hashes(connection, after=decided_before)
    unsealed = Posting(
        **dataclasses.asdict(origin),
        posting_number=last.posting_number + 1 if last else 1,
        statement_count=len(statement_hashes),
        statements_sha256=statements_digest(statement_hashes),
        line_count=len(lines),
        first_position=first_position,
        last_position=first_position + len(lines) - 1,
        head_hash=lines[-1].line_hash if lines else last.head_hash if last else GENESIS,
        sums=sums_of(lines),
        decisions_through=max(decisions, default=decided_before),
        decision_hashes=list(decisions.values()),
        previous_hash=last.posting_hash if last else genesis(read_ledger_id(connection)),
        posting_hash="",
        hash_version=HASH_VERSION,
    )
    return dataclasses.replace(unsealed, posting_hash=unsealed.computed_hash())


def insert_posting(connection: psycopg.Connection, posting: Posting) -> None:
    """Write the row; whether it is so is asked when the transaction commits."""
    values = {name: getattr(posting, name) for name in POSTING_COLUMNS}
    connection.execute(
        sql.SQL("insert into billing.postings ({columns}) values ({values})").format(
            columns=sql.SQL(", ").join(map(sql.Identifier, POSTING_COLUMNS)),
            values=sql.SQL(", ").join(map(sql.Placeholder, POSTING_COLUMNS)),
        ),
        {**values, "sums": Jsonb(posting.sums)},
    )
