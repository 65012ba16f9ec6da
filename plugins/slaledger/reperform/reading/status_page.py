"""`status_page/statuspage/`: incidents, maintenances and summaries as Atlassian Statuspage serves them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from slaledger.reperform.reading import fields
from slaledger.reperform.reading.rows import (
    Fields,
    Unreadable,
    Unusable,
    check_texts,
    document_row,
    json_document,
    rejection,
)
from slaledger.reperform.records import ExportObject, Incident, PageDocument, Rejected, Update

Value = TypeVar("Value")
LISTS = ("incidents", "scheduled_maintenances")
RESOLVED = frozenset({"resolved", "postmortem"})
STATUSES = {
    "incidents": RESOLVED | {"investigating", "identified", "monitoring"},
    "scheduled_maintenances": frozenset({"scheduled", "in_progress", "verifying", "completed"}),
}
IMPACTS = frozenset({"none", "minor", "major", "critical", "maintenance"})
COMPONENT_STATUSES = frozenset(
    {"operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"}
)


def read(objects: Iterable[ExportObject], *, rejected: list[Rejected]) -> list[PageDocument]:
    """The documents in order of export; a document with both lists but no `status` is one of each kind."""
    documents = []
    for source in sorted(objects, key=lambda source: (source.exported_at, source.key)):
        try:
            documents += page_documents(source, rejected=rejected)
        except Unreadable as why:
            rejected.append(rejection(source, 0, why))
    return documents


def page_documents(source: ExportObject, *, rejected: list[Rejected]) -> list[PageDocument]:
    """What one object says; raises `Unreadable` if it lists neither incidents nor maintenances, a summary not both."""
    content, lists = json_document(source.body, LISTS)
    is_summary = "status" in content
    if is_summary and len(lists) < len(LISTS):
        raise Unreadable("it is a summary without one of its lists")
    page = content.get("page")
    page = page if isinstance(page, dict) else {}
    page_id = usable_or_none(fields.optional_text, page, "id")
    usable: dict[str, dict[str, Incident]] = {name: {} for name in lists}
    listed = [(name, value) for name, values in lists.items() for value in values]
    for number, (name, value) in enumerate(listed, start=1):
        try:
            found = incident(document_row(value), name, page_id)
        except Unusable as why:
            rejected.append(rejection(source, number, why))
        else:
            usable[name][found.incident_id] = found
    kinds = {"summary": "incidents"} if is_summary else {name: name for name in lists}
    return [
        PageDocument(
            key=source.key,
            exported_at=source.exported_at,
            kind=kind,
            page_id=page_id,
            page_updated_at=usable_or_none(fields.optional_instant, page, "updated_at"),
            is_complete=source.is_complete and kind != "summary" and page_id is not None,
            listed_ids=frozenset(
                value["id"]
                for value in lists.get(name, [])
                if isinstance(value, dict) and isinstance(value.get("id"), str)
            ),
            incidents=tuple(usable.get(name, {}).values()) if name == "incidents" else (),
            maintenances=() if kind == "incidents" else tuple(usable.get("scheduled_maintenances", {}).values()),
        )
        for kind, name in kinds.items()
    ]


def usable_or_none(get: Callable[[Fields, str], Value], page: Fields, name: str) -> Value | None:
    """A field of the page wrapper, which is no row: what cannot be used is as if absent."""
    try:
        check_texts(page.get(name))
        return get(page, name)
    except Unusable:
        return None


def incident(row: Fields, listed_in: str, page_id: str | None) -> Incident:
    """An incident or a maintenance, by the one of `LISTS` that it stands in, and the page that its document names.

    Rule S2: resolved without `resolved_at` and without a `resolved` update it cannot be used; nor if it would start
    after its end, unless its `created_at` is before that, which then is its start.
    """
    statuses = STATUSES[listed_in]
    status = fields.choice(row, "status", statuses)
    created_at = fields.instant(row, "created_at")
    started_at, resolved_at = fields.optional_instant(row, "started_at"), fields.optional_instant(row, "resolved_at")
    if listed_in == "scheduled_maintenances":
        scheduled = fields.optional_instant(row, "scheduled_for"), fields.optional_instant(row, "scheduled_until")
        fields.check_order(*scheduled, "scheduled_until")
    updates = tuple(update(item, statuses) for item in fields.objects(row, "incident_updates"))
    end = resolved_at if status in RESOLVED else None
    if end is None and status in RESOLVED:
        end = max((each.at for each in updates if each.status == "resolved"), default=None)
        if end is None:
            raise Unusable("it is resolved, but neither resolved_at nor an update says when (S2)")
    if end is not None and (created_at if started_at is None else started_at) > end:
        if created_at >= end:
            raise Unusable("it is resolved before it starts (S2)")
        started_at = created_at
    own_page_id = fields.optional_text(row, "page_id")
    return Incident(
        incident_id=fields.text(row, "id"),
        page_id=own_page_id if page_id is None else page_id,
        status=status,
        impact=fields.choice(row, "impact", IMPACTS),
        created_at=created_at,
        started_at=started_at,
        resolved_at=resolved_at,
        component_ids=tuple(fields.text(item, "id") for item in fields.objects(row, "components")),
        updates=updates,
    )


def update(row: Fields, statuses: Collection[str]) -> Update:
    """An update, at its `display_at`, else its `created_at` (S1)."""
    fields.text(row, "id")
    display_at = fields.optional_instant(row, "display_at")
    return Update(
        at=fields.instant(row, "created_at") if display_at is None else display_at,
        status=fields.choice(row, "status", statuses),
        changes=tuple(
            (fields.text(item, "code"), fields.choice(item, "new_status", COMPONENT_STATUSES))
            for item in fields.objects(row, "affected_components")
        ),
    )
