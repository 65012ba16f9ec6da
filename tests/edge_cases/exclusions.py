"""Exclusions and maintenance: the variants that the stories `maintenance-*` and `third-parties` do not tell.

All of them in March, in a region of their own; down on 20 March unless said otherwise.
"""

from __future__ import annotations

from typing import Any

from tests.edge_cases.cases import MARCH, Expected, case
from tests.edge_cases.world import Period, World

MESSAGING = "messaging_engine"
TWO_TO_FOUR = ("02:00", "04:00")


def at(text: str) -> str:
    """An instant of March 2026 from "02:00" (the 20th) or "18T02:00"."""
    day, _, time = text.rpartition("T")
    return f"2026-03-{day or '20'}T{time}:00Z"


def down(world: World, name: str, *periods: Period, service: str = MESSAGING, **contract: Any) -> None:
    """A customer in a region of that name, where a service is down in these periods."""
    world.customer(name, **contract)
    for start, end in periods:
        hours, minutes = (int(e) - int(s) for s, e in zip(start.split(":"), end.split(":"), strict=True))
        world.outage(name, at(start), 3600 * hours + 60 * minutes, service=service)


def told(world: World, notice_id: str, action: str, sent: str, window: Period | None, **given: Any) -> None:
    """A notice of the maintenance that its id names, about messaging in the region of that name."""
    name = notice_id.rpartition("-")[0].removeprefix("N-")
    world.notice(notice_id, action, at(sent), window and (at(window[0]), at(window[1])), f"{MESSAGING}-{name}", **given)


def explained(world: World, name: str, category: str, start: str, end: str, *, number: int = 1, **given: Any) -> None:
    """An entry for messaging in the region of that name, that explains its first outage."""
    world.entry(
        f"X-{name}-{number}",
        category,
        (at(start), at(end)),
        **{"services": [MESSAGING], "regions": [name], "incident_ids": [f"I-{name}-1"], **given},
    )


@case(26)
def the_status_page_takes_nothing_from_the_email(world: World, expect: Expected) -> None:
    down(world, "e26", TWO_TO_FOUR)
    told(world, "N-e26-1", "announce", "10T00:00", TWO_TO_FOUR)
    told(world, "N-e26-2", "announce", "10T00:00", TWO_TO_FOUR, channel="status_page")
    expect.seconds("C-e26", MARCH, counted=0, excluded=7200)
    expect.finding("N-e26-2", MARCH)


@case(26)
def a_notice_on_the_status_page_alone_is_reported(world: World, expect: Expected) -> None:
    down(world, "e26-page", TWO_TO_FOUR)
    told(world, "N-e26-page-1", "announce", "10T00:00", TWO_TO_FOUR, channel="status_page")
    expect.seconds("C-e26-page", MARCH, counted=7200)
    expect.finding("N-e26-page-1", MARCH, "notice_channel_not_accepted")


@case(32)
def a_cancellation_to_one_account_takes_from_that_one_alone(world: World, expect: Expected) -> None:
    down(world, "e32", TWO_TO_FOUR)
    world.customer("e32-other", region="e32")
    told(world, "N-e32-1", "announce", "10T00:00", TWO_TO_FOUR)
    told(world, "N-e32-2", "cancel", "03:00", None, account_ids=["A-e32"])
    expect.seconds("C-e32", MARCH, counted=3600, excluded=3600)
    expect.seconds("C-e32-other", MARCH, counted=0, excluded=7200)


@case(33)
def a_move_in_time_voids_the_old_window_and_excludes_in_the_new(world: World, expect: Expected) -> None:
    # Moved exactly 48 hours before the new window: down an hour in each.
    down(world, "e33", ("02:00", "03:00"), ("22:00", "23:00"))
    told(world, "N-e33-1", "announce", "10T00:00", TWO_TO_FOUR)
    told(world, "N-e33-2", "move", "18T22:00", ("22:00", "23:00"))
    expect.seconds("C-e33", MARCH, counted=3600, excluded=3600)


@case(34)
def a_late_move_leaves_nothing_even_within_its_old_window(world: World, expect: Expected) -> None:
    down(world, "e34-move", TWO_TO_FOUR)
    told(world, "N-e34-move-1", "announce", "10T00:00", TWO_TO_FOUR)
    told(world, "N-e34-move-2", "move", "01:00", ("02:30", "03:30"))
    expect.seconds("C-e34-move", MARCH, counted=7200)
    expect.finding("N-e34-move-2", MARCH, "notice_too_late")


@case(34)
def a_cut_leaves_what_has_passed(world: World, expect: Expected) -> None:
    # Sent at 03:00 it leaves 02:30-03:30; 02:00-03:00 has passed: 02:00-03:30 = 5,400 s stay excluded.
    down(world, "e34-passed", TWO_TO_FOUR)
    told(world, "N-e34-passed-1", "announce", "10T00:00", TWO_TO_FOUR)
    told(world, "N-e34-passed-2", "cut", "03:00", ("02:30", "03:30"))
    expect.seconds("C-e34-passed", MARCH, counted=1800, excluded=5400)


@case(34)
def a_cut_revives_nothing_that_was_announced_late(world: World, expect: Expected) -> None:
    down(world, "e34-late", TWO_TO_FOUR)
    told(world, "N-e34-late-1", "announce", "19T00:00", TWO_TO_FOUR)
    told(world, "N-e34-late-2", "cut", "01:00", ("02:30", "03:30"))
    expect.seconds("C-e34-late", MARCH, counted=7200)
    expect.finding("N-e34-late-1", MARCH, "notice_too_late")


@case(35)
def an_extension_is_judged_by_the_window_that_it_carries(world: World, expect: Expected) -> None:
    # 47 hours before 02:00, but 49 before 04:00, where its own window begins.
    down(world, "e35", ("02:00", "05:00"))
    told(world, "N-e35-1", "announce", "18T02:00", TWO_TO_FOUR)
    told(world, "N-e35-2", "extend", "18T03:00", ("04:00", "05:00"))
    expect.seconds("C-e35", MARCH, counted=0, excluded=10800)


@case(42)
def an_emergency_that_is_called_scheduled_afterwards(world: World, expect: Expected) -> None:
    down(world, "e42", TWO_TO_FOUR)
    told(world, "N-e42-1", "announce", "10:00", TWO_TO_FOUR)
    expect.seconds("C-e42", MARCH, counted=7200)
    expect.finding("N-e42-1", MARCH, "notice_too_late")


@case(45)
def an_ai_provider_takes_down_what_is_no_core_service(world: World, expect: Expected) -> None:
    # Nothing to count, and so nothing to exclude.
    down(world, "e45", ("10:00", "11:00"), service="ai_replies")
    world.component("dashboard-e45", region="e45")
    explained(world, "e45", "third_party_ai", "10:00", "11:00", services=["ai_replies"])
    expect.seconds("C-e45", MARCH, counted=0, excluded=0)


@case(46)
def an_entry_that_runs_until_the_queue_is_drained(world: World, expect: Expected) -> None:
    down(world, "e46", ("10:00", "11:20"))
    explained(world, "e46", "third_party_messaging", "10:00", "11:20")
    expect.seconds("C-e46", MARCH, counted=0, excluded=4800)


@case(47)
def the_hosting_provider_is_no_category(world: World, expect: Expected) -> None:
    down(world, "e47", ("10:00", "11:00"))
    explained(world, "e47", "hosting_provider", "10:00", "11:00", object_name="e47")
    explained(world, "e47", "scheduled_maintenance", "10:00", "11:00", number=2, object_name="e47")
    for line in (1, 2):
        expect.quarantined("exclusions/e47.ndjson", line, "value_not_allowed")
    expect.seconds("C-e47", MARCH, counted=3600)


@case(49)
def what_is_approved_after_the_as_of_time_is_not_known_yet(world: World, expect: Expected) -> None:
    # `test_restatements` closes such a month again.
    down(world, "e49", ("10:00", "11:00"))
    explained(world, "e49", "force_majeure", "10:00", "11:00", approved_at="2026-04-20T00:00:00.000001Z")
    expect.seconds("C-e49", MARCH, counted=3600)
    expect.finding("X-e49-1", MARCH, "exclusion_approved_after_as_of")


@case(50)
def a_customers_own_line_that_names_no_customer(world: World, expect: Expected) -> None:
    down(world, "e50", ("10:00", "11:00"))
    explained(world, "e50", "customer_connectivity", "10:00", "11:00")
    expect.seconds("C-e50", MARCH, counted=3600)
    expect.finding("X-e50-1", MARCH, "exclusion_names_no_account")


@case(51)
def without_approver_or_evidence_it_is_reported(world: World, expect: Expected) -> None:
    down(world, "e51-unsound", ("10:00", "11:00"))
    explained(world, "e51-unsound", "third_party_meta", "10:00", "11:00", approved_by=None, approved_at=None)
    explained(world, "e51-unsound", "third_party_meta", "10:00", "11:00", number=2, evidence_url=None)
    expect.seconds("C-e51-unsound", MARCH, counted=3600)
    expect.finding("X-e51-unsound-1", MARCH, "exclusion_unapproved")
    expect.finding("X-e51-unsound-2", MARCH, "exclusion_without_evidence")


@case(51)
def a_revoked_entry_is_void_from_its_start(world: World, expect: Expected) -> None:
    down(world, "e51", ("10:00", "11:00"))
    explained(world, "e51", "third_party_meta", "10:00", "11:00", revoked_at=at("10:30"))
    expect.seconds("C-e51", MARCH, counted=3600)
    expect.finding("X-e51-1", MARCH, "exclusion_revoked")


@case(52)
def every_reason_of_a_minute_is_kept(world: World, expect: Expected) -> None:
    # 10:00-10:20 by one entry, 10:20-10:40 by both, 10:40-11:00 by the other.
    down(world, "e52", ("10:00", "11:00"))
    explained(world, "e52", "third_party_meta", "10:00", "10:40")
    explained(world, "e52", "force_majeure", "10:20", "11:00", number=2)
    for start, end, categories, entries in (
        ("10:00", "10:20", "third_party_meta", "X-e52-1"),
        ("10:20", "10:40", "force_majeure;third_party_meta", "X-e52-1;X-e52-2"),
        ("10:40", "11:00", "force_majeure", "X-e52-2"),
    ):
        expect.row(
            "fct_account_downtime",
            MARCH,
            "C-e52",
            kind="excluded",
            started_at=at(start),
            ended_at=at(end),
            categories=categories,
            source_ids=f"{entries};I-e52-1",
        )


@case(54)
def a_category_that_the_terms_do_not_list_is_reported(world: World, expect: Expected) -> None:
    world.terms("e54", exclusions=["force_majeure", "scheduled_maintenance"])
    down(world, "e54", ("10:00", "11:00"), terms_id="e54")
    explained(world, "e54", "third_party_meta", "10:00", "11:00")
    expect.seconds("C-e54", MARCH, counted=3600)
    expect.finding("X-e54-1", MARCH, "exclusion_category_not_in_terms")


@case("rule_X7")
def another_incident_of_our_own_wins_over_a_third_partys(world: World, expect: Expected) -> None:
    # Meta's outage 10:00-11:00 is explained; our own, of the same service, 10:30-10:45, is not: 900 s count.
    down(world, "x7", ("10:00", "11:00"), ("10:30", "10:45"))
    explained(world, "x7", "third_party_meta", "10:00", "11:00")
    expect.seconds("C-x7", MARCH, counted=900, excluded=2700)


@case("rule_X4")
def a_notice_that_is_exported_again_replaces_itself(world: World, expect: Expected) -> None:
    # Corrected to 03:00-04:00 by an object that sorts first and was exported later.
    down(world, "x4", TWO_TO_FOUR)
    told(world, "N-x4-1", "announce", "10T00:00", TWO_TO_FOUR, object_name="e-x4-b", exported_at=at("11T00:00"))
    told(world, "N-x4-1", "announce", "10T00:00", ("03:00", "04:00"), object_name="e-x4-a", exported_at=at("12T00:00"))
    expect.seconds("C-x4", MARCH, counted=3600, excluded=3600)
