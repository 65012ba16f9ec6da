"""What is reported of claims: rule C3, and that our figures govern."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from slaledger.reperform.claims import Claim, compared
from slaledger.reperform.findings.month import ContractMonth, Finding, Month, seconds_text
from slaledger.reperform.records import Span


def findings(month: Month, told: Sequence[Claim], downtime: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """All of them, of the claims of the month; `downtime` are the segments of the account-months."""
    for claim in told:
        account = month.exports.accounts.get(claim.given["account_id"])
        if account is not None and account.is_sandbox:
            continue
        for each in month.contracts:
            is_claimed = each.contract.account_id == claim.given["account_id"]
            if is_claimed and each.version is not None and claim.given["incident_timeline"] is not None:
                yield from _differing(month, claim, each, downtime)
        yield from _late_words(month, claim)


def _differing(
    month: Month, claim: Claim, each: ContractMonth, downtime: Sequence[dict[str, Any]]
) -> Iterator[Finding]:
    """The claim's timeline against what counts, over the measured period; a span without an end goes on."""
    counted = [
        (row["started_at"], row["ended_at"])
        for row in downtime
        if row["contract_id"] == each.contract.contract_id and row["kind"] == "counted"
    ]
    named = [(start, month.as_of if end is None else end) for start, end in claim.given["incident_timeline"]]
    claimed = only_claimed = only_counted = 0
    for measured in each.period.spans:
        inner = {at for span in (*counted, *named) for at in span if measured[0] < at < measured[1]}
        for start, end in pairwise((measured[0], *sorted(inner), measured[1])):
            is_counted, is_claimed = _holds(counted, start), _holds(named, start)
            claimed += is_claimed * (end - start)
            only_claimed += (is_claimed and not is_counted) * (end - start)
            only_counted += (is_counted and not is_claimed) * (end - start)
    if only_claimed or only_counted:
        yield Finding(
            "claim_timeline_differs",
            claim.claim_id,
            month.in_force(claim.messages[0].key),
            f"Contract {each.contract.contract_id}: the claim names {seconds_text(claimed)} s of the measured period,"
            f" {seconds_text(only_claimed)} s of it up by our figures, and leaves out {seconds_text(only_counted)} s"
            " of downtime. Our figures govern.",
        )


def _holds(spans: Sequence[Span], at: int) -> bool:
    return any(start <= at < end for start, end in spans)


def _late_words(month: Month, claim: Claim) -> Iterator[Finding]:
    """C3: later messages change nothing that was given."""
    for message in claim.messages:
        others = {
            "account_id": (message.account_id, claim.given["account_id"]),
            "company_name": tuple(
                None if name is None else compared(name) for name in (message.company_name, claim.given["company_name"])
            ),
            "service_month": (message.service_month, claim.service_month),
            "incident_timeline": (message.incident_timeline, claim.given["incident_timeline"]),
        }
        named = [name for name, (later, first) in others.items() if later is not None and later != first]
        if named:
            yield Finding(
                "claim_message_changes_nothing",
                claim.claim_id,
                month.in_force(message.key),
                f"Line {message.row}: a later message gives another {', '.join(named)}; what was given first stands.",
            )
