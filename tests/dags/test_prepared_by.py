"""Who is on record as having asked for a run, and how lax it may be: only `sla run` says so for another."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from slaledger import settings, steps


def asked(question: Callable[[], Any], *, user: str | None, **params: str | None) -> Any:
    """What a step makes of a run that Airflow says this user triggered, with these parameters."""
    from airflow.sdk.execution_time.context import set_current_context

    context: Any = {"dag_run": SimpleNamespace(triggering_user_name=user), "params": params}
    with set_current_context(context):
        return question()


def prepared_by(*, user: str | None, given: str | None = None) -> str:
    """Who prepared it."""
    return asked(steps.prepared_by, user=user, prepared_by=given)


@pytest.mark.parametrize(("user", "given"), [("admin", "20"), ("admin", None), ("billing", None), (None, None)])
def test_the_quarantine_limit_is_that_of_sla_run_or_the_deployments(user, given, monkeypatch):
    monkeypatch.delenv("SLA_AIRFLOW_USER", raising=False)
    assert asked(steps.quarantine_limit, user=user, quarantine_limit=given) == given


@pytest.mark.parametrize("user", ["billing", None])
def test_nobody_lifts_the_quarantine_limit_in_airflows_page(user, monkeypatch):
    monkeypatch.delenv("SLA_AIRFLOW_USER", raising=False)
    with pytest.raises(steps.NotOursToSay, match="sla pending"):
        asked(steps.quarantine_limit, user=user, quarantine_limit="100")


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


@pytest.mark.parametrize(("user", "expected"), [("admin", "admin"), ("billing", "billing"), (None, None)])
def test_the_account_is_airflows_word_whatever_the_run_says(user, expected):
    assert asked(steps.triggered_by, user=user, prepared_by="ada") == expected
