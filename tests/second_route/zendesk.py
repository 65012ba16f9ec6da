"""Zendesk's pages: tickets as they last were, the way there in ticket events, and users whose roles changed."""

from __future__ import annotations

from dataclasses import dataclass

from tests.second_route.tickets import SEVERITIES, beside_a_deadline, creation, event
from tests.second_route.world import DAY, HOUR, SECOND, ZONES, Row, World, month_bounds

PRIORITIES = {"P1": "urgent", "P2": "high", "P3": "normal", "P4": "low", None: None}
# Each in its latest role: some were something else in an earlier export, one is in no later one, two in none at all.
USERS: dict[int, tuple[str, list[str]]] = {
    101: ("end-user", []),
    102: ("end-user", ["ai_agent"]),
    9_000_000_001: ("end-user", ["vip"]),
    201: ("agent", []),
    202: ("admin", ["vip"]),
    203: ("agent", []),
    301: ("agent", ["ai_agent"]),
    302: ("admin", ["vip", "ai_agent"]),
}
EARLIER: dict[int, tuple[str, list[str]]] = {
    101: ("agent", []),
    201: ("end-user", []),
    203: ("agent", []),
    204: ("admin", []),
    301: ("agent", []),
    302: ("end-user", []),
}
CUSTOMERS = (101, 102, 9_000_000_001, 401, 402)
AGENTS = (201, 202, 203, 204)
AIS = (301, 302)
ANYBODY = (*CUSTOMERS, *AGENTS, *AIS)
AUTOMATIC = (
    {"channel": "rule"},
    {"channel": "system", "source": {"rel": "trigger"}},
    "rule",
    "Rule",
    8,
    {"channel": 8},
    "8",
    {"channel": "8"},
)
BY_HAND = (None, {"channel": "web"}, {"channel": "api"}, "Web form", 4)
PAGE = 300
UNUSABLE: dict[str, list[object]] = {
    "tickets": [{"id": 1}, {"id": "x", "created_at": "2026-03-01T00:00:00Z"}, "a ticket"],
    "ticket_events": [{"id": 1, "ticket_id": 700_001, "created_at": "2026-03-01T00:00:00Z"}, {"id": 2}],
    "users": [{"id": 201, "role": "owner"}, {"role": "agent"}],
}


@dataclass
class Story:
    """A ticket while it is being told; `at` and `severity` are those of its latest event."""

    ticket_id: int
    at: int
    severity: str | None
    events: int = 0


def make(world: World, count: int) -> list[str]:
    """So many tickets, of whose ids the texts are returned, in pages that overlap and correct one another."""
    for number in range(count):
        _ticket(world, 700_000 + number)
    _publish(world)
    return [str(700_000 + number) for number in range(count)]


def _ticket(world: World, ticket_id: int) -> None:
    zone = world.one(*ZONES)
    created_at = _whole(world, creation(world, zone))
    opened_as = world.one(*SEVERITIES) if world.chance(90) else None
    story = Story(ticket_id, created_at, opened_as)
    for _ in range(world.one(0, 1, 1, 2, 3, 5)):
        if not world.chance(25):
            story.at = max(_whole(world, beside_a_deadline(world, created_at, zone, story.at)), created_at)
        _happening(world, story)
    if world.chance(15):
        # Soon, and by the customer: before any answer (R5).
        story.at = world.one(story.at, created_at + world.rng.randrange(1, HOUR))
        _change(world, story, "status", world.one("solved", "closed"), by=world.one(*CUSTOMERS))
    if world.chance(65):
        story.at = _whole(world, beside_a_deadline(world, created_at, zone, created_at))
        _comment(world, story, is_public=True, by=world.one(*AGENTS))
    if world.chance(3):
        # The other feed tells of it, too.
        event(world, str(ticket_id), "public_reply", "agent", created_at + world.one(-1, 0, HOUR))
    if world.chance(98):
        _state(world, story, created_at)
    elif world.chance(70):
        account_id = world.rng.choice(world.accounts)
        event(world, str(ticket_id), "created", "customer", created_at, account_id=account_id, severity=opened_as)


def _state(world: World, story: Story, created_at: int) -> None:
    """The ticket as it last was and, in an earlier page, as something else."""
    tags = world.one([], ["vip"])
    status = world.one("open", "solved", "deleted" if world.chance(20) else "hold")
    if world.chance(7):
        tags = [*tags, "closed_by_merge"]
    if world.chance(7):
        tags, status = [*tags, "spam"], world.one("deleted", "deleted", "closed")
    # Mostly told, now and then of a ticket that is neither any more.
    endings = {"closed_by_merge": 70 if "closed_by_merge" in tags else 3, "spam": 70 if "spam" in tags else 3}
    for mark, likely in {**endings, "deleted": 70 if status == "deleted" else 3}.items():
        for _ in range(world.one(1, 1, 1, 2) if world.chance(likely) else 0):
            story.at = world.one(story.at, created_at + world.rng.randrange(HOUR), world.as_of, world.as_of + SECOND)
            child = {"status": mark, "previous_value": "open"} if mark == "deleted" else _tags(world, mark)
            _update(world, story, {"event_type": "Change", **child}, by=world.one(*ANYBODY))
    changed_at = world.one(story.at, story.at, story.at + HOUR, created_at, None, world.as_of, world.as_of + SECOND)
    row = {
        "id": story.ticket_id,
        "created_at": world.text(created_at),
        "updated_at": world.text(changed_at),
        "organization_id": world.rng.choice(world.organizations) if world.chance(96) else world.one(None, 404),
        "submitter_id": world.one(*(CUSTOMERS if world.chance(92) else ANYBODY), *((None,) if world.chance(3) else ())),
        "priority": PRIORITIES[story.severity],
        "status": status,
        "tags": tags,
        "subject": "told to nobody",
    }
    world.zendesk["tickets"].append(row)
    if world.chance(30):
        earlier = {
            "priority": world.one(*PRIORITIES.values()),
            "tags": world.one([], ["spam"], ["closed_by_merge"]),
            "status": world.one("open", "deleted"),
            "submitter_id": world.one(*ANYBODY),
            "organization_id": world.rng.choice(world.organizations),
            "created_at": world.text(created_at + world.one(0, -HOUR, HOUR)),
        }
        named = world.some(list(earlier))
        world.zendesk["tickets earlier"].append(row | {name: earlier[name] for name in named})


def _tags(world: World, tag: str) -> Row:
    """A change that adds the tag, in one of its spellings, or that tells of it without adding it."""
    before = world.one([], ["vip"], ["vip", "x"])
    after = [*before, tag]
    return world.one(
        {"tags": after, "previous_value": before, "added_tags": [tag], "removed_tags": []},
        {"tags": after, "previous_value": before},
        {"field_name": "tags", "value": after, "previous_value": before},
        {"field_name": "tags", "value": " ".join(after), "previous_value": " ".join(before)},
        {"tags": after, "previous_value": after},
        {"tags": after, "previous_value": None, "added_tags": [], "removed_tags": ["x"]},
    )


def _whole(world: World, at: int) -> int:
    """Mostly a whole second, as Zendesk writes them."""
    return at - at % SECOND if world.chance(75) else at


def _happening(world: World, story: Story) -> None:
    roll = world.rng.random()
    if roll < 0.35:
        _comment(world, story, is_public=world.chance(65), by=world.one(*AGENTS, *AIS, *ANYBODY))
    elif roll < 0.70:
        _change(world, story, "priority", world.one(*SEVERITIES), by=world.one(*ANYBODY))
    elif roll < 0.92:
        status = world.one("new", "open", "pending", "hold", "solved", "closed")
        _change(world, story, "status", status, by=world.one(*ANYBODY))
    else:
        child = world.one({"event_type": "Change", "subject": "told to nobody"}, {"event_type": "Create"})
        _update(world, story, child, by=world.one(*ANYBODY))


def _comment(world: World, story: Story, *, is_public: bool, by: int) -> None:
    """A comment, public or not in either spelling, by its author or, without one, by whoever updated the ticket."""
    child: Row = world.one({"event_type": "Comment"}, {"type": "Comment"})
    child |= world.one(
        {"public": is_public},
        {"comment_public": is_public},
        {"public": None, "comment_public": is_public},
        {"public": is_public, "comment_public": not is_public},
    )
    if world.chance(50):
        child, by = child | {"author_id": by}, world.one(*ANYBODY)
    _update(world, story, child, by=by)


def _change(world: World, story: Story, name: str, value: str, *, by: int) -> None:
    """A change of priority or status, spelt as the export does or as the audit does."""
    to = PRIORITIES[value] if name == "priority" else value
    child = {"event_type": "Change", **world.one({name: to}, {"field_name": name, "value": to})}
    if name == "priority":
        child["previous_value"] = PRIORITIES[story.severity]
        story.severity = value
    _update(world, story, child, by=by)


def _update(world: World, story: Story, child: Row, *, by: int) -> None:
    """A ticket event with the child, now and then beside another that says something or nothing."""
    automatic, by_hand = world.one(*AUTOMATIC), world.one(*BY_HAND)
    is_automatic = world.chance(15)
    # A child's own channel is the one that holds.
    child_via, event_via = (
        world.one((automatic, by_hand), (None, automatic))
        if is_automatic
        else world.one((by_hand, automatic) if by_hand else (None, None), (None, by_hand))
    )
    children: list[Row] = [child | ({"via": child_via} if child_via else {})]
    if world.chance(20):
        silent = {"event_type": "Change", "field_name": "tags", "value": ["x"]}
        note = {"event_type": "Comment", "public": world.chance(30), "author_id": world.one(*ANYBODY)}
        children.insert(world.one(0, 1), world.one(silent, note))
    story.events += 1
    row = {
        # Later ids have more digits: as numbers they are in order, as texts they are not.
        "id": 9 * 10 ** (7 + story.events) + story.ticket_id,
        "ticket_id": story.ticket_id,
        "timestamp": 0,
        "created_at": world.text(story.at),
        "updater_id": by if world.chance(96) else None,
        "child_events": children,
    }
    if event_via is not None:
        row["via"] = event_via
    world.zendesk["ticket_events"].append(row)
    if world.chance(10):
        later = world.one({"created_at": world.text(story.at + HOUR)}, {"child_events": []}, {"updater_id": 201})
        world.zendesk["ticket_events earlier"].append(row | later)


def _publish(world: World) -> None:
    """Pages as an incremental export leaves them: overlapping, together or apart, older states exported earlier."""
    after = month_bounds(world.month, "UTC")[1] + 12 * DAY
    people = {"users": USERS, "users earlier": EARLIER}
    for name, users in people.items():
        world.zendesk[name] = [{"id": id_, "role": role, "tags": tags} for id_, (role, tags) in users.items()]
    for suffix, exported_at in ((" earlier", after - 9 * DAY), ("", after)):
        pages: list[Row] = []
        for name in ("tickets", "ticket_events", "users"):
            rows = world.zendesk[name + suffix]
            if not suffix and name != "ticket_events":
                # In one page the later line holds.
                rows = [*world.rng.sample(world.zendesk[f"{name} earlier"], 3), *rows]
            for first in range(0, len(rows), PAGE):
                page: Row = {name: rows[max(first - 20, 0) : first + PAGE]}
                if world.chance(30):
                    page[name] = [*page[name], *UNUSABLE[name]]
                if pages and name not in pages[-1] and world.chance(50):
                    pages[-1] |= page
                else:
                    pages.append(page)
        world.rng.shuffle(pages)
        for page in pages:
            body = page | world.one({}, {"next_page": None, "count": 1}, {"after_cursor": "x"})
            world.zendesk_documents.append({"body": body, "exported_at": exported_at + world.one(0, 0, 1, HOUR)})
    if world.chance(50):
        # An old page again, under another name, as old as it was.
        world.zendesk_documents.append(world.zendesk_documents[0])
