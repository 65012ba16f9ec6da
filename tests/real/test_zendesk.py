"""Real Zendesk tables, reshaped into Zendesk's pages and accounted, against a reckoning from the tables themselves.

The tables are samples: no ticket with a row has a comment, and only one has a priority. So beside the tickets as they
are, two are told in addition. That one again under another id, in Zendesk's words where its history has others
(`medium`, `on-hold`). And a ticket for each of those that only have comments: opened by who wrote first, urgent, and
what followed written by the tables' agent.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from slaledger.settings import PROJECT_DIR
from tests.landing.bucket import Bucket, ndjson

SEEDS_DIR = PROJECT_DIR.parent / "shared" / "data" / "zendesk_seeds"
TERMS = PROJECT_DIR / "terms" / "klink-enterprise.yml"

pytestmark = [
    pytest.mark.skipif(not SEEDS_DIR.exists(), reason="the tables are not here"),
    pytest.mark.timeout(600),
]

AS_OF = "2020-12-01T00:00:00Z"
MONTHS = ("2020-02", "2020-08", "2020-10")
SEVERITIES = {"urgent": "P1", "high": "P2", "normal": "P3", "low": "P4"}
WORDS = {"medium": "normal", "on-hold": "hold"}
TOLD_AGAIN = 1_000_000
# Whose tickets are told by their comments alone.
COMMENTERS = 370295712714

Row = dict[str, str]


def table(name: str) -> list[Row]:
    with (SEEDS_DIR / f"{name}_data.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(text: str) -> str:
    return text.replace(" ", "T") + "Z"


def number(text: str) -> int | None:
    return int(text) if text else None


def organization(ticket: Row) -> int | None:
    """Of the ticket, else of its requester, as Zendesk sets it."""
    organizations = {user["id"]: user["organization_id"] for user in table("user")}
    return number(ticket["organization_id"] or organizations.get(ticket["requester_id"], ""))


def history() -> dict[tuple[str, str], list[Row]]:
    """What each tracked field of a ticket was set to, oldest first."""
    found = defaultdict(list)
    for row in sorted(table("ticket_field_history"), key=lambda row: row["updated"]):
        if row["field_name"] in ("priority", "status"):
            found[row["ticket_id"], row["field_name"]].append(row)
    return found


def comments() -> dict[str, list[Row]]:
    """By ticket, oldest first."""
    found = defaultdict(list)
    for row in sorted(table("ticket_comment"), key=lambda row: row["created"]):
        found[row["ticket_id"]].append(row)
    return found


def agent() -> int:
    (found,) = (int(user["id"]) for user in table("user") if user["role"] == "agent")
    return found


def told_again() -> Row:
    (found,) = (ticket for ticket in table("ticket") if ticket["priority"])
    return found


def ticket_page() -> list[dict[str, Any]]:
    tags = defaultdict(list)
    for row in table("ticket_tag"):
        tags[row["ticket_id"]].append(row["tag"])
    rows = [
        {
            "id": int(ticket["id"]),
            "created_at": shown(ticket["created_at"]),
            "updated_at": shown(ticket["updated_at"]),
            "subject": ticket["subject"],
            "description": ticket["description"],
            "recipient": ticket["recipient"],
            "organization_id": organization(ticket),
            "priority": ticket["priority"] or None,
            "status": ticket["status"],
            "requester_id": int(ticket["requester_id"]),
            "submitter_id": int(ticket["submitter_id"]),
            "tags": tags[ticket["id"]],
            "via": {"channel": ticket["via_channel"]},
        }
        for ticket in table("ticket")
    ]
    rows += [{**row, "id": row["id"] + TOLD_AGAIN} for row in rows if str(row["id"]) == told_again()["id"]]
    rows += [
        {
            "id": int(ticket_id),
            "created_at": shown(written[0]["created"]),
            "organization_id": COMMENTERS,
            "priority": "urgent",
            "status": "open",
            "submitter_id": int(written[0]["user_id"]),
            "tags": tags[ticket_id],
        }
        for ticket_id, written in comments().items()
    ]
    return rows


def child_events() -> Iterator[tuple[int, str, int | None, dict[str, Any]]]:
    """(ticket, instant, updater, child event): the first value of a field is its creation, each later one a change."""
    for (ticket_id, name), rows in history().items():
        before = None
        for row in rows:
            tellings = [(int(ticket_id), row["value"], before)]
            if ticket_id == told_again()["id"]:
                again = (WORDS.get(value, value) if value else None for value in (row["value"], before))
                tellings.append((int(ticket_id) + TOLD_AGAIN, *again))
            for told_as, value, previous in tellings:
                child = {"event_type": "Create", name: value}
                if previous is not None:
                    child = {"event_type": "Change", name: value, "previous_value": previous}
                yield told_as, row["updated"], number(row["user_id"]), child
            before = row["value"]
    for ticket_id, written in comments().items():
        for place, row in enumerate(written):
            author_id = agent() if place else int(row["user_id"])
            child = {"event_type": "Comment", "author_id": author_id, "body": row["body"]}
            yield int(ticket_id), row["created"], None, {**child, "public": row["public"] == "TRUE"}


def event_page() -> list[dict[str, Any]]:
    return [
        {
            "id": event_id,
            "ticket_id": ticket_id,
            "timestamp": int(instant(at).timestamp()),
            "created_at": shown(at),
            "updater_id": updater_id,
            "child_events": [child],
        }
        for event_id, (ticket_id, at, updater_id, child) in enumerate(child_events(), 1)
    ]


def user_page() -> list[dict[str, Any]]:
    tags = defaultdict(list)
    for row in table("user_tag"):
        tags[row["user_id"]].append(row["tag"])
    return [
        {
            "id": int(user["id"]),
            "name": user["name"],
            "email": user["email"],
            "role": user["role"],
            "tags": tags[user["id"]],
        }
        for user in table("user")
    ]


def next_business_day(at: datetime) -> datetime:
    """Rule R3 in UTC without holidays, for an instant of a business day."""
    assert at.weekday() < 5
    return at + timedelta(days=3 if at.weekday() == 4 else 1)


def expected(month: str) -> dict[str, dict[str, Any]]:
    """What the tables come to, ticket by ticket."""
    found: dict[str, dict[str, Any]] = {}
    dues = {"P1": lambda at: at + timedelta(hours=2), "P2": lambda at: at + timedelta(hours=4), "P3": next_business_day}

    def answer(
        ticket_id: str, created_at: datetime, account: int, severity: str | None, reply_at: datetime | None
    ) -> None:
        if created_at.strftime("%Y-%m") != month:
            return
        row = {"account_id": account_of(account), "created_at": created_at, "first_human_reply_at": reply_at}
        row |= {"severity": severity, "due_at": None, "elapsed_seconds": None}
        row |= {"outcome": "not_measured", "reason": "no_severity"}
        if severity:
            due_at = dues[severity](created_at)
            ended_at = reply_at or instant(AS_OF)
            row |= {"due_at": due_at, "outcome": "breached" if ended_at > due_at else "met", "reason": None}
            row["elapsed_seconds"] = Decimal((ended_at - created_at) // timedelta(seconds=1))
        found[ticket_id] = row

    for ticket in table("ticket"):
        created_at, account = instant(ticket["created_at"]), organization(ticket)
        answer(ticket["id"], created_at, account, first_severity(ticket, {}), None)
        if ticket["priority"]:
            answer(str(int(ticket["id"]) + TOLD_AGAIN), created_at, account, first_severity(ticket, WORDS), None)
    for ticket_id, written in comments().items():
        public = [row for row in written[1:] if row["public"] == "TRUE"]
        reply_at = instant(public[0]["created"]) if public else None
        answer(ticket_id, instant(written[0]["created"]), COMMENTERS, "P1", reply_at)
    return found


def first_severity(ticket: Row, words: dict[str, str]) -> str | None:
    """What the first change that can be read changed; without one, what the ticket has."""
    values = [words.get(row["value"], row["value"]) for row in history()[ticket["id"], "priority"]]
    readable = [before for before, after in itertools.pairwise(values) if {before, after} <= set(SEVERITIES)]
    return SEVERITIES.get(readable[0] if readable else ticket["priority"])


def account_of(organization_id: int) -> str:
    """Every other organization is named by an account of another id."""
    return f"a-{organization_id}" if organization_id % 2 else str(organization_id)


@pytest.fixture(scope="module")
def accounted(pipeline):
    """The pipeline after the builds of all months; rows by month and ticket."""
    bucket = Bucket(pipeline.settings)
    pages = {"tickets": ticket_page(), "ticket_events": event_page(), "users": user_page()}
    for name, rows in pages.items():
        bucket.put(f"tickets/zendesk/{name}.json", json.dumps({name: rows, "count": len(rows), "next_page": None}))
    put_contracts(bucket, sorted({row["organization_id"] for row in pages["tickets"]}))
    found = {}
    for month in MONTHS:
        pipeline.run(month, AS_OF)
        rows = pipeline.rows("select * from marts.fct_response_times where service_month = %s", [f"{month}-01"])
        found[month] = {row["ticket_id"]: row for row in rows}
    return pipeline, found


def put_contracts(bucket: Bucket, organizations: list[int]) -> None:
    """For each organization an account and a contract, under terms that are in force that early."""
    terms = TERMS.read_text(encoding="utf-8")
    for shipped, ours in (
        ("id: klink-enterprise\n", "id: recorded\n"),
        ('version: "2026-01"', 'version: "2019-01"'),
        ("effective_from: 2026-01-01", "effective_from: 2019-01-01"),
    ):
        assert terms.count(shipped) == 1
        terms = terms.replace(shipped, ours)
    accounts = ["account_id,company_name,zendesk_organization_id"]
    accounts += [f"{account_of(each)},Company {each},{each if each % 2 else ''}" for each in organizations]
    contracts = [
        {
            "contract_id": f"k-{each}",
            "account_id": account_of(each),
            "plan": "enterprise",
            "terms_id": "recorded",
            "region": "eu",
            "starts_at": "2020-01-01T00:00:00Z",
            "active_agreement": True,
        }
        for each in organizations
    ]
    bucket.put("terms/recorded.yml", terms)
    bucket.put("catalog/components/c.csv", "component_id,name,service,region\nc,C,dashboard,eu\n")
    bucket.put("accounts/accounts/a.csv", "\n".join(accounts))
    bucket.put("accounts/contracts/c.ndjson", ndjson(*contracts))


@pytest.mark.parametrize("month", MONTHS)
def test_response_times_are_what_the_tables_come_to(accounted, month: str) -> None:
    rows = accounted[1][month]
    wanted = expected(month)
    shown_columns = next(iter(wanted.values())).keys()
    assert {ticket_id: {name: row[name] for name in shown_columns} for ticket_id, row in rows.items()} == wanted


def test_the_tables_hold_something_of_each() -> None:
    """Else the comparison says nothing."""
    both = {month: expected(month) for month in MONTHS}
    outcomes = {(row["outcome"], row["severity"]) for rows in both.values() for row in rows.values()}
    assert {
        ("not_measured", None),
        ("breached", "P1"),
        ("breached", "P2"),
        ("breached", "P3"),
        ("met", "P1"),
    } <= outcomes
    accounts = {row["account_id"].startswith("a-") for rows in both.values() for row in rows.values()}
    assert accounts == {True, False}


def test_what_zendesk_has_no_word_for_is_quarantined(accounted) -> None:
    """`medium`, as the new priority and as the previous one; every other row is loaded."""
    pipeline, _ = accounted
    rejects = pipeline.rows("select reason_code, raw_record ->> 'ticket_id' as ticket_id from raw.quarantined_rows")
    assert [tuple(row.values()) for row in rejects] == [("value_not_allowed", told_again()["id"])] * 2
    (loaded,) = pipeline.rows(
        "select sum(rows_loaded + rows_duplicate) as n from raw.source_objects where feed = 'tickets/zendesk'"
    )
    assert loaded["n"] == len(ticket_page()) + len(event_page()) + len(user_page()) - 2


def test_texts_stay_in_the_bucket(accounted) -> None:
    """Subjects, descriptions, comments, names and addresses: no table of any schema holds one."""
    pipeline, _ = accounted
    texts = {row[name] for row in table("ticket") for name in ("subject", "description", "recipient")}
    texts |= {row["body"] for row in table("ticket_comment")}
    texts |= {user[name] for user in table("user") for name in ("name", "email")}
    tables = pipeline.rows(
        "select table_schema || '.' || table_name as name from information_schema.tables "
        "where table_schema not in ('pg_catalog', 'information_schema')"
    )
    assert {"raw.zendesk_tickets", "marts.fct_response_times"} <= {each["name"] for each in tables}
    for each in tables:
        rows = pipeline.rows(f"select held::text as held from {each['name']} as held")
        held = "\n".join(row["held"] for row in rows)
        assert not [text for text in texts if text in held], each["name"]
