"""One expectation: a claim, as a query for the rows that break it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SQL_DIR = Path(__file__).parent / "sql"

CRITICAL = "critical"
WARNING = "warning"


@dataclass(frozen=True)
class Expectation:
    """A claim that holds while its query finds nothing.

    The query is `sql/<gate>/<name>.sql`: it finds the build in `audit.current_build`, and gives a row
    (`subject`, `detail`: ids and figures, never a text that came in) for each breach, in a fixed order.
    """

    name: str  # the claim, in snake_case
    severity: str  # critical: stops the month; warning: shown, and in the record
    table: str  # `schema.table` that the claim is about
    why: str
    remedy: str  # what to do
    is_critical_on_closing_only: bool = False  # else a warning: the month is not to be billed yet

    def severity_of(self, *, is_closing: bool) -> str:
        """The severity in a build that closes its month, or does not."""
        return WARNING if self.is_critical_on_closing_only and not is_closing else self.severity

    def query(self, gate: str) -> str:
        """The query, as it can be run by hand."""
        return (SQL_DIR / gate / f"{self.name}.sql").read_text(encoding="utf-8")
