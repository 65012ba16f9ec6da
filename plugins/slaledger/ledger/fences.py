"""What keeps the books as they are (triggers, constraints, functions, owners, grants), held against the migrations."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg

from slaledger.ledger.canonical import text_digest

# Object -> SHA-256 of its definition in a database that was just migrated, as `read` tells it. Generated:
# `SLA_REGENERATE=1 pytest tests/ledger/test_fences.py`.
LIST = Path(__file__).parent / "fences.json"
QUERY = Path(__file__).parent / "fences.sql"

_SHOWN = 200


def read(connection: psycopg.Connection) -> dict[str, str]:
    """Object -> its definition, of all that the migrations make. Reads in the caller's transaction."""
    (held,) = connection.execute("select current_setting('search_path')").fetchone()
    # With nothing on the path every name is told in full.
    connection.execute("select set_config('search_path', 'pg_catalog', true)")
    found = dict(connection.execute(QUERY.read_bytes()).fetchall())
    connection.execute("select set_config('search_path', %s, true)", (held,))
    return found


def digests(definitions: dict[str, str]) -> dict[str, str]:
    """Object -> SHA-256 of its definition."""
    return {name: text_digest(definition) for name, definition in definitions.items()}


def faults(connection: psycopg.Connection) -> list[str]:
    """A sentence for each fence that is missing, different, or that no migration makes; none: they stand."""
    expected = json.loads(LIST.read_bytes())
    found = read(connection)
    said = []
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            said.append(f"{name} is missing")
        elif name not in expected:
            said.append(f"{name} is made by no migration: {_short(found[name])}")
        elif text_digest(found[name]) != expected[name]:
            said.append(f"{name} is not as the migrations make it: {_short(found[name])}")
    return said


def _short(definition: str) -> str:
    text = " ".join(definition.split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
