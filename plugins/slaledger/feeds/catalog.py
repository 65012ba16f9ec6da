"""`catalog/`: monitors and components, as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slaledger.feeds import values
from slaledger.feeds.reasons import RowRejected


def monitor(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `catalog/monitors/` → `raw.monitors` (rules M2-M4, M7)."""
    locations = values.text(row, "locations", limit=values.MAX_TEXT_LENGTH).split(";")
    if not all(location.strip() for location in locations):
        raise RowRejected("missing_field", "`locations` holds an empty item")
    active_from = values.optional_instant(row, "active_from")
    active_until = values.optional_instant(row, "active_until")
    values.check_order(active_from, active_until, "active_from, active_until")
    return {
        "monitor_id": values.text(row, "monitor_id"),
        "service": values.text(row, "service"),
        "region": values.text(row, "region"),
        "locations": [values.as_text(location, "locations") for location in dict.fromkeys(locations)],
        "interval_seconds": values.seconds(row, "interval_seconds"),
        "stale_after_seconds": values.optional_seconds(row, "stale_after_seconds"),
        "confirm": values.optional_count(row, "confirm"),
        "quorum_min": values.optional_count(row, "quorum_min"),
        "active_from": active_from,
        "active_until": active_until,
    }


def component(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `catalog/components/` → `raw.components`."""
    return {
        "component_id": values.text(row, "component_id"),
        "name": values.text(row, "name", limit=values.MAX_TEXT_LENGTH),
        "service": values.text(row, "service"),
        "region": values.text(row, "region"),
    }
