"""What objects say and how often; what cannot be read is quarantined, never guessed."""

from __future__ import annotations

from tests.edge_cases.cases import APRIL, MARCH, Expected, case
from tests.edge_cases.world import World

TWO, THREE, FOUR = (f"2026-03-20T0{hour}:00:00Z" for hour in (2, 3, 4))


@case(71)
def a_copy_counts_as_duplicates_and_speaks_as_of_its_own_object(world: World, expect: Expected) -> None:
    # First the window is 02:00-04:00, then 03:00-04:00; the latest export is a copy of the first.
    world.customer("e71")
    world.outage("e71", TWO, 7200)
    for name, exported_at, start in (
        ("e71-a", "2026-03-11T00:00:00Z", TWO),
        ("e71-b", "2026-03-12T00:00:00Z", THREE),
        ("e71-c", "2026-03-13T00:00:00Z", TWO),
    ):
        world.notice(
            "N-e71-1",
            "announce",
            "2026-03-10T00:00:00Z",
            (start, FOUR),
            "dashboard-e71",
            object_name=name,
            exported_at=exported_at,
        )
    expect.row("source_objects", "", "notices/e71-a.ndjson", rows_read=1, rows_loaded=1, rows_duplicate=0)
    expect.row("source_objects", "", "notices/e71-c.ndjson", rows_read=1, rows_loaded=0, rows_duplicate=1)
    expect.seconds("C-e71", MARCH, counted=0, excluded=7200)


@case(77)
def a_zero_byte_object_is_an_export_of_no_rows(world: World, expect: Expected) -> None:
    world.rows["exclusions/e77.ndjson"] = []
    expect.row(
        "source_objects",
        "",
        "exclusions/e77.ndjson",
        status="loaded",
        size_bytes=0,
        rows_read=0,
        rows_loaded=0,
        rows_quarantined=0,
    )


@case(78)
def instants_that_are_no_instants_are_rejected(world: World, expect: Expected) -> None:
    # 10 April 2026 10:00 UTC in seconds and in milliseconds, as numbers and as text, and as naive local time.
    world.customer("e78")
    world.watched("e78", {"fra": "uuu"})
    said = (1775815200, 1775815200000, "1775815200", "1775815200000", "2026-04-10T10:00:00", "10.04.2026 10:00")
    for line, checked_at in enumerate(said, start=1):
        check = {"monitor_id": "M-e78", "location": "fra", "checked_at": checked_at, "status": "down"}
        key = world.add("monitoring/checks", check, object_name="e78")
        expect.quarantined(key, line, "invalid_instant")
    expect.seconds("C-e78", APRIL, counted=0)


@case(79)
def ids_and_never_names_are_keys(world: World, expect: Expected) -> None:
    # Two accounts and two components of one name, broken in the same way; one of each pair was down.
    world.outage("e79-down", "2026-04-10T10:00:00Z", 3600)
    for name, counted in (("e79-down", 3600), ("e79-up", 0)):
        world.account(f"A-{name}", "MÃ¼nchner RÃ¼ck \N{REPLACEMENT CHARACTER}")
        world.contract(f"C-{name}", f"A-{name}", region=name)
        row = {"component_id": f"dashboard-{name}", "name": "DÃ¤shboard", "service": "dashboard", "region": name}
        world.add("catalog/components", row, object_name="e79")
        expect.month(f"C-{name}", APRIL, account_id=f"A-{name}", counted_seconds=counted)
