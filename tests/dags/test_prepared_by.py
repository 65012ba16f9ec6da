"""Who is on record as having asked for a run: nobody can name another but `sla run`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from slaledger import settings, steps


def prepared_by(*, user: str | None, given: str | None = None) -> str:
    """Who prepared a run that Airflow says this user triggered, with this parameter."""
    from airflow.sdk.execution_time.context import set_current_context

    context: Any = {"dag_run": SimpleNamespace(triggering_user_name=user), "params": {"prepared_by": given}}
    with set_current_context(context):
        return steps.prepared_by()


@pytest.mark.parametrize(
    ("user", "given", "expected"),
    [
        ("billing", None, "billing"),
        ("billing", "  ", "billing"),
        (None, None, "schedule"),  # an asset event
        ("admin", "ada", "ada"),  # `sla run`, typed by ada
        ("admin", None, "admin"),
    ],
)
def test_it_is_who_triggered_it_or_typed_sla_run(user, given, expected, monkeypatch):
    monkeypatch.delenv("SLA_AIRFLOW_USER", raising=False)
    assert prepared_by(user=user, given=given) == expected


@pytest.mark.parametrize("user", ["billing", None, "Admin"])
def test_nobody_else_says_that_another_did(user, monkeypatch):
    monkeypatch.delenv("SLA_AIRFLOW_USER", raising=False)
    with pytest.raises(steps.NotOursToSay, match="leave that empty"):
        prepared_by(user=user, given="ada")


def test_sla_run_may_log_in_as_another_account(monkeypatch):
    monkeypatch.setenv("SLA_AIRFLOW_USER", "robot")
    assert prepared_by(user="robot", given="ada") == "ada"
    with pytest.raises(steps.NotOursToSay):
        prepared_by(user="admin", given="ada")


def test_who_runs_a_command_is_the_systems_user_unless_said(monkeypatch):
    import os
    import pwd

    monkeypatch.delenv("SLA_USER", raising=False)
    assert settings.user_name() == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setenv("SLA_USER", " ada ")
    assert settings.user_name() == "ada"
    monkeypatch.setenv("SLA_USER", " ")
    assert settings.user_name() == pwd.getpwuid(os.getuid()).pw_name
