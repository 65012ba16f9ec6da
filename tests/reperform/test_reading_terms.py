"""Terms: what a document may say (T4), what it inherits (T2), and which version is in force (T1)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from slaledger.reperform import terms
from slaledger.reperform.records import DAY, SECOND, ExportObject, Exports, Target
from tests.reperform.export_objects import at, csv, put, read, reasons, rejected_rows

START = "2026-02-01T00:00:00Z"
CUSTOM = f"id: custom\nversion: '1'\nextends: klink-enterprise\neffective_from: {START}\n"


def landed(text: str, key: str = "a", exported_at: str = "2026-04-01T00:00:00Z", **more: Any) -> ExportObject:
    return put(f"terms/{key}", text, exported_at, **more)


def custom(*more: str) -> Exports:
    return read(landed(CUSTOM + "\n".join(more)))


def versions(exports: Exports, terms_id: str = "custom") -> list[str]:
    return [version.version for version in exports.terms.get(terms_id, [])]


def test_the_shipped_three_are_always_there() -> None:
    exports = read()
    assert set(exports.terms) == {"klink-enterprise", "klink-growth", "klink-starter"}
    enterprise, growth = exports.terms["klink-enterprise"][0], exports.terms["klink-growth"][0]
    assert (enterprise.guaranteed, growth.guaranteed) == (True, False)
    assert enterprise.commitment == Fraction(999, 10)
    assert enterprise.credits == ((Fraction(999, 10), 5), (Fraction(99), 10), (Fraction(95), 25))
    assert (enterprise.notice, enterprise.channels) == (2 * DAY, {"email", "in_app"})
    assert (enterprise.minimum_outage, enterprise.claims_within_days) == (0, 10)
    assert enterprise.targets["P1"] == Target(elapsed=7200 * SECOND, business_days=None)
    assert enterprise.targets["P4"] == Target(elapsed=None, business_days=2)
    assert growth.targets["P4"] == Target(elapsed=None, business_days=3)
    assert growth.credits == ()


def test_a_version_is_in_force_from_its_start_until_the_next() -> None:
    next_one = "2026-03-01T00:00:00Z"
    exports = read(landed(CUSTOM), landed(CUSTOM.replace("'1'", "'2'").replace(START, next_one), "b"))
    first, second = exports.terms["custom"]
    assert (first.effective_until, second.effective_until) == (second.effective_from, None)
    assert terms.in_force(exports, "custom", at(START) - 1) is None
    assert terms.in_force(exports, "custom", at(START)) == first
    assert terms.in_force(exports, "custom", at(next_one) - 1) == first
    assert terms.in_force(exports, "custom", at(next_one)) == second
    assert terms.in_force(exports, "nobody", at(START)) is None


def test_mappings_merge_and_lists_and_scalars_replace() -> None:
    text = CUSTOM + (
        "availability: {commitment: 99.95, core_services: [dashboard]}\n"
        "credits: [{below: 99.95, percent: 7.5}]\n"
        "response_times: {targets: {P1: 30m}, calendar: {holidays: [2026-05-01]}, "
        "credits: [{severity: P1, percent: 1}], response_credit_cap: 5}\n"
        "time_zone: Europe/Berlin\n"
    )
    found = read(landed(text)).terms["custom"][0]
    assert (found.commitment, found.core_services, found.evidence) == (Fraction(9995, 100), ("dashboard",), "either")
    assert found.credits == ((Fraction(9995, 100), Fraction(15, 2)),)
    assert found.targets["P1"].elapsed == 1800 * SECOND
    assert found.targets["P3"].business_days == 1
    assert (found.response_credits, found.response_credit_cap) == ({"P1": Fraction(1)}, Fraction(5))
    assert found.holidays == {"2026-05-01"}
    # Nobody gets back more than the fee.
    uncapped = read(landed(text.replace(", response_credit_cap: 5", ""))).terms["custom"][0]
    assert (uncapped.response_credits, uncapped.response_credit_cap) == ({"P1": Fraction(1)}, Fraction(100))
    # The calendar's zone is inherited on its own: it is not the terms'.
    assert (found.time_zone, found.calendar_time_zone) == ("Europe/Berlin", "UTC")
    assert found.plan == "enterprise"


def test_what_is_inherited_is_the_parents_of_the_childs_own_start() -> None:
    parent = CUSTOM.replace("custom", "parent")
    newer = parent.replace("'1'", "'2'").replace(START, "2026-03-01T00:00:00Z") + "availability: {commitment: 99.5}\n"
    child = CUSTOM.replace("klink-enterprise", "parent")
    on_the_day = child.replace(START, "2026-03-01T00:00:00Z").replace("'1'", "'2'")
    exports = read(landed(child, "a"), landed(on_the_day, "b"), landed(newer, "c"), landed(parent, "d"))
    assert [version.commitment for version in exports.terms["custom"]] == [Fraction(999, 10), Fraction(199, 2)]


@pytest.mark.parametrize(
    "parent_id",
    ["nobody", "custom", "later", "faulty", "ring"],
)
def test_a_parent_that_is_not_there_rejects_the_child(parent_id: str) -> None:
    others = [
        CUSTOM.replace("custom", "later").replace(START, "2026-02-01T00:00:00.000001Z"),
        CUSTOM.replace("custom", "faulty") + "plan: 5x\nunknown: 1\n",
        CUSTOM.replace("custom", "ring").replace("klink-enterprise", "custom"),
    ]
    objects = [landed(text, str(index)) for index, text in enumerate(others)]
    assert versions(read(landed(CUSTOM.replace("klink-enterprise", parent_id)), *objects)) == []


def test_a_landed_version_never_changes() -> None:
    early, late = "2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z"
    changed = CUSTOM + "availability: {commitment: 98}\n"
    for objects in (
        [landed(CUSTOM, "b", early), landed(changed, "a", late)],
        # Overwritten under its own key, too: what landed has landed.
        [landed(CUSTOM, "a", early, is_latest=False), landed(changed, "a", late)],
    ):
        exports = read(*objects[::-1])
        assert [version.commitment for version in exports.terms["custom"]] == [Fraction(999, 10)]
        assert len(list(reasons(exports))) == 1
    same = CUSTOM.replace("version: '1'", 'version: "1" # the same')
    assert read(landed(CUSTOM, "a"), landed(same, "b")).rejected == []


def test_a_version_that_was_rejected_has_not_landed() -> None:
    faulty = landed(CUSTOM + "credits: [{below: 99, percent: 101}]\n", "a", "2026-04-01T00:00:00Z")
    exports = read(faulty, landed(CUSTOM, "b", "2026-04-02T00:00:00Z"))
    assert versions(exports) == ["1"]
    assert len(exports.rejected) == 1


def test_a_shipped_version_is_there_before_any_that_lands() -> None:
    text = CUSTOM.replace("custom", "klink-growth").replace("'1'", "2026-01").replace(START, "2026-01-01T00:00:00Z")
    exports = read(landed(text, "a", "2020-01-01T00:00:00Z"))
    assert not exports.terms["klink-growth"][0].guaranteed
    assert len(exports.rejected) == 1


def test_versions_of_one_start_or_of_another_zone_are_rejected_after_the_first() -> None:
    second = CUSTOM.replace("'1'", "'2'")
    later = second.replace(START, "2026-03-01T00:00:00Z")
    assert versions(read(landed(CUSTOM, "a"), landed(second, "b"))) == ["1"]
    assert versions(read(landed(CUSTOM, "a"), landed(later + "time_zone: Asia/Kolkata\n", "b"))) == ["1"]
    assert versions(read(landed(CUSTOM, "a"), landed(later, "b"))) == ["1", "2"]


@pytest.mark.parametrize(
    "fault",
    [
        *("sla: 1", "availability: {promise: 1}", "maintenance: {notic: 48h}", "response_times: {targets: {P5: 2h}}"),
        *("claims: {within: 10d, late: 1}", "credits: [{below: 99, percent: 5, note: x}]", "availability: 99.9"),
        *("credits: {below: 99, percent: 5}", "credits: null", "credits: [5]", "credits: [{below: 99}]"),
        "credits: [{below: 99, percent: 5}, {below: 99, percent: 6}]",
        "credits: [{below: 99, percent: 5}, {below: 99.0, percent: 6}]",
        "credits: [{below: 99, percent: 5}, {below: 98, percent: 5}]",
        "credits: [{below: 98, percent: 4}, {below: 99, percent: 5}]",
        *("credits: [{below: 101, percent: 5}]", "credits: [{below: 99, percent: 100.1}]"),
        *("credits: [{below: 99, percent: -5}]", "credits: [{below: 99, percent: .nan}]"),
        *("time_zone: Europe/Bonn", "time_zone: ''\nguaranteed: maybe", "availability: {commitment: 101}"),
        *("response_times: {calendar: {time_zone: UTC+1}}", "response_times: {calendar: {holidays: XX}}"),
        *("response_times: {calendar: {holidays: DE-XX}}", "response_times: {calendar: {holidays: [2026-02-30]}}"),
        *(
            "response_times: {calendar: {holidays: [20260501]}}",
            "response_times: {calendar: {holidays: [2026-05-01, 2026-05-01]}}",
            "response_times: {counted_reply: robot}",
        ),
        *("response_times: {targets: {P1: 2}}", "response_times: {targets: {P1: 2w}}"),
        *("response_times: {targets: {P1: 2.5h}}", "response_times: {targets: {P1: -2h}}"),
        *("response_times: {targets: {P1: null}}", "response_times: {targets: []}"),
        *("maintenance: {notice: 2 business days}", "availability: {minimum_outage: 60}", "claims: {within: 240h}"),
        *("maintenance: {channels: [fax]}", "availability: {core_services: [dashbord]}", "exclusions: [acts_of_god]"),
        *("claims: {must_include: [invoice]}", "availability: {down_when: some}", "availability: {evidence: none}"),
        *("availability: {excluded_time: gone}", "availability: {thresholds_from: start}", "exclusions: null"),
        "response_times: {credits: [{severity: P1, percent: 1}, {severity: P1, percent: 2}]}",
        "response_times: {credits: [{severity: P9, percent: 1}]}",
        "plan: pro\nplan: enterprise",
        *("availability: {degraded_counts: 1}", "guaranteed: no", "plan: 5", "availability: {core_services: []}"),
        *(
            "credits: [{below: 0, percent: 5}]",
            "credits: [{below: 99, percent: 0}]",
            "credits: [{below: '99', percent: 5}]",
        ),
        *("response_times: {targets: {P1: 0h}}", "maintenance: {channels: [email, email]}", "time_zone: null"),
        *("credits: &x []\nexclusions: *x", "<<: {plan: pro}", "plan: !!str pro", "maintenance: {notice: 99999d}"),
    ],
)
def test_a_faulty_document_is_rejected(fault: str) -> None:
    exports = custom(fault)
    assert versions(exports) == []
    assert rejected_rows(exports) == [1]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("response_times: {calendar: {holidays: DE}}", {"holidays": "DE"}),
        ("response_times: {calendar: {holidays: NO}}", {"holidays": "NO"}),  # Norway
        ("response_times: {calendar: {holidays: DE-BE, time_zone: Europe/Berlin}}", {"holidays": "DE-BE"}),
        ("response_times: {calendar: {holidays: []}}", {"holidays": frozenset()}),
        ("availability: {minimum_outage: 5m}", {"minimum_outage": 300 * SECOND}),
        ("maintenance: {notice: 3d, channels: [status_page]}", {"notice": 3 * DAY, "channels": {"status_page"}}),
        ("credits: [{below: 98, percent: 6}, {below: 99, percent: 5}]", {"credits": ((99, 5), (98, 6))}),
        ("claims: {required: false, must_include: []}", {"claims_required": False, "claims_must_include": frozenset()}),
        ("exclusions: []\nguaranteed: false", {"exclusions": frozenset(), "guaranteed": False}),
    ],
)
def test_what_a_document_may_say(more: str, expected: dict[str, Any]) -> None:
    found = custom(more).terms["custom"][0]
    assert {name: getattr(found, name) for name in expected} == expected


def test_a_service_of_the_catalog_may_be_a_core_service() -> None:
    catalog = put("catalog/components/a", csv("component_id,name,service,region", "c1,Billing,billing_portal,global"))
    text = CUSTOM + "availability: {core_services: [billing_portal]}\n"
    assert versions(read(landed(text))) == []
    assert versions(read(landed(text), catalog)) == ["1"]


@pytest.mark.parametrize("field", ["id", "version", "effective_from"])
def test_nothing_goes_without_its_own_fields(field: str) -> None:
    lines = [line for line in CUSTOM.splitlines(keepends=True) if not line.startswith(field)]
    exports = read(landed("".join(lines)))
    assert versions(exports) == []
    assert rejected_rows(exports) == [1]


def test_a_document_that_extends_nothing_is_complete_but_for_the_choices() -> None:
    whole = (
        f"id: own\nversion: v\neffective_from: {START}\nplan: own\nguaranteed: true\navailability: {{commitment: 99}}\n"
        "exclusions: []\ncredits: []\nresponse_times: {targets: {P1: 1h, P2: 1d, P3: 0 business days, P4: 9d}}\n"
    )
    found = read(landed(whole)).terms["own"][0]
    assert (found.time_zone, found.down_when, found.evidence, found.counted_reply) == ("UTC", "any", "either", "human")
    assert set(found.core_services) == {"dashboard", "call_routing", "messaging_engine"}
    assert (found.notice, found.claims_required, found.claims_within_days) == (2 * DAY, True, 10)
    assert found.claims_must_include == {"company_name", "account_id", "incident_timeline"}
    assert found.targets["P3"] == Target(elapsed=None, business_days=0)
    for part in (*whole.splitlines(), "P4: 9d"):
        assert versions(read(landed(whole.replace(part, ""))), "own") == []


def test_documents_of_one_object_are_rows_and_broken_yaml_is_none() -> None:
    second = CUSTOM.replace("custom", "other")
    exports = read(landed(f"---\n{CUSTOM}---\n- no mapping\n---\n{second}---\n"))
    assert versions(exports) == versions(exports, "other") == ["1"]
    assert rejected_rows(exports) == [2]
    for broken in (CUSTOM + 'plan: "\\0"', "a: [", "a: !!python/object:os.system {}", "\x00"):
        exports = read(landed(broken), landed(CUSTOM, "b"))
        assert versions(exports) == ["1"]
        assert len(exports.rejected) == 1
