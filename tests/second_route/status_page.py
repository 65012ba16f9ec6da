"""The status page: incidents told by updates or by their impact, in documents that correct, withdraw and resolve."""

from __future__ import annotations

import itertools
from typing import Any

from tests.second_route.world import DAY, HOUR, MINUTE, Row, Scene, World

NEW_STATUSES = (
    "operational",
    "degraded_performance",
    "partial_outage",
    "major_outage",
    "major_outage",
    "under_maintenance",
)


def component(scene: Scene, service: str) -> str:
    """A component of the scene's region, in the catalog."""
    component_id = f"c-{scene.region}-{service}-{len(scene.components)}"
    scene.world.add(
        "catalog/components", component_id=component_id, name=service.title(), service=service, region=scene.region
    )
    scene.components.append((component_id, service))
    return component_id


def incident(
    scene: Scene,
    *,
    updates: list[tuple[int, str, dict[str, str]]],
    component_ids: list[str],
    impact: str = "major",
    created_at: int | None = None,
    started_at: int | None = None,
    resolved_at: int | None = None,
    status: str | None = None,
) -> Row:
    """An incident as the page serves it, its newest update first."""
    world = scene.world
    incident_id = f"i-{scene.region}-{len(scene.incident_ids)}"
    scene.incident_ids.append(incident_id)
    told = []
    for number, (at, update_status, changes) in enumerate(updates):
        is_displayed = world.chance(30)
        update = {
            "id": f"{incident_id}-u{number}",
            "status": update_status,
            "created_at": world.text(at + (world.rng.randrange(HOUR) if is_displayed else 0)),
            "body": "told to nobody",
            "affected_components": [{"code": code, "name": "x", "new_status": to} for code, to in changes.items()]
            or None,
        }
        told.append(update | ({"display_at": world.text(at)} if is_displayed else {}))
    created = created_at if created_at is not None else updates[0][0]
    return {
        "id": incident_id,
        "name": "an incident",
        "status": status or (updates[-1][1] if updates else "investigating"),
        "impact": impact,
        "created_at": world.text(created),
        "started_at": world.text(started_at),
        "resolved_at": world.text(resolved_at),
        "components": [{"id": each, "name": "x"} for each in component_ids],
        "incident_updates": told[::-1],
    }


def exact_incident(scene: Scene, component_id: str, span: tuple[int, int], *, is_critical: bool = False) -> Row:
    """An incident that puts one component down for one span, to the microsecond."""
    start, end = span
    if is_critical:
        return incident(
            scene,
            updates=[(start, "investigating", {}), (end, "resolved", {})],
            component_ids=[component_id],
            impact="critical",
            started_at=start,
            resolved_at=scene.world.one(end, None),
        )
    return incident(
        scene,
        updates=[
            (start, "investigating", {component_id: "major_outage"}),
            (end, "resolved", {component_id: "operational"}),
        ],
        component_ids=[component_id],
        resolved_at=scene.world.one(end, end, None),
    )


def any_incident(scene: Scene) -> Row:
    """One with updates at instants that matter: cut short, left open, contradicting itself."""
    world = scene.world
    ids = [component_id for component_id, _ in scene.components]
    listed = world.some(ids, least=0 if world.chance(5) else 1)
    times = sorted({scene.pick() for _ in range(world.one(0, 1, 2, 3))} | set(scene.span(HOUR, 10 * HOUR)))
    scene.outages += itertools.pairwise(times)
    is_told = world.chance(75)
    updates: list[tuple[int, str, dict[str, str]]] = []
    for number, at in enumerate(times):
        changes = {each: world.one(*NEW_STATUSES) for each in listed if world.chance(70)} if is_told else {}
        if number == len(times) - 1 and world.chance(75):
            status = "resolved"
            changes = dict.fromkeys(changes, "operational") if world.chance(60) else changes
        else:
            status = world.one("investigating", "identified", "monitoring")
        updates.append((at, status, changes))
    is_resolved = updates[-1][1] == "resolved"
    if is_resolved and world.chance(15):
        updates.append(
            (times[-1] + world.one(1, HOUR), "postmortem", {ids[0]: "major_outage"} if ids and is_told else {})
        )
    resolved_at = None
    if is_resolved and world.chance(70):
        resolved_at = world.one(times[-1], times[-1], scene.pick(), times[-1] - 1)
    elif world.chance(10):
        resolved_at = scene.pick()
    if world.chance(15):
        world.rng.shuffle(updates)
    return incident(
        scene,
        updates=updates,
        component_ids=listed,
        impact=world.one("none", "minor", "major", "critical", "critical"),
        created_at=world.one(times[0], times[0] - MINUTE, scene.pick()),
        started_at=world.one(None, times[0], scene.pick()),
        resolved_at=resolved_at,
        status=world.one(*(["resolved", "postmortem"] if is_resolved else ["investigating", "monitoring", "resolved"])),
    )


def maintenance(scene: Scene, component_id: str) -> Row:
    """A scheduled maintenance on the page, which never makes downtime (S2) and never excludes (edge 36)."""
    world, (start, end) = scene.world, scene.span(HOUR)
    return {
        "id": f"x-{scene.region}-{world.rng.randrange(10**9)}",
        "status": world.one("scheduled", "in_progress", "completed"),
        "impact": world.one("maintenance", "critical"),
        "created_at": world.text(start - DAY),
        "scheduled_for": world.text(start),
        "scheduled_until": world.text(end),
        "components": [{"id": component_id, "name": "x"}],
        "incident_updates": [
            {
                "id": f"x-{world.rng.randrange(10**9)}",
                "status": "in_progress",
                "created_at": world.text(start),
                "affected_components": [{"code": component_id, "new_status": "major_outage"}],
            }
        ],
    }


def publish(
    world: World,
    page_id: str,
    *,
    calm: list[Row],
    wild: list[Row],
    silent: list[Row],
    summaries: dict[int, list[Row]],
    maintenances: list[Row],
    end: int,
) -> None:
    """The documents of a page: each later one corrects, withdraws or resolves some of the `wild` incidents.

    `summaries` list some of the `silent` ones each, at their instants, whenever they are exported (S5).
    """
    exported = end + world.one(DAY, 20 * DAY)

    def incidents(told: list[Row], *, is_complete: bool, names_silent: bool = True) -> None:
        # Whatever such a list names is open as late as it says to be from, else when it was exported.
        early, late = min(summaries) - DAY, world.one(*summaries)
        told_at = world.one(None, early, early, early, late + world.one(-1, 0), exported)
        if not names_silent:
            told_at = late - world.one(1, MINUTE)
        listed = [*told, *silent] if names_silent else told
        _document(world, page_id, "incidents", listed, exported, is_complete=is_complete, updated_at=told_at)

    incidents([*calm, *wild], is_complete=world.chance(60))
    for _ in range(world.one(0, 0, 1, 1, 2)):
        exported += world.one(1, MINUTE, DAY)
        kept = [_corrected(world, each) if world.chance(15) else each for each in wild if world.chance(80)]
        is_complete = world.chance(50)
        # What a list lacks that is not complete says nothing.
        incidents([*calm, *kept], is_complete=is_complete, names_silent=is_complete or world.chance(50))
    if maintenances:
        _document(world, page_id, "scheduled_maintenances", maintenances, exported, is_complete=world.chance(50))
    for told_at, listed in summaries.items():
        _document(world, page_id, "summary", listed, exported + world.one(-30 * DAY, DAY), updated_at=told_at)
    for _ in range(world.one(0, 1, 1, 2)):
        # What is open at some instant of the month, as a summary of then lists it (S5).
        moment = world.rng.randrange(end - 31 * DAY, end + DAY)
        still_open = [each for each in wild if each["status"] not in ("resolved", "postmortem") and world.chance(50)]
        _document(world, page_id, "summary", still_open, exported + world.one(-DAY, DAY), updated_at=moment)


def _corrected(world: World, told: Row) -> Row:
    """The same incident as a later export tells it."""
    changed = dict(told)
    changed["impact"] = world.one("minor", "critical", told["impact"])
    updates: list[Any] = [update for update in told["incident_updates"] if world.chance(85)]
    changed["incident_updates"] = updates
    if world.chance(20):
        changed["resolved_at"] = told["created_at"]
    return changed


def _document(
    world: World,
    page_id: str,
    kind: str,
    items: list[Row],
    exported_at: int,
    *,
    is_complete: bool = False,
    updated_at: int | None = None,
) -> None:
    page: Row = {"id": page_id, "name": "page", "updated_at": world.text(updated_at)}
    name = "incidents" if kind == "summary" else kind
    body: Row = {"page": page, name: items}
    if kind == "summary":
        body |= {"status": {"indicator": "none"}, "components": [], "scheduled_maintenances": []}
    world.page_documents.append({"body": body, "exported_at": exported_at, "is_complete": is_complete})
