"""Claims: in every state of C7, in one message or several, received to the microsecond before and at the deadline."""

from __future__ import annotations

import unicodedata

from tests.second_route.terms_documents import Terms
from tests.second_route.world import DAY, HOUR, Row, Scene, World, following, local, month_bounds


def deadline(month: str, zone: str, within_days: int) -> int:
    """The end of the n-th calendar day after the month (rule C2)."""
    from datetime import date, timedelta

    after = following(month)
    day = date(int(after[:4]), int(after[5:]), 1) + timedelta(days=within_days)
    return local(zone, day.year, day.month, day.day)


def claims_of(scene: Scene, account_id: str, terms: Terms) -> None:
    """What an account claims for the month: nothing, or up to three times."""
    world = scene.world
    due = deadline(world.month, terms.zone, terms.within_days)
    for _ in range(world.one(0, 1, 1, 1, 2, 3)):
        _claim(world, account_id, due)


def _claim(world: World, account_id: str | None, due: int) -> None:
    claim_id = f"claim-{len(world.rows['claims'])}"
    end = month_bounds(world.month, "UTC")[1]
    received_at = world.one(
        end + world.rng.randrange(9 * DAY),
        end + world.rng.randrange(DAY),
        end - world.rng.randrange(25 * DAY),
        *(due - 1, due, due + 1, end, due + DAY),
    )
    parts: list[Row] = [{"account_id": account_id}, {"company_name": _company(world, account_id)}]
    parts.append({"incident_timeline": _timeline(world, end)})
    whole: Row = {}
    for part in parts:
        whole |= part
    if world.chance(65):
        messages = [whole]
    else:
        # In several messages: what is missing comes later, or never; what was given stays (C3).
        world.rng.shuffle(parts)
        messages = [part | ({"company_name": "Somebody Else"} if world.chance(8) else {}) for part in parts]
        messages = messages[: world.one(1, 2, 3, 3)]
    for message in messages:
        in_time = (due - 1, due - 1, due - HOUR) if received_at >= due else ()
        sent_at = world.one(received_at - 1, received_at - HOUR, due - 1, due, None, *in_time)
        other = following(world.month, world.one(-1, 1)) if world.chance(4) else world.month
        world.add(
            "claims",
            claim_id=claim_id,
            service_month=other,
            received_at=world.text(received_at),
            sent_at=world.text(sent_at),
            **message,
        )
        received_at += world.one(1, HOUR, DAY, max(due - received_at, 1), max(due - received_at - 1, 1))


def _company(world: World, account_id: str | None) -> str | None:
    name = world.companies.get(account_id or "", "Nobody Inc.")
    roll = world.rng.random()
    if roll < 0.5:
        return name
    if roll < 0.8:
        spelt = world.one(
            name.upper(),
            name.casefold(),
            unicodedata.normalize("NFD", name),
            unicodedata.normalize("NFKC", name),
            f"  {name.replace(' ', '-')}!",
        )
        return spelt
    return world.one(None, "", "Somebody Else", world.companies[world.rng.choice(world.accounts)], "!?")


def _timeline(world: World, end: int) -> list[Row] | None:
    if world.chance(15):
        return world.one(None, [])
    start = end - world.rng.randrange(20 * DAY)
    first: Row = {"starts_at": world.text(start), "ends_at": world.text(start + HOUR), "note": "it was down"}
    return world.one([first], [first, {"starts_at": world.text(start + DAY)}])


def make_strangers(world: World) -> None:
    """Claims of nobody, of unknown accounts, and of accounts without a contract in the month."""
    due = deadline(world.month, "UTC", 10)
    for account_id in (None, None, None, "nobody-6", "nobody-7", "lonely-0", "lonely-1", "lonely-5", "nobody-0"):
        for _ in range(3):
            _claim(world, account_id, due)
