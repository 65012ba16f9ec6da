"""A real status page's polls, accounted: two months of it, against a reckoning from the polls themselves.

The page never says `resolved`: an incident is gone from the next summary (rule S5). Nor does any of its updates put a
component into anything but `operational`, whatever the components beside the incidents say: by rule S1 it declares
nothing. So the polls are landed twice: as they are, and under other ids with each impact raised to `critical`, which
rule S2 takes for downtime of the components that the incident lists.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from slaledger.settings import PROJECT_DIR
from tests.landing.bucket import Bucket, ndjson

RECORDED_DIR = PROJECT_DIR.parent / "shared" / "data" / "statuspage_polls"
POLLS = RECORDED_DIR / "github_summary_polls_2022-03_2022-06.jsonl"
MAINTENANCES = RECORDED_DIR / "scheduled_maintenances_2020_2022.json"
TERMS = PROJECT_DIR / "terms" / "klink-enterprise.yml"

pytestmark = [
    pytest.mark.skipif(not POLLS.exists(), reason="the recording is not here"),
    pytest.mark.timeout(600),
]

# In the middle of a month some incident is open, or not yet known to be over.
AS_OF = {"2022-03": "2022-04-15T00:00:00Z", "2022-05": "2022-05-29T12:00:00Z"}
RAISED = "raised-"

Poll = dict[str, Any]


def recorded() -> list[Poll]:
    with POLLS.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def raised(poll: Poll) -> Poll:
    """The same poll of another page, with other incidents and components, and each incident critical."""
    body = json.loads(json.dumps(poll["body"]))
    body["page"]["id"] = RAISED + body["page"]["id"]
    body["scheduled_maintenances"] = []
    for component in body["components"]:
        component["id"] = RAISED + component["id"]
    for incident in body["incidents"]:
        incident.update(id=RAISED + incident["id"], page_id=body["page"]["id"], impact="critical")
        for component in incident["components"]:
            component["id"] = RAISED + component["id"]
        for update in incident["incident_updates"]:
            for component in update["affected_components"] or ():
                component["code"] = RAISED + component["code"]
    return {**poll, "body": body}


def named(polls: list[Poll]) -> Iterator[str]:
    """Every component that the polls or the recorded maintenances name."""
    maintenances = json.loads(MAINTENANCES.read_text(encoding="utf-8"))["scheduled_maintenances"]
    for body in (*(poll["body"] for poll in polls), {"components": [], "scheduled_maintenances": maintenances}):
        for listed in (body, *body.get("incidents", ()), *body["scheduled_maintenances"]):
            yield from (component["id"] for component in listed["components"])
            for update in listed.get("incident_updates", ()):
                yield from (component["code"] for component in update["affected_components"] or ())


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def page_updated_at(poll: Poll) -> datetime:
    return instant(poll["body"]["page"]["updated_at"])


def resolutions(polls: list[Poll]) -> dict[str, datetime | None]:
    """When the first summary after the last one that lists an incident was made; none: it is open (rule S5)."""
    ids = {incident["id"] for poll in polls for incident in poll["body"]["incidents"]}
    found: dict[str, datetime | None] = {}
    for incident_id in ids:
        listing = [poll for poll in polls if incident_id in {each["id"] for each in poll["body"]["incidents"]}]
        last_at = max(map(page_updated_at, listing))
        found[incident_id] = min((at for at in map(page_updated_at, polls) if at > last_at), default=None)
    return found


def downtime(polls: list[Poll], month: str) -> dict[str, timedelta]:
    """Per component, how long some critical incident of it ran within the month (rules S2, S3, S5, D4)."""
    as_of = instant(AS_OF[month])
    year, number = map(int, month.split("-"))
    month_from, month_until = datetime(year, number, 1, tzinfo=UTC), datetime(year, number + 1, 1, tzinfo=UTC)
    latest = {incident["id"]: incident for poll in polls for incident in poll["body"]["incidents"]}
    resolved = resolutions(polls)
    down: dict[str, list[tuple[datetime, datetime]]] = {}
    for incident_id, incident in latest.items():
        if incident["impact"] != "critical":
            continue
        started_at = max(instant(incident["started_at"]), month_from)
        ended_at = min(resolved[incident_id] or as_of, as_of, month_until)
        for component in incident["components"]:
            down.setdefault(component["id"], []).append((started_at, ended_at))
    found = {}
    for component_id, intervals in down.items():
        edges = sorted({edge for interval in intervals for edge in interval})
        found[component_id] = sum(
            (
                later - earlier
                for earlier, later in pairwise(edges)
                if any(started_at <= earlier and later <= ended_at for started_at, ended_at in intervals)
            ),
            timedelta(),
        )
    return found


@pytest.fixture(scope="module")
def polls() -> list[Poll]:
    found = recorded()
    assert found == sorted(found, key=lambda poll: poll["polled_at"])
    return found


@pytest.fixture(scope="module")
def accounted(pipeline, polls: list[Poll]) -> dict[str, dict[str, Any]]:
    """What the builds of both months found: figures by component, incidents, findings."""
    bucket = Bucket(pipeline.settings)
    both = [*polls, *map(raised, polls)]
    for poll in both:
        key = f"status_page/statuspage/{poll['body']['page']['id']}/{poll['commit']}-{poll['polled_at']}.json"
        bucket.put(key, json.dumps(poll["body"]), exported_at=poll["polled_at"])
    bucket.put("status_page/statuspage/maintenances.json", MAINTENANCES.read_bytes(), exported_at="2022-12-01T00:00Z")
    put_contracts(bucket, sorted(set(named(both))))
    found = {}
    for month, as_of in AS_OF.items():
        pipeline.run(month, as_of)
        rows = pipeline.rows(
            "select substr(contract_id, 3) as component_id, * from marts.fct_account_months where service_month = %s",
            [f"{month}-01"],
        )
        found[month] = {
            "figures": {row["component_id"]: row for row in rows},
            "incidents": pipeline.rows("select * from intermediate.int_incidents"),
            "findings": pipeline.rows("select * from marts.fct_findings where service_month = %s", [f"{month}-01"]),
            "rejects": pipeline.rows("select * from raw.quarantined_rows"),
        }
    return found


def put_contracts(bucket: Bucket, component_ids: list[str]) -> None:
    """For each component a region and a contract of its own, under terms that are in force that early."""
    terms = TERMS.read_text(encoding="utf-8")
    for shipped, ours in (
        ("id: klink-enterprise\n", "id: recorded\n"),
        ('version: "2026-01"', 'version: "2020-01"'),
        ("effective_from: 2026-01-01", "effective_from: 2020-01-01"),
    ):
        assert terms.count(shipped) == 1
        terms = terms.replace(shipped, ours)
    contracts = [
        {
            "contract_id": f"K-{component_id}",
            "account_id": f"A-{component_id}",
            "plan": "enterprise",
            "terms_id": "recorded",
            "region": component_id,
            "services": ["dashboard"],
            "starts_at": "2022-01-01T00:00:00Z",
            "active_agreement": True,
        }
        for component_id in component_ids
    ]
    bodies = {
        "terms/recorded.yml": terms,
        "catalog/components/page.csv": "component_id,name,service,region\n"
        + "".join(f"{each},{each},dashboard,{each}\n" for each in component_ids),
        "accounts/accounts/accounts.csv": "account_id,company_name\n"
        + "".join(f"A-{each},Company {each}\n" for each in component_ids),
        "accounts/contracts/contracts.ndjson": ndjson(*contracts),
        "accounts/fees/fees.csv": "contract_id,service_month,monthly_fee,currency\n"
        + "".join(f"K-{each},{month},1000.00,USD\n" for each in component_ids for month in AS_OF),
    }
    for key, body in bodies.items():
        bucket.put(key, body, exported_at="2022-12-01T00:00:00Z")


@pytest.mark.parametrize("month", AS_OF)
def test_no_row_is_lost_and_every_incident_ends_where_a_summary_first_lacks_it(accounted, polls, month: str) -> None:
    assert accounted[month]["rejects"] == []
    expected = resolutions(polls)
    expected |= {RAISED + incident_id: at for incident_id, at in expected.items()}
    assert len(expected) == 2 * 36
    assert {row["incident_id"]: row["resolved_at"] for row in accounted[month]["incidents"]} == expected


@pytest.mark.parametrize("month", AS_OF)
def test_downtime_is_what_the_polls_declare(accounted, polls, month: str) -> None:
    """As recorded, none; raised, as long as the incidents ran. Nothing is unknown without a monitor (rule M5)."""
    figures = accounted[month]["figures"]
    assert downtime(polls, month) == {}
    critical = downtime([raised(poll) for poll in polls], month)
    assert sum(1 for duration in critical.values() if duration) > 3
    expected = {
        component_id: Decimal(critical.get(component_id, timedelta()) // timedelta.resolution) / 1_000_000
        for component_id in figures
    }
    assert set(critical) <= set(figures)
    assert {component_id: row["counted_seconds"] for component_id, row in figures.items()} == expected
    assert {(row["unknown_seconds"], row["excluded_seconds"]) for row in figures.values()} == {(0, 0)}


def test_an_incident_without_components_is_reported(accounted) -> None:
    """Rule S4: one of 9 March names none."""
    found = {row["subject"] for row in accounted["2022-03"]["findings"] if row["code"] == "incident_without_components"}
    assert {"xdzs70gjthls", RAISED + "xdzs70gjthls"} <= found
