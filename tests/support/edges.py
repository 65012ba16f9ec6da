"""Tests by the line of edge-cases.md that they are of: `-k edge_025` finds what is marked `@pytest.mark.edge(25)`."""

from __future__ import annotations

import pytest


def numbers(item: pytest.Item) -> set[int]:
    """The lines that a test is of."""
    return {number for mark in item.iter_markers("edge") for number in mark.args}


def pytest_itemcollected(item: pytest.Item) -> None:
    item.extra_keyword_matches.update(f"edge_{number:03}" for number in numbers(item))
