"""What each account-month earns per basis if it is claimed (U3 to U6, R7).

Claims ask what is eligible, and credits what is claimed: `entitlements` need no claim, `claims.claims` needs
entitlements, `credits.credits` needs both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from slaledger.reperform import currencies, uptime
from slaledger.reperform.records import Exports, Fee, TermsVersion

Row = dict[str, Any]


@dataclass(frozen=True)
class Entitlement:
    """What an account-month earns on a basis if it is claimed; `status` says why nothing can be, None: it is eligible.

    `percent` and `amount` are null where they are not known yet.
    """

    account_month: Row
    version: TermsVersion | None
    basis: str
    fee: Fee | None
    percent: Fraction | None
    amount: Fraction | None
    status: str | None
    reason: str | None


def entitlements(
    exports: Exports, *, account_months: Iterable[Row], response_times: Iterable[Row]
) -> list[Entitlement]:
    """By account-month: one of `availability`, and one of `response_time` where its terms have response credits."""
    breaches: dict[str, list[str]] = {}
    for ticket in response_times:
        if ticket["outcome"] == "breached":
            breaches.setdefault(ticket["contract_id"], []).append(ticket["severity"])
    found = []
    for month in account_months:
        version = version_of(exports, month)
        percent = _tier_percent(version, month["uptime_percent"]) if version is not None else None
        is_measured = month["uptime_percent"] is not None
        found.append(
            _entitlement(exports, month, version, basis="availability", percent=percent, is_measured=is_measured)
        )
        if version is not None and version.response_credits:
            percent = _breached(version, breaches.get(month["contract_id"], []))
            is_measured = month["measured_seconds"] > 0
            found.append(
                _entitlement(exports, month, version, basis="response_time", percent=percent, is_measured=is_measured)
            )
    return found


def version_of(exports: Exports, account_month: Row) -> TermsVersion | None:
    """The version that decides an account-month's commitment, tiers and claims (T3)."""
    versions = exports.terms.get(account_month["terms_id"], [])
    return next((each for each in versions if each.version == account_month["terms_version"]), None)


def _tier_percent(version: TermsVersion, uptime_percent: Decimal | None) -> Fraction | None:
    """The percent of the one tier that applies (U3); None: there is none.

    Cut to 12 decimals, an uptime is under a `below` of as many decimals if and only if it is so uncut.
    """
    applies = uptime.tier(None if uptime_percent is None else Fraction(uptime_percent), version.credits)
    return None if applies is None else applies[1]


def _breached(version: TermsVersion, severities: Iterable[str]) -> Fraction | None:
    """The sum of the percents of the breaches, up to the cap (R7); None: there is none, or it comes to nothing."""
    percent = sum((version.response_credits.get(severity, Fraction(0)) for severity in severities), Fraction(0))
    return min(percent, version.response_credit_cap) or None


def _entitlement(
    exports: Exports,
    month: Row,
    version: TermsVersion | None,
    *,
    basis: str,
    percent: Fraction | None,
    is_measured: bool,
) -> Entitlement:
    """Decide in the order of `contracts.md`: guaranteed, provisional, blocked, held, no tier."""
    fee = exports.fees.get((month["contract_id"], month["service_month"]))
    nothing = Fraction(0)
    amount = status = reason = None
    if month["guaranteed"] is False:
        status, percent, amount = "not_eligible", nothing, nothing
        reason = "plan_not_eligible" if version is not None and not version.guaranteed else "no_active_agreement"
    elif month["status"] == "provisional":
        status, percent, reason = "pending", None, "month_not_over"
    elif month["status"] == "blocked":
        status, reason = "blocked", month["reason"]
        percent = None if version is None else percent or nothing
    elif month["status"] == "held" and basis == "availability":
        status, percent, reason = "held", None, month["reason"]
    elif not is_measured or percent is None:
        status, percent, amount = "not_eligible", nothing, nothing
        reason = "no_measured_time" if not is_measured else "no_tier" if basis == "availability" else "no_breach"
    else:
        amount = currencies.rounded(percent / 100 * fee.monthly_fee, fee.currency)  # U4: once, on the line
    return Entitlement(month, version, basis, fee, percent, amount, status, reason)
