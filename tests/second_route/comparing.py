"""Both routes' marts, row by row and column by column, as exact numbers; what differs, so that a person can read it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tests.second_route.world import SECOND, Row, micros

# The columns of contracts.md, all of them, and by which of them a row is told from others.
COLUMNS = {
    "account_months": "account_id contract_id service_month terms_id terms_version guaranteed measured_from "
    "measured_until measured_seconds counted_seconds excluded_seconds unknown_seconds uptime_percent "
    "uptime_percent_low uptime_percent_alternative outcome_sensitive commitment_percent met status reason",
    "account_downtime": "contract_id service_month started_at ended_at kind services categories source_ids",
    "response_times": "ticket_id account_id contract_id service_month severity created_at first_human_reply_at "
    "first_ai_reply_at due_at elapsed_seconds business_seconds outcome reason guaranteed",
    "claims": "claim_id account_id contract_id service_month received_at complete_at deadline_at status reason",
    "credits": "account_id contract_id service_month basis credit_percent monthly_fee currency amount status reason "
    "claim_id",
    "findings": "code service_month subject object detail",
}
KEYS = {
    "account_months": "contract_id service_month",
    "account_downtime": "contract_id service_month started_at",
    "response_times": "ticket_id",
    "claims": "claim_id contract_id",
    "credits": "contract_id service_month basis",
    "findings": "code service_month subject object detail",
}
# What landing alone says of objects and rows; it changes nothing that is used.
LANDINGS_OWN = frozenset(
    {
        "incident_start_replaced",
        "malformed_metadata",
        "source_deleted",
        "terms_version_changed",
        "unknown_field",
        "unknown_prefix",
    }
)
SET_ASIDE = frozenset({"object_quarantined", "rows_quarantined"})
QUARANTINED = re.compile(r"\w+: (\d+) rows, the first is line (\d+)")
NO_ROW = "(no row)"
SHOWN = 5


@dataclass(frozen=True)
class Difference:
    """One value that the routes do not agree on; `column` is `(row)` where one of them has no such row."""

    mart: str
    column: str
    key: tuple[Any, ...]
    models: Any
    second_route: Any


def from_mart(row: Row) -> Row:
    """A row of a mart in the second route's units: whole microseconds, `YYYY-MM`, sorted lists."""
    return {name: _plain(name, value) for name, value in row.items()}


def _plain(name: str, value: Any) -> Any:
    match value:
        case datetime():
            return micros(value)
        case date():
            return f"{value:%Y-%m}"
        case list():
            return sorted(value)
        case Decimal() | int() if name.endswith("_seconds"):
            exact = value * SECOND
            assert exact == int(exact), f"{name} is {value}: no whole number of microseconds"
            return int(exact)
    return value


def findings_from_mart(rows: Iterable[Row]) -> list[Row]:
    """Findings in the second route's terms: `object` is (key, version_id), and of what landing set aside no reason.

    The routes name reasons differently: of rows their number in an object is left, whatever the reason, and the first.
    """
    found = []
    quarantined: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    months = set()
    for row in rows:
        told = from_mart({name: row[name] for name in ("code", "service_month", "subject", "detail")})
        told["object"] = None if row["key"] is None else (row["key"], row["version_id"])
        months.add(told["service_month"])
        if told["code"] in LANDINGS_OWN or (told["code"] in SET_ASIDE and told["subject"].startswith("terms/")):
            continue
        if told["code"] == "rows_quarantined":
            count, first = QUARANTINED.fullmatch(told["detail"]).groups()
            quarantined[told["object"]].append((int(count), int(first)))
        elif told["code"] == "object_quarantined":
            found.append({**told, "detail": ""})
        else:
            found.append(told)
    for source, counted in quarantined.items():
        (month,) = months
        detail = f"{sum(count for count, _ in counted)} rows, the first is line {min(first for _, first in counted)}"
        told = {"code": "rows_quarantined", "service_month": month, "subject": source[0], "object": source}
        found.append({**told, "detail": detail})
    return found


def compare(mart: str, models: Iterable[Row], second_route: Iterable[Row]) -> list[Difference]:
    """What differs between two tellings of a mart: rows that one of them lacks, rows told twice, and values."""
    sides = []
    differences: list[Difference] = []
    for name, rows in (("models", models), ("second route", second_route)):
        by_key: dict[tuple[Any, ...], Row] = {}
        for row in rows:
            key = tuple(row[column] for column in KEYS[mart].split())
            if key in by_key:
                differences.append(Difference(mart, "(row)", key, f"twice in the {name}", ""))
            by_key[key] = row
        sides.append(by_key)
    ours, theirs = sides
    for key in sorted(ours.keys() | theirs.keys(), key=repr):
        if key not in ours or key not in theirs:
            differences.append(Difference(mart, "(row)", key, ours.get(key, NO_ROW), theirs.get(key, NO_ROW)))
            continue
        for column in COLUMNS[mart].split():
            models_value, second_value = ours[key][column], theirs[key][column]
            if models_value != second_value or (models_value is None) != (second_value is None):
                differences.append(Difference(mart, column, key, models_value, second_value))
    return differences


def report(differences: Iterable[Difference], *, seed: int) -> str:
    """Differences grouped by mart and column, a few of each."""
    groups: dict[tuple[str, str], list[Difference]] = defaultdict(list)
    for difference in differences:
        code = f" {difference.key[0]}" if difference.mart == "findings" else ""
        groups[difference.mart, f"{difference.column}{code}"].append(difference)
    lines = [f"SLA_SEED={seed}: {sum(map(len, groups.values()))} differences"]
    for (mart, column), found in sorted(groups.items()):
        lines.append(f"  {mart}.{column}: {len(found)}")
        for each in found[:SHOWN]:
            name = " ".join(map(str, each.key))
            lines.append(f"    {name}\n      models       {each.models!r}\n      second route {each.second_route!r}")
    return "\n".join(lines)
