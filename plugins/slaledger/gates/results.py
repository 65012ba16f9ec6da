"""What came of a gate, and how it is said."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

NOT_EVALUATED = "This says nothing about the data: mend the expectation, or the tables that it reads, and run again."


class GateFailed(Exception):
    """A critical expectation does not hold, or was not evaluated. `failed` has them."""

    is_validation = True

    def __init__(self, message: str, *, failed: tuple[ExpectationResult, ...] = ()) -> None:
        super().__init__(message)
        self.failed = failed


@dataclass(frozen=True)
class ExpectationResult:
    """What came of one expectation. `unexpected` rows broke it; `examples` are the first of them."""

    name: str
    severity: str
    is_success: bool
    is_evaluated: bool
    unexpected: int
    detail: str
    examples: tuple[str, ...]
    remedy: str


@dataclass(frozen=True)
class GateResult:
    """What a gate found."""

    validation_id: uuid.UUID
    gate: str
    service_month: date
    as_of: datetime
    candidate_sha256: str
    results: tuple[ExpectationResult, ...]
    seconds: float  # by the wall, without the import of Great Expectations
    data_docs: Path

    @property
    def failed(self) -> tuple[ExpectationResult, ...]:
        """Those that stop the month: critical and broken, or not evaluated."""
        return tuple(
            result
            for result in self.results
            if not result.is_evaluated or (result.severity == "critical" and not result.is_success)
        )

    @property
    def warnings(self) -> tuple[ExpectationResult, ...]:
        """Those that do not hold, and do not stop the month."""
        return tuple(result for result in self.results if not result.is_success and result not in self.failed)


def sentence(outcome: ExpectationResult) -> str:
    """A claim that does not hold: rows, an example, and what to do."""
    if not outcome.is_evaluated:
        return f"{outcome.name} {outcome.detail}. {NOT_EVALUATED}"
    example = f" ({outcome.examples[0]})" if outcome.examples else ""
    rows = "row" if outcome.unexpected == 1 else "rows"
    return f"{outcome.name} does not hold: {outcome.unexpected} {rows}{example}. {outcome.remedy}"


def failure(result: GateResult) -> str:
    """The message of a gate that stopped its month."""
    lines = [f"- {sentence(outcome)}" for outcome in result.failed]
    return (
        f"The {result.gate} gate stopped service month {result.service_month:%Y-%m} as of "
        f"{result.as_of:%Y-%m-%dT%H:%M:%SZ}: {len(result.failed)} critical. The ledger is untouched.\n"
        + "\n".join(lines)
        + f"\nEvery row is in the Data Docs ({result.data_docs / 'index.html'})."
    )
