"""Every version of all terms, typed, for the models: the shipped three and the landed ones (rules T1 to T4)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from slaledger.settings import Settings
from slaledger.terms.landed import landed
from slaledger.terms.resolve import Resolution, Resolved, canonical, resolve_all, shipped_documents
from slaledger.warehouse import connect

if TYPE_CHECKING:
    import psycopg

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# PostgreSQL reads these names as abbreviations, of one offset all year; the IANA data base has them keep the clocks of:
SHADOWED_ZONES = {"CET": "Europe/Brussels", "EET": "Europe/Athens", "MET": "Europe/Brussels", "WET": "Europe/Lisbon"}
# Holidays of the library are expanded for these years, whatever the month: the same calendar in every build.
HOLIDAY_YEARS = range(2015, 2051)


@dataclass(frozen=True)
class PublishedTerms:
    """How many versions are in force at some time, and how many documents were refused."""

    versions: int
    refused: int


def publish(settings: Settings) -> PublishedTerms:
    """Replace `raw.terms_versions`, what was refused, and `raw.calendar_holidays`, in one transaction."""
    with connect(settings.warehouse, role="sla_loader") as connection:
        connection.execute("select audit.hold('the terms in force')")
        known = landed(connection)
        resolution = resolve_all([*shipped_documents(), *known.documents], catalog_services=known.catalog_services)
        connection.execute("delete from raw.terms_versions")
        connection.execute("delete from raw.terms_faults")
        connection.execute("delete from raw.calendar_holidays")
        connection.execute("delete from raw.observations where code = 'terms_version_changed'")
        _insert_versions(connection, resolution)
        _insert_refused(connection, resolution)
    return PublishedTerms(versions=len(resolution.versions), refused=len(resolution.faults))


def _insert_versions(connection: psycopg.Connection, resolution: Resolution) -> None:
    calendars: dict[str, Any] = {}
    rows = []
    for position, entry in enumerate(resolution.versions):
        later = resolution.versions[position + 1] if position + 1 < len(resolution.versions) else None
        until = later.document.effective_from if later and later.document.key[0] == entry.document.key[0] else None
        rows.append(_row(entry, until, calendars))
    columns = list(rows[0])
    statement = f"insert into raw.terms_versions ({', '.join(columns)}) values ({', '.join('%s' for _ in columns)})"
    with connection.cursor() as cursor:
        cursor.executemany(statement, [list(row.values()) for row in rows])
        cursor.executemany(
            "insert into raw.calendar_holidays (calendar_id, holiday) values (%s, %s)",
            [(calendar, day) for calendar, listed in calendars.items() for day in _days(listed)],
        )


def _insert_refused(connection: psycopg.Connection, resolution: Resolution) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into raw.terms_faults (object_id, line_number, terms_id, terms_version, line, message) "
            "values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
            [
                (
                    document.object_id,
                    document.line_number,
                    *document.key,
                    fault.line,
                    f"line {fault.line}: {fault.message}",
                )
                for document, fault in resolution.faults
            ],
        )
        cursor.executemany(
            "insert into raw.observations (code, subject, object_id, detail) "
            "values ('terms_version_changed', %s, %s, %s) on conflict do nothing",
            [
                (
                    "/".join(document.key),
                    document.object_id,
                    f"{document.name}: this version was landed before with other content, which stands (rule T1): "
                    "give the change a version of its own",
                )
                for document in resolution.changed
            ],
        )


def _row(entry: Resolved, until: Any, calendars: dict[str, Any]) -> dict[str, Any]:
    document, content = entry.document, entry.content
    availability, claims, response = content["availability"], content["claims"], content["response_times"]
    holidays = response["calendar"]["holidays"]
    calendar_id = _calendar_id(holidays)
    calendars[calendar_id] = holidays
    tiers = sorted(content["credits"], key=lambda tier: -tier["below"])
    return {
        "terms_id": document.key[0],
        "terms_version": document.key[1],
        "effective_from": document.effective_from,
        "effective_until": until,
        "object_id": document.object_id,
        "extends_terms_id": entry.parent[0] if entry.parent else None,
        "extends_terms_version": entry.parent[1] if entry.parent else None,
        "inherited": list(entry.inherited),
        "landed_late": document.exported_at is not None and document.exported_at > document.effective_from,
        "plan": content["plan"],
        "is_guaranteed": content["guaranteed"],
        "time_zone": _zone(content["time_zone"]),
        "commitment_percent": availability["commitment"],
        "core_services": availability["core_services"],
        "down_when": availability["down_when"],
        "evidence": availability["evidence"],
        "degraded_counts": availability["degraded_counts"],
        "partial_outage_counts": availability["partial_outage_counts"],
        "minimum_outage_seconds": _seconds(availability["minimum_outage"]),
        "excluded_time": availability["excluded_time"],
        "thresholds_from": availability["thresholds_from"],
        "exclusion_categories": content["exclusions"],
        "notice_seconds": _seconds(content["maintenance"]["notice"]),
        "notice_channels": content["maintenance"]["channels"],
        "credit_tiers": _json([{name: _text(tier[name]) for name in ("below", "percent")} for tier in tiers]),
        "claims_required": claims["required"],
        "claims_within_days": int(claims["within"].removesuffix("d")),
        "claims_must_include": claims["must_include"],
        "counted_reply": response["counted_reply"],
        "calendar_id": calendar_id,
        "calendar_time_zone": _zone(response["calendar"]["time_zone"]),
        "response_targets": _json({name: _target(text) for name, text in response["targets"].items()}),
        "response_credits": _json(
            [{"severity": each["severity"], "percent": _text(each["percent"])} for each in response["credits"]]
        ),
        "response_credit_cap_percent": response["response_credit_cap"],
        "document": canonical(content),
    }


def _zone(name: str) -> str:
    return SHADOWED_ZONES.get(name, name)


def _seconds(text: str) -> int:
    return int(text[:-1]) * UNIT_SECONDS[text[-1]]


def _target(text: str) -> dict[str, str]:
    if "business" in text:
        return {"business_days": text.split()[0]}
    return {"seconds": str(_seconds(text))}


def _text(number: Decimal) -> str:
    return format(Decimal(number), "f")


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _calendar_id(listed: str | list[str] | None) -> str:
    if listed is None:
        return "none"
    if isinstance(listed, str):
        return listed
    return "sha256:" + hashlib.sha256("\n".join(sorted(set(listed))).encode()).hexdigest()[:16]


def _days(listed: str | list[str] | None) -> list[date]:
    if listed is None:
        return []
    if isinstance(listed, list):
        return sorted({date.fromisoformat(day) for day in listed})
    import holidays

    country, _, subdivision = listed.partition("-")
    found = holidays.country_holidays(country, subdiv=subdivision or None, years=HOLIDAY_YEARS)
    return sorted(found.keys())
