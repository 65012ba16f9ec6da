"""Tickets to the letter of section R, on events built by hand; the numbers are those of `edge-cases.md`."""

from dataclasses import replace
from fractions import Fraction
from itertools import permutations

import pytest

from slaledger.reperform.instants import parse
from slaledger.reperform.records import Account, Target, TicketEvent
from slaledger.reperform.responses import response_times
from tests.support.second_route import BERLIN, ENTERPRISE, GROWTH, HOUR, contract, exports

MINUTE = HOUR // 60
AS_OF = "2026-04-30T00:00:00Z"


def events(ticket_id: str, *told: str) -> list[TicketEvent]:
    """Events written as `instant type actor [severity|status|target|automatic]`; the account is A1."""
    made = []
    for number, each in enumerate(told):
        at, kind, actor, *rest = each.split()
        severity = next((word for word in rest if word in ("P1", "P2", "P3", "P4")), None)
        made.append(
            TicketEvent(
                ticket_id=ticket_id,
                event_id=f"{ticket_id}-{number:02}",
                at=parse(at),
                type=kind,
                actor=actor,
                account_id="A1" if kind == "created" else None,
                severity=severity,
                status=next(iter(rest), None) if kind == "status_changed" else None,
                target_ticket_id=next(iter(rest), None) if kind == "merged_into" else None,
                is_automatic="automatic" in rest,
            )
        )
    return made


def rows(*told, as_of=AS_OF, month="2026-04", **given):
    found = response_times(
        exports(events=tuple(event for ticket in told for event in ticket), **given),
        service_month=month,
        as_of=parse(as_of),
    )
    return {row["ticket_id"]: row for row in found}


def row(*told, **given):
    return rows(events("T", *told), **given)["T"]


SATURDAY = "2026-04-04T23:30:00Z created customer P1"
NOON = "2026-04-08T12:00:00Z created customer"  # a Wednesday


@pytest.mark.parametrize(
    ("told", "outcome", "due_at"),
    [
        pytest.param([SATURDAY, "2026-04-05T01:30:00Z public_reply agent"], "met", "2026-04-05T01:30:00Z", id="83"),
        pytest.param(
            [SATURDAY, "2026-04-05T01:30:00.000001Z public_reply agent"], "breached", "2026-04-05T01:30:00Z", id="83b"
        ),
        pytest.param(
            [SATURDAY, "2026-04-04T23:31:00Z public_reply agent automatic"],
            "breached",
            "2026-04-05T01:30:00Z",
            id="91-automatic",
        ),
        pytest.param(
            [SATURDAY, "2026-04-04T23:31:00Z internal_note agent"], "breached", "2026-04-05T01:30:00Z", id="92-note"
        ),
        pytest.param(
            [SATURDAY, "2026-04-04T23:31:00Z public_reply customer"], "breached", "2026-04-05T01:30:00Z", id="93"
        ),
        pytest.param(
            [SATURDAY, "2026-04-04T23:31:00Z public_reply system"], "breached", "2026-04-05T01:30:00Z", id="system"
        ),
        pytest.param(
            [
                f"{NOON} P3",
                "2026-04-08T15:00:00Z severity_changed agent P1",
                "2026-04-08T17:00:00Z public_reply agent",
            ],
            "met",
            "2026-04-08T17:00:00Z",
            id="94-raised",
        ),
        pytest.param(
            [f"{NOON} P3", "2026-04-09T11:00:00Z severity_changed customer P1"],
            "breached",
            "2026-04-09T12:00:00Z",
            id="94-98-raised-late-moves-nothing",
        ),
        pytest.param(
            [f"{NOON} P1", "2026-04-08T14:00:00.000001Z severity_changed agent P3"],
            "breached",
            "2026-04-08T14:00:00Z",
            id="95-lowered-after-its-deadline",
        ),
        pytest.param(
            [
                f"{NOON} P1",
                "2026-04-08T14:00:00Z severity_changed customer P3",
                "2026-04-09T12:00:00Z public_reply agent",
            ],
            "met",
            "2026-04-09T12:00:00Z",
            id="96-lowered-at-its-deadline-counts-from-creation",
        ),
        pytest.param(
            [
                f"{NOON} P4",
                "2026-04-08T13:00:00Z severity_changed agent P1",
                "2026-04-08T13:30:00Z severity_changed agent P2",
                "2026-04-08T16:00:00.000001Z public_reply agent",
            ],
            "breached",
            "2026-04-08T16:00:00Z",
            id="raised-then-lowered",
        ),
        pytest.param(
            [
                "2026-04-08T13:00:00Z created customer P3",
                "2026-04-08T15:00:00Z severity_changed agent P2",
                "2026-04-08T15:30:00Z severity_changed agent P1",
                "2026-04-08T15:45:00Z severity_changed agent P2",
                "2026-04-08T17:30:00Z public_reply agent",
            ],
            "met",
            "2026-04-08T17:30:00Z",
            id="lowered-is-never-earlier-than-the-one-in-force",
        ),
        pytest.param(
            [NOON, "2026-04-08T13:00:00Z severity_changed agent P1", "2026-04-08T14:00:00Z public_reply agent"],
            "met",
            "2026-04-08T14:00:00Z",
            id="first-given-later-counts-from-creation",
        ),
        pytest.param(
            [NOON, "2026-04-08T15:00:00Z severity_changed agent P1", "2026-04-08T15:01:00Z severity_changed agent P4"],
            "breached",
            "2026-04-08T14:00:00Z",
            id="first-given-past-its-deadline",
        ),
        pytest.param(
            [
                f"{NOON} P2",
                "2026-04-08T13:00:00Z status_changed agent pending",
                "2026-04-08T16:30:00Z public_reply agent",
            ],
            "breached",
            "2026-04-08T16:00:00Z",
            id="99-waiting-for-the-customer",
        ),
        pytest.param(
            [
                f"{NOON} P2",
                "2026-04-08T13:00:00Z public_reply agent",
                "2026-04-08T14:00:00Z status_changed customer solved",
                "2026-04-09T14:00:00Z status_changed customer open",
                "2026-04-10T14:00:00Z public_reply agent",
            ],
            "met",
            "2026-04-08T16:00:00Z",
            id="100-reopened",
        ),
        pytest.param(
            [f"{NOON} P2", "2026-04-08T11:00:00Z public_reply agent", "2026-04-08T15:00:00Z public_reply agent"],
            "met",
            "2026-04-08T16:00:00Z",
            id="104-reply-before-creation",
        ),
        pytest.param(
            [f"{NOON} P2", "2026-04-08T12:00:00Z public_reply agent"], "met", "2026-04-08T16:00:00Z", id="at-creation"
        ),
        pytest.param(
            [f"{NOON} P2", "2026-04-08T13:00:00Z status_changed agent solved"],
            "breached",
            "2026-04-08T16:00:00Z",
            id="solved-by-the-company-is-measured",
        ),
        pytest.param(
            [f"{NOON} P2", "2026-04-08T16:00:00Z status_changed customer solved"],
            "breached",
            "2026-04-08T16:00:00Z",
            id="solved-at-the-deadline-is-not-before-it",
        ),
        pytest.param(
            [
                f"{NOON} P2",
                "2026-04-08T13:00:00Z public_reply agent",
                "2026-04-08T13:00:00Z status_changed customer closed",
            ],
            "met",
            "2026-04-08T16:00:00Z",
            id="solved-at-the-reply-is-not-before-it",
        ),
    ],
)
def test_outcomes(told, outcome, due_at):
    found = row(*told)
    assert (found["outcome"], found["due_at"], found["reason"]) == (outcome, parse(due_at), None)


@pytest.mark.parametrize(
    ("told", "due_at"),
    [
        ("2026-03-29T01:30:00+01:00 created customer P1", "2026-03-29T04:30:00+02:00"),  # 84
        ("2026-10-25T01:30:00+02:00 created customer P1", "2026-10-25T02:30:00+01:00"),  # 85
        ("2026-03-27T16:00:00+01:00 created customer P3", "2026-03-30T16:00:00+02:00"),  # 86
    ],
)
def test_targets_over_a_change_of_clocks(told, due_at):
    month = told[:7]
    found = row(told, terms=(BERLIN,), month=month, as_of=due_at)
    assert (found["due_at"], found["outcome"]) == (parse(due_at), "pending")


@pytest.mark.parametrize(
    ("told", "reason", "severity"),
    [
        ([NOON], "no_severity", None),  # 97
        ([f"{NOON} P1", "2026-04-08T20:00:00Z marked_spam agent"], "spam", "P1"),  # 101
        (["2026-04-08T12:00:00Z created agent P1"], "opened_by_company", "P1"),
        (["2026-04-08T12:00:00Z created ai P1"], "opened_by_company", "P1"),
        ([f"{NOON} P1", "2026-04-08T13:59:59.999999Z status_changed customer solved"], "solved_by_customer", "P1"),
        (
            [
                f"{NOON} P1",
                "2026-04-08T12:59:59.999999Z status_changed customer solved",
                "2026-04-08T13:00:00Z public_reply agent",
            ],
            "solved_by_customer",
            "P1",
        ),
        # Final, also if reopened; before the deadline then in force, though not before the one that it is raised to.
        (
            [
                f"{NOON} P3",
                "2026-04-09T10:00:00Z status_changed customer closed",
                "2026-04-09T11:00:00Z status_changed customer open",
                "2026-04-20T11:00:00Z public_reply agent",
            ],
            "solved_by_customer",
            "P3",
        ),
        (
            [
                f"{NOON} P1",
                "2026-04-08T13:00:00Z severity_changed agent P3",
                "2026-04-09T11:00:00Z status_changed customer solved",
            ],
            "solved_by_customer",
            "P3",
        ),
        # Lowered and solved at the very deadline, whichever is told first: before the one then in force.
        *(
            ([f"{NOON} P1", *(f"2026-04-08T14:00:00Z {each}" for each in told)], "solved_by_customer", "P3")
            for told in permutations(("severity_changed customer P3", "status_changed customer solved"))
        ),
        # An AI's reply does not count here, so it does not come before the solution.
        (
            [
                f"{NOON} P1",
                "2026-04-08T12:01:00Z public_reply ai",
                "2026-04-08T13:00:00Z status_changed customer solved",
            ],
            "solved_by_customer",
            "P1",
        ),
        ([f"{NOON} P1", "2026-04-08T13:00:00Z merged_into agent U"], "merged", "P1"),
        ([f"{NOON} P1", "2026-04-08T13:00:00Z merged_into agent"], "merged", "P1"),
        # The first reason that applies.
        (
            [NOON, "2026-04-08T13:00:00Z marked_spam agent", "2026-04-08T13:00:00Z merged_into agent U"],
            "spam",
            None,
        ),
    ],
)
def test_not_measured_keeps_the_reason_and_no_times(told, reason, severity):
    found = row(*told)
    assert (found["outcome"], found["reason"], found["severity"]) == ("not_measured", reason, severity)
    assert (found["due_at"], found["elapsed_seconds"], found["business_seconds"]) == (None, None, None)


def test_a_merge_into_itself_is_none():
    assert row(f"{NOON} P1", "2026-04-08T13:00:00Z merged_into agent T")["outcome"] == "breached"


def test_both_replies_are_stored_and_the_human_decides():  # 90
    told = [f"{NOON} P1", "2026-04-08T12:00:05Z public_reply ai", "2026-04-08T15:00:00Z public_reply agent"]
    found = row(*told)
    assert found["outcome"] == "breached"
    assert found["first_ai_reply_at"] - found["created_at"] == 5 * HOUR // 3600
    assert found["elapsed_seconds"] == found["business_seconds"] == 3 * HOUR
    any_counts = row(*told, terms=(replace(ENTERPRISE, terms_id="any", counted_reply="any"),))
    assert (any_counts["outcome"], any_counts["elapsed_seconds"]) == ("met", 5 * HOUR // 3600)
    assert any_counts["first_human_reply_at"] == found["first_human_reply_at"]


def test_unanswered_runs_up_to_the_as_of_time():  # 102
    found = row(f"{NOON} P1", as_of="2026-04-13T12:00:00Z")
    assert (found["outcome"], found["elapsed_seconds"]) == ("breached", 5 * 24 * HOUR)
    assert found["business_seconds"] == 3 * 24 * HOUR
    assert row(f"{NOON} P1", as_of="2026-04-08T14:00:00Z")["outcome"] == "pending"
    assert row(f"{NOON} P1", as_of="2026-04-08T14:00:00.000001Z")["outcome"] == "breached"


def test_what_has_not_happened_by_the_as_of_time_does_not_exist():  # 105
    told = ["2026-04-29T12:00:00Z created customer P4", "2026-05-01T10:00:00Z public_reply agent"]
    assert rows(events("T", *told), as_of="2026-04-29T11:59:59.999999Z") == {}
    assert row(*told, as_of="2026-05-01T09:59:59.999999Z")["outcome"] == "pending"
    assert row(*told, as_of="2026-05-01T10:00:00Z")["outcome"] == "met"
    assert rows(events("T", *told), as_of="2026-05-02T00:00:00Z", month="2026-05") == {}


def test_the_severity_shown_is_the_one_when_the_clock_stopped_or_the_deadline_passed():
    raised = "2026-04-20T00:00:00Z severity_changed agent P1"
    assert row(f"{NOON} P3", "2026-04-08T13:00:00Z public_reply agent", raised)["severity"] == "P3"
    assert row(f"{NOON} P3", "2026-04-20T00:00:00Z public_reply agent", raised)["severity"] == "P3"
    at_once = "2026-04-08T13:00:00Z severity_changed agent"
    replied = row(f"{NOON} P3", "2026-04-08T13:00:00Z public_reply agent", f"{at_once} P1")
    assert (replied["severity"], replied["outcome"]) == ("P1", "met")
    assert row(f"{NOON} P3", raised)["severity"] == "P3"
    assert row(f"{NOON} P3", at_once)["severity"] == "P3"  # a change that names none
    assert row(NOON, raised)["severity"] == "P1"


def test_the_contract_and_terms_at_creation_decide():  # 103
    upgraded = (
        contract("K1", terms_id="klink-growth", ends_at=parse("2026-04-08T12:00:00.000001Z")),
        contract("K2", starts_at=parse("2026-04-08T12:00:00.000001Z")),
    )
    found = row(f"{NOON} P1", contracts=upgraded)
    assert (found["contract_id"], found["due_at"] - found["created_at"]) == ("K1", 4 * HOUR)
    assert found["guaranteed"] is False
    later = replace(
        ENTERPRISE,
        version="2",
        effective_from=parse("2026-04-08T12:00:00Z"),
        targets={**ENTERPRISE.targets, "P1": Target(HOUR, None)},
    )
    assert row(f"{NOON} P1", terms=(later,))["due_at"] - parse("2026-04-08T12:00:00Z") == HOUR
    assert row("2026-04-08T11:59:59Z created customer P1", terms=(later,))["due_at"] == parse("2026-04-08T13:59:59Z")


def test_of_several_contracts_the_earliest_deadline_then_the_lower_id():
    growth = contract("K0", terms_id="klink-growth")
    assert row(f"{NOON} P1", contracts=(growth, contract("K2"), contract("K1")))["contract_id"] == "K1"
    assert row(f"{NOON} P1", contracts=(growth, contract("K3", terms_id="nobody")))["contract_id"] == "K0"
    assert row(NOON, contracts=(growth, contract("K1")))["contract_id"] == "K0"


@pytest.mark.parametrize(
    ("given", "reason", "contract_id"),
    [
        ({"account_id": "A2"}, "no_active_contract", None),
        ({"starts_at": parse("2026-04-08T12:00:00.000001Z")}, "no_active_contract", None),
        ({"starts_at": parse("2026-04-08T12:00:00Z")}, None, "K1"),
        ({"ends_at": parse("2026-04-08T12:00:00Z")}, "no_active_contract", None),
        (
            {"suspensions": ((parse("2026-04-08T12:00:00Z"), parse("2026-04-08T12:00:01Z")),)},
            "no_active_contract",
            None,
        ),
        ({"suspensions": ((parse("2026-04-01T12:00:00Z"), parse("2026-04-08T12:00:00Z")),)}, None, "K1"),
        ({"terms_id": "nobody"}, "no_terms", "K1"),
        ({"terms_id": "none"}, "no_target", "K1"),
        ({"active_agreement": False}, None, "K1"),
    ],
)
def test_contracts_at_creation(given, reason, contract_id):
    none = replace(ENTERPRISE, terms_id="none", targets={})
    found = row(f"{NOON} P1", terms=(none,), contracts=(contract(**given),))
    assert (found["reason"], found["contract_id"]) == (reason, contract_id)
    assert found["guaranteed"] is (given.get("active_agreement", True) and reason in (None, "no_target"))


def test_the_month_is_that_of_the_creation_in_the_zone_of_the_terms():
    told = events("T", "2026-03-31T22:00:00Z created customer P1")
    assert set(rows(told, terms=(BERLIN,))) == {"T"}
    assert rows(told) == {}
    assert set(rows(told, month="2026-03")) == {"T"}
    nobody = (contract(account_id="A9"),)
    assert set(rows(told, month="2026-03", terms=(BERLIN,), contracts=nobody)) == {"T"}


def test_sandboxes_have_no_rows():
    assert rows(events("T", f"{NOON} P1"), accounts=(Account("A1", "Test", True),)) == {}


def test_fifty_tickets_on_one_outage_are_fifty_facts():  # 106
    assert len(rows(*(events(f"T{number}", f"{NOON} P1") for number in range(50)))) == 50


def test_a_survivor_keeps_the_earliest_creation_and_the_replies_of_what_is_merged_into_it_in_chains():
    told = [
        events("A", "2026-03-31T23:00:00Z created customer P3", "2026-04-01T08:00:00Z merged_into agent B"),
        events(
            "B",
            "2026-04-01T07:00:00Z created customer P3",
            "2026-04-01T07:30:00Z public_reply agent",
            "2026-04-01T09:00:00Z merged_into agent C",
        ),
        events("C", "2026-04-01T08:30:00Z created customer P1"),
    ]
    survivor = rows(*told, month="2026-03")["C"]
    assert survivor["created_at"] == parse("2026-03-31T23:00:00Z")
    assert survivor["first_human_reply_at"] == parse("2026-04-01T07:30:00Z")
    assert (survivor["severity"], survivor["outcome"]) == ("P1", "breached")
    assert survivor["due_at"] == parse("2026-04-01T01:00:00Z")
    own = rows(*told)["B"]
    assert (own["created_at"], own["reason"]) == (parse("2026-04-01T07:00:00Z"), "merged")
    before = rows(*told, as_of="2026-04-01T08:59:59Z")["C"]
    assert before["created_at"] == parse("2026-04-01T08:30:00Z")


@pytest.mark.parametrize(
    ("source", "created_at"),
    [
        (["2026-04-08T09:00:00Z created agent P1", "2026-04-08T12:30:00Z public_reply agent"], "2026-04-08T12:00:00Z"),
        # Of spam the creation counts, and the replies do not (R5).
        (
            [
                "2026-04-08T09:00:00Z created customer P1",
                "2026-04-08T12:30:00Z public_reply agent",
                "2026-04-08T13:00:00Z marked_spam agent",
            ],
            "2026-04-08T09:00:00Z",
        ),
    ],
)
def test_a_survivor_inherits_no_replies_of_the_companys_tickets_and_of_spam(source, created_at):
    found = rows(events("S", *source, "2026-04-08T13:00:00Z merged_into agent T"), events("T", f"{NOON} P1"))["T"]
    assert (found["created_at"], found["first_human_reply_at"]) == (parse(created_at), None)
    assert found["outcome"] == "breached"


def test_a_chain_runs_through_a_ticket_whose_creation_is_not_known():
    told = [
        events("A", "2026-04-08T09:00:00Z created customer P1", "2026-04-08T13:00:00Z merged_into agent B"),
        events("B", "2026-04-08T08:00:00Z public_reply agent", "2026-04-08T13:00:00Z merged_into agent C"),
        events("C", f"{NOON} P1"),
    ]
    found = rows(*told)
    assert found.keys() == {"A", "C"}
    assert (found["A"]["reason"], found["C"]["created_at"]) == ("merged", parse("2026-04-08T09:00:00Z"))
    assert found["C"]["first_human_reply_at"] is None


def test_the_last_merge_stands():
    merges = ("2026-04-08T12:30:00Z merged_into agent T", "2026-04-08T13:00:00Z merged_into agent U")
    told = events("S", "2026-04-08T09:00:00Z created customer P1", *merges)
    found = rows(told, events("T", f"{NOON} P1"), events("U", f"{NOON} P1"))
    assert found["T"]["created_at"] == parse("2026-04-08T12:00:00Z")
    assert found["U"]["created_at"] == parse("2026-04-08T09:00:00Z")


def test_a_survivor_that_names_no_account_has_that_of_the_earliest_ticket_merged_into_it():
    nameless = [replace(event, account_id=None) for event in events("T", f"{NOON} P1")]
    assert rows(nameless)["T"]["reason"] == "no_active_contract"
    merged = events("S", f"{NOON} P1", "2026-04-08T13:00:00Z merged_into agent T")
    assert rows(nameless, merged)["T"]["contract_id"] == "K1"


def test_what_is_merged_into_it_from_a_sandbox_changes_nothing():
    sandbox = [replace(event, account_id="A0") for event in events("S", "2026-04-08T09:00:00Z created customer P1")]
    told = [*sandbox, *events("S", *["2026-04-08T13:00:00Z merged_into agent T"] * 2)[1:]]
    accounts = (Account("A0", "Test", True), Account("A1", "Acme", False))
    found = rows(told, events("T", f"{NOON} P1"), accounts=accounts)
    assert {each: row["created_at"] for each, row in found.items()} == {"T": parse("2026-04-08T12:00:00Z")}


def test_what_is_not_measured_shows_the_severity_of_the_as_of_time():
    told = [
        f"{NOON} P1",
        "2026-04-08T12:01:00Z status_changed customer solved",
        "2026-04-09T12:00:00Z severity_changed agent P4",
    ]
    found = row(*told)
    assert (found["reason"], found["severity"]) == ("solved_by_customer", "P4")


def test_of_merges_in_a_circle_the_last_is_void():
    one = events("T", f"{NOON} P1", "2026-04-08T13:00:00Z merged_into agent U")
    other = events("U", "2026-04-08T11:00:00Z created customer P1", "2026-04-08T13:30:00Z merged_into agent T")
    into = events("V", "2026-04-08T10:00:00Z created customer P1", "2026-04-08T14:00:00Z merged_into agent T")
    found = rows(one, other, into)
    assert {ticket_id: row["reason"] for ticket_id, row in found.items()} == {"T": "merged", "U": None, "V": "merged"}
    assert found["U"]["created_at"] == parse("2026-04-08T10:00:00Z")
    # At one instant ids decide: of the event, then of the ticket.
    same = [replace(one[1], event_id="e"), replace(other[1], event_id="e", at=one[1].at)]
    assert rows([one[0], same[0]], [other[0], same[1]])["U"]["reason"] is None


def test_what_is_dated_before_the_creation_changes_nothing_and_a_ticket_is_created_once():
    found = row(
        "2026-04-08T11:00:00Z severity_changed agent P4",
        "2026-04-08T11:30:00Z status_changed customer solved",
        f"{NOON} P1",
        "2026-04-08T12:30:00Z created agent P3",
    )
    assert (found["severity"], found["outcome"]) == ("P1", "breached")
    assert (found["created_at"], found["reason"]) == (parse("2026-04-08T12:00:00Z"), None)


def test_an_event_that_both_feeds_tell_is_told_by_the_first():
    created = events("T", f"{NOON} P1")[0]
    assert rows([created, replace(created, account_id="A9", severity="P4")])["T"]["severity"] == "P1"


def test_the_order_of_events_does_not_matter():
    told = events(
        "T",
        f"{NOON} P3",
        "2026-04-08T13:00:00Z severity_changed agent P1",
        "2026-04-08T13:30:00Z severity_changed agent P2",
        "2026-04-08T15:00:00Z public_reply agent",
    )
    assert rows(told) == rows(told[::-1])


def test_growth_is_measured_as_best_effort():
    found = row(f"{NOON} P2", "2026-04-09T12:00:00Z public_reply agent", terms=(replace(GROWTH, terms_id="g"),))
    assert (found["outcome"], found["guaranteed"]) == ("met", False)
    assert Fraction(found["elapsed_seconds"], 24 * HOUR) == 1


def test_a_ticket_is_what_was_created_and_of_two_creations_the_earlier():
    assert rows(events("T", "2026-04-08T13:00:00Z public_reply agent")) == {}
    found = row(f"{NOON} P1", "2026-04-08T15:00:00Z created agent P3")
    assert (found["created_at"], found["severity"]) == (parse("2026-04-08T12:00:00Z"), "P1")


def test_the_first_of_several_replies_counts():
    told = [f"2026-04-08T12:0{minute}:00Z public_reply {actor}" for minute in (1, 2) for actor in ("ai", "agent")]
    found = row(f"{NOON} P1", *told)
    assert found["first_ai_reply_at"] == found["first_human_reply_at"] == parse("2026-04-08T12:01:00Z")


def test_changes_to_a_severity_without_a_target_set_no_deadline():
    some = replace(ENTERPRISE, terms_id="some", targets={"P1": Target(2 * HOUR, None), "P3": Target(HOUR, None)})
    lowered = row(f"{NOON} P1", "2026-04-08T13:00:00Z severity_changed agent P4", terms=(some,))
    assert (lowered["due_at"], lowered["severity"]) == (parse("2026-04-08T14:00:00Z"), "P4")
    raised = row(f"{NOON} P4", "2026-04-08T13:00:00Z severity_changed agent P1", terms=(some,))
    assert raised["due_at"] == parse("2026-04-08T15:00:00Z")
    # Said again, a severity changes nothing: P1's own target would be due at 14:00.
    again = [f"2026-04-08T12:{minute}:00Z severity_changed agent P1" for minute in (10, 20)]
    assert row(f"{NOON} P3", *again, terms=(some,))["due_at"] == parse("2026-04-08T13:00:00Z")
    unknown = row(f"{NOON} P3", *again, contracts=(contract(terms_id="nobody"),))
    assert (unknown["reason"], unknown["severity"]) == ("no_terms", "P1")
