"""Rows of the feeds: what a record holds, what the quarantine keeps, what is noted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from slaledger.feeds.registry import FEEDS, feed_of, read_rows
from slaledger.feeds.rows import Notes, Record, Reject
from tests.feeds.test_reasons import (
    CLAIM,
    CONTRACT,
    EVENT,
    EXCLUSION,
    INCIDENT,
    NOTICE,
    ZENDESK_EVENT,
    ZENDESK_TICKET,
    ZENDESK_USER,
    incidents,
    ndjson,
    page,
)


def read(tmp_path: Path, feed: str, body: bytes, notes: Notes | None = None) -> list[Record | Reject]:
    """The rows of a body."""
    path = tmp_path / "body"
    path.write_bytes(body)
    return list(read_rows(FEEDS[feed], path, notes or Notes())[1])


def test_every_record_has_its_table_columns(tmp_path: Path) -> None:
    """The smallest sound row of every feed gives a value for every column."""
    smallest = {
        "catalog/monitors": b"monitor_id,service,region,locations,interval_seconds\nm1,dashboard,eu,fra,60",
        "catalog/components": b"component_id,name,service,region\nc1,C,dashboard,eu",
        "status_page/statuspage": incidents(INCIDENT),
        "notices": ndjson(NOTICE),
        "exclusions": ndjson(EXCLUSION),
        "tickets/events": ndjson(EVENT),
        "tickets/zendesk": page(tickets=[ZENDESK_TICKET], ticket_events=[ZENDESK_EVENT], users=[ZENDESK_USER]),
        "accounts/accounts": b"account_id,company_name\na1,K",
        "accounts/contracts": ndjson(CONTRACT),
        "accounts/fees": b"contract_id,service_month,monthly_fee,currency\nk1,2026-03,0,XXX",
        "claims": ndjson(CLAIM),
        "terms": b"id: t\nversion: '1'\neffective_from: 2026-01-01T00:00:00Z\nextends: klink-enterprise\n",
    }
    assert set(smallest) == set(FEEDS) - {"monitoring/checks"}
    for feed, body in smallest.items():
        tables = FEEDS[feed].tables
        for record, table in zip(read(tmp_path, feed, body), tables, strict=True):
            assert isinstance(record, Record), (feed, record)
            assert set(record.values) == set(table.columns), feed
            assert record.table in ((None,) if len(tables) == 1 else (table.name,)), feed
            assert len(record.sha256) == 64


def test_line_numbers_are_those_of_the_object(tmp_path: Path) -> None:
    """Blank lines count as lines and are no rows; a CSV record has its first line's number."""
    rows = read(tmp_path, "claims", b"\n" + ndjson(CLAIM) + b"\n \t\r\n" + ndjson({}) + b"\n\n")
    assert [row.line_number for row in rows] == [2, 4]
    body = b'account_id,company_name\r\n\r\na1,"K\n\nK"\na2,K\n'
    rows = read(tmp_path, "accounts/accounts", body)
    assert [(row.line_number, row.values["account_id"]) for row in rows] == [(3, "a1"), (6, "a2")]
    assert rows[0].values["company_name"] == "K\n\nK"


def test_csv_columns_are_taken_by_name(tmp_path: Path) -> None:
    """Reordered columns are read, unknown ones are ignored and noted."""
    notes = Notes()
    (row,) = read(tmp_path, "accounts/accounts", b'tier,company_name,account_id\ngold,"K, ""the"" K",a1\n', notes)
    assert (row.values["account_id"], row.values["company_name"]) == ("a1", 'K, "the" K')
    assert notes.unknown_fields == {"tier"}


def test_unknown_fields_are_noted_safely(tmp_path: Path) -> None:
    """A few of them, printable and short."""
    notes = Notes()
    rows = read(
        tmp_path, "claims", ndjson({**CLAIM, **{f"\x1b[31m{'x' * 99}{number}": 1 for number in range(99)}}), notes
    )
    assert isinstance(rows[0], Record)
    assert 0 < len(notes.unknown_fields) <= 20
    assert all(name.isprintable() and len(name) <= 61 for name in notes.unknown_fields)


@pytest.mark.parametrize("value", ["9" * 5000, "1e400", "NaN", "-Infinity", "[" * 255 + "]" * 255, '[{"a": 1e999}]'])
def test_unread_field_may_hold_any_number_at_any_depth(tmp_path: Path, value: str) -> None:
    """It is ignored and noted, as the contracts say of it; the parser's own end is far off."""
    notes = Notes()
    hostile = ndjson({**CLAIM, "x": 0}).replace(b'"x": 0', f'"x": {value}'.encode())
    (row,) = read(tmp_path, "claims", hostile, notes)
    assert isinstance(row, Record) and row.values["claim_id"] == CLAIM["claim_id"]
    assert notes.unknown_fields == {"x"}
    user = page(users=[{**ZENDESK_USER, "x": 0}]).replace(b'"x": 0', f'"x": {value}'.encode())
    (row,) = read(tmp_path, "tickets/zendesk", user)
    assert isinstance(row, Record) and row.values["role"] == "agent"


def test_quarantine_keeps_the_contract_fields_alone(tmp_path: Path) -> None:
    """Notes of a claim, names and texts of an incident, and unknown fields stay in the bucket."""
    secret = "ann@example.com"
    claim = {
        **CLAIM,
        "service_month": "march",
        "mail": secret,
        "incident_timeline": [{"starts_at": "monday", "note": secret}],
    }
    (reject,) = read(tmp_path, "claims", ndjson(claim))
    assert reject.raw_record == {
        "claim_id": "c1",
        "service_month": "march",
        "received_at": CLAIM["received_at"],
        "incident_timeline": [{"starts_at": "monday"}],
    }
    update = {"id": "u1", "status": "resolved", "body": secret, "created_at": "now"}
    incident = {**INCIDENT, "name": secret, "impact": "huge", "incident_updates": [update]}
    (reject,) = read(tmp_path, "status_page/statuspage", incidents(incident))
    assert secret not in json.dumps(reject.raw_record) + reject.reason
    assert reject.raw_record["components"] == [{"id": "c1"}]
    assert reject.raw_record["incident_updates"] == [{"id": "u1", "status": "resolved", "created_at": "now"}]


def test_quarantine_keeps_no_huge_record(tmp_path: Path) -> None:
    """A row that is large in its own fields is kept by its digest."""
    (reject,) = read(tmp_path, "claims", ndjson({**CLAIM, "claim_id": "x" * 100_000}))
    assert set(reject.raw_record) == {"sha256"}


def test_claim_notes_are_not_loaded(tmp_path: Path) -> None:
    """Of a timeline the times; none where it is empty."""
    timeline = [{"starts_at": "2026-03-01T01:00:00+01:00", "note": "secret"}]
    full, empty = read(
        tmp_path, "claims", ndjson({**CLAIM, "incident_timeline": timeline}, {**CLAIM, "incident_timeline": []})
    )
    assert full.values["incident_timeline"] == [{"starts_at": "2026-03-01T00:00:00+00:00", "ends_at": None}]
    assert empty.values["incident_timeline"] is None


def test_rows_that_say_the_same_have_one_digest(tmp_path: Path) -> None:
    """Spelling does not matter, content does."""
    rows = read(
        tmp_path,
        "claims",
        ndjson(
            CLAIM,
            {**CLAIM, "received_at": "2026-04-02T02:00:00.000+02:00", "more": 1, "account_id": ""},
            {**CLAIM, "account_id": "a1"},
        ),
    )
    assert rows[0].sha256 == rows[1].sha256 != rows[2].sha256


def test_cancellation_has_no_window(tmp_path: Path) -> None:
    """One that it carries all the same must be one, and means nothing."""
    bare = {key: value for key, value in NOTICE.items() if not key.startswith("window")}
    rows = read(tmp_path, "notices", ndjson({**bare, "action": "cancel"}, {**NOTICE, "action": "cancel"}))
    assert [row.values["window_start"] for row in rows] == [None, None]
    unusable = ({"window_start": "soon"}, {"window_end": NOTICE["window_start"]})
    rows = read(tmp_path, "notices", ndjson(*({**NOTICE, "action": "cancel", **each} for each in unusable)))
    assert [row.code for row in rows] == ["invalid_instant", "end_not_after_start"]


def test_suspensions_are_half_open(tmp_path: Path) -> None:
    """As PostgreSQL's multirange."""
    suspensions = [
        {"starts_at": "2026-03-02T00:00:00Z", "ends_at": "2026-03-03T00:00:00Z"},
        {"starts_at": "2026-03-01T00:00:00Z", "ends_at": "2026-03-02T00:00:00Z"},
    ]
    (row,) = read(tmp_path, "accounts/contracts", ndjson({**CONTRACT, "suspensions": suspensions}))
    assert row.values["suspensions"] == (
        "{[2026-03-01T00:00:00+00:00,2026-03-02T00:00:00+00:00),[2026-03-02T00:00:00+00:00,2026-03-03T00:00:00+00:00)}"
    )


def test_terms_fault_names_its_line(tmp_path: Path) -> None:
    """Counted in the object, also in its second document."""
    good = "id: t\nversion: '1'\neffective_from: 2026-01-01T00:00:00Z\nextends: klink-enterprise\n"
    body = f"# two\n---\n{good}---\n{good}credits:\n  - {{below: 99, percent: 101}}\n"
    first, second = read(tmp_path, "terms", body.encode())
    assert (first.line_number, first.values["terms_id"]) == (2, "t")
    assert first.values["effective_from"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert (second.line_number, second.code) == (7, "terms_fault")
    assert "line 13" in second.reason


@pytest.mark.parametrize(
    ("key", "feed"),
    [
        ("claims/a/b.ndjson", "claims"),
        ("terms/../claims/x", "terms"),
        ("claimsx/a", None),
        ("tickets/zendesk/a", "tickets/zendesk"),
        ("tickets/events/a", "tickets/events"),
    ],
)
def test_prefix_decides_the_feed(key: str, feed: str | None) -> None:
    """And nothing else of the key."""
    found = feed_of(key)
    assert (found.name if found else None) == feed
