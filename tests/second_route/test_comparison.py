"""The comparison sees a difference, worlds are replayed by their seed, and hold every feature of their feeds."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.second_route.comparing import COLUMNS, KEYS, compare, from_mart, report
from tests.second_route.generating import generate
from tests.second_route.packing import pack
from tests.second_route.world import Row, World

SEEDS = range(40, 45)


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    return [generate(seed, account_months=300, ticket_count=600) for seed in SEEDS]


def _row(mart: str) -> Row:
    return {column: f"a {column}" for column in COLUMNS[mart].split()}


@pytest.mark.parametrize("mart", COLUMNS)
def test_the_comparison_sees_each_column_and_each_row(mart: str) -> None:
    row = _row(mart)
    assert not compare(mart, [row], [dict(row)])
    for column in set(COLUMNS[mart].split()) - set(KEYS[mart].split()):
        for other in ("another", None):
            (difference,) = compare(mart, [{**row, column: other}], [row])
            assert (difference.column, difference.models) == (column, other)
    assert [each.column for each in compare(mart, [], [row])] == ["(row)"]
    assert [each.column for each in compare(mart, [row], [])] == ["(row)"]
    assert [each.column for each in compare(mart, [row, row], [row])] == ["(row)"]


def test_numbers_are_compared_to_the_last_digit_and_instants_to_the_microsecond() -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)
    row = from_mart(
        {"measured_from": at, "counted_seconds": Decimal("2592.000001"), "uptime_percent": Decimal("99.90")}
    )
    assert row == {
        "measured_from": 1_772_366_400_000_001,
        "counted_seconds": 2_592_000_001,
        "uptime_percent": Decimal("99.9"),
    }
    with pytest.raises(AssertionError, match="no whole number of microseconds"):
        from_mart({"counted_seconds": Decimal("0.0000001")})


def test_a_report_names_the_seed_the_column_the_ids_and_both_values() -> None:
    row = _row("credits") | {"contract_id": "C-1", "amount": Decimal("0.03")}
    told = report(compare("credits", [row], [{**row, "amount": Decimal("0.02")}]), seed=7)
    assert all(part in told for part in ("SLA_SEED=7", "credits.amount: 1", "C-1", "0.03", "0.02"))


def test_a_seed_gives_the_same_bytes_again_and_another_seed_others() -> None:
    def packed(seed: int) -> list:
        return pack(generate(seed, account_months=40, ticket_count=60))

    assert packed(5) == packed(5)
    assert packed(5) != packed(10)


def test_the_worlds_hold_what_agreement_is_worth_something_for(worlds: list[World]) -> None:
    seen: Counter[str] = Counter()
    for world in worlds:
        seen[f"month {world.month}"] += 1
        _count_rows(world, seen)
    missing = {name for name in FEATURES if not seen[name]}
    assert not missing, f"no world holds {sorted(missing)}; they hold {dict(seen)}"


FEATURES = {
    *(f"month {month}" for month in ("2026-03", "2026-04", "2026-10", "2026-11", "2028-02")),
    *(f"notice {action}" for action in ("announce", "move", "cut", "extend", "cancel")),
    *(f"channel {channel}" for channel in ("email", "in_app", "status_page")),
    *(f"check {status}" for status in ("up", "down", "degraded", "unknown")),
    *(f"monitor {name}" for name in ("confirm", "quorum_min", "stale_after_seconds", "active_from", "active_until")),
    *(f"entry {name}" for name in ("unapproved", "self-approved", "without evidence", "revoked", "of incidents")),
    *(f"document {kind}" for kind in ("incidents", "scheduled_maintenances", "summary", "complete")),
    *(f"incident {name}" for name in ("critical, told nothing", "open", "resolved", "without resolved_at")),
    *(f"ticket {name}" for name in ("merged_into", "marked_spam", "severity_changed", "internal_note", "by ai")),
    *(f"ticket {name}" for name in ("automatic", "of nobody", "without created")),
    *("contract suspended", "contract without fee", "fee without contract", "contract without account"),
    *("account without contract", "account sandbox", "two contracts of one account", "claim in several messages"),
    *("claim without account", "claim of an unknown account", "check conflict", "check of an unknown monitor"),
    *("notice of an unknown component", "terms unknown", "monitor without checks"),
}


def _count_rows(world: World, seen: Counter[str]) -> None:
    rows = world.rows
    monitors, checked = {row["monitor_id"] for row in rows["catalog/monitors"]}, Counter()
    seen.update(f"monitor {name}" for row in rows["catalog/monitors"] for name in row)
    for row in rows["monitoring/checks"]:
        seen[f"check {row['status']}"] += 1
        seen["check of an unknown monitor"] += row["monitor_id"] not in monitors
        checked[row["monitor_id"], row["location"], row["checked_at"]] += 1
    seen["check conflict"] += sum(count > 1 for count in checked.values())
    seen["monitor without checks"] += len(monitors - {monitor for monitor, _, _ in checked})
    components = {row["component_id"] for row in rows["catalog/components"]}
    for row in rows["notices"]:
        seen.update([f"notice {row['action']}", f"channel {row['channel']}"])
        seen["notice of an unknown component"] += not components.issuperset(row["component_ids"])
    for row in rows["exclusions"]:
        seen["entry unapproved"] += "approved_by" not in row
        seen["entry self-approved"] += row.get("approved_by") == row["author"]
        seen["entry without evidence"] += not row.get("evidence_url")
        seen["entry revoked"] += "revoked_at" in row
        seen["entry of incidents"] += "incident_ids" in row
    for document in world.page_documents:
        _count_document(document, seen)
    _count_people(world, seen)


def _count_document(document: Row, seen: Counter[str]) -> None:
    body = document["body"]
    seen["document complete"] += document["is_complete"]
    kinds = ["summary"] if "status" in body else body.keys() - {"page"}
    seen.update(f"document {kind}" for kind in kinds)
    for incident in body.get("incidents", []):
        is_told = any(update["affected_components"] for update in incident["incident_updates"])
        seen["incident critical, told nothing"] += incident["impact"] == "critical" and not is_told
        seen["incident open"] += incident["status"] not in ("resolved", "postmortem")
        seen["incident resolved"] += incident["status"] == "resolved"
        seen["incident without resolved_at"] += incident["status"] == "resolved" and not incident["resolved_at"]


def _count_people(world: World, seen: Counter[str]) -> None:
    rows = world.rows
    accounts = {row["account_id"] for row in rows["accounts/accounts"]}
    contracts = Counter(row["account_id"] for row in rows["accounts/contracts"])
    ids = {row["contract_id"] for row in rows["accounts/contracts"]}
    paid = {row["contract_id"] for row in rows["accounts/fees"] if row["service_month"] == world.month}
    terms = {row["id"] for row in rows["terms"]}
    seen["account sandbox"] += sum(row.get("sandbox") == "true" for row in rows["accounts/accounts"])
    seen["account without contract"] += len(accounts - contracts.keys())
    seen["contract without account"] += len(contracts.keys() - accounts)
    seen["contract without fee"] += len(ids - paid)
    seen["fee without contract"] += len(paid - ids)
    seen["two contracts of one account"] += sum(count > 1 for count in contracts.values())
    seen["contract suspended"] += sum("suspensions" in row for row in rows["accounts/contracts"])
    named = {row["terms_id"] for row in rows["accounts/contracts"]}
    seen["terms unknown"] += sum(not each.startswith("klink-") and each not in terms for each in named)
    messages = Counter(row["claim_id"] for row in rows["claims"])
    seen["claim in several messages"] += sum(count > 1 for count in messages.values())
    seen["claim without account"] += sum("account_id" not in row for row in rows["claims"])
    seen["claim of an unknown account"] += sum(
        row.get("account_id", "lonely-0") not in accounts for row in rows["claims"]
    )
    born = {row["ticket_id"] for row in rows["tickets/events"] if row["type"] == "created"}
    for row in rows["tickets/events"]:
        seen.update([f"ticket {row['type']}", f"ticket by {row['actor']}"])
        seen["ticket automatic"] += row.get("automatic") is True
        seen["ticket of nobody"] += row["type"] == "created" and "account_id" not in row
        seen["ticket without created"] += row["ticket_id"] not in born
