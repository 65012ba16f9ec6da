"""Records of the second route built by hand: what a test does not name is as under the standard Enterprise terms."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from slaledger.reperform.instants import parse
from slaledger.reperform.records import (
    SECOND,
    Account,
    ClaimMessage,
    Contract,
    Exports,
    Fee,
    Target,
    TermsLanding,
    TermsVersion,
    TicketEvent,
)

HOUR = 3600 * SECOND
ENTERPRISE = TermsVersion(
    terms_id="klink-enterprise",
    version="2026-01",
    effective_from=parse("2026-01-01T00:00:00Z"),
    effective_until=None,
    plan="enterprise",
    guaranteed=True,
    time_zone="UTC",
    commitment=Fraction("99.9"),
    core_services=("dashboard", "call_routing", "messaging_engine"),
    down_when="any",
    evidence="either",
    degraded_counts=False,
    partial_outage_counts=False,
    minimum_outage=0,
    excluded_time="as_uptime",
    thresholds_from="period_start",
    exclusions=frozenset({"scheduled_maintenance"}),
    notice=48 * HOUR,
    channels=frozenset({"email", "in_app"}),
    credits=((Fraction("99.9"), Fraction(5)), (Fraction(99), Fraction(10)), (Fraction(95), Fraction(25))),
    claims_required=True,
    claims_within_days=10,
    claims_must_include=frozenset({"company_name", "account_id", "incident_timeline"}),
    counted_reply="human",
    calendar_time_zone="UTC",
    holidays=None,
    targets={"P1": Target(2 * HOUR, None), "P2": Target(4 * HOUR, None), "P3": Target(None, 1), "P4": Target(None, 2)},
    response_credits={},
    response_credit_cap=Fraction(100),
)
GROWTH = replace(
    ENTERPRISE,
    terms_id="klink-growth",
    plan="growth",
    guaranteed=False,
    credits=(),
    targets={"P1": Target(4 * HOUR, None), "P2": Target(None, 1), "P3": Target(None, 2), "P4": Target(None, 3)},
)
BERLIN = replace(ENTERPRISE, terms_id="berlin", time_zone="Europe/Berlin", calendar_time_zone="Europe/Berlin")


def contract(contract_id: str = "K1", account_id: str = "A1", **changes: object) -> Contract:
    """A contract for all services since 2026 began."""
    given = Contract(
        contract_id=contract_id,
        account_id=account_id,
        plan="enterprise",
        terms_id="klink-enterprise",
        region="eu",
        services=(),
        starts_at=parse("2026-01-01T00:00:00Z"),
        ends_at=None,
        suspensions=(),
        active_agreement=True,
    )
    return replace(given, **changes)


def exports(
    *,
    terms: tuple[TermsVersion, ...] = (),
    contracts: tuple[Contract, ...] = (),
    accounts: tuple[Account, ...] = (),
    fees: tuple[Fee, ...] = (),
    events: tuple[TicketEvent, ...] = (),
    claims: tuple[ClaimMessage, ...] = (),
) -> Exports:
    """Account A1 with contract K1 on `terms`' first, unless given, and the standard terms."""
    made = Exports()
    for version in (ENTERPRISE, GROWTH, *terms):
        made.terms.setdefault(version.terms_id, []).append(version)
        landing = TermsLanding(f"terms/{version.terms_id}.yml", "1", version.effective_from, None)
        made.terms_landings[version.terms_id, version.version] = landing
    terms_id = terms[0].terms_id if terms else "klink-enterprise"
    made.contracts = {each.contract_id: each for each in contracts or (contract(terms_id=terms_id),)}
    made.accounts = {each.account_id: each for each in accounts or (Account("A1", "Müller & Söhne GmbH", False),)}
    made.fees = {(each.contract_id, each.service_month): each for each in fees}
    made.ticket_events = list(events)
    made.claims = list(claims)
    return made


def account_month(uptime_percent: str | None = "99.5", **changes: object) -> dict[str, Any]:
    """A row of `fct_account_months`: of account A1 and contract K1, March 2026, over and measured."""
    return {
        "account_id": "A1",
        "contract_id": "K1",
        "service_month": "2026-03",
        "terms_id": "klink-enterprise",
        "terms_version": "2026-01",
        "guaranteed": True,
        "measured_seconds": 31 * 24 * HOUR,
        "uptime_percent": None if uptime_percent is None else Decimal(uptime_percent),
        "status": "measured",
        "reason": None,
        **changes,
    }
