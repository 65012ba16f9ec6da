"""Uptime, intervals and the golden numbers; the rules on which they rest."""

from __future__ import annotations

from tests.edge_cases.cases import APRIL, MARCH, NOVEMBER, OCTOBER, Expected, case
from tests.edge_cases.world import World


@case(14)
def an_end_that_is_not_after_its_start_costs_its_row_alone(world: World, expect: Expected) -> None:
    # Of each object the last row is sound: down 10:00-10:20, of which 10:00-10:05 is excluded.
    world.customer("e14")
    world.component("dashboard-e14", region="e14")
    backwards = [
        ("2026-04-10T11:00:00Z", "investigating", {"dashboard-e14": "major_outage"}),
        ("2026-04-10T10:00:00Z", "resolved", {"dashboard-e14": "operational"}),
    ]
    page = world.incident(
        "I-e14-backwards", ["dashboard-e14"], backwards, resolved_at="2026-04-10T10:00:00Z", object_name="e14"
    )
    world.outage("e14", "2026-04-10T10:00:00Z", 1200, object_name="e14")
    expect.quarantined(page, 1, "end_not_after_start")
    periods = [("10:00", "10:00"), ("10:05", "10:00"), ("10:00", "10:05")]
    for number, (start, end) in enumerate(periods, start=1):
        world.entry(
            f"X-e14-{number}",
            "force_majeure",
            (f"2026-04-10T{start}:00Z", f"2026-04-10T{end}:00Z"),
            regions=["e14"],
            incident_ids=["I-e14-1"],
            object_name="e14",
        )
    for number in (1, 2):
        expect.quarantined("exclusions/e14.ndjson", number, "end_not_after_start")
    expect.seconds("C-e14", APRIL, counted=900, excluded=300)


@case(15)
def a_resolved_incident_ends_with_its_resolved_update_or_is_quarantined(world: World, expect: Expected) -> None:
    # 10:00 to the update of 10:30, not to the as-of time; the second has neither end nor update.
    for name in ("e15", "e15-endless"):
        world.customer(name)
        world.component(f"dashboard-{name}", region=name)
    opened = ("2026-04-10T10:00:00Z", "investigating", {})
    updates = [opened, ("2026-04-10T10:30:00Z", "resolved", {})]
    page = world.incident("I-e15", ["dashboard-e15"], updates, impact="critical", object_name="e15")
    world.incident(
        "I-e15-endless", ["dashboard-e15-endless"], [opened], impact="critical", status="resolved", object_name="e15"
    )
    expect.seconds("C-e15", APRIL, counted=1800)
    expect.quarantined(page, 2, "resolved_without_end")
    expect.seconds("C-e15-endless", APRIL, counted=0)


@case(17)
def march_in_berlin_lacks_an_hour(world: World, expect: Expected) -> None:
    # 743 h = 44,580 min = 2,674,800 s; a thousandth of it is 2,674.8 s = 44.58 min, which is not under 99.9.
    world.terms("e17-berlin", time_zone="Europe/Berlin")
    for name, seconds, percent in (("e17-line", 2674.8, 0), ("e17-over", 2674.800001, 5)):
        world.customer(name, terms_id="e17-berlin")
        world.outage(name, "2026-03-29T00:30:00Z", seconds)
        expect.month(f"C-{name}", MARCH, measured_seconds=44580 * 60, counted_seconds=seconds)
        expect.credit(f"C-{name}", MARCH, credit_percent=percent)


@case(18)
def an_outage_at_the_months_end_falls_where_the_zone_says(world: World, expect: Expected) -> None:
    # In Kolkata (UTC + 5:30) April begins at 18:30 UTC: of 18:00-19:00 half an hour is in each month.
    world.terms("e18-kolkata", time_zone="Asia/Kolkata")
    world.outage("e18", "2026-03-31T18:00:00Z", 3600)
    world.customer("e18-utc", region="e18")
    world.customer("e18-kolkata", region="e18", terms_id="e18-kolkata")
    for name, month, counted in (
        ("e18-utc", MARCH, 3600),
        ("e18-utc", APRIL, 0),
        ("e18-kolkata", MARCH, 1800),
        ("e18-kolkata", APRIL, 1800),
    ):
        expect.month(f"C-{name}", month, counted_seconds=counted)
    expect.row(
        "fct_account_downtime",
        APRIL,
        "C-e18-kolkata",
        started_at="2026-03-31T18:30:00Z",
        ended_at="2026-03-31T19:00:00Z",
        kind="counted",
    )


@case(19)
def an_hour_that_occurs_twice_is_measured_twice(world: World, expect: Expected) -> None:
    # 25 October 02:00 CEST = 00:00 UTC to 03:00 CET = 02:00 UTC: 2 h. October has 745 h there = 2,682,000 s.
    world.terms("e19-berlin", time_zone="Europe/Berlin")
    world.customer("e19", terms_id="e19-berlin")
    world.outage("e19", "2026-10-25T02:00:00+02:00", 7200)
    expect.month("C-e19", OCTOBER, measured_seconds=44700 * 60, counted_seconds=7200)


@case(19)
def an_instant_without_an_offset_is_quarantined_in_any_hour(world: World, expect: Expected) -> None:
    world.customer("e19-naive")
    world.component("dashboard-e19-naive", region="e19-naive")
    for number, at in enumerate(("2026-10-25T02:30:00", "2026-10-20T12:00:00"), start=1):
        updates = [(at, "investigating", {"dashboard-e19-naive": "major_outage"})]
        page = world.incident(f"I-e19-{number}", ["dashboard-e19-naive"], updates, object_name="e19")
        expect.quarantined(page, number, "invalid_instant")
    expect.seconds("C-e19-naive", OCTOBER, counted=0)


# The lines of 99.9, 99.0 and 95.0 by the length of the measured period: exactly on it, and a microsecond over.
LINES = [
    ("28d", MARCH, "2026-03-04T00:00:00Z", "2419.2", 0, 5),
    ("29d", APRIL, "2026-04-02T00:00:00Z", "2505.6", 0, 5),
    ("30d", APRIL, None, "2592", 0, 5),
    ("31d", MARCH, None, "2678.4", 0, 5),
    ("30d-99", APRIL, None, "25920", 5, 10),
    ("31d-99", MARCH, None, "26784", 5, 10),
    ("30d-95", APRIL, None, "129600", 10, 25),
    ("31d-95", MARCH, None, "133920", 10, 25),
]


@case("golden")
def the_lines_by_month_length(world: World, expect: Expected) -> None:
    for name, month, starts_at, line, percent, percent_over in LINES:
        given = {"starts_at": starts_at} if starts_at else {}
        for region, seconds, earned in (
            (f"g{name}", float(line), percent),
            (f"g{name}-over", float(line) + 0.000001, percent_over),
        ):
            world.customer(region, **given)
            world.outage(region, f"{month}-10T00:00:00Z", seconds)
            expect.month(f"C-{region}", month, counted_seconds=f"{seconds:.6f}")
            expect.credit(f"C-{region}", month, credit_percent=earned)


@case("golden")
def a_breach_that_two_decimals_would_hide(world: World, expect: Expected) -> None:
    # To two decimals the first of each is 99.90, the second 99.89; both are under 99.9.
    for starts_at, month, seconds, uptime in (
        ("2026-03-04", MARCH, 2540, "99.895006613756"),
        ("2026-03-04", MARCH, 2541, "99.894965277777"),
        ("2026-01-01", APRIL, 2721, "99.895023148148"),
        ("2026-01-01", APRIL, 2722, "99.894984567901"),
        ("2026-01-01", MARCH, 2812, "99.895011947431"),
        ("2026-01-01", MARCH, 2813, "99.894974611708"),
    ):
        region = f"g-hidden-{seconds}"
        world.customer(region, starts_at=f"{starts_at}T00:00:00Z")
        world.outage(region, f"{month}-10T00:00:00Z", seconds)
        expect.month(f"C-{region}", month, uptime_percent=uptime, met=False)
        expect.credit(f"C-{region}", month, credit_percent=5)


@case("golden")
def month_lengths_of_2026(world: World, expect: Expected) -> None:
    for zone, name in (("Europe/Berlin", "berlin"), ("America/New_York", "ny"), ("Australia/Lord_Howe", "howe")):
        world.terms(f"g-{name}", time_zone=zone)
        world.customer(f"g-{name}", region="g-lengths", terms_id=f"g-{name}")
    world.component("dashboard-g-lengths", region="g-lengths")
    for name, month, minutes in (
        ("berlin", MARCH, 44580),
        ("berlin", OCTOBER, 44700),
        ("ny", MARCH, 44580),
        ("ny", NOVEMBER, 43260),
        ("howe", APRIL, 43230),
        ("howe", OCTOBER, 44610),
    ):
        expect.month(f"C-g-{name}", month, measured_seconds=60 * minutes)


@case("golden")
def excluded_time_by_both_treatments(world: World, expect: Expected) -> None:
    # 31 d, 240 min = 14,400 s excluded, 44.5 min = 2,670 s counted.
    # as_uptime: 1 - 2,670 / 2,678,400; out_of_base: 1 - 2,670 / 2,664,000. Only the second is under 99.9.
    world.terms("g-out-of-base", availability={"excluded_time": "out_of_base"})
    world.outage("g-excluded", "2026-03-10T00:00:00Z", 14400 + 2670)
    world.entry(
        "X-g-excluded",
        "third_party_meta",
        ("2026-03-10T00:00:00Z", "2026-03-10T04:00:00Z"),
        regions=["g-excluded"],
        incident_ids=["I-g-excluded-1"],
    )
    uptimes = ("99.900313620071", "99.899774774774")
    for name, terms_id, percent, (uptime, alternative) in (
        ("g-as-uptime", "klink-enterprise", 0, uptimes),
        ("g-out-of-base", "g-out-of-base", 5, uptimes[::-1]),
    ):
        world.customer(name, region="g-excluded", terms_id=terms_id)
        expect.month(
            f"C-{name}",
            MARCH,
            counted_seconds=2670,
            excluded_seconds=14400,
            uptime_percent=uptime,
            uptime_percent_alternative=alternative,
            outcome_sensitive=True,
        )
        expect.credit(f"C-{name}", MARCH, credit_percent=percent)


@case("rule_P2")
def suspended_time_is_not_measured(world: World, expect: Expected) -> None:
    # Down 10 April 00:00-02:00, suspended from 01:00 for 23 h. Suspended throughout: nothing is measured.
    world.outage("p2", "2026-04-10T00:00:00Z", 7200)
    world.customer("p2", suspensions=[{"starts_at": "2026-04-10T01:00:00Z", "ends_at": "2026-04-11T00:00:00Z"}])
    world.customer(
        "p2-all", region="p2", suspensions=[{"starts_at": "2026-03-20T00:00:00Z", "ends_at": "2026-05-03T00:00:00Z"}]
    )
    expect.month("C-p2", APRIL, measured_seconds=2592000 - 23 * 3600, counted_seconds=3600)
    expect.month(
        "C-p2-all", APRIL, measured_seconds=0, uptime_percent=None, status="measured", reason="no_measured_time"
    )
    expect.credit("C-p2-all", APRIL, credit_percent=0, amount=0, status="not_eligible")


@case("rule_D4")
def all_is_the_intersection_and_of_no_service_never(world: World, expect: Expected) -> None:
    world.terms("d4-all", availability={"down_when": "all"})
    world.outage("d4", "2026-04-10T00:00:00Z", 3600)
    world.outage("d4", "2026-04-10T00:30:00Z", 3600, service="call_routing")
    world.customer("d4", services=["dashboard", "call_routing"], terms_id="d4-all")
    world.customer("d4-none", region="d4", services=["billing_portal"], terms_id="d4-all")
    expect.seconds("C-d4", APRIL, counted=1800)
    expect.seconds("C-d4-none", APRIL, counted=0)


@case("rule_D5")
def a_minimum_is_judged_before_the_month_cuts(world: World, expect: Expected) -> None:
    # Five minutes over the month's edge (2 of them in April), 299 s, exactly 300 s: 120 + 0 + 300.
    world.terms("d5", availability={"minimum_outage": "5m"})
    for starts_at, seconds in (
        ("2026-03-31T23:57:00Z", 300),
        ("2026-04-10T00:00:00Z", 299),
        ("2026-04-20T00:00:00Z", 300),
    ):
        world.outage("d5", starts_at, seconds)
    world.customer("d5", terms_id="d5")
    expect.seconds("C-d5", MARCH, counted=180)
    expect.seconds("C-d5", APRIL, counted=420)


@case("rule_U4")
def without_a_fee_a_guaranteed_month_is_blocked(world: World, expect: Expected) -> None:
    world.component("dashboard-u4", region="u4")
    world.customer("u4", fee=None)
    world.customer("u4-starter", region="u4", plan="starter", fee=None)
    expect.month("C-u4", APRIL, uptime_percent=100, status="blocked", reason="fee_missing")
    expect.month("C-u4-starter", APRIL, uptime_percent=100, status="measured", reason="plan_not_eligible")
