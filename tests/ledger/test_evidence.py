from __future__ import annotations

import dataclasses
import io
import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from slaledger import approvals, evidence, ledger
from slaledger.warehouse import connect
from tests.ledger.books import MARCH, AccountMonth, build, close, rows, validate

LANDED = (Path(__file__).parent / "evidence.sql").read_text()


def at(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, second, tzinfo=UTC)


MONTH = AccountMonth(
    segments=[
        (at(10, 8), at(10, 11, 43, 12), "counted", ["call_routing"], [], ["inc-1", "m-calls"]),
        (at(12, 0), at(12, 1), "excluded", ["messaging_engine"], ["third_party_meta"], ["ex-1"]),
        (at(20, 0), at(20, 2), "excluded", ["call_routing"], ["scheduled_maintenance"], ["mt-1"]),
    ]
)


def explained(settings, line_item_id) -> str:
    console = Console(width=400, record=True, file=io.StringIO())
    console.print(evidence.explain(settings, str(line_item_id)))
    return console.export_text()


def ids(settings) -> list[uuid.UUID]:
    return [row[0] for row in rows(settings, "select line_item_id from billing.credit_line_items order by ordinal")]


@pytest.fixture
def landed(settings):
    with connect(settings.warehouse) as connection:
        connection.execute(LANDED)
    return settings


def claimed(settings, *account_months):
    """Close with the claim that the credit names."""
    run_id = build(settings, *account_months)
    with connect(settings.warehouse) as connection:
        connection.execute(
            """
            insert into marts.fct_claims (
                claim_id, account_id, contract_id, service_month, received_at, complete_at, deadline_at, status,
                terms_id, terms_version, decision_subject, decision_digest
            )
            values (
                'CL-1', 'A-1', 'K-1', %s, '2026-04-05T00:00Z', '2026-04-06T00:00Z', '2026-04-11T00:00Z', 'accepted',
                'klink-enterprise', '2026-01', 'CL-1|K-1|2026-03', 'd1'
            )
            """,
            (MARCH,),
        )
    validate(settings, run_id)
    return ledger.post_month(settings, run_id=run_id)


def test_a_line_is_explained_down_to_objects_and_rows(landed):
    claimed(landed, MONTH)
    (item_id,) = ids(landed)
    text = explained(landed, item_id)
    for said in (
        "Credit of 50.00 USD",
        "account A-1, contract K-1, 2026-03",
        "invoices from 2026-05-01",
        "2678400 s",
        "13392 s",
        "100 × (1 − 13392 / 2678400) = 99.500000000000 %",
        "uptime below 99.9 % → 5 %",
        "1000.00 USD × 5 % = 50 → 50.00 USD",
        "klink-enterprise",
        "2026-01",
        "CL-1 (credited)",
        "2026-04-06T00:00:00+00:00",
        "inc-1, m-calls",
        "third_party_meta",
        "approved_by Bob",
        "no-1",
        "action announce",
        "status_page/statuspage/incidents.json",
        "c-calls",
        "catalog/components/all.csv",
        "accounts/accounts/all.csv",
        "in JSON and Parquet, its place among the object's rows",
        "223",
        "02" * 32,
        "revision 1",
        "hash version 1",
    ):
        assert said in text, said
    # Notices to others, names and notes stay where they are; an overwritten object says nothing.
    for unsaid in ("no-2", "Secret Corp", "c-other", "A-OTHER", "900.00", "06" * 32):
        assert unsaid not in text, unsaid


@pytest.mark.edge(20)
@pytest.mark.parametrize(
    ("change", "begins", "ends"),
    [
        ("confirm = null", "each down check", "120 s"),
        ("confirm = 1, stale_after_seconds = 300", "each down check", "300 s"),
        ("confirm = 3", "the first of 3 consecutive down checks (fewer are up)", "120 s"),
    ],
)
def test_the_rule_by_which_checks_made_downtime_is_printed(landed, change, begins, ends):
    with connect(landed.warehouse) as connection:
        connection.execute(f"update raw.monitors set {change}")
    claimed(landed, MONTH)
    (item_id,) = ids(landed)
    text = explained(landed, item_id)
    assert f"A location is down from {begins} to its next check that is not down, or to {ends} after its last" in text
    assert f"without a check for {ends} it is unknown" in text


def test_a_response_credit_is_explained_down_to_its_tickets_events(landed):
    """Of the ticket, of what was merged into it, and of both ticket feeds; of other tickets nothing."""
    with connect(landed.warehouse) as connection:
        connection.execute(
            """
            insert into raw.source_objects (
                object_id, bucket, key, version_id, etag, sha256, size_bytes, exported_at, landed_at, feed, format,
                status, is_in_force, last_modified, run_id
            )
            select
                ('00000000-0000-0000-0000-0000000000' || number)::uuid, 'sla-exports', key, 'v1', 'e', 'h', 1,
                '2026-04-01T00:00Z', '2026-04-02T00:00Z', 'tickets/events', 'ndjson', 'loaded', is_in_force,
                '2026-04-02T00:00Z', 'r'
            from (values
                ('21', 'tickets/events/march.ndjson', true), ('22', 'tickets/zendesk/march.json', true),
                ('23', 'tickets/events/overwritten.ndjson', false)
            ) as objects (number, key, is_in_force);
            insert into raw.ticket_events (
                object_id, line_number, row_sha256, is_duplicate, ticket_id, event_id, at, type, actor, account_id,
                severity, target_ticket_id
            )
            select
                ('00000000-0000-0000-0000-0000000000' || number)::uuid, line, 'h', false, ticket, event,
                at::timestamptz, type, actor, null, severity, target
            from (values
                ('21', 11, 't-late', 'e-1', '2026-03-02T08:00Z', 'created', 'customer', 'P1', null),
                ('21', 12, 't-merged', 'e-2', '2026-03-02T07:00Z', 'created', 'customer', 'P1', null),
                ('21', 13, 't-merged', 'e-3', '2026-03-02T09:00Z', 'merged_into', 'agent', null, 't-late'),
                ('21', 14, 't-late', 'e-after', '2026-06-01T00:00Z', 'public_reply', 'agent', null, null),
                ('21', 15, 't-met', 'e-4', '2026-03-02T08:00Z', 'created', 'customer', 'P1', null),
                ('23', 16, 't-late', 'e-5', '2026-03-02T08:00Z', 'public_reply', 'agent', null, null)
            ) as events (number, line, ticket, event, at, type, actor, severity, target);
            insert into raw.zendesk_tickets values (
                '00000000-0000-0000-0000-000000000022', 1, 'h', false, 't-late', '2026-03-02T08:00Z', null, '7', '9',
                'urgent', 'open', false, false
            );
            insert into raw.zendesk_ticket_events values (
                '00000000-0000-0000-0000-000000000022', 2, 'h', false, '0815', 't-late', '2026-03-02T10:00Z', '9',
                '[{"kind": "comment"}]'
            );
            insert into marts.fct_response_times (
                ticket_id, contract_id, service_month, severity, created_at, outcome, guaranteed
            )
            values
                ('t-late', 'K-1', '2026-03-01', 'P1', '2026-03-02T08:00Z', 'breached', true),
                ('t-met', 'K-1', '2026-03-01', 'P1', '2026-03-02T08:00Z', 'met', true);
            """
        )
    close(landed, dataclasses.replace(MONTH, basis="response_time", credit_percent=Decimal(1), amount=Decimal("10.00")))
    (item_id,) = ids(landed)
    (document,) = rows(
        landed,
        "select document::jsonb from billing.evidence inner join billing.credit_line_items using (evidence_sha256)",
    )[0]
    told = {(row["id"], row["line_number"]) for row in document["rows"] if row["kind"].startswith("ticket")}
    assert told == {
        ("t-late e-1", 11), ("t-merged e-2", 12), ("t-merged e-3", 13), ("t-late", 1), ("t-late 0815", 2),
    }  # fmt: skip
    text = explained(landed, item_id)
    assert "tickets/events/march.ndjson" in text and "tickets/zendesk/march.json" in text
    # Where the terms credit no breach, tickets are no evidence.
    close(landed, dataclasses.replace(MONTH, contract_id="K-2"))
    others = rows(landed, "select document::jsonb from billing.evidence where strpos(document, '\"K-2\"') > 0")
    assert others
    assert not any(row["kind"].startswith("ticket") for (each,) in others for row in each.get("rows", []))


def checks_in_evidence(settings) -> set[tuple[str, str, str]]:
    """(location, status, first instant) of the checks that the only line rests on."""
    ((document,),) = rows(
        settings,
        "select document from billing.evidence inner join billing.credit_line_items using (evidence_sha256)",
    )
    return {(each["location"], each["status"], each["first_at"][:16]) for each in json.loads(document)["checks"]}


def test_a_check_before_the_month_that_still_spoke_in_it_is_evidence(landed):
    """Rule M2: `ams` was last seen down 90 s before the month; `dub` came up again, `fra` was stale by then."""
    with connect(landed.warehouse) as connection:
        connection.execute(
            """
            insert into raw.check_streaks
            select
                '00000000-0000-0000-0000-000000000001', 'm-calls', location, status, at, at, 1, 0,
                case when status = 'down' then array[at] end
            from (
                values
                ('ams', 'down', timestamptz '2026-02-28T23:58:30Z'),
                ('dub', 'down', timestamptz '2026-02-28T23:58:40Z'),
                ('dub', 'up', timestamptz '2026-02-28T23:59:40Z'),
                ('fra', 'down', timestamptz '2026-02-28T23:57:50Z')
            ) as checks (location, status, at)
            """
        )
    claimed(landed, AccountMonth(segments=[(at(1, 0), at(1, 0, 0, 30), "counted", ["call_routing"], [], ["m-calls"])]))
    assert checks_in_evidence(landed) == {("ams", "down", "2026-02-28T23:58")}


@pytest.mark.parametrize("degraded_counts", [False, True])
def test_degraded_checks_are_evidence_where_terms_count_them(landed, degraded_counts):
    with connect(landed.warehouse) as connection:
        connection.execute("update raw.terms_versions set degraded_counts = %s", [degraded_counts])
        connection.execute(
            """
            insert into raw.check_streaks values (
                '00000000-0000-0000-0000-000000000001', 'm-calls', 'dub', 'degraded',
                '2026-03-10T08:00Z', '2026-03-10T08:00Z', 1, 0, '{2026-03-10T08:00Z}'
            )
            """
        )
    claimed(landed, MONTH)
    degraded = {("dub", "degraded", "2026-03-10T08:00")} if degraded_counts else set()
    assert checks_in_evidence(landed) == degraded | {("fra", "down", "2026-03-10T08:00")}


def test_rows_lead_to_their_line_numbers(landed):
    claimed(landed, MONTH)
    ((document,),) = rows(
        landed,
        """
        select document from billing.evidence inner join billing.credit_line_items using (evidence_sha256)
        """,
    )
    content = json.loads(document)
    assert {(row["kind"], row["id"], row["line_number"]) for row in content["rows"]} == {
        ("account", "A-1", 2),
        ("contract", "K-1", 12),
        ("component", "c-calls", 2),
        ("fee", "K-1", 2),
        ("monitor", "m-calls", 3),
        ("incident", "inc-1", 7),
        ("exclusion", "ex-1", 4),
        ("notice", "no-1", 5),
        ("claim", "CL-1", 1),
        ("claim", "CL-1", 9),
    }
    assert {item["key"] for item in content["objects"]} == {
        "monitoring/checks/march.ndjson",
        "status_page/statuspage/incidents.json",
        "exclusions/register.ndjson",
        "notices/march.ndjson",
        "accounts/contracts/all.ndjson",
        "accounts/fees/2026.csv",
        "claims/april.ndjson",
        "catalog/monitors/all.csv",
        "catalog/components/all.csv",
        "accounts/accounts/all.csv",
    }


def test_inputs_name_every_object_in_force_that_the_month_may_have_read(landed):
    claimed(landed, MONTH)
    ((document,),) = rows(
        landed, "select document from billing.evidence where strpos(document, 'slaledger inputs') > 0"
    )
    keys = [item["key"] for item in json.loads(document)["objects"]]
    assert "monitoring/checks/march.ndjson" in keys
    assert "monitoring/checks/january.ndjson" not in keys
    assert keys == sorted(keys) and len(keys) == len(set(keys)) == 10


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("raw.monitors", "stale_after_seconds = 30 * 86400"),
        ("raw.monitors", "stale_after_seconds = 10 * 86400, confirm = 3"),
        ("raw.terms_versions", "minimum_outage_seconds = 30 * 86400"),
    ],
)
def test_inputs_reach_as_far_as_a_check_speaks(landed, table, change):
    """January's last check may decide about March: by a long `stale_after`, by `confirm`, by a `minimum_outage`."""
    with connect(landed.warehouse) as connection:
        connection.execute(f"update {table} set {change}")
    claimed(landed, MONTH)
    ((document,),) = rows(
        landed, "select document from billing.evidence where strpos(document, 'slaledger inputs') > 0"
    )
    assert "monitoring/checks/january.ndjson" in [item["key"] for item in json.loads(document)["objects"]]


def test_an_old_line_is_explained_as_it_was(landed):
    claimed(landed, MONTH)
    with connect(landed.warehouse) as connection:
        connection.execute("update raw.source_objects set is_in_force = false where key like 'exclusions/%'")
    close(
        landed,
        dataclasses.replace(
            MONTH, uptime_percent=Decimal("98.5"), credit_percent=Decimal(10), amount=Decimal(100), segments=[]
        ),
    )
    first, second = ids(landed)
    assert "99.500000000000 %" in explained(landed, first)
    assert "exclusions/register.ndjson" in explained(landed, first)
    later = explained(landed, second)
    assert "98.500000000000 %" in later and "revision 2" in later
    assert "credit percent was 5, is 10" in later and str(first) in later


def test_a_decrease_names_who_approved_it_and_goodwill_who_gave_it(landed):
    claimed(landed, MONTH)
    given = approvals.goodwill(landed, contract_id="K-1", service_month=MARCH, amount="5", by="Bo [b]", because="x")
    assert "x, by Bo [b]" in explained(landed, given)
    close(landed)
    approvals.decide(landed, "decrease:K-1:2026-03:availability", is_approved=True, by="Ada", because="a sandbox")
    close(landed)
    ((item_id,),) = rows(landed, "select line_item_id from billing.credit_line_items where ordinal = 2")
    text = explained(landed, item_id)
    assert "by Ada at" in text and "a sandbox" in text and "the account-month is no more" in text
    with pytest.raises(evidence.UnknownLine):
        evidence.explain(landed, "not-an-id")


def test_an_unknown_line_names_what_there_is(settings):
    with pytest.raises(evidence.UnknownLine, match="no line yet"):
        evidence.explain(settings, str(uuid.uuid4()))
    close(settings, AccountMonth())
    with pytest.raises(evidence.UnknownLine, match=r"K-1, 2026-03"):
        evidence.explain(settings, str(uuid.uuid4()))
