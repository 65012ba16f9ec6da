"""
# Account a service month

Builds one service month as of one instant, from what has landed to the ledger: gate on what came in, dbt models, gate
on what came out, statements and credit line items, tests of the ledger, billing drop. Rows of other months are not
touched.

**When.** For each month that a landing touched (the partition key of `landed_exports`), and when `sla run` asks.

**Parameters.** `service_month`: `2026-03`. `as_of`: `2026-04-15T00:00:00Z`; default: the instant of this run.
`close`: whether to close the month, that is, to write statements and credit line items.

Who triggers it is on record as who prepared the figures, and cannot decide on them; of `sla run`, neither can who typed
it nor the account that it logs in as.

**In.** `raw.*`. **Out.** `marts.*` for the month; on closing `billing.*` and the billing drop in the bucket.

**Rerun.** Clear any task, or the whole run: the marts of the month are replaced, and the ledger appends only what is
still owed. Once other exports have landed, or another run has opened the month, a cleared run is refused
(`BuildMismatch`): trigger one of your own. Marking a task as success does not help: posting asks for the validation of
exactly these figures.

**When it fails.** `GateFailed` names the expectations and the rows: mend the input, or decide with `sla approve`, and
run again. `TransformFailed` names the model. See `docs/runbooks/gates.md`. `LedgerDoesNotAddUp` names contract and
month: nothing was delivered. See `docs/runbooks/ledger.md`.
"""

from __future__ import annotations

from airflow.sdk import Param, PartitionedAssetTimetable, dag, task

from slaledger import assets, steps
from slaledger.months import INSTANT_PATTERN, MONTH_PATTERN
from slaledger.settings import DEFAULT_ARGS, WRITER_POOL


@dag(
    schedule=PartitionedAssetTimetable(assets=assets.LANDED_EXPORTS),
    catchup=False,
    max_active_runs=1,
    default_args={**DEFAULT_ARGS, "pool": WRITER_POOL},
    doc_md=__doc__,
    tags=["sla", "tier:1"],
    params={
        "service_month": Param(
            None, type=["null", "string"], pattern=MONTH_PATTERN, description="YYYY-MM; default: the partition key."
        ),
        "as_of": Param(
            None, type=["null", "string"], pattern=INSTANT_PATTERN, description="Default: the instant of the run."
        ),
        "quarantine_limit": Param(
            None, type=["null", "string"], description="Of `sla run` alone: its SLA_QUARANTINE_LIMIT."
        ),
        "prepared_by": Param(
            None, type=["null", "string"], description="Who typed `sla run`, which gives it; by hand: leave it empty."
        ),
        "close": Param(False, type="boolean", description="Write statements and credit line items."),
    },
)
def account_month():
    @task(inlets=[assets.LANDED_EXPORTS])
    @steps.reported
    def open_build():
        """Fix the month and the instant that everything below is reckoned for."""
        from slaledger import settings, transform

        month, as_of, is_closing = steps.requested_build()
        transform.open_build(
            settings.load(),
            run_id=steps.run_id(),
            service_month=month,
            as_of=as_of,
            is_closing=is_closing,
            prepared_by=steps.prepared_by(),
            triggered_by=steps.triggered_by(),
        )

    @task(outlets=[assets.VALIDATIONS])
    @steps.reported
    def validate_raw():
        """The gate before the models."""
        from slaledger import gates, settings

        gates.run_gate(settings.load(quarantine_limit=steps.quarantine_limit()), "raw", run_id=steps.run_id())

    @task(inlets=[assets.LANDED_EXPORTS], outlets=[assets.ACCOUNT_MONTHS])
    @steps.reported
    def build_models():
        """Stage, intermediate and marts, in one dbt start."""
        from slaledger import settings, transform

        transform.build_models(settings.load(), run_id=steps.run_id())

    @task(inlets=[assets.ACCOUNT_MONTHS], outlets=[assets.VALIDATIONS])
    @steps.reported
    def validate_marts():
        """The gate after the models: its record is what posting asks for."""
        from slaledger import gates, settings

        gates.run_gate(settings.load(), "marts", run_id=steps.run_id())

    @task(inlets=[assets.ACCOUNT_MONTHS, assets.VALIDATIONS], outlets=[assets.CREDIT_LINE_ITEMS])
    @steps.reported
    def post_ledger():
        """Append statements and what is owed beyond the lines there are."""
        from slaledger import ledger, settings

        if not steps.requested_build()[2]:
            steps.skip("The month is not to be closed: nothing is posted.")
        loaded = settings.load()
        with ledger.anchored(loaded):
            ledger.post_month(loaded, run_id=steps.run_id())

    @task(inlets=[assets.ACCOUNT_MONTHS, assets.CREDIT_LINE_ITEMS])
    @steps.reported
    def test_ledger():
        """Hold all lines to what is owed, before any of them goes out."""
        from slaledger import settings, transform

        transform.test_ledger(settings.load(), run_id=steps.run_id())

    @task(inlets=[assets.CREDIT_LINE_ITEMS], outlets=[assets.BILLING_DROP])
    @steps.reported
    def deliver_drop() -> list[str]:
        """Write the lines of this run, and of earlier runs that did not get to it, into the billing drop."""
        from slaledger import delivery, settings

        return delivery.deliver(settings.load(), run_id=steps.run_id())

    before = open_build() >> validate_raw() >> build_models() >> validate_marts()
    before >> post_ledger() >> test_ledger() >> deliver_drop()


account_month()
