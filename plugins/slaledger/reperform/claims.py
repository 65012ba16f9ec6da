"""Claims: what each comes to, for every contract that its account had in the month (section C)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from slaledger.reperform import terms
from slaledger.reperform.entitlements import Entitlement
from slaledger.reperform.instants import first_day, has_happened, month_bounds, next_month, start_of_day
from slaledger.reperform.records import ClaimMessage, Decision, Exports, Instant, TermsVersion

Row = dict[str, Any]

FALLBACK_TERMS = "klink-enterprise"  # C2
FIELDS = ("company_name", "account_id", "incident_timeline")  # C3, in the order in which what is missing is told


@dataclass(frozen=True)
class Claim:
    """A claim as its messages tell it: of each field what was given first (C3)."""

    claim_id: str
    service_month: str
    received_at: Instant  # of its first message
    given: dict[str, Any]
    given_at: dict[str, Instant]  # by field, when it was received; fields not given are absent
    messages: tuple[ClaimMessage, ...]


def claims(
    exports: Exports,
    *,
    service_month: str,
    as_of: Instant,
    entitled: Iterable[Entitlement],
    decisions: Sequence[Decision] = (),
) -> list[Row]:
    """Rows of `fct_claims` of a service month (`YYYY-MM`), by claim and contract; `entitled` is that month's.

    `about` is what a decision on a claim in review is bound to (C7): all that its messages tell.
    """
    by_account: dict[str, dict[str, list[Entitlement]]] = {}
    for each in entitled:
        contracts = by_account.setdefault(each.account_month["account_id"], {})
        contracts.setdefault(each.account_month["contract_id"], []).append(each)
    rows = []
    for claim in claims_of(exports, service_month=service_month, as_of=as_of):
        account = exports.accounts.get(claim.given["account_id"])
        if account is not None and account.is_sandbox:
            continue
        for contract_id, own in by_account.get(claim.given["account_id"], {None: []}).items():
            subject = (contract_id or "", claim.claim_id)
            decided = [each for each in decisions if (each.contract_id, each.claim_id) == subject]
            rows.append(_row(exports, claim, contract_id, own, decisions=decided, as_of=as_of))
    return sorted(_credited_once(rows), key=lambda row: (row["claim_id"], row["contract_id"] or ""))


def deadline(version: TermsVersion, service_month: str) -> Instant:
    """The end of the last calendar day on which a claim of the month counts, in the terms' zone (C2)."""
    last = first_day(next_month(service_month)) + timedelta(days=version.claims_within_days)
    return start_of_day(last, version.time_zone)


def compared(name: str) -> tuple[str, ...]:
    """What of a company's name is compared, one by one: its letters and digits, in NFKC and case folded (C4).

    Folding takes some letters apart, so they are put together again before the marks on them are left out. A name
    without any letter or digit is compared whole.
    """
    folded = map(str.casefold, unicodedata.normalize("NFKC", name))
    characters = unicodedata.normalize("NFC", "".join(folded))
    kinds = ((character, unicodedata.category(character)) for character in characters)
    return tuple(character for character, kind in kinds if kind.startswith(("L", "N"))) or (characters.strip(),)


def claims_of(exports: Exports, *, service_month: str, as_of: Instant) -> list[Claim]:
    """The claims whose first message names the month (`YYYY-MM`), sandboxes' too."""
    messages: dict[str, list[ClaimMessage]] = {}
    for message in exports.claims:
        if has_happened(message.received_at, as_of=as_of):
            messages.setdefault(message.claim_id, []).append(message)
    found = []
    for claim_id, own in messages.items():
        own.sort(key=_order)
        if own[0].service_month != service_month:
            continue
        given: dict[str, Any] = dict.fromkeys(FIELDS)
        given_at: dict[str, Instant] = {}
        for message in own:
            for name in FIELDS:
                if given[name] is None and getattr(message, name) is not None:
                    given[name], given_at[name] = getattr(message, name), message.received_at
        found.append(Claim(claim_id, service_month, own[0].received_at, given, given_at, tuple(own)))
    return found


def _order(message: ClaimMessage) -> tuple[Any, ...]:
    """By receipt; at one instant by sending, then by what is given, field by field (decision 0011); nothing is last."""
    timeline = message.incident_timeline
    given = (message.sent_at, message.service_month, message.account_id, message.company_name)
    instants = None if timeline is None else [(at is None, at or 0) for span in timeline for at in span]
    return (message.received_at, *((value is None, value or 0) for value in given), instants is None, instants or [])


def _row(
    exports: Exports,
    claim: Claim,
    contract_id: str | None,
    entitled: list[Entitlement],
    *,
    decisions: Sequence[Decision],
    as_of: Instant,
) -> Row:
    """What the claim comes to for one contract, as if it were the only claim."""
    version = _judging(exports, claim, entitled)
    must_include = [name for name in FIELDS if name in version.claims_must_include]
    missing = [name for name in must_include if name not in claim.given_at]
    complete_at = None if missing else max([claim.received_at, *(claim.given_at[name] for name in must_include)])
    row = {
        "claim_id": claim.claim_id,
        "account_id": claim.given["account_id"],
        "contract_id": contract_id,
        "service_month": claim.service_month,
        "received_at": claim.received_at,
        "complete_at": complete_at,
        "deadline_at": deadline(version, claim.service_month),
        "about": _about(claim),
    }
    is_over = month_bounds(claim.service_month, version.time_zone)[1] <= as_of
    status, reason = _judged(exports, claim, row, entitled, missing=missing, is_over=is_over, as_of=as_of)
    if status == "needs_review":
        for decision in decisions:
            if (decision.kind, decision.service_month, decision.about) == ("claim", claim.service_month, row["about"]):
                status, reason = (
                    ("accepted", "approved_in_review") if decision.is_approved else ("rejected", "rejected_in_review")
                )
    month = entitled[0].account_month["status"] if entitled else None
    if status == "accepted" and month in ("held", "blocked"):
        status, reason = "pending", f"month_{month}"
    return row | {"status": status, "reason": reason}


def _judging(exports: Exports, claim: Claim, entitled: list[Entitlement]) -> TermsVersion:
    """The version that judges the claim: the contract's, or the one that C2 names where nobody knows its terms.

    Terms of which none was in force then are judged by their first version (decision 0011).
    """
    if entitled and claim.given["account_id"] in exports.accounts:
        if entitled[0].version is not None:
            return entitled[0].version
        if entitled[0].account_month["terms_id"] in exports.terms:
            return exports.terms[entitled[0].account_month["terms_id"]][0]
    first = exports.terms[FALLBACK_TERMS][0]
    starts, ends = month_bounds(claim.service_month, first.time_zone)
    version = terms.in_force(exports, FALLBACK_TERMS, starts)
    if version is not None and version.thresholds_from == "period_end":
        version = terms.in_force(exports, FALLBACK_TERMS, ends - 1)
    return version or first


def _judged(
    exports: Exports,
    claim: Claim,
    row: Row,
    entitled: list[Entitlement],
    *,
    missing: list[str],
    is_over: bool,
    as_of: Instant,
) -> tuple[str, str | None]:
    """Status and reason in the order of C7, before people decide and before other claims are looked at."""
    account_id, company = claim.given["account_id"], claim.given["company_name"]
    deadline_at, complete_at = row["deadline_at"], row["complete_at"]
    if not is_over:
        return "pending", "month_not_over"
    if account_id is not None:
        if account_id not in exports.accounts:
            return "rejected", "account_unknown"
        if company is not None and compared(company) != compared(exports.accounts[account_id].company_name):
            return "rejected", "company_mismatch"
        if not entitled:
            return "rejected", "no_contract"
        is_open = entitled[0].account_month["status"] in ("held", "blocked")
        if not is_open and all(each.status is not None for each in entitled):
            return "rejected", _no_eligible_credit(entitled)
    if missing:
        names = f"{', '.join(missing)} missing"
        if as_of < deadline_at:
            return "pending", f"incomplete: {names}"
        return "rejected", f"incomplete_at_deadline: {names}"
    if complete_at >= deadline_at:
        sent = [message.sent_at for message in claim.messages]
        if all(at is not None and at < deadline_at for at in sent):
            return "needs_review", "sent_in_time_received_late"
        return "rejected", "late"
    return "accepted", None


def _no_eligible_credit(entitled: list[Entitlement]) -> str:
    availability = next(each for each in entitled if each.basis == "availability")
    uptime = availability.account_month["uptime_percent"]
    told = "not measured" if uptime is None else f"{uptime.normalize():f} %"
    return f"no_eligible_credit: {availability.reason}, uptime {told}"


def _about(claim: Claim) -> Row:
    sent = [message.sent_at for message in claim.messages]
    return {
        "received_at": claim.received_at,
        "given": claim.given,
        "given_at": claim.given_at,
        "last_sent_at": max((at for at in sent if at is not None), default=None),
        "are_all_sent_at_known": None not in sent,
    }


def _credited_once(rows: list[Row]) -> list[Row]:
    """Of the claims accepted for a contract the one complete first stays so, the others are its duplicates (C5, C7)."""
    first: dict[str, str] = {}
    judged = []
    for row in sorted(rows, key=lambda row: (row["complete_at"] or 0, row["received_at"], row["claim_id"])):
        if row["status"] == "accepted" and row["contract_id"] is not None:
            earlier = first.setdefault(row["contract_id"], row["claim_id"])
            if earlier != row["claim_id"]:
                row = row | {"status": "duplicate", "reason": f"duplicate_of: {earlier}"}
        judged.append(row)
    return judged
