"""What the feeds of a world hold, counted: every kind of row, and each side of each join that lacks the other."""

from __future__ import annotations

from collections import Counter

from tests.second_route.world import MONTHS, Row, World

MONTHS_OF_ALL = {f"month {month}" for month in MONTHS}
FEATURES = {
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


def count(world: World) -> Counter[str]:
    """How often a world has each."""
    seen = Counter([f"month {world.month}"])
    _count_feeds(world, seen)
    for document in world.page_documents:
        _count_document(document, seen)
    _count_people(world, seen)
    return seen


def _count_feeds(world: World, seen: Counter[str]) -> None:
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
