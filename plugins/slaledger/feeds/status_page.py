"""`status_page/statuspage/`: documents of Atlassian Statuspage API v2. A row is an incident or a maintenance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from slaledger.feeds import json_documents, strict_json, values
from slaledger.feeds.reasons import ObjectRejected, RowRejected
from slaledger.feeds.rows import Notes, Record, Reject, kept

_INCIDENT_STATUSES = ("investigating", "identified", "monitoring", "resolved", "postmortem")
_MAINTENANCE_STATUSES = ("scheduled", "in_progress", "verifying", "completed")
_IMPACTS = ("none", "minor", "major", "critical", "maintenance")
_COMPONENT_STATUSES = (
    "operational",
    "degraded_performance",
    "partial_outage",
    "major_outage",
    "under_maintenance",
)

_Value = TypeVar("_Value")

# What the quarantine keeps of an incident: ids, states and times, never names and texts.
KEPT_FIELDS: Mapping[str, Any] = {
    **dict.fromkeys(
        (
            "id",
            "page_id",
            "status",
            "impact",
            "created_at",
            "started_at",
            "resolved_at",
            "scheduled_for",
            "scheduled_until",
        )
    ),
    "components": {"id": None},
    "incident_updates": {
        **dict.fromkeys(("id", "status", "created_at", "display_at")),
        "affected_components": {"code": None, "new_status": None},
    },
}


@dataclass(frozen=True)
class Document:
    """What a document listed, for withdrawal (rule S3) and inferred resolution (rule S5)."""

    kind: str
    page_id: str | None
    page_updated_at: datetime | None
    incident_ids: tuple[str, ...]
    maintenance_ids: tuple[str, ...]


def read(path: Path, notes: Notes) -> tuple[list[Document], Iterator[Record | Reject]]:
    """One document → what it listed, and its rows: incidents first, then maintenances, numbered through.

    An empty object is an export of no rows, and lists nothing. Raises `ObjectRejected`.
    """
    root = json_documents.load(path)
    if root is None:
        return [], iter(())
    lists = json_documents.lists(root, ("incidents", "scheduled_maintenances"))
    is_summary = bool(lists) and "status" in root
    if not lists or (is_summary and len(lists) < 2):
        raise ObjectRejected("not_status_page", "no summary, incidents or scheduled_maintenances document")
    page_id = _of_page(root, values.optional_text, "id")
    page_updated_at = _of_page(root, values.optional_instant, "updated_at")
    ids = {name: tuple(_ids(items)) for name, items in lists.items()}
    kinds = ["summary"] if is_summary else list(lists)
    documents = [
        Document(
            kind=kind,
            page_id=page_id,
            page_updated_at=page_updated_at,
            incident_ids=ids.get("incidents", ()) if kind != "scheduled_maintenances" else (),
            maintenance_ids=ids.get("scheduled_maintenances", ()) if kind != "incidents" else (),
        )
        for kind in kinds
    ]
    return documents, _rows(lists, page_id, notes, is_summary=is_summary)


def _of_page(root: Mapping[str, Any], read: Callable[[Mapping[str, Any], str], _Value], field: str) -> _Value | None:
    """A field of `page`, which is no row: what cannot be used is as if absent."""
    try:
        page = values.mapping(root.get("page"), "page")
        strict_json.check(page.get(field))
        return read(page, field)
    except RowRejected:
        return None


def _ids(items: list[Any]) -> Iterator[str]:
    # A row that cannot be used was listed all the same: it is neither withdrawn nor resolved by its absence.
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("id"), str) and "\x00" not in item["id"]:
            yield item["id"].encode("utf-8", "replace").decode()


def _rows(
    lists: Mapping[str, list[Any]], page_id: str | None, notes: Notes, *, is_summary: bool
) -> Iterator[Record | Reject]:
    number = 0
    for name, items in lists.items():
        is_maintenance = name == "scheduled_maintenances"
        for item in items:
            number += 1
            listing = {
                "listed_in": "summary" if is_summary else name,
                "is_maintenance": is_maintenance,
                "page_id": page_id,
            }
            try:
                json_documents.check_row(item)
                row = _maintenance(item) if is_maintenance else _incident(item, notes)
                own_page = values.optional_text(item, "page_id")
                yield Record(number, {**listing, **row, "page_id": page_id or own_page})
            except RowRejected as error:
                source = item if isinstance(item, dict) else {}
                yield Reject(
                    number, error.code, error.reason, kept(source, KEPT_FIELDS, partial(json_documents.digest, item))
                )


def _shared(item: Mapping[str, Any], statuses: tuple[str, ...]) -> dict[str, Any]:
    components = values.optional_list(item, "components")
    return {
        "incident_id": values.text(item, "id"),
        "status": values.choice(item, "status", statuses),
        "impact": values.choice(item, "impact", _IMPACTS),
        "created_at": values.instant(item, "created_at"),
        "started_at": values.optional_instant(item, "started_at"),
        "resolved_at": values.optional_instant(item, "resolved_at"),
        "component_ids": [values.text(values.mapping(part, "components"), "id") for part in components],
        "updates": [_update(update, statuses) for update in values.optional_list(item, "incident_updates")],
    }


def _update(value: Any, statuses: tuple[str, ...]) -> dict[str, Any]:
    update = values.mapping(value, "incident_updates")
    at = values.optional_instant(update, "display_at") or values.instant(update, "created_at")
    return {
        "update_id": values.text(update, "id"),
        "status": values.choice(update, "status", statuses),
        "at": _text(at),
        "components": [
            {
                "component_id": values.text(part, "code"),
                "new_status": values.choice(part, "new_status", _COMPONENT_STATUSES),
            }
            for part in (
                values.mapping(part, "affected_components")
                for part in values.optional_list(update, "affected_components")
            )
        ],
    }


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def _maintenance(item: Mapping[str, Any]) -> dict[str, Any]:
    row = _shared(item, _MAINTENANCE_STATUSES)
    row["scheduled_for"] = values.optional_instant(item, "scheduled_for")
    row["scheduled_until"] = values.optional_instant(item, "scheduled_until")
    values.check_order(row["scheduled_for"], row["scheduled_until"], "scheduled_for, scheduled_until")
    return row


def _incident(item: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """Rule S2: a resolved incident has an end, and starts no later than it; a reopened one is open."""
    row = {**_shared(item, _INCIDENT_STATUSES), "scheduled_for": None, "scheduled_until": None}
    if row["status"] not in ("resolved", "postmortem"):
        return row
    ends = [update["at"] for update in row["updates"] if update["status"] == "resolved"]
    resolved_at = row["resolved_at"] or (values.as_instant(max(ends), "resolved") if ends else None)
    if resolved_at is None:
        raise RowRejected("resolved_without_end", "resolved, with neither `resolved_at` nor a `resolved` update")
    if (row["started_at"] or row["created_at"]) > resolved_at:
        if row["started_at"] is None or not row["created_at"] < resolved_at:
            raise RowRejected("end_not_after_start", "the end is not after the start (started_at, resolved_at)")
        row["started_at"] = row["created_at"]
        detail = "started_at is after the resolution: the incident starts at its created_at"
        notes.observations.append(("incident_start_replaced", row["incident_id"], detail))
    return row
