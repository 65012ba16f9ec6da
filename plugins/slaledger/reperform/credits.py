"""Credits: what the claims of an account-month make of what it earns (C1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slaledger.reperform.claims import deadline
from slaledger.reperform.entitlements import Entitlement
from slaledger.reperform.figures import decimal
from slaledger.reperform.records import Instant

Row = dict[str, Any]


def credits(entitled: Iterable[Entitlement], *, claims: Iterable[Row], as_of: Instant) -> list[Row]:
    """Rows of `fct_credits`, by contract and basis."""
    by_contract: dict[str, list[Row]] = {}
    for claim in sorted(claims, key=lambda claim: (claim["received_at"], claim["claim_id"])):
        by_contract.setdefault(claim["contract_id"], []).append(claim)
    rows = []
    for each in entitled:
        month = each.account_month
        own = by_contract.get(month["contract_id"], [])
        open_claims = [claim for claim in own if claim["status"] in ("pending", "needs_review")]
        accepted = [claim for claim in own if claim["status"] == "accepted"]
        speaking = next(iter(accepted + open_claims), None)
        status, reason = (each.status, each.reason) if each.status else _claimed(each, speaking, as_of=as_of)
        rows.append(
            {
                "account_id": month["account_id"],
                "contract_id": month["contract_id"],
                "service_month": month["service_month"],
                "basis": each.basis,
                "credit_percent": decimal(each.percent),
                "monthly_fee": decimal(each.fee.monthly_fee) if each.fee else None,
                "currency": each.fee.currency if each.fee else None,
                "amount": decimal(each.amount),
                "status": status,
                "reason": reason,
                "claim_id": speaking["claim_id"] if speaking else None,
            }
        )
    return sorted(rows, key=lambda row: (row["contract_id"], row["basis"]))


def _claimed(each: Entitlement, speaking: Row | None, *, as_of: Instant) -> tuple[str, str]:
    """Status and reason of what is eligible (C1), by the claim that is accepted, else the first that is open."""
    if not each.version.claims_required:
        return "owed", "no_claim_required"
    if speaking is not None:
        return {
            "accepted": ("owed", "claim_accepted"),
            "needs_review": ("pending", "claim_in_review"),
            "pending": ("pending", "claim_pending"),
        }[speaking["status"]]
    if as_of < deadline(each.version, each.account_month["service_month"]):
        return "eligible_unclaimed", "unclaimed"
    return "expired", "claim_deadline_passed"
