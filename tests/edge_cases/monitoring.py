"""What probes can and cannot say; lines 61 to 68 are in the story `monitoring-quality`."""

from __future__ import annotations

from tests.edge_cases.cases import APRIL, Expected, case
from tests.edge_cases.world import World


@case(21)
def two_failures_of_three_are_up_and_reported(world: World, expect: Expected) -> None:
    # Down at 10:05, :06 and :07 is confirmed from the first: 180 s; down at 10:10 and :11 is not.
    world.customer("e21")
    world.watched("e21", {"fra": "uuuuudddudduuu"}, confirm=3)
    expect.seconds("C-e21", APRIL, counted=180)
    expect.segments("C-e21", APRIL, ("counted", "10T10:05", "10T10:08", "dashboard", "M-e21"))
    expect.finding("M-e21", APRIL, "unconfirmed_failure")


@case(62)
def a_range_that_reaches_a_tier_is_held(world: World, expect: Expected) -> None:
    # Silent from 10:00 to 11:00: 58 min = 3,480 s; as downtime they were 99.8657… %, under 99.9.
    world.customer("e62")
    world.watched("e62", {"fra": "u" + "." * 59 + "u"})
    expect.month(
        "C-e62",
        APRIL,
        unknown_seconds=3480,
        uptime_percent=100,
        uptime_percent_low="99.865740740740",
        status="held",
        reason="unknown_time_changes_tier",
    )
    expect.credit("C-e62", APRIL, credit_percent=None, amount=None, status="held")
    expect.segments("C-e62", APRIL, ("unknown", "10T10:02", "10T11:00", "dashboard", "M-e62"))


@case(69)
def a_check_from_the_future_is_quarantined(world: World, expect: Expected) -> None:
    # Exported at 10:10: the up check of 10:15 is 5 min late and speaks, the down check of 10:16 is 6 min late.
    world.customer("e69")
    key = world.watched("e69", {"fra": "u" * 16 + "d"}, object_name="e69", exported_at="2026-04-10T10:10:00Z")
    expect.quarantined(key, 17, "future_check")
    # The check of 10:15 holds until 10:17, where the monitor ends.
    expect.seconds("C-e69", APRIL, counted=0, unknown=0)


@case(70)
def a_new_location_counts_from_its_first_result(world: World, expect: Expected) -> None:
    # Frankfurt is down 10:01-10:07; Singapore speaks from 10:04 on, down: until then 1 of 2 is no majority.
    world.customer("e70")
    world.watched("e70", {"fra": "udddddduu", "nyc": "uuuuuuuuu", "sin": "....ddduu"})
    expect.seconds("C-e70", APRIL, counted=180)
    expect.segments("C-e70", APRIL, ("counted", "10T10:04", "10T10:07", "dashboard", "M-e70"))


@case(66)
def below_the_quorum_even_agreeing_locations_are_unknown(world: World, expect: Expected) -> None:
    # `quorum_min` 3: two of three report for three minutes, both up; the third's check of 10:00 holds until 10:02.
    world.customer("e66-three")
    world.watched("e66-three", {"fra": "uuuuuu", "nyc": "uuuuuu", "sin": "u....u"}, quorum_min=3)
    expect.seconds("C-e66-three", APRIL, counted=0, unknown=180)


@case(62)
def a_range_that_does_not_reach_a_tier_is_not_held(world: World, expect: Expected) -> None:
    # Silent from 10:00 to 10:30: 28 min = 1,680 s unknown; as downtime it were 99.935185…, not under 99.9.
    world.customer("e62-short")
    world.watched("e62-short", {"fra": "u" + "." * 29 + "u"})
    expect.month(
        "C-e62-short",
        APRIL,
        unknown_seconds=1680,
        uptime_percent=100,
        uptime_percent_low="99.935185185185",
        status="measured",
    )


@case(76)
def a_day_without_checks_is_unknown(world: World, expect: Expected) -> None:
    # 24 h between two checks, less the two minutes that the first holds: 86,280 s; as downtime they were 96.67… %.
    world.customer("e76")
    world.watched("e76", {"fra": "u" + "." * 1439 + "u"})
    expect.month("C-e76", APRIL, counted_seconds=0, unknown_seconds=86280, status="held")


@case(68)
def flapping_that_is_never_confirmed_is_up(world: World, expect: Expected) -> None:
    # Down every other minute of an hour, `confirm` 2: each streak is one check too short.
    world.customer("e68-confirm")
    world.watched("e68-confirm", {"fra": "du" * 30}, confirm=2)
    expect.seconds("C-e68-confirm", APRIL, counted=0)
