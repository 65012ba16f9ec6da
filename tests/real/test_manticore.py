"""A real monitor's state log, accounted: August 2026 of 22 components, against a reckoning from the log itself.

The log writes a record when a state changes and one a day. It begins on 10 August and ends on the 21st: all before it
is unknown, and so is all that comes later than a day and a half after the last record of a component.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from slaledger.settings import PROJECT_DIR
from tests.landing.bucket import Bucket, ndjson

STATE_LOG = PROJECT_DIR.parent / "shared" / "data" / "upptime_manticore" / "checks.csv"

pytestmark = [
    pytest.mark.skipif(not STATE_LOG.exists(), reason="the recording is not here"),
    pytest.mark.timeout(600),
]

MONTH_FROM = datetime(2026, 8, 1, tzinfo=UTC)
MONTH_UNTIL = datetime(2026, 9, 1, tzinfo=UTC)
AS_OF = "2026-09-05T00:00:00Z"
STALE_AFTER = timedelta(seconds=129_600)
MONITORS = "monitor_id,service,region,locations,interval_seconds,stale_after_seconds\n"

# klink-enterprise's: below, percent; lowest first.
TIERS = ((Fraction("95.0"), 25), (Fraction("99.0"), 10), (Fraction("99.9"), 5))


@dataclass(frozen=True)
class Reckoned:
    """Durations of a component's month."""

    down: timedelta
    unknown: timedelta
    up: timedelta


def log() -> list[dict[str, str]]:
    with STATE_LOG.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def reckoned() -> dict[str, Reckoned]:
    """Brute force: each record holds until the next one, for a day and a half at most (rules M1, M2, M4)."""
    recorded: dict[str, dict[datetime, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in log():
        recorded[row["component"]][datetime.fromisoformat(row["checked_at"])].add(row["status"])
    months = {}
    for component, statuses in recorded.items():
        spent = dict.fromkeys(("up", "down", "unknown"), timedelta())
        instants = sorted(statuses)
        for at, following in zip(instants, [*instants[1:], datetime.max.replace(tzinfo=UTC)], strict=True):
            started_at, ended_at = max(at, MONTH_FROM), min(at + STALE_AFTER, following, MONTH_UNTIL)
            (status,) = statuses[at] if len(statuses[at]) == 1 else ("unknown",)
            spent[status] += max(ended_at - started_at, timedelta())
        silent = MONTH_UNTIL - MONTH_FROM - sum(spent.values(), timedelta())
        months[component] = Reckoned(down=spent["down"], unknown=spent["unknown"] + silent, up=spent["up"])
    return months


def tier(lost: timedelta) -> int:
    """The percent that uptime with so much lost earns (rule U3)."""
    uptime = 100 * (1 - Fraction(lost // timedelta.resolution, (MONTH_UNTIL - MONTH_FROM) // timedelta.resolution))
    return next((percent for below, percent in TIERS if uptime < below), 0)


def put_exports(bucket: Bucket) -> None:
    """The log as checks; for each component a monitor, a region and an Enterprise contract of its own."""
    rows = log()
    components = sorted({row["component"] for row in rows})
    names = [name for name in rows[0] if name != "component"]
    checks = io.StringIO()
    writer = csv.writer(checks, lineterminator="\n")
    writer.writerow(["monitor_id", "location", *names])
    writer.writerows([row["component"], "github", *(row[name] for name in names)] for row in rows)
    contracts = [
        {
            "contract_id": f"K-{component}",
            "account_id": f"A-{component}",
            "plan": "enterprise",
            "terms_id": "klink-enterprise",
            "region": component,
            "services": ["dashboard"],
            "starts_at": "2026-02-01T00:00:00Z",
            "active_agreement": True,
        }
        for component in components
    ]
    bodies = {
        "catalog/monitors/upptime.csv": MONITORS
        + "".join(f"{name},dashboard,{name},github,86400,129600\n" for name in components),
        "monitoring/checks/upptime.csv": checks.getvalue(),
        "accounts/accounts/accounts.csv": "account_id,company_name\n"
        + "".join(f"A-{name},Company {name}\n" for name in components),
        "accounts/contracts/contracts.ndjson": ndjson(*contracts),
        "accounts/fees/fees.csv": "contract_id,service_month,monthly_fee,currency\n"
        + "".join(f"K-{name},2026-08,1000.00,USD\n" for name in components),
    }
    for key, body in bodies.items():
        bucket.put(key, body, exported_at="2026-09-02T00:00:00Z")


@pytest.fixture(scope="module")
def august(pipeline):
    put_exports(Bucket(pipeline.settings))
    pipeline.run("2026-08", AS_OF)
    return pipeline


def seconds(duration: timedelta) -> Decimal:
    return Decimal(duration // timedelta.resolution) / 1_000_000


def test_every_record_is_accounted_for(august) -> None:
    (counts,) = august.rows(
        "select rows_read, rows_loaded, rows_duplicate, rows_quarantined from raw.source_objects "
        "where feed = 'monitoring/checks'"
    )
    distinct = len({(row["component"], row["checked_at"], row["status"]) for row in log()})
    assert list(counts.values()) == [len(log()), distinct, len(log()) - distinct, 0]


def test_seconds_of_every_component_are_those_of_the_log(august) -> None:
    expected = {
        component: {
            "counted_seconds": seconds(month.down),
            "excluded_seconds": Decimal(0),
            "unknown_seconds": seconds(month.unknown),
            # What D8 leaves for up.
            "up_seconds": seconds(month.up),
        }
        for component, month in reckoned().items()
    }
    assert len(expected) == 22
    assert any(month["counted_seconds"] for month in expected.values())
    found = {
        row.pop("region"): row
        for row in august.rows(
            "select substr(contract_id, 3) as region, counted_seconds, excluded_seconds, unknown_seconds, "
            "measured_seconds - counted_seconds - excluded_seconds - unknown_seconds as up_seconds "
            "from marts.fct_account_months where service_month = '2026-08-01'"
        )
    }
    assert found == expected


def test_segments_are_the_stretches_of_the_log(august) -> None:
    """Segments add up to the seconds, touch no other, and lie within the month."""
    found = august.rows(
        "select substr(contract_id, 3) as region, kind, sum(extract(epoch from ended_at - started_at)) as seconds, "
        "min(started_at) as first_at, max(ended_at) as last_at "
        "from marts.fct_account_downtime where service_month = '2026-08-01' group by contract_id, kind"
    )
    months = reckoned()
    expected = {
        (component, kind): seconds(duration)
        for component, month in months.items()
        for kind, duration in (("counted", month.down), ("unknown", month.unknown))
        if duration
    }
    assert {(row["region"], row["kind"]): row["seconds"] for row in found} == expected
    assert {row["first_at"] for row in found if row["kind"] == "unknown"} == {MONTH_FROM}
    assert {row["last_at"] for row in found if row["kind"] == "unknown"} == {MONTH_UNTIL}


def test_a_month_is_held_where_unknown_time_would_change_its_tier(august) -> None:
    """Rule D7: nineteen days that nobody watched are no uptime, and no downtime either."""
    expected = {}
    for component, month in reckoned().items():
        is_held = tier(month.down) != tier(month.down + month.unknown)
        expected[component] = ("held", None) if is_held else ("measured", tier(month.down))
    found = august.rows(
        "select substr(months.contract_id, 3) as region, months.status, credits.credit_percent "
        "from marts.fct_account_months as months "
        "inner join marts.fct_credits as credits using (contract_id, service_month) "
        "where service_month = '2026-08-01' and basis = 'availability'"
    )
    assert {row["region"]: (row["status"], row["credit_percent"]) for row in found} == expected
