"""From a seed to a world: scenes of chaos, of outages that hit a tier's threshold to the microsecond, of stories."""

from __future__ import annotations

import random

from tests.second_route import (
    claims,
    contracts,
    exclusions,
    monitoring,
    status_page,
    stories,
    terms_documents,
    thresholds,
    tickets,
    zendesk,
)
from tests.second_route.terms_documents import Terms
from tests.second_route.world import DAY, HOUR, MONTHS, SERVICES, Scene, Span, World, month_bounds

SCENES_PER_PAGE = 15


def generate(seed: int, *, account_months: int, ticket_count: int) -> World:
    """The world of a seed: at least so many contracts, and so many tickets."""
    rng = random.Random(seed)
    month = MONTHS[seed % len(MONTHS)]
    world = World(seed=seed, month=month, as_of=_as_of(rng, month), rng=rng)
    known = terms_documents.make(world, rng.randint(30, 60))
    scenes: list[Scene] = []
    while len(world.rows["accounts/contracts"]) < account_months:
        if len(scenes) % SCENES_PER_PAGE == 0:
            summaries = _summaries(world)
        scenes.append(_scene(world, len(scenes), known, summaries))
    monitoring.make_global(world, scenes[-1])
    for first in range(0, len(scenes), SCENES_PER_PAGE):
        page = scenes[first : first + SCENES_PER_PAGE]
        status_page.publish(
            world,
            f"page-{first}",
            calm=[incident for scene in page for incident in scene.calm],
            wild=[incident for scene in page for incident in scene.wild],
            silent=[incident for scene in page for incident, _ in scene.silent],
            summaries={told_at: stories.listed_at(page, told_at) for told_at in page[0].summaries},
            maintenances=[each for scene in page for each in scene.maintenances],
            end=page[0].end,
        )
    monitoring.make_strangers(world, scenes[-1].start)
    exclusions.make_strangers(world, scenes[-1])
    contracts.make_strangers(world)
    claims.make_strangers(world)
    # Two in five are Zendesk's.
    others = zendesk.make(world, ticket_count * 2 // 5)
    tickets.make(world, ticket_count - len(others), others=others)
    return world


def _as_of(rng: random.Random, month: str) -> int:
    """Mostly when claims are decided or still open; at bounds to the microsecond; now and then before the end."""
    start, end = month_bounds(month, rng.choice(("UTC", "America/New_York", "Asia/Kolkata")))
    roll = rng.random()
    if roll < 0.45:
        return end + 25 * DAY
    if roll < 0.65:
        return end + rng.randrange(DAY, 9 * DAY)
    if roll < 0.85:
        return end + 10 * DAY + rng.choice((-1, 0, 1))
    return rng.choice((end, end - 1, end + 1, rng.randrange(start, end)))


def _summaries(world: World) -> Span:
    """Two instants late in the month, or just before the as-of time, at which the summaries of a page speak (S5)."""
    start, end = month_bounds(world.month, "UTC")
    end = min(end, world.as_of)
    last = end - world.rng.randrange(HOUR, max((end - start) // 4, 2 * HOUR))
    return last - world.one(1, HOUR, DAY), last


def _scene(world: World, number: int, known: list[Terms], summaries: Span) -> Scene:
    terms = known[world.rng.randrange(3)] if world.chance(25) else world.rng.choice(known[3:])
    start, end = month_bounds(world.month, terms.zone)
    scene = Scene(world=world, number=number, zone=terms.zone, start=start, end=end, summaries=summaries)
    (kind,) = world.rng.choices((_chaos, thresholds.lay_out, stories.lay_out), (35, 30, 35))
    scene.is_exact = kind is not _chaos
    scene.lengths = [length for length in (terms.minimum_outage, terms.notice) if length]
    others = [terms, *world.rng.sample(known, 2)]
    for account_number in range(world.one(1, 1, 1, 2, 2, 3)):
        contracts.contracts_of(scene, others[account_number % 2 :], account_number)
    for account_id in scene.account_ids:
        claims.claims_of(scene, account_id, terms)
    kind(scene, terms)
    return scene


def _chaos(scene: Scene, terms: Terms) -> None:
    """Some of everything, at instants that collide."""
    world = scene.world
    for service in world.some(SERVICES, least=0 if world.chance(20) else 1):
        status_page.component(scene, service)
    services = [service for _, service in scene.components] or ["dashboard"]
    for _ in range(world.one(0, 1, 1, 2)):
        monitoring.busy_monitor(scene, world.one(*services, *SERVICES))
    if scene.components:
        for _ in range(world.one(0, 1, 1, 2, 3)):
            scene.wild.append(status_page.any_incident(scene))
        if world.chance(5):
            scene.maintenances.append(status_page.maintenance(scene, scene.components[0][0]))
        for _ in range(world.one(0, 0, 1, 2)):
            exclusions.maintenance(scene, terms)
    for _ in range(world.one(0, 0, 1, 1, 2, 3)):
        exclusions.any_entry(scene)
