"""The hash chain, recomputed line by line."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import psycopg

from slaledger.ledger.canonical import HASH_VERSION, line_item_id
from slaledger.ledger.chain import GENESIS, Line, read_lines
from slaledger.settings import Settings
from slaledger.warehouse import connect


@dataclass(frozen=True)
class ChainReport:
    """What recomputing the chain found."""

    lines: int  # that hold, from the first on
    head_hash: str  # of the last line that holds
    first_bad_line: uuid.UUID | None
    reason: str | None

    @property
    def is_intact(self) -> bool:
        """Whether every line is what it was when it was appended."""
        return self.reason is None

    def __str__(self) -> str:
        """The sentence that the command line prints."""
        if self.is_intact:
            return f"The chain holds: {self.lines} lines, head {self.head_hash}."
        where = f" at line {self.first_bad_line}" if self.first_bad_line else ""
        return f"The chain is broken{where}: {self.reason}. {self.lines} lines before it hold."


def verify_chain(settings: Settings) -> ChainReport:
    """Recompute every line's id, hash and link, every evidence's digest, and count what was dropped.

    The first line that is not what it was is named.
    """
    with connect(settings.warehouse, role="sla_auditor") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        count, head = 0, GENESIS
        for line in read_lines(connection):
            fault = _fault(line, position=count + 1, previous_hash=head)
            if fault:
                return ChainReport(count, head, line.line_item_id, fault)
            count, head = count + 1, line.line_hash
        item_id, fault = _fault_elsewhere(connection)
        return ChainReport(count, head, item_id, fault)


def _fault(line: Line, *, position: int, previous_hash: str) -> str | None:
    if line.hash_version != HASH_VERSION:
        return f"its hash version {line.hash_version} is unknown"
    if line.chain_position != position:
        return f"it stands at position {line.chain_position}, and {position} is missing"
    if line.previous_hash != previous_hash:
        return "it does not follow the hash of the line before it"
    if line.computed_hash() != line.line_hash:
        return "its columns do not give its hash: it was changed"
    if line.line_item_id != line_item_id(line.idempotency_key):
        return "its id is not that of its key"
    return None


def _fault_elsewhere(connection: psycopg.Connection) -> tuple[uuid.UUID | None, str | None]:
    changed = connection.execute(
        """
        select lines.line_item_id, evidence.evidence_sha256
        from billing.credit_line_items as lines
        inner join billing.evidence on lines.evidence_sha256 = evidence.evidence_sha256
        where evidence.evidence_sha256 <> encode(sha256(convert_to(evidence.document, 'UTF8')), 'hex')
        order by lines.chain_position
        limit 1
        """
    ).fetchone()
    if changed:
        return changed[0], f"its evidence {changed[1]} was changed"
    # Lines that were taken off the end leave no gap; what was dropped remembers them.
    missing = connection.execute(
        """
        select deliveries.key, deliveries.row_count
        from billing.deliveries
        where
            deliveries.is_manifest
            and deliveries.row_count <> (
                select count(*)
                from billing.credit_line_items as lines
                where lines.run_id = deliveries.run_id and lines.service_month = deliveries.service_month
            )
        order by deliveries.delivered_at
        limit 1
        """
    ).fetchone()
    if missing:
        return None, f"{missing[0]} was dropped with {missing[1]} lines, and not all of them are in the ledger"
    return None, None
