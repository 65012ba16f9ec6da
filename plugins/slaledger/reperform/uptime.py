"""Uptime, its range and its tier: rules D7, U1 to U3 and U6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from slaledger.reperform.records import TermsVersion


@dataclass(frozen=True)
class Durations:
    """Microseconds of an account-month by kind (D8); unknown time by what it could be."""

    measured: int
    counted: int
    excluded: int
    could_count: int
    could_be_excluded: int

    @property
    def unknown(self) -> int:
        """All of it."""
        return self.could_count + self.could_be_excluded

    def at_worst(self) -> Durations:
        """With unknown time as downtime, except where an exclusion covers it (D7)."""
        counted, excluded = self.counted + self.could_count, self.excluded + self.could_be_excluded
        return Durations(self.measured, counted, excluded, 0, 0)

    def at_best(self) -> Durations:
        """With unknown time as up (D7)."""
        return Durations(self.measured, self.counted, self.excluded, 0, 0)


def uptime(durations: Durations, excluded_time: str) -> Fraction | None:
    """Percent (U1); None where there is nothing to measure it over (U6)."""
    base = durations.measured - (durations.excluded if excluded_time == "out_of_base" else 0)
    return 100 * (1 - Fraction(durations.counted, base)) if base else None


def alternative(excluded_time: str) -> str:
    """The other treatment of excluded time (U1)."""
    return {"as_uptime": "out_of_base", "out_of_base": "as_uptime"}[excluded_time]


def tier(percent: Fraction | None, credits: Sequence[tuple[Fraction, Fraction]]) -> tuple[Fraction, Fraction] | None:
    """The one (below, percent) that applies: the lowest `below` that the uptime is under (U2, U3); 0 % is none."""
    under = [one for one in credits if percent is not None and percent < one[0] and one[1]]
    return min(under, default=None)


def differ(one: Fraction | None, other: Fraction | None, version: TermsVersion) -> bool:
    """Whether two uptimes fall into different tiers."""
    return tier(one, version.credits) != tier(other, version.credits)


def stored(percent: Fraction | None) -> Decimal | None:
    """With 12 decimals, cut (U2)."""
    return None if percent is None else Decimal(percent * 10**12 // 1).scaleb(-12)
