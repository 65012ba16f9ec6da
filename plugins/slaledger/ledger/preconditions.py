"""When a month may be closed (rule L5): the build, the calendar and the gates, asked of the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from psycopg.rows import class_row

from slaledger.ledger.candidate import candidate_sha256, inputs_sha256
from slaledger.ledger.canonical import month_text


class PostingRefused(Exception):
    """The month cannot be closed now; the message says why and what to do. Nothing was written."""

    is_final = True
    exit_code = 1


class NotCurrentBuild(PostingRefused):
    """Another run's build is the current one."""


class NotClosing(PostingRefused):
    """The run was not asked to close the month."""


class MonthNotOver(PostingRefused):
    """The month had not ended in every contract's zone at the as-of time (rule L5)."""

    exit_code = 2


class NotValidated(PostingRefused):
    """No successful validation of this very candidate."""

    is_validation = True
    exit_code = 3


@dataclass(frozen=True)
class Build:
    """The run's build, and the instant at which it is posted."""

    run_id: str
    service_month: date
    as_of: datetime
    is_closing: bool
    code_version: str
    tzdata_version: str
    prepared_by: str
    recorded_at: datetime


def read_build(connection: psycopg.Connection, run_id: str) -> Build:
    """The run's build, which `chain.hold_ledger` keeps the current one until the transaction ends.

    Raises `NotCurrentBuild` or `NotClosing`.
    """
    current = connection.execute("select run_id, service_month from audit.current_build").fetchone()
    if current is None or current[0] != run_id:
        other = (
            "there is none" if current is None else f"the current one is {current[0]}'s, of {month_text(current[1])}"
        )
        raise NotCurrentBuild(f"The build of run {run_id} is not the current one ({other}): run the month again.")
    with connection.cursor(row_factory=class_row(Build)) as cursor:
        build = cursor.execute(
            """
            select run_id, service_month, as_of, is_closing, code_version, tzdata_version, prepared_by,
                clock_timestamp() as recorded_at
            from audit.builds where run_id = %s
            """,
            (run_id,),
        ).fetchone()
    if not build.is_closing:
        raise NotClosing(
            f"Run {run_id} builds {month_text(build.service_month)} without closing it: run it with --close."
        )
    return build


def require_month_over(connection: psycopg.Connection, build: Build) -> None:
    """The month has ended at the as-of time in every contract's zone (rule L5); in UTC where there is none.

    Raises `MonthNotOver` naming contracts.
    """
    is_over = connection.execute(
        "select (%s + interval '1 month') at time zone 'UTC' <= %s", (build.service_month, build.as_of)
    ).fetchone()[0]
    open_contracts = connection.execute(
        """
        select account_months.contract_id
        from marts.fct_account_months as account_months
        left join lateral (
            select min(versions.time_zone) as time_zone
            from raw.terms_versions as versions
            where versions.terms_id = account_months.terms_id
        ) as zones on true
        where
            account_months.service_month = %(service_month)s
            and (
                account_months.status = 'provisional'
                or raw.start_of_day(
                    (%(service_month)s + interval '1 month')::date, coalesce(zones.time_zone, 'UTC')
                ) > %(as_of)s
            )
        order by account_months.contract_id collate "C"
        """,
        {"service_month": build.service_month, "as_of": build.as_of},
    ).fetchall()
    rows = connection.execute(
        "select exists (select from marts.fct_account_months where service_month = %s)", (build.service_month,)
    ).fetchone()[0]
    if open_contracts or not (rows or is_over):
        who = _some([row[0] for row in open_contracts]) or "UTC"
        raise MonthNotOver(
            f"{month_text(build.service_month)} is not over as of {build.as_of.isoformat()} for {who}: "
            "close it with an --as-of after its end."
        )


def require_validated(connection: psycopg.Connection, build: Build) -> None:
    """The last record of each gate in this run says that all of the committed list holds, of these very figures.

    Each expectation was evaluated, and on rows where it must have some; dbt built the models between the two gates.
    Raises `NotValidated`.
    """
    _require_committed_list(connection)
    records = {
        gate: record
        for gate, *record in connection.execute(
            """
            select distinct on (validations.gate) validations.gate, validations.is_success,
                validations.candidate_sha256, array(select gate.objections(validations))
            from audit.validations
            where run_id = %s and service_month = %s and as_of = %s
            order by validations.gate, validations.validation_number desc
            """,
            (build.run_id, build.service_month, build.as_of),
        )
    }
    for gate in ("raw", "marts"):
        if gate not in records:
            raise NotValidated(
                f"Run {build.run_id} has no validation of the {gate} gate for {month_text(build.service_month)} as of "
                f"{build.as_of.isoformat()}: run the month again."
            )
        is_success, _, objections = records[gate]
        if not is_success or objections:
            raise NotValidated(
                f"The {gate} gate of run {build.run_id} "
                f"{'left a record that does not count' if is_success else 'failed'}: "
                f"{_some(objections) or 'its record says so'}. `audit.validations` and the Data Docs name the "
                "expectations; run the month again when they hold."
            )
    if records["raw"][1] != inputs_sha256(connection):
        raise NotValidated(
            f"Other terms or exports are in force than run {build.run_id} validated: a landing came between. "
            "Run the month again."
        )
    if records["marts"][1] != candidate_sha256(connection):
        raise NotValidated(
            f"The marts of {month_text(build.service_month)} are not those that run {build.run_id} validated: "
            "they were built again since. Run the month again."
        )


def _require_committed_list(connection: psycopg.Connection) -> None:
    """The database, which judges the records, demands what this code's `expectations/` list; else `NotValidated`."""
    from slaledger.gates.committed import committed

    demanded = set(connection.execute("select gate, name, severity, may_be_empty, only_with from gate.expectations"))
    listed = {
        (gate, each.name, each.severity, bool(each.may_be_empty), each.only_with or None)
        for gate, expectations in committed().GATES.items()
        for each in expectations
    }
    if listed != demanded:
        names = sorted({f"{entry[0]}.{entry[1]}" for entry in listed ^ demanded})
        raise NotValidated(
            f"`expectations/` and the database's gate.expectations differ in {_some(names)}: code and migrations are "
            "not of one version. Deploy them together, and run the month again."
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
