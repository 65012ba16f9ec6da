"""Uptime, tiers, standing and measured period of the second route: rules P, T, U and D7's range."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from slaledger.reperform import availability, uptime
from slaledger.reperform.records import DAY, SECOND, Account, Decision, Fee
from tests.reperform.worlds import (
    ENTERPRISE,
    LATER,
    MINUTE,
    checks,
    contract,
    entry,
    figures,
    incident,
    minutes,
    monitor,
    t,
    world,
)


def down(days: int, seconds: int) -> tuple[Fraction | None, int]:
    percent = uptime.uptime(uptime.Durations(days * DAY, seconds * SECOND, 0, 0, 0), "as_uptime")
    found = uptime.tier(percent, ENTERPRISE.credits)
    return percent, int(found[1]) if found else 0


def test_a_tier_of_0_percent_is_none_and_changes_no_tier():
    version = replace(ENTERPRISE, credits=((Fraction("99.9"), Fraction(0)), (Fraction(99), Fraction(10))))
    assert uptime.tier(Fraction(99), version.credits) is None
    assert not uptime.differ(Fraction(100), Fraction(99), version)
    assert uptime.differ(Fraction(100), Fraction(98), version)


@pytest.mark.parametrize(
    ("days", "seconds", "percent"),
    [
        (30, 0, 0),
        (30, 2_592, 0),
        (30, 2_593, 5),
        (28, 2_419, 0),
        (28, 2_420, 5),
        (31, 2_678, 0),
        (31, 2_679, 5),
        (29, 2_505, 0),
        (29, 2_506, 5),
        (30, 25_920, 5),
        (30, 25_921, 10),
        (31, 26_784, 5),
        (31, 26_785, 10),
        (30, 129_600, 10),
        (30, 129_601, 25),
        (31, 133_920, 10),
        (31, 133_921, 25),
        (30, 155_520, 25),  # 94 %
        (28, 2_540, 5),  # rounding to two decimals hides it
        (30, 2_721, 5),
        (31, 2_812, 5),
    ],
)
def test_one_tier_applies_strictly(days, seconds, percent):
    assert down(days, seconds)[1] == percent


def test_stored_percents_are_cut():
    assert uptime.stored(down(30, 2_593)[0]) == Decimal("99.899961419753")
    assert uptime.stored(down(30, 2_592)[0]) == Decimal("99.900000000000")
    assert uptime.stored(down(30, 0)[0]) == 100
    assert uptime.stored(None) is None


def test_both_treatments_of_excluded_time():
    exports = world(
        incident("ours", "dashboard", span="03-10 10:00/10:44:30"),
        incident("meta", "messaging_engine", span="03-20 10:00/14:00"),
        entry("x1", "03-20 00:00/03-21 00:00", incident_ids=("meta",)),
    )
    row, _ = figures(exports, "2026-03")
    assert minutes(row) == (Fraction("44.5"), 240, 0)
    assert str(row["uptime_percent"]).startswith("99.900313")
    assert str(row["uptime_percent_alternative"]).startswith("99.899774")
    assert (row["outcome_sensitive"], row["met"], row["status"], row["reason"]) == (True, True, "measured", None)

    row, _ = figures(
        world(*exports.documents, *exports.register, excluded_time="out_of_base"),
        "2026-03",
    )
    assert str(row["uptime_percent"]).startswith("99.899774")
    assert str(row["uptime_percent_alternative"]).startswith("99.900313")
    assert (row["outcome_sensitive"], row["met"]) == (True, False)


def test_a_month_excluded_as_a_whole():
    told = (
        incident("meta", "dashboard", span="03-31 00:00/05-02 00:00"),
        entry("x1", "03-30 00:00/05-03 00:00", incident_ids=("meta",), approved_at=t("05-05 00:00")),
    )
    row, _ = figures(world(*told))
    assert (row["uptime_percent"], row["uptime_percent_alternative"]) == (100, None)
    row, _ = figures(world(*told, excluded_time="out_of_base"))
    assert (row["uptime_percent"], row["uptime_percent_low"], row["uptime_percent_alternative"]) == (None, None, 100)
    assert (row["met"], row["status"], row["reason"]) == (None, "measured", "no_time_left_in_base")


@pytest.mark.parametrize(
    ("zone", "month", "length"),
    [
        ("UTC", "2026-03", 44_640),
        ("Europe/Berlin", "2026-03", 44_580),
        ("Europe/Berlin", "2026-10", 44_700),
        ("America/New_York", "2026-03", 44_580),
        ("America/New_York", "2026-11", 43_260),
        ("Australia/Lord_Howe", "2026-04", 43_230),
        ("Australia/Lord_Howe", "2026-10", 44_610),
    ],
)
def test_a_month_is_as_long_as_its_zone_has_it(zone, month, length):
    row, _ = figures(world(time_zone=zone), month)
    assert row["measured_seconds"] == length * MINUTE


def test_the_month_of_an_outage_is_that_of_the_zone():
    told = incident("late", "dashboard", span="03-31 18:00/18:50")
    assert [minutes(figures(world(told), month)[0])[0] for month in ("2026-03", "2026-04")] == [50, 0]
    kolkata = world(told, time_zone="Asia/Kolkata")
    assert [minutes(figures(kolkata, month)[0])[0] for month in ("2026-03", "2026-04")] == [30, 20]


def test_an_outage_across_two_months_is_cut_and_named_in_both():
    exports = world(incident("i1", "dashboard", span="03-31 23:50/04-01 00:20"))
    march, april = (figures(exports, month) for month in ("2026-03", "2026-04"))
    assert (minutes(march[0])[0], minutes(april[0])[0]) == (10, 20)
    assert [one["source_ids"] for one in (*march[1], *april[1])] == [["i1"], ["i1"]]


def test_an_outage_longer_than_the_month_never_makes_uptime_negative():
    row, _ = figures(world(incident("i1", "dashboard", span="03-01 00:00/06-01 00:00")))
    assert (row["uptime_percent"], row["counted_seconds"]) == (0, row["measured_seconds"])


@pytest.mark.parametrize(
    ("changes", "span", "measured", "percent"),
    [
        ({"starts_at": t("04-16 00:00")}, "04-20 10:00/10:30", 21_600, "99.861111111111"),
        ({"starts_at": t("04-16 00:00")}, "04-20 10:00/10:40", 21_600, "99.814814814814"),
        ({"starts_at": t("04-16 00:00")}, "04-10 10:00/10:30", 21_600, "100"),
        ({"ends_at": t("04-10 12:00")}, "04-20 10:00/10:30", 13_680, "100"),
        ({"suspensions": ((t("04-20 10:10"), t("04-20 10:20")),)}, "04-20 10:00/10:30", 43_190, "99.953692984487"),
        ({"suspensions": ((t("04-11 00:00"), LATER), (t("04-05 00:00"), t("04-06 00:00")))}, None, 12_960, "100"),
        (
            {"suspensions": ((t("04-05 00:00"), t("04-11 00:00")), (t("04-06 00:00"), t("04-07 00:00")))},
            None,
            34_560,
            "100",
        ),
    ],
)
def test_the_measured_period(changes, span, measured, percent):
    told = [incident("i1", "dashboard", span=span)] if span else []
    row, _ = figures(world(contract(**changes), *told))
    assert (row["measured_seconds"], row["uptime_percent"]) == (measured * MINUTE, Decimal(percent))


def test_which_account_months_there_are():
    exports = world(
        contract("k2", account_id="toy"),
        Account("toy", "Toy", True),
        contract("k3", starts_at=t("05-01 00:00")),
        contract("k4", ends_at=t("04-01 00:00")),
        contract("k5", suspensions=((t("02-01 00:00"), LATER),), terms_id="klink-enterprise"),
    )
    rows, _ = availability.account_months(exports, service_month="2026-04", as_of=LATER)
    assert [row["contract_id"] for row in rows] == ["k1", "k5"]
    assert (rows[1]["measured_from"], rows[1]["measured_until"], rows[1]["measured_seconds"]) == (None, None, 0)
    assert (rows[1]["uptime_percent"], rows[1]["status"], rows[1]["reason"]) == (None, "measured", "no_measured_time")
    assert availability.account_months(exports, service_month="2026-05", as_of=t("05-01 00:00")) == ([], [])


def test_a_month_that_is_not_over_is_provisional():
    exports = world(incident("i1", "dashboard", span="04-20 10:00/10:30"))
    row, downtime = figures(exports, as_of=t("04-20 10:10"))
    assert (row["status"], row["reason"], row["measured_until"]) == ("provisional", "month_not_over", t("04-20 10:10"))
    assert (minutes(row)[0], downtime[0]["ended_at"]) == (10, t("04-20 10:10"))
    assert figures(exports, as_of=t("05-01 00:00"))[0]["status"] == "measured"


def test_two_contracts_of_an_account_are_measured_apart():
    exports = world(
        contract("k2", services=("dashboard",)),
        Fee("k2", "2026-04", Fraction(1), "EUR"),
        incident("i1", "call_routing", span="04-20 10:00/12:00"),
    )
    rows, _ = availability.account_months(exports, service_month="2026-04", as_of=LATER)
    assert [row["counted_seconds"] for row in rows] == [120 * MINUTE, 0]


STARTER = replace(ENTERPRISE, terms_id="starter", guaranteed=False, credits=(), commitment=Fraction("99.5"))


@pytest.mark.parametrize(
    ("changes", "fee", "status", "reason"),
    [
        ({}, ("1000", "USD"), "measured", None),
        ({"terms_id": "starter"}, None, "measured", "plan_not_eligible"),
        ({"active_agreement": False}, None, "measured", "no_active_agreement"),
        ({}, None, "blocked", "fee_missing"),
        ({}, ("1000", "XXX"), "blocked", "currency_unknown"),
        ({}, ("0", "JPY"), "measured", None),
        ({"suspensions": ((t("02-01 00:00"), LATER),)}, None, "measured", "no_measured_time"),
        ({"terms_id": "nobody's"}, None, "blocked", "terms_unknown"),
        ({"terms_id": "later"}, None, "blocked", "terms_not_in_force"),
        ({"terms_id": "later", "active_agreement": False}, None, "blocked", "terms_not_in_force"),
    ],
)
def test_standing(changes, fee, status, reason):
    exports = world(
        contract(**changes),
        STARTER,
        replace(ENTERPRISE, terms_id="later", effective_from=t("04-02 00:00")),
        incident("i1", "dashboard", span="04-01 00:00/04-04 00:00"),
    )
    exports.fees = {("k1", "2026-04"): Fee("k1", "2026-04", Fraction(fee[0]), fee[1])} if fee else {}
    row, downtime = figures(exports)
    assert (row["status"], row["reason"]) == (status, reason)
    if reason and reason.startswith("terms_"):
        assert (row["counted_seconds"], row["uptime_percent"], downtime) == (None, None, [])
        assert row["guaranteed"] is changes.get("active_agreement")  # U5: without one, whatever the terms say
        assert figures(exports, as_of=t("04-10 00:00"))[0]["status"] == "provisional"
    else:
        assert row["guaranteed"] is (reason not in {"plan_not_eligible", "no_active_agreement"})
        assert figures(exports, as_of=t("04-10 00:00"))[0]["reason"] == "month_not_over"


def test_thresholds_are_those_of_the_start_or_of_the_last_instant():
    second = replace(
        ENTERPRISE,
        version="2026-04",
        effective_from=t("04-12 09:00"),
        commitment=Fraction("99.99"),
        credits=((Fraction("99.99"), Fraction(50)),),
    )
    told = incident("i1", "dashboard", span="04-20 10:00/10:10")
    row, _ = figures(world(told, second))
    assert (row["terms_version"], row["met"], row["commitment_percent"]) == ("2026-01", True, Decimal("99.9"))
    row, _ = figures(world(told, second, thresholds_from="period_end"))
    assert (row["terms_version"], row["met"], row["commitment_percent"]) == ("2026-04", False, Decimal("99.99"))
    row, _ = figures(world(contract(ends_at=t("04-12 09:00")), second, thresholds_from="period_end"))
    assert row["terms_version"] == "2026-01"
    suspended = contract(suspensions=((t("03-01 00:00"), LATER),))  # what is active stands in for what is measured
    row, _ = figures(world(suspended, second, thresholds_from="period_end"))
    assert (row["measured_seconds"], row["terms_version"]) == (0, "2026-04")


def silent_for_an_hour(*contents, **terms):
    """Up all April, but for an hour (58 unknown minutes) on the 20th."""
    probe = monitor(interval=MINUTE, stale_after=2 * MINUTE)
    seen = [(t("03-31 23:59") + i * MINUTE, "up") for i in range(43_300)]
    seen = [(at, status) for at, status in seen if not t("04-20 10:00") < at < t("04-20 11:00")]
    return world(probe, ("probe-dashboard", "fra", seen), *contents, **terms)


def test_unknown_time_holds_a_month_until_a_person_decides():
    exports = silent_for_an_hour()
    row, downtime = figures(exports)
    assert minutes(row) == (0, 0, 58)
    assert (row["uptime_percent"], row["uptime_percent_low"]) == (100, Decimal("99.865740740740"))
    assert (row["status"], row["reason"]) == ("held", "unknown_time_changes_tier")
    assert [(one["kind"], one["services"], one["source_ids"]) for one in downtime] == [
        ("unknown", ["dashboard"], ["probe-dashboard"])
    ]

    for is_approved, reason, kinds, counted in (
        (True, "unknown_time_decided_down", ["counted"], 58),
        (False, "unknown_time_decided_up", [], 0),
    ):
        decision = Decision("held_month", "k1", "2026-04", is_approved, about=row["about"])
        decided, downtime = figures(exports, decisions=[decision])
        assert (decided["status"], decided["reason"]) == ("measured", reason)
        assert minutes(decided) == (counted, 0, 0)
        assert (
            decided["uptime_percent"]
            == decided["uptime_percent_low"]
            == row["uptime_percent_low" if is_approved else "uptime_percent"]
        )
        assert [one["kind"] for one in downtime] == kinds


FIVE = (Fraction("99.9"), Fraction(5))


@pytest.mark.parametrize(
    ("changes", "contents", "terms"),
    [
        ({"terms_id": "custom"}, [replace(ENTERPRISE, terms_id="custom")], {}),
        ({}, [], {"version": "2026-02"}),
        ({}, [], {"credits": ((Fraction("99.9"), Fraction(25)),)}),  # inherited, say: the percent if it was down
        ({}, [], {"credits": ((Fraction(100), Fraction(1)), FIVE)}),  # and if it was up
        ({}, [], {"commitment": Fraction("99.5")}),
        ({"account_id": "other"}, [Account("other", "Other", False)], {}),
        ({"starts_at": t("04-01 00:01"), "ends_at": t("05-01 00:01")}, [], {}),
        ({"suspensions": ((t("04-10 00:00"), t("04-10 00:01")),)}, [], {}),
        ({}, [entry("x1", "04-20 10:50/10:55")], {}),  # of 58 unknown minutes five can be excluded at most
        ({}, [incident("i1", "dashboard", span="04-10 10:00/10:05")], {}),
        ({}, [incident("i1", "dashboard", span="04-20 10:10/10:15")], {}),
        ({}, [incident("i1", "dashboard", span="04-10 10:00/10:05"), entry("x1", "04-10 10:00/10:05")], {}),
    ],
)
def test_no_decision_outlives_the_figures_that_it_was_made_on(changes, contents, terms):
    minute = incident("i0", "dashboard", span="04-02 10:00/10:01")
    row, _ = figures(silent_for_an_hour(minute, credits=(FIVE,)))
    decision = Decision("held_month", "k1", "2026-04", True, about=row["about"])
    exports = silent_for_an_hour(contract(**changes), minute, *contents, **{"credits": (FIVE,), **terms})
    assert figures(exports, decisions=[decision])[0]["status"] == "held"


def test_a_decision_outlives_what_is_no_figure_of_the_month():
    """Another fee, or an exclusion of time that was up: the statement says the same."""
    row, _ = figures(silent_for_an_hour())
    decision = Decision("held_month", "k1", "2026-04", True, about=row["about"])
    contents = [Fee("k1", "2026-04", Fraction(2000), "EUR"), entry("x1", "04-10 10:00/10:05")]
    other, _ = figures(silent_for_an_hour(*contents), decisions=[decision])
    assert (other["status"], other["reason"]) == ("measured", "unknown_time_decided_down")


def test_a_decision_on_time_that_is_in_part_covered_and_touches_downtime():
    """Of 58 unknown minutes 10 are covered; the three before them are down."""
    exports = silent_for_an_hour(excluded_time="out_of_base")
    exports.checks["probe-dashboard", "fra"] = [
        (at, "down" if t("04-20 09:58") < at <= t("04-20 10:00") else status)
        for at, status in exports.checks["probe-dashboard", "fra"]
    ]
    exports.register.append(entry("x1", "04-20 10:50/11:00"))
    row, downtime = figures(exports)
    assert minutes(row) == (3, 0, 58)
    assert row["uptime_percent_low"] == uptime.stored(100 * (1 - Fraction(51, 43_200 - 10)))
    assert [one["kind"] for one in downtime] == ["counted", "unknown", "unknown"]

    about = row["about"]
    rejected, approved = (Decision("held_month", "k1", "2026-04", kind, about=about) for kind in (False, True))
    decided, downtime = figures(exports, decisions=[rejected, approved])  # the last word holds
    assert minutes(decided) == (51, 10, 0)
    assert decided["uptime_percent"] == row["uptime_percent_low"]
    assert [(one["kind"], one["started_at"], one["ended_at"]) for one in downtime] == [
        ("counted", t("04-20 09:59"), t("04-20 10:50")),
        ("excluded", t("04-20 10:50"), t("04-20 11:00")),
    ]


def test_only_a_guaranteed_month_with_its_fee_is_held():
    exports = silent_for_an_hour(guaranteed=False)
    assert figures(exports)[0]["reason"] == "plan_not_eligible"
    exports = silent_for_an_hour()
    exports.fees = {}
    assert figures(exports)[0]["reason"] == "fee_missing"
    assert figures(silent_for_an_hour(credits=()))[0]["status"] == "measured"


def test_unknown_time_that_an_exclusion_covers_is_no_downtime_at_worst():
    exports = silent_for_an_hour()
    exports.register.append(entry("x1", "04-20 10:00/10:30"))
    row, downtime = figures(exports)
    assert minutes(row) == (0, 0, 58)
    assert row["uptime_percent_low"] == Decimal("99.930555555555")
    assert [one["categories"] for one in downtime] == [["third_party_meta"], []]
    assert row["status"] == "measured"


def test_confirmed_time_is_counted_up_to_the_as_of_time_alone():
    exports = world(monitor(confirm=2), checks("ddu"))
    assert minutes(figures(exports, as_of=t("04-20 10:01") - 1)[0])[0] == 0
    assert minutes(figures(exports, as_of=t("04-20 10:01"))[0])[0] == 1
    assert minutes(figures(exports, as_of=t("04-20 10:01:01"))[0])[0] == Fraction(61, 60)
