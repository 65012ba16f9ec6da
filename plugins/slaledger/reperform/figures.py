"""Figures as the marts store them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction


def decimal(value: Fraction | None) -> Decimal | None:
    """The value with all its decimals, without trailing zeros; one that never ends is cut after 12 (U2)."""
    if value is None:
        return None
    places = next((places for places in range(40) if 10**places % value.denominator == 0), 12)
    return Decimal(f"{value.numerator * 10**places // value.denominator}E-{places}")
