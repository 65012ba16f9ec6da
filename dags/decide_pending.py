"""
# Decide what waits

Asks for everything that `sla pending` lists, one task instance each: held months, claims in review, decreases, feeds
over their quarantine limit. A person answers in Airflow's page (*Browse*, *Required Actions*): Approve or Reject, and
why. The answer is recorded with the name of the user who gave it, for good.

**When.** Triggered by hand. Nothing is decided by itself, and nothing else waits for this DAG.

**In.** `marts.*`, `billing.*` and `raw.source_objects`, as the months were last built. **Out.** `audit.decisions`; the
next closing run of the month acts on them (`sla run --close`).

**Who.** Any user who may edit this DAG (of the embedded stack's: `billing` and `admin`), but not who asked for the run
that prepared the figures, nor the account through which: that answer is refused, the task fails, and the thing still
waits. Goodwill is not asked for here: `sla goodwill` has it approved, and appended, in one step.

**Rerun.** Trigger it anew: only what still waits is asked. One run waits at a time; to ask again sooner, mark the
waiting run as failed, which decides nothing. Airflow shows a task that is cleared with what it showed first; an answer
on that counts as long as it says the same.

**When it fails.** A failed `decide` recorded nothing, and says why: `PreparerDecides`, answered by who prepared it;
`FiguresChanged`, the month was built anew with other figures since it was shown; `TextChanged`, the text would say
something else now; `NothingPending`, it no longer waits; `AlreadyDecided`, somebody decided otherwise; no answer within
three days. Trigger the DAG anew. See `docs/runbooks/approvals.md`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task

from slaledger import assets, steps
from slaledger.questions import AskForDecision
from slaledger.settings import DEFAULT_ARGS


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["sla", "tier:2"],
)
def decide_pending():
    @task(inlets=[assets.ACCOUNT_MONTHS, assets.CREDIT_LINE_ITEMS])
    @steps.reported
    def list_pending() -> list[dict[str, str]]:
        """List what waits, with the figures that a decision is bound to."""
        from slaledger import questions, settings

        return questions.questions(settings.load())

    AskForDecision.partial(
        task_id="decide",
        doc_md="Ask a person to approve or reject, and record it under their name.",
        map_index_template="{{ task.subject }}",
        response_timeout=timedelta(days=3),
        outlets=[assets.DECISIONS],
    ).expand(question=list_pending())


decide_pending()
