"""Account-months as dbt would leave them in the marts, for tests about what the ledger makes of them."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

from slaledger import ledger
from slaledger.gates.committed import committed
from slaledger.gates.quarantine import LIMIT_SETTING
from slaledger.settings import Settings
from slaledger.warehouse import connect

MARCH = date(2026, 3, 1)
AS_OF = datetime(2026, 4, 20, 12, tzinfo=UTC)


def new_ledger(settings: Settings) -> None:
    """Another ledger than the one that this database was copied from: anchors are told apart by its id."""
    with connect(settings.warehouse) as connection:
        connection.execute("alter table billing.ledger disable trigger all")
        connection.execute("update billing.ledger set ledger_id = gen_random_uuid()")
        connection.execute("alter table billing.ledger enable trigger all")
        connection.execute("alter table billing.ledger enable always trigger ledger_append_only")


@dataclass
class AccountMonth:
    """One contract's month: 31 days in UTC unless told otherwise."""

    contract_id: str = "K-1"
    counted_seconds: Decimal = Decimal("13392")  # 0.5 % of 31 days: uptime 99.5
    uptime_percent: Decimal | None = Decimal("99.5")
    status: str = "measured"
    reason: str | None = None
    credit_percent: Decimal | None = Decimal(5)
    monthly_fee: Decimal | None = Decimal("1000.00")
    currency: str | None = "USD"
    amount: Decimal | None = Decimal("50.00")
    credit_status: str = "owed"
    credit_reason: str = "claim_accepted"
    claim_id: str | None = "CL-1"
    basis: str = "availability"
    account_id: str = "A-1"
    terms_id: str = "klink-enterprise"
    held_digest: str | None = None
    segments: list[tuple] = field(default_factory=list)  # started_at, ended_at, kind, services, categories, sources


def publish_terms(settings: Settings, *, terms_id: str = "klink-enterprise", time_zone: str = "UTC") -> None:
    """The terms that the account-months name."""
    with connect(settings.warehouse) as connection:
        connection.execute(
            """
            insert into raw.terms_versions (
                terms_id, terms_version, effective_from, inherited, landed_late, plan, is_guaranteed, time_zone,
                commitment_percent, core_services, down_when, evidence, degraded_counts, partial_outage_counts,
                minimum_outage_seconds, excluded_time, thresholds_from, exclusion_categories, notice_seconds,
                notice_channels, credit_tiers, claims_required, claims_within_days, claims_must_include,
                counted_reply, calendar_id, calendar_time_zone, response_targets, response_credits, document
            ) values (
                %s, '2026-01', '2026-01-01T00:00Z', '{}', false, 'enterprise', true, %s, 99.9, '{dashboard}', 'any',
                'either', false, false, 0, 'as_uptime', 'period_start', '{}', 172800, '{email}',
                '[{"below": "99.9", "percent": "5"}, {"below": "99.0", "percent": "10"}]', true, 10, '{}', 'human',
                'none', 'UTC', '{}', '[]', '{}'
            )
            """,
            (terms_id, time_zone),
        )


def build(
    settings: Settings,
    *account_months: AccountMonth,
    service_month: date = MARCH,
    as_of: datetime = AS_OF,
    is_closing: bool = True,
    prepared_by: str = "schedule",
    triggered_by: str | None = None,
) -> str:
    """Replace the month's marts, as a run of dbt would; the run's id. Nothing is validated yet."""
    run_id = f"run-{uuid.uuid4()}"
    with connect(settings.warehouse) as connection:
        connection.execute(
            """
            insert into audit.builds (
                run_id, service_month, as_of, is_closing, code_version, tzdata_version, prepared_by, triggered_by,
                models_started_at, models_built_at
            ) values (%s, %s, %s, %s, '1.0+test', '2026a', %s, %s, clock_timestamp(), clock_timestamp())
            """,
            (run_id, service_month, as_of, is_closing, prepared_by, triggered_by),
        )
        connection.execute(
            """
            insert into audit.current_build (run_id, service_month, as_of) values (%s, %s, %s)
            on conflict (is_current) do update set run_id = excluded.run_id,
                service_month = excluded.service_month, as_of = excluded.as_of
            """,
            (run_id, service_month, as_of),
        )
        for mart in ("fct_account_months", "fct_account_downtime", "fct_claims", "fct_credits"):
            connection.execute(f"delete from marts.{mart} where service_month = %s", (service_month,))
        seen = set()
        for month in account_months:
            if month.contract_id not in seen:
                _insert_account_month(connection, month, service_month)
                seen.add(month.contract_id)
            connection.execute(
                """
                insert into marts.fct_credits (
                    account_id, contract_id, service_month, basis, credit_percent, monthly_fee, currency, amount,
                    status, reason, claim_id
                ) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                """,
                (
                    month.account_id, month.contract_id, service_month, month.basis, month.credit_percent,
                    month.monthly_fee, month.currency, month.amount, month.credit_status, month.credit_reason,
                    month.claim_id,
                ),
            )  # fmt: skip
    return run_id


def _insert_account_month(connection, month: AccountMonth, service_month: date) -> None:
    connection.execute(
        """
        insert into marts.fct_account_months (
            account_id, contract_id, service_month, terms_id, terms_version, guaranteed, measured_from,
            measured_until, measured_seconds, counted_seconds, excluded_seconds, unknown_seconds, uptime_percent,
            uptime_percent_low, uptime_percent_alternative, outcome_sensitive, commitment_percent, met, status,
            reason, held_digest
        ) values (
            %(account_id)s, %(contract_id)s, %(service_month)s, %(terms_id)s, '2026-01', true,
            %(service_month)s::timestamp at time zone 'UTC',
            (%(service_month)s + interval '1 month') at time zone 'UTC',
            2678400, %(counted_seconds)s, 0, 0, %(uptime_percent)s, %(uptime_percent)s, %(uptime_percent)s, false,
            99.9, %(uptime_percent)s >= 99.9, %(status)s, %(reason)s, %(held_digest)s
        )
        """,
        {**vars(month), "service_month": service_month},
    )
    for segment in month.segments:
        connection.execute(
            """
            insert into marts.fct_account_downtime (
                contract_id, service_month, started_at, ended_at, kind, services, categories, source_ids
            ) values (%s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (month.contract_id, service_month, *segment),
        )


def validate(settings: Settings, run_id: str, *, is_success: bool = True, gates: tuple = ("raw", "marts")) -> None:
    """What the gates leave, with dbt between them: all of the committed list evaluated, and holding or not."""
    digests = {"raw": ledger.inputs_sha256, "marts": ledger.candidate_sha256}
    for gate in gates:
        with connect(settings.warehouse, role="sla_validator") as connection:
            ((is_closing,),) = connection.execute("select is_closing from audit.builds where run_id = %s", (run_id,))
            entries = [
                {
                    "name": each.name,
                    "severity": each.severity_of(is_closing=is_closing),
                    "is_evaluated": True,
                    "is_success": is_success,
                    "evaluated_rows": 1,
                    "unexpected": int(not is_success),
                    "detail": "",
                }
                for each in committed().GATES[gate]
            ]
            connection.execute("select set_config(%s, '100', true)", (LIMIT_SETTING,))
            connection.execute(
                """
                insert into audit.validations (
                    validation_id, run_id, gate, service_month, as_of, candidate_sha256, is_success, expectations
                )
                select %s, run_id, %s, service_month, as_of, %s, %s, %s from audit.builds where run_id = %s
                """,
                (uuid.uuid4(), gate, digests[gate](connection), is_success, json.dumps(entries), run_id),
            )
        if gate == "raw":
            with connect(settings.warehouse) as connection:
                connection.execute(
                    "update audit.builds set models_built_at = clock_timestamp() where run_id = %s", (run_id,)
                )


def close(settings: Settings, *account_months: AccountMonth, **when: object) -> ledger.PostResult:
    """Build, validate and post."""
    run_id = build(settings, *account_months, **when)
    validate(settings, run_id)
    return ledger.post_month(settings, run_id=run_id)


def rows(settings: Settings, query: str, *parameters: object) -> list[tuple]:
    """What a query finds."""
    with connect(settings.warehouse) as connection:
        return connection.execute(query, parameters).fetchall()


def lines(settings: Settings) -> list[tuple]:
    """(contract, entry type, amount, currency) of every line, in the order of the chain."""
    return rows(
        settings,
        "select contract_id, entry_type, amount, currency from billing.credit_line_items order by chain_position",
    )
