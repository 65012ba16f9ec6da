"""Every line of edge-cases.md that is about a figure: all in one bucket, accounted for once.

`pytest tests -k edge_025` runs line 25. The figures are written by hand, in the cases of this folder and the stories of
tests/scenarios, and hold for both routes. Cases keep to accounts and regions of their own, and must not touch each
other.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.edge_cases import collected, models, second_route, stories
from tests.edge_cases.cases import AS_OF, TABLES, Case, agree
from tests.edge_cases.collected import CASES, differing
from tests.edge_cases.models import Rows
from tests.support.pipeline import Pipeline

# A landing and four builds, on whatever machine.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("given")
    collected.write(directory)
    return directory


@pytest.fixture(scope="module")
def by_models(pipeline: Pipeline, tree: Path) -> Rows:
    pipeline.put(tree)
    return models.account(pipeline)


@pytest.fixture(scope="module")
def by_second_route(tree: Path) -> Rows:
    return second_route.account(tree)


def parameters(tables: Collection[str]) -> list:
    """The cases that expect anything of these tables."""
    return [
        pytest.param(case, id=case.id, marks=pytest.mark.edge(case.number) if isinstance(case.number, int) else ())
        for case in CASES
        if any(table in tables for table, _, _ in case.expected.rows)
    ]


@pytest.mark.parametrize("case", parameters(TABLES))
def test_by_the_models(by_models: Rows, case: Case) -> None:
    assert differing(case, by_models, TABLES) == ""


@pytest.mark.parametrize("case", parameters(second_route.SAID))
def test_by_the_second_route(by_second_route: Rows, case: Case) -> None:
    assert differing(case, by_second_route, second_route.SAID) == ""


@pytest.mark.edge(80)
def test_every_month_records_the_code_and_the_time_zone_data_it_was_reckoned_with(
    by_models: Rows, pipeline: Pipeline
) -> None:
    builds = pipeline.rows("select to_char(service_month, 'YYYY-MM') as month, * from audit.builds")
    assert {build["month"] for build in builds} == set(AS_OF)
    assert all(build["tzdata_version"] and build["code_version"] for build in builds)


def test_the_comparison_sees_a_cell_a_row_too_few_and_a_row_too_many() -> None:
    row = {"contract_id": "a", "amount": "0.50", "at": "2026-03-01T00:00:00Z", "ids": "y;x", "claim_id": ""}
    at = datetime(2026, 3, 1, tzinfo=UTC)
    booked = {"contract_id": "a", "amount": Decimal("0.5"), "at": at, "ids": ["x", "y"], "claim_id": None}
    assert agree([row], [{**booked, "not_expected": 1}])
    assert agree([{**row, "amount": Decimal("0.5"), "ids": ["x", "y"], "claim_id": None}], [booked])
    changes = {"amount": Decimal("0.51"), "at": at.replace(microsecond=1), "ids": ["x"], "claim_id": "c"}
    assert not any(agree([row], [{**booked, name: value}]) for name, value in changes.items())
    assert not any(agree([row], [{**booked, name: None}]) for name in ("amount", "at", "contract_id"))
    assert not agree([{**row, "met": True}], [{**booked, "met": False}])
    assert not agree([row], [])
    assert not agree([row], [booked, booked])
    assert not agree([row, row], [booked])
    assert agree([], [])
    assert not agree([], [booked])


def test_each_story_shows_its_arithmetic_and_tells_of_its_lines() -> None:
    assert len(stories.STORIES) >= 5
    for story in stories.STORIES:
        readme = (story / "README.md").read_text(encoding="utf-8")
        assert "arithmetic" in readme.lower(), story.name
        numbers = {case.number for case in CASES if case.name == story.name}
        assert numbers, f"{story.name} expects nothing"
        untold = {number for number in numbers if f"| {number} |" not in readme}
        assert not untold, f"{story.name}/README.md says nothing of {sorted(untold)}"


def test_months_and_tables_of_expectations_are_known() -> None:
    for case in CASES:
        for table, month, _ in case.expected.rows:
            assert table in TABLES and month in (*AS_OF, ""), f"{case.id}: add {month} {table} to AS_OF or TABLES"
