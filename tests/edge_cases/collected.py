"""All cases of this folder and of tests/scenarios, and the objects that they need."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tests.edge_cases import (  # noqa: F401  (the cases of each are told below)
    cases,
    claims,
    contracts,
    exclusions,
    ingestion,
    monitoring,
    scope,
    stories,
    tickets,
    uptime,
)
from tests.edge_cases.cases import AS_OF, Case, agree
from tests.edge_cases.models import Rows
from tests.edge_cases.world import World

WORLD = World()
CASES = [*stories.told(), *cases.told(WORLD)]


def write(directory: Path) -> None:
    """What lies in the bucket, as one tree that `sla put` uploads."""
    stories.write(directory)
    WORLD.write(directory)


def differing(case: Case, rows: Rows, tables: Collection[str], *, months: Collection[str] = (*AS_OF, "")) -> str:
    """What a case expects otherwise than it is, of these tables and months; nothing where all agrees."""
    return "\n".join(
        f"{table} {month} {owner}\n  expected {expected}\n  but got {rows[table, month, owner]}"
        for (table, month, owner), expected in case.expected.rows.items()
        if table in tables and month in months and not agree(expected, rows[table, month, owner])
    )
