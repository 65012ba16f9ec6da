"""Scenario folders: `given/` is what lies in the bucket, `expect/<month>/<table>.csv` what comes of it, exactly.

All stories share one bucket, one landing and one build a month: they keep to accounts and regions of their own,
and must not touch each other. An expected table speaks of the keys that it names and of all their rows: what it
does not list must not be there. README.md of each story has the arithmetic by hand.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

# Three builds, on whatever machine.
pytestmark = pytest.mark.timeout(900)

SCENARIOS_DIR = Path(__file__).resolve().parent
STORIES = sorted(path.parent for path in SCENARIOS_DIR.glob("*/given"))
EXPECTED = sorted(SCENARIOS_DIR.glob("*/expect/*/*.csv"))

# Files without a `.meta.json` were exported then: after each of the months.
EXPORTED_AT = datetime(2026, 11, 2, 6, tzinfo=UTC)

# Each month is accounted as of the 20th of the next: claims' tenth day has passed.
AS_OF = {
    "2026-03": datetime(2026, 4, 20, tzinfo=UTC),
    "2026-04": datetime(2026, 5, 20, tzinfo=UTC),
    "2026-10": datetime(2026, 11, 20, tzinfo=UTC),
}
CLOSED = "2026-03"

# The tables that stories expect rows of, and the column by which a row belongs to a story.
TABLES = {
    "fct_account_months": ("marts.fct_account_months", "contract_id"),
    "fct_account_downtime": ("marts.fct_account_downtime", "contract_id"),
    "fct_response_times": ("marts.fct_response_times", "ticket_id"),
    "fct_claims": ("marts.fct_claims", "claim_id"),
    "fct_credits": ("marts.fct_credits", "contract_id"),
    "fct_findings": ("marts.fct_findings", "subject"),
    "credit_line_items": ("billing.credit_line_items", "contract_id"),
}
NO_ROW = "(no row)"

# Those of edge-cases.md that must be here; 136 to 138 need a second closing and are in tests/ledger.
EDGES = {*range(1, 14), 16, 20, 22, 23, 24, 27, 28, 29, 31, 33, 36, 45}
EDGES |= {*range(83, 93), *range(118, 128), *range(129, 136)}


@pytest.fixture(scope="module")
def accounted(pipeline, tmp_path_factory: pytest.TempPathFactory):
    """The pipeline, after it accounted for every month that a story expects something of."""
    tree = tmp_path_factory.mktemp("given")
    for story in STORIES:
        for source in sorted(path for path in (story / "given").rglob("*") if path.is_file()):
            target = tree / source.relative_to(story / "given")
            assert not target.exists(), f"two stories give {target.relative_to(tree)}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            os.utime(target, (EXPORTED_AT.timestamp(), EXPORTED_AT.timestamp()))
    pipeline.put(tree)
    for month, as_of in AS_OF.items():
        run_id = pipeline.run(month, as_of, close=month == CLOSED)
        if month == CLOSED:
            _post_again(pipeline, run_id)
            _grant_goodwill(pipeline)
    return pipeline


def _post_again(pipeline, run_id: str) -> None:
    """As Airflow does after a lost heartbeat (edge 135)."""
    from slaledger import ledger

    ledger.post_month(pipeline.settings, run_id=run_id)


def _grant_goodwill(pipeline) -> None:
    from slaledger import approvals

    for path in sorted(SCENARIOS_DIR.glob("*/goodwill.csv")):
        for row in _csv(path):
            approvals.goodwill(
                pipeline.settings,
                contract_id=row["contract_id"],
                service_month=_first_day(row["service_month"]),
                amount=row["amount"],
                by=row["by"],
                because=row["because"],
            )


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: "/".join((path.parts[-4], path.parts[-2], path.stem)))
def test_what_is_given_comes_to_what_is_expected(accounted, path: Path) -> None:
    table, owner = TABLES[path.stem]
    expected: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _csv(path):
        row.pop("edge")
        expected[row[owner]].append(row)
    actual: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in accounted.rows(
        f"select * from {table} where service_month = %s and {owner} = any(%s)",
        [_first_day(path.parts[-2]), list(expected)],
    ):
        actual[row[owner]].append(row)
    differing = [
        f"{key}:\n  expected {rows}\n  but got {actual[key]}"
        for key, rows in expected.items()
        if not _agree(rows, actual[key])
    ]
    assert not differing, f"{path.relative_to(SCENARIOS_DIR)}\n" + "\n".join(differing)


def _agree(expected: list[dict[str, str]], actual: list[dict[str, Any]]) -> bool:
    if any(NO_ROW in row.values() for row in expected):
        return len(expected) == 1 and not actual
    left = list(actual)
    for row in expected:
        match = next((other for other in left if all(_is(other[name], row[name]) for name in row)), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def _is(value: Any, text: str) -> bool:
    """Whether a value of the database is the one that a cell of a CSV says, exactly."""
    match value:
        case None:
            return text == ""
        case bool():
            return text == str(value).lower()
        case Decimal() | int():
            return text != "" and value == Decimal(text)
        case datetime():
            return text != "" and value == datetime.fromisoformat(text)
        case list():
            return sorted(value) == sorted(filter(None, text.split(";")))
        case _:
            return text == str(value)


def test_the_comparison_sees_a_cell_a_row_too_few_and_a_row_too_many() -> None:
    row = {"contract_id": "a", "amount": "0.50", "at": "2026-03-01T00:00:00Z", "ids": "y;x", "claim_id": ""}
    at = datetime(2026, 3, 1, tzinfo=UTC)
    booked = {"contract_id": "a", "amount": Decimal("0.5"), "at": at, "ids": ["x", "y"], "claim_id": None}
    assert _agree([row], [{**booked, "not_expected": 1}])
    changes = {"amount": Decimal("0.51"), "at": at.replace(microsecond=1), "ids": ["x"], "claim_id": "c"}
    assert not any(_agree([row], [{**booked, name: value}]) for name, value in changes.items())
    assert not any(_agree([row], [{**booked, name: None}]) for name in ("amount", "at", "contract_id"))
    assert not _agree([row], [])
    assert not _agree([row], [booked, booked])
    assert not _agree([row, row], [booked])
    assert _agree([{"contract_id": "a", "amount": NO_ROW}], [])
    assert not _agree([{"contract_id": "a", "amount": NO_ROW}], [booked])


def test_stories_were_found_and_each_is_told() -> None:
    assert len(STORIES) >= 5
    assert EXPECTED
    for story in STORIES:
        assert "arithmetic" in (story / "README.md").read_text(encoding="utf-8").lower(), story.name
        assert list(story.glob("expect/*/*.csv")), f"{story.name} expects nothing"


def test_every_edge_case_is_expected_somewhere_and_told_in_its_story() -> None:
    expected: dict[str, set[int]] = defaultdict(set)
    for path in EXPECTED:
        for row in _csv(path):
            expected[path.parts[-4]] |= {int(number) for number in row["edge"].split()}
    missing = EDGES - set().union(*expected.values())
    assert not missing, f"no story expects {sorted(missing)}"
    for story, numbers in expected.items():
        told = (SCENARIOS_DIR / story / "README.md").read_text(encoding="utf-8")
        untold = {number for number in numbers if f"| {number} |" not in told}
        assert not untold, f"{story}/README.md says nothing of {sorted(untold)}"


def test_months_and_tables_of_expectations_are_known() -> None:
    for path in EXPECTED:
        assert path.parts[-2] in AS_OF and path.stem in TABLES, f"add {path} to AS_OF or TABLES"


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _first_day(month: str) -> date:
    return date.fromisoformat(f"{month}-01")
