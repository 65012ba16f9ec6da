"""Which tests are of which line of edge-cases.md: `python -m tests.edge_cases.every_line` lists them, as JSON."""

from __future__ import annotations

import contextlib
import io
import json
from collections import defaultdict
from pathlib import Path

import pytest

TESTS_DIR = Path(__file__).resolve().parents[1]


class _Collected:
    """The plugin that notes what pytest found."""

    def __init__(self) -> None:
        self.tests: dict[int, list[str]] = defaultdict(list)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        from tests.support.edges import numbers

        for item in session.items:
            for number in numbers(item):
                self.tests[number].append(item.nodeid)


def collect() -> dict[int, list[str]]:
    """The tests of each line, by collecting all tests anew. To be run in a process of its own."""
    collected = _Collected()
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", str(TESTS_DIR)], plugins=[collected])
    if code != pytest.ExitCode.OK:
        raise SystemExit(f"pytest could not collect the tests:\n{said.getvalue()[-4000:]}")
    return dict(sorted(collected.tests.items()))


if __name__ == "__main__":
    print(json.dumps(collect(), indent=1))
