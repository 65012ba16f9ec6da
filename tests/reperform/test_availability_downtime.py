"""What an account sees, and what is excluded of it, in the second route: rules D, X and T3."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slaledger.reperform import availability
from slaledger.reperform.records import SECOND
from tests.reperform.worlds import (
    CATEGORIES,
    ENTERPRISE,
    LATER,
    MINUTE,
    SERVICES,
    checks,
    contract,
    entry,
    figures,
    incident,
    minutes,
    monitor,
    notice,
    t,
    world,
)


def told(downtime):
    """Kind, services, categories, sources and the minute of day of each segment."""
    return [
        (
            one["kind"],
            one["services"],
            one["categories"],
            one["source_ids"],
            tuple((one[end] - t("04-20 00:00")) // MINUTE for end in ("started_at", "ended_at")),
        )
        for one in downtime
    ]


def outage(*services, span="04-20 10:00/11:00", name="i1", **changes):
    return incident(name, *services, span=span, **changes)


@pytest.mark.parametrize(
    ("contents", "counted"),
    [
        ([outage("dashboard", span="04-20 10:00/10:30"), outage("dashboard", span="04-20 10:20/10:50", name="i2")], 50),
        ([outage(*SERVICES), outage("dashboard", span="04-20 10:10/10:20", name="i2")], 60),
        ([outage("dashboard@us")], 0),
        ([outage("dashboard@global")], 60),
        ([outage("billing_portal")], 0),
        ([outage("dashboard"), contract(services=("messaging_engine",))], 0),
        ([outage("dashboard"), contract(services=("dashboard", "billing_portal"))], 60),
        ([outage("dashboard"), contract(services=("billing_portal",))], 0),
        ([outage("dashboard@global"), contract(region="global")], 60),
        ([outage("no such component")], 0),
    ],
)
def test_what_an_account_sees(contents, counted):
    assert minutes(figures(world(*contents))[0]) == (counted, 0, 0)


def test_touching_outages_are_one_segment():
    contents = [outage("dashboard", span="04-20 10:00/10:05"), outage("dashboard", span="04-20 10:05/10:10", name="i2")]
    _, downtime = figures(world(*contents))
    assert told(downtime) == [("counted", ["dashboard"], [], ["i1", "i2"], (600, 610))]


def test_segments_split_where_the_services_change():
    _, downtime = figures(world(outage("dashboard"), outage("call_routing", span="04-20 10:20/10:40", name="i2")))
    assert told(downtime) == [
        ("counted", ["dashboard"], [], ["i1"], (600, 620)),
        ("counted", ["call_routing", "dashboard"], [], ["i1", "i2"], (620, 640)),
        ("counted", ["dashboard"], [], ["i1"], (640, 660)),
    ]


# Monitoring: up from 10:00, down 10:02 to 10:04, silent from 10:06 (unknown from 10:08) to 10:10, up to 10:12.
PROBE = (monitor(), checks("uudduuu...uu"), contract(starts_at=t("04-20 10:00"), ends_at=t("04-20 10:12")))
PAGE = outage("dashboard", span="04-20 10:03/10:09")


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ("either", (7, 0, 1)),
        ("monitoring", (2, 0, 2)),
        ("status_page", (6, 0, 0)),
        ("both", (1, 0, 1)),
    ],
)
def test_evidence(evidence, expected):
    row, downtime = figures(world(*PROBE, PAGE, evidence=evidence))
    assert minutes(row) == expected
    if evidence == "both":
        sources = ["i1", "probe-dashboard"]
        assert told(downtime) == [
            ("counted", ["dashboard"], [], sources, (603, 604)),
            ("unknown", ["dashboard"], [], sources, (608, 609)),
        ]
    if evidence == "either":
        assert told(downtime)[0] == ("counted", ["dashboard"], [], ["i1", "probe-dashboard"], (602, 609))


@pytest.mark.parametrize(
    ("core", "contents", "expected"),
    [
        (SERVICES, [outage("dashboard", "call_routing")], (0, 0, 0)),
        (SERVICES, [outage(*SERVICES), outage("dashboard", span="04-20 12:00/13:00", name="i2")], (60, 0, 0)),
        (("dashboard",), [outage("dashboard")], (60, 0, 0)),
        (SERVICES, [outage("dashboard"), contract(services=("dashboard",))], (60, 0, 0)),
        (SERVICES, [outage(*SERVICES), contract(services=("billing_portal",))], (0, 0, 0)),
        # One of them excluded: all are down, but not all of it counts.
        (
            SERVICES,
            [outage(*SERVICES), entry("x1", "04-20 10:00/10:30", services=("dashboard",), incident_ids=("i1",))],
            (30, 30, 0),
        ),
    ],
)
def test_down_when_all(core, contents, expected):
    row, downtime = figures(world(*contents, core_services=core, down_when="all"))
    assert minutes(row) == expected
    if expected[1]:
        assert told(downtime)[0][:3] == ("excluded", ["dashboard"], ["third_party_meta"])


@pytest.mark.parametrize(
    ("minimum", "counted"),
    [(0, 5), (5 * MINUTE, 5), (5 * MINUTE + 1, 0)],
)
def test_an_outage_of_the_minimum_counts(minimum, counted):
    exports = world(outage("dashboard", span="04-20 10:00/10:05"), minimum_outage=minimum)
    assert minutes(figures(exports)[0])[0] == counted


def test_an_outage_is_as_long_as_it_was_over_all_time_and_both_regions():
    terms = {"minimum_outage": 10 * MINUTE}
    across = outage("dashboard", span="03-31 23:55/04-01 00:05")
    assert minutes(figures(world(across, **terms))[0])[0] == 5
    in_turn = [
        outage("dashboard", span="04-20 10:00/10:06"),
        outage("dashboard@global", span="04-20 10:06/10:12", name="i2"),
    ]
    assert minutes(figures(world(*in_turn, **terms))[0])[0] == 12
    other_service = replace(in_turn[1], updates=outage("call_routing", span="04-20 10:06/10:12").updates)
    assert minutes(figures(world(in_turn[0], other_service, **terms))[0])[0] == 0
    excluded = [outage("dashboard", span="04-20 10:00/10:12"), entry("x1", "04-20 10:00/10:08", incident_ids=("i1",))]
    assert minutes(figures(world(*excluded, **terms))[0]) == (4, 8, 0)
    # What the as-of time leaves too short is up.
    exports = world(excluded[0], **terms)
    assert [minutes(figures(exports, as_of=t(f"04-20 10:{at}"))[0])[0] for at in ("09", "10")] == [0, 10]


def test_an_outage_across_two_versions_is_one():
    """Partial outages count from 10:05 on: what was none before does not lengthen the outage."""
    second = replace(ENTERPRISE, effective_from=t("04-20 10:05"), partial_outage_counts=True, minimum_outage=6 * MINUTE)
    partial = outage("dashboard", span="04-20 10:00/10:10", status="partial_outage")
    major = outage("dashboard", span="04-20 10:02/10:05", name="i2")
    assert minutes(figures(world(partial, second))[0]) == (0, 0, 0)
    assert minutes(figures(world(partial, major, second))[0]) == (8, 0, 0)
    longer = outage("dashboard", span="04-20 10:00/10:11", status="partial_outage")
    assert minutes(figures(world(longer, second))[0]) == (6, 0, 0)


def test_each_contract_has_its_own_terms_and_regions():
    own = replace(ENTERPRISE, terms_id="own", evidence="monitoring", minimum_outage=0)
    exports = world(
        own,
        contract("k2", region="us"),
        contract("k3", terms_id="own"),
        outage("dashboard@eu", span="04-20 10:00/10:06"),
        outage("dashboard@us", span="04-20 10:00/10:03", name="i2"),
        minimum_outage=5 * MINUTE,
    )
    rows, _ = availability.account_months(exports, service_month="2026-04", as_of=LATER)
    assert [row["counted_seconds"] // MINUTE for row in rows] == [6, 0, 0]


def test_only_what_makes_it_so_is_a_source():
    second = replace(monitor(), monitor_id="second")
    exports = world(monitor(), checks("udu"), second, contract(starts_at=t("04-20 10:00"), ends_at=t("04-20 10:03")))
    assert [(one["kind"], one["source_ids"]) for one in figures(exports)[1]] == [
        ("unknown", ["second"]),
        ("counted", ["probe-dashboard"]),
        ("unknown", ["second"]),
    ]


def test_a_short_outage_beside_silence_could_be_a_long_one():
    """Down for two minutes, then silent for two, under a minimum of four; and of five."""
    contents = (monitor(), checks("udd...uu"), contract(starts_at=t("04-20 10:00"), ends_at=t("04-20 10:08")))
    seen = {}
    for minimum in (2, 3, 5, 6):
        row, downtime = figures(world(*contents, minimum_outage=minimum * MINUTE))
        seen[minimum] = minutes(row)
        assert all(one["source_ids"] == ["probe-dashboard"] for one in downtime)
    assert seen == {2: (3, 0, 2), 3: (3, 0, 2), 5: (0, 0, 5), 6: (0, 0, 0)}


def test_terms_that_change_within_the_month_judge_each_instant():
    second = replace(
        ENTERPRISE,
        version="2026-04",
        effective_from=t("04-20 10:30"),
        core_services=("call_routing",),
        partial_outage_counts=True,
        exclusions=frozenset({"third_party_ai"}),
    )
    contents = [
        outage("dashboard"),
        outage("call_routing", span="04-20 12:00/13:00", status="partial_outage", name="i2"),
        entry("x1", "04-20 00:00/04-21 00:00", services=("dashboard", "call_routing"), incident_ids=("i1", "i2")),
    ]
    assert minutes(figures(world(*contents, second))[0]) == (60, 30, 0)
    assert minutes(figures(world(*contents))[0]) == (0, 60, 0)


# The register.


@pytest.mark.parametrize(
    ("changes", "excluded"),
    [
        ({}, 60),
        ({"span": (t("04-20 10:30"), t("04-20 12:00"))}, 30),
        ({"services": ("dashboard",), "regions": ("eu",)}, 60),
        ({"services": ("call_routing",)}, 0),
        ({"regions": ("us", "global")}, 0),
        ({"account_ids": ("acme",)}, 60),
        ({"account_ids": ("another",)}, 0),
        ({"evidence_url": None}, 0),
        ({"approved_by": None}, 0),
        ({"approved_by": "ada"}, 0),
        ({"approved_by": " ADA "}, 0),
        ({"author": "Grace  "}, 0),
        ({"approved_by": "a da"}, 60),
        ({"approved_at": None}, 0),
        ({"approved_at": t("05-10 00:00")}, 60),  # the as-of time
        ({"approved_at": t("05-10 00:00") + 1}, 0),
        ({"revoked_at": t("05-01 00:00")}, 0),
        ({"revoked_at": t("05-10 00:00")}, 0),
        ({"revoked_at": t("05-10 00:00") + 1}, 60),
        ({"category": "customer_connectivity"}, 0),
        ({"category": "customer_connectivity", "account_ids": ("acme",)}, 60),
        ({"incident_ids": ()}, 0),
        ({"incident_ids": ("i1", "i9")}, 60),
    ],
)
def test_what_an_entry_excludes(changes, excluded):
    exports = world(
        outage("dashboard"), replace(entry("x1", "04-20 00:00/04-21 00:00", incident_ids=("i1",)), **changes)
    )
    row, downtime = figures(exports, as_of=t("05-10 00:00"))
    assert minutes(row) == (60 - excluded, excluded, 0)
    if excluded == 60:
        assert told(downtime) == [("excluded", ["dashboard"], [exports.register[0].category], ["i1", "x1"], (600, 660))]


def test_a_category_that_the_terms_do_not_list_excludes_nothing():
    contents = [outage("dashboard"), entry("x1", "04-20 00:00/04-21 00:00", incident_ids=("i1",))]
    for category in CATEGORIES[:5]:
        exports = world(*contents, exclusions=frozenset({category}))
        assert minutes(figures(exports)[0])[1] == (60 if category == "third_party_meta" else 0)


def test_an_exclusion_takes_off_only_its_own_pairs():
    """Meta down 10:00 to 11:00, our own dashboard 10:30 to 10:45."""
    contents = [
        outage("messaging_engine", name="meta"),
        outage("dashboard", span="04-20 10:30/10:45", name="ours"),
        entry("x1", "04-20 10:00/11:00", services=("messaging_engine",), incident_ids=("meta",)),
    ]
    row, downtime = figures(world(*contents))
    assert minutes(row) == (15, 45, 0)
    assert told(downtime)[1] == ("counted", ["dashboard"], [], ["ours"], (630, 645))


def test_exclusions_that_overlap_are_taken_off_once_and_all_shown():
    contents = [
        outage("dashboard"),
        entry("x1", "04-20 10:00/10:40", incident_ids=("i1",)),
        entry("x2", "04-20 10:20/11:00", incident_ids=("i1",), category="force_majeure"),
    ]
    row, downtime = figures(world(*contents))
    assert minutes(row) == (0, 60, 0)
    assert told(downtime)[1] == (
        "excluded",
        ["dashboard"],
        ["force_majeure", "third_party_meta"],
        ["i1", "x1", "x2"],
        (620, 640),
    )


@pytest.mark.parametrize(
    ("changes", "excluded"),
    [
        (None, 30),  # the other incident is ours
        ({}, 60),
        ({"approved_by": "ada"}, 30),
        ({"account_ids": ("another",)}, 30),
        ({"regions": ("us",)}, 30),
        ({"category": "force_majeure"}, 30),  # not under these terms
        ({"span": (t("04-20 10:45"), t("04-20 11:00"))}, 45),
    ],
)
def test_own_fault_wins_unless_it_is_explained(changes, excluded):
    """Two incidents on one component; the second from 10:30."""
    contents = [
        outage("dashboard", name="meta"),
        outage("dashboard", span="04-20 10:30/11:00", name="second"),
        entry("x1", "04-20 10:00/11:00", incident_ids=("meta",)),
    ]
    if changes is not None:
        contents.append(replace(entry("x2", "04-20 10:00/11:00", incident_ids=("second",)), **changes))
    exports = world(*contents, exclusions=frozenset({"third_party_meta"}))
    assert minutes(figures(exports)[0]) == (60 - excluded, excluded, 0)


def test_scheduled_maintenance_wins_over_own_fault():
    contents = [outage("dashboard"), notice("announce", "04-10 00:00", "04-20 10:00/10:20")]
    row, downtime = figures(world(*contents))
    assert minutes(row) == (40, 20, 0)
    assert told(downtime)[0] == ("excluded", ["dashboard"], ["scheduled_maintenance"], ["i1", "mnt"], (600, 620))


def test_own_fault_is_what_the_terms_call_down():
    contents = [
        monitor(),
        checks("d" * 60),
        contract(starts_at=t("04-20 10:00"), ends_at=t("04-20 11:00")),
        outage("dashboard", status="partial_outage"),
        entry("x1", "04-20 10:00/11:00"),
    ]
    assert minutes(figures(world(*contents))[0]) == (0, 60, 0)
    assert minutes(figures(world(*contents, partial_outage_counts=True))[0]) == (60, 0, 0)


# Maintenance. The outage lasts from 01:00 to 05:00 on 20 April.

ANNOUNCED = notice("announce", "04-10 00:00", "04-20 02:00/04:00")


@pytest.mark.parametrize(
    ("notices", "excluded"),
    [
        ([ANNOUNCED], 120),
        ([replace(ANNOUNCED, sent_at=t("04-18 02:00"))], 120),  # 48 hours
        ([replace(ANNOUNCED, sent_at=t("04-18 02:00:01"))], 0),
        ([replace(ANNOUNCED, channel="status_page")], 0),
        ([replace(ANNOUNCED, channel="in_app")], 120),
        ([replace(ANNOUNCED, account_ids=("acme", "b"))], 120),
        ([replace(ANNOUNCED, account_ids=("b",))], 0),
        ([replace(ANNOUNCED, component_ids=("dashboard@us",))], 0),
        ([replace(ANNOUNCED, component_ids=("call_routing@eu",))], 0),
        ([replace(ANNOUNCED, component_ids=("call_routing@eu", "dashboard@eu"))], 120),
        ([ANNOUNCED, notice("cancel", "04-19 00:00")], 0),
        ([ANNOUNCED, notice("cancel", "04-20 03:00")], 60),
        ([ANNOUNCED, notice("cancel", "04-20 03:00", channel="status_page")], 60),
        ([ANNOUNCED, notice("cancel", "04-20 03:00", account_ids=("b",))], 120),
        ([ANNOUNCED, notice("cancel", "04-20 03:00", maintenance_id="other")], 120),
        ([ANNOUNCED, notice("move", "04-19 00:00", "04-20 04:00/05:00")], 0),
        ([ANNOUNCED, notice("move", "04-12 00:00", "04-20 04:00/05:00")], 60),
        ([ANNOUNCED, notice("move", "04-20 02:30", "04-20 03:00/05:00")], 30),
        ([ANNOUNCED, notice("move", "04-20 02:30", "04-22 02:30/03:00")], 30),
        ([ANNOUNCED, notice("cut", "04-19 00:00", "04-20 02:00/03:00")], 60),
        ([ANNOUNCED, notice("cut", "04-20 03:30", "04-20 02:00/03:00")], 90),
        ([ANNOUNCED, notice("cut", "04-20 02:10", "04-20 02:30/04:00")], 100),
        (
            [
                ANNOUNCED,
                notice("cut", "04-19 00:00", "04-20 02:00/03:00"),
                notice("cut", "04-19 01:00", "04-20 02:30/04:00"),
            ],
            30,
        ),
        ([ANNOUNCED, notice("extend", "04-20 03:00", "04-20 02:00/05:00")], 120),
        ([ANNOUNCED, notice("extend", "04-12 03:00", "04-20 02:00/05:00")], 180),
        ([ANNOUNCED, notice("extend", "04-12 03:00", "04-20 02:00/05:00"), notice("cancel", "04-20 04:30")], 150),
        (
            [
                ANNOUNCED,
                replace(ANNOUNCED, notice_id="n2", maintenance_id="two"),
                notice("cancel", "04-20 03:00", maintenance_id="two"),
            ],
            120,
        ),
        # Announced anew after a cancellation.
        ([ANNOUNCED, notice("cancel", "04-11 00:00"), notice("announce", "04-12 00:00", "04-20 02:00/03:00")], 60),
        ([ANNOUNCED, notice("announce", "04-10 00:00", "04-20 03:00/05:00", maintenance_id="two")], 180),
    ],
)
def test_windows(notices, excluded):
    exports = world(outage("dashboard", span="04-20 01:00/05:00"), *notices)
    assert minutes(figures(exports)[0]) == (240 - excluded, excluded, 0)


def test_48_hours_are_elapsed_ones():
    """From Saturday 02:30 to Monday 02:30 in Berlin the clocks change."""
    exports = world(
        outage("dashboard", span="03-30 00:30/01:30"),
        notice("announce", "03-28 01:30", "03-30 00:30/01:30"),
        time_zone="Europe/Berlin",
    )
    assert minutes(figures(exports, "2026-03")[0]) == (60, 0, 0)


def test_a_notice_is_judged_by_the_terms_of_the_window_not_of_its_sending():
    second = replace(ENTERPRISE, version="2026-04", effective_from=t("04-12 09:00"), notice=24 * 60 * MINUTE)
    contents = [outage("dashboard", span="04-14 10:00/11:00"), notice("announce", "04-12 12:00", "04-14 10:00/11:00")]
    assert minutes(figures(world(*contents))[0])[1] == 0
    assert minutes(figures(world(*contents, second))[0])[1] == 60
    page_alone = replace(second, channels=frozenset({"status_page"}))
    assert minutes(figures(world(*contents, page_alone))[0])[1] == 0
    unlisted = replace(second, exclusions=second.exclusions - {"scheduled_maintenance"})
    assert minutes(figures(world(*contents, unlisted))[0])[1] == 0


def test_a_notice_sent_at_the_as_of_time_has_not_been_sent():
    exports = world(outage("dashboard", span="04-20 01:00/05:00"), ANNOUNCED, notice("cancel", "04-20 03:00"))
    assert minutes(figures(exports, as_of=t("04-20 03:00"))[0]) == (60, 60, 0)
    assert minutes(figures(exports, as_of=t("04-20 03:30"))[0]) == (90, 60, 0)


# D8, where exclusions and silence meet. The probe is silent 10:02 to 10:10: unknown from 10:04.


def silent(*contents, **terms):
    probe = (monitor(), checks("uuu.......uu"), contract(starts_at=t("04-20 10:00"), ends_at=t("04-20 10:12")))
    return figures(world(*probe, *contents, **terms))


@pytest.mark.parametrize(
    ("contents", "terms", "expected"),
    [
        ([], {}, (0, 0, 6)),
        # Another service is down and excluded meanwhile: what is unknown could count.
        (
            [
                outage("call_routing", span="04-20 10:00/10:12"),
                entry("x1", "04-20 10:00/10:12", services=("call_routing",), incident_ids=("i1",)),
            ],
            {},
            (0, 6, 6),
        ),
        # The exclusion covers the unknown service too: it is down without it.
        (
            [outage("call_routing", span="04-20 10:00/10:12"), entry("x1", "04-20 10:00/10:12", incident_ids=("i1",))],
            {},
            (0, 12, 0),
        ),
        ([outage("call_routing", span="04-20 10:00/10:12")], {}, (12, 0, 0)),
        ([], {"down_when": "all"}, (0, 0, 0)),
        ([outage("call_routing", "messaging_engine", span="04-20 10:05/10:07")], {"down_when": "all"}, (0, 0, 2)),
        ([outage("dashboard", span="04-20 10:05/10:07")], {}, (2, 0, 4)),
    ],
)
def test_unknown_only_where_it_matters(contents, terms, expected):
    row, _ = silent(*contents, **terms)
    assert minutes(row) == expected


def test_under_all_only_the_unknown_services_make_it_unknown():
    both = ("call_routing", "dashboard")
    down = outage("call_routing", span="04-20 10:05/10:07")
    row, downtime = silent(down, down_when="all", core_services=both)
    assert minutes(row) == (0, 0, 2)
    assert told(downtime) == [("unknown", ["dashboard"], [], ["probe-dashboard"], (605, 607))]
    excused = entry("x1", "04-20 10:00/10:06", services=both, incident_ids=("i1",))
    row, downtime = silent(down, excused, down_when="all", core_services=both)
    assert told(downtime) == [
        ("unknown", ["dashboard"], ["third_party_meta"], ["probe-dashboard", "x1"], (605, 606)),
        ("unknown", ["dashboard"], [], ["probe-dashboard"], (606, 607)),
    ]


def test_every_instant_is_of_one_kind():
    row, downtime = silent(
        outage("call_routing", span="04-20 10:05/10:07"),
        outage("messaging_engine", span="04-20 10:00/10:06", name="meta"),
        entry("x1", "04-20 10:01/10:20", services=("messaging_engine", "dashboard"), incident_ids=("meta",)),
    )
    assert told(downtime) == [
        ("counted", ["messaging_engine"], [], ["meta"], (600, 601)),
        ("excluded", ["messaging_engine"], ["third_party_meta"], ["meta", "x1"], (601, 605)),
        ("counted", ["call_routing"], [], ["i1"], (605, 607)),
        ("unknown", ["dashboard"], ["third_party_meta"], ["probe-dashboard", "x1"], (607, 610)),
    ]
    assert sum(minutes(row)) == 10
    assert row["measured_seconds"] == 12 * MINUTE


def test_microseconds_are_kept():
    contents = [
        outage("dashboard", span="04-20 10:00:00/10:00:01"),
        entry("x1", "04-20 10:00:00/10:00:00.999999", incident_ids=("i1",)),
    ]
    row, _ = figures(world(*contents))
    assert (row["counted_seconds"], row["excluded_seconds"]) == (1, SECOND - 1)
