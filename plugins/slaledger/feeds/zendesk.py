"""`tickets/zendesk/`: pages of Zendesk's incremental exports. A row is a ticket, a ticket event or a user.

Ids, instants, roles and states are taken; subjects, texts, names and addresses stay in the bucket. What follows from
them for a ticket's clock is reckoned in the models (`stg_tickets__zendesk_*`, `int_zendesk_ticket_events`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from slaledger.feeds import json_documents, values
from slaledger.feeds.reasons import ObjectRejected, RowRejected
from slaledger.feeds.rows import Notes, Parse, Record, Reject, kept

_PRIORITIES = ("urgent", "high", "normal", "low")
_ROLES = ("end-user", "agent", "admin")
_TRACKED_FIELDS = ("priority", "status")
_TRACKED_TAGS = ("closed_by_merge", "spam")

# A channel is named, or numbered, as text or not: 8 is `rule`. Where a comment is not exported in full, `via` itself is
# the name.
_AUTOMATIC_CHANNELS = ("rule", "system", "8", 8)

_KEPT_CHILD = {
    **dict.fromkeys(("id", "event_type", "type", "public", "comment_public", "author_id", "field_name")),
    **dict.fromkeys((*_TRACKED_FIELDS, "value", "previous_value")),
    "via": {"channel": None},
}
# What the quarantine keeps, by list.
KEPT_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "tickets": dict.fromkeys(
        ("id", "created_at", "updated_at", "organization_id", "submitter_id", "priority", "status")
    ),
    "ticket_events": {
        **dict.fromkeys(("id", "ticket_id", "created_at", "updater_id")),
        "via": {"channel": None},
        "child_events": _KEPT_CHILD,
    },
    "users": dict.fromkeys(("id", "role")),
}


@dataclass(frozen=True)
class _Kind:
    table: str
    parse: Parse


def read(path: Path, notes: Notes) -> Iterator[Record | Reject]:
    """The rows of one page: tickets, then ticket events, then users, numbered through.

    An empty object is an export of no rows. Raises `ObjectRejected`.
    """
    root = json_documents.load(path)
    if root is None:
        return iter(())
    lists = json_documents.lists(root, _KINDS)
    if not lists:
        raise ObjectRejected("not_zendesk", "no document with lists of tickets, ticket_events or users")
    if root.get("end_of_stream") is False:
        detail = "the page is not the last one: what follows it has to lie in the bucket, too"
        notes.observations.append(("more_pages", None, detail))
    return _rows(lists)


def _rows(lists: Mapping[str, list[Any]]) -> Iterator[Record | Reject]:
    number = 0
    for name, items in lists.items():
        kind = _KINDS[name]
        for item in items:
            number += 1
            try:
                json_documents.check_row(item)
                yield Record(number, kind.parse(item), kind.table)
            except RowRejected as error:
                source = _without_other_events(item) if isinstance(item, dict) else {}
                record = kept(source, KEPT_FIELDS[name], partial(json_documents.digest, item))
                yield Reject(number, error.code, error.reason, record)


def _ticket(row: Mapping[str, Any]) -> dict[str, Any]:
    """A ticket → `raw.zendesk_tickets`."""
    tags = values.optional_list(row, "tags")
    return {
        "ticket_id": values.number_id(row, "id"),
        "created_at": values.instant(row, "created_at"),
        "updated_at": values.optional_instant(row, "updated_at"),
        "organization_id": values.optional_number_id(row, "organization_id"),
        "submitter_id": values.optional_number_id(row, "submitter_id"),
        "priority": values.optional_choice(row, "priority", _PRIORITIES),
        "status": values.optional_text(row, "status"),
        "is_tagged_merged": "closed_by_merge" in tags,
        "is_tagged_spam": "spam" in tags,
    }


def _ticket_event(row: Mapping[str, Any]) -> dict[str, Any]:
    """An update of a ticket → `raw.zendesk_ticket_events`. Its instant is `created_at`, never the epoch `timestamp`."""
    # Without the list nobody knows what the event told: a reply may be among it.
    children = [values.mapping(child, "child_events") for child in values.required_list(row, "child_events")]
    tags = [tag for child in children for tag in _added_tags(child)]
    return {
        "ticket_event_id": values.number_id(row, "id"),
        "ticket_id": values.number_id(row, "ticket_id"),
        "at": values.instant(row, "created_at"),
        "updater_id": values.optional_number_id(row, "updater_id"),
        "facts": [
            *(_fact(child, row) for child in children if _tells(child)),
            *({"kind": "tag", "value": tag} for tag in tags),
        ],
    }


def _user(row: Mapping[str, Any]) -> dict[str, Any]:
    """A user → `raw.zendesk_users`."""
    return {
        "user_id": values.number_id(row, "id"),
        "role": values.choice(row, "role", _ROLES),
        "is_tagged_ai": "ai_agent" in values.optional_list(row, "tags"),
    }


_KINDS = {
    "tickets": _Kind("zendesk_tickets", _ticket),
    "ticket_events": _Kind("zendesk_ticket_events", _ticket_event),
    "users": _Kind("zendesk_users", _user),
}


def _changed_field(child: Mapping[str, Any]) -> str | None:
    """What a change is of: the export names it as a field of its own, the audit in `field_name`."""
    if "field_name" in child:
        return child["field_name"] if child["field_name"] in _TRACKED_FIELDS else None
    return next((name for name in _TRACKED_FIELDS if name in child), None)


def _tells(child: Mapping[str, Any]) -> bool:
    return _kind(child) == "Comment" or (_kind(child) == "Change" and _changed_field(child) is not None)


def _kind(child: Mapping[str, Any]) -> Any:
    return child.get("event_type") or child.get("type")


def _added_tags(child: Mapping[str, Any]) -> list[str]:
    """The tags that a rule asks for and that a change added: `added_tags`, else those that were not there before."""
    if _kind(child) != "Change":
        return []
    added, before = child.get("added_tags"), []
    if added is None:
        of_tags = "field_name" not in child or child["field_name"] == "tags"
        added = child.get("value" if "field_name" in child else "tags") if of_tags else None
        before = _tags(child.get("previous_value"))
    return [tag for tag in _TRACKED_TAGS if tag in _tags(added) and tag not in before]


def _tags(value: object) -> list[Any]:
    """Tags are a list, or a text with blanks between them."""
    return value.split() if isinstance(value, str) else value if isinstance(value, list) else []


def _fact(child: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """A comment, or a change of priority or status. Raises `RowRejected`."""
    is_automatic = _is_automatic(child.get("via") or event.get("via"))
    if _kind(child) == "Comment":
        return {
            "kind": "comment",
            "is_automatic": is_automatic,
            "is_public": values.flag(child, "comment_public" if values.is_absent(child, "public") else "public"),
            "author_id": values.optional_number_id(child, "author_id"),
        }
    name = _changed_field(child)
    field = "value" if "field_name" in child else name
    if name == "status":
        return {"kind": name, "is_automatic": is_automatic, "value": values.optional_text(child, field)}
    return {
        "kind": name,
        "is_automatic": is_automatic,
        "value": values.optional_choice(child, field, _PRIORITIES),
        "previous_value": values.optional_choice(child, "previous_value", _PRIORITIES),
    }


def _is_automatic(via: object) -> bool:
    channel = via.get("channel") if isinstance(via, Mapping) else via
    return (channel.lower() if isinstance(channel, str) else channel) in _AUTOMATIC_CHANNELS


def _without_other_events(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row without the child events that tell of other fields: their values may be texts."""
    children = row.get("child_events")
    if not isinstance(children, list):
        return row
    return {**row, "child_events": [child for child in children if isinstance(child, Mapping) and _tells(child)]}
