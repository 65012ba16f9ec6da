"""A March 2026 in several runs: stopped twice, looked at, closed, run again, restated twice. What each step left.

Every customer has a region, an outage of the dashboard on 10 March and, unless said otherwise, an accepted claim. Of
2,678,400 s an hour down (3,600 s) is 99.8655… %: 5 % of 1,000.00 = 50.00; 26,785 s are just over 1 %: 10 % = 100.00.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from slaledger import approvals, delivery, gates, ledger, objects, transform
from tests.edge_cases.cases import MARCH
from tests.edge_cases.world import World, instant
from tests.support.pipeline import Pipeline

OPEN = "2026-03-25T00:00:00Z"
FIRST, SECOND, THIRD = "2026-04-20T00:00:00Z", "2026-04-28T00:00:00Z", "2026-05-05T00:00:00Z"
TEN = "2026-03-10T10:00:00Z"
LOW, HIGH = 3600, 26785
CATALOG = "catalog/components/edge-cases.csv"
NEEDLE = "hidden-in-a-haystack"
MARTS = (
    "fct_account_months",
    "fct_account_downtime",
    "fct_response_times",
    "fct_claims",
    "fct_credits",
    "fct_findings",
)

# What is down at first, and what corrections then say, by (customer): seconds.
AT_FIRST = {"e136": HIGH, "e137": LOW, "e138": LOW, "e139": LOW, "e72": LOW, "e75": LOW, "e127": LOW, "e49": LOW}
CORRECTED = {"e136": LOW, "e137": HIGH, "e138": HIGH, "e139": LOW + 60, "e127": 600}


def outage(world: World, name: str, seconds: int, *, object_name: str | None = None) -> None:
    """The incident of a customer's region, in an object of its own; a correction says nothing of the catalog."""
    world.outage(name, TEN, seconds, object_name=object_name or name)
    if object_name is not None:
        world.rows.pop(CATALOG)


def at_first() -> World:
    """What lies in the bucket when the month is first closed."""
    world = World()
    for name, seconds in AT_FIRST.items():
        world.customer(name)
        outage(world, name, seconds)
    for name in sorted({*AT_FIRST, "e142"} - {"e49"}):
        world.claim(f"CL-{name}", name, "2026-04-02T10:00:00Z", month=MARCH)
    # 74: an hour that is known from the start, and one whose file comes late, while the month is open.
    world.customer("e74")
    outage(world, "e74", LOW)
    # 116: terms that nobody wrote.
    world.customer("e116", terms_id="nobody-wrote-them")
    # 105: the reply of 1 April is exported late.
    world.customer("e105")
    world.ticket("e105", "A-e105", "2026-03-31T23:00:00Z")
    # 142: down for three hours, of which one is announced and one is a third party's.
    world.customer("e142")
    outage(world, "e142", 3 * LOW)
    window = (TEN, "2026-03-10T11:00:00Z")
    world.notice("N-e142-1", "announce", "2026-03-01T00:00:00Z", window, "dashboard-e142")
    entry = {"regions": ["e142"], "incident_ids": ["I-e142-1"]}
    world.entry("X-e142", "third_party_meta", ("2026-03-10T12:00:00Z", "2026-03-10T13:00:00Z"), **entry)
    # 146: texts and addresses, where exports have them.
    world.ticket("e146", "A-e105", TEN)
    said = {"ticket_id": "e146", "event_id": "e146-x", "at": TEN, "type": "internal_note", "actor": "agent"}
    world.add("tickets/events", {**said, "body": NEEDLE, "author": f"{NEEDLE}@example.com"})
    world.add("tickets/events", f'{{"ticket_id": "e146", "body": "{NEEDLE}", not JSON')
    child = {"id": 2, "event_type": "Comment", "public": True, "author_id": 1, "body": NEEDLE}
    zendesk = {
        "tickets": [{"id": 146, "created_at": TEN, "status": "open", "priority": "urgent", "subject": NEEDLE}],
        "ticket_events": [{"id": 1, "ticket_id": 146, "created_at": TEN, "updater_id": 1, "child_events": [child]}],
        "users": [{"id": 1, "role": "end-user", "name": NEEDLE, "email": f"{NEEDLE}@example.com"}],
    }
    world.add("tickets/zendesk", zendesk)
    timeline = [{"starts_at": TEN, "ends_at": "2026-03-10T11:00:00Z", "note": NEEDLE}]
    world.claim("CL-e146", "e105", "2026-04-02T10:00:00Z", month=MARCH, incident_timeline=timeline)
    return world


def late_while_open() -> World:
    """Half an hour more."""
    world = World()
    updates = [
        ("2026-03-12T00:00:00Z", "investigating", {"dashboard-e74": "major_outage"}),
        ("2026-03-12T00:30:00Z", "resolved", {"dashboard-e74": "operational"}),
    ]
    world.incident("I-e74-2", ["dashboard-e74"], updates, resolved_at="2026-03-12T00:30:00Z", object_name="e74-late")
    return world


def at_second() -> World:
    """What was corrected, approved and exported late after the first closing."""
    world = World()
    for name, seconds in CORRECTED.items():
        outage(world, name, seconds, object_name=f"{name}-corrected")
    # 72: other bytes under the same key. 75: another outage, in a file that comes late.
    outage(world, "e72", HIGH, object_name="e72")
    late = [
        ("2026-03-11T00:00:00Z", "investigating", {"dashboard-e75": "major_outage"}),
        ("2026-03-11T06:26:25Z", "resolved", {"dashboard-e75": "operational"}),  # 23,185 s
    ]
    world.incident("I-e75-2", ["dashboard-e75"], late, resolved_at="2026-03-11T06:26:25Z", object_name="e75-late")
    given = {"regions": ["e49"], "incident_ids": ["I-e49-1"], "approved_at": "2026-04-25T00:00:00Z"}
    world.entry("X-e49", "force_majeure", (TEN, "2026-03-10T11:00:00Z"), **given, object_name="e49")
    world.rows["tickets/events/e105-late.ndjson"] = [
        {
            "ticket_id": "e105",
            "event_id": "e105-late",
            "at": "2026-04-01T00:30:00Z",
            "type": "public_reply",
            "actor": "agent",
        }
    ]
    return world


@dataclass
class Books:
    """What the ledger and the marts held after a step."""

    recorded_at: datetime
    statements: list[dict[str, Any]]
    lines: list[dict[str, Any]]
    marts: dict[str, list[str]]
    drops: dict[str, bytes | None]

    def lines_of(self, name: str) -> list[tuple[str, Decimal]]:
        """(entry type, amount) of a customer's lines, in their order."""
        return [(line["entry_type"], line["amount"]) for line in self.lines if line["contract_id"] == f"C-{name}"]

    def rows_of(self, mart: str, column: str, value: str) -> list[dict[str, Any]]:
        """The rows of a mart with a value in a column."""
        return [row for row in map(json.loads, self.marts[mart]) if row[column] == value]

    def revisions_of(self, name: str) -> list[tuple[int, Decimal, Decimal]]:
        """(revision, counted, excluded) of a customer's statements."""
        return [
            (each["revision"], each["counted_seconds"], each["excluded_seconds"])
            for each in self.statements
            if each["contract_id"] == f"C-{name}"
        ]


@dataclass
class Story:
    """The pipeline after all steps, what each left, and why two of them were stopped."""

    pipeline: Pipeline
    books: dict[str, Books] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)
    appended: list[int] = field(default_factory=list)
    overpaid: dict[str, str] = field(default_factory=dict)

    def note(self, step: str) -> None:
        """Keep what there is now."""
        rows = self.pipeline.rows
        exports = self.pipeline.settings.exports
        keys = sorted({version.key for version in objects.list_versions(exports) if version.key.startswith("billing/")})
        self.books[step] = Books(
            recorded_at=rows("select clock_timestamp() as at")[0]["at"],
            statements=rows("select * from billing.sla_statements order by contract_id, revision"),
            lines=rows("select * from billing.credit_line_items order by chain_position"),
            marts={
                mart: [
                    row["text"]
                    for row in rows(f"select to_jsonb(mart)::text as text from marts.{mart} as mart order by 1")
                ]
                for mart in MARTS
            },
            drops={key: objects.get(exports, key) for key in keys},
        )


def put(pipeline: Pipeline, world: World, directory: Path, exported_at: str) -> None:
    world.write(directory, exported_at=instant(exported_at))
    pipeline.put(directory)


def stop(story: Story, step: str) -> None:
    """A closing that a gate stops."""
    with pytest.raises(gates.GateFailed) as stopped:
        story.pipeline.run(MARCH, FIRST, close=True)
    story.stopped[step] = str(stopped.value)
    story.note(step)


def close_at_once(story: Story) -> None:
    """Close as the DAG does, with the task that posts run four times at once (line 82)."""
    pipeline, run_id = story.pipeline, "closed_at_once"
    settings = pipeline.settings
    pipeline.land(run_id)
    month = date.fromisoformat(f"{MARCH}-01")
    transform.open_build(settings, run_id=run_id, service_month=month, as_of=instant(FIRST), is_closing=True)
    gates.run_gate(settings, "raw", run_id=run_id)
    transform.build_models(settings, run_id=run_id)
    gates.run_gate(settings, "marts", run_id=run_id)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: ledger.post_month(settings, run_id=run_id), range(4)))
    story.appended = sorted(result.lines_appended for result in results)
    delivery.deliver(settings, run_id=run_id)


def restate(story: Story, as_of: str, *decreases: str) -> None:
    """Close again; then approve these decreases, and have the task that posts run once more."""
    settings = story.pipeline.settings
    run_id = story.pipeline.run(MARCH, as_of, close=True)
    again = ledger.post_month(settings, run_id=run_id)
    story.overpaid |= {waiting.contract_id: waiting.reason for waiting in again.overpaid}
    story.note(f"{as_of} before approval")
    for name in decreases:
        pending_id = f"decrease:C-{name}:{MARCH}:availability"
        approvals.decide(settings, pending_id, is_approved=True, by="Ada", because="the page was wrong")
    ledger.post_month(settings, run_id=run_id)
    story.note(as_of)


def tell(pipeline: Pipeline, directory: Callable[[str], Path]) -> Story:
    """Take all steps, on an empty bucket and warehouse; `directory(name)` makes one for a step's files."""
    story = Story(pipeline)
    put(pipeline, at_first(), directory("early"), "2026-03-31T23:59:59Z")
    stop(story, "too early")
    # 74: the month is looked at while it runs; then a late file comes, before it is closed.
    pipeline.run(MARCH, OPEN)
    story.note(OPEN)
    put(pipeline, late_while_open(), directory("late"), "2026-04-01T12:00:00Z")
    # 59: a component that the catalog does not map; then it does.
    put(pipeline, at_first(), directory("first"), "2026-04-02T00:00:00Z")
    unmapped = World()
    unmapped.customer("e59")
    unmapped.outage("e59", TEN, LOW, object_name="e59")
    mapped = World({"catalog/components/e59.csv": unmapped.rows.pop(CATALOG)})
    unmapped.rows = {key.replace("edge-cases", "e59"): rows for key, rows in unmapped.rows.items()}
    put(pipeline, unmapped, directory("unmapped"), "2026-04-02T00:00:00Z")
    stop(story, "unmapped")
    put(pipeline, mapped, directory("mapped"), "2026-04-02T00:00:00Z")
    close_at_once(story)
    story.note(FIRST)
    pipeline.run(MARCH, FIRST, close=True)
    story.note("again")
    put(pipeline, at_second(), directory("second"), "2026-04-26T00:00:00Z")
    restate(story, SECOND, "e136")
    back = World()
    outage(back, "e138", LOW, object_name="e138-back")
    put(pipeline, back, directory("third"), "2026-05-04T00:00:00Z")
    restate(story, THIRD, "e138")
    return story
