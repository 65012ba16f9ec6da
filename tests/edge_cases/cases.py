"""Cases: what lies in the bucket, and the figures that come of it, by the line of edge-cases.md that they are of.

    @case(12)
    def an_outage_over_midnight_is_in_both_months(world, expect):
        # 31 March 23:50 to 1 April 00:20: 10 min in March, 20 in April.
        world.outage("e12", "2026-03-31T23:50:00Z", 1800)
        world.customer("e12")
        expect.month("C-e12", MARCH, counted_seconds=600)
        expect.month("C-e12", APRIL, counted_seconds=1200)

What is expected is written by hand. A case speaks of all the rows of the keys that it names: one that it does not
expect must not be there. A case without a line is of a rule, and gives its number as text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.edge_cases.world import World

MARCH, APRIL, OCTOBER, NOVEMBER = (f"2026-{number:02}" for number in (3, 4, 10, 11))

# Each month is accounted once, as of an instant after its claims' last day.
AS_OF = {
    MARCH: "2026-04-20T00:00:00Z",
    APRIL: "2026-05-20T00:00:00Z",
    OCTOBER: "2026-11-20T00:00:00Z",
    NOVEMBER: "2026-12-20T00:00:00Z",
}
CLOSED = MARCH

# The tables that cases expect rows of, and the column by which a row belongs to a case.
TABLES = {
    "fct_account_months": "contract_id",
    "fct_account_downtime": "contract_id",
    "fct_response_times": "ticket_id",
    "fct_claims": "claim_id",
    "fct_credits": "contract_id",
    "fct_findings": "subject",
    "credit_line_items": "contract_id",
    "source_objects": "key",
    "quarantined_rows": "key",
}

Row = dict[str, Any]


@dataclass
class Expected:
    """The rows of a case by (table, month, owner); no rows: there must be none. What landed is of no month."""

    rows: dict[tuple[str, str, str], list[Mapping[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def row(self, table: str, month: str, owner: str, **columns: Any) -> None:
        """One more row that the owner has in a table."""
        self.rows[table, month, owner].append(columns)

    def none(self, table: str, month: str, owner: str) -> None:
        """The owner has no row in a table."""
        assert not self.rows[table, month, owner]

    def month(self, contract_id: str, month: str, **columns: Any) -> None:
        """The account-month of a contract."""
        self.row("fct_account_months", month, contract_id, **columns)

    def seconds(self, contract_id: str, month: str, counted: Any, excluded: Any = 0, unknown: Any = 0) -> None:
        """The three sums of an account-month."""
        self.month(contract_id, month, counted_seconds=counted, excluded_seconds=excluded, unknown_seconds=unknown)

    def segments(self, contract_id: str, month: str, *segments: tuple[str, str, str, str, str]) -> None:
        """All segments of an account-month: kind, first and last minute (`10T02:00`), services, sources."""
        self.none("fct_account_downtime", month, contract_id)
        for kind, started, ended, services, sources in segments:
            self.row(
                "fct_account_downtime",
                month,
                contract_id,
                kind=kind,
                started_at=f"{month}-{started}:00Z",
                ended_at=f"{month}-{ended}:00Z",
                services=services.split(),
                source_ids=sources.split(),
            )

    def credit(self, contract_id: str, month: str, **columns: Any) -> None:
        """The credit of a contract's month; `availability` unless told otherwise."""
        self.row("fct_credits", month, contract_id, **{"basis": "availability", **columns})

    def response(self, ticket_id: str, month: str, **columns: Any) -> None:
        """The response time of a ticket."""
        self.row("fct_response_times", month, ticket_id, **columns)

    def claim(self, claim_id: str, month: str, **columns: Any) -> None:
        """The verdict on a claim for a contract."""
        self.row("fct_claims", month, claim_id, **columns)

    def finding(self, subject: str, month: str, *codes: str) -> None:
        """All that is reported of a subject."""
        self.none("fct_findings", month, subject)
        for code in codes:
            self.row("fct_findings", month, subject, code=code)

    def quarantined(self, key: str, line_number: int, reason_code: str) -> None:
        """A row of an object that is set aside."""
        self.row("quarantined_rows", "", key, line_number=line_number, reason_code=reason_code)


@dataclass(frozen=True)
class Case:
    """A line (or a rule, as text) with what is expected of it."""

    number: int | str
    name: str
    expected: Expected

    @property
    def id(self) -> str:
        """What a test of it is called."""
        return f"{edge_id(self.number) if isinstance(self.number, int) else self.number}-{self.name}"


Given = Callable[[World, Expected], None]
_given: list[tuple[int | str, Given]] = []


def edge_id(number: int) -> str:
    """How a test of a line is found: `pytest -k edge_025`."""
    return f"edge_{number:03}"


def case(number: int | str) -> Callable[[Given], Given]:
    """Of which line, or rule, a case is."""

    def note(given: Given) -> Given:
        _given.append((number, given))
        return given

    return note


def told(world: World) -> Iterator[Case]:
    """Every case of the modules that were imported, after its objects were added to the world."""
    for number, given in _given:
        expected = Expected()
        given(world, expected)
        assert expected.rows, f"{given.__name__} expects nothing"
        yield Case(number, given.__name__, expected)


def agree(expected: list[Mapping[str, Any]], actual: list[Row]) -> bool:
    """Whether each expected row has a row of its own that equals it in the columns that it names, and none is left."""
    left = list(actual)
    for row in expected:
        match = next((other for other in left if all(_is(other[name], row[name]) for name in row)), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def _is(value: Any, said: Any) -> bool:
    """Whether a value is the one that a case says (in a CSV: as text), exactly."""
    if said is None or said == "":
        return value is None or value == []
    match value:
        case None:
            return False
        case bool():
            return said in (value, str(value).lower())
        case Decimal() | int():
            return value == Decimal(str(said))
        case datetime():
            return value == datetime.fromisoformat(said)
        case list():
            return sorted(value) == sorted(said.split(";") if isinstance(said, str) else said)
        case _:
            return str(value) == said
