"""What every test of a promise has: a seed that replays it, and a place for its figure."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable

import pytest


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """`$SLA_SEED`, else always the same: printed, so that a failure can be replayed."""
    number = int(os.environ.get("SLA_SEED", "4"))
    print(f"SLA_SEED={number} {request.node.nodeid}")
    return number


@pytest.fixture
def chance(seed: int) -> random.Random:
    """The test's only source of chance."""
    return random.Random(seed)


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tell what was measured: printed, and appended to the file `$SLA_FIGURES` if that is set."""

    def tell(text: str) -> None:
        print(f"FIGURE {request.node.name}: {text}")
        if path := os.environ.get("SLA_FIGURES"):
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"test": request.node.nodeid, "figure": text}) + "\n")

    return tell
