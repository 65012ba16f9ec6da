"""Statuspage documents: the three kinds, their rows, and rule S2's ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slaledger.feeds import status_page
from slaledger.feeds.rows import Notes, Record, Reject
from tests.feeds.test_reasons import INCIDENT

MAINTENANCE = {
    "id": "w1",
    "page_id": "p",
    "status": "scheduled",
    "impact": "maintenance",
    "created_at": "2026-03-01T00:00:00.000Z",
    "started_at": "2026-02-28T23:59:59.990Z",
    "resolved_at": None,
    "scheduled_for": "2026-03-04T00:00:00.000Z",
    "scheduled_until": "2026-03-04T02:00:00.000Z",
    "components": [],
    "incident_updates": [
        {
            "id": "u1",
            "status": "scheduled",
            "created_at": "2026-03-01T00:00:00.000Z",
            "display_at": "2026-03-01T00:00:01.000Z",
            "affected_components": None,
        }
    ],
}


def read(
    tmp_path: Path, document: Any, notes: Notes | None = None
) -> tuple[list[status_page.Document], list[Record | Reject]]:
    """The documents and rows of a body."""
    path = tmp_path / "body"
    path.write_text(json.dumps(document))
    documents, rows = status_page.read(path, notes or Notes())
    return documents, list(rows)


def test_summary_is_told_by_its_status(tmp_path: Path) -> None:
    """Both lists are rows, numbered through; both are what it listed."""
    page = {"id": "p", "updated_at": "2026-03-02T00:00:00.000Z"}
    body = {
        "page": page,
        "status": {},
        "components": [],
        "incidents": [INCIDENT],
        "scheduled_maintenances": [MAINTENANCE],
    }
    (document,), rows = read(tmp_path, body)
    assert document == status_page.Document("summary", "p", datetime(2026, 3, 2, tzinfo=UTC), ("i1",), ("w1",))
    assert [(row.line_number, row.values["is_maintenance"], row.values["listed_in"]) for row in rows] == [
        (1, False, "summary"),
        (2, True, "summary"),
    ]
    assert rows[1].values["updates"] == [
        {"update_id": "u1", "status": "scheduled", "at": "2026-03-01T00:00:01.000000Z", "components": []}
    ]


def test_page_may_be_named_by_its_items_alone(tmp_path: Path) -> None:
    """A document without `page`: the maintenance names it."""
    (document,), (row,) = read(tmp_path, {"scheduled_maintenances": [MAINTENANCE]})
    assert (document.kind, document.page_id, document.incident_ids) == ("scheduled_maintenances", None, ())
    assert row.values["page_id"] == "p"


def test_what_cannot_be_used_of_a_page_is_as_if_absent(tmp_path: Path) -> None:
    """It is no row, and costs none."""
    unusable = [
        *(None, [], {"id": 5, "updated_at": "now"}, {"id": "x" * 257, "updated_at": "2026-04-01"}),
        *({"id": "\x00"}, {"id": "\ud83d"}, {"id": float("nan"), "updated_at": 10**31}),
    ]
    for page in unusable:
        (document,), (row,) = read(tmp_path, {"page": page, "incidents": [INCIDENT], "scheduled_maintenances": None})
        assert (document.kind, document.page_id, document.page_updated_at) == ("incidents", None, None)
        assert isinstance(row, Record)


def test_bad_item_was_listed_all_the_same(tmp_path: Path) -> None:
    """It is neither withdrawn nor resolved by its quarantine; its neighbours load."""
    (document,), rows = read(tmp_path, {"incidents": [{**INCIDENT, "impact": "huge"}, {**INCIDENT, "id": "i2"}]})
    assert document.incident_ids == ("i1", "i2")
    assert [type(row) for row in rows] == [Reject, Record]


def test_component_states_come_from_the_updates(tmp_path: Path) -> None:
    """Each update with its instant (`display_at`, else `created_at`) and the states it set."""
    updates = [
        {
            "id": "u2",
            "status": "resolved",
            "created_at": "2026-03-01T01:00:00Z",
            "affected_components": [
                {"code": "c1", "name": "C", "old_status": "major_outage", "new_status": "operational"}
            ],
        },
        {"id": "u1", "status": "identified", "created_at": "2026-03-01T00:00:00Z", "affected_components": []},
    ]
    _, (row,) = read(tmp_path, {"incidents": [{**INCIDENT, "incident_updates": updates}]})
    assert row.values["updates"][0] == {
        "update_id": "u2",
        "status": "resolved",
        "at": "2026-03-01T01:00:00.000000Z",
        "components": [{"component_id": "c1", "new_status": "operational"}],
    }


def incident(tmp_path: Path, **changes: Any) -> tuple[Record | Reject, Notes]:
    """One incident with changes, and what was noted."""
    notes = Notes()
    _, (row,) = read(tmp_path, {"incidents": [{**INCIDENT, **changes}]}, notes)
    return row, notes


def test_resolved_update_is_an_end(tmp_path: Path) -> None:
    """Rule S2: `resolved_at`, else the `resolved` update."""
    update = {"id": "u1", "status": "resolved", "created_at": "2026-03-01T01:00:00Z"}
    row, _ = incident(tmp_path, resolved_at=None, incident_updates=[update])
    assert isinstance(row, Record)


def test_start_after_the_end_falls_back_to_creation(tmp_path: Path) -> None:
    """Rule S2: to `created_at`, if that is before `resolved_at`; reported."""
    row, notes = incident(tmp_path, started_at="2026-03-01T02:00:00Z")
    assert row.values["started_at"] == row.values["created_at"]
    assert [code for code, _, _ in notes.observations] == ["incident_start_replaced"]


def test_start_after_the_end_without_a_creation_before_it_is_rejected(tmp_path: Path) -> None:
    """Rule S2: created at the resolution, or after it, is not before it."""
    for created_at in ("2026-03-01T01:00:00Z", "2026-03-01T03:00:00Z"):
        row, _ = incident(tmp_path, started_at="2026-03-01T02:00:00Z", created_at=created_at)
        assert row.code == "end_not_after_start"
    row, _ = incident(tmp_path, started_at=None, created_at="2026-03-01T03:00:00Z")
    assert row.code == "end_not_after_start"


def test_resolved_at_its_very_start_is_loaded(tmp_path: Path) -> None:
    """Rule S2: it is down for no time."""
    row, notes = incident(tmp_path, started_at="2026-03-01T01:00:00Z")
    assert isinstance(row, Record)
    assert notes.observations == []


def test_open_incident_needs_no_end(tmp_path: Path) -> None:
    """It ends at the as-of time, by the models."""
    row, _ = incident(tmp_path, status="investigating", resolved_at=None)
    assert isinstance(row, Record)


def test_reopened_incident_is_judged_by_no_end(tmp_path: Path) -> None:
    """It still bears its old one; what starts after that is neither moved nor rejected."""
    resolved = {"id": "u1", "status": "resolved", "created_at": "2026-03-01T01:00:00Z"}
    for changes in ({}, {"resolved_at": None, "incident_updates": [resolved]}):
        row, notes = incident(tmp_path, status="investigating", started_at="2026-03-01T02:00:00Z", **changes)
        assert row.values["started_at"] == datetime(2026, 3, 1, 2, tzinfo=UTC)
        assert notes.observations == []
    row, _ = incident(tmp_path, status="investigating", started_at=None, created_at="2026-03-01T03:00:00Z")
    assert isinstance(row, Record)


def test_incident_that_was_resolved_again_ends_with_the_last_resolution(tmp_path: Path) -> None:
    """Not with its first: it may have started in between."""
    told = [{"id": f"u{hour}", "status": "resolved", "created_at": f"2026-03-01T0{hour}:00:00Z"} for hour in (1, 3, 2)]
    row, notes = incident(tmp_path, resolved_at=None, started_at="2026-03-01T02:30:00Z", incident_updates=told)
    assert row.values["started_at"] == datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
    assert notes.observations == []


def test_maintenance_needs_an_ordered_window(tmp_path: Path) -> None:
    """`started_at` before `scheduled_for` is what Statuspage gives; an end before its start is not."""
    _, (row,) = read(
        tmp_path, {"scheduled_maintenances": [{**MAINTENANCE, "scheduled_until": MAINTENANCE["scheduled_for"]}]}
    )
    assert row.code == "end_not_after_start"
