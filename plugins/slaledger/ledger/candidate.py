"""The candidate: what the current build would have the ledger post, and its digest, as the database computes it."""

from __future__ import annotations

import psycopg


def inputs_sha256(connection: psycopg.Connection) -> str:
    """Digest of the objects in force, what was loaded of them, and the terms: what the raw gate validated."""
    return connection.execute("select audit.inputs_sha256()").fetchone()[0]


def candidate_sha256(connection: psycopg.Connection) -> str:
    """Digest of the marts' rows of the current build's month: what is validated is what is posted.

    The columns are those of the contract. Neither locale, time zone nor the order of the rows changes it. Reads
    inside the caller's transaction.
    """
    return connection.execute("select audit.candidate_sha256()").fetchone()[0]
