"""`notices/` and `exclusions/`."""

from __future__ import annotations

from slaledger.reperform.reading import fields
from slaledger.reperform.reading.rows import Fields, Unusable
from slaledger.reperform.records import ExportObject, Notice, RegisterEntry

ACTIONS = frozenset({"announce", "move", "cut", "extend", "cancel"})
CHANNELS = frozenset({"email", "in_app", "status_page"})
CATEGORIES = frozenset(
    {
        "third_party_meta",
        "third_party_messaging",
        "third_party_ai",
        "customer_connectivity",
        "force_majeure",
        "scheduled_maintenance",
    }
)


def notice(row: Fields, _: ExportObject) -> Notice:
    """A notice; a window that a `cancel` carries all the same must be one, and means nothing."""
    action = fields.choice(row, "action", ACTIONS)
    component_ids = fields.texts(row, "component_ids")
    if not component_ids:
        raise Unusable("component_ids is missing")
    starts_at, ends_at = fields.optional_instant(row, "window_start"), fields.optional_instant(row, "window_end")
    fields.check_order(starts_at, ends_at, "window_end")
    return Notice(
        notice_id=fields.text(row, "notice_id"),
        maintenance_id=fields.text(row, "maintenance_id"),
        action=action,
        channel=fields.choice(row, "channel", CHANNELS),
        sent_at=fields.instant(row, "sent_at"),
        window=None if action == "cancel" else fields.span(row, "window_start", "window_end"),
        component_ids=component_ids,
        account_ids=fields.texts(row, "account_ids"),
    )


def register_entry(row: Fields, _: ExportObject) -> RegisterEntry:
    """An entry of the register, which takes no `scheduled_maintenance` (X2)."""
    return RegisterEntry(
        exclusion_id=fields.text(row, "exclusion_id"),
        category=fields.choice(row, "category", CATEGORIES - {"scheduled_maintenance"}),
        services=fields.texts(row, "services"),
        regions=fields.texts(row, "regions"),
        account_ids=fields.texts(row, "account_ids"),
        span=fields.span(row, "starts_at", "ends_at"),
        incident_ids=fields.texts(row, "incident_ids"),
        evidence_url=fields.optional_text(row, "evidence_url", longest=fields.LONGEST_NAME),
        author=fields.text(row, "author"),
        approved_by=fields.optional_text(row, "approved_by"),
        approved_at=fields.optional_instant(row, "approved_at"),
        revoked_at=fields.optional_instant(row, "revoked_at"),
    )
