"""Ask in Airflow's page what `sla pending` lists, and record the answer by Airflow's own word for who gave it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput

from slaledger import steps

if TYPE_CHECKING:
    from slaledger.settings import Settings

# Of one run: a page that nobody reads decides nothing. What is left waits for the next run.
MOST_ASKED = 200
REASON = "because"


def questions(settings: Settings) -> list[dict[str, str]]:
    """What waits, each as `AskForDecision` takes it: its id, its digest, and the ids and figures that are shown."""
    from slaledger import approvals

    return [
        {
            "pending_id": item.pending_id,
            "subject_digest": item.subject_digest,
            "text": f"{_plain(item.description)}\n\nPrepared by {_plain(item.prepared_by)}, who cannot decide on it.",
        }
        for item in approvals.pending(settings)[:MOST_ASKED]
    ]


class AskForDecision(ApprovalOperator):
    """Wait for a person's Approve or Reject with a reason, then record it. It ends as failed where it was refused.

    It asks once: Airflow shows a task that is tried again what it showed first, whatever waits by then.
    """

    # Ids come from exports: they are shown, never rendered.
    template_fields = ()

    def __init__(self, *, question: Mapping[str, str], **kwargs: Any) -> None:
        # Airflow validates it before anybody was asked: an empty text has to be one.
        reason = Param("", type="string", title="Because", description="Why. It is kept for good.")
        super().__init__(subject=question["pending_id"], body=question["text"], params={REASON: reason}, **kwargs)
        self.question = dict(question)

    @property
    def hitl_summary(self) -> dict[str, Any]:
        """Nothing: lineage would send on who answered and why. That is kept in `audit.decisions` alone."""
        return {}

    def execute(self, context: Any) -> str:
        """Ask, and wait without a process; what was shown is kept with the waiting task."""
        if context["ti"].try_number > 1:
            return _not_again(self.question)
        try:
            super().execute(context)
        except TaskAwaitingInput as waiting:
            raise TaskAwaitingInput(
                method_name=waiting.method_name, kwargs={"shown": self.question}, timeout=waiting.timeout
            ) from None
        raise AssertionError("Airflow's operator did not wait")

    def execute_complete(self, context: Any, event: dict[str, Any], shown: dict[str, str]) -> str:
        """Record the answer on what was shown; the sentence that says so."""
        answer = super().execute_complete(context, event)
        return _record(shown, answer)

    def validate_params_input(self, params_input: Mapping) -> None:
        """Leave it to `decide`: an answer over the API is checked by nobody, and one without a reason is refused."""

    def process_trigger_event_error(self, event: dict[str, Any]) -> None:
        """Nobody answered in time."""
        raise AirflowFailException(
            f"{self.subject} was not answered in time ({event['error_type']}): nothing was decided, and it still waits."
        )


class AskedBefore(Exception):
    """A task that asked already was cleared, or its worker was lost; the message says what to do."""

    is_final = True


@steps.reported
def _not_again(question: Mapping[str, str]) -> str:
    from slaledger import settings

    if dict(question) in questions(settings.load()):
        raise AskedBefore(f"{question['pending_id']} was asked before, and still waits: trigger `decide_pending` anew.")
    return f"{question['pending_id']} no longer waits with these figures."


@steps.reported
def _record(shown: Mapping[str, str], answer: Mapping[str, Any]) -> str:
    from slaledger import approvals, settings
    from slaledger.decisions import AIRFLOW

    user, reason = answer["responded_by_user"], answer["params_input"].get(REASON)
    decided = approvals.decide(
        settings.load(),
        shown["pending_id"],
        is_approved=answer["chosen_options"] == [ApprovalOperator.APPROVE],
        by=user["name"] if user else "",
        because=reason if isinstance(reason, str) else "",
        via=AIRFLOW,
        subject_digest=shown["subject_digest"],
    )
    return str(decided)


def _plain(text: str) -> str:
    """The text as Markdown that shows just this text: no link, no image, no markup."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))
