"""`examples/expected.csv` says what the sample's own files say, minute by minute: nothing of the pipeline is used.

Every instant of the sample is on a whole minute, so a month is an array of minutes per (service, region). Which
exclusions are sound is the story's (examples/README.md); what was down is read from the files.
"""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

EXAMPLES_DIR = Path(__file__).resolve().parents[2] / "examples"
START = datetime(2026, 2, 28, tzinfo=UTC)
MINUTES = 33 * 1440
SERVICES = ("dashboard", "call_routing", "messaging_engine")
PAIRS = [(service, region) for service in SERVICES for region in ("eu", "us")]

# The register's two sound entries about core services, and the two windows that were announced in time.
EXCLUDED = (
    (("messaging_engine",), ("eu", "us"), "2026-03-12T14:00:00Z", "2026-03-12T15:30:00Z"),
    (SERVICES, ("us",), "2026-03-19T20:00:00Z", "2026-03-19T20:50:00Z"),
    (("dashboard",), ("eu",), "2026-03-15T02:00:00Z", "2026-03-15T04:00:00Z"),
    (("call_routing",), ("us",), "2026-03-22T03:00:00Z", "2026-03-22T04:00:00Z"),
)
MONTH = ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
BERLIN_MONTH = ("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z")


def _minute(instant: str) -> int:
    seconds = (datetime.fromisoformat(instant) - START).total_seconds()
    assert seconds % 60 == 0, f"{instant} is on no whole minute"
    return int(seconds) // 60


def _probed(checks: dict[str, Any]) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    """Which minutes the probes call down, and which unknown, per (service, region)."""
    locations = ("fra", "iad", "sin")
    states = np.full((len(PAIRS), len(locations), MINUTES), -1)
    for table in checks.values():
        instants = table["checked_at"].to_numpy()
        placed = np.array([instant.endswith("Z") for instant in instants])
        seconds = np.array([instant[:19] for instant in instants[placed]], dtype="datetime64[s]")
        minutes = (seconds - np.datetime64(START.replace(tzinfo=None), "s")).astype(int) // 60
        pairs = [PAIRS.index(tuple(name.split("-")[1:])) for name in table["monitor_id"].to_numpy()[placed]]
        places = [locations.index(name) for name in table["location"].to_numpy()[placed]]
        states[pairs, places, minutes] = table["status"].to_numpy()[placed] == "down"
    # A check speaks for its own minute and the next: 120 s.
    held = np.where(states >= 0, states, np.roll(states, 1, axis=2))
    known, down = (held >= 0).sum(axis=1), (held == 1).sum(axis=1)
    return {pair: ((k >= 2) & (2 * d > k), k < 2) for pair, k, d in zip(PAIRS, known, down, strict=True)}


def _declared(sample: Path) -> dict[tuple[str, str], np.ndarray]:
    """Which minutes the status page declares a major outage, per (service, region)."""
    with (sample / "catalog/components/components.csv").open() as file:
        pair_of = {row["component_id"]: (row["service"], row["region"]) for row in csv.DictReader(file)}
    page = json.loads((sample / "status_page/statuspage/incidents.json").read_text(encoding="utf-8"))
    declared = {pair: np.zeros(MINUTES, dtype=bool) for pair in PAIRS}
    for incident in page["incidents"]:
        span = slice(_minute(incident["started_at"]), _minute(incident["resolved_at"]))
        for update in incident["incident_updates"]:
            for touched in update["affected_components"]:
                if touched["new_status"] == "major_outage" and pair_of[touched["code"]] in declared:
                    declared[pair_of[touched["code"]]][span] = True
    return declared


def _measured(contract: dict) -> np.ndarray:
    month = BERLIN_MONTH if contract["terms_id"] == "klink-berliner-medien" else MONTH
    measured = np.zeros(MINUTES, dtype=bool)
    measured[
        max(_minute(month[0]), _minute(contract["starts_at"])) : min(
            _minute(month[1]), _minute(contract.get("ends_at", month[1]))
        )
    ] = True
    for suspension in contract.get("suspensions", ()):
        measured[_minute(suspension["starts_at"]) : _minute(suspension["ends_at"])] = False
    return measured


def test_expected_seconds_are_those_of_the_files(sample: Path, checks: dict[str, Any]) -> None:
    probed, declared = _probed(checks), _declared(sample)
    excluded = {pair: np.zeros(MINUTES, dtype=bool) for pair in PAIRS}
    for services, regions, starts_at, ends_at in EXCLUDED:
        for pair in ((service, region) for service in services for region in regions):
            excluded[pair][_minute(starts_at) : _minute(ends_at)] = True
    contracts = {}
    for line in (sample / "accounts/contracts/contracts.ndjson").read_text(encoding="utf-8").splitlines():
        contract = json.loads(line)
        contracts[contract["contract_id"]] = contract
    with (EXAMPLES_DIR / "expected.csv").open(encoding="utf-8") as file:
        expected = list(csv.DictReader(file))
    assert expected
    for row in expected:
        contract = contracts[row["contract_id"]]
        counted, covered, unknown = (np.zeros(MINUTES, dtype=bool) for _ in range(3))
        for service in contract.get("services", SERVICES):
            pair = (service, contract["region"])
            down = probed[pair][0] | declared[pair]
            counted |= down & ~excluded[pair]
            covered |= down & excluded[pair]
            unknown |= probed[pair][1] & ~declared[pair] & ~excluded[pair]
        unknown &= ~counted
        covered &= ~counted & ~unknown
        measured = _measured(contract)
        minutes = [int((kind & measured).sum()) for kind in (measured, counted, covered, unknown)]
        columns = ("measured_seconds", "counted_seconds", "excluded_seconds", "unknown_seconds")
        assert [60 * n for n in minutes] == [int(row[name]) for name in columns], row["contract_id"]
