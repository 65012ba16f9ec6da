"""A line with all that it names, read back as it was when the line was appended."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg

from slaledger.ledger.canonical import month_text
from slaledger.ledger.chain import Line, read_line
from slaledger.ledger.documents import require_whole
from slaledger.ledger.faults import BooksFault


class UnknownLine(Exception):
    """No line has this id."""

    exit_code = 2


@dataclass(frozen=True)
class Case:
    """A line, its siblings, and the evidence stored with it, whatever the marts say now."""

    line: Line
    siblings: list[tuple[uuid.UUID, str, Decimal, str, str]]  # every line of the account-month: id, type, …, basis
    revision: int
    as_of: str
    evidence: dict[str, Any]
    inputs: int  # objects that the build may have read
    decision: tuple[str, str, str] | None  # on a decrease: who, why, when

    @property
    def month(self) -> dict[str, Any]:
        """The account-month; empty where it was no more."""
        return self.evidence["account_month"] or {}

    @property
    def credit(self) -> dict[str, Any]:
        """What the line's basis earned; empty where nothing."""
        credits = [credit for credit in self.evidence["credits"] if credit["basis"] == self.line.basis]
        return credits[0] if credits else {}


def known_line(connection: psycopg.Connection, text: str) -> Line:
    """The line with this id. Raises `UnknownLine` naming what exists."""
    try:
        line = read_line(connection, uuid.UUID(text))
    except ValueError:
        line = None
    if line is None:
        known = connection.execute(
            "select line_item_id, contract_id, service_month from billing.credit_line_items"
            " order by chain_position desc limit 5"
        ).fetchall()
        latest = "; ".join(f"{item} (contract {contract}, {month_text(month)})" for item, contract, month in known)
        raise UnknownLine(
            f"No line {text!r}. " + (f"The latest are {latest}." if known else "The ledger has no line yet.")
        )
    return line


def read_case(connection: psycopg.Connection, text: str) -> Case:
    """The case of the line with this id.

    Raises `UnknownLine`, and `BooksFault` where what it rests on is not there, or not whole.
    """
    line = known_line(connection, text)
    require_whole(connection, line.evidence_sha256)
    siblings = connection.execute(
        """
        select line_item_id, entry_type, amount, currency, basis
        from billing.credit_line_items where contract_id = %s and service_month = %s order by chain_position
        """,
        (line.contract_id, line.service_month),
    ).fetchall()
    found = connection.execute(
        """
        select
            statements.revision,
            to_char(statements.as_of at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            evidence.document,
            (
                select jsonb_array_length(inputs.document::jsonb -> 'objects')
                from billing.evidence as inputs
                where inputs.evidence_sha256 = evidence.document::jsonb ->> 'inputs_sha256'
            )
        from billing.sla_statements as statements
        cross join billing.evidence
        where statements.statement_id = %s and evidence.evidence_sha256 = %s
        """,
        (line.statement_id, line.evidence_sha256),
    ).fetchone()
    if found is None:
        raise BooksFault(f"line {line.line_item_id}", "its statement or its evidence is not in the books")
    revision, as_of, document, inputs = found
    decision = connection.execute(
        """
        select decided_by, because, to_char(decided_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        from audit.decisions
        where kind = 'decrease' and is_approved and subject = %s and decided_by = %s and decided_at <= %s
        order by decision_id desc limit 1
        """,
        (f"{line.contract_id}|{month_text(line.service_month)}|{line.basis}", line.approved_by, line.recorded_at),
    ).fetchone()
    return Case(line, siblings, revision, as_of, json.loads(document, parse_float=Decimal), inputs, decision)
