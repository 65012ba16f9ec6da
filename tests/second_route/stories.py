"""Scenes of stories: hours apart, each at the very edge of one rule, where nothing else decides."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.second_route import exclusions, monitoring, status_page
from tests.second_route.terms_documents import CATEGORIES, Terms
from tests.second_route.world import CORE, DAY, HOUR, MINUTE, SECOND, Row, Scene, Span

SLOT = 8 * HOUR
MAJOR, OPERATIONAL = "major_outage", "operational"


@dataclass
class Stage:
    """What the stories of a scene play on: the services that must be down together for the account to be down."""

    scene: Scene
    terms: Terms
    services: list[str]
    seen: dict[tuple[str, int], list[Span]] = field(default_factory=lambda: defaultdict(list))
    unsure: dict[tuple[str, int], list[Span]] = field(default_factory=lambda: defaultdict(list))

    @property
    def component_ids(self) -> list[str]:
        return [component_id for component_id, service in self.scene.components if service in self.services]

    def down(self, span: Span, *, monitor: int = 0) -> None:
        """All of them are down for the span, by the evidence that the terms go by."""
        evidence = self.terms.availability["evidence"]
        by_monitors = evidence in ("monitoring", "both") or (evidence == "either" and self.scene.world.chance(50))
        if by_monitors:
            self.watch(span, monitor=monitor)
        if not by_monitors or evidence == "both":
            self.declare(span)

    def watch(self, span: Span, *, monitor: int = 0) -> None:
        """Monitors of all of them see the span."""
        for service in self.services:
            self.seen[service, monitor].append(span)

    def declare(self, span: Span) -> str:
        """An incident that puts all of them down for the span; its id."""
        ids = self.component_ids
        updates = [
            (span[0], "investigating", dict.fromkeys(ids, MAJOR)),
            (span[1], "resolved", dict.fromkeys(ids, OPERATIONAL)),
        ]
        told = status_page.incident(self.scene, updates=updates, component_ids=ids, resolved_at=span[1])
        self.scene.calm.append(told)
        return told["id"]


def lay_out(scene: Scene, terms: Terms) -> None:
    """Up to eight stories in the month, before the as-of time if they can be; those that leave something open last."""
    world = scene.world
    core = [service for service in terms.availability["core_services"] if service in CORE] or ["dashboard"]
    for service in core:
        status_page.component(scene, service)
    hit = core if terms.availability.get("down_when") == "all" else [world.one(*core)]
    stage = Stage(scene, terms, hit)
    start, end = max(scene.measured, key=lambda span: span[1] - span[0], default=(scene.start, scene.end))
    if start < world.as_of < end:
        end = world.as_of
    slots = range(int((end - start) // SLOT))
    for slot in sorted(world.rng.sample(slots, min(len(slots), world.one(3, 5, 8)))):
        world.one(own_fault, own_fault, taken_away, taken_away, brief, brief, reopened)(
            stage, start + slot * SLOT + HOUR + world.rng.randrange(2 * HOUR)
        )
    if terms.minimum_outage and world.chance(50):
        across(stage)
    silent(stage)
    if world.chance(30):
        reopened(stage, end - world.rng.randrange(HOUR, 5 * HOUR), is_left_open=True)
    for service, monitor in sorted(stage.seen.keys() | stage.unsure.keys()):
        spans = stage.seen[service, monitor], stage.unsure[service, monitor]
        monitoring.quiet_monitor(scene, service, sorted(spans[0]), unknowns=sorted(spans[1]))


def own_fault(stage: Stage, at: int) -> None:
    """X7: of two incidents at once a sound entry explains the first; one that may have one fault, the second."""
    scene, world = stage.scene, stage.scene.world
    span, second = (at, at + HOUR), (at + 10 * MINUTE, at + 40 * MINUTE)
    allowed = [each for each in stage.terms.document["exclusions"] if each in CATEGORIES]
    if not allowed:
        return
    if stage.terms.availability["evidence"] in ("monitoring", "both"):
        stage.watch(span)
    explained = {"incident_ids": [stage.declare(span)], "account_ids": scene.account_ids}
    exclusions.entry(scene, span=span, category=world.one(*allowed), **explained)
    theirs = stage.declare(second)
    sound: dict[str, Any] = {
        "incident_ids": [theirs],
        "account_ids": scene.account_ids,
        "category": world.one(*allowed),
        "services": world.one(None, stage.services),
    }
    fault, its_span = _fault(stage, second)
    exclusions.entry(scene, span=its_span, **(sound | fault))


def _fault(stage: Stage, span: Span) -> tuple[dict[str, Any], Span]:
    """What is wrong with an entry, if anything, and the span that it has."""
    scene, world = stage.scene, stage.scene.world
    (start, end), middle = span, (span[0] + span[1]) // 2
    refused = [each for each in CATEGORIES if each not in stage.terms.document["exclusions"]]
    if refused and world.chance(25):
        return {"category": world.one(*refused)}, span
    roll = world.rng.randrange(14)
    if roll < 5:
        faults: list[dict[str, Any]] = [
            {},
            {"evidence_url": world.one(None, "")},
            {"account_ids": world.one(["nobody-9"], scene.account_ids[:1])},
            {"services": ["fax"]},
            {"regions": world.one(["global"], ["atlantis"])},
        ]
        return faults[roll], span
    if roll < 9:
        spans = [(start, middle), (middle, end), (start + 1, end), (start, end - 1)]
        return {}, world.one(*spans, (start - HOUR, start), (end, end + HOUR))
    as_of, author = world.as_of, world.one("ann", "ANN ")
    others = [
        {"revoked_at": world.text(world.one(start, scene.start, as_of, as_of + 1))},
        {"approved_by": author},
        {"approved_at": world.text(world.one(as_of, as_of + 1))},
        {"category": "customer_connectivity", "account_ids": world.one(None, scene.account_ids)},
        {"incident_ids": world.one([], ["i-nobody"])},
    ]
    return others[roll - 9], span


def taken_away(stage: Stage, at: int) -> None:
    """X4: an announced window that is cancelled, cut or moved at its bounds and within, to these or to others."""
    scene, world, terms = stage.scene, stage.scene.world, stage.terms
    start, end = window = (at, at + 2 * HOUR)
    middle = at + HOUR
    stage.down((start - 20 * MINUTE, end + 20 * MINUTE))
    maintenance_id = f"mw-{scene.region}-{len(world.rows['notices'])}"
    announced_at = start - terms.notice + world.one(0, 0, 0, -DAY, 1)
    accepted = terms.document["maintenance"]["channels"] or ["email"]
    exclusions.notice(
        scene,
        maintenance_id,
        "announce",
        sent_at=announced_at,
        window=window,
        component_ids=stage.component_ids,
        account_ids=scene.account_ids,
        channel=world.one(*accepted),
    )
    edges = (start - 1, start, start + 1, end - 1, end, end + 1)
    for _ in range(world.one(1, 1, 2)):
        action = world.one("cancel", "cut", "move")
        sent_at = world.one(*edges, middle, middle - MINUTE, announced_at, announced_at + 1, start - HOUR)
        windows: dict[str, Span | None] = {
            "cancel": None,
            "cut": world.one((start, middle), (middle, end), (start + 1, end - 1), (start - HOUR, end + HOUR)),
            "move": world.one((start + HOUR, end + HOUR), (end + 1, end + HOUR), (start - HOUR, middle)),
        }
        exclusions.notice(
            scene,
            maintenance_id if world.chance(95) else f"{maintenance_id}-other",
            action,
            sent_at=sent_at,
            window=windows[action],
            component_ids=world.one(stage.component_ids, stage.component_ids, ["c-unknown"]),
            account_ids=world.one(scene.account_ids, scene.account_ids, None, ["nobody-10"], scene.account_ids[:1]),
            channel=world.one("email", "in_app", "status_page"),
        )


def brief(stage: Stage, at: int) -> None:
    """D5: an outage of the minimum to the microsecond: alone, joined, parted, beside the unknown, or excluded."""
    scene, world = stage.scene, stage.scene.world
    least = stage.terms.minimum_outage
    if not least:
        return
    end = at + least + world.one(0, 0, -1, 1)
    cut = world.rng.randrange(at + 1, end)
    match world.rng.randrange(6):
        case 0:
            stage.down((at, end))
        case 1:
            # Seen by one, then by another, with or without a gap, or with a microsecond of both.
            stage.down((at, cut))
            stage.down((cut + world.one(0, 0, 1, -1) if cut - 1 > at else cut, end + 1), monitor=1)
        case 2:
            # Of another service, which joins nothing.
            stage.down((at, cut))
            others = [service for _, service in scene.components if service not in stage.services]
            for service in others[:1]:
                Stage(scene, stage.terms, [service], stage.seen).down((cut, end + HOUR), monitor=2)
        case 3:
            stage.down((at, end))
            for service in stage.services:
                stage.unsure[service, 1].append((end, end + world.one(1, SECOND, least)))
        case 4:
            stage.down((at, end))
            allowed = [each for each in stage.terms.document["exclusions"] if each in CATEGORIES]
            span = world.one((at, cut), (cut, end), (at, end))
            exclusions.entry(
                scene, span=span, category=world.one(*(allowed or CATEGORIES)), account_ids=scene.account_ids
            )
        case 5:
            # Another outage, as short, a microsecond later.
            stage.down((at, end))
            stage.down((end + 1, end + 1 + least - world.one(0, 1)), monitor=1)


def across(stage: Stage) -> None:
    """D5: such an outage across an end of the month, or the change of the terms."""
    world, least = stage.scene.world, stage.terms.minimum_outage
    edge = world.one(stage.scene.start, stage.scene.end, *stage.terms.changes)
    start = edge - world.one(1, least // 2, least - 1)
    stage.down((start, start + world.one(least, SECOND, MINUTE, 5 * MINUTE, HOUR) + world.one(0, 0, -1, 1)), monitor=3)


def reopened(stage: Stage, at: int, *, is_left_open: bool = False) -> None:
    """S1, S2: resolved, then not, then maybe again, with what its updates set around it."""
    scene, world = stage.scene, stage.scene.world
    ids = stage.component_ids
    times = [at, at + HOUR, at + HOUR + world.one(1, MINUTE, HOUR), at + 3 * HOUR]
    is_told = world.chance(75)

    def setting(*statuses: str | None) -> dict[str, str]:
        status = world.one(*statuses)
        return dict.fromkeys(ids, status) if status and is_told else {}

    updates = [
        (times[0], "investigating", setting(MAJOR)),
        (times[1], "resolved", setting(OPERATIONAL, None, None, MAJOR)),
        (
            times[2],
            world.one("investigating", "identified"),
            setting(MAJOR, MAJOR, None, "partial_outage", OPERATIONAL),
        ),
    ]
    if world.chance(30):
        updates.append((times[2] + world.one(0, 1, MINUTE), "monitoring", setting(MAJOR, OPERATIONAL)))
    if not is_left_open:
        updates.append((times[3], "resolved", setting(OPERATIONAL, None)))
    if not is_left_open and world.chance(30):
        # Too late to be told, even where nothing else was: the impact speaks (S2).
        updates.append((times[3] + world.one(1, HOUR), "postmortem", world.one(dict.fromkeys(ids, MAJOR), {})))
    if stage.terms.availability["evidence"] == "both":
        stage.watch((at - HOUR, at + 4 * HOUR))
    scene.calm.append(
        status_page.incident(
            scene,
            updates=updates,
            component_ids=ids,
            impact=world.one("critical", "critical", "major") if not is_told else "major",
            started_at=world.one(None, at, at - MINUTE),
            # Of its first resolution, too, as if it had not been touched since.
            resolved_at=world.one(times[1], None) if is_left_open else world.one(times[3], times[1], None, None),
        )
    )


def silent(stage: Stage) -> None:
    """S5: incidents that nobody resolves but summaries by their silence, or that these go on listing."""
    scene, world = stage.scene, stage.scene.world
    first, last = scene.summaries
    ids = stage.component_ids
    for _ in range(world.one(0, 1, 1)):
        told_at = world.one(first, last)
        latest = told_at + world.one(0, 0, -1, 1, -MINUTE, -HOUR)
        start = latest - world.one(HOUR, 2 * HOUR)
        updates = [(start, "investigating", dict.fromkeys(ids, MAJOR)), (latest, "identified", {})]
        if world.chance(20):
            # It says itself when it was resolved.
            updates.append((latest + world.one(1, HOUR), "resolved", {}))
        row = status_page.incident(scene, updates=updates, component_ids=ids)
        scene.silent.append((row, world.one((), (), (first,), (last,))))
        if stage.terms.availability["evidence"] == "both":
            stage.watch((start - HOUR, last + HOUR), monitor=4)


def listed_at(scenes: list[Scene], told_at: int) -> list[Row]:
    """The incidents that a summary of these scenes' page lists at an instant."""
    return [row for scene in scenes for row, listed in scene.silent if told_at in listed]
