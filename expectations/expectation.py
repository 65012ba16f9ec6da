"""One expectation: a claim, as a query for the rows that break it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SQL_DIR = Path(__file__).parent / "sql"

CRITICAL = "critical"
CRITICAL_ON_CLOSING = "critical_on_closing"  # else a warning: the month is not to be billed yet
WARNING = "warning"
BREACHES = "select * from final"


@dataclass(frozen=True)
class Expectation:
    """A claim that holds while its query finds nothing.

    The query is `sql/<gate>/<name>.sql`: it finds the build in `audit.current_build`, and gives a row
    (`subject`, `detail`: ids and figures, never a text that came in) for each breach, in a fixed order. Its CTE
    `population` has the rows that the claim is judged on, one by one or together: on none, it says nothing.

    `gate.expectations` in the database has the same list: a change here comes with a migration.
    """

    name: str  # the claim, in snake_case
    severity: str  # critical: stops the month; warning: shown, and in the record
    table: str  # `schema.table` that the claim is about
    why: str
    remedy: str  # what to do
    may_be_empty: str = ""  # why there may honestly be no rows to judge; without a reason, none is no success
    only_with: str = ""  # the expectation of the same gate that must have had none either

    def severity_of(self, *, is_closing: bool) -> str:
        """The severity in a build that closes its month, or does not."""
        if self.severity == CRITICAL_ON_CLOSING:
            return CRITICAL if is_closing else WARNING
        return self.severity

    def query(self, gate: str) -> str:
        """The query for the rows that break it, as it can be run by hand."""
        return (SQL_DIR / gate / f"{self.name}.sql").read_text(encoding="utf-8")

    def count(self, gate: str) -> str:
        """The same query, for the number of rows that the claim is judged on."""
        return self.query(gate).rpartition(BREACHES)[0] + "select count(*) from population"
