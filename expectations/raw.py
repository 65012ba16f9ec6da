"""The border before dbt: whether what landed is enough, and clear enough, to reckon the month from."""

from __future__ import annotations

from expectations.expectation import CRITICAL, CRITICAL_ON_CLOSING, WARNING, Expectation

EMPTY_BUCKET = "Where nothing has landed from the bucket there is no object to judge; `bucket_has_exports` warns of it."
NO_CHECKS = "Availability may rest on the status page alone (rule D2): nothing is monitored then."
NO_CONTRACTS = "A month may have no contract; `month_has_contracts` warns of it, and no line comes of it."

EXPECTATIONS = (
    Expectation(
        name="standard_terms_are_published",
        severity=CRITICAL,
        table="raw.terms_versions",
        why="The three standard terms are always present (rule T1); without them every contract would be blocked.",
        remedy="Run `sla run` again: it publishes the terms. If they are still missing, `terms/` is incomplete.",
    ),
    Expectation(
        name="event_feeds_and_fees_reach_the_end_of_the_month",
        severity=CRITICAL_ON_CLOSING,
        table="raw.source_objects",
        why="A month is closed only when each of these feeds was exported after the month's end (rule L5): an "
        "export that stops earlier cannot tell what happened in the rest of the month.",
        remedy="Export the feed again, at or after the instant named, and run the month again.",
    ),
    Expectation(
        name="quarantined_shares_are_within_the_limit",
        severity=CRITICAL_ON_CLOSING,
        table="raw.source_objects",
        why="Past SLA_QUARANTINE_LIMIT percent of a feed's rows set aside, what is left says too little to bill on.",
        remedy="See raw.quarantined_rows for the reasons and mend the exports, or approve what `sla pending` lists.",
        may_be_empty=EMPTY_BUCKET,
        only_with="landed_rows_match_the_counts_of_their_objects",
    ),
    Expectation(
        name="components_of_incidents_are_mapped",
        severity=CRITICAL,
        table="raw.incidents",
        why="A component that the catalog does not map is never taken for one that is not covered (rule S4).",
        remedy="Add the component to `catalog/components/`, with its service and region, and run again.",
        may_be_empty="A month may have no incident that names a component.",
    ),
    Expectation(
        name="components_of_notices_are_mapped",
        severity=CRITICAL,
        table="raw.notices",
        why="A window announced for a component that the catalog does not map would silently cover nothing (S4).",
        remedy="Add the component to `catalog/components/`, with its service and region, and run again.",
        may_be_empty="A month may have no maintenance that was announced.",
    ),
    Expectation(
        name="terms_documents_pass_the_lint",
        severity=CRITICAL,
        table="raw.quarantined_rows",
        why="A contract under rejected terms would be judged by other terms than those agreed (rule T4).",
        remedy="Mend the document at the line named, until `sla terms lint` passes it, and upload it again.",
        may_be_empty="Without custom terms no document lands: the standard three ship with the project.",
    ),
    Expectation(
        name="overlapping_checks_are_settled",
        severity=CRITICAL,
        table="raw.check_spans",
        why="Checks of objects whose times overlap must be reduced together, or their order would matter (rule M6).",
        remedy="Clear the task `settle` of `land_exports`, or run `sla run` again.",
        may_be_empty=NO_CHECKS,
    ),
    Expectation(
        name="checks_are_judged_by_the_catalog_in_force",
        severity=CRITICAL,
        table="raw.check_spans",
        why="A monitor that is new, gone or stale sooner changes what its checks say (rules M2, M7).",
        remedy="The catalog landed while the month was being built: run `sla run` again.",
        may_be_empty=NO_CHECKS,
    ),
    Expectation(
        name="landed_rows_match_the_counts_of_their_objects",
        severity=CRITICAL,
        table="raw.source_objects",
        why="Every row read is loaded, a duplicate or quarantined: a row that is none of them was lost.",
        remedy="Something else wrote to `raw`. Upload the object again, as it was: see docs/runbooks/landing.md.",
        may_be_empty=EMPTY_BUCKET,
    ),
    Expectation(
        name="bucket_has_exports",
        severity=WARNING,
        table="raw.source_objects",
        why="Without any export there is nothing to account for.",
        remedy="Check the bucket's name (SLA_BUCKET), and upload exports with `sla put DIR`.",
    ),
    Expectation(
        name="month_has_contracts",
        severity=WARNING,
        table="raw.contracts",
        why="Without a contract that is active in the month, it has no account-months.",
        remedy="Check the month, and the exports below `accounts/contracts/`.",
    ),
    Expectation(
        name="feeds_have_objects",
        severity=WARNING,
        table="raw.source_objects",
        why="A feed without any object is taken for one that says nothing; it may be one that was forgotten.",
        remedy="Export the feed, if there is one: an export of no rows says so too.",
    ),
    Expectation(
        name="objects_are_readable",
        severity=WARNING,
        table="raw.source_objects",
        why="An object quarantined whole contributes nothing.",
        remedy="See its reason in raw.source_objects, and export it again under the same key.",
        may_be_empty=EMPTY_BUCKET,
        only_with="landed_rows_match_the_counts_of_their_objects",
    ),
    Expectation(
        name="rows_are_usable",
        severity=WARNING,
        table="raw.quarantined_rows",
        why="A quarantined row contributes nothing.",
        remedy="See the reasons in raw.quarantined_rows, mend them at the source, and upload the object again. In JSON "
        "and Parquet the line of a row is its place among the object's rows.",
        may_be_empty=EMPTY_BUCKET,
        only_with="landed_rows_match_the_counts_of_their_objects",
    ),
    Expectation(
        name="checks_have_known_monitors",
        severity=WARNING,
        table="raw.quarantined_rows",
        why="Checks of a monitor or location that the catalog does not know do not count (rule M7).",
        remedy="Add it to `catalog/monitors/`: the checks are judged again in the next run.",
        may_be_empty=NO_CHECKS,
    ),
    Expectation(
        name="objects_in_force_are_not_deleted",
        severity=WARNING,
        table="raw.source_objects",
        why="The last version of a deleted key stays in force.",
        remedy="To take its rows back, put an object of no rows under the key.",
        may_be_empty=EMPTY_BUCKET,
        only_with="landed_rows_match_the_counts_of_their_objects",
    ),
    Expectation(
        name="fees_have_contracts",
        severity=WARNING,
        table="raw.fees",
        why="A fee of a contract that is not known may be one whose contract is missing.",
        remedy="Check the contract id, and the exports below `accounts/contracts/`.",
        may_be_empty="Best-effort contracts need no fee (rule U4).",
    ),
    Expectation(
        name="contracts_have_accounts",
        severity=WARNING,
        table="raw.contracts",
        why="Claims cannot name an account that is not known, and whether it is a sandbox is not known either.",
        remedy="Check the account id, and the exports below `accounts/accounts/`.",
        may_be_empty=NO_CONTRACTS,
    ),
    Expectation(
        name="contracts_have_regions_and_services_of_the_catalog",
        severity=WARNING,
        table="raw.contracts",
        why="A region or service without monitor and component is up, whatever happens (rule M5).",
        remedy="Check the contract's spelling, and the catalog.",
        may_be_empty=NO_CONTRACTS,
        only_with="contracts_have_accounts",
    ),
)
