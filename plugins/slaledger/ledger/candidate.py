"""The candidate: what the current build would have the ledger post, and its digest."""

from __future__ import annotations

import hashlib

import psycopg
from psycopg import sql

from slaledger.ledger.canonical import encode

# The columns of the contract, in its order, and what orders the rows. Columns that follow them in a mart
# (evidence, digests of decisions) say nothing that these do not.
ACCOUNT_MONTH_COLUMNS = (
    "account_id", "contract_id", "service_month", "terms_id", "terms_version", "guaranteed", "measured_from",
    "measured_until", "measured_seconds", "counted_seconds", "excluded_seconds", "unknown_seconds",
    "uptime_percent", "uptime_percent_low", "uptime_percent_alternative", "outcome_sensitive",
    "commitment_percent", "met", "status", "reason",
)  # fmt: skip
CANDIDATE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "fct_account_months": (ACCOUNT_MONTH_COLUMNS, ("contract_id",)),
    "fct_account_downtime": (
        ("contract_id", "service_month", "started_at", "ended_at", "kind", "services", "categories", "source_ids"),
        ("contract_id", "started_at", "ended_at"),
    ),
    "fct_claims": (
        (
            "claim_id", "account_id", "contract_id", "service_month", "received_at", "complete_at", "deadline_at",
            "status", "reason",
        ),
        ("claim_id", "contract_id"),
    ),
    "fct_credits": (
        (
            "account_id", "contract_id", "service_month", "basis", "credit_percent", "monthly_fee", "currency",
            "amount", "status", "reason", "claim_id",
        ),
        ("contract_id", "basis"),
    ),
}  # fmt: skip


def inputs_sha256(connection: psycopg.Connection) -> str:
    """Digest of the objects in force and what was loaded of them: what the raw gate validated is what is posted on."""
    row = connection.execute(
        """
        select encode(sha256(convert_to(coalesce(string_agg(
            concat_ws('|', object_id, sha256, status, rows_loaded, rows_quarantined), E'\\n' order by object_id
        ), ''), 'UTF8')), 'hex')
        from raw.source_objects where is_in_force
        """
    ).fetchone()
    assert row is not None, "an aggregate has a row"
    return row[0]


def candidate_sha256(connection: psycopg.Connection) -> str:
    """Digest of the marts' rows of the current build's month: what is validated is what is posted.

    Every value is length-prefixed in one canonical form and the rows stand in the order of their keys' bytes,
    so that neither locale, time zone nor the order of writing changes it. Reads inside the caller's transaction.
    """
    total = hashlib.sha256()
    for mart, (columns, keys) in CANDIDATE.items():
        query = sql.SQL(
            "select {columns} from marts.{mart} as mart"
            " inner join audit.current_build as build on mart.service_month = build.service_month"
            " order by {keys}"
        ).format(
            columns=sql.SQL(", ").join(sql.Identifier("mart", column) for column in columns),
            mart=sql.Identifier(mart),
            keys=sql.SQL(", ").join(
                sql.SQL("mart.{}" if key.endswith("_at") else 'mart.{} collate "C"').format(sql.Identifier(key))
                for key in keys
            ),
        )
        rows = 0
        rows_digest = hashlib.sha256()
        with connection.cursor(name=f"candidate_{mart}") as cursor:
            cursor.itersize = 20_000
            for row in cursor.execute(query):
                rows_digest.update(encode([list(row)]))
                rows += 1
        total.update(encode([mart, list(columns), rows, rows_digest.hexdigest()]))
    return total.hexdigest()
