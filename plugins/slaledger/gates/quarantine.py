"""The quarantine limit, for those who may approve that a feed is over it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from slaledger.gates.committed import committed
from slaledger.settings import Settings
from slaledger.warehouse import connect

LIMIT_SETTING = "slaledger.quarantine_limit_percent"  # of the database session, where the query reads it


@dataclass(frozen=True)
class QuarantineExcess:
    """A feed with more rows quarantined than the limit, not approved yet."""

    feed: str
    rows_read: int
    rows_quarantined: int
    digest: str  # what an approval must name (audit.decisions, kind quarantine_limit)
    detail: str


def quarantine_digest(feed: str, *, rows_read: int, rows_quarantined: int) -> str:
    """What an approval of a feed over its quarantine limit is bound to: these very counts."""
    return hashlib.sha256(f"{feed}|{rows_read}|{rows_quarantined}".encode()).hexdigest()


def over_quarantine_limit(settings: Settings) -> list[QuarantineExcess]:
    """The feeds that would stop a closing, for `sla pending`: the gate's own query."""
    from psycopg.rows import dict_row

    query = next(
        expectation.query("raw")
        for expectation in committed().GATES["raw"]
        if expectation.name == "quarantined_shares_are_within_the_limit"
    )
    with connect(settings.warehouse, role="sla_approver") as connection:
        connection.execute("select set_config(%s, %s, true)", (LIMIT_SETTING, str(settings.quarantine_limit_percent)))
        rows = connection.cursor(row_factory=dict_row).execute(query.encode()).fetchall()
    return [
        QuarantineExcess(
            feed=row["subject"],
            rows_read=int(row["rows_read"]),
            rows_quarantined=int(row["rows_quarantined"]),
            digest=row["digest"],
            detail=row["detail"],
        )
        for row in rows
    ]
