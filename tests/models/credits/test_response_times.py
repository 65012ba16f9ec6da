"""Response times (rules R1 to R8): `edge-cases.md`, Tickets, each line by its number."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.models.builder import build
from tests.models.builder_credits import Built, Exports, instant

MODELS = ("+fct_response_times", "+int_responses_findings")
BERLIN = {"response_times": {"calendar": {"time_zone": "Europe/Berlin"}}}


def utc(text: str) -> datetime:
    return instant(text).astimezone(UTC)


def in_april(exports: Exports) -> None:
    exports.customer("main")
    exports.customer("berlin", terms_id="berlin")
    main = "A-main"
    exports.ticket("83 met", main, "2026-04-04T23:30Z", reply="2026-04-05T01:30:00Z")
    exports.ticket("83 late", main, "2026-04-04T23:30Z", reply="2026-04-05T01:30:01Z")
    exports.ticket("83 late by a microsecond", main, "2026-04-04T23:30Z", reply="2026-04-05T01:30:00.000001Z")
    exports.ticket("86", main, "2026-04-10T16:00Z", "P3", reply="2026-04-13T16:00Z")
    exports.ticket("87", main, "2026-04-11T10:00Z", "P3", reply="2026-04-13T10:00Z")
    exports.customer("listed", terms_id="listed")
    exports.ticket("88", "A-listed", "2026-04-10T11:30Z", "P4")
    exports.ticket("89", main, "2026-04-10T11:30Z", "P4")
    exports.ticket("90", main, "2026-04-06T10:00Z")
    exports.event("90", "public_reply", "2026-04-06T10:00:05Z", "ai")
    exports.event("90", "public_reply", "2026-04-06T13:00Z", "agent")
    exports.customer("any", terms_id="any")
    exports.ticket("90 any", "A-any", "2026-04-06T10:00Z", reply="2026-04-06T13:00Z")
    exports.event("90 any", "public_reply", "2026-04-06T10:00:05Z", "ai")
    exports.ticket("91", main, "2026-04-06T10:00Z")
    exports.event("91", "public_reply", "2026-04-06T10:00:01Z", "agent", is_automatic=True)
    exports.event("91", "public_reply", "2026-04-06T10:00:02Z", "system")
    exports.ticket("92", main, "2026-04-06T10:00Z")
    exports.event("92", "internal_note", "2026-04-06T10:30Z", "agent")
    exports.ticket("93", main, "2026-04-06T10:00Z")
    exports.event("93", "public_reply", "2026-04-06T10:30Z", "customer")
    exports.ticket("94", main, "2026-04-06T09:00Z", "P3", reply="2026-04-06T13:59Z")
    exports.event("94", "severity_changed", "2026-04-06T12:00Z", "agent", severity="P1")
    exports.ticket("94 earlier stays", main, "2026-04-06T09:00Z", "P2", reply="2026-04-06T13:00Z")
    exports.event("94 earlier stays", "severity_changed", "2026-04-06T12:30Z", severity="P1")
    exports.ticket("95", main, "2026-04-06T09:00Z", reply="2026-04-06T12:00Z")
    exports.event("95", "severity_changed", "2026-04-06T11:00:00.000001Z", "agent", severity="P3")
    exports.ticket("96", main, "2026-04-06T09:00Z", reply="2026-04-07T09:00Z")
    exports.event("96", "severity_changed", "2026-04-06T11:00Z", "agent", severity="P3")
    exports.ticket("96 after the reply", main, "2026-04-06T09:00Z", reply="2026-04-06T10:00Z")
    exports.event("96 after the reply", "severity_changed", "2026-04-06T10:30Z", "agent", severity="P3")
    exports.ticket("lowered, raised again", main, "2026-04-06T09:00Z", reply="2026-04-06T13:00Z")
    exports.event("lowered, raised again", "severity_changed", "2026-04-06T10:00Z", "agent", severity="P4")
    exports.event("lowered, raised again", "severity_changed", "2026-04-06T11:00Z", "agent", severity="P1")
    exports.ticket("97", main, "2026-04-06T09:00Z", None, reply="2026-04-06T10:00Z")
    exports.ticket("given later", main, "2026-04-06T09:00Z", None)
    exports.event("given later", "severity_changed", "2026-04-06T13:00Z", "agent", severity="P2")
    exports.ticket("99", main, "2026-04-06T09:00Z", reply="2026-04-06T12:00Z")
    exports.event("99", "status_changed", "2026-04-06T09:30Z", "agent", status="pending")
    exports.ticket("100", main, "2026-04-06T09:00Z", reply="2026-04-06T10:00Z")
    exports.event("100", "status_changed", "2026-04-06T10:01Z", "agent", status="solved")
    exports.event("100", "status_changed", "2026-04-07T10:00Z", "customer", status="open")
    exports.event("100", "public_reply", "2026-04-09T10:00Z", "agent")
    exports.ticket("101", main, "2026-04-06T09:00Z", reply="2026-04-06T10:00Z")
    exports.event("101", "marked_spam", "2026-04-06T10:30Z", "agent")
    exports.ticket("102", main, "2026-04-06T09:00Z")
    exports.account("A-moved")
    exports.contract("C-growth", "A-moved", plan="growth", ends_at="2026-04-16T00:00Z")
    exports.contract("C-enterprise", "A-moved", starts_at="2026-04-16T00:00Z")
    exports.ticket("103", "A-moved", "2026-04-15T23:59:59Z", reply="2026-04-16T03:00Z")
    exports.ticket("103 later", "A-moved", "2026-04-16T00:00Z", reply="2026-04-16T03:00Z")
    exports.ticket("104", main, "2026-04-06T09:00Z", reply="2026-04-06T08:59:59Z")
    exports.event("104", "public_reply", "2026-04-06T10:00Z", "agent")
    exports.ticket("105", main, "2026-04-30T23:30Z", reply="2026-05-01T01:00Z")
    for number in range(50):
        exports.ticket(f"106-{number}", main, "2026-04-20T10:00Z", reply="2026-04-20T11:00Z")
    not_measured(exports)
    merged(exports)


def not_measured(exports: Exports) -> None:
    exports.ticket("ours", "A-main", "2026-04-06T09:00Z", actor="agent")
    exports.customer("paused", suspensions="{[2026-04-06T00:00Z,2026-04-08T00:00Z)}")
    exports.ticket("suspended", "A-paused", "2026-04-07T23:59:59.999999Z")
    exports.ticket("after suspension", "A-paused", "2026-04-08T00:00Z", reply="2026-04-08T01:00Z")
    exports.ticket("nobody's", None, "2026-04-06T09:00Z")
    exports.ticket("solved", "A-main", "2026-04-06T09:00Z", reply="2026-04-06T13:00Z")
    exports.event("solved", "status_changed", "2026-04-06T10:59:59Z", "customer", status="solved")
    exports.event("solved", "status_changed", "2026-04-06T11:30Z", "customer", status="open")
    exports.ticket("solved at the deadline", "A-main", "2026-04-06T09:00Z")
    exports.event("solved at the deadline", "status_changed", "2026-04-06T11:00Z", "customer", status="closed")
    exports.ticket("solved by an agent", "A-main", "2026-04-06T09:00Z")
    exports.event("solved by an agent", "status_changed", "2026-04-06T10:00Z", "agent", status="solved")
    exports.ticket("solved in the longer time", "A-main", "2026-04-06T09:00Z")
    exports.event("solved in the longer time", "severity_changed", "2026-04-06T10:00Z", "agent", severity="P2")
    exports.event("solved in the longer time", "status_changed", "2026-04-06T12:00Z", "customer", status="solved")
    exports.account("A-sandbox", is_sandbox=True)
    exports.contract("C-sandbox", "A-sandbox")
    exports.ticket("sandbox", "A-sandbox", "2026-04-06T09:00Z")
    exports.event("never created", "public_reply", "2026-04-06T09:00Z", "agent")
    exports.ticket("still open", "A-main", "2026-04-30T12:00Z", "P4")
    exports.ticket("after the as-of time", "A-main", "2026-04-06T09:00Z")
    exports.event("after the as-of time", "public_reply", "2026-05-01T00:00:00.000001Z", "agent")


def merged(exports: Exports) -> None:
    # first -> second -> last, a chain; the spam's reply is not inherited.
    exports.ticket("first", "A-main", "2026-04-07T09:00Z", "P4", reply="2026-04-07T10:45Z")
    exports.ticket("second", "A-main", "2026-04-07T10:00Z", "P4")
    exports.ticket("spam", "A-main", "2026-04-07T10:10Z", "P4", reply="2026-04-07T10:20Z")
    exports.event("spam", "marked_spam", "2026-04-07T10:21Z", "agent")
    exports.ticket("company's", "A-main", "2026-04-07T08:00Z", "P4", reply="2026-04-07T10:05Z", actor="agent")
    exports.ticket("last", "A-main", "2026-04-07T11:00Z", reply="2026-04-07T11:30Z")
    for ticket, target in (("first", "second"), ("second", "last"), ("spam", "last"), ("company's", "last")):
        exports.event(ticket, "merged_into", "2026-04-07T12:00Z", "agent", target_ticket_id=target)
    exports.ticket("into nowhere", "A-main", "2026-04-07T09:00Z")
    exports.event("into nowhere", "merged_into", "2026-04-07T12:00Z", "agent")
    for ticket, at, target in (("round 1", "12:00", "round 2"), ("round 2", "12:05", "round 1")):
        exports.ticket(ticket, "A-main", "2026-04-07T09:00Z")
        exports.event(ticket, "merged_into", f"2026-04-07T{at}Z", "agent", target_ticket_id=target)


def in_other_months(exports: Exports) -> None:
    exports.ticket("84", "A-berlin", "2026-03-29T01:30+01:00", reply="2026-03-29T04:30+02:00")
    exports.ticket("86 Berlin", "A-berlin", "2026-03-27T16:00+01:00", "P3", reply="2026-03-30T16:00+02:00")
    exports.ticket("85", "A-berlin", "2026-10-25T01:30+02:00", reply="2026-10-25T02:30+01:00")
    exports.ticket("two contracts", "A-two", "2026-10-05T09:00Z", "P3")
    exports.account("A-two")
    exports.contract("C-a", "A-two", terms_id="klink-growth", plan="growth")
    exports.contract("C-c", "A-two")
    exports.contract("C-b", "A-two")


@pytest.fixture(scope="module")
def built(fresh_settings) -> Built:
    exports = Exports()
    exports.terms("berlin", **BERLIN)
    exports.terms("any", response_times={"counted_reply": "any"})
    exports.terms("listed", response_times={"calendar": {"holidays": ["2026-04-13"]}})
    in_april(exports)
    in_other_months(exports)
    exports.load(fresh_settings)
    for month, as_of in (
        ("2026-03", "2026-04-15T00:00Z"),
        ("2026-10", "2026-11-15T00:00Z"),
        ("2026-04", "2026-05-01T12:00Z"),
    ):
        build(fresh_settings, month=month, as_of=as_of, select=MODELS)
    return Built(fresh_settings)


@pytest.fixture(scope="module")
def tickets(built: Built) -> dict[str, dict]:
    return built.by("fct_response_times", "ticket_id")


@pytest.mark.parametrize(
    ("ticket_id", "due_at", "outcome"),
    [
        ("83 met", "2026-04-05T01:30Z", "met"),
        ("83 late", "2026-04-05T01:30Z", "breached"),
        ("83 late by a microsecond", "2026-04-05T01:30Z", "breached"),
        ("84", "2026-03-29T04:30+02:00", "met"),
        ("85", "2026-10-25T02:30+01:00", "met"),
        ("86", "2026-04-13T16:00Z", "met"),
        ("86 Berlin", "2026-03-30T16:00+02:00", "met"),
        ("87", "2026-04-14T00:00Z", "met"),
        ("88", "2026-04-15T11:30Z", "breached"),
        ("89", "2026-04-14T11:30Z", "breached"),
        ("90", "2026-04-06T12:00Z", "breached"),
        ("90 any", "2026-04-06T12:00Z", "met"),
        ("91", "2026-04-06T12:00Z", "breached"),
        ("92", "2026-04-06T12:00Z", "breached"),
        ("93", "2026-04-06T12:00Z", "breached"),
        ("94", "2026-04-06T14:00Z", "met"),
        ("94 earlier stays", "2026-04-06T13:00Z", "met"),
        ("95", "2026-04-06T11:00Z", "breached"),
        ("96", "2026-04-07T09:00Z", "met"),
        ("96 after the reply", "2026-04-06T11:00Z", "met"),
        ("lowered, raised again", "2026-04-06T13:00Z", "met"),
        ("given later", "2026-04-06T13:00Z", "breached"),
        ("99", "2026-04-06T11:00Z", "breached"),
        ("100", "2026-04-06T11:00Z", "met"),
        ("102", "2026-04-06T11:00Z", "breached"),
        ("103", "2026-04-16T03:59:59Z", "met"),
        ("103 later", "2026-04-16T02:00Z", "breached"),
        ("104", "2026-04-06T11:00Z", "met"),
        ("105", "2026-05-01T01:30Z", "met"),
        ("after suspension", "2026-04-08T02:00Z", "met"),
        ("solved at the deadline", "2026-04-06T11:00Z", "breached"),
        ("solved by an agent", "2026-04-06T11:00Z", "breached"),
        ("still open", "2026-05-04T12:00Z", "pending"),
        ("after the as-of time", "2026-04-06T11:00Z", "breached"),
        ("last", "2026-04-07T11:00Z", "met"),
        ("round 2", "2026-04-07T11:00Z", "breached"),
    ],
)
def test_due_and_outcome(tickets: dict[str, dict], ticket_id: str, due_at: str, outcome: str) -> None:
    assert (tickets[ticket_id]["due_at"], tickets[ticket_id]["outcome"]) == (utc(due_at), outcome)


@pytest.mark.parametrize(
    ("ticket_id", "reason"),
    [
        ("97", "no_severity"),
        ("101", "spam"),
        ("ours", "opened_by_company"),
        ("suspended", "no_active_contract"),
        ("nobody's", "no_active_contract"),
        ("solved", "solved_by_customer"),
        ("solved in the longer time", "solved_by_customer"),
        ("first", "merged"),
        ("second", "merged"),
        ("round 1", "merged"),
        ("into nowhere", "merged"),
    ],
)
def test_not_measured_keeps_its_reason(tickets: dict[str, dict], ticket_id: str, reason: str) -> None:
    row = tickets[ticket_id]
    assert (row["outcome"], row["reason"]) == ("not_measured", reason)
    assert (row["due_at"], row["elapsed_seconds"], row["business_seconds"]) == (None, None, None)


def test_both_replies_are_stored(tickets: dict[str, dict]) -> None:
    row = tickets["90"]
    assert row["first_ai_reply_at"] == utc("2026-04-06T10:00:05Z")
    assert row["first_human_reply_at"] == utc("2026-04-06T13:00Z")
    assert tickets["90 any"]["elapsed_seconds"] == 5


def test_severity_shown_is_the_one_that_was_in_force(tickets: dict[str, dict]) -> None:
    shown = {name: tickets[name]["severity"] for name in ("94", "95", "96", "96 after the reply", "given later", "97")}
    assert shown == {
        "94": "P1",
        "95": "P1",
        "96": "P3",
        "96 after the reply": "P1",
        "given later": "P2",
        "97": None,
    }


def test_contract_at_creation_decides(tickets: dict[str, dict]) -> None:
    assert (tickets["103"]["contract_id"], tickets["103"]["guaranteed"]) == ("C-growth", False)
    assert (tickets["103 later"]["contract_id"], tickets["103 later"]["guaranteed"]) == ("C-enterprise", True)


def test_of_several_contracts_the_earliest_deadline_then_the_lower_id(tickets: dict[str, dict]) -> None:
    assert tickets["two contracts"]["contract_id"] == "C-b"


def test_seconds_run_to_the_reply_or_to_the_as_of_time(tickets: dict[str, dict]) -> None:
    assert tickets["102"]["elapsed_seconds"] == Decimal((25 * 24 + 3) * 3600)
    # Monday 6 April 09:00 to Friday 1 May 12:00: three weekends taken out.
    assert tickets["102"]["business_seconds"] == Decimal((25 * 24 + 3 - 6 * 24) * 3600)
    assert tickets["87"]["business_seconds"] == 10 * 3600
    assert tickets["86 Berlin"]["elapsed_seconds"] == 71 * 3600
    # Friday 8 h, Monday 16 h: the short Sunday is no business day.
    assert tickets["86 Berlin"]["business_seconds"] == 24 * 3600


def test_a_ticket_stays_in_the_month_of_its_creation(tickets: dict[str, dict], built: Built) -> None:
    assert tickets["105"]["service_month"].isoformat() == "2026-04-01"
    months = {row["service_month"].isoformat() for row in built.rows("select * from marts.fct_response_times")}
    assert months == {"2026-03-01", "2026-04-01", "2026-10-01"}


def test_each_of_fifty_tickets_is_a_fact(tickets: dict[str, dict]) -> None:
    assert sum(ticket_id.startswith("106-") for ticket_id in tickets) == 50


def test_the_survivor_keeps_what_was_merged_into_it(tickets: dict[str, dict]) -> None:
    row = tickets["last"]
    assert row["created_at"] == utc("2026-04-07T09:00Z")
    assert row["first_human_reply_at"] == utc("2026-04-07T10:45Z")
    assert row["severity"] == "P1"


def test_sandbox_accounts_have_no_rows(tickets: dict[str, dict]) -> None:
    assert "sandbox" not in tickets


def test_what_is_reported(built: Built) -> None:
    found = {(row["code"], row["subject"]) for row in built.rows("select * from intermediate.int_responses_findings")}
    assert {
        ("reply_before_creation", "104"),
        ("ticket_without_creation", "never created"),
        ("ticket_without_severity", "97"),
        ("ticket_account_unknown", "nobody's"),
        ("merge_in_a_circle", "round 2"),
    } <= found
    assert ("reply_before_creation", "100") not in found
