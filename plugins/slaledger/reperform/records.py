"""What the exports say, as records: the words that the parts of the second route share.

Instants and durations are whole microseconds (instants since 1970-01-01T00:00Z), spans are half-open, an open end is
None. Percents and money are `Fraction`s. Everything is as the objects in force say it; nothing is cut by an as-of yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

Instant = int
Span = tuple[int, int]

SECOND = 1_000_000
DAY = 86_400 * SECOND


@dataclass(frozen=True)
class ExportObject:
    """One version of an object of the bucket, as listed and read."""

    key: str
    version_id: str
    body: bytes
    exported_at: Instant  # metadata `exported-at`, else LastModified
    is_complete: bool = False  # metadata `complete: true` (rule S3)
    is_latest: bool = True  # of its key; of a deleted key the last version before the marker is


@dataclass(frozen=True)
class Rejected:
    """A row that cannot be used, or (row 0) an object that cannot be read at all."""

    key: str
    version_id: str
    row: int
    why: str


@dataclass(frozen=True)
class Monitor:
    """A monitor of the catalog, its defaults filled in (M2, M3, M4)."""

    monitor_id: str
    service: str
    region: str
    locations: tuple[str, ...]
    interval: int
    stale_after: int
    confirm: int
    quorum_min: int
    active_from: Instant | None
    active_until: Instant | None


@dataclass(frozen=True)
class Component:
    """A component of the catalog."""

    component_id: str
    service: str
    region: str


@dataclass(frozen=True)
class Update:
    """An update of an incident: `at` is its `display_at`, else `created_at`."""

    at: Instant
    status: str
    changes: tuple[tuple[str, str], ...]  # (component_id, new status)


@dataclass(frozen=True)
class Incident:
    """An incident, or a maintenance, as one document tells it."""

    incident_id: str
    page_id: str | None  # its document's, else its own
    status: str
    impact: str
    created_at: Instant
    started_at: Instant | None
    resolved_at: Instant | None
    component_ids: tuple[str, ...]
    updates: tuple[Update, ...]  # in the order of the document


@dataclass(frozen=True)
class PageDocument:
    """A status-page document in force, with the usable incidents it lists; S3 and S5 are not applied yet."""

    key: str
    exported_at: Instant
    kind: str  # incidents | scheduled_maintenances | summary
    page_id: str | None
    page_updated_at: Instant | None
    is_complete: bool
    listed_ids: frozenset[str]  # ids of all incidents it lists, usable or not
    incidents: tuple[Incident, ...]
    maintenances: tuple[Incident, ...] = ()


@dataclass(frozen=True)
class Notice:
    """A maintenance notice."""

    notice_id: str
    maintenance_id: str
    action: str  # announce | move | cut | extend | cancel
    channel: str
    sent_at: Instant
    window: Span | None  # None for `cancel` alone
    component_ids: tuple[str, ...]
    account_ids: tuple[str, ...]  # empty: all


@dataclass(frozen=True)
class RegisterEntry:
    """An entry of the exclusion register; empty tuples name all."""

    exclusion_id: str
    category: str
    services: tuple[str, ...]
    regions: tuple[str, ...]
    account_ids: tuple[str, ...]
    span: Span
    incident_ids: tuple[str, ...]
    evidence_url: str | None
    author: str
    approved_by: str | None
    approved_at: Instant | None
    revoked_at: Instant | None


@dataclass(frozen=True)
class TicketEvent:
    """One event of a ticket, of either source."""

    ticket_id: str
    event_id: str
    at: Instant
    type: str
    actor: str
    account_id: str | None = None
    severity: str | None = None
    status: str | None = None
    target_ticket_id: str | None = None
    is_automatic: bool = False
    unknown_user_id: str | None = None  # of Zendesk: who did it, if no export has that user


@dataclass(frozen=True)
class Account:
    """An account; sandboxes too (P5 drops them later)."""

    account_id: str
    company_name: str
    is_sandbox: bool


@dataclass(frozen=True)
class Contract:
    """A contract."""

    contract_id: str
    account_id: str
    plan: str
    terms_id: str
    region: str
    services: tuple[str, ...]  # empty: all
    starts_at: Instant
    ends_at: Instant | None
    suspensions: tuple[Span, ...]
    active_agreement: bool


@dataclass(frozen=True)
class Fee:
    """The fee of a contract and service month, as billed."""

    contract_id: str
    service_month: str  # YYYY-MM
    monthly_fee: Fraction
    currency: str


@dataclass(frozen=True)
class ClaimMessage:
    """One message of a claim; what it does not give is None."""

    key: str
    exported_at: Instant
    row: int
    claim_id: str
    account_id: str | None
    company_name: str | None
    service_month: str  # YYYY-MM
    sent_at: Instant | None
    received_at: Instant
    incident_timeline: tuple[tuple[Instant, Instant | None], ...] | None


@dataclass(frozen=True)
class Target:
    """A response target: elapsed time or business days, the other is None (R3)."""

    elapsed: int | None
    business_days: int | None


@dataclass(frozen=True)
class TermsVersion:
    """One version of a terms id, what it inherits filled in (T2)."""

    terms_id: str
    version: str
    effective_from: Instant
    effective_until: Instant | None  # the next version's start
    plan: str
    guaranteed: bool
    time_zone: str
    commitment: Fraction
    core_services: tuple[str, ...]
    down_when: str
    evidence: str
    degraded_counts: bool
    partial_outage_counts: bool
    minimum_outage: int
    excluded_time: str
    thresholds_from: str
    exclusions: frozenset[str]
    notice: int
    channels: frozenset[str]
    credits: tuple[tuple[Fraction, Fraction], ...]  # (below, percent)
    claims_required: bool
    claims_within_days: int
    claims_must_include: frozenset[str]
    counted_reply: str
    calendar_time_zone: str
    holidays: frozenset[str] | str | None  # listed dates (YYYY-MM-DD), a code of the holidays library, or none
    targets: dict[str, Target]
    response_credits: dict[str, Fraction]  # percent per breach, by severity
    response_credit_cap: Fraction


@dataclass(frozen=True)
class Decision:
    """What a named person decided, and on what: the `about` of the row that waited; of any other it says nothing."""

    kind: str  # held_month | claim | decrease
    contract_id: str  # empty: a claim for which there is no contract
    service_month: str
    is_approved: bool
    claim_id: str | None = None  # of `claim`
    basis: str | None = None  # of `decrease`
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TermsLanding:
    """How a version of terms came; shipped ones before all exports."""

    key: str
    version_id: str
    exported_at: Instant
    parent: tuple[str, str] | None  # (terms_id, version) that it inherits from (T2)


@dataclass
class Exports:
    """All that the objects in force say: where a key has several rows the one that wins, checks and claims all."""

    monitors: dict[str, Monitor] = field(default_factory=dict)
    components: dict[str, Component] = field(default_factory=dict)
    # By (monitor, location): (checked_at, status) in order, one per instant: equal ones once, conflicting ones
    # `unknown` (M1). Quarantined ones (M2, M7) are not here.
    checks: dict[tuple[str, str], list[tuple[Instant, str]]] = field(default_factory=dict)
    documents: list[PageDocument] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    register: list[RegisterEntry] = field(default_factory=list)
    ticket_events: list[TicketEvent] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)
    organizations: dict[str, list[str]] = field(default_factory=dict)  # of Zendesk: the accounts that name it
    contracts: dict[str, Contract] = field(default_factory=dict)
    fees: dict[tuple[str, str], Fee] = field(default_factory=dict)
    claims: list[ClaimMessage] = field(default_factory=list)
    terms: dict[str, list[TermsVersion]] = field(default_factory=dict)  # by id, earliest first
    rejected: list[Rejected] = field(default_factory=list)
    # Where it was read, for findings: (feed's prefix, the row's key) as (object key, row), the version of each object
    # in force, how terms landed by (terms_id, version), and of (monitor, location, checked_at) whose checks conflict
    # the first object that has each status (M1).
    places: dict[tuple[str, Any], tuple[str, int]] = field(default_factory=dict)
    object_versions: dict[str, str] = field(default_factory=dict)
    terms_landings: dict[tuple[str, str], TermsLanding] = field(default_factory=dict)
    conflicts: dict[tuple[str, str, Instant], dict[str, str]] = field(default_factory=dict)


@dataclass
class Figures:
    """The second route's marts, each a list of rows.

    Rows are dicts with the column names of `contracts.md`; instants and seconds are whole microseconds, percents and
    money are `Decimal`s as stored, service months are `YYYY-MM`, lists are sorted. The `object` of a finding is the
    (key, version_id) of what the mart names by its `object_id`. `about` of account-months and claims is what a
    `Decision` on them is bound to.
    """

    account_months: list[dict[str, Any]] = field(default_factory=list)
    account_downtime: list[dict[str, Any]] = field(default_factory=list)
    response_times: list[dict[str, Any]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    credits: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
