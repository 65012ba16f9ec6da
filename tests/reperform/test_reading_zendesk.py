"""Zendesk's incremental exports as ticket events."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from slaledger.reperform.records import ExportObject, Exports, TicketEvent
from tests.reperform.export_objects import at, csv, put, read, rejected_rows

CREATED, UPDATED = "2026-03-10T10:00:00Z", "2026-03-11T10:00:00Z"
CUSTOMER, AGENT, ADMIN, AI = 1, 2, 3, 4
Row = dict[str, Any]
USERS: list[Row] = [
    {"id": CUSTOMER, "role": "end-user", "tags": ["ai_agent"]},
    {"id": AGENT, "role": "agent", "tags": []},
    {"id": ADMIN, "role": "admin"},
    {"id": AI, "role": "agent", "tags": ["vip", "ai_agent"]},
]


def ticket(**changes: Any) -> Row:
    return {
        "id": 70,
        "created_at": CREATED,
        "updated_at": UPDATED,
        "submitter_id": CUSTOMER,
        "organization_id": 500,
        "priority": "high",
        "status": "open",
        "tags": [],
        "subject": "never read",
    } | changes


def audit(*children: Row, **changes: Any) -> Row:
    return {
        "id": 900,
        "ticket_id": 70,
        "created_at": "2026-03-10T11:00:00Z",
        "timestamp": 1_773_140_400,
        "updater_id": AGENT,
        "via": "Web form",
        "event_type": "Audit",
        "child_events": list(children),
    } | changes


def comment(**changes: Any) -> Row:
    return {"id": 901, "event_type": "Comment", "public": True, "author_id": AGENT, "body": "never read"} | changes


def change(priority: str | None, previous: str | None, **more: Any) -> Row:
    return {"id": 902, "event_type": "Change", "priority": priority, "previous_value": previous} | more


def export(name: str = "a", exported_at: str = "2026-04-01T00:00:00Z", **lists: Any) -> ExportObject:
    return put(f"tickets/zendesk/{name}", json.dumps(lists | {"end_of_stream": True}), exported_at)


def events_of(exports: Exports) -> list[TicketEvent]:
    return sorted(exports.ticket_events, key=lambda event: (event.at, event.event_id))


def children_of(*audits: Row, **ticket_changes: Any) -> list[TicketEvent]:
    exports = read(export(tickets=[ticket(**ticket_changes)], ticket_events=list(audits), users=USERS))
    assert exports.rejected == []
    return [event for event in events_of(exports) if event.type != "created"]


def created_of(*audits: Row, **ticket_changes: Any) -> TicketEvent:
    exports = read(export(tickets=[ticket(**ticket_changes)], ticket_events=list(audits), users=USERS))
    (found,) = [event for event in exports.ticket_events if event.type == "created"]
    return found


def test_a_ticket_is_created_by_its_submitter_for_its_organization() -> None:
    assert created_of() == TicketEvent("70", "created", at(CREATED), "created", "customer", "500", "P2")
    assert created_of(organization_id=None).account_id is None
    assert created_of(organization_id="").account_id is None
    assert created_of(organization_id=" ").account_id is None
    for submitter_id, actor in [(AGENT, "agent"), (ADMIN, "agent"), (AI, "ai"), (99, "customer"), (None, "customer")]:
        assert created_of(submitter_id=submitter_id).actor == actor


@pytest.mark.parametrize(
    ("priority", "severity"),
    [("urgent", "P1"), ("high", "P2"), ("normal", "P3"), ("low", "P4"), (None, None), ("", None)],
)
def test_priorities_are_severities(priority: str | None, severity: str | None) -> None:
    assert created_of(priority=priority).severity == severity
    assert children_of(audit(change(priority, "low")))[0].severity == severity


def test_an_organization_may_be_mapped_to_an_account() -> None:
    header = "account_id,company_name,sandbox,zendesk_organization_id"
    accounts = put("accounts/accounts/a", csv(header, "a2,B,,500", "a1,A,,500", "500,C,,", "a3,D,,501"))
    zendesk = export(tickets=[ticket(), ticket(id=71, organization_id=501), ticket(id=72, organization_id=502)])
    found = read(accounts, zendesk)
    assert [event.account_id for event in found.ticket_events] == ["a1", "a3", "502"]
    assert found.rejected == []


def test_the_severity_at_creation_is_walked_back_through_the_changes() -> None:
    later = audit(change("urgent", "high", id=912), id=910, created_at="2026-03-10T12:00:00Z")
    first = audit(change("high", None), id=911)
    for audits in ((first, later), (later, first)):
        assert created_of(*audits, priority="urgent").severity is None
        assert [(event.at, event.severity, event.actor) for event in children_of(*audits, priority="urgent")] == [
            (at("2026-03-10T11:00:00Z"), "P2", "agent"),
            (at("2026-03-10T12:00:00Z"), "P1", "agent"),
        ]
    # Of one instant, the lower id came first.
    ninth, tenth = audit(change("low", "normal"), id=9), audit(change("high", "low", id=903), id=10)
    assert created_of(tenth, ninth).severity == "P3"


def test_a_change_may_name_its_field_and_only_the_priority_counts() -> None:
    named = {"id": 1, "event_type": "Change", "field_name": "priority", "value": "low", "previous_value": "high"}
    others = [
        {"id": 2, "event_type": "Change", "subject": "never read", "previous_value": "x"},
        {"id": 3, "event_type": "Change", "field_name": "type", "value": "x", "previous_value": "y"},
        {"id": 4, "event_type": "Create", "priority": "normal"},
        {"id": 5, "event_type": "Notification"},
    ]
    (found,) = children_of(audit(named, *others))
    assert (found.type, found.severity) == ("severity_changed", "P4")


def test_at_one_instant_the_ids_of_ticket_events_are_the_order_as_numbers_then_their_children_are() -> None:
    first = audit(change("urgent", "low", id=8), change("normal", "urgent", id=7), id=99)
    second = audit(change("high", "normal", id=1), id=100)
    for audits in ((first, second), (second, first)):
        assert created_of(*audits).severity == "P4"
        assert [event.severity for event in children_of(*audits)] == ["P1", "P3", "P2"]


def status(value: Any, **more: Any) -> Row:
    return {"id": 903, "event_type": "Change", "status": value, "previous_value": "open"} | more


@pytest.mark.parametrize(
    ("child", "of_audit", "actor"),
    [
        (status("solved"), {"updater_id": CUSTOMER}, "customer"),
        (status("solved"), {"updater_id": ADMIN}, "agent"),
        (status("solved"), {"updater_id": AI}, "ai"),
        (status("solved"), {"updater_id": 99}, "customer"),
        (status("solved"), {"updater_id": None}, "system"),
        (status("solved"), {"updater_id": CUSTOMER, "via": {"channel": "rule"}}, "system"),
        (status("solved", via={"channel": "web"}), {"updater_id": CUSTOMER, "via": "rule"}, "customer"),
        (change("low", "high", via="System"), {}, "system"),
    ],
)
def test_a_change_is_the_updaters_else_the_systems(child: Row, of_audit: Row, actor: str) -> None:
    (found,) = children_of(audit(child, **of_audit))
    assert found.actor == actor


def test_a_change_of_the_status_may_be_told_in_either_spelling() -> None:
    named = {"event_type": "Change", "field_name": "status", "value": "closed", "previous_value": "solved"}
    for value in ("open", "pending", "solved", "closed"):
        for child in (status(value), status(value, event_type=None, type="Change"), named | {"value": value}):
            (found,) = children_of(audit(child))
            assert (found.type, found.status, found.severity) == ("status_changed", value, None)
    # A change of the status is no step of the priority.
    assert created_of(audit(status("solved"))).severity == "P2"


@pytest.mark.parametrize("value", ["new", "hold", "deleted", "Solved", "", None])
def test_another_status_tells_nothing(value: Any) -> None:
    assert children_of(audit(status(value))) == []


def test_comments_are_replies_or_notes() -> None:
    for child, kind in [
        (comment(), "public_reply"),
        (comment(public=False), "internal_note"),
        (comment(public=None, comment_public=True), "public_reply"),
        (comment(public=False, comment_public=True), "internal_note"),
        (comment(event_type=None, type="Comment"), "public_reply"),
    ]:
        (found,) = children_of(audit(child))
        assert (found.type, found.at) == (kind, at("2026-03-10T11:00:00Z"))
    # A ticket event happened at its instant, with all its children.
    for own in ("2026-03-10T11:00:01Z", "yesterday"):
        (found,) = children_of(audit(comment(created_at=own, id=None)))
        assert found.at == at("2026-03-10T11:00:00Z")


@pytest.mark.parametrize(
    ("author_id", "updater_id", "actor"),
    [
        (AGENT, CUSTOMER, "agent"),
        (None, ADMIN, "agent"),
        (" ", ADMIN, "agent"),
        (CUSTOMER, AGENT, "customer"),
        (AI, AGENT, "ai"),
        (99, AGENT, "customer"),
        (-1, AGENT, "customer"),
        (None, None, "customer"),
    ],
)
def test_a_comment_is_its_authors_else_the_updaters(author_id: Any, updater_id: Any, actor: str) -> None:
    (found,) = children_of(audit(comment(author_id=author_id), updater_id=updater_id))
    assert found.actor == actor


@pytest.mark.parametrize(
    ("via", "of_audit", "is_automatic"),
    [
        ({"channel": "rule"}, None, True),
        ({"channel": "system"}, None, True),
        ({"channel": "web"}, {"channel": "rule"}, False),
        (None, {"channel": "rule"}, True),
        ({}, "Web form", False),
        (None, None, False),
        ({"channel": 8}, None, True),
        ({"channel": "8"}, None, True),
        ({"channel": "80"}, None, False),
        ({"channel": 0}, None, False),
        ({"channel": "Rule"}, None, True),
        ({"channel": ["rule"]}, None, False),
        ("SYSTEM", None, True),
        ("rules", None, False),
        (8, None, True),
        ("", "rule", True),
        ("web", 8, False),
    ],
)
def test_a_comment_by_a_rule_or_the_system_is_automatic(via: Any, of_audit: Any, is_automatic: bool) -> None:
    (found,) = children_of(audit(comment(via=via), via=of_audit))
    assert found.is_automatic == is_automatic


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"tags": ["closed_by_merge"], "status": "closed"}, ["merged_into"]),
        ({"tags": ["spam"], "status": "deleted"}, ["marked_spam"]),
        ({"tags": ["spam"], "status": "open"}, []),
        ({"tags": [], "status": "deleted"}, []),
        ({"tags": None, "status": None}, []),
        ({"tags": " "}, []),
        ({"tags": [1, None, "", [], "t" * 257, "closed_by_merge"]}, ["merged_into"]),
    ],
)
def test_merged_and_spam_are_tags(changes: Row, kinds: list[str]) -> None:
    found = children_of(**changes)
    assert [(event.type, event.at, event.target_ticket_id) for event in found] == [
        (kind, at(UPDATED), None) for kind in kinds
    ]


def tagged(*added: str, **more: Any) -> Row:
    tags = {"tags": ["vip", *added], "previous_value": ["vip"], "added_tags": list(added), "removed_tags": []}
    return {"id": 904, "event_type": "Change", **tags} | more


def ended_at(kind: str, *audits: Row) -> set[int]:
    found = children_of(*audits, tags=["closed_by_merge", "spam"], status="deleted")
    return {event.at for event in found if event.type == kind}


FIRST, SECOND_TIME, THIRD = (f"2026-03-10T{hour}:00:00Z" for hour in (12, 13, 14))


@pytest.mark.parametrize(
    "child",
    [
        tagged("closed_by_merge"),
        tagged("closed_by_merge", "x"),
        tagged("closed_by_merge", added_tags=None),
        tagged("closed_by_merge", tags=None),
        {"type": "Change", "field_name": "tags", "value": ["closed_by_merge"], "previous_value": None},
        {"type": "Change", "field_name": "tags", "value": "vip closed_by_merge", "previous_value": "vip"},
    ],
)
def test_a_ticket_was_merged_when_its_tag_was_added(child: Row) -> None:
    """Decision 0010: whenever the ticket was changed after it."""
    assert ended_at("merged_into", audit(child, created_at=FIRST)) == {at(FIRST)}
    # Of several times the last, in whatever order they come.
    audits = [audit(child, created_at=FIRST, id=8), audit(child, created_at=SECOND_TIME, id=7)]
    assert ended_at("merged_into", *audits) == ended_at("merged_into", *audits[::-1]) == {at(SECOND_TIME)}


@pytest.mark.parametrize(
    "child",
    [
        tagged("closed_by_merged"),
        tagged(tags=["closed_by_merge"]),
        tagged("closed_by_merge", added_tags=None, previous_value=["closed_by_merge"]),
        tagged("closed_by_merge", added_tags={"closed_by_merge": True}),
        tagged("closed_by_merge", event_type="Create"),
        {"type": "Change", "field_name": "subject", "value": "closed_by_merge", "tags": ["closed_by_merge"]},
        {"type": "Change", "field_name": "tags", "value": 5, "previous_value": {}},
        {"type": "Change", "field_name": "tags", "value": [["closed_by_merge"], {}, None]},
    ],
)
def test_without_such_an_event_it_was_merged_by_its_last_update(child: Row) -> None:
    assert ended_at("merged_into", audit(child, created_at=FIRST)) == {at(UPDATED)}


def test_a_ticket_was_spam_once_it_was_tagged_and_deleted() -> None:
    """Decision 0010: either alone is no spam."""
    named = {"type": "Change", "field_name": "status", "value": "deleted", "previous_value": "open"}
    for deletion in (status("deleted"), named):
        for first, second in ((tagged("spam"), deletion), (deletion, tagged("spam"))):
            audits = [audit(first, created_at=FIRST, id=7), audit(second, created_at=THIRD, id=8)]
            assert ended_at("marked_spam", *audits) == {at(THIRD)}
            assert ended_at("merged_into", *audits) == {at(UPDATED)}
            assert ended_at("marked_spam", audit(first, second, created_at=FIRST)) == {at(FIRST)}
        assert ended_at("marked_spam", audit(deletion, created_at=FIRST)) == {at(UPDATED)}
    assert ended_at("marked_spam", audit(tagged("spam"), created_at=FIRST)) == {at(UPDATED)}
    # What an event tells of a ticket that is neither says nothing.
    assert children_of(audit(tagged("spam", "closed_by_merge"), status("deleted"))) == []


def test_documents_may_be_apart_and_the_latest_export_of_each_id_is_in_force() -> None:
    apart = [
        export("t", tickets=[ticket(priority="low")]),
        export("e", ticket_events=[audit(comment())]),
        export("u", users=USERS),
    ]
    late = "2026-04-02T00:00:00Z"
    assert {event.actor for event in read(*apart).ticket_events} == {"customer", "agent"}
    promoted = read(
        *apart, export("v", late, users=[{"id": CUSTOMER, "role": "agent"}]), export("w", late, tickets=[ticket()])
    )
    assert [(event.type, event.actor, event.severity) for event in events_of(promoted)] == [
        ("created", "agent", "P2"),
        ("public_reply", "agent", None),
    ]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("tickets", ticket(id=None)),
        ("tickets", ticket(id="70")),
        ("tickets", ticket(id=True)),
        ("tickets", ticket(id=7.5)),
        ("tickets", ticket(id=10**30)),
        ("tickets", ticket(created_at=None)),
        ("tickets", ticket(created_at="2026-03-10T10:00:00")),
        ("tickets", ticket(priority="P1")),
        ("tickets", ticket(status="x" * 257)),
        ("tickets", ticket(subject="\0")),
        ("tickets", "text"),
        ("ticket_events", audit(created_at=None)),
        ("ticket_events", audit(ticket_id=None)),
        ("ticket_events", audit(comment(public=None))),
        ("ticket_events", audit(comment(public="true"))),
        ("ticket_events", audit(change("highest", "low"))),
        ("ticket_events", audit(change("high", "lowest"))),
        ("ticket_events", audit(status(5))),
        ("ticket_events", audit(comment(), updater_id="2", id=902) | {"child_events": [status("solved")]}),
        ("ticket_events", audit(comment(author_id=AGENT), updater_id={"id": AGENT})),
        ("ticket_events", audit() | {"child_events": "none"}),
        ("ticket_events", audit() | {"child_events": None}),
        ("users", {"id": 9, "role": "owner"}),
        ("users", {"id": 9}),
        ("users", {"role": "agent"}),
    ],
)
def test_a_row_that_cannot_be_used_is_rejected_alone(name: str, row: Any) -> None:
    good = {"tickets": ticket(id=80), "ticket_events": audit(comment(), id=81), "users": USERS[1]}
    exports = read(export(**{name: [row, good[name]]}))
    assert rejected_rows(exports) == [1]
    assert len(exports.ticket_events) == (0 if name == "users" else 1)


@pytest.mark.parametrize(
    "body",
    [
        *("{}", "[]", "{", "NaN", '{"users": {}}', '{"users": null}', '{"users": NaN}'),
        *('{"users": [], "tickets": {}}', '{"users": [], "users": []}', '{"users": [\xff]}'),
    ],
)
def test_a_document_without_a_list_cannot_be_read(body: str) -> None:
    assert rejected_rows(read(put("tickets/zendesk/a", body.encode("latin-1")))) == [0]


@pytest.mark.parametrize("body", [b"", b" \n", b"\xef\xbb\xbf", gzip.compress(b"\t", mtime=0)])
def test_a_blank_object_has_no_rows_and_no_fault(body: bytes) -> None:
    assert rejected_rows(read(put("tickets/zendesk/a", body), put("status_page/statuspage/a", body))) == []


@pytest.mark.parametrize(
    "more",
    [
        *('"users": null', '"count": 1, "count": 2', '"count": NaN', '"count": 1e999', '"next_page": "\\u0000\\ud83d"'),
        *('"next_page": "caf\xe9"', '"x": {"a": 1, "a": 2}', '"\xff": 1'),
    ],
)
def test_nothing_of_a_wrapper_costs_a_row(more: str) -> None:
    body = f'{{"tickets": [{json.dumps(ticket())}], {more}}}'.encode("latin-1")
    for packed in (body, gzip.compress(body), b"\xef\xbb\xbf" + body):
        exports = read(put("tickets/zendesk/a", packed))
        assert len(exports.ticket_events) == 1 and exports.rejected == []


@pytest.mark.parametrize(
    "fault", [b'"id": 70, "id": 70', b'"id": 70, "x": [{"a": 1, "a": 1}]', b'"id": 70, "x": "\xe9"']
)
def test_what_no_row_may_hold_anywhere_costs_the_row_alone(fault: bytes) -> None:
    bad = json.dumps(ticket()).encode().replace(b'"id": 70', fault)
    exports = read(
        put("tickets/zendesk/a", b'{"tickets": [' + bad + b", " + json.dumps(ticket(id=80)).encode() + b"]}")
    )
    assert rejected_rows(exports) == [1]
    assert [event.ticket_id for event in exports.ticket_events] == ["80"]
