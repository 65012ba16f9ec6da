"""Notices, the register, accounts, contracts, fees, claims and ticket events: what can be used, and as what."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from slaledger.reperform.records import Account, Contract, Exports, Fee, Notice, RegisterEntry, TicketEvent
from tests.reperform.export_objects import at, csv, ndjson, put, read, rejected_rows

T0, T1, T2 = "2026-03-01T00:00:00Z", "2026-03-04T00:00:00Z", "2026-03-04T01:00:00Z"
Row = dict[str, Any]
NOTICE: Row = {
    "notice_id": "n1",
    "maintenance_id": "m1",
    "action": "announce",
    "channel": "email",
    "sent_at": T0,
    "window_start": T1,
    "window_end": T2,
    "component_ids": ["c1"],
}
ENTRY: Row = {
    "exclusion_id": "x1",
    "category": "force_majeure",
    "starts_at": T1,
    "ends_at": T2,
    "author": "lena",
}
CONTRACT: Row = {
    "contract_id": "k1",
    "account_id": "a1",
    "plan": "enterprise",
    "terms_id": "klink-enterprise",
    "region": "eu",
    "starts_at": T0,
    "active_agreement": True,
}
CLAIM: Row = {"claim_id": "q1", "service_month": "2026-03", "received_at": T0}
EVENT: Row = {"ticket_id": "t1", "event_id": "e1", "at": T0, "type": "created", "actor": "customer"}
FEEDS: dict[str, tuple[str, Row]] = {
    "notices": ("notices/a", NOTICE),
    "register": ("exclusions/a", ENTRY),
    "contracts": ("accounts/contracts/a", CONTRACT),
    "claims": ("claims/a", CLAIM),
    "ticket_events": ("tickets/events/a", EVENT),
}


def feed(name: str, *changes: Row) -> Exports:
    """What is read from a row of the feed with each of the changes; a value of `...` takes the field away."""
    key, row = FEEDS[name]
    rows = [
        {field: value for field, value in (row | change).items() if value is not ...} for change in changes or ({},)
    ]
    return read(put(key, ndjson(*rows)))


REQUIRED = {
    "notices": NOTICE.keys(),
    "register": ENTRY.keys(),
    "contracts": CONTRACT.keys(),
    "claims": CLAIM.keys(),
    "ticket_events": EVENT.keys(),
}


@pytest.mark.parametrize(("name", "field"), [(name, field) for name, row in REQUIRED.items() for field in row])
@pytest.mark.parametrize("nothing", [..., None, "", " "])
def test_a_row_without_a_required_field_is_rejected(name: str, field: str, nothing: Any) -> None:
    exports = feed(name, {field: nothing})
    assert not getattr(exports, name)
    assert rejected_rows(exports) == [1]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("notices", {"action": "postpone"}),
        ("notices", {"channel": "sms"}),
        ("notices", {"window_end": T1}),
        ("notices", {"window_end": T0}),
        ("notices", {"component_ids": []}),
        ("notices", {"component_ids": "c1"}),
        ("notices", {"component_ids": [""]}),
        ("notices", {"component_ids": [1]}),
        ("notices", {"account_ids": {"a1": 1}}),
        ("notices", {"action": "cancel", "window_end": T0}),
        ("notices", {"action": "cancel", "component_ids": ...}),
        ("register", {"category": "hosting_provider"}),
        ("register", {"category": "scheduled_maintenance"}),
        ("register", {"ends_at": T1}),
        ("register", {"approved_at": "2026-03-04"}),
        ("register", {"revoked_at": "24:00"}),
        ("register", {"author": 5}),
        ("contracts", {"active_agreement": "true"}),
        ("contracts", {"ends_at": T0}),
        ("contracts", {"services": "dashboard"}),
        ("contracts", {"suspensions": [{"starts_at": T1, "ends_at": T1}]}),
        ("contracts", {"suspensions": [{"ends_at": T2}]}),
        ("contracts", {"suspensions": [{"starts_at": T1}]}),
        ("contracts", {"suspensions": [{"starts_at": T1, "ends_at": T2}, {"starts_at": T2, "ends_at": None}]}),
        ("contracts", {"suspensions": ["all"]}),
        ("contracts", {"contract_id": 12}),
        ("claims", {"service_month": "2026-13"}),
        ("claims", {"service_month": "2026-3"}),
        ("claims", {"service_month": "0000-01"}),
        ("claims", {"sent_at": "yesterday"}),
        ("claims", {"incident_timeline": [{"starts_at": T1, "ends_at": T1}]}),
        ("claims", {"incident_timeline": [{"note": "down"}]}),
        ("ticket_events", {"type": "reopened"}),
        ("ticket_events", {"actor": "bot"}),
        ("ticket_events", {"severity": "P5"}),
        ("ticket_events", {"type": "status_changed", "status": "on-hold"}),
        ("ticket_events", {"automatic": "true"}),
        ("ticket_events", {"at": "2026-03-01T00:00:60Z"}),
    ],
)
def test_a_row_that_cannot_be_used_is_rejected_alone(name: str, change: Row) -> None:
    exports = feed(name, change, {})
    assert len(getattr(exports, name)) == 1
    assert rejected_rows(exports) == [1]


def test_a_notice() -> None:
    window = (at(T1), at(T2))
    assert feed("notices").notices == [
        Notice("n1", "m1", "announce", "email", at(T0), window, ("c1",), ()),
    ]
    (to_some,) = feed("notices", {"account_ids": ["a1", "a2"], "action": "cut", "channel": "status_page"}).notices
    assert (to_some.account_ids, to_some.action) == (("a1", "a2"), "cut")
    (cancelled,) = feed("notices", {"action": "cancel", "window_start": ..., "window_end": None}).notices
    assert cancelled.window is None
    # A window that a cancellation carries all the same means nothing.
    assert feed("notices", {"action": "cancel"}).notices[0].window is None


def test_a_register_entry() -> None:
    plain = RegisterEntry("x1", "force_majeure", (), (), (), (at(T1), at(T2)), (), None, "lena", None, None, None)
    assert feed("register").register == [plain]
    assert feed("register", {"services": [], "evidence_url": "", "approved_by": None}).register == [plain]
    (full,) = feed(
        "register",
        {
            "services": ["s"],
            "regions": ["r"],
            "account_ids": ["a"],
            "incident_ids": ["i"],
            "evidence_url": "u",
            "approved_by": "omar",
            "approved_at": T0,
            "revoked_at": T2,
        },
    ).register
    assert (full.services, full.regions, full.account_ids, full.incident_ids) == (("s",), ("r",), ("a",), ("i",))
    assert (full.evidence_url, full.approved_by, full.approved_at, full.revoked_at) == ("u", "omar", at(T0), at(T2))


def test_a_contract() -> None:
    plain = Contract("k1", "a1", "enterprise", "klink-enterprise", "eu", (), at(T0), None, (), True)
    assert feed("contracts").contracts == {"k1": plain}
    found = feed(
        "contracts",
        {
            "ends_at": T2,
            "services": ["s"],
            "suspensions": [{"starts_at": T0, "ends_at": T1}, {"starts_at": T1, "ends_at": T2}],
            "active_agreement": False,
        },
    ).contracts["k1"]
    assert (found.ends_at, found.services, found.active_agreement) == (at(T2), ("s",), False)
    assert found.suspensions == ((at(T0), at(T1)), (at(T1), at(T2)))


def test_accounts_and_fees() -> None:
    rows = csv("account_id,company_name,sandbox", "a1,Foo,", "a2,Bar,true", "a3,Baz,false", "a4,Qux,1")
    assert read(put("accounts/accounts/a", rows)).accounts == {
        "a1": Account("a1", "Foo", False),
        "a2": Account("a2", "Bar", True),
        "a3": Account("a3", "Baz", False),
    }
    amounts = ["1250.10", "0", "-1", "1e3", "1,000", "NaN", "", "+5", ".5", f"0.{1:018}", f"0.{1:019}", "1" * 16]
    rows = csv(
        "contract_id,service_month,monthly_fee,currency", *(f'k{n},2026-03,"{a}",X' for n, a in enumerate(amounts))
    )
    exports = read(put("accounts/fees/a", rows))
    assert exports.fees == {
        ("k0", "2026-03"): Fee("k0", "2026-03", Fraction(125_010, 100), "X"),
        ("k1", "2026-03"): Fee("k1", "2026-03", Fraction(0), "X"),
        ("k9", "2026-03"): Fee("k9", "2026-03", Fraction(1, 10**18), "X"),
    }
    assert rejected_rows(exports) == [4, 5, 6, 7, 8, 9, 10, 12, 13]


def test_claims_all_count_but_identical_messages_are_one() -> None:
    other = {"sent_at": T0}
    exports = feed("claims", {}, other, {"received_at": "2026-03-01T01:00:00+01:00"})
    assert [(claim.row, claim.sent_at) for claim in exports.claims] == [(1, None), (2, at(T0))]
    assert exports.rejected == []

    row = ndjson(CLAIM)
    copies = [put("claims/b", row, "2026-04-01T00:00:00Z"), put("claims/a", row, "2026-04-02T00:00:00Z")]
    assert [claim.key for claim in read(*copies).claims] == ["claims/b"]


def test_a_claim_message_gives_what_it_gives() -> None:
    (bare,) = feed("claims", {"account_id": "", "company_name": " ", "incident_timeline": []}).claims
    assert (bare.account_id, bare.company_name, bare.incident_timeline, bare.sent_at) == (None, None, None, None)
    timeline = [{"starts_at": T0, "ends_at": T1, "note": "x"}, {"starts_at": T2, "ends_at": None}]
    (full,) = feed("claims", {"account_id": "a1", "company_name": "Foo", "incident_timeline": timeline}).claims
    assert (full.account_id, full.company_name) == ("a1", "Foo")
    assert full.incident_timeline == ((at(T0), at(T1)), (at(T2), None))
    assert (full.key, full.row, full.exported_at) == ("claims/a", 1, at("2026-04-01T00:00:00Z"))


def test_a_ticket_event_has_the_fields_of_its_type() -> None:
    everything = {"account_id": "a1", "severity": "P2", "status": "open", "target_ticket_id": "t2", "automatic": True}
    kinds = ["created", "severity_changed", "status_changed", "merged_into", "public_reply", "internal_note"]
    events = feed("ticket_events", *(everything | {"type": kind, "event_id": kind} for kind in kinds)).ticket_events
    base = {"ticket_id": "t1", "at": at(T0), "actor": "customer", "is_automatic": True}
    own = {
        "created": {"account_id": "a1", "severity": "P2"},
        "severity_changed": {"severity": "P2"},
        "status_changed": {"status": "open"},
        "merged_into": {"target_ticket_id": "t2"},
    }
    assert events == [TicketEvent(type=kind, event_id=kind, **base, **own.get(kind, {})) for kind in kinds]


def test_events_of_other_tickets_may_have_the_same_id() -> None:
    exports = feed("ticket_events", {}, {"ticket_id": "t2"}, {"type": "marked_spam"})
    assert [(event.ticket_id, event.type) for event in exports.ticket_events] == [
        ("t1", "marked_spam"),
        ("t2", "created"),
    ]
