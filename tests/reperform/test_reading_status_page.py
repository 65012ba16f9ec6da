"""Status-page documents: kinds, lists, and which incidents can be used (S2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slaledger.reperform.records import ExportObject, Incident
from tests.reperform.export_objects import at, put, read, rejected_rows

PAGE = {"id": "p1", "updated_at": "2026-04-01T00:00:00.000Z"}


def incident(**changes: Any) -> dict[str, Any]:
    return {
        "id": "i1",
        "status": "resolved",
        "impact": "critical",
        "created_at": "2026-03-10T10:00:00.000Z",
        "started_at": "2026-03-10T09:55:00.000-00:00",
        "resolved_at": "2026-03-10T11:00:00.000Z",
        "components": [{"id": "c1"}],
        "incident_updates": [],
    } | changes


def update(status: str, at: str | None, **more: Any) -> dict[str, Any]:
    return {"id": "u1", "status": status, "created_at": "2026-03-10T12:00:00Z", "display_at": at} | more


def document(content: dict[str, Any], **more: Any) -> ExportObject:
    return put("status_page/statuspage/a", json.dumps({"page": PAGE} | content), **more)


def used(row: Any) -> Incident | None:
    exports = read(document({"incidents": [row]}))
    assert len(exports.rejected) + len(exports.documents[0].incidents) == 1
    return next(iter(exports.documents[0].incidents), None)


def test_an_incident_is_read_as_its_document_has_it() -> None:
    found = used(
        incident(
            incident_updates=[
                update("resolved", None, affected_components=None),
                update(
                    "identified",
                    "2026-03-10T10:05:00Z",
                    affected_components=[{"code": "c1", "new_status": "major_outage", "old_status": "?"}],
                ),
            ]
        )
    )
    assert found is not None
    assert (found.started_at, found.resolved_at) == (at("2026-03-10T09:55:00Z"), at("2026-03-10T11:00:00Z"))
    assert found.component_ids == ("c1",)
    assert [(each.at, each.status, each.changes) for each in found.updates] == [
        (at("2026-03-10T12:00:00Z"), "resolved", ()),
        (at("2026-03-10T10:05:00Z"), "identified", (("c1", "major_outage"),)),
    ]


@pytest.mark.parametrize(
    ("changes", "started_at"),
    [
        # One resolved at its very start is loaded; an open one has no end to be judged by.
        ({"started_at": "2026-03-10T11:00:00Z"}, "2026-03-10T11:00:00Z"),
        ({"status": "identified", "resolved_at": None}, "2026-03-10T09:55:00Z"),
        (
            {
                "status": "identified",
                "started_at": "2026-03-10T13:00:00Z",
                "resolved_at": None,
                "incident_updates": [update("resolved", None)],
            },
            "2026-03-10T13:00:00Z",
        ),
        ({"status": "identified", "started_at": "2026-03-10T13:00:00Z"}, "2026-03-10T13:00:00Z"),
        # Started after its end: its creation is the start, if that is before the end.
        ({"started_at": "2026-03-10T11:00:00.001Z"}, "2026-03-10T10:00:00Z"),
        (
            {"started_at": "2026-03-10T13:00:00Z", "resolved_at": None, "incident_updates": [update("resolved", None)]},
            "2026-03-10T10:00:00Z",
        ),
        # Nothing but `created_at`.
        ({"started_at": None}, None),
        ({"started_at": None, "created_at": "2026-03-10T11:00:00Z"}, None),
        ({"resolved_at": None, "incident_updates": [update("resolved", None)]}, "2026-03-10T09:55:00Z"),
        ({"components": None}, "2026-03-10T09:55:00Z"),
    ],
)
def test_an_incident_that_can_be_used(changes: dict[str, Any], started_at: str | None) -> None:
    found = used(incident(**changes))
    assert found is not None
    assert found.started_at == (None if started_at is None else at(started_at))


@pytest.mark.parametrize(
    "changes",
    [
        {"resolved_at": None},
        {"resolved_at": None, "status": "postmortem", "incident_updates": [update("monitoring", None)]},
        {"started_at": "2026-03-10T12:00:00Z", "created_at": "2026-03-10T11:00:00Z"},
        {"started_at": None, "created_at": "2026-03-10T11:00:00.001Z"},
        {"created_at": None},
        {"created_at": "2026-03-10T11:00:00"},
        {"resolved_at": "soon"},
        {"id": None},
        {"id": ""},
        {"status": "over"},
        {"impact": "huge"},
        {"impact": None},
        {"status": "completed"},
        {"incident_updates": [update("completed", None)]},
        {"incident_updates": [update("resolved", None, id=None)]},
        {"components": [{"name": "no id"}]},
        {"components": "c1"},
        {"incident_updates": [{"status": "resolved"}]},
        {"incident_updates": [update("over", None)]},
        {"incident_updates": [update("resolved", None, affected_components=[{"code": "c1", "new_status": "bad"}])]},
        {"incident_updates": [update("resolved", None, affected_components=[{"new_status": "operational"}])]},
        {"name": "\0"},
        {"name": "\udcff"},
        {"name": "x" * (1 << 20)},
    ],
)
def test_an_incident_that_cannot_be_used(changes: dict[str, Any]) -> None:
    assert used(incident(**changes)) is None


def test_a_row_that_cannot_be_used_is_still_listed_and_spoils_no_other() -> None:
    content = {"incidents": [incident(id="bad", status="over"), "text", incident()]}
    exports = read(document(content))
    (page,) = exports.documents
    assert page.listed_ids == {"bad", "i1"}
    assert [each.incident_id for each in page.incidents] == ["i1"]
    assert rejected_rows(exports) == [1, 2]


@pytest.mark.parametrize(
    ("changes", "rejected"),
    [
        ({}, []),
        ({"scheduled_until": "2026-03-11T00:00:00Z"}, []),
        ({"scheduled_until": "2026-03-10T00:00:00Z"}, [1]),
        ({"scheduled_for": "soon"}, [1]),
        ({"status": "resolved"}, [1]),
    ],
)
def test_a_maintenance_has_statuses_and_a_window_of_its_own(changes: dict[str, Any], rejected: list[int]) -> None:
    maintenance = incident(id="m1", status="completed", scheduled_for="2026-03-10T00:00:00Z") | changes
    exports = read(document({"scheduled_maintenances": [maintenance]}))
    assert rejected_rows(exports) == rejected
    # An incident has no window, whatever it carries.
    assert used(incident(scheduled_for="soon")) is not None


def test_bytes_that_are_no_utf8_spoil_their_own_incident() -> None:
    body = json.dumps({"page": PAGE, "incidents": [incident(id="bad", name="#"), incident()]}).encode()
    exports = read(put("status_page/statuspage/a", body.replace(b'"#"', b'"\xff"')))
    assert [each.incident_id for each in exports.documents[0].incidents] == ["i1"]


def test_kinds_of_documents() -> None:
    summary = {
        "status": {"indicator": "none"},
        "incidents": [incident()],
        "scheduled_maintenances": [incident(id="m1", status="completed")],
    }
    both = {name: summary[name] for name in ("incidents", "scheduled_maintenances")}
    (page,) = read(document(summary, is_complete=True)).documents
    assert (page.kind, page.is_complete, page.listed_ids, len(page.incidents)) == ("summary", False, {"i1"}, 1)
    assert (page.page_id, page.page_updated_at) == ("p1", at("2026-04-01T00:00:00Z"))
    pages = read(document(both, is_complete=True)).documents
    assert [(page.kind, page.is_complete, page.listed_ids) for page in pages] == [
        ("incidents", True, {"i1"}),
        ("scheduled_maintenances", True, {"m1"}),
    ]
    assert [len(page.incidents) for page in pages] == [1, 0]


def test_an_incident_names_its_page_where_the_document_does_not() -> None:
    own = incident(page_id="own")
    (named,) = read(document({"incidents": [own]})).documents
    assert [each.page_id for each in named.incidents] == ["p1"]
    (bare,) = read(put("status_page/statuspage/a", json.dumps({"incidents": [own, incident(id="i2")]}))).documents
    assert [each.page_id for each in bare.incidents] == ["own", None]
    # It is a text that is read, and so one that has to be usable.
    assert used(incident(page_id=5)) is None


def test_a_status_without_a_list_of_incidents_says_nothing_about_them() -> None:
    exports = read(document({"status": {"indicator": "none"}}))
    assert exports.documents == []
    assert rejected_rows(exports) == [0]


@pytest.mark.parametrize(
    "page",
    [
        *(None, [], {}, {"id": 5, "updated_at": "2026-04-01"}, {"id": "\0"}, {"id": "\ud83d", "updated_at": 10**31}),
        {"id": "p" * 257, "updated_at": float("nan")},
    ],
)
def test_a_page_that_says_nothing_usable_costs_no_incident(page: Any) -> None:
    body = json.dumps({"page": page, "incidents": [incident()]})
    (found,) = read(put("status_page/statuspage/a", body, is_complete=True)).documents
    assert (found.page_id, found.page_updated_at, len(found.incidents)) == (None, None, 1)
    # Nor is it a complete list of any page.
    assert not found.is_complete


@pytest.mark.parametrize(
    "body",
    [
        *("{", "[]", '{"incidents": {}}', '{"incidents": [1}', "\x1f\x8b", '{"incidents": null}'),
        *('{"incidents": [], "scheduled_maintenances": {}}', '{"incidents": [], "incidents": []}'),
        '{"status": {}, "incidents": [], "scheduled_maintenances": null}',
    ],
)
def test_a_document_that_cannot_be_read_is_rejected_whole(body: str) -> None:
    exports = read(put("status_page/statuspage/a", body))
    assert exports.documents == []
    assert rejected_rows(exports) == [0]


def test_documents_come_in_the_order_of_their_exports_and_keep_their_own_words() -> None:
    first = put("status_page/statuspage/b", json.dumps({"incidents": [incident()]}), "2026-04-01T00:00:00Z")
    second = put("status_page/statuspage/a", json.dumps({"incidents": []}), "2026-04-02T00:00:00Z")
    assert [len(page.incidents) for page in read(second, first).documents] == [1, 0]


def test_an_incident_that_a_document_lists_twice_is_its_last() -> None:
    (page,) = read(document({"incidents": [incident(impact="none"), incident(impact="major")]})).documents
    assert [each.impact for each in page.incidents] == ["major"]
