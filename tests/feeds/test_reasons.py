"""Every reason code has a row or an object that gets it, and the page lists them all."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slaledger.feeds import checks, limits
from slaledger.feeds.reasons import OBJECT_REASONS, ROW_REASONS, ObjectRejected, reference_page
from slaledger.feeds.registry import CHECKS, FEEDS, read_rows
from slaledger.feeds.rows import Notes, Record, Reject
from slaledger.settings import PROJECT_DIR

EXPORTED_AT = datetime(2026, 4, 1, tzinfo=UTC)
KNOWN = {"m1": {"fra"}}

CHECK = {"monitor_id": "m1", "location": "fra", "checked_at": "2026-03-01T00:00:00Z", "status": "up"}
CLAIM = {"claim_id": "c1", "service_month": "2026-03", "received_at": "2026-04-02T00:00:00Z"}
NOTICE = {
    "notice_id": "n1",
    "maintenance_id": "w1",
    "action": "announce",
    "channel": "email",
    "sent_at": "2026-03-01T00:00:00Z",
    "window_start": "2026-03-04T00:00:00Z",
    "window_end": "2026-03-04T02:00:00Z",
    "component_ids": ["c1"],
}
EXCLUSION = {
    "exclusion_id": "x1",
    "category": "force_majeure",
    "starts_at": "2026-03-01T00:00:00Z",
    "ends_at": "2026-03-01T01:00:00Z",
    "author": "ann",
}
EVENT = {"ticket_id": "t1", "event_id": "e1", "at": "2026-03-01T00:00:00Z", "type": "created", "actor": "customer"}
ZENDESK_TICKET = {"id": 1, "created_at": "2026-03-01T00:00:00Z"}
ZENDESK_EVENT = {"id": 2, "ticket_id": 1, "created_at": "2026-03-01T00:00:00Z", "child_events": []}
ZENDESK_USER = {"id": 3, "role": "agent"}
CONTRACT = {
    "contract_id": "k1",
    "account_id": "a1",
    "plan": "enterprise",
    "terms_id": "klink-enterprise",
    "region": "eu",
    "starts_at": "2026-01-01T00:00:00Z",
    "active_agreement": True,
}
INCIDENT = {
    "id": "i1",
    "status": "resolved",
    "impact": "critical",
    "created_at": "2026-03-01T00:00:00.000Z",
    "started_at": "2026-03-01T00:00:00.000Z",
    "resolved_at": "2026-03-01T01:00:00.000Z",
    "components": [{"id": "c1", "name": "C"}],
    "incident_updates": [],
}


def ndjson(*rows: object) -> bytes:
    """Rows as NDJSON; bytes as they are."""
    return b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)


def incidents(*rows: object) -> bytes:
    """An incidents document of a page."""
    return json.dumps({"page": {"id": "p"}, "incidents": rows}).encode()


def page(**lists: object) -> bytes:
    """A page of Zendesk's exports."""
    return json.dumps({**lists, "count": 1, "end_of_stream": True}).encode()


def read(tmp_path: Path, feed: str, body: bytes) -> list[Record | Reject]:
    """The rows of a body of a feed; of checks, the rejects."""
    path = tmp_path / "body"
    path.write_bytes(body)
    if feed == CHECKS.name:
        batches = checks.read(path, checks.format_of(path), KNOWN, EXPORTED_AT + timedelta(minutes=5), Notes())
        return [reject for batch in batches for reject in batch.rejects]
    return list(read_rows(FEEDS[feed], path, Notes())[1])


TERMS = b"id: t\nversion: '1'\neffective_from: 2026-01-01T00:00:00Z\nextends: klink-enterprise\n"
NESTED = b'{"claim_id":' + b"[" * 256 + b"]" * 256 + b"}"
DEEP = b'{"claim_id":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
MONITORS = b"monitor_id,service,region,locations,interval_seconds,stale_after_seconds,active_from,active_until\n"

ROWS = [
    ("claims", b'{"claim_id": "' + b"x" * (1 << 20) + b'"}', "row_too_long"),
    ("claims", b'{"claim_id": "\xff"}', "invalid_utf8"),
    ("claims", b'{"claim_id": "\x00"}', "nul_character"),
    ("claims", b'{"claim_id": "\\u0000"}', "nul_character"),
    ("claims", b'{"\\u0000": "x"}', "nul_character"),
    ("claims", b'{"claim_id": "\\ud800"}', "lone_surrogate"),
    ("claims", b"claim", "invalid_json"),
    ("claims", b'{"claim_id": NaN}', "invalid_json"),
    ("claims", b'{"claim_id": -Infinity}', "invalid_json"),
    ("claims", b'{"claim_id": "c"} {}', "invalid_json"),
    ("claims", b'{"claim_id": "c", "claim_id": "c"}', "duplicate_key"),
    ("claims", b'{"incident_timeline": [{"starts_at": "a", "starts_at": "b"}]}', "duplicate_key"),
    ("claims", NESTED, "too_deep"),
    ("claims", DEEP, "too_deep"),
    ("claims", b'{"claim_id": ' + b"9" * 5000 + b"}", "number_out_of_range"),
    ("claims", b'{"claim_id": 1e400}', "number_out_of_range"),
    ("claims", b'{"claim_id": 0.' + b"1" * 500 + b"}", "number_out_of_range"),
    ("claims", b'"claim"', "not_an_object"),
    ("claims", ndjson({**CLAIM, "claim_id": ""}), "missing_field"),
    ("claims", ndjson({**CLAIM, "claim_id": " "}), "missing_field"),
    ("claims", ndjson({**CLAIM, "claim_id": None}), "missing_field"),
    ("claims", ndjson({**CLAIM, "claim_id": 7}), "wrong_type"),
    ("claims", ndjson({**CLAIM, "incident_timeline": "monday"}), "wrong_type"),
    ("claims", ndjson({**CLAIM, "incident_timeline": ["monday"]}), "wrong_type"),
    ("claims", ndjson({**CLAIM, "claim_id": "x" * 257}), "value_too_long"),
    ("claims", ndjson({**CLAIM, "service_month": "2026-13"}), "invalid_month"),
    ("claims", ndjson({**CLAIM, "service_month": "2026-3"}), "invalid_month"),
    ("claims", ndjson({**CLAIM, "service_month": "0000-01"}), "invalid_month"),
    ("claims", ndjson({**CLAIM, "received_at": "2026-04-02T00:00:00"}), "invalid_instant"),
    (
        "claims",
        ndjson({**CLAIM, "incident_timeline": [{"starts_at": CLAIM["received_at"], "ends_at": CLAIM["received_at"]}]}),
        "end_not_after_start",
    ),
    ("notices", ndjson({**NOTICE, "action": "postpone"}), "value_not_allowed"),
    ("notices", ndjson({**NOTICE, "channel": "E-mail"}), "value_not_allowed"),
    ("notices", ndjson({**NOTICE, "component_ids": []}), "missing_field"),
    ("notices", ndjson({**NOTICE, "component_ids": [""]}), "missing_field"),
    ("notices", ndjson({**NOTICE, "account_ids": [1]}), "wrong_type"),
    ("notices", ndjson({**NOTICE, "window_end": NOTICE["window_start"]}), "end_not_after_start"),
    ("notices", ndjson({key: value for key, value in NOTICE.items() if key != "window_end"}), "missing_field"),
    ("exclusions", ndjson({**EXCLUSION, "category": "hosting_provider"}), "value_not_allowed"),
    ("exclusions", ndjson({**EXCLUSION, "category": "scheduled_maintenance"}), "value_not_allowed"),
    ("exclusions", ndjson({**EXCLUSION, "ends_at": "2026-02-28T00:00:00Z"}), "end_not_after_start"),
    ("tickets/events", ndjson({**EVENT, "severity": "p1"}), "value_not_allowed"),
    ("tickets/events", ndjson({**EVENT, "automatic": "true"}), "wrong_type"),
    ("tickets/zendesk", page(tickets=[{**ZENDESK_TICKET, "id": "1"}]), "wrong_type"),
    ("tickets/zendesk", page(tickets=[{**ZENDESK_TICKET, "id": True}]), "wrong_type"),
    ("tickets/zendesk", page(tickets=[{**ZENDESK_TICKET, "id": 1.0}]), "wrong_type"),
    ("tickets/zendesk", page(tickets=[{"id": 1}]), "missing_field"),
    ("tickets/zendesk", page(tickets=[{**ZENDESK_TICKET, "created_at": 1772323200}]), "invalid_instant"),
    ("tickets/zendesk", page(tickets=[{**ZENDESK_TICKET, "created_at": "2026-03-01 00:00:00"}]), "invalid_instant"),
    ("tickets/zendesk", page(tickets=[{**ZENDESK_TICKET, "priority": "medium"}]), "value_not_allowed"),
    ("tickets/zendesk", page(tickets=[{**ZENDESK_TICKET, "organization_id": "o"}]), "wrong_type"),
    ("tickets/zendesk", page(tickets=[{**ZENDESK_TICKET, "tags": "spam"}]), "wrong_type"),
    ("tickets/zendesk", page(tickets=["ticket"]), "not_an_object"),
    ("tickets/zendesk", page(tickets=[{**ZENDESK_TICKET, "description": "x" * (1 << 20)}]), "row_too_long"),
    ("tickets/zendesk", page(tickets=[{**ZENDESK_TICKET, "subject": "\x00"}]), "nul_character"),
    ("tickets/zendesk", b'{"users": [{"id": 3, "role": "agent", "name": "caf\xe9"}]}', "invalid_utf8"),
    ("tickets/zendesk", b'{"users": [{"id": 3, "role": "agent", "\xff": 1}]}', "invalid_utf8"),
    ("tickets/zendesk", b'{"users": [{"id": 3, "role": "agent", "name": "\\ud83d"}]}', "lone_surrogate"),
    ("tickets/zendesk", b'{"users": [{"id": ' + b"9" * 31 + b', "role": "agent"}]}', "number_out_of_range"),
    ("tickets/zendesk", b'{"users": [{"id": 3, "role": NaN}]}', "invalid_json"),
    ("tickets/zendesk", b'{"users": [{"id": 3, "id": 4, "role": "agent"}]}', "duplicate_key"),
    ("tickets/zendesk", page(ticket_events=[{"id": 2, "ticket_id": 1, "timestamp": 1772323200}]), "missing_field"),
    ("tickets/zendesk", page(ticket_events=[{**ZENDESK_EVENT, "ticket_id": None}]), "missing_field"),
    ("tickets/zendesk", page(ticket_events=[{**ZENDESK_EVENT, "child_events": {}}]), "wrong_type"),
    ("tickets/zendesk", page(ticket_events=[{**ZENDESK_EVENT, "child_events": ["Comment"]}]), "wrong_type"),
    (
        "tickets/zendesk",
        page(ticket_events=[{**ZENDESK_EVENT, "child_events": [{"event_type": "Comment"}]}]),
        "missing_field",
    ),
    (
        "tickets/zendesk",
        page(ticket_events=[{**ZENDESK_EVENT, "child_events": [{"event_type": "Comment", "public": 1}]}]),
        "wrong_type",
    ),
    (
        "tickets/zendesk",
        page(ticket_events=[{**ZENDESK_EVENT, "child_events": [{"event_type": "Change", "priority": "P1"}]}]),
        "value_not_allowed",
    ),
    ("tickets/zendesk", page(users=[{**ZENDESK_USER, "role": "owner"}]), "value_not_allowed"),
    ("tickets/zendesk", page(users=[{"id": 3}]), "missing_field"),
    ("accounts/contracts", ndjson({**CONTRACT, "active_agreement": "true"}), "wrong_type"),
    ("accounts/contracts", ndjson({**CONTRACT, "ends_at": CONTRACT["starts_at"]}), "end_not_after_start"),
    (
        "accounts/contracts",
        ndjson({**CONTRACT, "suspensions": [{"starts_at": CONTRACT["starts_at"]}]}),
        "missing_field",
    ),
    ("accounts/fees", b"contract_id,service_month,monthly_fee,currency\nk1,2026-03,-1,USD", "invalid_number"),
    ("accounts/fees", b"contract_id,service_month,monthly_fee,currency\nk1,2026-03,1_000,USD", "invalid_number"),
    ("accounts/fees", b"contract_id,service_month,monthly_fee,currency\nk1,2026-03,1e3,USD", "invalid_number"),
    ("accounts/fees", "contract_id,service_month,monthly_fee,currency\nk1,2026-03,١٢,USD".encode(), "invalid_number"),
    ("accounts/fees", b"contract_id,service_month,monthly_fee,currency\nk1,2026-03,NaN,USD", "invalid_number"),
    ("accounts/fees", b"contract_id,service_month,monthly_fee,currency\nk1,2026-03,1000.00", "ragged_row"),
    ("accounts/fees", b"contract_id,service_month,monthly_fee,currency\nk1,2026-03,1,US\rD", "carriage_return"),
    ("accounts/accounts", b"account_id,company_name\na1,K\x00", "nul_character"),
    ("accounts/accounts", b"account_id,company_name\na1,K\xff", "invalid_utf8"),
    ("accounts/accounts", b"account_id,company_name,sandbox\na1,K,yes", "value_not_allowed"),
    ("accounts/accounts", b"account_id,company_name\na1," + b"K" * (1 << 20), "row_too_long"),
    ("catalog/monitors", MONITORS + b"m1,dashboard,eu,fra;,60,,,", "missing_field"),
    ("catalog/monitors", MONITORS + b"m1,dashboard,eu,fra,0,,,", "invalid_number"),
    ("catalog/monitors", MONITORS + b"m1,dashboard,eu,fra,999999999999999,,,", "invalid_number"),
    (
        "catalog/monitors",
        MONITORS + b"m1,dashboard,eu,fra,60,,2026-03-02T00:00:00Z,2026-03-01T00:00:00Z",
        "end_not_after_start",
    ),
    ("status_page/statuspage", incidents({**INCIDENT, "resolved_at": None}), "resolved_without_end"),
    ("status_page/statuspage", incidents({**INCIDENT, "status": "fine"}), "value_not_allowed"),
    ("status_page/statuspage", incidents("i1"), "not_an_object"),
    ("status_page/statuspage", incidents({**INCIDENT, "name": "\x00"}), "nul_character"),
    ("status_page/statuspage", b'{"incidents": ["\xff"]}', "invalid_utf8"),
    ("status_page/statuspage", incidents({**INCIDENT, "body": "x" * (1 << 20)}), "row_too_long"),
    ("terms", b"id: klink-enterprise\nversion: 1\n", "terms_fault"),
    ("terms", TERMS + b'plan: "a\\0b"', "terms_fault"),
    ("terms", TERMS + b'plan: "a\\ud800b"', "terms_fault"),
    (CHECKS.name, ndjson({**CHECK, "checked_at": "2026-04-01T00:05:00.000001Z"}), "future_check"),
    (CHECKS.name, ndjson({**CHECK, "monitor_id": "m2"}), "unknown_monitor"),
    (CHECKS.name, ndjson({**CHECK, "location": "ams"}), "unknown_location"),
    (CHECKS.name, ndjson({**CHECK, "status": "UP"}), "value_not_allowed"),
    (CHECKS.name, ndjson({**CHECK, "location": 7}), "wrong_type"),
]

CSV_CLAIMS = b"contract_id,service_month,monthly_fee,currency\n"


def zipped() -> bytes:
    """A zip archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("claims.ndjson", "{}")
    return archive.getvalue()


def tarred() -> bytes:
    """A tar archive that holds a row on a line of its own."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as file:
        entry = tarfile.TarInfo("claims.ndjson")
        entry.size = len(ndjson(CLAIM)) + 1
        file.addfile(entry, io.BytesIO(b"\n" + ndjson(CLAIM)))
    return archive.getvalue()


def parquet(**columns: object) -> bytes:
    """A Parquet file of the columns."""
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


OBJECTS = [
    ("claims", zipped(), "wrong_format"),
    ("claims", tarred(), "wrong_format"),
    ("claims", gzip.compress(tarred(), mtime=0), "wrong_format"),
    ("claims", gzip.compress(gzip.compress(ndjson(CLAIM), mtime=0), mtime=0), "wrong_format"),
    ("claims", b"<Error><Code>AccessDenied</Code></Error>", "wrong_format"),
    ("claims", parquet(claim_id=["c1"]), "wrong_format"),
    (CHECKS.name, b"monitor;location\nm1;fra\n", "wrong_format"),
    ("claims", "{}".encode("utf-16"), "invalid_encoding"),
    ("terms", TERMS + b"# caf\xe9", "invalid_encoding"),
    ("accounts/fees", b"contract_id,service_month,monthly_fee,currency,\xff\n", "invalid_encoding"),
    ("claims", gzip.compress(ndjson(CLAIM), mtime=0)[:-1], "gzip_truncated"),
    ("claims", gzip.compress(ndjson(CLAIM), mtime=0) + b"{}", "gzip_corrupt"),
    ("claims", gzip.compress(ndjson(CLAIM), mtime=0) + b"\x00\x00{}", "gzip_corrupt"),
    ("claims", b"\x1f\x8b" + b"x" * 100, "gzip_corrupt"),
    ("claims", gzip.compress(b"\n" * (1 << 20), mtime=0) * 100, "inflate_limit"),
    ("accounts/fees", b"contract_id,service_month,monthly_fee\n", "csv_header"),
    ("accounts/fees", b"contract_id,contract_id,service_month,monthly_fee,currency\n", "csv_header"),
    (
        "accounts/fees",
        b"contract_id,service_month,monthly_fee,currency," + b",".join(b"x%d" % n for n in range(997)),
        "csv_header",
    ),
    ("accounts/fees", b"contract_id;service_month;monthly_fee;currency\n", "csv_header"),
    ("accounts/fees", CSV_CLAIMS + b'k1,"2026-03,1,USD\nk2,2026-03,1,USD\n', "csv_quotes"),
    ("accounts/fees", CSV_CLAIMS + b'k1,2026-03,1,U"SD\nk2,2026-03,1,"USD\n', "csv_quotes"),
    ("accounts/fees", CSV_CLAIMS + b'k1,"2026"-03,1,USD\n', "csv_quotes"),
    ("claims", json.dumps([CLAIM]).encode(), "not_ndjson"),
    ("claims", json.dumps(CLAIM, indent=1).encode(), "not_ndjson"),
    ("status_page/statuspage", b"{", "not_json"),
    ("status_page/statuspage", b'{"incidents": [\xff]}', "not_json"),
    ("status_page/statuspage", b'{"incidents": [], "incidents": []}', "not_json"),
    ("status_page/statuspage", b'{"page": {"id": "p"}}', "not_status_page"),
    ("status_page/statuspage", b'{"status": {}, "incidents": []}', "not_status_page"),
    ("status_page/statuspage", b'{"status": {}, "incidents": [], "scheduled_maintenances": null}', "not_status_page"),
    ("status_page/statuspage", b'{"incidents": [], "scheduled_maintenances": {}}', "not_status_page"),
    ("status_page/statuspage", b"NaN", "not_status_page"),
    ("tickets/zendesk", b"[]", "not_zendesk"),
    ("tickets/zendesk", b"{}", "not_zendesk"),
    ("tickets/zendesk", b'{"tickets": null}', "not_zendesk"),
    ("tickets/zendesk", b'{"tickets": [], "users": {}}', "not_zendesk"),
    ("tickets/zendesk", b'{"tickets": [', "not_json"),
    ("tickets/zendesk", b'{"tickets": [], "tickets": []}', "not_json"),
    ("status_page/statuspage", b" " * (64 << 20) + b"{}", "document_too_large"),
    (CHECKS.name, b"PAR1 nonsense", "parquet_unreadable"),
    (CHECKS.name, parquet(monitor_id=["m1"]), "parquet_columns"),
]

# Reached where S3 is: tests/landing.
OF_THE_STORE = {"object_unreadable", "checksum_mismatch"}
# Reached by tests of their own: 20 million rows take their time (below), others take a child process
# (tests/reliability/test_bombs.py).
OF_SIZE = {"too_many_rows", "object_too_large", "parquet_limit"}


@pytest.mark.parametrize(("feed", "body", "code"), ROWS)
def test_row_is_rejected(tmp_path: Path, feed: str, body: bytes, code: str) -> None:
    """One row, one reject, with its code; nothing raises."""
    rejects = read(tmp_path, feed, body)
    assert [reject.code for reject in rejects] == [code]
    assert json.dumps(rejects[0].raw_record), "the quarantine keeps JSON"


@pytest.mark.parametrize(("feed", "body", "code"), OBJECTS)
def test_object_is_rejected(tmp_path: Path, feed: str, body: bytes, code: str) -> None:
    """The object as a whole, with its code."""
    with pytest.raises(ObjectRejected) as caught:
        read(tmp_path, feed, body)
    assert caught.value.code == code


@pytest.mark.parametrize("first", [b"{", b"[]", b"[1,"])
@pytest.mark.parametrize(("feed", "row"), [("claims", CLAIM), (CHECKS.name, CHECK)])
def test_first_line_that_is_broken_is_a_row(tmp_path: Path, feed: str, row: object, first: bytes) -> None:
    """Not the first line of a document: the next one is a row of its own, and is loaded."""
    rows = read(tmp_path, feed, first + b"\n\n" + ndjson(row))
    assert [row.line_number for row in rows if isinstance(row, Reject)] == [1]


def test_object_of_too_many_rows_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit on rows holds, here a lower one."""
    monkeypatch.setattr(limits, "MAX_CHECK_ROWS", 2)
    with pytest.raises(ObjectRejected) as caught:
        read(tmp_path, CHECKS.name, ndjson(CHECK, CHECK, CHECK))
    assert caught.value.code == "too_many_rows"


def test_every_code_is_reached() -> None:
    """No code without a row or an object that gets it."""
    assert {code for _, _, code in ROWS} == set(ROW_REASONS)
    assert {code for _, _, code in OBJECTS} | OF_THE_STORE | OF_SIZE == set(OBJECT_REASONS)


def test_page_is_current() -> None:
    """docs/reference/reason-codes.md is what the list says."""
    page = PROJECT_DIR / "docs" / "reference" / "reason-codes.md"
    assert page.read_text() == reference_page(), "run: python -m slaledger.feeds.reasons > " + str(page)
