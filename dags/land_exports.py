"""
# Land exports

Moves what is new in the exports bucket into `raw.*`: monitoring, status page, notices, exclusions, tickets, accounts,
contracts, fees, claims, terms. Each object version is landed once, in one transaction; rows that cannot be used are
quarantined with their reason, and the counts of every object reconcile.

**When.** Hourly (`SLA_LANDING_SCHEDULE`; the embedded stack says `never`), and whenever `sla run` asks.

**In.** The bucket of connection `sla_exports`. **Out.** `raw.*`, and an event of the asset `landed_exports` for each
service month that the new objects speak of: `account_month` is then built for it.

**Parameters.** `announce`: whether to send these events. `sla run` sets it to false, because it starts the one build
that it wants itself.

**Order.** The catalog and all small feeds first, then checks: a check is judged by the catalog.

**Rerun.** Clear any task, or the whole run, as often as you like: a version that has landed is not landed again.

**When it fails.** `S3Unreachable`, `WarehouseUnreachable`: the service named does not answer; start it and clear the
task. A bad object never fails this DAG: it is in `raw.source_objects` with its reason. See `docs/runbooks/landing.md`.
"""

from __future__ import annotations

from airflow.sdk import CronTriggerTimetable, Param, dag, task

from slaledger import assets, steps
from slaledger.settings import DEFAULT_ARGS, landing_schedule

SCHEDULE = landing_schedule()


@dag(
    # Without a start date the first run is the next tick, not the last one before the start.
    schedule=CronTriggerTimetable(SCHEDULE, timezone="UTC") if SCHEDULE else None,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["sla", "tier:1"],
    params={"announce": Param(True, type="boolean", description="Have the months that it touches built.")},
)
def land_exports():
    @task(inlets=[assets.EXPORTS])
    @steps.reported
    def freeze_listing() -> list[list[str]]:
        """Freeze the bucket's listing and batch what is new, but for checks."""
        from slaledger import landing, settings, warehouse

        loaded = settings.load()
        warehouse.migrate(loaded.warehouse)
        landing.freeze_listing(loaded, run_id=steps.run_id())
        return landing.plan_batches(loaded, run_id=steps.run_id(), checks=False)

    @task(map_index_template="{{ label }}")
    @steps.reported
    def land_feeds(batch: list[str]) -> dict[str, int]:
        """Land a batch of objects of all feeds but checks."""
        return _land(batch)

    @task(trigger_rule="none_failed")
    @steps.reported
    def plan_checks() -> list[list[str]]:
        """Batch the check objects that are new, or that the catalog now judges differently."""
        from slaledger import landing, settings

        return landing.plan_batches(settings.load(), run_id=steps.run_id(), checks=True)

    @task(map_index_template="{{ label }}")
    @steps.reported
    def land_checks(batch: list[str]) -> dict[str, int]:
        """Land a batch of check objects, as streaks."""
        return _land(batch)

    @task(trigger_rule="none_failed")
    @steps.reported
    def settle() -> int:
        """Reduce check objects that overlap together, and publish the terms."""
        from slaledger import landing, settings, terms

        loaded = settings.load()
        settled = landing.settle_checks(loaded, run_id=steps.run_id())
        terms.publish(loaded)
        return settled

    @task(outlets=[assets.LANDED_EXPORTS])
    @steps.reported
    def announce_months(*, params: dict, outlet_events: dict):
        """Tell which service months the new objects speak of."""
        from slaledger import landing, settings

        months = landing.touched_months(settings.load(), run_id=steps.run_id())
        if not params["announce"] or not months:
            steps.skip("No month is to be built: nothing new, or the caller builds it itself.")
        outlet_events[assets.LANDED_EXPORTS].add_partitions(months)

    batches = freeze_listing()
    feeds = land_feeds.expand(batch=batches)
    check_batches = plan_checks()
    checks = land_checks.expand(batch=check_batches)
    feeds >> check_batches
    checks >> settle() >> announce_months()


def _land(batch: list[str]) -> dict[str, int]:
    from dataclasses import asdict

    from slaledger import landing, settings

    steps.label(f"{len(batch)} objects")
    return asdict(landing.land_batch(settings.load(), batch, run_id=steps.run_id()))


land_exports()
