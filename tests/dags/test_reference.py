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


def test_every_task_says_what_it_does():
    page = (PROJECT_DIR / "docs" / "reference" / "dags.md").read_text(encoding="utf-8")
    tasks = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert {"| `land_feeds`", "| `land_checks`", "| `post_ledger`"} <= {cells[0] for cells in tasks}
    assert [cells[0] for cells in tasks if len(cells[1].strip()) < 10] == []
