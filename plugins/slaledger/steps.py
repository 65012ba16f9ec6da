"""What a task does around the one function that it calls: its settings, its run, and how it fails."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeVar

Result = TypeVar("Result")

FAILURE_KEY = "failure"


def reported(function: Callable[..., Result]) -> Callable[..., Result]:
    """Leave the failure's kind and message where `sla run` finds them, and do not retry what cannot get better.

    An exception says so with `is_final` or `is_validation` (data, not services, stopped it); others (a service
    that does not answer) are retried.
    """

    @functools.wraps(function)
    def step(*args: Any, **kwargs: Any) -> Result:
        from airflow.sdk import get_current_context
        from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

        try:
            return function(*args, **kwargs)
        except AirflowSkipException:
            raise
        except Exception as error:
            is_validation = bool(getattr(error, "is_validation", False))
            failure = {"kind": type(error).__name__, "message": str(error), "is_validation": is_validation}
            get_current_context()["ti"].xcom_push(key=FAILURE_KEY, value=failure)
            if is_validation or getattr(error, "is_final", False):
                raise AirflowFailException(f"{failure['kind']}: {failure['message']}") from error
            raise

    return step


def run_id() -> str:
    """The id that this run's rows carry: Airflow's."""
    from airflow.sdk import get_current_context

    return get_current_context()["run_id"]


class NotOursToSay(Exception):
    """A parameter that is `sla run`'s alone was given by somebody who triggers runs by hand."""

    is_final = True


def quarantine_limit() -> str | None:
    """The limit that `sla run` was typed with; None: the deployment's. Raises `NotOursToSay` for another's word."""
    return _told_by_sla_run(
        "quarantine_limit", "Who thinks that more may be lost has it approved: `sla pending` lists the feed."
    )


def prepared_by() -> str:
    """Who asked for this run: the user that Airflow says triggered it, else `schedule`.

    For runs that `sla run` triggered, who typed it: its word counts, that of other accounts does not. What it says can
    keep a person from deciding; it makes nobody able to, as its account (`triggered_by`) cannot decide either. Raises
    `NotOursToSay`.
    """
    from slaledger import transform

    told = _told_by_sla_run(
        "prepared_by", "`sla run` alone gives it (as SLA_AIRFLOW_USER, which this worker must know, too)."
    )
    return (told or "").strip() or triggered_by() or transform.SCHEDULE


def triggered_by() -> str | None:
    """The account that Airflow says triggered this run; None: an event did."""
    from airflow.sdk import get_current_context

    return get_current_context()["dag_run"].triggering_user_name or None


def _told_by_sla_run(name: str, instead: str) -> str | None:
    from airflow.sdk import get_current_context

    from slaledger import settings

    context = get_current_context()
    user, given = context["dag_run"].triggering_user_name, context["params"][name]
    if (given or "").strip() and user != settings.airflow_user():
        raise NotOursToSay(
            f"Airflow says that {user} triggered this run, and its parameter `{name}` says {given}: leave that empty. "
            f"{instead}"
        )
    return given


def label(text: str) -> None:
    """What a mapped task instance is called in Airflow's page."""
    from airflow.sdk import get_current_context

    get_current_context()["label"] = text


def skip(reason: str) -> None:
    """End this task as skipped, and what hangs on it."""
    from airflow.sdk.exceptions import AirflowSkipException

    raise AirflowSkipException(reason)


def requested_build() -> tuple[date, datetime, bool]:
    """(service month, as of, closing) of this run: its parameters, else the partition key and the run's own instant.

    The default as-of is fixed by the run, not by the task: a retry reckons as of the same instant.
    """
    from airflow.sdk import get_current_context

    from slaledger import months

    context = get_current_context()
    params, dag_run = context["params"], context["dag_run"]
    month = params["service_month"] or dag_run.partition_key
    if not month:
        raise months.BadMonth("The run names no service month: give the parameter `service_month`, 2026-03 say.")
    as_of = months.parse_instant(params["as_of"]) if params["as_of"] else dag_run.run_after
    return months.parse_month(month), as_of, bool(params["close"])
