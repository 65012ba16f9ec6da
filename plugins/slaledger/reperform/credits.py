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
        status, reason = (each.status, each.reason) if each.status else _claimed(each, own, as_of=as_of)
        open_claims = [claim for claim in own if claim["status"] in ("pending", "needs_review")]
        accepted = [claim for claim in own if claim["status"] == "accepted"]
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
                "claim_id": next((claim["claim_id"] for claim in accepted + open_claims), None),
            }
        )
    return sorted(rows, key=lambda row: (row["contract_id"], row["basis"]))


def _claimed(each: Entitlement, claims: list[Row], *, as_of: Instant) -> tuple[str, str]:
    """Status and reason of what is eligible (C1)."""
    states = {claim["status"] for claim in claims}
    if not each.version.claims_required:
        return "owed", "no_claim_required"
    if "accepted" in states:
        return "owed", "claim_accepted"
    if "needs_review" in states:
        return "pending", "claim_in_review"
    if "pending" in states:
        return "pending", "claim_pending"
    if as_of < deadline(each.version, each.account_month["service_month"]):
        return "eligible_unclaimed", "unclaimed"
    return "expired", "claim_deadline_passed"
