"""The expectations of the project's root, which is on no path: Airflow and dbt import what is."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

from slaledger.settings import EXPECTATIONS_DIR


def committed() -> ModuleType:
    """The module `expectations.gates`: `GATES` maps a gate to all that it must evaluate."""
    if "expectations" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "expectations",
            EXPECTATIONS_DIR / "__init__.py",
            submodule_search_locations=[str(EXPECTATIONS_DIR)],
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["expectations"] = module
        spec.loader.exec_module(module)
    return importlib.import_module("expectations.gates")
