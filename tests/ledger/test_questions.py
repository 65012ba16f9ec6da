"""`decide_pending` as Airflow runs it, but for Airflow: what is asked, and what becomes of an answer."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput
from airflow.sdk.execution_time.context import set_current_context

from slaledger import approvals
from slaledger.questions import SHOWN, AskForDecision, questions, shown
from slaledger.settings import EXPORTS_CONNECTION, WAREHOUSE_CONNECTION
from tests.ledger.books import AccountMonth, build, rows

HELD = AccountMonth(status="held", held_digest="a" * 64, credit_status="held")
HELD_ID = "held:K-1:2026-03"


@pytest.fixture
def books(settings, monkeypatch):
    """The books, as a task finds them; March is held, and Ada had it built."""
    monkeypatch.setenv(WAREHOUSE_CONNECTION, settings.warehouse.dsn)
    monkeypatch.setenv(EXPORTS_CONNECTION, '{"conn_type": "aws"}')
    build(settings, HELD, prepared_by="ada")
    return settings


def context_of(*, try_number: int) -> tuple[Any, dict]:
    """A task's context, and what the task leaves for `sla run`."""
    left: dict = {}
    push = SimpleNamespace(id="ti", try_number=try_number, xcom_push=lambda *, key, value: left.update({key: value}))
    return {"ti": push}, left


def answer(question: dict[str, str], **changed: Any) -> tuple[str | Exception, dict]:
    """What becomes of an answer in Airflow's page: the task's result or failure, and what it left for `sla run`."""
    context, left = context_of(try_number=1)
    event = {
        "chosen_options": ["Approve"],
        "params_input": {"because": "the carriers confirm it", SHOWN: shown(question)},
        "responded_at": datetime(2026, 4, 20, tzinfo=UTC),
        "responded_by_user": {"id": "billing", "name": "billing"},
        "timedout": False,
        **changed,
    }
    task = AskForDecision(task_id="decide", question=question)
    with set_current_context(context):
        try:
            return task.execute_complete(context, event), left
        except AirflowFailException as failure:
            return failure, left
        finally:
            assert task.hitl_summary == {}  # what lineage would send on


@pytest.mark.parametrize(("option", "is_approved"), [("Approve", True), ("Reject", False)])
def test_an_answer_is_recorded_by_airflows_word_for_who_gave_it(books, option, is_approved):
    (question,) = questions(books)
    result, _ = answer(question, chosen_options=[option])
    assert str(result) == f"{HELD_ID} is {'approved' if is_approved else 'rejected'} by billing."
    assert rows(
        books,
        "select kind, subject, subject_digest, is_approved, decided_by, because, prepared_by, via from audit.decisions",
    ) == [
        (
            "held_month",
            "K-1|2026-03",
            "a" * 64,
            is_approved,
            "billing",
            "the carriers confirm it",
            "ada",
            "airflow",
        )
    ]
    assert questions(books) == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"responded_by_user": {"id": "7", "name": "Ada"}}, "PreparerDecides: Ada asked for the run that left"),
        ({"responded_by_user": None}, "Nobody is named"),
        ({"params_input": {"because": " "}}, "No reason is given"),
        ({"params_input": {"because": 5, "by": "Bob"}}, "No reason is given"),
        ({"params_input": {"shown": None}}, "TextChanged"),
        ({"params_input": {"shown": "a" * 64}}, "TextChanged"),
    ],
)
def test_an_answer_that_is_none_fails_and_it_still_waits(books, changed, says):
    (question,) = questions(books)
    if "params_input" in changed:
        changed = {"params_input": {SHOWN: shown(question), **changed["params_input"]}}
    failure, left = answer(question, **changed)
    assert isinstance(failure, AirflowFailException)  # which is not tried again
    assert says in str(failure)
    assert left["failure"]["message"] in str(failure)
    assert rows(books, "select count(*) from audit.decisions") == [(0,)]
    assert [item.pending_id for item in approvals.pending(books)] == [HELD_ID]


def test_an_answer_on_other_figures_than_were_shown_is_not_recorded(books):
    (question,) = questions(books)
    build(books, AccountMonth(status="held", held_digest="b" * 64, credit_status="held"), prepared_by="ada")
    failure, _ = answer(question)
    assert "FiguresChanged" in str(failure) and "nothing was recorded" in str(failure)
    assert rows(books, "select count(*) from audit.decisions") == [(0,)]


def test_nobody_answering_in_time_decides_nothing(books):
    (question,) = questions(books)
    failure, _ = answer(question, error="late", error_type="timeout")
    assert "was not answered in time" in str(failure)
    assert rows(books, "select count(*) from audit.decisions") == [(0,)]


def test_an_answer_on_another_text_of_the_same_figures_is_not_recorded(books):
    """Somebody else had the month built again, so that it names another. Nor does a question help that was changed."""
    (question,) = questions(books)
    build(books, HELD, prepared_by="bob")
    (now,) = questions(books)
    assert now["subject_digest"] == question["subject_digest"]
    failure, left = answer(question)
    assert left["failure"]["kind"] == "TextChanged" and "nothing was recorded" in str(failure)
    given = {"because": "so", SHOWN: shown(question)}
    failure, left = answer(now, params_input=given)  # the list was made again behind the waiting task
    assert left["failure"]["kind"] == "TextChanged"
    assert rows(books, "select count(*) from audit.decisions") == [(0,)]


def test_a_second_try_asks_again_unless_it_is_decided(books, monkeypatch):
    """Airflow believed the task lost, as it was answered at once; perhaps after it had been recorded."""
    (question,) = questions(books)
    asked = []
    monkeypatch.setattr("airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **row: asked.append(row))
    task = AskForDecision(task_id="decide", question=question)
    context, _ = context_of(try_number=2)
    context["task_instance"] = context["ti"]
    with set_current_context(context), pytest.raises(TaskAwaitingInput):
        task.execute(context)
    assert [row["body"] for row in asked] == [question["text"]]
    answer(question)
    with set_current_context(context):
        assert task.execute(context) == f"{HELD_ID} no longer waits with these figures."
    assert len(asked) == 1


def test_the_account_of_the_run_decides_no_more_than_who_typed_it(settings, monkeypatch):
    monkeypatch.setenv(WAREHOUSE_CONNECTION, settings.warehouse.dsn)
    monkeypatch.setenv(EXPORTS_CONNECTION, '{"conn_type": "aws"}')
    build(settings, HELD, prepared_by="ada", triggered_by="admin")
    (question,) = questions(settings)
    assert "Prepared by ada through the account admin, who cannot decide" in question["text"]
    for name in ("ada", "ADA", "admin"):
        _, left = answer(question, responded_by_user={"id": name, "name": name})
        assert left["failure"]["kind"] == "PreparerDecides", name
    answer(question)
    assert rows(settings, "select decided_by, prepared_by, triggered_by from audit.decisions") == [
        ("billing", "ada", "admin")
    ]


def test_what_is_shown_are_ids_and_figures_and_no_markup(settings):
    contract_id = "![x](http://evil.example/) <b>{{ 7*7 }}</b> www.evil.example"
    build(settings, AccountMonth(contract_id=contract_id, status="held", held_digest="a" * 64, credit_status="held"))
    (question,) = questions(settings)
    task = AskForDecision(task_id="decide", question=question)
    assert task.subject == f"held:{contract_id}:2026-03"
    assert tuple(task.template_fields) == ()  # what exports say is never a template
    assert "Prepared by schedule, who cannot decide on it" in task.body
    assert r"uptime 99\.5 \%" in task.body
    assert (task.options, task.defaults, list(task.params)) == (["Approve", "Reject"], None, ["because", "shown"])


def test_text_of_ids_shows_as_it_is():
    from slaledger.questions import _plain

    assert _plain("a\n\n# b ![x](http://e.example)") == r"a \# b \!\[x\]\(http\:\/\/e\.example\)"
