"""What the findings of a month look at, and the words that they share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from slaledger.reperform import instants, periods
from slaledger.reperform.periods import Period
from slaledger.reperform.records import SECOND, Contract, Exports, Instant, Span, TermsVersion

Pair = tuple[str, str]
Object = tuple[str, str]  # (key, version_id)


@dataclass(frozen=True)
class Finding:
    """One thing that a rule reports: what it is about, the object that shows it, and the facts in words."""

    code: str
    subject: str
    object: Object | None
    detail: str


@dataclass(frozen=True)
class ContractMonth:
    """A contract of the month, and the version that the month is measured by, if any (T2)."""

    contract: Contract
    period: Period
    version: TermsVersion | None


@dataclass(frozen=True)
class Month:
    """A service month as of an instant.

    `window` is what it looks at: the month in every zone of its contracts, as much longer at both ends as the longest
    `minimum_outage` (D5), and nothing after the as-of time.
    """

    exports: Exports
    service_month: str
    as_of: Instant
    window: Span
    contracts: tuple[ContractMonth, ...]

    def meets(self, span: Span) -> bool:
        """Whether a span is looked at."""
        return span[0] < self.window[1] and self.window[0] < span[1]

    def object_of(self, feed: str, key: object) -> Object | None:
        """The object that a row was read from."""
        place = self.exports.places.get((feed, key))
        return None if place is None else self.in_force(place[0])

    def in_force(self, key: str) -> Object:
        """The version in force of an object."""
        return key, self.exports.object_versions.get(key, "")

    def line_of(self, feed: str, key: object) -> str:
        """Where in its object a row is, as a sentence begins."""
        place = self.exports.places.get((feed, key))
        return "Line ?" if place is None else f"Line {place[1]}"

    def versions(self, contract: Contract) -> list[TermsVersion]:
        """The versions of the contract's terms that are in force at any instant looked at (T3)."""
        return [version for version in self.exports.terms.get(contract.terms_id, []) if self.meets(in_force(version))]

    def judged(self) -> Iterable[Contract]:
        """The contracts that terms can judge."""
        return (month.contract for month in self.contracts if month.version is not None)


def month_of(exports: Exports, *, service_month: str, as_of: Instant) -> Month:
    """The month with its contracts."""
    contracts = []
    bounds = []
    for _, contract in sorted(exports.contracts.items()):
        period = periods.measured_period(exports, contract, service_month=service_month, as_of=as_of)
        if period is None:
            continue
        contracts.append(ContractMonth(contract, period, periods.thresholds(exports, contract, period)))
        bounds.append(month_in_zone(exports, contract, service_month))
    bounds = bounds or [instants.month_bounds(service_month, "UTC")]
    reach = max((version.minimum_outage for versions in exports.terms.values() for version in versions), default=0)
    window = min(start for start, _ in bounds) - reach, max(end for _, end in bounds) + reach
    return Month(exports, service_month, as_of, (min(window[0], as_of), min(window[1], as_of)), tuple(contracts))


def month_in_zone(exports: Exports, contract: Contract, service_month: str) -> Span:
    """The service month in the zone of the contract's terms, of UTC if nobody knows them."""
    versions = exports.terms.get(contract.terms_id)
    return instants.month_bounds(service_month, versions[0].time_zone if versions else "UTC")


def in_force(version: TermsVersion) -> Span:
    """When the version is in force; far beyond all exports if no other follows."""
    return version.effective_from, 1 << 62 if version.effective_until is None else version.effective_until


def seen_pairs(contract: Contract, version: TermsVersion) -> set[Pair]:
    """The (service, region)s that the contract's account sees under the version (D1, D3)."""
    return {
        (service, region)
        for service in version.core_services
        if not contract.services or service in contract.services
        for region in (contract.region, "global")
    }


def overlap(*spans: Span) -> Span:
    """What all spans share; its end is not after its start where that is nothing."""
    return max(start for start, _ in spans), min(end for _, end in spans)


def instant_text(instant: Instant) -> str:
    """An instant for people: ISO 8601 in UTC, no more decimals than it has."""
    text = instants.to_datetime(instant).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def seconds_text(microseconds: int) -> str:
    """A duration in seconds, no more decimals than it has."""
    exact = Decimal(microseconds) / SECOND
    return f"{exact.normalize():f}"
