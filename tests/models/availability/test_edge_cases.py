"""The worked examples of edge-cases.md on uptime, monitoring and contracts, by their line numbers.

Every case has a region, a contract and a terms id of its own where it needs one, so that all share the builds.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.models.availability.conftest import Months, Row
from tests.models.builder import Exports, checks, component, contract, every, incident, monitor
from tests.models.builder_exclusions import add_entry

APRIL, MARCH = "2026-04", "2026-03"


def down(exports: Exports, region: str, seconds: float, at: str = "2026-04-10T00:00:00Z", **given: str) -> None:
    """A contract in a region of its own whose dashboard the status page declares down."""
    exports.outage(region, at, seconds, **given)
    contract(exports, f"C-{region}", region=region)


def watched(
    exports: Exports,
    region: str,
    by_location: dict[str, str],
    *,
    stale_after_seconds: int | None = None,
    confirm: int | None = None,
    **given: object,
) -> None:
    """A contract whose dashboard is watched on 10 April from 10:00 for as many minutes as there are letters."""
    start = "2026-04-10T10:00:00Z"
    length = max(map(len, by_location.values()))
    until = every(start, 60, "u" * (length + 1))[-1][0]
    monitor(
        exports,
        f"M-{region}",
        service="dashboard",
        region=region,
        locations=sorted(by_location),
        stale_after_seconds=stale_after_seconds,
        confirm=confirm,
        active=(every(start, 60, "u")[0][0], until),
    )
    for location, statuses in by_location.items():
        checks(
            exports,
            f"M-{region}",
            location,
            every(start, 60, statuses),
            stale_after_seconds=stale_after_seconds or 120,
        )
    contract(exports, f"C-{region}", region=region, **given)


def world() -> Exports:
    """Every case of this module."""
    exports = Exports()
    # 1-7: the lines of a 30-day month; 4: those of 28, 29 and 31 days.
    component(exports, "healthy", service="dashboard", region="r1")
    contract(exports, "C-r1", region="r1")
    for seconds in (2592, 2593, 25920, 25921, 129600, 129601, 155520):
        down(exports, f"s{seconds}", seconds)
    for month, lengths in (("2026-02", (2419, 2420)), (MARCH, (2678, 2679)), ("2028-02", (2505, 2506))):
        for seconds in lengths:
            down(exports, f"m{month}-{seconds}", seconds, f"{month}-10T00:00:00Z")
    # 8-11: overlapping, the same by two routes, nested, touching.
    down(exports, "r8", 1800, "2026-04-10T10:00:00Z")
    exports.outage("r8", "2026-04-10T10:20:00Z", 1800)
    watched(exports, "r9", {"fra": "u" * 10 + "d" * 30 + "u" * 10})
    exports.outage("r9", "2026-04-10T10:10:00Z", 1800)
    down(exports, "r10", 3600, "2026-04-10T10:00:00Z", service="call_routing")
    exports.outage("r10", "2026-04-10T10:20:00Z", 600)
    down(exports, "r11", 300, "2026-04-10T10:00:00Z")
    exports.outage("r11", "2026-04-10T10:05:00Z", 300)
    # 12, 13: over the month's edge; longer than a month.
    down(exports, "r12", 1800, "2026-03-31T23:50:00Z")
    down(exports, "r13", 60 * 86400, "2026-03-15T00:00:00Z")
    # 16, 111-113: contracts that start or end within the month.
    exports.outage("r16", "2026-04-15T23:00:00Z", 7200)
    contract(exports, "C-r16", region="r16", starts_at="2026-04-16T00:00:00Z")
    exports.outage("r111", "2026-04-20T10:00:00Z", 1800)
    contract(exports, "C-r111", region="r111", starts_at="2026-04-16T00:00:00Z")
    exports.outage("r112", "2026-04-10T10:00:00Z", 1800)
    contract(exports, "C-r112", region="r112", starts_at="2026-04-16T00:00:00Z")
    exports.outage("r113", "2026-04-10T11:30:00Z", 3600)
    contract(exports, "C-r113", region="r113", ends_at="2026-04-10T12:00:00Z")
    # 17: a month in Berlin; 18: one in Kolkata.
    for zone, name in (("Europe/Berlin", "berlin"), ("Asia/Kolkata", "kolkata")):
        exports.terms(name, time_zone=zone, response_times={"calendar": {"time_zone": zone}})
    for seconds in (2674, 2675):
        exports.outage(f"r17-{seconds}", "2026-03-29T00:30:00Z", seconds)
        contract(exports, f"C-r17-{seconds}", region=f"r17-{seconds}", terms_id="berlin")
    exports.outage("r18", "2026-03-31T20:00:00Z", 1800)
    contract(exports, "C-r18-utc", region="r18")
    contract(exports, "C-r18-kolkata", region="r18", terms_id="kolkata")
    # 20, 21: probes alone.
    watched(exports, "r20", {"fra": "u" * 5 + "dd" + "u" * 5})
    watched(exports, "r21", {"fra": "u" * 5 + "ddd" + "u" * 5}, confirm=3)
    watched(exports, "r21-short", {"fra": "u" * 5 + "dd" + "u" * 5}, confirm=3)
    # 22: excluded throughout, both treatments.
    exports.terms("out-of-base", availability={"excluded_time": "out_of_base"})
    exports.outage("r22", "2026-03-20T00:00:00Z", 60 * 86400)
    contract(exports, "C-r22", region="r22")
    contract(exports, "C-r22-out", region="r22", terms_id="out-of-base")
    add_entry(
        exports,
        "X-22",
        "force_majeure",
        period=("2026-03-01T00:00:00Z", "2026-06-01T00:00:00Z"),
        regions=["r22"],
        incident_ids=[exports.rows["incidents"][-1]["incident_id"]],
    )
    # 55, 56, 58: other regions, services not subscribed, services that are not core.
    exports.outage("r55-eu", "2026-04-10T00:00:00Z", 3600)
    component(exports, "healthy-us", service="dashboard", region="r55-us")
    contract(exports, "C-r55", region="r55-us")
    exports.outage("r56", "2026-04-10T00:00:00Z", 3600, service="call_routing")
    contract(exports, "C-r56", region="r56", services=["dashboard"])
    exports.outage("r58", "2026-04-10T00:00:00Z", 3600, service="billing_portal")
    contract(exports, "C-r58", region="r58")
    # 57: degraded, by the standard terms and by ones that count it.
    exports.terms("degraded", availability={"degraded_counts": True})
    watched(exports, "r57", {"fra": "u" * 5 + "ggdd" + "u" * 5}, confirm=3)
    contract(exports, "C-r57-counts", region="r57", terms_id="degraded")
    # 60: a sandbox account.
    exports.account("A-sandbox", is_sandbox=True)
    contract(exports, "C-r60", region="r1", account_id="A-sandbox")
    # 61-68, 70: silence and quorum.
    watched(exports, "r61", {"fra": "uuu....uuu"})
    watched(exports, "r62", {"fra": "uuu" + "." * 59 + "uuu"})
    watched(exports, "r63", {"fra": "udd....uuu"})
    watched(exports, "r64", {"fra": "uuudduuu", "nyc": "u" * 8, "sin": "u" * 8})
    watched(exports, "r65", {"fra": "uuudduuu", "nyc": "uuudduuu", "sin": "u" * 8})
    watched(exports, "r66", {"fra": "ddd", "nyc": "...", "sin": "..."})
    watched(exports, "r67", {"fra": "udddu", "nyc": "udddu", "sin": "uuuuu", "gru": "uuuuu"})
    watched(exports, "r68", {"fra": "ud" * 30 + "u"})
    watched(exports, "r70", {"fra": "uddddddu", "nyc": "uuuuuuuu", "sin": "....ddduu"})
    # 107-110: who earns what.
    for plan, region in (("starter", "r107"), ("enterprise", "r108")):
        exports.outage(region, "2026-04-10T00:00:00Z", 259200)
        contract(exports, f"C-{region}", region=region, plan=plan, active_agreement=plan == "starter")
    exports.terms("custom-9995", availability={"commitment": 99.95}, credits=[{"below": 99.95, "percent": 7}])
    exports.outage("r109", "2026-04-10T00:00:00Z", 1297)
    contract(exports, "C-r109", region="r109", terms_id="custom-9995")
    # 114, 117: two contracts of one account.
    exports.outage("r114", "2026-04-20T10:00:00Z", 2400)
    contract(exports, "C-r114-g", region="r114", account_id="A-114", plan="growth", ends_at="2026-04-16T00:00:00Z")
    contract(exports, "C-r114-e", region="r114", account_id="A-114", starts_at="2026-04-16T00:00:00Z")
    exports.outage("r117", "2026-04-20T10:00:00Z", 2593)
    contract(exports, "C-r117-down", region="r117", account_id="A-117")
    contract(exports, "C-r117-up", region="r1", account_id="A-117")
    # 115: other terms from the 12th on; 116: none at the start, or never.
    exports.terms("changing", "1", credits=[{"below": 99.9, "percent": 5}])
    exports.terms(
        "changing",
        "2",
        since="2026-04-12T09:00:00Z",
        availability={"partial_outage_counts": True},
        credits=[{"below": 99.9, "percent": 9}],
    )
    component(exports, "c115", service="dashboard", region="r115")
    incident(
        exports,
        "I-115",
        component_ids=["c115"],
        updates=[
            ("2026-04-12T08:00:00Z", "investigating", {"c115": "partial_outage"}),
            ("2026-04-12T10:00:00Z", "resolved", {"c115": "operational"}),
        ],
    )
    contract(exports, "C-r115", region="r115", terms_id="changing")
    exports.terms("not-yet", since="2026-04-10T00:00:00Z")
    contract(exports, "C-r116-late", region="r1", terms_id="not-yet")
    contract(exports, "C-r116-none", region="r1", terms_id="nowhere")
    # U4, U6: no fee; suspended throughout.
    contract(exports, "C-fee", region="r1", fee=None)
    contract(exports, "C-fee-starter", region="r1", plan="starter", fee=None)
    contract(exports, "C-currency", region="r1", currency="XXQ")
    contract(exports, "C-suspended", region="r1", suspensions=[("2026-03-20T00:00:00Z", "2026-05-03T00:00:00Z")])
    exports.outage("susp", "2026-04-10T00:00:00Z", 7200)
    contract(exports, "C-susp", region="susp", suspensions=[("2026-04-10T01:00:00Z", "2026-04-11T00:00:00Z")])
    # D5: the length is judged over all time, before the month cuts it.
    exports.terms("minimum", availability={"minimum_outage": "5m"})
    exports.outage("min", "2026-03-31T23:57:00Z", 300)
    exports.outage("min", "2026-04-10T00:00:00Z", 299)
    exports.outage("min", "2026-04-20T00:00:00Z", 300)
    contract(exports, "C-min", region="min", terms_id="minimum")
    # D4 `all`: the intersection, and of no service is never.
    exports.terms("all-down", availability={"down_when": "all"})
    exports.outage("all", "2026-04-10T00:00:00Z", 3600)
    exports.outage("all", "2026-04-10T00:30:00Z", 3600, service="call_routing")
    contract(exports, "C-all", region="all", services=["dashboard", "call_routing"], terms_id="all-down")
    contract(exports, "C-all-none", region="all", services=["billing_portal"], terms_id="all-down")
    # P4 and as of: an incident that is open when the month is looked at.
    component(exports, "copen", service="dashboard", region="open")
    incident(
        exports,
        "I-open",
        component_ids=["copen"],
        updates=[
            ("2026-05-10T10:00:00Z", "investigating", {"copen": "major_outage"}),
            ("2026-05-14T10:00:00Z", "resolved", {"copen": "operational"}),
        ],
    )
    contract(exports, "C-open", region="open")
    return exports


@pytest.fixture(scope="module")
def months(load_months: Callable[..., Months]) -> Months:
    built = load_months("edge_cases", world())
    for month, as_of in (
        ("2026-02", "2026-06-01T00:00:00Z"),
        (MARCH, "2026-06-01T00:00:00Z"),
        ("2028-02", "2028-03-02T00:00:00Z"),
        ("2026-05", "2026-05-12T10:00:00Z"),
        (APRIL, "2026-06-01T00:00:00Z"),
    ):
        built.build(month, as_of)
    return built


# case, month, contract, counted, excluded, unknown, credit percent, status, reason
FIGURES = [
    ("1", APRIL, "C-r1", 0, 0, 0, 0, "measured", None),
    ("2", APRIL, "C-s2592", 2592, 0, 0, 0, "measured", None),
    ("3", APRIL, "C-s2593", 2593, 0, 0, 5, "measured", None),
    ("4 28d under", "2026-02", "C-m2026-02-2419", 2419, 0, 0, 0, "measured", None),
    ("4 28d over", "2026-02", "C-m2026-02-2420", 2420, 0, 0, 5, "measured", None),
    ("4 31d under", MARCH, "C-m2026-03-2678", 2678, 0, 0, 0, "measured", None),
    ("4 31d over", MARCH, "C-m2026-03-2679", 2679, 0, 0, 5, "measured", None),
    ("4 29d under", "2028-02", "C-m2028-02-2505", 2505, 0, 0, 0, "measured", None),
    ("4 29d over", "2028-02", "C-m2028-02-2506", 2506, 0, 0, 5, "measured", None),
    ("5 line", APRIL, "C-s25920", 25920, 0, 0, 5, "measured", None),
    ("5 over", APRIL, "C-s25921", 25921, 0, 0, 10, "measured", None),
    ("6 line", APRIL, "C-s129600", 129600, 0, 0, 10, "measured", None),
    ("6 over", APRIL, "C-s129601", 129601, 0, 0, 25, "measured", None),
    ("7", APRIL, "C-s155520", 155520, 0, 0, 25, "measured", None),
    ("8", APRIL, "C-r8", 3000, 0, 0, 5, "measured", None),
    ("9", APRIL, "C-r9", 1800, 0, 0, 0, "measured", None),
    ("10", APRIL, "C-r10", 3600, 0, 0, 5, "measured", None),
    ("11", APRIL, "C-r11", 600, 0, 0, 0, "measured", None),
    ("12 March", MARCH, "C-r12", 600, 0, 0, 0, "measured", None),
    ("12 April", APRIL, "C-r12", 1200, 0, 0, 0, "measured", None),
    ("13 March", MARCH, "C-r13", 17 * 86400, 0, 0, 25, "measured", None),
    ("13 April", APRIL, "C-r13", 30 * 86400, 0, 0, 25, "measured", None),
    ("16", APRIL, "C-r16", 3600, 0, 0, 5, "measured", None),
    ("17 line", MARCH, "C-r17-2674", 2674, 0, 0, 0, "measured", None),
    ("17 over", MARCH, "C-r17-2675", 2675, 0, 0, 5, "measured", None),
    ("18 UTC", MARCH, "C-r18-utc", 1800, 0, 0, 0, "measured", None),
    ("18 Kolkata in March", MARCH, "C-r18-kolkata", 0, 0, 0, 0, "measured", None),
    ("18 Kolkata in April", APRIL, "C-r18-kolkata", 1800, 0, 0, 0, "measured", None),
    ("20", APRIL, "C-r20", 120, 0, 0, 0, "measured", None),
    ("21", APRIL, "C-r21", 180, 0, 0, 0, "measured", None),
    ("21 too short", APRIL, "C-r21-short", 0, 0, 0, 0, "measured", None),
    ("22 as uptime", APRIL, "C-r22", 0, 2592000, 0, 0, "measured", None),
    ("22 out of base", APRIL, "C-r22-out", 0, 2592000, 0, 0, "measured", "no_time_left_in_base"),
    ("55", APRIL, "C-r55", 0, 0, 0, 0, "measured", None),
    ("56", APRIL, "C-r56", 0, 0, 0, 0, "measured", None),
    ("57", APRIL, "C-r57", 0, 0, 0, 0, "measured", None),
    ("57 counts", APRIL, "C-r57-counts", 240, 0, 0, 0, "measured", None),
    ("58", APRIL, "C-r58", 0, 0, 0, 0, "measured", None),
    ("61", APRIL, "C-r61", 0, 0, 180, 0, "measured", None),
    ("62", APRIL, "C-r62", 0, 0, 3480, 0, "held", "unknown_time_changes_tier"),
    ("63", APRIL, "C-r63", 180, 0, 180, 0, "measured", None),
    ("64", APRIL, "C-r64", 0, 0, 0, 0, "measured", None),
    ("65", APRIL, "C-r65", 120, 0, 0, 0, "measured", None),
    ("66", APRIL, "C-r66", 0, 0, 180, 0, "measured", None),
    ("67", APRIL, "C-r67", 0, 0, 0, 0, "measured", None),
    ("68", APRIL, "C-r68", 1800, 0, 0, 0, "measured", None),
    ("70", APRIL, "C-r70", 180, 0, 0, 0, "measured", None),
    ("107", APRIL, "C-r107", 259200, 0, 0, 0, "measured", "plan_not_eligible"),
    ("108", APRIL, "C-r108", 259200, 0, 0, 25, "measured", "no_active_agreement"),
    ("109", APRIL, "C-r109", 1297, 0, 0, 7, "measured", None),
    ("111", APRIL, "C-r111", 1800, 0, 0, 5, "measured", None),
    ("112", APRIL, "C-r112", 0, 0, 0, 0, "measured", None),
    ("113", APRIL, "C-r113", 1800, 0, 0, 5, "measured", None),
    ("114 Growth", APRIL, "C-r114-g", 0, 0, 0, 0, "measured", "plan_not_eligible"),
    ("114 Enterprise", APRIL, "C-r114-e", 2400, 0, 0, 5, "measured", None),
    ("115", APRIL, "C-r115", 3600, 0, 0, 5, "measured", None),
    ("116 not in force", APRIL, "C-r116-late", None, None, None, None, "blocked", "terms_not_in_force"),
    ("116 unknown", APRIL, "C-r116-none", None, None, None, None, "blocked", "terms_unknown"),
    ("117 down", APRIL, "C-r117-down", 2593, 0, 0, 5, "measured", None),
    ("117 up", APRIL, "C-r117-up", 0, 0, 0, 0, "measured", None),
    ("U4 no fee", APRIL, "C-fee", 0, 0, 0, 0, "blocked", "fee_missing"),
    ("U5 best effort needs no fee", APRIL, "C-fee-starter", 0, 0, 0, 0, "measured", "plan_not_eligible"),
    ("U4 currency", APRIL, "C-currency", 0, 0, 0, 0, "blocked", "currency_unknown"),
    ("U6", APRIL, "C-suspended", 0, 0, 0, 0, "measured", "no_measured_time"),
    ("P2", APRIL, "C-susp", 3600, 0, 0, 5, "measured", None),
    ("D5", APRIL, "C-min", 420, 0, 0, 0, "measured", None),
    ("D4 all", APRIL, "C-all", 1800, 0, 0, 0, "measured", None),
    ("D4 all of none", APRIL, "C-all-none", 0, 0, 0, 0, "measured", None),
    ("P4", "2026-05", "C-open", 2 * 86400, 0, 0, 25, "provisional", "month_not_over"),
]


@pytest.mark.parametrize(
    ("case", "month", "contract_id", "counted", "excluded", "unknown", "percent", "status", "reason"),
    FIGURES,
    ids=[case[0] for case in FIGURES],
)
def test_figures(months: Months, case, month, contract_id, counted, excluded, unknown, percent, status, reason) -> None:
    row = months.figures[month, contract_id]
    found = tuple(
        row[name]
        for name in (
            *("counted_seconds", "excluded_seconds", "unknown_seconds", "credit_percent"),
            *("status", "reason"),
        )
    )
    assert found == (counted, excluded, unknown, percent, status, reason)


UPTIMES = [
    ("1", "C-r1", "100", True),
    ("2 met exactly", "C-s2592", "99.9", True),
    ("3 cut, not rounded", "C-s2593", "99.899961419753", False),
    ("13 never negative", "C-r13", "0", False),
    ("22 out of base", "C-r22-out", None, None),
    ("111", "C-r111", "99.861111111111", False),
    ("114", "C-r114-e", "99.814814814814", False),
    ("109", "C-r109", "99.949961419753", False),
    ("U6", "C-suspended", None, None),
]


@pytest.mark.parametrize(("case", "contract_id", "uptime", "met"), UPTIMES, ids=[case[0] for case in UPTIMES])
def test_uptime(months: Months, case: str, contract_id: str, uptime: str | None, met: bool | None) -> None:
    row = months.figures[APRIL, contract_id]
    assert row["uptime_percent"] == (uptime and Decimal(uptime))
    assert row["is_met"] == met


def test_measured_periods(months: Months) -> None:
    measured = {key: row["measured_seconds"] for key, row in months.figures.items()}
    assert measured[MARCH, "C-r17-2674"] == 44580 * 60
    assert measured[APRIL, "C-r111"] == 21600 * 60
    assert measured[APRIL, "C-r113"] == 9.5 * 86400
    assert measured[APRIL, "C-suspended"] == 0
    assert measured[APRIL, "C-susp"] == 30 * 86400 - 23 * 3600
    assert measured["2026-05", "C-open"] == 11 * 86400 + 10 * 3600


def test_no_row_for_sandboxes_and_contracts_not_active(months: Months) -> None:
    assert (APRIL, "C-r60") not in months.figures
    assert (MARCH, "C-r16") not in months.figures
    assert ("2026-05", "C-r113") not in months.figures


def test_one_outage_by_two_routes_names_both(months: Months) -> None:
    (segment,) = months.segments[APRIL, "C-r9"]
    assert segment["services"] == ["dashboard"]
    assert segment["source_ids"] == sorted(["M-r9", next(s for s in segment["source_ids"] if s.startswith("I-r9"))])


def test_touching_outages_are_one_segment(months: Months) -> None:
    (segment,) = months.segments[APRIL, "C-r11"]
    assert (segment["ended_at"] - segment["started_at"]).total_seconds() == 600
    assert len(segment["source_ids"]) == 2


def test_a_nested_outage_splits_where_the_services_change(months: Months) -> None:
    assert [(s["kind"], s["services"]) for s in months.segments[APRIL, "C-r10"]] == [
        ("counted", ["call_routing"]),
        ("counted", ["call_routing", "dashboard"]),
        ("counted", ["call_routing"]),
    ]


def test_excluded_segments_say_why(months: Months) -> None:
    (segment,) = months.segments[APRIL, "C-r22"]
    assert (segment["kind"], segment["categories"]) == ("excluded", ["force_majeure"])
    assert "X-22" in segment["source_ids"]


def test_one_incident_in_two_months_has_one_id(months: Months) -> None:
    (march,), (april,) = months.segments[MARCH, "C-r12"], months.segments[APRIL, "C-r12"]
    assert march["source_ids"] == april["source_ids"]
    assert march["ended_at"] == april["started_at"]


def test_held_range(months: Months) -> None:
    row = months.figures[APRIL, "C-r62"]
    assert row["uptime_percent"] == 100
    assert row["uptime_percent_low"] == Decimal("99.865740740740")
    assert row["held_digest"] is not None


FINDINGS = [
    (APRIL, "unconfirmed_failure", "M-r21-short"),
    (APRIL, "core_service_unobserved", "C-r1"),
    (APRIL, "terms_changed_in_month", "C-r115"),
    (APRIL, "terms_unknown", "C-r116-none"),
    (APRIL, "terms_not_in_force", "C-r116-late"),
]


@pytest.mark.parametrize(("month", "code", "subject"), FINDINGS)
def test_findings(months: Months, month: str, code: str, subject: str) -> None:
    assert (code, subject) in {(row["code"], row["subject"]) for row in months.findings[month]}


def test_a_confirmed_failure_is_no_finding(months: Months) -> None:
    found: list[Row] = [row for row in months.findings[APRIL] if row["code"] == "unconfirmed_failure"]
    assert "M-r21" not in {row["subject"] for row in found}
