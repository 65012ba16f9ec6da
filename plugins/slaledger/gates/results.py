"""What came of a gate, and how it is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

EXAMPLES = 5
NOT_EVALUATED = "This says nothing about the data: mend the expectation, or the tables that it reads, and run again."


class GateFailed(Exception):
    """A critical expectation does not hold, or was not evaluated. `failed` has them."""

    is_validation = True

    def __init__(self, message: str, *, failed: tuple[ExpectationResult, ...] = ()) -> None:
        super().__init__(message)
        self.failed = failed


@dataclass(frozen=True)
class ExpectationResult:
    """What came of one expectation. `unexpected` rows broke it; `examples` are the first of them.

    One that was judged on no rows, where it must have some, counts as not evaluated.
    """

    name: str
    severity: str
    is_success: bool
    is_evaluated: bool
    evaluated_rows: int  # that the claim was judged on
    unexpected: int
    detail: str
    examples: tuple[str, ...]
    remedy: str


@dataclass(frozen=True)
class GateResult:
    """What a gate found."""

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
        return stopping(self.results)

    @property
    def warnings(self) -> tuple[ExpectationResult, ...]:
        """Those that do not hold, and do not stop the month."""
        return warnings(self.results)


def stopping(results: Sequence[ExpectationResult]) -> tuple[ExpectationResult, ...]:
    """Those that stop the month: critical and broken, or not evaluated."""
    return tuple(
        result
        for result in results
        if not result.is_evaluated or (result.severity == "critical" and not result.is_success)
    )


def warnings(results: Sequence[ExpectationResult]) -> tuple[ExpectationResult, ...]:
    """Those that do not hold, and do not stop the month."""
    failed = stopping(results)
    return tuple(result for result in results if not result.is_success and result not in failed)


def read(evaluated: Mapping[str, Any]) -> ExpectationResult:
    """What came of one expectation, from Great Expectations' result as JSON."""
    configuration = evaluated["expectation_config"]
    meta = configuration["meta"]
    outcome = evaluated["result"] or {}
    fault = _fault(meta, outcome, evaluated.get("exception_info"))
    rows = [] if fault else outcome["details"]["unexpected_rows"]
    examples = tuple(f"{row['subject']}: {row['detail']}" for row in rows[:EXAMPLES])
    unexpected = 0 if fault else outcome["observed_value"]
    return ExpectationResult(
        name=meta["name"],
        severity=configuration["severity"],
        is_success=not fault and bool(evaluated["success"]) and unexpected == 0,
        is_evaluated=not fault,
        evaluated_rows=meta.get("evaluated_rows") or 0,
        unexpected=unexpected,
        detail=fault or "; ".join(examples),
        examples=examples,
        remedy=meta["remedy"],
    )


def _fault(meta: Mapping[str, Any], outcome: Mapping[str, Any], exception: Mapping[str, Any] | None) -> str:
    """Why an expectation counts as not evaluated; empty if it was evaluated."""
    if "observed_value" not in outcome:
        return f"could not be evaluated: {_exception(exception)}"
    if meta.get("evaluated_rows") is None:
        return "could not be evaluated: its rows could not be counted"
    if meta["evaluated_rows"] == 0 and meta["needs_rows"]:
        return "was evaluated on no rows, which it may not be"
    return ""


def _exception(information: Mapping[str, Any] | None) -> str:
    """The first line of what the database said: Great Expectations nests it, a layer per metric."""
    for value in (information or {}).values():
        if isinstance(value, Mapping) and value.get("exception_message"):
            return str(value["exception_message"]).splitlines()[0]
    return "Great Expectations gave no result"


def sentence(outcome: ExpectationResult) -> str:
    """A claim that does not hold: how often, an example, and what to do."""
    if not outcome.is_evaluated:
        return f"{outcome.name} {outcome.detail}. {NOT_EVALUATED}"
    example = f" ({outcome.examples[0]})" if outcome.examples else ""
    # A case may be a row, a feed or a component: what its query gives one of.
    cases = "case" if outcome.unexpected == 1 else "cases"
    return f"{outcome.name} does not hold: {outcome.unexpected} {cases}{example}. {outcome.remedy}"


def failure(result: GateResult) -> str:
    """The message of a gate that stopped its month."""
    lines = [f"- {sentence(outcome)}" for outcome in result.failed]
    return (
        f"The {result.gate} gate stopped service month {result.service_month:%Y-%m} as of "
        f"{result.as_of:%Y-%m-%dT%H:%M:%SZ}: {len(result.failed)} critical. The ledger is untouched.\n"
        + "\n".join(lines)
        + f"\nThe rows are in the Data Docs ({result.data_docs / 'index.html'})."
    )
