"""How `decide_pending` asks; what becomes of an answer is in tests/ledger/test_questions.py."""

from __future__ import annotations

from datetime import timedelta

import pytest

from slaledger.questions import AskForDecision
from slaledger.settings import PROJECT_DIR


@pytest.fixture(scope="module")
def dag():
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(PROJECT_DIR / "dags" / "decide_pending.py")).dags["decide_pending"]


def test_it_is_triggered_by_hand_and_asks_for_each_thing_under_its_id(dag):
    assert not dag.timetable.can_be_scheduled
    assert [task.task_id for task in dag.topological_sort()] == ["list_pending", "decide"]
    decide = dag.get_task("decide")
    assert decide.operator_class is AskForDecision
    assert decide.map_index_template == "{{ task.subject }}"
    assert tuple(decide.template_fields) == ()  # what exports say is never a template
    assert decide.partial_kwargs["response_timeout"] == timedelta(days=3)
    assert "defaults" not in decide.partial_kwargs  # nothing is decided by itself


def test_no_other_dag_waits_for_it_or_starts_it(dag):
    assert dag.get_task("decide").downstream_task_ids == set()
    others = [path for path in (PROJECT_DIR / "dags").glob("*.py") if path.stem != "decide_pending"]
    assert others
    assert [path.name for path in others if "decide_pending" in path.read_text(encoding="utf-8")] == []
