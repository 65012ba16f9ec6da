"""The second route: the same objects, read and reckoned by `slaledger.reperform`, without a database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from slaledger.reperform import objects, reading, route
from slaledger.settings import PROJECT_DIR
from tests.edge_cases.cases import AS_OF, TABLES
from tests.edge_cases.models import Row, Rows
from tests.edge_cases.world import instant

MARTS = ("account_months", "account_downtime", "response_times", "claims", "credits", "findings")
SAID = frozenset(f"fct_{mart}" for mart in MARTS)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANTS = frozenset({"measured_from", "measured_until"})


def account(tree: Path, *, months: Collection[str] = tuple(AS_OF)) -> Rows:
    """Months as of their instants, from a tree that `sla put` would upload."""
    shipped = [path.read_bytes() for path in sorted((PROJECT_DIR / "terms").glob("*.yml"))]
    exports = reading.read(objects.from_directory(tree), shipped_terms=shipped)
    found: Rows = defaultdict(list)
    for month in months:
        microseconds = (instant(AS_OF[month]) - _EPOCH) // timedelta(microseconds=1)
        figures = route.reperform(exports, service_month=month, as_of=microseconds)
        for mart in MARTS:
            table = f"fct_{mart}"
            for row in getattr(figures, mart):
                found[table, month, row[TABLES[table]]].append(_as_in_the_marts(row))
    return found


def _as_in_the_marts(row: Row) -> Row:
    return {name: _value(name, value) for name, value in row.items()}


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name.endswith("_at") or name in _INSTANTS:
        return _EPOCH + timedelta(microseconds=value)
    if name.endswith("_seconds"):
        return Decimal(value) / 1_000_000
    return value
