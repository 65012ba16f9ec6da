"""Which expectations each gate must evaluate: the committed list that every run is compared with."""

from __future__ import annotations

from expectations import marts, raw
from expectations.expectation import Expectation

GATES: dict[str, tuple[Expectation, ...]] = {"raw": raw.EXPECTATIONS, "marts": marts.EXPECTATIONS}
