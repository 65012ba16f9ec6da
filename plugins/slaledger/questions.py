"""Ask in Airflow's page what `sla pending` lists, and record the answer by Airflow's own word for who gave it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException

from slaledger import steps

if TYPE_CHECKING:
    from slaledger.settings import Settings

# Of one run: a page that nobody reads decides nothing. What is left waits for the next run.
MOST_ASKED = 200
REASON = "because"
# A hidden field of the form: an answer says itself which text it is an answer to, whatever Airflow has kept.
SHOWN = "shown"


def questions(settings: Settings, *, most: int | None = MOST_ASKED) -> list[dict[str, str]]:
    """What waits, each as `AskForDecision` takes it: its id, its digest, and the ids and figures that are shown."""
    from slaledger import approvals

    return [
        {
            "pending_id": item.pending_id,
            "subject_digest": item.subject_digest,
            "text": f"{_plain(item.description)}\n\nPrepared by {_plain(item.preparers)}, who cannot decide on it.",
        }
        for item in approvals.pending(settings)[:most]
    ]


class AskForDecision(ApprovalOperator):
    """Wait for a person's Approve or Reject with a reason, then record it. It ends as failed where it was refused.

    Airflow shows a task that is tried again what it showed first: an answer on what it does not say now is refused.
    """

    # Ids come from exports: they are shown, never rendered.
    template_fields = ()

    def __init__(self, *, question: Mapping[str, str], **kwargs: Any) -> None:
        # Airflow validates it before anybody was asked: an empty text has to be one.
        params = {
            REASON: Param("", type="string", title="Because", description="Why. It is kept for good."),
            SHOWN: Param(digest := shown(question), const=digest),
        }
        super().__init__(subject=question["pending_id"], body=question["text"], params=params, **kwargs)
        self.question = dict(question)

    @property
    def hitl_summary(self) -> dict[str, Any]:
        """Nothing: lineage would send on who answered and why. That is kept in `audit.decisions` alone."""
        return {}

    def execute(self, context: Any) -> str:
        """Ask, and wait without a process.

        Airflow believes a task lost that was answered before it noticed that the asking process had ended, and tries
        it again: it asks once more, unless the answer got through and nothing waits any longer.
        """
        if context["ti"].try_number > 1 and (said := _decided_meanwhile(self.question)):
            return said
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> str:
        """Record the answer; the sentence that says so."""
        answer = super().execute_complete(context, event)
        return _record(self.question, answer)

    def validate_params_input(self, params_input: Mapping) -> None:
        """Leave it to `decide`: an answer over the API is checked by nobody, and one without a reason is refused."""

    def process_trigger_event_error(self, event: dict[str, Any]) -> None:
        """Nobody answered in time."""
        raise AirflowFailException(
            f"{self.subject} was not answered in time ({event['error_type']}): nothing was decided, and it still waits."
        )


class TextChanged(Exception):
    """The answer is on another text than what would be shown now; the message says what to do."""

    is_final = True


def shown(question: Mapping[str, str]) -> str:
    """The digest of all that a question shows."""
    return hashlib.sha256("\0".join((question["pending_id"], question["text"])).encode()).hexdigest()


@steps.reported
def _decided_meanwhile(question: Mapping[str, str]) -> str | None:
    from slaledger import settings

    if _now(settings.load(), question):
        return None
    return f"{question['pending_id']} no longer waits with these figures."


def _now(settings: Settings, question: Mapping[str, str]) -> dict[str, str] | None:
    """What would be asked now of the same thing and figures; None: it no longer waits so."""
    same = ("pending_id", "subject_digest")
    found = [each for each in questions(settings, most=None) if all(each[name] == question[name] for name in same)]
    return found[0] if found else None


@steps.reported
def _record(question: Mapping[str, str], answer: Mapping[str, Any]) -> str:
    from slaledger import approvals, settings
    from slaledger.decisions import AIRFLOW

    loaded = settings.load()
    user, reason = answer["responded_by_user"], answer["params_input"].get(REASON)
    # What waits no longer, or with other figures, `decide` tells.
    if answer["params_input"].get(SHOWN) != shown(_now(loaded, question) or question):
        raise TextChanged(
            f"The answer is not on what {question['pending_id']} says now: nothing was recorded. Trigger "
            "`decide_pending` anew, which shows it."
        )
    decided = approvals.decide(
        loaded,
        question["pending_id"],
        is_approved=answer["chosen_options"] == [ApprovalOperator.APPROVE],
        by=user["name"] if user else "",
        because=reason if isinstance(reason, str) else "",
        via=AIRFLOW,
        subject_digest=question["subject_digest"],
    )
    return str(decided)


def _plain(text: str) -> str:
    """The text as Markdown that shows just this text: no link, no image, no markup."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))
