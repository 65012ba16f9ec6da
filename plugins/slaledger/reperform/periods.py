"""The measured period of an account-month: rules P1 to P5, and T3's version that the month is measured by."""

from __future__ import annotations

from dataclasses import dataclass

from slaledger.reperform import instants, terms
from slaledger.reperform.records import Contract, Exports, Instant, Span, TermsVersion


@dataclass(frozen=True)
class Period:
    """What of a service month a contract is measured in, before the as-of time."""

    is_over: bool  # the service month, at the as-of time (P4)
    active: Span  # the part of the month in which the contract runs, suspended or not
    spans: tuple[Span, ...]  # earliest first, apart from each other; none where suspensions leave nothing

    @property
    def length(self) -> int:
        """Microseconds."""
        return sum(end - start for start, end in self.spans)


def measured_period(exports: Exports, contract: Contract, *, service_month: str, as_of: Instant) -> Period | None:
    """The period of a contract and service month; None where there is no account-month (P2, P5)."""
    account = exports.accounts.get(contract.account_id)
    if account is not None and account.is_sandbox:
        return None
    versions = exports.terms.get(contract.terms_id)
    month = instants.month_bounds(service_month, versions[0].time_zone if versions else "UTC")
    start = max(month[0], contract.starts_at)
    end = min(month[1], as_of, *([] if contract.ends_at is None else [contract.ends_at]))
    if start >= end:
        return None
    spans = []
    since = start
    for suspended_from, suspended_until in sorted(contract.suspensions, key=lambda span: span[0]):
        if since < min(suspended_from, end):
            spans.append((since, min(suspended_from, end)))
        since = max(since, suspended_until)
    if since < end:
        spans.append((since, end))
    return Period(is_over=month[1] <= as_of, active=(start, end), spans=tuple(spans))


def thresholds(exports: Exports, contract: Contract, period: Period) -> TermsVersion | None:
    """The version that the month is measured by (T3); None if none is in force at the period's start (T2).

    A period without length begins and ends where the contract's time in the month does.
    """
    spans = period.spans or (period.active,)
    first = terms.in_force(exports, contract.terms_id, spans[0][0])
    if first is None or first.thresholds_from == "period_start":
        return first
    return terms.in_force(exports, contract.terms_id, spans[-1][1] - 1)
