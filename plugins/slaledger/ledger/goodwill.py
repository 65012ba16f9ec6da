"""Goodwill: lines by a named person, apart from what the SLA owes (rule L4)."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import psycopg
from psycopg.rows import dict_row

from slaledger.decisions import PreparerDecides, record_goodwill
from slaledger.ledger.canonical import digest, idempotency_key, line_item_id, month_text
from slaledger.ledger.chain import Draft, Line, append, hold_ledger, read_line
from slaledger.ledger.postings import Origin, insert_posting, last_posting, seal, told_by_name
from slaledger.settings import Settings, code_version, tzdata_version
from slaledger.warehouse import connect
from slaledger.zones import require_recorded_zones

BASIS = "goodwill"
_BASIS_OF = """
select
    due.*,
    recorded.recorded_at,
    %(amount)s::numeric = round(%(amount)s::numeric, due.minor_units) as is_exact,
    round(%(amount)s::numeric, due.minor_units) as amount
from (select greatest(clock_timestamp(), %(last_recorded_at)s) as recorded_at) as recorded
cross join lateral billing.goodwill_due(%(contract_id)s, %(service_month)s, recorded.recorded_at) as due
"""


class GoodwillRefused(Exception):
    """The goodwill cannot be given so; the message says why."""

    is_final = True
    exit_code = 2


def append_goodwill(
    settings: Settings,
    *,
    contract_id: str,
    service_month: date,
    amount: str,
    by: str,
    because: str,
    prepared_by: str,
) -> tuple[Line, bool]:
    """The goodwill line, and whether this call appended it; its approval is recorded in the same transaction.

    `by` approves what `prepared_by` asks for. Raises `GoodwillRefused`, `PreparerDecides` or `zones.ZonesDiffer`.
    """
    month = month_text(service_month)
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", amount, re.ASCII) or not re.search("[1-9]", amount):
        raise GoodwillRefused(f"{amount!r} is no positive amount: write it in plain digits, 25.00 say.")
    with told_by_name(), connect(settings.warehouse, role="sla_goodwill") as connection:
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        hold_ledger(connection)
        last = last_posting(connection)
        with connection.cursor(row_factory=dict_row) as cursor:
            basis = cursor.execute(
                _BASIS_OF,
                {
                    "contract_id": contract_id,
                    "service_month": service_month,
                    "amount": amount,
                    # Clocks may go back; the books do not.
                    "last_recorded_at": last.recorded_at if last else None,
                },
            ).fetchone()
        if basis is None:
            raise GoodwillRefused(
                f"Contract {contract_id} has no statement for {month}: close the month first "
                f"(`sla run --month {month} --close`)."
            )
        if basis["minor_units"] is None:
            raise GoodwillRefused(
                f"Contract {contract_id} had no fee in a known currency when {month} was closed "
                f"({basis['currency'] or 'none'}): give it for a month that has one."
            )
        if not basis["is_exact"]:
            raise GoodwillRefused(f"{amount} {basis['currency']} has more than {basis['minor_units']} decimals.")
        earlier = connection.execute(
            """
            select line_item_id, amount = %s and currency = %s and reason = %s
                and audit.person(approved_by) = audit.person(%s)
            from billing.credit_line_items
            where contract_id = %s and service_month = %s and basis = %s
            """,
            (basis["amount"], basis["currency"], because, by, contract_id, service_month, BASIS),
        ).fetchall()
        for item_id, is_same in earlier:
            if is_same:
                return read_line(connection, item_id), False
        require_recorded_zones(connection, service_month=service_month, as_of=basis["recorded_at"])
        ordinal = len(earlier) + 1
        key = idempotency_key(contract_id, service_month=service_month, basis=BASIS, ordinal=ordinal)
        _approve(connection, key, basis, by=by, because=because, prepared_by=prepared_by)
        origin = Origin(
            kind="goodwill",
            # No run of Airflow's made it.
            run_id=f"goodwill-{line_item_id(key)}",
            service_month=service_month,
            prepared_by=prepared_by,
            code_version=code_version(),
            tzdata_version=tzdata_version(),
            recorded_at=basis["recorded_at"],
        )
        draft = Draft(
            entry_type="goodwill",
            basis=BASIS,
            ordinal=ordinal,
            account_id=basis["account_id"],
            contract_id=contract_id,
            service_month=service_month,
            amount=basis["amount"],
            currency=basis["currency"],
            credit_percent=None,
            monthly_fee=basis["monthly_fee"],
            uptime_percent=basis["uptime_percent"],
            counted_seconds=basis["counted_seconds"],
            terms_id=basis["terms_id"],
            terms_version=basis["terms_version"],
            claim_id=None,
            statement_id=basis["statement_id"],
            applies_from=basis["applies_from"],
            corrects_line_item_id=None,
            reason=because,
            approved_by=by,
            evidence_sha256=basis["evidence_sha256"],
            run_id=origin.run_id,
            code_version=origin.code_version,
            tzdata_version=origin.tzdata_version,
        )
        (line,) = append(connection, [draft], recorded_at=basis["recorded_at"])
        insert_posting(connection, seal(connection, last, origin, lines=[line], statement_hashes=[]))
        return line, True


def _approve(
    connection: psycopg.Connection, key: str, basis: dict[str, Any], *, by: str, because: str, prepared_by: str
) -> None:
    """Record the approval of this line's key, amount and currency."""
    try:
        record_goodwill(
            connection,
            key=key,
            subject_digest=digest("slaledger goodwill", key, basis["amount"], basis["currency"]),
            decided_by=by,
            because=because,
            prepared_by=prepared_by,
        )
    except PreparerDecides:
        raise PreparerDecides(
            f"{by} runs this command, and cannot approve the goodwill too: give with --by who approved it, or have "
            "them run it with your name. Nothing was appended."
        ) from None
