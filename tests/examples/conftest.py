"""The sample month, generated once for all tests of it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES_DIR = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="session")
def generator() -> Iterator[ModuleType]:
    """`examples/generate.py`, which is a script and no package."""
    sys.path.insert(0, str(EXAMPLES_DIR))
    try:
        yield importlib.import_module("generate")
    finally:
        sys.path.remove(str(EXAMPLES_DIR))


@pytest.fixture(scope="session")
def sample(generator: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sample month lies."""
    out_dir = tmp_path_factory.mktemp("sample")
    generator.generate(out_dir)
    return out_dir
