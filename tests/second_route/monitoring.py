"""Monitors and their checks: streaks, gaps, ties of a quorum and conflicts, each hit exactly and missed by 1 µs."""

from __future__ import annotations

from tests.second_route.world import DAY, HOUR, MINUTE, SECOND, Scene, Span, World

STATUSES = ("up", "up", "up", "down", "down", "degraded", "unknown")
STEP_KINDS = ("interval", "interval", "stale", "over", "under", "random")


def seconds(length: int) -> str:
    """Microseconds as the catalog spells seconds."""
    whole, rest = divmod(length, SECOND)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")


def monitor(
    world: World,
    monitor_id: str,
    *,
    service: str,
    region: str,
    locations: list[str],
    interval: int,
    stale_after: int | None = None,
    confirm: int | None = None,
    quorum_min: int | None = None,
    active: tuple[int | None, int | None] = (None, None),
) -> None:
    """A row of the catalog."""
    world.add(
        "catalog/monitors",
        monitor_id=monitor_id,
        service=service,
        region=region,
        locations=";".join(locations),
        interval_seconds=seconds(interval),
        stale_after_seconds=None if stale_after is None else seconds(stale_after),
        confirm=None if confirm is None else str(confirm),
        quorum_min=None if quorum_min is None else str(quorum_min),
        active_from=world.text(active[0]),
        active_until=world.text(active[1]),
    )


def check(world: World, monitor_id: str, location: str, at: int, status: str) -> None:
    world.add("monitoring/checks", monitor_id=monitor_id, location=location, checked_at=at, status=status)


def quiet_monitor(scene: Scene, service: str, downs: list[Span], *, unknowns: list[Span] = ()) -> None:
    """One that is up all month but for spans, which it tells to the microsecond, by few checks."""
    world = scene.world
    monitor_id = f"m-{scene.region}-{service}-{len(world.rows['catalog/monitors'])}"
    stale_after = 50 * DAY
    monitor(
        world,
        monitor_id,
        service=service,
        region=scene.region,
        locations=["fra"],
        interval=HOUR,
        stale_after=stale_after,
    )
    check(world, monitor_id, "fra", scene.start - 5 * DAY, "up")
    for spans, status in ((downs, "down"), (unknowns, "unknown")):
        for start, end in spans:
            check(world, monitor_id, "fra", start, status)
            check(world, monitor_id, "fra", end, "up")
            if status == "down" and world.chance(50):
                for _ in range(3):
                    check(world, monitor_id, "fra", world.rng.randrange(start, end), "down")


def busy_monitor(scene: Scene, service: str, *, region: str | None = None) -> None:
    """One that flaps for some hours, watched from one to four locations; absent before and after, mostly."""
    world = scene.world
    monitor_id = f"m-{region or scene.region}-{service}-{len(world.rows['catalog/monitors'])}"
    locations = ["fra", "iad", "sin", "syd"][: world.one(1, 1, 2, 3, 4)]
    interval = world.one(MINUTE, MINUTE, 5 * MINUTE, HOUR, 90 * SECOND + 1)
    stale_after = world.one(None, None, 2 * interval, 3 * interval + 1, DAY, interval // 2)
    limit = stale_after or 2 * interval
    start = scene.pick()
    ends = [_checks(scene, monitor_id, location, start, interval, limit) for location in locations]
    last = max(ends) + world.one(0, 1, limit, limit + 1, interval)
    is_endless = world.chance(6)
    active_from = None if is_endless else start + world.one(0, 0, 0, 1, -1, interval, -HOUR)
    active_until = None if is_endless else max(last, (active_from or 0) + 1)
    scene.moments += [at for at in (active_from, active_until, last) if at is not None]
    monitor(
        world,
        monitor_id,
        service=service,
        region=region or scene.region,
        locations=locations,
        interval=interval,
        stale_after=stale_after,
        confirm=world.one(None, 1, 2, 3),
        quorum_min=world.one(None, None, 1, 2, 3, len(locations) + 1),
        active=(active_from, active_until),
    )


def _checks(scene: Scene, monitor_id: str, location: str, start: int, interval: int, limit: int) -> int:
    world, rng = scene.world, scene.world.rng
    at = start + world.one(0, 0, 0, -1, interval, -limit)
    steps = {"interval": interval, "stale": limit, "over": limit + 1, "under": limit - 1}
    status = "up"
    for _ in range(rng.randint(3, 30)):
        if world.chance(40):
            status = world.one(*STATUSES)
        check(world, monitor_id, location, at, status)
        scene.moments.append(at)
        if status == "down":
            scene.outages.append((at, at + interval))
        if world.chance(2):
            # The same instant again: one check if it says the same, a conflict if not (M1).
            check(world, monitor_id, location, at, world.one(status, *STATUSES))
        kind = world.one(*STEP_KINDS) if world.chance(30) else "interval"
        at += steps.get(kind) or rng.randrange(1, 3 * limit)
        if world.chance(5):
            at = max(at - at % MINUTE, at - interval + 1)
    return at


def make_strangers(world: World, start: int) -> None:
    """Monitors without checks, checks without monitors, from unknown locations, and of services nobody has."""
    monitor(world, "m-silent", service="fax", region="atlantis", locations=["fra"], interval=MINUTE)
    monitor(world, "m-one-place", service="fax", region="atlantis", locations=["fra", "fra"], interval=MINUTE)
    for number in range(20):
        check(world, "m-nobody-knows", "fra", start + number * MINUTE, world.one("up", "down"))
        check(world, "m-one-place", "moon", start + number * MINUTE, "down")


def make_global(world: World, scene: Scene) -> None:
    """What everybody sees whose terms have `search` at their core: it runs in the region `global`."""
    world.add("catalog/components", component_id="c-global-search", name="Search", service="search", region="global")
    for _ in range(2):
        busy_monitor(scene, "search", region="global")
