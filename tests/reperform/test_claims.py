"""Claims to the letter of section C, over entitlements built by hand; the numbers are those of `edge-cases.md`."""

from dataclasses import replace
from fractions import Fraction

import pytest

from slaledger.reperform.claims import claims, claims_of, compared, deadline
from slaledger.reperform.entitlements import entitlements
from slaledger.reperform.instants import parse
from slaledger.reperform.records import Account, ClaimMessage, Decision, Fee
from tests.support.second_route import BERLIN, ENTERPRISE, account_month, contract, exports

AT = parse("2026-03-10T10:00:00Z")
TIMELINE = ((AT, None),)
IN_TIME, AT_DEADLINE = "2026-04-10T23:59:59.999999Z", "2026-04-11T00:00:00Z"
LATER = "2026-04-12T00:00:00Z"
NEXT_DAY = parse("2026-04-13T00:00:00Z")
KOLKATA = replace(ENTERPRISE, terms_id="kolkata", time_zone="Asia/Kolkata")
SANTIAGO = replace(ENTERPRISE, terms_id="santiago", time_zone="America/Santiago")


def message(received_at="2026-04-02T00:00:00Z", **changes):
    given = ClaimMessage(
        key="claims/1",
        exported_at=0,
        row=1,
        claim_id="C1",
        account_id="A1",
        company_name="MÜLLER + Söhne (GmbH)",
        service_month="2026-03",
        sent_at=parse("2026-04-02T00:00:00Z"),
        received_at=parse(received_at),
        incident_timeline=TIMELINE,
    )
    return replace(given, **changes)


def rows(*messages, months=None, terms=(), decisions=(), as_of=NEXT_DAY, **given):
    months = [account_month()] if months is None else months
    fees = tuple(Fee(month["contract_id"], "2026-03", Fraction(1000), "USD") for month in months)
    contracts = tuple(contract(month["contract_id"], month["account_id"]) for month in months) or (contract(),)
    made = exports(terms=terms, claims=messages, fees=fees, contracts=contracts, **given)
    entitled = entitlements(made, account_months=months, response_times=())
    return claims(made, service_month="2026-03", as_of=as_of, entitled=entitled, decisions=decisions)


def judged(*messages, **given):
    (row,) = rows(*messages, **given)
    return row["status"], row["reason"]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("Müller & Söhne GmbH", "MU\u0308LLER SO\u0308HNE GMBH", True),
        ("Straße AG", "STRASSE AG", True),
        ("ＫＬＩＮＫ　４２", "klink-42", True),
        ("A.B.C.", "abc", True),
        ("Klink 4²", "klink 42", True),
        ("Klink", "Klink 2", False),
        ("Müller", "Muller", False),
        ("Kalliopē ΐ", "Kalliopē ι", False),
        ("ǰ", "J\u030c", True),
        ("🙂", " 🙂", True),
        ("🙂", "!!", False),
        ("!!", "", False),
    ],
)
def test_companies_are_compared_by_letters_and_digits(one, other, is_same):
    assert (compared(one) == compared(other)) is is_same


@pytest.mark.parametrize(
    ("version", "month", "expected"),
    [
        (ENTERPRISE, "2026-03", "2026-04-11T00:00:00Z"),
        (BERLIN, "2026-03", "2026-04-11T00:00:00+02:00"),
        (KOLKATA, "2026-03", "2026-04-11T00:00:00+05:30"),
        (replace(ENTERPRISE, claims_within_days=31), "2026-12", "2027-02-01T00:00:00Z"),
        (replace(BERLIN, claims_within_days=28), "2026-02", "2026-03-29T00:00:00+01:00"),
        # Clocks fall back from 24:00 to 23:00: the day ends where midnight comes for good.
        (replace(SANTIAGO, claims_within_days=4), "2026-03", "2026-04-05T04:00:00Z"),
    ],
)
def test_the_deadline_is_the_end_of_a_calendar_day_in_the_zone(version, month, expected):  # 118, 119, 128
    assert deadline(version, month) == parse(expected)


@pytest.mark.parametrize(
    ("received_at", "sent_at", "expected"),
    [
        (IN_TIME, None, ("accepted", None)),
        (AT_DEADLINE, IN_TIME, ("needs_review", "sent_in_time_received_late")),
        (AT_DEADLINE, AT_DEADLINE, ("rejected", "late")),
        (AT_DEADLINE, None, ("rejected", "late")),
    ],
)
def test_in_time_late_and_sent_in_time(received_at, sent_at, expected):
    assert judged(message(received_at, sent_at=sent_at and parse(sent_at))) == expected


def test_what_is_not_received_by_the_as_of_time_is_not_known():
    assert rows(message("2026-04-02T00:00:00Z"), as_of=parse("2026-04-01T23:59:59.999999Z")) == []
    assert judged(message("2026-04-02T00:00:00Z"), as_of=parse("2026-04-02T00:00:00Z")) == ("accepted", None)


@pytest.mark.parametrize(
    ("changes", "as_of", "expected"),
    [
        ({"incident_timeline": None}, AT_DEADLINE, ("rejected", "incomplete_at_deadline: incident_timeline missing")),
        ({"incident_timeline": None}, IN_TIME, ("pending", "incomplete: incident_timeline missing")),
        (
            {"incident_timeline": None, "account_id": None, "company_name": None},
            IN_TIME,
            ("pending", "incomplete: company_name, account_id, incident_timeline missing"),
        ),
        ({"account_id": None, "company_name": "Other"}, IN_TIME, ("pending", "incomplete: account_id missing")),
        ({"account_id": "A9"}, IN_TIME, ("rejected", "account_unknown")),
        ({"company_name": "Other"}, IN_TIME, ("rejected", "company_mismatch")),  # 120
        ({"company_name": "Other", "incident_timeline": None}, IN_TIME, ("rejected", "company_mismatch")),
        ({"incident_timeline": ()}, IN_TIME, ("accepted", None)),
    ],
)
def test_what_a_claim_must_name(changes, as_of, expected):
    assert judged(message(**changes), as_of=parse(as_of)) == expected


@pytest.mark.parametrize(
    ("month", "expected"),
    [
        (account_month("99.95"), ("rejected", "no_eligible_credit: no_tier, uptime 99.95 %")),  # 123
        (account_month("100.000000000000"), ("rejected", "no_eligible_credit: no_tier, uptime 100 %")),
        (
            account_month(None, measured_seconds=0),
            ("rejected", "no_eligible_credit: no_measured_time, uptime not measured"),
        ),
        (
            account_month("90", guaranteed=False, terms_id="klink-growth"),
            ("rejected", "no_eligible_credit: plan_not_eligible, uptime 90 %"),
        ),
        (account_month("99.95", status="held"), ("pending", "month_held")),
        (account_month("99.95", status="blocked", reason="fee_missing"), ("pending", "month_blocked")),
        (
            account_month(None, status="blocked", reason="terms_unknown", terms_version=None, guaranteed=None),
            ("pending", "month_blocked"),
        ),
    ],
)
def test_the_state_of_the_account_month(month, expected):
    assert judged(message(), months=[month]) == expected


def test_a_late_claim_on_a_held_month_is_late_and_a_faulty_one_faulty():
    held = [account_month(status="held")]
    assert judged(message(LATER, sent_at=None), months=held) == ("rejected", "late")
    assert judged(message(company_name="Other"), months=held) == ("rejected", "company_mismatch")


def test_a_company_is_not_compared_and_an_account_not_looked_up_before_the_month_is_over():
    open_month, last = [account_month(status="provisional")], parse("2026-03-31T23:59:59.999999Z")
    early = message("2026-03-30T00:00:00Z", company_name="Other")
    assert judged(early, months=open_month, as_of=last) == ("pending", "month_not_over")


@pytest.mark.parametrize("changes", [{"account_id": "A2"}, {"account_id": None}, {"account_id": "A9"}])
def test_without_a_contract_the_standard_enterprise_terms_judge(changes):
    accounts = (Account("A1", "Müller & Söhne GmbH", False), Account("A2", "Müller & Söhne GmbH", False))
    (row,) = rows(message(**changes), accounts=accounts)
    assert (row["contract_id"], row["account_id"]) == (None, changes["account_id"])
    assert row["deadline_at"] == parse("2026-04-11T00:00:00Z")
    assert row["status"] == "rejected"
    early = message("2026-03-30T00:00:00Z", **changes)
    (row,) = rows(early, accounts=accounts, as_of=parse("2026-03-31T23:59:59.999999Z"))
    assert (row["status"], row["reason"]) == ("pending", "month_not_over")


@pytest.mark.parametrize(("thresholds_from", "day"), [("period_start", "11"), ("period_end", "21")])
def test_of_the_standard_terms_the_version_judges_that_measures_the_month(thresholds_from, day):
    first = replace(
        ENTERPRISE, version="1", thresholds_from=thresholds_from, effective_from=parse("2026-02-01T00:00:00Z")
    )
    second = replace(
        ENTERPRISE, version="2", claims_within_days=20, effective_from=parse("2026-03-31T23:59:59.999999Z")
    )
    third = replace(ENTERPRISE, version="3", claims_within_days=30, effective_from=parse("2026-04-01T00:00:00Z"))
    (row,) = rows(message(), months=[], terms=(first, second, third))
    assert row["deadline_at"] == parse(f"2026-04-{day}T00:00:00Z")


@pytest.mark.parametrize("account_id", [None, "A1"])
def test_before_the_first_version_that_one_judges(account_id):
    (row,) = claims(
        exports(claims=(message("2025-01-05T00:00:00Z", service_month="2024-12", account_id=account_id),)),
        service_month="2024-12",
        as_of=NEXT_DAY,
        entitled=(),
    )
    assert row["deadline_at"] == parse("2025-01-11T00:00:00Z")


def test_terms_that_are_not_in_force_yet_judge_in_their_zone():
    later = replace(KOLKATA, effective_from=parse("2026-03-31T00:00:00Z"), claims_within_days=20)
    blocked = account_month(None, status="blocked", reason="terms_not_in_force", terms_version=None, guaranteed=None)
    (row,) = rows(message(), months=[blocked | {"terms_id": "kolkata"}], terms=(later,))
    assert (row["deadline_at"], row["reason"]) == (parse("2026-04-21T00:00:00+05:30"), "month_blocked")
    (row,) = rows(message(), months=[blocked | {"terms_id": "nobody-knows"}], terms=(later,))
    assert (row["deadline_at"], row["reason"]) == (parse("2026-04-11T00:00:00Z"), "month_blocked")


def test_an_unknown_account_is_judged_by_the_standard_terms_month_too():
    ends = parse("2026-04-01T00:00:00+05:30")
    month = account_month(terms_id="kolkata")
    given = {"months": [month], "terms": (KOLKATA,), "accounts": (Account("A2", "Another", False),)}
    early = message("2026-03-30T00:00:00Z")
    assert judged(early, **given, as_of=ends) == ("pending", "month_not_over")
    assert judged(early, **given, as_of=parse("2026-04-01T00:00:00Z")) == ("rejected", "account_unknown")


def test_messages_received_at_one_instant_come_in_the_order_of_their_content():
    sent, later = parse("2026-04-01T00:00:00Z"), parse("2026-04-01T00:00:01Z")
    told = [
        message(account_id="A1", sent_at=None),
        message(account_id="A3", sent_at=later, company_name=None),
        message(account_id=None, sent_at=sent, company_name="Somebody"),
        message(account_id=None, sent_at=sent, company_name="Else"),
    ]
    for each in (told, told[::-1]):
        (row,) = rows(*(replace(one, row=number) for number, one in enumerate(each)))
        assert (row["account_id"], row["reason"]) == ("A3", "account_unknown")
    other = message(company_name="Another")
    for each in ([message(), other], [other, message()]):
        assert judged(*each) == ("rejected", "company_mismatch")


def test_the_timeline_decides_between_messages_alike_in_all_else():
    ended = ((TIMELINE[0][0], TIMELINE[0][0] + 1),)
    for timelines in ([TIMELINE, ended], [ended, TIMELINE]):
        told = [message(incident_timeline=each) for each in timelines]
        (claim,) = claims_of(exports(claims=told), service_month="2026-03", as_of=NEXT_DAY)
        assert claim.given["incident_timeline"] == ended


def test_an_account_without_a_contract_in_the_month_is_told_so():
    assert judged(message(), months=[]) == ("rejected", "no_contract")
    over = parse("2026-04-01T00:00:00Z")
    assert judged(message("2026-03-02T00:00:00Z"), months=[], as_of=over - 1) == ("pending", "month_not_over")
    assert judged(message("2026-03-02T00:00:00Z"), months=[], as_of=over) == ("rejected", "no_contract")


def test_later_messages_fill_in_and_change_nothing():
    first = message("2026-04-02T00:00:00Z", incident_timeline=None)
    second = message("2026-04-03T00:00:00Z", company_name="Other", account_id="A9", row=2)
    (row,) = rows(second, first)
    assert (row["status"], row["account_id"]) == ("accepted", "A1")
    assert (row["received_at"], row["complete_at"]) == (first.received_at, second.received_at)
    (before,) = rows(second, first, as_of=second.received_at - 1)
    assert (before["complete_at"], before["reason"]) == (None, "incomplete: incident_timeline missing")


def test_completed_late_is_reviewed_only_if_every_message_was_sent_in_time():
    first = message("2026-04-02T00:00:00Z", incident_timeline=None)
    sent = message(LATER, sent_at=parse(IN_TIME), row=2)
    assert judged(first, sent) == ("needs_review", "sent_in_time_received_late")
    assert judged(replace(first, sent_at=None), sent) == ("rejected", "late")
    assert judged(first, replace(sent, sent_at=parse(AT_DEADLINE))) == ("rejected", "late")


def test_terms_say_what_a_claim_must_include_and_until_when():
    lenient = replace(ENTERPRISE, version="2", claims_must_include=frozenset({"account_id"}), claims_within_days=30)
    month = account_month(terms_version="2")
    given = message(LATER, company_name=None, incident_timeline=None)
    assert judged(given, months=[month], terms=(lenient,)) == ("accepted", None)


def test_a_claim_speaks_for_every_contract_and_is_judged_for_each():
    months = [account_month("100", contract_id="K2"), account_month()]
    found = [(row["contract_id"], row["status"]) for row in rows(message(), months=months)]
    assert found == [("K1", "accepted"), ("K2", "rejected")]


def test_an_account_month_is_credited_once():  # 121, 122
    forwarded = message("2026-04-02T00:00:00Z", claim_id="C0")
    first = message("2026-04-01T12:00:00Z", claim_id="C2")
    incomplete_first = message("2026-04-01T01:00:00Z", claim_id="C3", incident_timeline=None)
    completed = message("2026-04-03T00:00:00Z", claim_id="C3", row=2)
    found = {row["claim_id"]: row for row in rows(forwarded, message(), first, incomplete_first, completed)}
    assert {claim_id: row["status"] for claim_id, row in found.items()} == {
        "C0": "duplicate",
        "C1": "duplicate",
        "C2": "accepted",
        "C3": "duplicate",
    }
    assert found["C1"]["reason"] == "duplicate_of: C2"
    same = {row["claim_id"]: row["status"] for row in rows(forwarded, message())}
    assert same == {"C0": "accepted", "C1": "duplicate"}
    faulty = {row["claim_id"]: row["status"] for row in rows(replace(forwarded, company_name="Other"), message())}
    assert faulty == {"C0": "rejected", "C1": "accepted"}


def decided(row, *, is_approved=True):
    return Decision(
        kind="claim",
        contract_id="K1",
        service_month="2026-03",
        claim_id="C1",
        is_approved=is_approved,
        about=row["about"],
    )


def test_a_person_decides_on_the_claim_as_it_is():
    late = message(AT_DEADLINE)
    (row,) = rows(late)
    assert judged(late, decisions=[decided(row)]) == ("accepted", "approved_in_review")
    assert judged(late, decisions=[decided(row, is_approved=False)]) == ("rejected", "rejected_in_review")
    assert judged(late, decisions=[decided(row), decided(row, is_approved=False)])[0] == "rejected"
    assert judged(message(AT_DEADLINE, sent_at=None), decisions=[decided(row)]) == ("rejected", "late")
    held = [account_month(status="held")]
    assert judged(late, months=held, decisions=[decided(row)]) == ("pending", "month_held")
    earlier = message(claim_id="C0")
    found = {row["claim_id"]: row["reason"] for row in rows(late, earlier, decisions=[decided(row)])}
    assert found == {"C0": None, "C1": "duplicate_of: C0"}


@pytest.mark.parametrize(
    "others",
    [
        [message(AT_DEADLINE, company_name="MÜLLER & Söhne GmbH")],  # in the place of what was decided on
        [message(AT_DEADLINE, incident_timeline=((AT + 1, None),))],
        [message(AT_DEADLINE, incident_timeline=None), message(LATER, row=2)],  # each given when it was received
        [message(AT_DEADLINE, company_name=None), message(LATER, row=2)],
        [message(AT_DEADLINE, account_id=None), message(LATER, row=2)],
        [message(LATER)],
        [message(AT_DEADLINE), message(LATER, row=2, sent_at=parse("2026-04-10T00:00:00Z"))],  # sent last
    ],
)
def test_no_decision_holds_once_the_messages_tell_otherwise(others):
    (row,) = rows(message(AT_DEADLINE))
    assert judged(*others, decisions=[decided(row)]) == ("needs_review", "sent_in_time_received_late")


def test_a_claim_without_a_contract_is_decided_on_too():
    undemanding = replace(
        ENTERPRISE,
        version="2026-02",
        effective_from=parse("2026-02-01T00:00:00Z"),
        claims_must_include=frozenset({"company_name"}),
    )
    late = message(AT_DEADLINE, account_id=None)
    (row,) = rows(late, terms=(undemanding,))
    assert (row["contract_id"], row["status"]) == (None, "needs_review")
    decision = replace(decided(row), contract_id="")
    assert judged(late, terms=(undemanding,), decisions=[decision]) == ("accepted", "approved_in_review")


def test_a_message_that_changes_nothing_leaves_a_decision():
    late = message(AT_DEADLINE)
    (row,) = rows(late)
    again = message(LATER, row=2, company_name="Other")
    assert judged(late, again, decisions=[decided(row)]) == ("accepted", "approved_in_review")


def test_sandboxes_and_other_months_have_no_rows():
    assert rows(message(), accounts=(Account("A1", "Müller & Söhne GmbH", True),), months=[]) == []
    assert rows(message(service_month="2026-02")) == []
    assert len(rows(message(), message(LATER, service_month="2026-02", row=2))) == 1


def test_order_and_objects_of_messages_do_not_matter():
    told = [
        message(incident_timeline=None),
        message("2026-04-03T00:00:00Z", row=2),
        message(claim_id="C2", key="claims/2"),
    ]
    assert rows(*told) == rows(*told[::-1])
