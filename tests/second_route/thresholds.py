"""Scenes whose downtime comes to a tier's threshold exactly, or misses it by a microsecond."""

from __future__ import annotations

import math
from fractions import Fraction

from tests.second_route import exclusions, monitoring, status_page
from tests.second_route.terms_documents import Terms
from tests.second_route.world import CORE, HOUR, Scene, Span


def lay_out(scene: Scene, terms: Terms) -> None:
    """Downtime, excluded and unknown time such that uptime, one way or the other, lies at a threshold."""
    world = scene.world
    services = [service for service in terms.availability["core_services"] if service in CORE] or ["dashboard"]
    for service in services:
        status_page.component(scene, service)
    if not scene.measured:
        return
    base = sum(end - start for start, end in scene.measured)
    room = max(scene.measured, key=lambda span: span[1] - span[0])
    longest = room[1] - room[0]
    excluded = world.rng.randrange(1, 5 * HOUR) if world.chance(50) else 0
    if 3 * excluded > longest:
        return
    is_out_of_base = terms.availability.get("excluded_time") == "out_of_base"
    below = world.one(*(terms.tiers or [Fraction("99.9")]))
    threshold = (base - (excluded if is_out_of_base else 0)) * (100 - below) / 100
    down = world.one(math.floor(threshold), math.ceil(threshold)) + world.one(0, 0, -1, 1)
    sees_unknown = terms.availability["evidence"] in ("either", "monitoring")
    unknown = world.rng.randrange(1, down) if sees_unknown and down > 2 and world.chance(30) else 0
    lengths = [*_split(scene, down - unknown, terms.minimum_outage), excluded, unknown]
    gaps = len(lengths) + 1
    spare = longest - sum(lengths)
    if min(lengths) < 0 or spare < gaps * HOUR:
        return
    spans, at = [], room[0] + world.one(0, 0, world.rng.randrange(HOUR))
    for length in lengths:
        spans.append((at, at + length))
        at += length + world.rng.randrange(1, spare // gaps)
    downs = [span for span in spans[:-2] if span[0] < span[1]]
    if excluded:
        downs.append(spans[-2])
        _excuse(scene, terms, spans[-2])
    _realise(scene, terms, services, downs, [spans[-1]] if unknown else [])
    scene.moments += [at for span in spans for at in span]


def _split(scene: Scene, down: int, least: int) -> list[int]:
    """The downtime in one to three outages, none of them too short to count (D5)."""
    parts = scene.world.one(1, 1, 2, 3)
    least = max(least, 1)
    if parts == 1 or down < parts * least:
        return [down]
    cuts = sorted(scene.world.rng.randrange(down - parts * least + 1) for _ in range(parts - 1))
    return [end - start + least for start, end in zip([0, *cuts], [*cuts, down - parts * least], strict=True)]


def _excuse(scene: Scene, terms: Terms, span: Span) -> None:
    """An exclusion of the span, of a kind that the terms know, if they know any."""
    world = scene.world
    categories = [category for category in terms.document["exclusions"] if category != "customer_connectivity"]
    category = world.one(*categories) if categories else "force_majeure"
    if category != "scheduled_maintenance":
        exclusions.entry(scene, span=span, services=None, category=category)
        return
    channels = terms.document["maintenance"]["channels"]
    exclusions.notice(
        scene,
        f"mw-{scene.region}",
        "announce",
        sent_at=span[0] - terms.notice,
        window=span,
        component_ids=[component_id for component_id, _ in scene.components],
        account_ids=world.one(None, scene.account_ids),
        channel=world.one(*(channels or ["email"])),
    )


def _realise(scene: Scene, terms: Terms, services: list[str], downs: list[Span], unknowns: list[Span]) -> None:
    """Make the spans down, and unknown, by the evidence that the terms go by; of every service where all must be."""
    world = scene.world
    evidence = terms.availability["evidence"]
    hit = services if terms.availability.get("down_when") == "all" else [world.one(*services)]
    for component_id, service in scene.components:
        if service not in hit:
            continue
        seen = downs if evidence in ("monitoring", "both") else [span for span in downs if world.chance(50)]
        told = downs if evidence in ("status_page", "both") else [span for span in downs if span not in seen]
        if evidence == "either" and world.chance(20):
            told = downs
        if (seen and evidence != "status_page") or unknowns:
            monitoring.quiet_monitor(scene, service, seen, unknowns=unknowns)
        elif evidence == "either":
            told = downs
        for span in told:
            scene.calm.append(status_page.exact_incident(scene, component_id, span, is_critical=world.chance(25)))
