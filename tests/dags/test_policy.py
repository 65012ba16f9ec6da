"""What holds for every DAG. DAGs are discovered, never listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from slaledger import settings

DAGS_DIR = settings.PROJECT_DIR / "dags"


@pytest.fixture(scope="module")
def dag_bag():
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(DAGS_DIR))


def test_all_files_load(dag_bag):
    assert not dag_bag.import_errors
    files = {path.stem for path in DAGS_DIR.glob("*.py")}
    assert files, "no DAG file was found: look at DAGS_DIR"
    assert set(dag_bag.dags) == files, "one DAG a file, and file name = dag_id: rename the one that differs"


def test_every_dag_keeps_the_policy(dag_bag):
    assert dag_bag.dags
    for dag_id, dag in dag_bag.dags.items():
        source = Path(dag.fileloc).read_text(encoding="utf-8")
        assert dag.doc_md and len(dag.doc_md) > 300, f"{dag_id}: write its docstring, and pass doc_md=__doc__"
        for heading in ("**When", "**Rerun", "**When it fails"):
            assert heading in dag.doc_md, f"{dag_id}: its docstring lacks {heading}**"
        assert {"sla"} <= set(dag.tags), f"{dag_id}: tag it `sla`"
        assert any(tag.startswith("tier:") for tag in dag.tags), f"{dag_id}: tag its tier, tier:1 say"
        assert dag.max_active_runs == 1, f"{dag_id}: one run at a time (max_active_runs=1)"
        assert not dag.catchup, f"{dag_id}: catchup=False: a landing takes all there is"
        assert f"def {dag_id}(" in source, f"{dag_id}: name the function as the DAG"
        body = source.split('"""', 2)[2]
        assert body.count("\n") <= 120, f"{dag_id}: over 120 lines below the docstring: move logic to plugins/"
        assert "now(" not in body, f"{dag_id}: the period comes from the run, never from now()"


def test_every_task_keeps_the_policy(dag_bag):
    tasks = [task for dag in dag_bag.dags.values() for task in dag.tasks]
    assert tasks
    for task in tasks:
        assert task.owner == settings.DEFAULT_ARGS["owner"], f"{task.task_id}: use DEFAULT_ARGS"
        assert task.retries >= 1, f"{task.task_id}: retries ≥ 1, a lost heartbeat is no failure"
        assert task.execution_timeout, f"{task.task_id}: needs execution_timeout"
        assert task.inlets or task.outlets or task.downstream_task_ids, f"{task.task_id}: hangs alone"


def test_the_writers_of_a_month_share_the_pool_of_one(dag_bag):
    assert {task.pool for task in dag_bag.dags["account_month"].tasks} == {settings.WRITER_POOL}


def test_no_file_is_taken_for_a_dbt_plugin():
    found = [
        path
        for folder in (settings.PROJECT_DIR, DAGS_DIR, settings.PROJECT_DIR / "plugins")
        for path in folder.glob("dbt_*.py")
    ]
    assert not found, "dbt imports every top-level module named dbt_*: rename it"
    assert not (settings.DBT_PROJECT_DIR / "__init__.py").exists()
