"""What every test of a promise has: a seed that replays it."""

from __future__ import annotations

import os
import random

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
