"""Export objects as other systems would drop them, made in Python: what a case does not care about is filled in.

One `World` holds the objects of many cases, each with a region, accounts and ids of its own.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Period = tuple[str, str]  # half-open

# Objects are exported then, unless a case says otherwise: after each of the months.
EXPORTED_AT = datetime(2026, 12, 10, 6, tzinfo=UTC)
BILLED = ("2026-03", "2026-04", "2026-10", "2026-11")

SUFFIXES = {
    "catalog/monitors": "csv",
    "catalog/components": "csv",
    "accounts/accounts": "csv",
    "accounts/fees": "csv",
    "status_page/statuspage": "json",
    "terms": "yml",
}
_STATUSES = {"u": "up", "d": "down", "g": "degraded", "?": "unknown"}


def instant(text: str) -> datetime:
    """An instant from ISO 8601 with an offset."""
    return datetime.fromisoformat(text).astimezone(UTC)


def after(text: str, seconds: float) -> str:
    """The instant some seconds (to the microsecond) later, as exports write it."""
    later = instant(text) + timedelta(microseconds=round(seconds * 1_000_000))
    return later.isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass
class World:
    """The rows of every object by its key; `write` makes a tree of them that `sla put` uploads."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    metadata: dict[str, Row] = field(default_factory=dict)

    def add(self, feed: str, row: Row, *, object_name: str = "edge-cases", exported_at: str | None = None) -> str:
        """A row of a feed's object of that name; the object's key."""
        key = f"{feed}/{object_name}.{SUFFIXES.get(feed, 'ndjson')}"
        self.rows.setdefault(key, []).append(row)
        if exported_at is not None:
            self.metadata.setdefault(key, {})["exported-at"] = exported_at
        return key

    def write(self, directory: Path, *, exported_at: datetime = EXPORTED_AT) -> None:
        """A file per object, exported then unless its metadata, in a file beside it, says otherwise."""
        for key, rows in self.rows.items():
            path = directory / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body(key, rows), encoding="utf-8")
            os.utime(path, (exported_at.timestamp(), exported_at.timestamp()))
            if key in self.metadata:
                path.with_name(path.name + ".meta.json").write_text(json.dumps(self.metadata[key]), encoding="utf-8")

    # Accounts and terms

    def account(self, account_id: str, company_name: str | None = None, *, sandbox: bool = False) -> None:
        """An account; its company is named after it unless told otherwise."""
        name = company_name or f"Company {account_id}"
        row = {"account_id": account_id, "company_name": name, "sandbox": "true" if sandbox else ""}
        self.add("accounts/accounts", row)

    def contract(
        self,
        contract_id: str,
        account_id: str,
        *,
        region: str,
        plan: str = "enterprise",
        terms_id: str | None = None,
        starts_at: str = "2026-01-01T00:00:00Z",
        fee: str | None = "1000.00",
        currency: str = "USD",
        active_agreement: bool = True,
        **given: Any,
    ) -> None:
        """A contract of an account, and its fee in every month; `fee=None`: none."""
        row = {
            "contract_id": contract_id,
            "account_id": account_id,
            "plan": plan,
            "terms_id": terms_id or f"klink-{plan}",
            "region": region,
            "starts_at": starts_at,
            "active_agreement": active_agreement,
            **given,
        }
        self.add("accounts/contracts", row)
        for month in BILLED if fee is not None else ():
            billed = {"contract_id": contract_id, "service_month": month, "monthly_fee": fee, "currency": currency}
            self.add("accounts/fees", billed)

    def customer(self, name: str, *, region: str | None = None, **contract: Any) -> None:
        """An account and its one contract, `A-name` and `C-name`, in the region of that name unless told otherwise."""
        self.account(f"A-{name}")
        self.contract(f"C-{name}", f"A-{name}", region=region or name, **contract)

    def terms(self, terms_id: str, version: str = "1", *, since: str = "2026-01-01T00:00:00Z", **changed: Any) -> None:
        """Custom terms that extend `klink-enterprise`."""
        document = {"id": terms_id, "version": version, "effective_from": since, "extends": "klink-enterprise"}
        self.add("terms", {**document, **changed}, object_name=f"{terms_id}-{version}")

    # What was up and down

    def component(self, component_id: str, *, region: str, service: str = "dashboard") -> None:
        """A component of the catalog, unless it is there already."""
        row = {"component_id": component_id, "name": component_id, "service": service, "region": region}
        if row not in self.rows.get("catalog/components/edge-cases.csv", []):
            self.add("catalog/components", row)

    def incident(
        self,
        incident_id: str,
        component_ids: Sequence[str],
        updates: Sequence[tuple[str, str, Mapping[str, str]]],
        *,
        impact: str = "major",
        object_name: str = "edge-cases",
        exported_at: str | None = None,
        **given: Any,
    ) -> str:
        """An incident; updates are (at, status, {component: new status}), oldest first. Its object's key."""
        written = [
            {
                "id": f"{incident_id}-{number}",
                "status": status,
                "created_at": at,
                "affected_components": [{"code": each, "new_status": to} for each, to in changed.items()],
            }
            for number, (at, status, changed) in enumerate(updates, start=1)
        ]
        row = {
            "id": incident_id,
            "status": updates[-1][1],
            "impact": impact,
            "created_at": updates[0][0],
            "components": [{"id": each} for each in component_ids],
            # The page serves the newest first.
            "incident_updates": written[::-1],
            **given,
        }
        return self.add("status_page/statuspage", row, object_name=object_name, exported_at=exported_at)

    def outage(self, region: str, starts_at: str, seconds: float, *, service: str = "dashboard", **given: Any) -> str:
        """Downtime of a service in a region by an incident of the status page; the incident's id."""
        component = f"{service}-{region}"
        self.component(component, region=region, service=service)
        known = {row["id"] for key, rows in self.rows.items() if key.startswith("status_page/") for row in rows}
        incident_id = next(f"I-{region}-{n}" for n in range(1, 100) if f"I-{region}-{n}" not in known)
        ends_at = after(starts_at, seconds)
        updates = [
            (starts_at, "investigating", {component: "major_outage"}),
            (ends_at, "resolved", {component: "operational"}),
        ]
        self.incident(incident_id, [component], updates, **{"resolved_at": ends_at, **given})
        return incident_id

    def watched(
        self,
        region: str,
        by_location: Mapping[str, str],
        *,
        start: str = "2026-04-10T10:00:00Z",
        object_name: str = "edge-cases",
        exported_at: str | None = None,
        **monitor: Any,
    ) -> str:
        """A monitor of the dashboard, active from its first check to its last, one a minute; the checks' object.

        A letter a minute: `u`p, `d`own, `g` degraded, `?` unknown, `.` no check.
        """
        length = max(map(len, by_location.values()))
        row = {
            "monitor_id": f"M-{region}",
            "service": "dashboard",
            "region": region,
            "locations": ";".join(sorted(by_location)),
            "interval_seconds": 60,
            "stale_after_seconds": "",
            "confirm": "",
            "quorum_min": "",
            "active_from": start,
            "active_until": after(start, 60 * length),
        }
        self.add("catalog/monitors", {**row, **monitor})
        for location, statuses in by_location.items():
            for minute, letter in enumerate(statuses):
                if letter != ".":
                    check = {
                        "monitor_id": f"M-{region}",
                        "location": location,
                        "checked_at": after(start, 60 * minute),
                        "status": _STATUSES[letter],
                    }
                    self.add("monitoring/checks", check, object_name=object_name, exported_at=exported_at)
        return f"monitoring/checks/{object_name}.ndjson"

    # What takes downtime off

    def notice(
        self, notice_id: str, action: str, sent_at: str, window: Period | None, *components: str, **given: Any
    ) -> None:
        """A notice by e-mail to all; `window` is None for `cancel`. Its maintenance is its id up to the last `-`."""
        row = {
            "notice_id": notice_id,
            "maintenance_id": notice_id.rpartition("-")[0],
            "action": action,
            "channel": "email",
            "sent_at": sent_at,
            "component_ids": list(components),
        }
        if window is not None:
            row |= {"window_start": window[0], "window_end": window[1]}
        where = {each: given.pop(each) for each in ("object_name", "exported_at") if each in given}
        self.add("notices", {**row, **given}, **where)

    def entry(self, exclusion_id: str, category: str, period: Period, **given: Any) -> None:
        """An entry of the exclusion register, sound unless told otherwise (rule X2)."""
        row = {
            "exclusion_id": exclusion_id,
            "category": category,
            "starts_at": period[0],
            "ends_at": period[1],
            "evidence_url": "https://evidence.klink.example/1",
            "author": "ann",
            "approved_by": "bob",
            "approved_at": "2026-01-01T00:00:00Z",
        }
        where = {each: given.pop(each) for each in ("object_name", "exported_at") if each in given}
        self.add("exclusions", {**row, **given}, **where)

    # What customers say

    def event(self, ticket_id: str, type: str, at: str, actor: str = "customer", **given: Any) -> None:
        """One event of a ticket; its id is its place among the ticket's events."""
        number = sum(row["ticket_id"] == ticket_id for row in self.rows.get("tickets/events/edge-cases.ndjson", []))
        row = {"ticket_id": ticket_id, "event_id": f"{ticket_id}-{number:03}", "at": at, "type": type, "actor": actor}
        self.add("tickets/events", {**row, **given})

    def ticket(
        self, ticket_id: str, account_id: str | None, at: str, severity: str | None = "P1", reply: str | None = None
    ) -> None:
        """A ticket that an account's user opened, and an agent's public reply to it, if there was one."""
        self.event(ticket_id, "created", at, account_id=account_id, severity=severity)
        if reply is not None:
            self.event(ticket_id, "public_reply", reply, "agent")

    def claim(self, claim_id: str, name: str, received_at: str, *, month: str = "2026-04", **given: Any) -> None:
        """A claim of `customer(name)` with all that it must name."""
        row = {
            "claim_id": claim_id,
            "account_id": f"A-{name}",
            "company_name": f"Company A-{name}",
            "service_month": month,
            "received_at": received_at,
            "incident_timeline": [{"starts_at": f"{month}-10T10:00:00Z", "ends_at": f"{month}-10T11:00:00Z"}],
        }
        where = {each: given.pop(each) for each in ("object_name", "exported_at") if each in given}
        self.add("claims", {**row, **given}, **where)


def body(key: str, rows: Sequence[Row]) -> str:
    """The text of an object, in the format that its key ends in."""
    if key.endswith(".csv"):
        text = io.StringIO()
        writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), restval="")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()
    if key.endswith(".json"):
        page = {"id": "page-" + Path(key).stem, "updated_at": "2026-12-10T06:00:00Z"}
        return json.dumps({"page": page, "incidents": list(rows)})
    if key.endswith(".yml"):
        (document,) = rows
        return json.dumps(document)
    if key.startswith("tickets/zendesk/"):
        (document,) = rows
        return json.dumps(document)
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
