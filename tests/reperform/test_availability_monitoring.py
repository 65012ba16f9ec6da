"""Monitoring and the status page in the second route: rules M1 to M7 and S1 to S5."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from slaledger.reperform.records import SECOND, Update
from slaledger.reperform.status_page import declarations
from tests.reperform.worlds import (
    LATER,
    MINUTE,
    between,
    checks,
    contract,
    document,
    figures,
    incident,
    minutes,
    monitor,
    t,
    world,
)

# Every contract begins with its checks and ends with them: what is before and after is another rule's.


def seen(*contents, until: str, start: str = "04-20 10:00", **terms):
    """Counted and unknown minutes of a contract from the first check to an end."""
    row, _ = figures(world(contract(starts_at=t(start), ends_at=t(until)), *contents, **terms))
    counted, excluded, unknown = minutes(row)
    assert excluded == 0
    return counted, unknown


@pytest.mark.parametrize(
    ("letters", "until", "changes", "counted", "unknown"),
    [
        ("uuuuuu", "10:06", {}, 0, 0),
        ("udduu", "10:05", {}, 2, 0),  # from the first failure to the next check that is not one
        ("u....u", "10:06", {}, 0, 3),  # five minutes of silence: held for two
        ("d....u", "10:06", {}, 2, 3),
        ("d.d", "10:03", {}, 3, 0),  # a gap of exactly `stale_after`
        ("uddu", "10:04", {"confirm": 3}, 0, 0),
        ("udddu", "10:05", {"confirm": 3}, 3, 0),
        ("ddd", "10:05", {"confirm": 3}, 4, 1),  # ends `stale_after` after its last failure
        ("dd?dd", "10:05", {"confirm": 3}, 0, 1),
        ("dd?dd", "10:05", {}, 4, 1),
        ("dd..dd", "10:06", {"confirm": 3}, 0, 1),
        ("d.d.d", "10:05", {"confirm": 3}, 5, 0),
        ("udud" * 15, "11:00", {}, 30, 0),  # flapping
        ("gggg", "10:04", {}, 0, 0),
        ("u?uu", "10:04", {}, 0, 1),
        ("..uu", "10:04", {}, 0, 2),  # no backfill
        ("dd", "10:02", {"active_from": t("04-20 10:01")}, 1, 0),
        ("dd", "10:02", {"active_until": t("04-20 10:01")}, 1, 0),
        ("dddd", "10:04", {"interval": MINUTE, "stale_after": 30 * SECOND}, 2, 2),
    ],
)
def test_one_location(letters, until, changes, counted, unknown):
    assert seen(monitor(**changes), checks(letters), until=f"04-20 {until}") == (counted, unknown)


def test_degraded_counts_where_the_terms_say_so():
    assert seen(monitor(confirm=2), checks("ugdu"), until="04-20 10:04", degraded_counts=True) == (2, 0)


@pytest.mark.parametrize(
    ("letters", "changes", "counted", "unknown"),
    [
        ("duu", {}, 0, 0),
        ("ddu", {}, 1, 0),
        ("d..", {}, 0, 1),
        ("d.u", {}, 0, 0),
        ("dd.", {}, 1, 0),
        ("ddd.", {"quorum_min": 4}, 0, 1),
        ("dduu", {}, 0, 0),
        ("dddu", {}, 1, 0),
        ("d?", {}, 0, 1),
        ("d?", {"quorum_min": 1}, 1, 0),
    ],
)
def test_a_quorum_of_locations(letters, changes, counted, unknown):
    """A letter per location, all at one instant, looked at for a minute."""
    names = [f"loc{i}" for i in range(len(letters))]
    told = [checks(letter, location=name) for letter, name in zip(letters, names, strict=True)]
    assert seen(monitor(locations=names, **changes), *told, until="04-20 10:01") == (counted, unknown)


def test_any_monitor_makes_a_service_down_and_else_any_unknown():
    second = replace(monitor(), monitor_id="second")
    silent = ("second", "fra", [(t("04-20 10:00"), "up")])
    counted, unknown = seen(monitor(), second, checks("uudu"), silent, until="04-20 10:04")
    assert (counted, unknown) == (1, 1)


def test_a_monitor_elsewhere_is_not_seen():
    told = (replace(monitor(), region="us"), checks("dddd"))
    assert seen(*told, until="04-20 10:04") == (0, 0)
    assert seen(replace(told[0], region="global"), told[1], until="04-20 10:04") == (4, 0)


def test_without_a_monitor_a_service_is_up():
    assert seen(until="04-21 10:00") == (0, 0)


# The status page. `down` are the spans of major outage on dashboard@eu that are declared.


def declared(exports, *, as_of=LATER):
    return [(one.span, one.status) for one in declarations(exports, as_of=as_of)]


def updates(*told):
    """The newest first, as a document has them."""
    return tuple(
        Update(t(at), status, (("dashboard@eu", word),) if word else ()) for at, status, word in reversed(told)
    )


DAY_20 = "04-20 10:00/12:00"
PARTIAL = (
    ("04-20 10:00", "investigating", "partial_outage"),
    ("04-20 10:20", "identified", "major_outage"),
    ("04-20 10:30", "identified", "major_outage"),
    ("04-20 11:00", "monitoring", "operational"),
    ("04-20 12:00", "resolved", None),
)


def test_an_incident_puts_a_component_into_statuses():
    exports = world(incident("i1", "dashboard", span=DAY_20, updates=updates(*PARTIAL)))
    assert declared(exports) == [
        (between("04-20 10:00/10:20"), "partial_outage"),
        (between("04-20 10:20/10:30"), "major_outage"),
        (between("04-20 10:30/11:00"), "major_outage"),
    ]
    for changes, counted in (
        ({}, 40),
        ({"partial_outage_counts": True}, 60),
        ({"degraded_counts": True}, 40),
        ({"evidence": "monitoring"}, 0),
    ):
        assert minutes(figures(world(*exports.documents, **changes))[0])[0] == counted


def test_an_incident_ends_at_its_resolution():
    told = incident(
        "i1", "dashboard", span=DAY_20, updates=updates(PARTIAL[1], ("04-20 12:30", "monitoring", "major_outage"))
    )
    assert declared(world(told)) == [(between("04-20 10:20/12:00"), "major_outage")]
    by_update = replace(told, resolved_at=None, updates=updates(PARTIAL[1], ("04-20 11:30", "resolved", None)))
    assert declared(world(by_update)) == [(between("04-20 10:20/11:30"), "major_outage")]
    still_open = replace(told, resolved_at=None, status="identified", updates=updates(PARTIAL[1]))
    assert declared(world(still_open), as_of=t("04-20 10:50")) == [(between("04-20 10:20/10:50"), "major_outage")]
    assert declared(world(still_open), as_of=t("04-20 10:20")) == []


def test_what_updates_set_ends_with_the_update_that_resolved_whatever_resolved_at_says():
    told = incident("i1", "dashboard", span=DAY_20, updates=updates(PARTIAL[1], ("04-20 12:30", "resolved", None)))
    assert declared(world(told)) == [(between("04-20 10:20/12:30"), "major_outage")]
    without = replace(told, updates=updates(PARTIAL[1]))
    assert declared(world(without)) == [(between("04-20 10:20/12:00"), "major_outage")]


def test_of_several_resolutions_the_last_holds():
    told = updates(
        PARTIAL[1],
        ("04-20 10:40", "resolved", None),
        ("04-20 10:50", "investigating", "major_outage"),
        ("04-20 11:30", "resolved", None),
    )
    again = incident("i1", "dashboard", span=DAY_20, resolved_at=None, updates=told)
    spans = [(between("04-20 10:20/10:40"), "major_outage"), (between("04-20 10:50/11:30"), "major_outage")]
    assert declared(world(again)) == spans
    reopened = replace(again, status="investigating", updates=told[1:])
    spans[1] = (between("04-20 10:50/11:00"), "major_outage")
    for resolved_at in (None, t("04-20 10:40")):
        assert declared(world(replace(reopened, resolved_at=resolved_at)), as_of=t("04-20 11:00")) == spans


def test_what_is_set_ends_with_a_resolution_that_names_no_component():
    told = updates(
        ("04-20 10:00", "investigating", "major_outage"),
        ("04-20 10:20", "resolved", None),
        ("04-20 11:00", "investigating", None),
        ("04-20 11:30", "identified", "major_outage"),
        ("04-20 11:50", "resolved", None),
        ("04-20 12:30", "investigating", "partial_outage"),
        ("04-20 13:00", "resolved", "major_outage"),
        ("04-20 13:30", "monitoring", None),
    )
    spans = [
        (between("04-20 10:00/10:20"), "major_outage"),
        (between("04-20 11:30/11:50"), "major_outage"),
        (between("04-20 12:30/13:00"), "partial_outage"),
    ]
    reopened = incident("i1", "dashboard", span=DAY_20, resolved_at=None, updates=told)
    assert declared(world(replace(reopened, status="monitoring"))) == spans
    # Its last resolution is that of 11:50.
    assert declared(world(replace(reopened, updates=told[3:]))) == spans[:2]


def test_what_is_set_at_the_instant_of_a_resolution_and_after_it_stays():
    told = updates(("04-20 10:20", "resolved", None), ("04-20 10:20", "investigating", "major_outage"))
    reopened = replace(incident("i1", "dashboard", span=DAY_20, updates=told), status="investigating")
    assert declared(world(reopened), as_of=t("04-20 11:00")) == [(between("04-20 10:20/11:00"), "major_outage")]
    backwards = replace(reopened, updates=told[::-1])
    assert declared(world(backwards), as_of=t("04-20 11:00")) == []


def test_of_two_updates_of_an_instant_the_first_listed_is_the_later():
    told = updates(("04-20 10:20", "investigating", "major_outage"), ("04-20 10:20", "investigating", "partial_outage"))
    exports = world(incident("i1", "dashboard", span=DAY_20, updates=told))
    assert declared(exports) == [(between("04-20 10:20/12:00"), "partial_outage")]


def test_an_incident_that_is_not_created_yet_declares_nothing():
    told = incident("i1", "dashboard", span=DAY_20, impact="critical", updates=(), started_at=t("04-20 09:00"))
    assert declared(world(told), as_of=t("04-20 10:00") - 1) == []
    assert declared(world(told), as_of=t("04-20 10:00")) == [(between("04-20 09:00/10:00"), "major_outage")]


@pytest.mark.parametrize(
    ("changes", "as_of", "expected"),
    [
        ({}, LATER, DAY_20),
        ({"started_at": t("04-20 09:00")}, LATER, "04-20 09:00/12:00"),
        ({"started_at": t("04-20 13:00")}, LATER, DAY_20),
        ({"resolved_at": None}, LATER, "04-20 10:00/11:45"),
        ({"resolved_at": None, "status": "identified", "updates": ()}, t("04-20 10:50"), "04-20 10:00/10:50"),
        # Reopened: open, though it still has its `resolved_at`.
        ({"status": "identified"}, t("04-20 12:50"), "04-20 10:00/12:50"),
        ({"status": "postmortem"}, t("04-20 12:50"), DAY_20),
        ({"impact": "major"}, LATER, None),
        ({"updates": updates(("04-20 10:10", "identified", "degraded_performance"))}, LATER, "degraded"),
        ({"updates": updates(("04-20 12:10", "identified", "degraded_performance"))}, LATER, DAY_20),
        (
            {"updates": updates(("04-20 10:10", "identified", "degraded_performance"))},
            t("04-20 10:05"),
            "04-20 10:00/10:05",
        ),
        ({"created_at": t("04-20 12:00"), "started_at": t("04-20 12:00")}, LATER, None),
    ],
)
def test_the_impact_speaks_where_updates_do_not(changes, as_of, expected):
    told = incident(
        "i1",
        "dashboard",
        span=DAY_20,
        impact="critical",
        updates=updates(("04-20 11:45", "resolved", "operational")),
    )
    found = declared(world(replace(told, **changes)), as_of=as_of)
    if expected == "degraded":
        assert found == [(between("04-20 10:10/12:00"), "degraded_performance")]
    else:
        assert found == ([(between(expected), "major_outage")] if expected else [])


OPEN = replace(
    incident("i1", "dashboard", span=DAY_20, resolved_at=None, updates=updates(PARTIAL[1])), status="identified"
)
SHORT = incident("i1", "dashboard", span="04-20 10:00/10:30")
OTHER = incident("i2", "billing_portal", span="04-20 10:00/10:01")


@pytest.mark.parametrize(
    ("documents", "counted"),
    [
        ([document(OPEN, exported_at="04-20 11:00"), document(SHORT, exported_at="04-20 13:00")], 30),
        ([document(SHORT, exported_at="04-20 11:00"), document(OTHER, exported_at="04-20 13:00")], 30),
        ([document(SHORT, exported_at="04-20 11:00"), document(OTHER, exported_at="04-20 13:00", is_complete=True)], 0),
        (
            [document(SHORT, exported_at="04-20 13:00"), document(OTHER, exported_at="04-20 11:00", is_complete=True)],
            30,
        ),
        (
            [
                document(SHORT, exported_at="04-20 11:00"),
                document(OTHER, exported_at="04-20 13:00", is_complete=True, page_id="another"),
            ],
            30,
        ),
        (
            [
                document(SHORT, exported_at="04-20 11:00"),
                document(exported_at="04-20 13:00", is_complete=True, kind="scheduled_maintenances"),
            ],
            30,
        ),
        # A row that cannot be used is listed all the same.
        (
            [
                document(SHORT, exported_at="04-20 11:00"),
                document(exported_at="04-20 13:00", is_complete=True, listed_ids=frozenset({"i1"})),
            ],
            30,
        ),
        # The incident names its page where its document does not; what names no page lacks nothing, and lists any's.
        (
            [
                document(SHORT, exported_at="04-20 11:00", page_id=None),
                document(OTHER, exported_at="04-20 13:00", is_complete=True),
            ],
            0,
        ),
        (
            [
                document(SHORT, exported_at="04-20 11:00"),
                document(OTHER, exported_at="04-20 13:00", is_complete=True),
                document(exported_at="04-20 14:00", kind="summary", page_id=None, listed_ids=frozenset({"i1"})),
            ],
            30,
        ),
        (
            [
                document(replace(OPEN, page_id=None), exported_at="04-20 11:00", page_id=None),
                document(exported_at="04-20 13:00", kind="summary", page_id=None),
            ],
            None,
        ),
        # A summary says when what it lacks was resolved; complete it never is.
        (
            [
                document(SHORT, exported_at="04-20 11:00"),
                document(exported_at="04-20 13:00", kind="summary", is_complete=True),
            ],
            30,
        ),
        ([document(OPEN, exported_at="04-20 11:00"), document(exported_at="04-20 13:00", kind="summary")], 160),
        (
            [
                document(replace(OPEN, resolved_at=t("04-20 10:50")), exported_at="04-20 11:00"),
                document(exported_at="04-20 13:00", kind="summary"),
            ],
            160,
        ),
        ([document(OPEN, exported_at="04-20 13:00"), document(exported_at="04-20 11:00", kind="summary")], None),
        # The incident itself says that it was open by then.
        (
            [
                document(OPEN, exported_at="04-20 11:00", page_updated_at=t("04-20 10:05")),
                document(exported_at="04-20 10:10", kind="summary"),
                document(exported_at="04-20 10:50", kind="summary"),
            ],
            30,
        ),
        # So does a list that has no `page.updated_at`, as it was exported.
        (
            [
                document(OPEN, exported_at="04-20 12:00", page_updated_at=None),
                document(exported_at="04-20 10:50", kind="summary"),
                document(exported_at="04-20 12:00", kind="summary", key="status_page/statuspage/summary"),
            ],
            None,
        ),
        (
            [
                document(OPEN, exported_at="04-20 12:00", page_updated_at=None),
                document(exported_at="04-20 10:50", kind="summary"),
                document(exported_at="04-20 12:10", kind="summary"),
            ],
            110,
        ),
        (
            [
                document(OPEN, exported_at="04-20 11:00", kind="summary"),
                document(exported_at="04-20 13:00", kind="summary"),
                document(exported_at="04-20 12:00", kind="summary"),
            ],
            100,
        ),
        (
            [
                document(OPEN, exported_at="04-20 11:00"),
                document(exported_at="04-20 12:00", kind="summary"),
                document(OPEN, exported_at="04-20 12:30", kind="summary"),
                document(exported_at="04-20 13:00", kind="summary"),
            ],
            160,
        ),
        (
            [
                document(OPEN, exported_at="04-20 11:00"),
                document(exported_at="04-20 13:00", kind="summary", page_id="x"),
            ],
            None,
        ),
    ],
)
def test_which_word_on_an_incident_holds(documents, counted):
    to_month_end = Fraction(t("05-01 00:00") - t("04-20 10:20"), MINUTE)
    found = minutes(figures(world(*documents))[0])[0]
    assert found == (to_month_end if counted is None else counted)


def test_the_order_of_objects_does_not_matter():
    told = [document(OPEN, exported_at="04-20 11:00"), document(SHORT, exported_at="04-20 13:00")]
    assert figures(world(*told)) == figures(world(*reversed(told)))
