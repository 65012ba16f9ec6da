"""What a warehouse holds, as one digest: ordered dumps without clocks."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

import psycopg
from psycopg import sql

BOOKS = ("raw", "audit", "billing")
# Who ran, what the clock, chance or a sequence said, and the hashes of what has it.
CLOCKS = frozenset(
    (
        *("run_id", "landed_at", "started_at", "evaluated_at", "validation_id", "decision_id", "decided_at"),
        *("validation_number", "delivered_at", "recorded_at", "posted_at", "models_started_at", "models_built_at"),
        *("previous_hash", "line_hash", "head_hash", "posting_hash", "statement_hash", "statements_sha256"),
        *("decision_hash", "decision_hashes", "build_number"),
    )
)

# Every evaluation leaves a record: one more that says the same says nothing new.
LOGS = ("audit.validations",)


def tables(connection: psycopg.Connection, schemas: Collection[str] = BOOKS) -> list[tuple[str, str]]:
    """(schema, table), in their order."""
    return connection.execute(
        "select table_schema, table_name from information_schema.tables "
        "where table_schema = any(%s) and table_type = 'BASE TABLE' order by 1, 2",
        [list(schemas)],
    ).fetchall()


def contents(
    connection: psycopg.Connection, schemas: Collection[str] = BOOKS, *, without: Collection[str] = CLOCKS
) -> dict[str, str]:
    """Table -> digest of its rows, in an order of their own."""
    found = {}
    for schema, table in tables(connection, schemas):
        rows = connection.execute(
            sql.SQL("select (to_jsonb(t) - %s::text[])::text from {} as t").format(sql.Identifier(schema, table)),
            [list(without)],
        )
        name, said = f"{schema}.{table}", [row for (row,) in rows]
        found[name] = hashlib.sha256("\n".join(sorted(set(said) if name in LOGS else said)).encode()).hexdigest()
    return found
