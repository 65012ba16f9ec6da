"""`catalog/monitors/` and `catalog/components/`."""

from __future__ import annotations

from slaledger.reperform.reading import fields
from slaledger.reperform.reading.rows import Fields, Unusable
from slaledger.reperform.records import Component, ExportObject, Monitor

MONITOR = ("monitor_id", "service", "region", "locations", "interval_seconds")
COMPONENT = ("component_id", "name", "service", "region")


def monitor(row: Fields, _: ExportObject) -> Monitor:
    """A monitor; stale after two intervals, a quorum of two locations, or of its only one (M2, M3, M4)."""
    listed = fields.text(row, "locations", longest=fields.LONGEST_NAME).split(";")
    if "" in (part.strip() for part in listed):
        raise Unusable("locations holds an empty one")
    locations = tuple(dict.fromkeys(fields.sound(part, "locations") for part in listed))
    interval = fields.seconds(row, "interval_seconds")
    active_from = fields.optional_instant(row, "active_from")
    active_until = fields.optional_instant(row, "active_until")
    fields.check_order(active_from, active_until, "active_until")
    return Monitor(
        monitor_id=fields.text(row, "monitor_id"),
        service=fields.text(row, "service"),
        region=fields.text(row, "region"),
        locations=locations,
        interval=interval,
        stale_after=fields.optional_seconds(row, "stale_after_seconds") or 2 * interval,
        confirm=fields.optional_count(row, "confirm") or 1,
        quorum_min=fields.optional_count(row, "quorum_min") or min(2, len(locations)),
        active_from=active_from,
        active_until=active_until,
    )


def component(row: Fields, _: ExportObject) -> Component:
    """A component."""
    fields.text(row, "name", longest=fields.LONGEST_NAME)
    return Component(
        component_id=fields.text(row, "component_id"),
        service=fields.text(row, "service"),
        region=fields.text(row, "region"),
    )
