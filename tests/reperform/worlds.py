"""Small worlds, written as records: what the tests of the second route's availability look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from slaledger.reperform import availability, instants
from slaledger.reperform.records import (
    SECOND,
    Account,
    Component,
    Contract,
    Decision,
    Exports,
    Fee,
    Incident,
    Instant,
    Monitor,
    Notice,
    PageDocument,
    RegisterEntry,
    Span,
    TermsVersion,
    Update,
)

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
SERVICES = ("call_routing", "dashboard", "messaging_engine")
CATEGORIES = (
    "third_party_meta",
    "third_party_messaging",
    "third_party_ai",
    "customer_connectivity",
    "force_majeure",
    "scheduled_maintenance",
)
LATER = instants.parse("2027-01-01T00:00Z")


def t(text: str) -> Instant:
    """`04-20 10:00[:00]` of 2026, UTC."""
    return instants.parse(f"2026-{text.replace(' ', 'T')}Z")


def between(text: str) -> Span:
    """`04-20 10:00/10:30`, or with the day on both sides."""
    start, end = text.split("/")
    return t(start), t(end if " " in end else f"{start.split(' ')[0]} {end}")


ENTERPRISE = TermsVersion(
    terms_id="klink-enterprise",
    version="2026-01",
    effective_from=t("01-01 00:00"),
    effective_until=None,
    plan="enterprise",
    guaranteed=True,
    time_zone="UTC",
    commitment=Fraction("99.9"),
    core_services=SERVICES,
    down_when="any",
    evidence="either",
    degraded_counts=False,
    partial_outage_counts=False,
    minimum_outage=0,
    excluded_time="as_uptime",
    thresholds_from="period_start",
    exclusions=frozenset(CATEGORIES),
    notice=48 * HOUR,
    channels=frozenset({"email", "in_app"}),
    credits=(
        (Fraction("99.9"), Fraction(5)),
        (Fraction(99), Fraction(10)),
        (Fraction(95), Fraction(25)),
    ),
    claims_required=True,
    claims_within_days=10,
    claims_must_include=frozenset({"company_name", "account_id", "incident_timeline"}),
    counted_reply="human",
    calendar_time_zone="UTC",
    holidays=None,
    targets={},
    response_credits={},
    response_credit_cap=Fraction(100),
)


def world(*contents: Any, **terms: Any) -> Exports:
    """One enterprise contract in `eu` with components everywhere and no monitor, and the contents, each by its kind.

    A later contract or terms version of an id is put beside or in the place of the default one.
    """
    exports = Exports()
    exports.terms = {ENTERPRISE.terms_id: [replace(ENTERPRISE, **terms)]}
    exports.accounts = {"acme": Account("acme", "Acme", False)}
    exports.contracts = {"k1": contract()}
    for service in (*SERVICES, "billing_portal"):
        for region in ("eu", "us", "global"):
            name = f"{service}@{region}"
            exports.components[name] = Component(name, service, region)
    for month in range(1, 13):
        exports.fees["k1", f"2026-{month:02}"] = Fee("k1", f"2026-{month:02}", Fraction(1000), "USD")
    for content in contents:
        match content:
            case Incident():
                exports.documents.append(document(content))
            case PageDocument():
                exports.documents.append(content)
            case Notice():
                exports.notices.append(content)
            case RegisterEntry():
                exports.register.append(content)
            case TermsVersion():
                exports.terms.setdefault(content.terms_id, []).append(content)
            case Account():
                exports.accounts[content.account_id] = content
            case Contract():
                exports.contracts[content.contract_id] = content
            case Fee():
                exports.fees[content.contract_id, content.service_month] = content
            case Monitor():
                exports.monitors[content.monitor_id] = content
            case (str() as monitor_id, str() as location, list() as checks):
                exports.checks[monitor_id, location] = checks
            case _:
                raise TypeError(f"no world has a {content!r}")
    return exports


def contract(contract_id: str = "k1", **changes: Any) -> Contract:
    told = Contract(
        contract_id=contract_id,
        account_id="acme",
        plan="enterprise",
        terms_id="klink-enterprise",
        region="eu",
        services=(),
        starts_at=t("01-01 00:00"),
        ends_at=None,
        suspensions=(),
        active_agreement=True,
    )
    return replace(told, **changes)


def incident(incident_id: str, *components: str, span: str, status: str = "major_outage", **changes: Any) -> Incident:
    """An incident whose first update puts the components into a status, and whose second resolves it."""
    start, end = between(span)
    names = tuple(name if "@" in name else f"{name}@eu" for name in components)
    told = Incident(
        incident_id=incident_id,
        page_id="page",
        status="resolved",
        impact="major",
        created_at=start,
        started_at=None,
        resolved_at=end,
        component_ids=names,
        updates=(
            Update(end, "resolved", tuple((name, "operational") for name in names)),
            Update(start, "investigating", tuple((name, status) for name in names)),
        ),
    )
    return replace(told, **changes)


def document(*incidents: Incident, exported_at: str = "12-01 00:00", **changes: Any) -> PageDocument:
    told = PageDocument(
        key=f"status_page/statuspage/{exported_at}.json",
        exported_at=t(exported_at),
        kind="incidents",
        page_id="page",
        page_updated_at=t(exported_at),
        is_complete=False,
        listed_ids=frozenset(one.incident_id for one in incidents),
        incidents=incidents,
    )
    told = replace(told, **changes)
    if told.page_id is None:
        return told
    return replace(told, incidents=tuple(replace(one, page_id=told.page_id) for one in told.incidents))


def notice(action: str, sent: str, window: str | None = None, **changes: Any) -> Notice:
    told = Notice(
        notice_id=f"{action} {sent}",
        maintenance_id="mnt",
        action=action,
        channel="email",
        sent_at=t(sent),
        window=between(window) if window else None,
        component_ids=("dashboard@eu",),
        account_ids=(),
    )
    return replace(told, **changes)


def entry(exclusion_id: str, span: str, **changes: Any) -> RegisterEntry:
    told = RegisterEntry(
        exclusion_id=exclusion_id,
        category="third_party_meta",
        services=(),
        regions=(),
        account_ids=(),
        span=between(span),
        incident_ids=(),
        evidence_url="https://status.example/1",
        author="ada",
        approved_by="grace",
        approved_at=t("04-30 00:00"),
        revoked_at=None,
    )
    return replace(told, **changes)


def monitor(service: str = "dashboard", locations: Sequence[str] = ("fra",), **changes: Any) -> Monitor:
    told = Monitor(
        monitor_id=f"probe-{service}",
        service=service,
        region="eu",
        locations=tuple(locations),
        interval=MINUTE,
        stale_after=2 * MINUTE,
        confirm=1,
        quorum_min=1 if len(locations) == 1 else 2,
        active_from=None,
        active_until=None,
    )
    return replace(told, **changes)


def checks(
    seen: str, *, start: str = "04-20 10:00", every: int = MINUTE, location: str = "fra", service: str = "dashboard"
) -> tuple[str, str, list[tuple[Instant, str]]]:
    """One check per letter, in order: `u`p, `d`own, de`g`raded, `?` unknown, `.` none."""
    words = {"u": "up", "d": "down", "g": "degraded", "?": "unknown"}
    made = [(t(start) + i * every, words[letter]) for i, letter in enumerate(seen) if letter != "."]
    return f"probe-{service}", location, made


def figures(
    exports: Exports, month: str = "2026-04", *, as_of: Instant = LATER, decisions: Sequence[Decision] = ()
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The row of contract k1, and its downtime."""
    rows, downtime = availability.account_months(exports, service_month=month, as_of=as_of, decisions=decisions)
    (row,) = [row for row in rows if row["contract_id"] == "k1"]
    return row, [segment for segment in downtime if segment["contract_id"] == "k1"]


def minutes(row: dict[str, Any]) -> tuple[Fraction, Fraction, Fraction]:
    """Counted, excluded and unknown minutes."""
    counted, excluded, unknown = (
        Fraction(row[f"{kind}_seconds"], MINUTE) for kind in ("counted", "excluded", "unknown")
    )
    return counted, excluded, unknown
