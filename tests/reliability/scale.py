"""How much of a test runs on every push, and how much in `make test-deep`."""

from __future__ import annotations

import pytest


def scaled(name: str, *, every_push: int, deep: int) -> pytest.MarkDecorator:
    """Run the test with `name` set to `every_push`; in `make test-deep`, set to `deep`."""
    return pytest.mark.parametrize(name, [every_push, pytest.param(deep, marks=[pytest.mark.deep])])
