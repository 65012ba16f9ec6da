"""Tickets: answered exactly in time and a microsecond late, merged in chains, raised, lowered, spam, and by nobody."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from tests.second_route.world import DAY, EPOCH, HOUR, MINUTE, SECOND, ZONES, World, local, month_bounds

SEVERITIES = ("P1", "P2", "P3", "P4")
ELAPSED = (2 * HOUR, 4 * HOUR, 30 * MINUTE, DAY, 90 * SECOND, 36 * HOUR)


def event(world: World, ticket_id: str, type: str, actor: str, at: int, **given: object) -> None:
    number = len(world.rows["tickets/events"])
    world.add(
        "tickets/events",
        ticket_id=ticket_id,
        event_id=f"ev-{number}",
        at=world.text(at),
        type=type,
        actor=actor,
        **given,
    )


def make(world: World, count: int, *, others: list[str]) -> None:
    """So many tickets, and what happens to them until and after the as-of time; `others` are merged into, too."""
    earlier = list(others)
    for number in range(count):
        ticket_id = f"t-{number}"
        _ticket(world, ticket_id, earlier)
        earlier.append(ticket_id)
    for number in range(5):
        event(world, f"t-unborn-{number}", "public_reply", "agent", month_bounds(world.month, "UTC")[0])


def creation(world: World, zone: str) -> int:
    start, end = month_bounds(world.month, zone)
    roll = world.rng.random()
    if roll < 0.06:
        return world.one(start, end) + world.one(0, -1, 1)
    if roll < 0.12:
        return world.rng.randrange(start - 5 * DAY, end + 5 * DAY)
    at = world.rng.randrange(start, end)
    # Round local times, where clocks change and business days begin.
    return world.one(at, at - at % MINUTE, at - at % HOUR, later_at_same_clock(at, zone, 0, midnight=True))


def later_at_same_clock(at: int, zone: str, days: int, *, midnight: bool = False) -> int:
    """The same local time, or midnight, some days later."""
    moment = (EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(zone))
    day = moment.date() + timedelta(days=days)
    naive = moment.replace(tzinfo=None)
    clock = timedelta() if midnight else naive - naive.replace(hour=0, minute=0, second=0, microsecond=0)
    return local(zone, day.year, day.month, day.day, clock=clock)


def beside_a_deadline(world: World, created_at: int, zone: str, since: int) -> int:
    """An instant at which some target may be due, give or take a microsecond."""
    roll = world.rng.random()
    near = world.one(0, 0, -1, 1)
    if roll < 0.4:
        return world.one(created_at, since) + world.one(*ELAPSED) + near
    if roll < 0.75:
        return later_at_same_clock(created_at, zone, world.rng.randint(0, 8), midnight=world.chance(30)) + near
    return since + world.rng.randrange(1, world.one(HOUR, DAY, 6 * DAY))


def _ticket(world: World, ticket_id: str, earlier: list[str]) -> None:
    zone = world.one(*ZONES)
    account_id = world.rng.choice(world.accounts) if world.chance(96) else world.one(None, "nobody-8", "lonely-2")
    created_at = creation(world, zone)
    opener = "customer" if world.chance(93) else world.one("agent", "ai", "system")
    severity = world.one(*SEVERITIES) if world.chance(92) else None
    event(world, ticket_id, "created", opener, created_at, account_id=account_id, severity=severity)
    at = created_at
    for _ in range(world.one(0, 1, 1, 2, 3, 5)):
        at = max(beside_a_deadline(world, created_at, zone, at), created_at)
        _happening(world, ticket_id, at)
    if earlier and world.chance(12):
        # Once, and mostly into a neighbour, so that chains grow.
        target = world.one(earlier[-1], world.rng.choice(earlier[-20:]), world.rng.choice(earlier))
        target = world.one("t-nowhere", ticket_id) if world.chance(3) else target
        event(world, ticket_id, "merged_into", "agent", at + world.one(0, 1, HOUR), target_ticket_id=target)
    if world.chance(12):
        # Soon, and by the customer: before any answer (R5).
        solved_at = world.one(at, created_at + world.rng.randrange(1, HOUR))
        event(world, ticket_id, "status_changed", "customer", solved_at, status=world.one("solved", "closed"))
    if world.chance(65):
        reply_at = beside_a_deadline(world, created_at, zone, created_at)
        event(world, ticket_id, "public_reply", "agent", reply_at)


def _happening(world: World, ticket_id: str, at: int) -> None:
    roll = world.rng.random()
    who = world.one("customer", "agent", "ai", "system")
    if roll < 0.30:
        automatic = world.one(None, None, False, True)
        early = at - 30 * DAY if world.chance(4) else at
        event(world, ticket_id, "public_reply", world.one("agent", "agent", "ai", who), early, automatic=automatic)
    elif roll < 0.40:
        event(world, ticket_id, "internal_note", world.one("agent", "ai"), at)
    elif roll < 0.65:
        event(world, ticket_id, "severity_changed", world.one("agent", "customer"), at, severity=world.one(*SEVERITIES))
    elif roll < 0.94:
        event(world, ticket_id, "status_changed", who, at, status=world.one("open", "pending", "solved", "closed"))
    else:
        event(world, ticket_id, "marked_spam", world.one("agent", "system"), at)
