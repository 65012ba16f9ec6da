"""Every line of edge-cases.md has a test, and its tests are in one place."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest

from slaledger.settings import PROJECT_DIR

LINES = range(1, 147)

# Lines with tests in several files, and why: of any other line one file says all that there is to say.
SEVERAL = {
    20: "the 120 s are a figure, the rule behind them is printed where a line is explained",
    49: "what is not known yet is a figure, the revision that follows a second closing",
    76: "unknown time is a figure, a month that is not closed is none",
    105: "the month of creation is a figure, the revision that follows a second closing",
    110: "what is inherited decides a claim, and is shown by `sla terms show`",
    116: "the month is blocked, the documents are refused",
    127: "unpaid it is a figure, paid it waits through a second closing",
}


@pytest.fixture(scope="module")
def tests_of() -> dict[int, list[str]]:
    found = subprocess.run(
        [sys.executable, "-m", "tests.edge_cases.every_line"],
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert found.returncode == 0, found.stderr
    return {int(number): tests for number, tests in json.loads(found.stdout).items()}


def missing(tests_of: Mapping[int, list[str]]) -> list[int]:
    return [number for number in LINES if not tests_of.get(number)]


def scattered(tests_of: Mapping[int, list[str]]) -> dict[int, list[str]]:
    """Lines in several files without a reason, and reasons without several files."""
    files = {number: sorted({test.partition("::")[0] for test in tests}) for number, tests in tests_of.items()}
    return {number: found for number, found in files.items() if (len(found) > 1) != (number in SEVERAL)}


def test_every_line_has_a_test(tests_of: dict[int, list[str]]) -> None:
    assert missing(tests_of) == [], "write a case in tests/edge_cases, or mark a test with `@pytest.mark.edge(…)`"
    assert set(tests_of) <= set(LINES)


def test_a_line_is_tested_in_one_file_or_says_why_not(tests_of: dict[int, list[str]]) -> None:
    assert scattered(tests_of) == {}, "move the tests of a line together, or say in SEVERAL why not"


def test_a_line_without_a_test_and_one_in_two_files_are_found(tests_of: dict[int, list[str]]) -> None:
    assert missing({**tests_of, 25: []}) == [25]
    assert missing({number: tests for number, tests in tests_of.items() if number != 146}) == [146]
    assert 25 in scattered({**tests_of, 25: [*tests_of[25], "tests/elsewhere.py::test_it"]})
    assert 49 in scattered({**tests_of, 49: tests_of[49][:1]})
