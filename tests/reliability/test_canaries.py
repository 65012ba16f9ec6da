"""People's addresses, ticket texts and secrets in the exports and in the environment: they leave neither.

What must not leave is marked: each of 200 addresses and 20 secrets says `canary`, and is looked for, as it is and in
what usual encodings make of it, in every table, log, lineage event, page and file that a closed month leaves.
"""

from __future__ import annotations

import base64
import itertools
import json
import logging
import os
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from slaledger import objects
from slaledger.feeds import checks, values
from slaledger.feeds import rows as feed_rows
from slaledger.feeds.reasons import ObjectRejected, RowRejected
from slaledger.feeds.registry import FEEDS, feed_of, read_rows
from slaledger.settings import TERMS_DIR, Settings
from slaledger.warehouse import connect
from tests.conftest import make_bucket
from tests.second_route.running import settings_for
from tests.support.pipeline import Pipeline

ADDRESSES, SECRETS = 200, 20
MONTH, AS_OF, EXPORTED_AT = "2026-03", "2026-04-20T00:00:00Z", "2026-04-05T00:00:00Z"
MARK = "canary"
TERMS = TERMS_DIR / "klink-enterprise.yml"
FORMS: tuple[Callable[[str], str], ...] = (
    str,
    urllib.parse.quote,
    lambda text: base64.b64encode(text.encode()).decode().rstrip("=")[2:-2],
    lambda text: text.encode().hex(),
)


@dataclass
class Canaries:
    """Hands out what must not leave, each once; in the end, all of it over again."""

    told: int = 0  # addresses handed out
    texts: int = 0
    secrets: list[str] = field(
        default_factory=lambda: [f"sk_{MARK}_{number:02}_{number * 7919:08x}" for number in range(SECRETS)]
    )
    addresses: list[str] = field(
        default_factory=lambda: [f"{MARK}.{number:03}@people.example" for number in range(ADDRESSES)]
    )

    def text(self) -> str:
        """A sentence as customers write them, with an address and a secret."""
        self.texts += 1
        secret = self.secrets[self.texts % SECRETS]
        return f"Hello, {self.address()} here, my password is {secret}. Please call +49 30 {MARK} 5550{self.texts}."

    def address(self) -> str:
        self.told += 1
        return self.addresses[self.told % ADDRESSES]


def exports(canaries: Canaries) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """A month that ends in a line, in every feed texts where writers of such exports put them: key, body, metadata."""
    text, address = canaries.text, canaries.address

    def ndjson(*rows: dict[str, Any]) -> bytes:
        told = [json.dumps({**row, "comment": text(), "requester": {"email": address()}, address(): 1}) for row in rows]
        return "\n".join([*told, f'{{"broken": "{text()}', text(), json.dumps([text()]), ""]).encode()

    def csv(header: str, *records: str) -> bytes:
        told = [f"{record},{text().replace(',', ';')}" for record in records]
        return "\n".join([f"{header},{address()}", *told, text().replace(",", ";"), ""]).encode()

    yield "accounts/accounts/a.csv", csv("account_id,company_name", "A-1,Acme GmbH"), {}
    contract = {
        **{"contract_id": "K-1", "account_id": "A-1", "plan": "enterprise", "terms_id": "klink-enterprise"},
        **{"region": "eu", "starts_at": "2026-01-01T00:00:00Z", "active_agreement": True, "contact": address()},
    }
    yield "accounts/contracts/a.ndjson", ndjson(contract), {}
    yield "accounts/fees/a.csv", csv("contract_id,service_month,monthly_fee,currency", "K-1,2026-03,1000.00,EUR"), {}
    monitor = "m-1,dashboard,eu,fra,3600,86400"
    yield (
        "catalog/monitors/a.csv",
        csv("monitor_id,service,region,locations,interval_seconds,stale_after_seconds", monitor),
        {},
    )
    yield "catalog/components/a.csv", csv("component_id,name,service,region", "c-1,Dashboard,dashboard,eu"), {}
    checks = [
        {
            **{"monitor_id": "m-1", "location": "fra", "checked_at": f"2026-03-{day:02}T{hour:02}:00:00Z"},
            **{"status": "down" if day == 9 else "up", "error": text()},
        }
        for day in range(1, 32)
        for hour in (0, 6, 12, 18)
    ]
    yield "monitoring/checks/a.ndjson", ndjson(*checks), {}
    update = {"id": "u-1", "status": "investigating", "body": text(), "created_at": "2026-03-09T00:00:00Z"}
    incident = {
        **{"id": "i-1", "name": text(), "status": "resolved", "impact": "critical", "shortlink": f"x?{address()}"},
        **{"created_at": "2026-03-09T00:00:00Z", "resolved_at": "2026-03-09T05:00:00Z", "postmortem_body": text()},
        **{"components": [{"id": "c-1", "name": text(), "description": text()}]},
        "incident_updates": [
            {**update, "affected_components": [{"code": "c-1", "name": text(), "new_status": "major_outage"}]},
            {**update, "id": "u-2", "status": "resolved", "created_at": "2026-03-09T05:00:00Z", "tweet_id": text()},
        ],
    }
    listed = [incident, {"id": "i-2", "name": text()}, text()]
    page = {"page": {"id": "p", "name": text(), "url": address()}, "incidents": listed}
    yield "status_page/statuspage/a.json", json.dumps(page).encode(), {"complete": "true"}
    yield "status_page/statuspage/torn.json", json.dumps(page).encode()[:-9], {}
    notice = {
        **{"notice_id": "n-1", "maintenance_id": "w-1", "action": "announce", "channel": "email"},
        **{"sent_at": "2026-03-01T00:00:00Z", "window_start": "2026-03-20T00:00:00Z", "body": text()},
        **{"window_end": "2026-03-20T01:00:00Z", "component_ids": ["c-1"], "recipients": [address(), address()]},
    }
    yield "notices/a.ndjson", ndjson(notice), {}
    exclusion = {
        **{"exclusion_id": "x-1", "category": "force_majeure", "starts_at": "2026-03-21T00:00:00Z"},
        **{"ends_at": "2026-03-21T01:00:00Z", "author": "ann", "justification": text()},
    }
    yield "exclusions/a.ndjson", ndjson(exclusion), {}
    user = {"id": 7, "role": "end-user", "name": text(), "email": address(), "phone": text(), "notes": text()}
    event = {"ticket_id": 1, "created_at": "2026-03-02T09:40:00Z", "child_events": []}
    zendesk = {
        "tickets": [
            {
                **{"id": 1, "created_at": "2026-03-02T09:00:00Z", "updated_at": "2026-03-02T10:00:00Z"},
                **{"organization_id": 5, "submitter_id": 7, "priority": "urgent", "status": "open"},
                **{"subject": text(), "description": text(), "recipient": address(), "tags": [text(), "vip"]},
                **{"custom_fields": [{"id": 1, "value": text()}], "via": {"source": {"from": {"address": address()}}}},
            },
            {"id": "x", "subject": text()},
            text(),
        ],
        "ticket_events": [
            {
                **{"id": 3, "ticket_id": 1, "created_at": "2026-03-02T09:30:00Z", "updater_id": 8},
                "child_events": [
                    {
                        **{"event_type": "Comment", "public": True, "author_id": 8, "body": text()},
                        **{"html_body": text(), "attachments": [{"content_url": text()}]},
                    },
                    {"event_type": "Change", "subject": text(), "previous_value": text()},
                ],
            },
            {"id": 4, "child_events": text()},
            {**event, "id": 5, "updater_id": {"id": 8, "email": address()}},
        ],
        "users": [user, {**user, "id": 8, "role": "agent"}, {**user, "id": 9, "role": "owner"}],
    }
    yield "tickets/zendesk/a.json", json.dumps(zendesk).encode(), {}
    yield "tickets/zendesk/torn.json", json.dumps(zendesk).encode()[:-9], {}
    created = {"ticket_id": "t-1", "event_id": "e-1", "at": "2026-03-03T00:00:00Z", "type": "created"}
    yield "tickets/events/a.ndjson", ndjson({**created, "actor": "customer", "account_id": "A-1", "text": text()}), {}
    claim = {
        **{"claim_id": "cl-1", "account_id": "A-1", "company_name": "Acme GmbH", "service_month": MONTH},
        **{"received_at": "2026-04-03T00:00:00Z", "from": address(), "message": text()},
        "incident_timeline": [
            {"starts_at": "2026-03-09T00:00:00Z", "ends_at": "2026-03-09T05:00:00Z", "note": text(), "by": address()}
        ],
    }
    yield "claims/a.ndjson", ndjson(claim), {"uploaded-by": address()}
    terms = f"# {text()}\nid: t-1\nversion: '1'\neffective_from: 2026-01-01T00:00:00Z\nextends: klink-enterprise\n"
    yield "terms/a.yml", terms.encode(), {}
    yield "somewhere/else.txt", text().encode(), {}


def dump(warehouse) -> str:
    """Every row of every table and view of the database, as text."""
    with connect(warehouse) as connection:
        relations = connection.execute(
            """
            select table_schema, table_name from information_schema.tables
            where table_schema not in ('pg_catalog', 'information_schema')
            """
        ).fetchall()
        parts = []
        for schema, name in relations:
            query = sql.SQL("select t::text from {} as t").format(sql.Identifier(schema, name))
            parts += [row[0] for row in connection.execute(query)]
    return "\n".join(parts)


def hits(canaries: Canaries, places: dict[str, str]) -> list[str]:
    """Where something that must not leave is, in any form."""
    wanted = {form(text) for text in (*canaries.addresses, *canaries.secrets) for form in FORMS}
    return [f"{place}: {text}" for place, content in places.items() for text in wanted if text in content]


@pytest.fixture
def canaries(monkeypatch: pytest.MonkeyPatch) -> Canaries:
    """Also in the environment of whoever runs it."""
    made = Canaries()
    for number, secret in enumerate(made.secrets):
        monkeypatch.setenv(f"SLA_TEST_TOKEN_{number}", secret)
    return made


def close_month(settings: Settings, canaries: Canaries) -> None:
    bodies = {}
    for key, body, metadata in exports(canaries):
        objects.put(settings.exports, key, body, metadata={"exported-at": EXPORTED_AT, **metadata})
        bodies[key] = body.decode()
    check_put(canaries, bodies)
    Pipeline(settings).run(MONTH, AS_OF, close=True)


def check_put(canaries: Canaries, bodies: dict[str, str]) -> None:
    """Each address and secret is in an export, each export has some, and each secret is in the environment, too."""
    whole = "\n".join(bodies.values())
    missing = [text for text in (*canaries.addresses, *canaries.secrets) if text not in whole]
    assert not missing, f"in no export: {missing}"
    assert not [key for key, body in bodies.items() if "@people.example" not in body]
    assert not [key for key, body in bodies.items() if f"sk_{MARK}" not in body]
    assert set(canaries.secrets) <= set(os.environ.values())
    assert len(set(canaries.addresses)) >= 200
    assert len(set(canaries.secrets)) >= 20


def places(settings: Settings, log: str) -> dict[str, str]:
    """All that the month left outside the exports."""
    found = {"the database": dump(settings.warehouse), "the log": log}
    for path in (path for path in settings.home.rglob("*") if path.is_file()):
        found[str(path.relative_to(settings.home))] = path.read_text(encoding="utf-8", errors="replace")
    for version in objects.list_versions(settings.exports):
        if version.key.startswith("billing/"):
            found[version.key] = objects.get(settings.exports, version.key).decode(errors="replace")
    return found


def test_nothing_leaves(fresh_settings: Settings, canaries: Canaries, caplog, capfd, figure):
    caplog.set_level(logging.DEBUG)
    # What these log of their own at this level is what goes over the wire: it is no log of ours.
    for name in ("botocore", "boto3", "urllib3", "s3transfer"):
        logging.getLogger(name).setLevel(logging.INFO)
    close_month(fresh_settings, canaries)
    with connect(fresh_settings.warehouse) as connection:
        lines = connection.execute("select count(*) from billing.credit_line_items").fetchone()[0]
        feeds = connection.execute("select count(distinct feed) from raw.source_objects").fetchone()[0]
    assert (lines, feeds) == (1, len(FEEDS)), "the month is not what the test is about"
    out, err = capfd.readouterr()
    looked_at = places(fresh_settings, caplog.text + out + err)
    assert {"the database", "the log"} < looked_at.keys()
    assert any(place.startswith("billing/") for place in looked_at)
    assert "K-1" in looked_at["the database"]
    found = hits(canaries, looked_at)
    figure(f"{ADDRESSES} addresses, {SECRETS} secrets, {len(looked_at)} places: {len(found)} hits")
    assert found == []


def test_canaries_that_are_put_nowhere_are_found(canaries: Canaries):
    bodies = {key: body.decode() for key, body, _ in exports(canaries)}
    check_put(canaries, bodies)
    for lost in (canaries.addresses[172], canaries.secrets[19]):
        with pytest.raises(AssertionError, match="in no export"):
            check_put(canaries, {key: body.replace(lost, "") for key, body in bodies.items()})


def test_a_leak_is_found(warehouse_server, s3_server, tmp_path: Path, canaries: Canaries, monkeypatch):
    """The planted fault: the quarantine keeps what cannot be parsed, instead of its digest."""
    monkeypatch.setattr(feed_rows, "by_digest", lambda line: {"text": line.content.decode()})
    bucket = make_bucket(s3_server.exports, "leaking")
    with settings_for(warehouse_server, bucket, tmp_path, "leaking") as settings:
        for key, body, metadata in exports(canaries):
            objects.put(bucket, key, body, metadata=metadata)
        Pipeline(settings).land("leaking")
        assert hits(canaries, {"the database": dump(settings.warehouse)})


def fields_spoiled(canaries: Canaries) -> Iterator[tuple[str, bytes]]:
    """Every object of a month, once for each of its fields, however deep, with a canary there; and for each name."""
    for key, body, _ in exports(Canaries()):
        if key.endswith(("else.txt", "torn.json")):
            continue
        if key.endswith(".csv"):
            header, record, *_ = (line.split(",") for line in body.decode().splitlines())
            for place, line in itertools.product(range(len(header)), (0, 1)):
                lines = [list(header), list(record)]
                lines[line][place] = canaries.address()
                yield key, "\n".join(map(",".join, lines)).encode()
        elif key.endswith(".yml"):
            lines = TERMS.read_text(encoding="utf-8").splitlines()
            for place, line in enumerate(lines):
                name, colon, _ = line.partition(":")
                if colon:
                    for told in (f"{name}: '{canaries.address()}'", line.replace(name.strip(), canaries.address(), 1)):
                        yield key, "\n".join([*lines[:place], told, *lines[place + 1 :]]).encode()
        else:
            sound = json.loads(body if key.endswith(".json") else body.splitlines()[0])
            for path in paths(sound):
                for as_name in (False, True):
                    yield key, json.dumps(with_canary(sound, path, canaries.address(), as_name=as_name)).encode()


def paths(node: Any) -> Iterator[tuple[str | int, ...]]:
    """The way to everything within."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in inner:
        yield (name,)
        yield from ((name, *rest) for rest in paths(value))


def with_canary(node: Any, path: tuple[str | int, ...], canary: str, *, as_name: bool) -> Any:
    """A copy with the canary at that place: as what stands there, or, where it has one, as its name."""
    copy, (name, *rest) = node.copy(), path
    if rest:
        copy[name] = with_canary(node[name], tuple(rest), canary, as_name=as_name)
    elif as_name and isinstance(node, dict):
        copy[canary] = copy.pop(name)
    else:
        copy[name] = canary
    return copy


def said_of(path: Path, bodies: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, str]]:
    """What is said of each: why it, or a row of it, cannot be used, and what is reported of it."""
    latest = datetime(2026, 4, 5, tzinfo=UTC)
    for key, body in bodies:
        path.write_bytes(body)
        notes = feed_rows.Notes()
        try:
            if key.startswith("monitoring/"):
                batches = checks.read(path, checks.format_of(path), {"m-1": ["fra"]}, latest, notes)
                rejects = [reject for batch in batches for reject in batch.rejects]
            else:
                rejects = [row for row in read_rows(feed_of(key), path, notes)[1] if isinstance(row, feed_rows.Reject)]
        except ObjectRejected as error:
            yield key, f"{error.code} {error.reason}"
        else:
            yield from ((key, f"{reject.code} {reject.reason}") for reject in rejects)
        yield from ((key, f"{code} {detail}") for code, _, detail in notes.observations)
        yield from ((key, name) for name in notes.unknown_fields)


def test_no_reason_says_what_a_row_holds(tmp_path: Path, canaries: Canaries, figure):
    """Whatever the field: what it holds may stay on record where the contract has the field, but in no message."""
    bodies = list(fields_spoiled(canaries))
    said = list(said_of(tmp_path / "body", bodies))
    figure(f"{canaries.told} canaries in fields and names: {len(said)} things said of them")
    assert {key for key, _ in said} == {key for key, _ in bodies}
    assert len(said) > canaries.told / 4
    assert [(key, text) for key, text in said if MARK in text] == []


def test_a_reason_that_says_it_is_found(tmp_path: Path, canaries: Canaries, monkeypatch):
    """The planted fault: a reason that quotes."""

    def quoting(value: object, field: str) -> datetime:
        raise RowRejected("invalid_instant", f"`{field}` is {value}")

    monkeypatch.setattr(values, "as_instant", quoting)
    bodies = [(key, body) for key, body in fields_spoiled(canaries) if key.startswith("claims/")]
    assert any(MARK in text for _, text in said_of(tmp_path / "body", bodies))
