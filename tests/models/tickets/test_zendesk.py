"""One story, told as `tickets/events/` and as Zendesk's pages: the same response times, column by column.

Each ticket is told twice, to the same account, under two ids; hand-written stories first, then as many random ones.
Zendesk knows seconds alone, so the stories do. The seed is printed, and replays with SLA_TEST_SEED.
"""

from __future__ import annotations

import json
import os
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slaledger import landing, terms
from slaledger.settings import Settings
from tests.landing.bucket import Bucket, ndjson
from tests.models.builder import build
from tests.models.builder_credits import Built

pytestmark = pytest.mark.timeout(600)

SEED = int(os.environ.get("SLA_TEST_SEED", "20261123"))
RANDOM_STORIES = 300
MONTH = "2026-03"
MODELS = ("+fct_response_times", "+int_responses_findings", "+int_landing_findings")
AS_OF = ("2026-03-20T12:00:00Z", "2026-04-20T00:00:00Z")
# Zendesk's ids of the tickets: those of `tickets/events/` and this.
OFFSET = 1_000_000
PRIORITIES = {"P1": "urgent", "P2": "high", "P3": "normal", "P4": "low", None: None}
# Who is whom in Zendesk; 99 is in no users export, and so a customer.
USERS = {"customer": (11, 12, 99), "agent": (21, 22), "ai": (31,)}
SECRET = "canary.ann@example.com"
# Channels in every spelling: an object, a name, a number, a number as text (decision 0010).
AUTOMATIC = (
    {"channel": "rule", "source": {"rel": "trigger"}},
    {"channel": "System"},
    {"channel": 8},
    {"channel": "8"},
    "Rule",
    "system",
    8,
    "8",
)
BY_HAND = ({"channel": "email", "source": {"from": {"address": SECRET}}}, {"channel": 4}, "Web form", "Mail", 4)

# Organizations that accounts name, or are; 904 is a sandbox, 905 nobody's.
ACCOUNTS = {901: "a-1", 902: "902", 903: "a-3", 904: "a-4", 905: "905"}


@dataclass(frozen=True)
class Step:
    """What happened `after` seconds from a ticket's creation."""

    after: int
    type: str
    actor: str = "agent"
    value: str | None = None  # severity or status
    automatic: bool = False


@dataclass(frozen=True)
class Story:
    """A ticket, without an id."""

    created_at: datetime
    severity: str | None
    steps: Sequence[Step]
    organization: int | None = 901
    opener: str = "customer"


@dataclass
class Pages:
    """Zendesk's pages, filled as its stories are told."""

    random: random.Random
    tickets: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def written() -> list[Story]:
    """What the contract says of Zendesk, sentence by sentence."""
    monday = at("2026-03-02T09:00:00")
    hour = 3600
    told: list[tuple[str | None, list[Step]]] = [
        ("P1", [Step(2 * hour, "public_reply")]),
        ("P1", [Step(2 * hour + 1, "public_reply")]),
        ("P2", [Step(60, "internal_note"), Step(70, "public_reply", "customer"), Step(5 * hour, "public_reply")]),
        ("P1", [Step(5, "public_reply", "ai"), Step(3 * hour, "public_reply")]),
        ("P1", [Step(1, "public_reply", automatic=True), Step(2, "public_reply", "ai", automatic=True)]),
        # Walked back: raised, lowered, first given later, taken away and given again, twice within a second.
        ("P3", [Step(3 * hour, "severity_changed", value="P1"), Step(5 * hour - 1, "public_reply")]),
        ("P1", [Step(2 * hour + 1, "severity_changed", value="P3"), Step(3 * hour, "public_reply")]),
        (None, [Step(4 * hour, "severity_changed", value="P2"), Step(5 * hour, "public_reply")]),
        ("P4", [Step(hour, "severity_changed"), Step(2 * hour, "severity_changed", "customer", "P2")]),
        *(
            ("P4", [Step(hour, "severity_changed", value=value) for value in values])
            for values in (("P1", "P3"), ("P3", "P1"), ("P2", "P1", "P2", "P3"))
        ),
        (None, [Step(hour, "public_reply")]),
        ("P1", [Step(hour, "status_changed", "customer", "solved"), Step(3 * hour, "public_reply")]),
        ("P1", [Step(hour, "status_changed", "agent", "solved"), Step(3 * hour, "public_reply")]),
        ("P1", [Step(hour, "status_changed", "system", "closed", automatic=True)]),
        ("P1", [Step(2 * hour, "status_changed", "customer", "closed")]),
        ("P1", [Step(hour, "public_reply"), Step(hour, "status_changed", "customer", "solved")]),
        ("P1", [Step(60, "status_changed", "agent", "pending"), Step(90, "status_changed", "customer", "open")]),
        ("P1", [Step(hour, "public_reply"), Step(2 * hour, "merged_into")]),
        ("P1", [Step(hour, "public_reply"), Step(2 * hour, "marked_spam")]),
        ("P1", [Step(-10, "public_reply"), Step(hour, "public_reply")]),
        ("P4", [Step(45 * 24 * hour, "public_reply")]),
    ]
    stories = [Story(monday, severity, steps) for severity, steps in told]
    reply = [Step(hour, "public_reply")]
    stories += [Story(monday, "P1", reply, organization) for organization in (902, 903, 904, 905, None)]
    stories += [Story(monday, "P1", reply, opener=opener) for opener in ("agent", "ai")]
    # After the first as-of time: till then it is measured.
    for ending in ("merged_into", "marked_spam"):
        stories.append(Story(at("2026-03-19T09:00:00"), "P1", [*reply, Step(48 * hour, ending)]))
    return stories


def imagined(rng: random.Random) -> Story:
    """A ticket of the days around the month, with whatever may happen to one; steps often share a second."""
    steps, after = [], 0
    for _ in range(rng.randrange(7)):
        after += rng.choice((0, 0, 1, 1800, 3600, 7199, 14400, 86400, rng.randrange(200_000)))
        type_ = rng.choice(("public_reply", "public_reply", "internal_note", "severity_changed", "status_changed"))
        value = None
        if type_ == "severity_changed":
            value = rng.choice(list(PRIORITIES))
        elif type_ == "status_changed":
            value = rng.choice(("open", "pending", "solved", "closed"))
        actor = rng.choice(("customer", "agent", "agent", "ai"))
        automatic = rng.random() < 0.15
        if automatic and type_ == "status_changed":
            actor = "system"
        steps.append(Step(after, type_, actor, value, automatic))
    for type_ in ("merged_into", "marked_spam"):
        if rng.random() < 0.05:
            steps.append(Step(after, type_))
    return Story(
        created_at=at("2026-02-27T00:00:00") + timedelta(seconds=rng.randrange(34 * 86400)),
        severity=rng.choice(list(PRIORITIES)),
        steps=steps,
        organization=rng.choice(list(ACCOUNTS)),
        opener=rng.choice(("customer", "customer", "customer", "agent")),
    )


def as_events(ticket_id: int, story: Story) -> Iterator[dict[str, Any]]:
    """The story as rows of `tickets/events/`."""

    def row(number: int, after: int, **fields: Any) -> dict[str, Any]:
        instant = story.created_at + timedelta(seconds=after)
        said = {name: value for name, value in fields.items() if value is not None}
        return {"ticket_id": str(ticket_id), "event_id": f"{number:03}", "at": shown(instant), **said}

    account_id = ACCOUNTS.get(story.organization)
    opening = {"actor": story.opener, "account_id": account_id, "severity": story.severity}
    yield row(0, 0, type="created", **opening)
    for number, step in enumerate(story.steps, 1):
        field_name = {"severity_changed": "severity", "status_changed": "status"}.get(step.type, "ignored")
        given = {field_name: step.value, "automatic": step.automatic or None}
        yield row(number, step.after, type=step.type, actor=step.actor, **given)


def as_zendesk(ticket_id: int, story: Story, pages: Pages) -> None:
    """The story as Zendesk has it: a ticket that shows its last state, and the way there in ticket events."""
    rng = pages.random
    person = {actor: rng.choice(ids) for actor, ids in USERS.items()}
    severity, updated_at = story.severity, story.created_at
    event: dict[str, Any] | None = None
    is_ending_told = rng.random() < 0.6
    for told, step in enumerate(story.steps):
        instant = story.created_at + timedelta(seconds=step.after)
        updated_at = max(updated_at, instant)
        if step.type in ("merged_into", "marked_spam"):
            for position, (ended_at, child) in enumerate(ending(rng, step.type, instant, is_told=is_ending_told)):
                row = {"id": (8 - position) * 10 ** (8 + told) + ticket_id, "ticket_id": ticket_id, "updater_id": 21}
                pages.events.append({**row, "created_at": shown(ended_at), "child_events": [child]})
            continue
        child: dict[str, Any] = {"id": rng.randrange(10**12), "body": SECRET}
        updater_id = -1 if step.actor == "system" else person[step.actor]
        if step.type in ("public_reply", "internal_note"):
            visible = {"public": step.type == "public_reply"}
            if rng.random() < 0.3:
                visible = {"comment_present": True, "comment_public": step.type == "public_reply"}
            child |= {"event_type": "Comment", **visible}
            if rng.random() < 0.5:
                child |= {"author_id": updater_id}
                updater_id = rng.choice((21, 11, 99))
        else:
            name = "priority" if step.type == "severity_changed" else "status"
            value = PRIORITIES[step.value] if name == "priority" else step.value
            previous = PRIORITIES[severity] if name == "priority" else "new"
            said = {name: value} if rng.random() < 0.5 else {"field_name": name, "value": value}
            child |= {"event_type": "Change", **said, "previous_value": previous}
            severity = step.value if name == "priority" else severity
        joins = event and event["created_at"] == shown(instant) and event["updater_id"] == updater_id
        via = event["via"] if event and joins else rng.choice(AUTOMATIC if rng.random() < 0.3 else BY_HAND)
        # A child's own channel holds, else that of its ticket event.
        if step.automatic and (via not in AUTOMATIC or rng.random() < 0.3):
            child["via"] = rng.choice(AUTOMATIC)
        elif not step.automatic and (via in AUTOMATIC or rng.random() < 0.3):
            child["via"] = rng.choice(BY_HAND)
        if event and joins:
            event["child_events"].append(child)
            continue
        event = {
            # Later ids have more digits: as numbers they are in order, as texts they are not.
            "id": 9 * 10 ** (8 + told) + ticket_id,
            "ticket_id": ticket_id,
            "timestamp": int(instant.timestamp()),
            "created_at": shown(instant),
            "updater_id": updater_id,
            "via": via,
            "event_type": "Audit",
            "child_events": [{"event_type": "Create", "subject": SECRET}, child],
        }
        pages.events.append(event)
    ended = {step.type for step in story.steps}
    if is_ending_told:
        # Of what its events tell, a later update changes nothing.
        updated_at += timedelta(days=rng.choice((0, 40)))
    # Either alone is no spam: to be deleted, or to be tagged.
    status, spam_tags = "deleted" if "marked_spam" in ended else "open", ["spam"] if "marked_spam" in ended else []
    if not spam_tags and rng.random() < 0.1:
        status, spam_tags = rng.choice((("deleted", []), ("open", ["spam"])))
    pages.tickets.append(
        {
            "id": ticket_id,
            "created_at": shown(story.created_at),
            "updated_at": shown(updated_at),
            "organization_id": story.organization,
            "submitter_id": person[story.opener],
            "priority": PRIORITIES[severity],
            "status": status,
            "tags": ["vip", *(["closed_by_merge"] if "merged_into" in ended else []), *spam_tags],
            "subject": SECRET,
            "description": SECRET,
            "via": {"channel": "email", "source": {"from": {"address": SECRET}}},
        }
    )


def ending(
    rng: random.Random, kind: str, instant: datetime, *, is_told: bool
) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """What ticket events tell of a merge or of spam, and when: all of it, or too little."""
    if kind == "merged_into":
        if is_told:
            yield instant, added_tag(rng, "closed_by_merge")
        return
    named = rng.random() < 0.5
    deletion = {"field_name": "status", "value": "deleted"} if named else {"status": "deleted"}
    halves = [added_tag(rng, "spam"), {"event_type": "Change", **deletion, "previous_value": "open"}]
    rng.shuffle(halves)
    if is_told or rng.random() < 0.5:
        yield instant - timedelta(seconds=rng.choice((0, 1, 3600))), halves[0]
    if is_told:
        yield instant, halves[1]


def added_tag(rng: random.Random, tag: str) -> dict[str, Any]:
    """A change that adds a tag, as the export and as the audit writes it."""
    tags, before = [SECRET, tag], [SECRET]
    return rng.choice(
        (
            {"event_type": "Change", "tags": tags, "previous_value": before, "added_tags": [tag], "removed_tags": []},
            {"event_type": "Change", "tags": tags, "previous_value": before},
            {"type": "Change", "field_name": "tags", "value": tags, "previous_value": before},
        )
    )


def put_pages(bucket: Bucket, pages: Pages) -> None:
    """As an incremental export leaves them: in pieces that overlap, older states of the same rows before newer."""
    users = [
        {"id": user_id, "name": SECRET, "email": SECRET, "role": role, "tags": ["ai_agent"] if actor == "ai" else []}
        for actor, role in (("customer", "end-user"), ("agent", "agent"), ("ai", "admin"))
        for user_id in USERS[actor]
        if user_id != 99
    ]
    # Before they were promoted.
    earlier = [{**user, "role": "end-user", "tags": []} for user in users]
    before = [
        {**ticket, "priority": None, "tags": ["spam", "closed_by_merge"], "organization_id": 903, "submitter_id": 21}
        for ticket in pages.tickets
    ]
    bodies = {
        "0": ({"users": earlier, "tickets": before}, "2026-04-01T00:00:00Z"),
        "tickets": ({"tickets": pages.tickets, "after_cursor": SECRET}, "2026-05-01T00:00:00Z"),
        "events/1": ({"ticket_events": pages.events[:500], "next_page": SECRET}, "2026-05-01T00:00:00Z"),
        "events/2": ({"ticket_events": pages.events[490:], "users": users[:2]}, "2026-05-01T00:00:01Z"),
        "users": ({"users": users}, "2026-05-01T00:00:00Z"),
        "bad": (
            {"tickets": [{"id": 1, "description": SECRET}], "users": [{"id": "x", "name": SECRET}, SECRET]},
            "2026-05-01T00:00Z",
        ),
    }
    for name, (body, exported_at) in bodies.items():
        bucket.put(f"tickets/zendesk/{name}.json", json.dumps(body), exported_at=exported_at)


def put_accounts(bucket: Bucket) -> None:
    """An account with a contract for each organization but 905, 904's a sandbox; others have names of their own."""
    accounts = ["account_id,company_name,sandbox,zendesk_organization_id", "902,Company 902,,"]
    accounts += [f"a-{number},Company {number},{'true' if number == 4 else ''},90{number}" for number in (1, 3, 4)]
    # A second account that names organization 901: the lower id stands, and it is reported.
    accounts.append("a-2,Company 2,,901")
    contracts = [
        {
            "contract_id": f"k-{account_id}",
            "account_id": account_id,
            "plan": plan,
            "terms_id": f"klink-{plan}",
            "region": "eu",
            "starts_at": "2026-01-01T00:00:00Z",
            "active_agreement": True,
        }
        for account_id, plan in (("a-1", "enterprise"), ("902", "starter"), ("a-3", "enterprise"), ("a-4", "growth"))
    ]
    bucket.put("catalog/components/c.csv", "component_id,name,service,region\nc,C,dashboard,eu\n")
    bucket.put("accounts/accounts/a.csv", "\n".join(accounts))
    bucket.put("accounts/contracts/c.ndjson", ndjson(*contracts))
    fees = "".join(f"k-{account_id},{MONTH},100.00,USD\n" for account_id in ("a-1", "902", "a-3", "a-4"))
    bucket.put("accounts/fees/f.csv", "contract_id,service_month,monthly_fee,currency\n" + fees)


@pytest.fixture(scope="module")
def stories() -> Mapping[int, Story]:
    print(f"SLA_TEST_SEED={SEED}")
    rng = random.Random(SEED)
    return dict(enumerate([*written(), *(imagined(rng) for _ in range(RANDOM_STORIES))], 1))


@pytest.fixture(scope="module")
def built(fresh_settings: Settings, stories: Mapping[int, Story]) -> tuple[Built, dict[tuple[str, int], dict]]:
    """What was built of both tellings; response times by (as-of, ticket id)."""
    bucket = Bucket(fresh_settings)
    put_accounts(bucket)
    pages = Pages(random.Random(SEED))
    for ticket_id, story in stories.items():
        as_zendesk(ticket_id + OFFSET, story, pages)
    put_pages(bucket, pages)
    events = [row for ticket_id, story in stories.items() for row in as_events(ticket_id, story)]
    # A ticket that both feeds tell of: created by the one, answered in the other.
    both = as_events(7_000_000, Story(at("2026-03-02T09:00:00"), "P1", ()))
    bucket.put("tickets/events/e.ndjson", ndjson(*events, *both))
    reply = {"id": 1, "ticket_id": 7_000_000, "created_at": "2026-03-02T10:00:00Z", "updater_id": 21}
    comment = {"event_type": "Comment", "public": True}
    bucket.put("tickets/zendesk/both.json", json.dumps({"ticket_events": [{**reply, "child_events": [comment]}]}))
    bucket.land()
    terms.publish(fresh_settings)
    marts, rows = Built(fresh_settings), {}
    for as_of in AS_OF:
        build(fresh_settings, month=MONTH, as_of=as_of, select=MODELS)
        for row in marts.rows("select * from marts.fct_response_times"):
            rows[as_of, int(row.pop("ticket_id"))] = row
    return marts, rows


@pytest.mark.parametrize("as_of", AS_OF)
def test_both_tellings_come_to_the_same_rows(built, stories: Mapping[int, Story], as_of: str) -> None:
    _, rows = built
    outcomes: dict[str | None, int] = defaultdict(int)
    differing = {}
    for ticket_id in stories:
        told, zendesk = rows.get((as_of, ticket_id)), rows.get((as_of, ticket_id + OFFSET))
        outcomes["no row" if told is None else told["reason"] or told["outcome"]] += 1
        if told != zendesk:
            differing[ticket_id] = (stories[ticket_id], told, zendesk)
    assert not differing, f"SLA_TEST_SEED={SEED}: {len(differing)} differ, such as {next(iter(differing.items()))}"
    assert {
        *("no row", "met", "breached", "opened_by_company", "spam", "merged"),
        *("no_severity", "no_active_contract", "solved_by_customer"),
    } <= set(outcomes), outcomes


def test_what_both_feeds_tell_of_one_ticket_is_about_one_ticket(built) -> None:
    row = built[1][AS_OF[1], 7_000_000]
    assert (row["outcome"], row["elapsed_seconds"], row["account_id"]) == ("met", 3600, "a-1")


def test_what_is_reported(built) -> None:
    marts, _ = built
    found = {
        (row["code"], row["subject"])
        for of in ("responses", "landing")
        for row in marts.rows(f"select code, subject from intermediate.int_{of}_findings")
    }
    assert {
        ("ticket_user_unknown", "99"),
        ("organization_of_several_accounts", "901"),
        ("rows_quarantined", "tickets/zendesk/bad.json"),
    } <= found
    # Neither feed names what these were merged into.
    assert "merge_survivor_unknown" not in {code for code, _ in found}
    assert not {subject for code, subject in found if code == "ticket_user_unknown"} & {"11", "12", "21", "-1"}


def test_counts_reconcile_and_repeated_rows_are_duplicates(built) -> None:
    counts = {
        row["key"].removeprefix("tickets/zendesk/"): row
        for row in built[0].rows("select * from raw.source_objects where feed = 'tickets/zendesk'")
    }
    assert all(
        row["rows_read"] == row["rows_loaded"] + row["rows_duplicate"] + row["rows_quarantined"]
        for row in counts.values()
    )
    assert counts["events/2.json"]["rows_duplicate"] >= 10
    assert counts["bad.json"]["rows_quarantined"] == 3


def test_texts_and_addresses_stay_in_the_bucket(built) -> None:
    """Edge case 146: no table of any schema holds one, the quarantine's neither."""
    marts, _ = built
    tables = marts.rows(
        "select table_schema || '.' || table_name as name from information_schema.tables "
        "where table_schema not in ('pg_catalog', 'information_schema')"
    )
    assert {"raw.zendesk_tickets", "raw.quarantined_rows", "intermediate.int_ticket_events"} <= {
        table["name"] for table in tables
    }
    holding = [
        table["name"]
        for table in tables
        if marts.rows(f"select from {table['name']} as held where strpos(held::text, '{SECRET}') > 0 limit 1")
    ]
    assert holding == []


def test_months_are_touched_by_the_tickets_that_a_page_speaks_of(built, fresh_settings: Settings) -> None:
    """A user's role decides on the tickets that they opened or wrote on, whatever month these are of."""
    bucket = Bucket(fresh_settings)

    def touched_by(name: str, *users: dict[str, Any]) -> list[str]:
        bucket.put(f"tickets/zendesk/{name}", json.dumps({"users": users}))
        run_id = f"touching {name}"
        landing.freeze_listing(fresh_settings, run_id=run_id)
        (batch,) = landing.plan_batches(fresh_settings, run_id=run_id, checks=False)
        landing.land_batch(fresh_settings, batch, run_id=run_id)
        return landing.touched_months(fresh_settings, run_id=run_id)

    months = touched_by("agent", {"id": 21, "role": "end-user"})
    assert {"2026-03"} <= set(months) <= {"2026-02", "2026-03", "2026-04"}
    assert touched_by("nobody", {"id": 77, "role": "agent"}) == []
