"""Claims (rules C1 to C7) at five moments; the lines of edge-cases.md by their numbers: tests/edge_cases."""

from __future__ import annotations

import pytest

from tests.models.builder_credits import instant
from tests.models.credits.conftest import Moment


@pytest.mark.parametrize(
    ("claim_id", "contract_id", "status", "reason"),
    [
        ("118", "C-118", "accepted", None),
        ("118 late", "C-118 late", "rejected", "late"),
        ("119", "C-119", "rejected", "late"),
        ("120", "C-120", "rejected", "company_mismatch"),
        ("121 c", "C-121", "accepted", None),
        ("121 a", "C-121", "duplicate", "duplicate_of: 121 c"),
        ("121 b", "C-121", "duplicate", "duplicate_of: 121 c"),
        ("122 first user", "C-122", "accepted", None),
        ("122 second user", "C-122", "duplicate", "duplicate_of: 122 first user"),
        ("123", "C-123", "rejected", "no_eligible_credit: no_tier, uptime 99.9 %"),
        ("124", "C-124", "accepted", None),
        ("127", "C-127", "accepted", None),
        ("incomplete", "C-incomplete", "rejected", "incomplete_at_deadline: company_name, incident_timeline missing"),
        ("late", "C-late", "rejected", "late"),
        ("review yes", "C-review yes", "needs_review", "sent_in_time_received_late"),
        ("no account", None, "rejected", "incomplete_at_deadline: account_id, incident_timeline missing"),
        ("unknown account", None, "rejected", "account_unknown"),
        ("gone", None, "rejected", "no_contract"),
        ("both", "C-both 1", "accepted", None),
        ("both", "C-both 2", "rejected", "no_eligible_credit: plan_not_eligible, uptime 99.861111111111 %"),
        ("named", "C-named", "accepted", None),
        ("held", "C-held", "pending", "month_held"),
        ("132", "C-132", "pending", "month_blocked"),
        ("no terms", "C-no terms", "pending", "month_blocked"),
        ("suspended", "C-suspended", "rejected", "no_eligible_credit: no_measured_time, uptime not measured"),
        ("7", "C-7", "accepted", None),
        ("R1", "C-R1", "accepted", None),
        ("R0", "C-R0", "rejected", "no_eligible_credit: no_tier, uptime 100 %"),
    ],
)
def test_verdict(
    april: dict[str, Moment], claim_id: str, contract_id: str | None, status: str, reason: str | None
) -> None:
    assert april["later"].verdict(claim_id, contract_id) == (status, reason)


def test_month_not_over_is_pending_whatever_else_is_wrong(april: dict[str, Moment]) -> None:
    assert april["within"].verdict("early", "C-early") == ("pending", "month_not_over")
    assert april["last instant"].verdict("early", "C-early") == ("rejected", "company_mismatch")


def test_incomplete_is_pending_until_the_deadline(april: dict[str, Moment]) -> None:
    pending = ("pending", "incomplete: company_name, incident_timeline missing")
    assert april["last instant"].verdict("incomplete", "C-incomplete") == pending
    assert april["deadline"].verdict("incomplete", "C-incomplete")[0] == "rejected"


def test_the_zone_of_the_terms_decides_the_deadline(april: dict[str, Moment]) -> None:
    moment = april["later"]
    assert moment.claims["118", "C-118"]["deadline_at"] == instant("2026-05-11T00:00Z")
    assert moment.claims["119", "C-119"]["deadline_at"] == instant("2026-05-10T18:30Z")


def test_messages_after_the_as_of_time_do_not_exist(april: dict[str, Moment]) -> None:
    assert ("118 late", "C-118 late") not in april["last instant"].claims
    assert ("not yet", "C-none") not in april["later"].claims


def test_later_messages_fill_in_and_change_nothing(april: dict[str, Moment]) -> None:
    row = april["later"].claims["122 second user", "C-122"]
    assert row["received_at"] == instant("2026-05-02T10:00Z")
    assert row["complete_at"] == instant("2026-05-04T10:00Z")
    assert april["later"].claims["7", "C-7"]["account_id"] == "A-7"


def test_only_claims_of_the_month_that_are_no_sandbox(april: dict[str, Moment]) -> None:
    assert not {claim_id for claim_id, _ in april["later"].claims} & {"of March", "sandbox"}


def test_a_person_decides_what_needs_review(april: dict[str, Moment]) -> None:
    assert april["decided"].verdict("review yes", "C-review yes") == ("accepted", "approved_in_review")
    assert april["decided"].verdict("review no", "C-review no") == ("rejected", "rejected_in_review")


def test_a_claim_is_denied_when_uptime_is_restated(april: dict[str, Moment]) -> None:
    assert april["later"].verdict("127", "C-127") == ("accepted", None)
    assert april["decided"].verdict("127", "C-127") == ("rejected", "no_eligible_credit: no_tier, uptime 100 %")


def test_what_is_reported(april: dict[str, Moment]) -> None:
    found = {(row["code"], row["subject"]): row["detail"] for row in april["later"].findings}
    assert "names 5400 s" in found["claim_timeline_differs", "124"]
    assert "3600 s of it up" in found["claim_timeline_differs", "124"]
    assert "leaves out 1800 s" in found["claim_timeline_differs", "124"]
    assert ("claim_timeline_differs", "118") not in found
    assert "account_id, company_name" in found["claim_message_changes_nothing", "7"]
