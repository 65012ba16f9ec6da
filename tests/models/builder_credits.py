"""Fills `raw.*` as landing would, for tests of models, and reads the marts that are built from it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from slaledger.feeds.values import company_key
from slaledger.settings import Settings
from slaledger.warehouse import connect

NAMESPACE = uuid.UUID("5a5f3a43-8b6e-4b86-9d34-2f4c7e9b1d10")
EXPORTED_AT = datetime(2026, 1, 1, tzinfo=UTC)
EVERYTHING_SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def instant(text: str | datetime) -> datetime:
    """An instant from ISO 8601; without an offset it is UTC."""
    parsed = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


@dataclass
class Exports:
    """Rows for `raw.*`, kept until `load`: an object a feed unless `object_key` says otherwise."""

    objects: dict[uuid.UUID, dict[str, Any]] = field(default_factory=dict)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def object(self, feed: str, *, key: str | None = None, exported_at: str | datetime = EXPORTED_AT) -> uuid.UUID:
        """The id of an object of a feed, made when it is first asked for."""
        key = key or f"{feed}/all"
        object_id = uuid.uuid5(NAMESPACE, key)
        self.objects.setdefault(
            object_id,
            {"object_id": object_id, "key": key, "feed": feed, "exported_at": instant(exported_at)},
        )
        return object_id

    def add(self, table: str, feed: str, object_id: uuid.UUID | None = None, **columns: Any) -> None:
        """One row of a table of `raw`, with its object, line and digest."""
        object_id = object_id or self.object(feed)
        rows = self.rows.setdefault(table, [])
        line_number = 1 + sum(row["object_id"] == object_id for row in rows)
        digest = uuid.uuid5(NAMESPACE, repr(sorted(columns.items()))).hex
        rows.append(
            {
                "object_id": object_id,
                "line_number": line_number,
                "row_sha256": digest,
                "is_duplicate": False,
                **columns,
            }
        )

    def account(self, account_id: str, company_name: str | None = None, *, is_sandbox: bool = False) -> None:
        """An account; its company is named after it unless a name is given."""
        name = company_name or f"Company {account_id}"
        self.add(
            "accounts",
            "accounts/accounts",
            account_id=account_id,
            company_name=name,
            company_key=company_key(name),
            is_sandbox=is_sandbox,
        )

    def contract(
        self,
        contract_id: str,
        account_id: str,
        *,
        plan: str = "enterprise",
        terms_id: str | None = None,
        region: str = "eu",
        starts_at: str | datetime = EVERYTHING_SINCE,
        ends_at: str | None = None,
        suspensions: str = "{}",
        active_agreement: bool = True,
        fee: str | None = "1000.00",
        currency: str = "USD",
        months: Sequence[str] = ("2026-03", "2026-04", "2026-10"),
    ) -> None:
        """A contract of an account and its fees, by default the same in each month that tests build."""
        self.add(
            "contracts",
            "accounts/contracts",
            contract_id=contract_id,
            account_id=account_id,
            plan=plan,
            terms_id=terms_id or f"klink-{plan}",
            region=region,
            services=[],
            starts_at=instant(starts_at),
            ends_at=instant(ends_at) if ends_at else None,
            suspensions=suspensions,
            active_agreement=active_agreement,
        )
        for month in months if fee is not None else ():
            self.add(
                "fees",
                "accounts/fees",
                contract_id=contract_id,
                service_month=date.fromisoformat(f"{month}-01"),
                monthly_fee=fee,
                currency=currency,
            )

    def customer(self, name: str, **contract: Any) -> None:
        """An account and its one contract, both named after it: `A-name` and `C-name`."""
        self.account(f"A-{name}")
        self.contract(f"C-{name}", f"A-{name}", **contract)

    def terms(self, terms_id: str, version: str = "1", *, since: str = "2026-01-01T00:00:00Z", **changed: Any) -> None:
        """Custom terms that extend `klink-enterprise`."""
        document = {
            "id": terms_id,
            "version": version,
            "effective_from": since,
            "extends": "klink-enterprise",
            **changed,
        }
        self.add(
            "terms",
            "terms",
            self.object("terms", key=f"terms/{terms_id}-{version}.yml"),
            terms_id=terms_id,
            version=version,
            effective_from=instant(since),
            document=json.dumps(document),
        )

    def event(
        self,
        ticket_id: str,
        event_type: str,
        at: str | datetime,
        actor: str = "customer",
        *,
        object_id: uuid.UUID | None = None,
        **columns: Any,
    ) -> None:
        """One event of a ticket; its id is its place among the ticket's events unless given."""
        number = sum(row["ticket_id"] == ticket_id for row in self.rows.get("ticket_events", []))
        self.add(
            "ticket_events",
            "tickets/events",
            object_id,
            **{
                "ticket_id": ticket_id,
                "event_id": f"{ticket_id}-{number:03}",
                "at": instant(at),
                "type": event_type,
                "actor": actor,
                "is_automatic": False,
                **columns,
            },
        )

    def ticket(
        self,
        ticket_id: str,
        account_id: str | None,
        at: str | datetime,
        severity: str | None = "P1",
        *,
        reply: str | datetime | None = None,
        actor: str = "customer",
    ) -> None:
        """A ticket that an account opened, and the agent's public reply to it, if there was one."""
        self.event(ticket_id, "created", at, actor, account_id=account_id, severity=severity)
        if reply is not None:
            self.event(ticket_id, "public_reply", reply, "agent")

    def claim(
        self,
        claim_id: str,
        *,
        received_at: str,
        account_id: str | None = None,
        company_name: str | None = None,
        month: str = "2026-04",
        sent_at: str | None = None,
        timeline: Sequence[tuple[str, str | None]] | None = None,
    ) -> None:
        """One message of a claim."""
        spans = timeline and json.dumps([{"starts_at": start, "ends_at": end} for start, end in timeline])
        self.add(
            "claims",
            "claims",
            claim_id=claim_id,
            account_id=account_id,
            company_name=company_name,
            company_key=company_key(company_name) if company_name else None,
            service_month=date.fromisoformat(f"{month}-01"),
            sent_at=instant(sent_at) if sent_at else None,
            received_at=instant(received_at),
            incident_timeline=spans,
        )

    def full_claim(self, claim_id: str, name: str, received_at: str, **given: Any) -> None:
        """A claim of `customer(name)` that gives all that it must."""
        self.claim(
            claim_id,
            received_at=received_at,
            **{
                "account_id": f"A-{name}",
                "company_name": f"Company A-{name}",
                "timeline": [("2026-04-20T10:00:00Z", "2026-04-20T11:00:00Z")],
                **given,
            },
        )

    def outage(self, region: str, starts_at: str, seconds: float, *, service: str = "dashboard") -> None:
        """Downtime of a service in a region, as a status-page incident declares it."""
        component = f"{service}-{region}"
        if all(row["component_id"] != component for row in self.rows.get("components", [])):
            self.add(
                "components",
                "catalog/components",
                component_id=component,
                name=component,
                service=service,
                region=region,
            )
        start = instant(starts_at)
        end = start + timedelta(seconds=seconds)
        number = len(self.rows.get("incidents", [])) + 1
        incident = f"I-{region}-{number}"
        statuses = ((start, "investigating", "major_outage"), (end, "resolved", "operational"))
        updates = [
            {
                "update_id": f"{incident}-{status}",
                "status": status,
                "at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "components": [{"component_id": component, "new_status": new_status}],
            }
            for at, status, new_status in statuses
        ]
        self.add(
            "incidents",
            "status_page/statuspage",
            listed_in="incidents",
            is_maintenance=False,
            page_id="page",
            incident_id=incident,
            status="resolved",
            impact="critical",
            created_at=start,
            started_at=start,
            resolved_at=end,
            component_ids=[component],
            updates=json.dumps(updates),
        )

    def monitor(self, region: str, *watched: tuple[str, str], service: str = "dashboard") -> None:
        """A monitor of one location, and minutely checks that are up from each first to each last instant."""
        monitor_id = f"monitor-{service}-{region}"
        self.add(
            "monitors",
            "catalog/monitors",
            monitor_id=monitor_id,
            service=service,
            region=region,
            locations=["fra"],
            interval_seconds=60,
        )
        object_id = self.object("monitoring/checks")
        for first, last in watched:
            first_at, last_at = instant(first), instant(last)
            self.rows.setdefault("check_streaks", []).append(
                {
                    "object_id": object_id,
                    "monitor_id": monitor_id,
                    "location": "fra",
                    "status": "up",
                    "first_at": first_at,
                    "last_at": last_at,
                    "n": 1 + (last_at - first_at) // timedelta(minutes=1),
                    "max_gap_seconds": 60,
                }
            )

    def load(self, settings: Settings) -> None:
        """Write all of it, and the terms that follow from it."""
        from slaledger import terms

        with connect(settings.warehouse) as connection:
            for each in self.objects.values():
                connection.execute(
                    """
                    insert into raw.source_objects (
                        object_id, bucket, key, version_id, etag, sha256, size_bytes, exported_at, landed_at, feed,
                        format, status, last_modified, run_id
                    )
                    values (
                        %(object_id)s, 'exports', %(key)s, '1', '', '', 0, %(exported_at)s, %(exported_at)s, %(feed)s,
                        'ndjson', 'loaded', %(exported_at)s, 'test'
                    )
                    """,
                    each,
                )
            for table, rows in self.rows.items():
                columns = list(dict.fromkeys(column for row in rows for column in row))
                statement = (
                    f"insert into raw.{table} ({', '.join(columns)})"
                    f" values ({', '.join(f'%({column})s' for column in columns)})"
                )
                with connection.cursor() as cursor:
                    cursor.executemany(statement, [{**dict.fromkeys(columns), **row} for row in rows])
        terms.publish(settings)


@dataclass(frozen=True)
class Built:
    """A warehouse with models built."""

    settings: Settings

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a query, as mappings."""
        from psycopg.rows import dict_row

        with connect(self.settings.warehouse) as connection:
            return connection.cursor(row_factory=dict_row).execute(query, parameters).fetchall()

    def by(self, mart: str, *keys: str) -> dict[Any, dict[str, Any]]:
        """The rows of a mart by key; two rows of one key are an error."""
        found: dict[Any, dict[str, Any]] = {}
        for row in self.rows(f"select * from marts.{mart}"):
            key = tuple(row[name] for name in keys) if len(keys) > 1 else row[keys[0]]
            assert key not in found, f"{mart} has two rows of {key}"
            found[key] = row
        return found
