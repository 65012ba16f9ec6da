"""The sample generator: the same bytes each time, in the formats and counts that it states."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EXAMPLES_DIR = Path(__file__).resolve().parents[2] / "examples"

# contracts.md, "In": required fields, then those that may be absent or empty.
FIELDS = {
    "catalog/monitors/": (
        "monitor_id service region locations interval_seconds",
        "stale_after_seconds confirm quorum_min active_from active_until",
    ),
    "catalog/components/": ("component_id name service region", ""),
    "monitoring/checks/": ("monitor_id location checked_at status", "latency_ms error"),
    "notices/": (
        "notice_id maintenance_id action channel sent_at component_ids",
        "window_start window_end account_ids",
    ),
    "exclusions/": (
        "exclusion_id category starts_at ends_at author",
        "services regions account_ids incident_ids evidence_url approved_by approved_at revoked_at",
    ),
    "tickets/events/": (
        "ticket_id event_id at type actor",
        "account_id severity status target_ticket_id automatic",
    ),
    "accounts/accounts/": ("account_id company_name", "sandbox"),
    "accounts/contracts/": (
        "contract_id account_id plan terms_id region starts_at active_agreement",
        "services ends_at suspensions",
    ),
    "accounts/fees/": ("contract_id service_month monthly_fee currency", ""),
    "claims/": (
        "claim_id service_month received_at",
        "account_id company_name sent_at incident_timeline",
    ),
}
MONTH_END = datetime(2026, 4, 1, tzinfo=UTC)


def _digests(tree: Path) -> dict[str, tuple[str, float]]:
    return {
        path.relative_to(tree).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime,
        )
        for path in tree.rglob("*")
        if path.is_file()
    }


def _records(path: Path) -> list[dict]:
    body = path.read_bytes()
    if path.suffix == ".gz":
        body, path = gzip.decompress(body), path.with_suffix("")
    if path.suffix == ".ndjson":
        return [json.loads(line) for line in body.decode().split("\n") if line.strip()]
    return list(csv.DictReader(io.StringIO(body.decode())))


def _feed(sample: Path, prefix: str) -> list[dict]:
    paths = sorted(path for path in (sample / prefix).rglob("*") if path.is_file())
    assert paths, f"the sample has nothing below {prefix}"
    return [record for path in paths for record in _records(path)]


def test_same_seed_gives_the_same_bytes_and_mtimes(generator: ModuleType, sample: Path, tmp_path: Path) -> None:
    generator.generate(tmp_path)
    assert _digests(tmp_path) == _digests(sample)


def test_another_seed_gives_other_tickets(generator: ModuleType) -> None:
    import tickets

    contracts = _records(EXAMPLES_DIR / "exports/accounts/contracts/contracts.ndjson")
    assert tickets.make_tickets(contracts, seed=1) != tickets.make_tickets(contracts, seed=generator.SEED)


@pytest.mark.parametrize("prefix", [prefix for prefix in FIELDS if prefix != "monitoring/checks/"])
def test_every_row_has_the_fields_of_the_contract(sample: Path, prefix: str) -> None:
    required, optional = (set(fields.split()) for fields in FIELDS[prefix])
    for record in _feed(sample, prefix):
        present = {name for name, value in record.items() if value not in (None, "")}
        assert required <= present, f"{prefix}: {record} lacks {required - present}"
        assert set(record) <= required | optional, f"{prefix}: {record} has fields of no contract"


def test_checks_are_a_month_from_three_locations_each_minute_with_one_gap(checks: dict[str, Any]) -> None:
    required, optional = (set(fields.split()) for fields in FIELDS["monitoring/checks/"])
    formats = {name.split(".", 1)[1] for name in checks}
    assert formats == {"ndjson.gz", "csv.gz", "parquet"}
    names = ("monitor_id", "location", "checked_at")
    seen: Counter[tuple[str, ...]] = Counter()
    statuses: Counter[str] = Counter()
    for name, table in checks.items():
        assert required <= set(table.column_names) <= required | optional, name
        seen.update(zip(*(table[column].to_pylist() for column in names), strict=True))
        if "copy" not in name:
            statuses.update(table["status"].to_pylist())
    without_offset = [check for check in seen if not check[2].endswith("Z")]
    assert len(without_offset) == 1
    # 32 days x 1,440 minutes x 6 monitors x 3 locations, less 11 silent minutes of 9 probes.
    assert len(seen) - 1 == 32 * 1440 * 18 - 11 * 9 == 829_341
    # One day is there twice, and no other check is.
    assert Counter(seen.values()) == {1: 829_342 - 25_920, 2: 25_920}
    # Minutes that all three locations see, the half hour that one alone sees, and the row without an offset.
    all_see = 18 + 35 + 2 * 90 + 15 + 195 + 3 * 50 + 20 + 40
    assert statuses["down"] == 3 * all_see + 30 + 1
    assert statuses["degraded"] == 3 * 30


def test_400_tickets_have_the_outcomes_that_they_were_made_for(sample: Path) -> None:
    import tickets

    created = [event for event in _feed(sample, "tickets/events/") if event["type"] == "created"]
    assert len({event["ticket_id"] for event in created}) == len(created) == 400
    made = Counter(outcome for _, _, outcome in tickets.HAND_WRITTEN)
    for n, outcome in tickets.KINDS.values():
        made[outcome] += n
    expected = _records(EXAMPLES_DIR / "expected_tickets.csv")
    assert {row["outcome"]: int(row["tickets"]) for row in expected} == dict(made)


def test_every_feed_was_exported_after_the_month_and_before_the_as_of(sample: Path) -> None:
    as_of = datetime(2026, 4, 20, tzinfo=UTC)
    latest: dict[str, datetime] = {}
    for path in (path for path in sample.rglob("*") if path.is_file()):
        feed = path.relative_to(sample).parts[0]
        exported_at = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
        latest[feed] = max(exported_at, latest.get(feed, exported_at))
    assert set(latest) >= {
        "monitoring",
        "status_page",
        "notices",
        "exclusions",
        "tickets",
        "claims",
        "accounts",
    }
    late = {feed: at for feed, at in latest.items() if feed != "terms" and not MONTH_END <= at <= as_of}
    assert not late, "rule L5: the month could not be closed"


def test_status_page_is_shaped_as_atlassian_serves_it(sample: Path) -> None:
    components = {row["component_id"] for row in _feed(sample, "catalog/components/")}
    folder = sample / "status_page/statuspage"
    for name in ("incidents", "scheduled_maintenances"):
        path = folder / f"{name.replace('_', '-')}.json"
        assert json.loads(path.with_name(f"{path.name}.meta.json").read_text(encoding="utf-8"))["complete"] == "true"
        listed = json.loads(path.read_text(encoding="utf-8"))
        assert listed["page"]["id"] and listed[name]
        for incident in listed[name]:
            assert {"id", "status", "impact", "created_at", "started_at", "resolved_at"} <= set(incident)
            assert {component["id"] for component in incident["components"]} <= components
            for update in incident["incident_updates"]:
                assert {"id", "status", "created_at", "display_at", "affected_components"} <= set(update)
                assert {touched["code"] for touched in update["affected_components"]} <= components
    assert "status" in json.loads((folder / "summary.json").read_text(encoding="utf-8"))
