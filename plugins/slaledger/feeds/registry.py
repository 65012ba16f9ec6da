"""Every feed: its prefix, the formats it comes in, its fields, and the table it lands in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slaledger.feeds import accounts, catalog, notices, status_page, terms_documents, tickets, zendesk
from slaledger.feeds.rows import Notes, Parse, Record, Reject, read_csv, read_ndjson

# What we ourselves drop into the bucket.
OWN_PREFIX = "billing/"


@dataclass(frozen=True)
class Table:
    """A table of `raw`, by the columns that a record fills."""

    name: str
    columns: tuple[str, ...]
    json_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Feed:
    """One feed of the contract. `fields` maps a field to None, or to its own fields where it holds objects."""

    name: str
    format: str  # the one it comes in; checks come in three
    tables: tuple[Table, ...] = ()  # none: checks are reduced; of several, a record names its own
    required: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    parse: Parse | None = None

    @property
    def prefix(self) -> str:
        """What the keys of its objects begin with."""
        return f"{self.name}/"


def _feed(
    name: str,
    format: str,
    table: str,
    columns: str,
    *,
    fields: str,
    required: str,
    parse: Parse,
    nested: Mapping[str, Any] | None = None,
    json_columns: tuple[str, ...] = (),
) -> Feed:
    return Feed(
        name=name,
        format=format,
        tables=(Table(table, tuple(columns.split()), json_columns),),
        required=tuple(required.split()),
        fields={**dict.fromkeys((required + " " + fields).split()), **(nested or {})},
        parse=parse,
    )


_INTERVAL = {"starts_at": None, "ends_at": None}

CHECKS = Feed(
    name="monitoring/checks",
    format="ndjson",
    required=("monitor_id", "location", "checked_at", "status"),
    fields=dict.fromkeys(("monitor_id", "location", "checked_at", "status", "latency_ms", "error")),
)
STATUS_PAGE = Feed(
    name="status_page/statuspage",
    format="json",
    tables=(
        Table(
            "incidents",
            (
                *("listed_in", "is_maintenance", "page_id", "incident_id", "status", "impact", "created_at"),
                *("started_at", "resolved_at", "scheduled_for", "scheduled_until", "component_ids", "updates"),
            ),
            json_columns=("updates",),
        ),
    ),
    fields=status_page.KEPT_FIELDS,
)
ZENDESK = Feed(
    name="tickets/zendesk",
    format="json",
    tables=(
        Table(
            "zendesk_tickets",
            (
                *("ticket_id", "created_at", "updated_at", "organization_id", "submitter_id", "priority", "status"),
                *("is_tagged_merged", "is_tagged_spam"),
            ),
        ),
        Table(
            "zendesk_ticket_events",
            ("ticket_event_id", "ticket_id", "at", "updater_id", "facts"),
            json_columns=("facts",),
        ),
        Table("zendesk_users", ("user_id", "role", "is_tagged_ai")),
    ),
    fields=zendesk.KEPT_FIELDS,
)
TERMS = Feed(
    name="terms",
    format="yaml",
    tables=(
        Table(
            "terms", ("terms_id", "version", "effective_from", "document", "lines"), json_columns=("document", "lines")
        ),
    ),
)

FEEDS: Mapping[str, Feed] = {
    feed.name: feed
    for feed in (
        _feed(
            "catalog/monitors",
            "csv",
            "monitors",
            "monitor_id service region locations interval_seconds stale_after_seconds confirm quorum_min "
            "active_from active_until",
            required="monitor_id service region locations interval_seconds",
            fields="stale_after_seconds confirm quorum_min active_from active_until",
            parse=catalog.monitor,
        ),
        _feed(
            "catalog/components",
            "csv",
            "components",
            "component_id name service region",
            required="component_id name service region",
            fields="",
            parse=catalog.component,
        ),
        CHECKS,
        STATUS_PAGE,
        _feed(
            "notices",
            "ndjson",
            "notices",
            "notice_id maintenance_id action channel sent_at window_start window_end component_ids account_ids",
            required="notice_id maintenance_id action channel sent_at component_ids",
            fields="window_start window_end account_ids",
            parse=notices.notice,
        ),
        _feed(
            "exclusions",
            "ndjson",
            "exclusions",
            "exclusion_id category services regions account_ids starts_at ends_at incident_ids evidence_url "
            "author approved_by approved_at revoked_at",
            required="exclusion_id category starts_at ends_at author",
            fields="services regions account_ids incident_ids evidence_url approved_by approved_at revoked_at",
            parse=notices.exclusion,
        ),
        _feed(
            "tickets/events",
            "ndjson",
            "ticket_events",
            "ticket_id event_id at type actor account_id severity status target_ticket_id is_automatic",
            required="ticket_id event_id at type actor",
            fields="account_id severity status target_ticket_id automatic",
            parse=tickets.ticket_event,
        ),
        ZENDESK,
        _feed(
            "accounts/accounts",
            "csv",
            "accounts",
            "account_id company_name company_key is_sandbox zendesk_organization_id",
            required="account_id company_name",
            fields="sandbox zendesk_organization_id",
            parse=accounts.account,
        ),
        _feed(
            "accounts/contracts",
            "ndjson",
            "contracts",
            "contract_id account_id plan terms_id region services starts_at ends_at suspensions active_agreement",
            required="contract_id account_id plan terms_id region starts_at active_agreement",
            fields="services ends_at",
            nested={"suspensions": _INTERVAL},
            parse=accounts.contract,
        ),
        _feed(
            "accounts/fees",
            "csv",
            "fees",
            "contract_id service_month monthly_fee currency",
            required="contract_id service_month monthly_fee currency",
            fields="",
            parse=accounts.fee,
        ),
        _feed(
            "claims",
            "ndjson",
            "claims",
            "claim_id account_id company_name company_key service_month sent_at received_at incident_timeline",
            required="claim_id service_month received_at",
            fields="account_id company_name sent_at",
            nested={"incident_timeline": _INTERVAL},
            parse=tickets.claim,
            json_columns=("incident_timeline",),
        ),
        TERMS,
    )
}


def feed_of(key: str) -> Feed | None:
    """The feed below whose prefix a key lies; None for any other key."""
    return next((feed for feed in FEEDS.values() if key.startswith(feed.prefix)), None)


def read_rows(feed: Feed, path: Path, notes: Notes) -> tuple[list[status_page.Document], Iterator[Record | Reject]]:
    """The rows of an object of any feed but checks, and what a status-page document listed.

    Raises `ObjectRejected`, also while the rows are read.
    """
    if feed is STATUS_PAGE:
        return status_page.read(path, notes)
    if feed is ZENDESK:
        return [], zendesk.read(path, notes)
    if feed is TERMS:
        return [], terms_documents.read(path, notes)
    if feed.format == "csv":
        return [], read_csv(path, feed.required, feed.fields, feed.parse, notes)
    return [], read_ndjson(path, feed.fields, feed.parse, notes)
