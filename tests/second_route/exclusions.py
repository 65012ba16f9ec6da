"""Maintenance notices and the exclusion register: sound, and unsound in each of the ways that the rules name."""

from __future__ import annotations

from tests.second_route.terms_documents import CATEGORIES, Terms
from tests.second_route.world import DAY, HOUR, MINUTE, Scene, Span, World

CHANNELS = ("email", "email", "in_app", "status_page")
FOLLOWING_ACTIONS = ("move", "cut", "extend", "cancel", "announce")


def notice(
    scene: Scene,
    maintenance_id: str,
    action: str,
    *,
    sent_at: int,
    window: Span | None,
    component_ids: list[str],
    account_ids: list[str] | None = None,
    channel: str = "email",
) -> None:
    """A notice; its id is its place in the feed."""
    world = scene.world
    world.add(
        "notices",
        notice_id=f"n-{len(world.rows['notices'])}",
        maintenance_id=maintenance_id,
        action=action,
        channel=channel,
        sent_at=world.text(sent_at),
        window_start=world.text(window[0]) if window else None,
        window_end=world.text(window[1]) if window else None,
        component_ids=component_ids,
        account_ids=account_ids,
    )


def maintenance(scene: Scene, terms: Terms) -> None:
    """A maintenance: announced in time to the microsecond or not, then moved, cut, extended or cancelled."""
    world = scene.world
    maintenance_id = f"mw-{scene.region}-{world.rng.randrange(10**9)}"
    components = world.some([component_id for component_id, _ in scene.components] or ["c-nobody"])
    window = scene.around_outage()
    sent_at = window[0] - terms.notice + world.one(0, 0, -1, 1, -DAY, HOUR, -3 * DAY)
    notice(
        scene,
        maintenance_id,
        world.one("announce", "announce", "announce", "extend", "move"),
        sent_at=sent_at,
        window=window,
        component_ids=components,
        account_ids=_accounts(scene),
        channel=world.one(*CHANNELS),
    )
    for _ in range(world.one(0, 0, 1, 1, 2, 3)):
        action = world.one(*FOLLOWING_ACTIONS)
        start, end = window
        middle = world.rng.randrange(start, end)
        sent_at = world.one(start, middle, end, start - 1, sent_at + 1, sent_at + HOUR, scene.pick())
        if action == "cut":
            changed: Span | None = world.one((start, max(middle, start + 1)), (middle, end), (start - HOUR, end + HOUR))
        elif action == "extend":
            changed = (start, end + world.one(1, MINUTE, HOUR))
        elif action == "cancel":
            changed = None
        else:
            shift = world.one(-HOUR, HOUR, 2 * DAY, end - start)
            changed = (start + shift, end + shift)
        notice(
            scene,
            maintenance_id,
            action,
            sent_at=sent_at,
            window=changed,
            component_ids=components if world.chance(85) else world.some([*components, "c-nobody"]),
            account_ids=_accounts(scene),
            channel=world.one(*CHANNELS),
        )
        window = changed or window
        scene.moments += [sent_at, *window]


def entry(scene: Scene, *, span: Span, services: list[str] | None = None, **given: object) -> None:
    """An entry of the register for the scene's region, sound unless told otherwise."""
    world = scene.world
    row = {
        "exclusion_id": f"e-{scene.region}-{len(world.rows['exclusions'])}",
        "category": world.one(*(category for category in CATEGORIES if category != "customer_connectivity")),
        "services": services,
        "regions": [scene.region],
        "starts_at": world.text(span[0]),
        "ends_at": world.text(span[1]),
        "evidence_url": "https://evidence.example/1",
        "author": "ann",
        "approved_by": "bob",
        "approved_at": world.text(scene.start - DAY),
    }
    world.add("exclusions", **(row | given))


def any_entry(scene: Scene) -> None:
    """An entry with this or that wrong, or explaining some incidents and not others (X7)."""
    world = scene.world
    services = world.some([service for _, service in scene.components] or ["dashboard"])
    given: dict[str, object] = {"category": world.one(*CATEGORIES)}
    if world.chance(30):
        given["regions"] = world.one(None, [], [scene.region, "global"], ["atlantis"])
        # Of no region it would be everybody's: of an account, it is not.
        given["account_ids"] = world.some(scene.account_ids)
    elif world.chance(40):
        given["account_ids"] = world.one(
            [], world.some(scene.account_ids), ["nobody-1"], [scene.account_ids[0], "nobody-2"]
        )
    if world.chance(40) and scene.incident_ids:
        given["incident_ids"] = world.some(scene.incident_ids)
    match world.rng.randrange(14):
        case 0:
            given |= {"approved_by": None, "approved_at": None}
        case 1:
            given["approved_by"] = "ann"
        case 2:
            given["evidence_url"] = world.one(None, "")
        case 3:
            given["revoked_at"] = world.text(scene.pick())
        case 4:
            given["approved_at"] = world.text(world.one(world.as_of, world.as_of + 1, scene.pick()))
        case 5:
            given["revoked_at"] = world.text(world.one(world.as_of, world.as_of + 1, world.as_of - 1))
        case 6:
            given["approved_at"] = None
    entry(scene, span=scene.around_outage(), services=world.one(None, services, [*services, "fax"]), **given)


def _accounts(scene: Scene) -> list[str] | None:
    world = scene.world
    return world.one(None, None, [], world.some(scene.account_ids), ["nobody-3"], [*scene.account_ids, "nobody-4"])


def make_strangers(world: World, scene: Scene) -> None:
    """Entries and notices about nothing that there is, and one that is about everybody for a minute."""
    notice(
        scene,
        "mw-nobody",
        "announce",
        sent_at=scene.start,
        window=(scene.end - DAY, scene.end),
        component_ids=["c-unknown"],
    )
    notice(scene, "mw-late-cancel", "cancel", sent_at=scene.start, window=None, component_ids=["c-unknown"])
    entry(scene, span=(scene.start, scene.end), services=["fax"], regions=["atlantis"])
    entry(scene, span=(scene.start, scene.end), account_ids=["nobody-5"], category="customer_connectivity")
    everybody = (scene.start + 9 * DAY, scene.start + 9 * DAY + MINUTE)
    entry(scene, span=everybody, services=["search"], regions=None, category="force_majeure")
