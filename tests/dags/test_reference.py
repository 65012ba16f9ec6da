from __future__ import annotations

import importlib.util

from slaledger.settings import PROJECT_DIR


def test_the_dag_reference_is_up_to_date():
    spec = importlib.util.spec_from_file_location("reference", PROJECT_DIR / "docs" / "generate_dag_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text(encoding="utf-8") == module.dag_reference(), (
        "docs/reference/dags.md is stale: run `.venv/bin/python docs/generate_dag_reference.py`"
    )
