"""Pages of Zendesk's exports: what a row holds of them, what stays in the bucket, and how rows are numbered."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from slaledger.feeds.registry import FEEDS, read_rows
from slaledger.feeds.rows import Notes, Record, Reject
from tests.feeds.test_reasons import ZENDESK_EVENT, ZENDESK_TICKET, ZENDESK_USER, page

SECRET = "ann@example.com"
# As the API serves them, with all that no rule asks for; `via` is a name where the comment is not side-loaded.
TICKET = {
    "url": "https://k.zendesk.com/api/v2/tickets/35436.json",
    "id": 35436,
    "external_id": None,
    "via": {"channel": "email", "source": {"from": {"address": SECRET, "name": SECRET}, "rel": None}},
    "created_at": "2026-03-02T09:00:00Z",
    "updated_at": "2026-03-03T10:00:00+01:00",
    "generated_timestamp": 1772528400,
    "type": "incident",
    "subject": SECRET,
    "description": SECRET,
    "priority": "high",
    "status": "deleted",
    "requester_id": 20978392,
    "submitter_id": 76872,
    "organization_id": 509974,
    "tags": ["spam", "closed_by_merge", SECRET],
    "custom_fields": [{"id": 27642, "value": SECRET}],
}
EVENT = {
    "id": 926256957613,
    "ticket_id": 35436,
    "timestamp": 1772442000,
    "created_at": "2026-03-02T09:00:00Z",
    "updater_id": 76872,
    "via": "Mail",
    "system": {"client": SECRET, "ip_address": "192.0.2.1"},
    "metadata": {},
    "event_type": "Audit",
    "child_events": [
        {"id": 1, "event_type": "Create", "subject": SECRET},
        {"id": 2, "event_type": "Create", "priority": "low"},
        {
            "id": 3,
            "via": {"channel": "email", "source": {"from": {"address": SECRET}}},
            "type": "Comment",
            "author_id": 5031726587,
            "body": SECRET,
            "html_body": SECRET,
            "public": True,
            "audit_id": 91048994468,
            "created_at": "2026-03-02T09:00:00Z",
            "event_type": "Comment",
        },
        {"id": 4, "event_type": "Change", "subject": SECRET, "previous_value": SECRET},
        {"id": 5, "via": "Rule", "event_type": "Change", "priority": "high", "previous_value": "low"},
        {"id": 6, "event_type": "Change", "status": "solved", "previous_value": "open"},
    ],
}
USER = {"id": 76872, "name": SECRET, "email": SECRET, "phone": "+1", "role": "admin", "tags": ["ai_agent", "vip"]}


def read(tmp_path: Path, body: bytes) -> list[Record | Reject]:
    """The rows of a page."""
    path = tmp_path / "page"
    path.write_bytes(body)
    documents, rows = read_rows(FEEDS["tickets/zendesk"], path, Notes())
    assert documents == []
    return list(rows)


def facts(tmp_path: Path, *children: dict[str, Any], **event: Any) -> list[dict[str, Any]]:
    """What is kept of the child events of a ticket event."""
    (row,) = read(tmp_path, page(ticket_events=[{**ZENDESK_EVENT, **event, "child_events": children}]))
    assert isinstance(row, Record), row
    return row.values["facts"]


def test_an_updater_that_is_no_id_costs_the_row_whoever_wrote_the_comment(tmp_path: Path) -> None:
    comment = {"event_type": "Comment", "public": True, "author_id": 8}
    (row,) = read(tmp_path, page(ticket_events=[{**ZENDESK_EVENT, "updater_id": {"id": 8}, "child_events": [comment]}]))
    assert isinstance(row, Reject) and row.code == "wrong_type"


@pytest.mark.parametrize("given", [{"child_events": None}, {}])
def test_an_event_that_does_not_say_what_happened_is_quarantined(tmp_path: Path, given: dict[str, Any]) -> None:
    """A reply may be among what it does not say; an empty list says that nothing is."""
    event = {name: value for name, value in ZENDESK_EVENT.items() if name != "child_events"}
    (row,) = read(tmp_path, page(ticket_events=[event | given]))
    assert isinstance(row, Reject) and row.code == "missing_field" and "child_events" in row.reason
    assert facts(tmp_path) == []


def test_rows_hold_ids_instants_roles_and_states_alone(tmp_path: Path) -> None:
    """In Zendesk's words; what the models make of them is not decided here."""
    ticket, event, user = read(tmp_path, page(tickets=[TICKET], ticket_events=[EVENT], users=[USER]))
    assert ticket.values == {
        "ticket_id": "35436",
        "created_at": datetime(2026, 3, 2, 9, tzinfo=UTC),
        "updated_at": datetime(2026, 3, 3, 9, tzinfo=UTC),
        "organization_id": "509974",
        "submitter_id": "76872",
        "priority": "high",
        "status": "deleted",
        "is_tagged_merged": True,
        "is_tagged_spam": True,
    }
    assert event.values == {
        "ticket_event_id": "926256957613",
        "ticket_id": "35436",
        "at": datetime(2026, 3, 2, 9, tzinfo=UTC),
        "updater_id": "76872",
        "facts": [
            {"kind": "comment", "is_automatic": False, "is_public": True, "author_id": "5031726587"},
            {"kind": "priority", "is_automatic": True, "value": "high", "previous_value": "low"},
            {"kind": "status", "is_automatic": False, "value": "solved"},
        ],
    }
    assert user.values == {"user_id": "76872", "role": "admin", "is_tagged_ai": True}
    assert SECRET not in str([ticket, event, user])


def test_the_smallest_rows_lack_what_may_be_absent(tmp_path: Path) -> None:
    """Null is absent, too."""
    bare, nulls = read(
        tmp_path,
        page(tickets=[ZENDESK_TICKET, {**dict.fromkeys(TICKET), **ZENDESK_TICKET}]),
    )
    assert bare.values == nulls.values
    assert bare.values["priority"] is None and bare.values["organization_id"] is None
    assert not bare.values["is_tagged_merged"] and not bare.values["is_tagged_spam"]
    assert facts(tmp_path) == []
    odd = {"organization_id": " ", "submitter_id": "", "tags": [1, None, "", [], SECRET * 99]}
    assert read(tmp_path, page(tickets=[{**ZENDESK_TICKET, **odd}]))[0].values == bare.values
    (user,) = read(tmp_path, page(users=[ZENDESK_USER]))
    assert not user.values["is_tagged_ai"]


@pytest.mark.parametrize(
    ("child", "event", "expected"),
    [
        ({"public": False}, {}, {"is_public": False}),
        ({"comment_present": True, "comment_public": True}, {}, {"is_public": True}),
        ({"public": False, "comment_public": True}, {}, {"is_public": False}),
        ({"public": True}, {}, {"author_id": None}),
        ({"public": True, "via": {"channel": "rule"}}, {}, {"is_automatic": True}),
        ({"public": True, "via": {"channel": "system"}}, {}, {"is_automatic": True}),
        ({"public": True, "via": {"channel": 8}}, {}, {"is_automatic": True}),
        ({"public": True, "via": {"channel": "8"}}, {}, {"is_automatic": True}),
        ({"public": True, "via": {"channel": "80"}}, {}, {"is_automatic": False}),
        ({"public": True, "via": {"channel": "api"}}, {"via": {"channel": "rule"}}, {"is_automatic": False}),
        ({"public": True, "via": {}}, {"via": {"channel": "rule"}}, {"is_automatic": True}),
        ({"public": True}, {"via": {"channel": "web"}}, {"is_automatic": False}),
        ({"public": True}, {"via": "Web form"}, {"is_automatic": False}),
    ],
)
def test_comment(tmp_path: Path, child: dict, event: dict, expected: dict) -> None:
    """`public`, else `comment_public`; automatic by its own channel, else by its ticket event's."""
    (fact,) = facts(tmp_path, {"event_type": "Comment", **child}, **event)
    assert fact["kind"] == "comment"
    assert {name: fact[name] for name in expected} == expected


def test_changes_are_read_as_the_export_and_as_the_audit_write_them(tmp_path: Path) -> None:
    """A field of its own, or `field_name` and `value`; other fields are none of ours."""
    read_as = facts(
        tmp_path,
        {"event_type": "Change", "priority": "urgent", "previous_value": None},
        {"type": "Change", "field_name": "priority", "value": None, "previous_value": "urgent"},
        {"type": "Change", "field_name": "status", "value": "on-hold", "previous_value": "open"},
        {"type": "Change", "field_name": "subject", "value": SECRET, "previous_value": SECRET},
        {"event_type": "Change", "tags": ["a"], "previous_value": []},
        {"event_type": "Notification", "priority": "urgent"},
    )
    assert read_as == [
        {"kind": "priority", "is_automatic": False, "value": "urgent", "previous_value": None},
        {"kind": "priority", "is_automatic": False, "value": None, "previous_value": "urgent"},
        {"kind": "status", "is_automatic": False, "value": "on-hold"},
    ]


@pytest.mark.parametrize(
    ("child", "added"),
    [
        ({"tags": ["vip", "spam"], "previous_value": ["vip"], "added_tags": ["spam"], "removed_tags": []}, ["spam"]),
        ({"tags": ["spam"], "previous_value": ["vip"]}, ["spam"]),
        ({"tags": ["spam"], "previous_value": ["spam", "vip"]}, []),
        # What is said to be added was, whatever stands beside it; a removed one is none.
        ({"tags": ["spam"], "previous_value": ["spam"], "added_tags": ["spam"]}, ["spam"]),
        ({"tags": ["spam"], "previous_value": None, "added_tags": []}, []),
        ({"tags": [], "previous_value": ["spam"], "removed_tags": ["spam"]}, []),
        ({"added_tags": ["closed_by_merge", SECRET]}, ["closed_by_merge"]),
        ({"field_name": "tags", "value": ["spam", "closed_by_merge"]}, ["closed_by_merge", "spam"]),
        ({"field_name": "tags", "value": f"{SECRET} spam", "previous_value": SECRET}, ["spam"]),
        ({"field_name": "subject", "value": "spam", "tags": ["spam"]}, []),
        ({"tags": {"spam": 1}, "previous_value": 5}, []),
        ({"tags": [["spam"], {}, None, "Spam", "spammer"]}, []),
        ({"event_type": "Create", "tags": ["spam"]}, []),
    ],
)
def test_an_added_tag_is_kept_if_a_rule_asks_for_it(tmp_path: Path, child: dict, added: list[str]) -> None:
    """Decision 0010: it tells when a ticket was merged, or marked as spam. Others stay in the bucket."""
    assert facts(tmp_path, {"event_type": "Change", **child}) == [{"kind": "tag", "value": tag} for tag in added]


def test_rows_are_numbered_through_whatever_the_order_of_the_lists(tmp_path: Path) -> None:
    """Tickets, ticket events, users; wrappers are no rows, and a bad row costs no other."""
    body = json.dumps(
        {
            "users": [ZENDESK_USER, {"id": 4, "role": "owner"}],
            "tickets": [ZENDESK_TICKET, {"id": "x"}],
            "next_page": SECRET,
            "count": 5,
        }
    )
    rows = read(tmp_path, gzip.compress(body.encode()))
    assert [(row.line_number, type(row)) for row in rows] == [(1, Record), (2, Reject), (3, Record), (4, Reject)]
    assert [row.table for row in rows if isinstance(row, Record)] == ["zendesk_tickets", "zendesk_users"]


def test_an_empty_object_is_an_export_of_no_rows(tmp_path: Path) -> None:
    """And so is a page without items."""
    assert read(tmp_path, b" \n") == []
    assert read(tmp_path, page(tickets=[], end_time=1)) == []


def test_nothing_of_the_wrapper_costs_a_row(tmp_path: Path) -> None:
    """A list that is null is as if absent; the lists alone have to be there once."""
    body = json.dumps({"tickets": [ZENDESK_TICKET], "ticket_events": None, "users": None, "x": 0})
    for more in (
        '"count": NaN',
        '"count": 1, "count": 1e999',
        '"after_url": "\\u0000\\ud83d"',
        '"x": {"a": 1, "a": 2}',
    ):
        (row,) = read(tmp_path, body.replace('"x": 0', more).encode())
        assert isinstance(row, Record)


def test_a_bad_byte_costs_its_row_alone(tmp_path: Path) -> None:
    """And nothing where it stands in the wrapper, which is no row."""
    body = page(users=[{**USER, "name": "Xe"}, ZENDESK_USER], next_page="Xe").replace(b"Xe", b"caf\xe9")
    bad, good = read(tmp_path, body)
    assert isinstance(bad, Reject) and bad.code == "invalid_utf8" and bad.raw_record["id"] == USER["id"]
    assert isinstance(good, Record)


def test_quarantine_keeps_no_text(tmp_path: Path) -> None:
    """Of child events those alone that some rule asks about: the value of another's change may be a text."""
    rejects = read(
        tmp_path,
        page(
            tickets=[{**TICKET, "created_at": "monday"}],
            ticket_events=[{**EVENT, "created_at": None}],
            users=[{**USER, "role": "owner"}],
        ),
    )
    assert [reject.code for reject in rejects] == ["invalid_instant", "missing_field", "value_not_allowed"]
    assert SECRET not in str(rejects)
    assert rejects[0].raw_record["id"] == 35436
    assert [child["id"] for child in rejects[1].raw_record["child_events"]] == [3, 5, 6]
    assert rejects[1].raw_record["child_events"][0]["via"] == {"channel": "email"}
    assert rejects[2].raw_record == {"id": 76872, "role": "owner"}


@pytest.mark.parametrize(("stated", "codes"), [({"end_of_stream": False}, ["more_pages"]), ({}, []), (None, [])])
def test_a_page_that_is_not_the_last_is_reported(
    tmp_path: Path, stated: dict[str, bool] | None, codes: list[str]
) -> None:
    """One that says nothing, or that it is the last, is not."""
    body = {"users": [ZENDESK_USER], **({"end_of_stream": True} if stated is None else stated)}
    path, notes = tmp_path / "body", Notes()
    path.write_text(json.dumps(body))
    rows = list(read_rows(FEEDS["tickets/zendesk"], path, notes)[1])
    assert [type(row) for row in rows] == [Record]
    assert [(code, subject) for code, subject, _ in notes.observations] == [(code, None) for code in codes]
