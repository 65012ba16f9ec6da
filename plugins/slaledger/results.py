"""What a run of `sla run` left: figures, warnings, counts and lines, as they are in the database."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from slaledger.settings import Settings
from slaledger.warehouse import RoleMissing, connect

# How `sla run` ends.
DONE, FAILED, BAD_ARGUMENTS, STOPPED, LEFT = 0, 1, 2, 3, 4


@dataclass(frozen=True)
class MonthFigure:
    """One account-month and basis as the table of `sla run` shows it."""

    account_id: str
    contract_id: str
    status: str
    reason: str | None
    uptime_percent: Decimal | None
    uptime_percent_low: Decimal | None
    counted_seconds: Decimal | None
    excluded_seconds: Decimal | None
    unknown_seconds: Decimal | None
    credit_percent: Decimal | None
    amount: Decimal | None
    currency: str | None
    credit_status: str
    credit_reason: str | None
    basis: str  # availability | response_time, the latter only where the terms credit breaches


@dataclass(frozen=True)
class RunResult:
    """What a run that went through leaves."""

    run_id: str
    figures: list[MonthFigure]
    warnings: list[dict[str, Any]]
    objects: int
    rows_read: int
    rows_quarantined: int
    lines: list[dict[str, Any]] = field(default_factory=list)
    lines_of_others: list[dict[str, Any]] = field(default_factory=list)  # for the month, while this run waited
    posted_as_of: datetime | None = None  # where the month had been posted as of a later instant than this run's

    @property
    def left(self) -> list[MonthFigure]:
        """Held and blocked account-months."""
        return [each for each in self.figures if each.status in ("held", "blocked") and each.basis == "availability"]

    @property
    def exit_code(self) -> int:
        """4 where account-months are left, else 0."""
        return LEFT if self.left else DONE


def posted_so_far(settings: Settings) -> int:
    """The number of the last posting; 0: there is none, or nothing is migrated yet."""
    from slaledger.ledger.postings import last_posting

    with suppress(RoleMissing), connect(settings.warehouse, role="sla_auditor") as connection:
        known = connection.execute("select to_regclass('billing.postings') is not null").fetchone()
        if known and known[0]:
            last = last_posting(connection)
            return last.posting_number if last else 0
    return 0


def read_result(settings: Settings, run_id: str, month: date, *, posted_before: int = 0) -> RunResult:
    """What the run left of the month, and the lines of others after that posting."""
    with connect(settings.warehouse, role="sla_auditor") as connection:
        figures = connection.execute(
            """
            select
                m.account_id, m.contract_id, m.status, m.reason, m.uptime_percent, m.uptime_percent_low,
                m.counted_seconds, m.excluded_seconds, m.unknown_seconds, c.credit_percent, c.amount, c.currency,
                c.status as credit_status, c.reason as credit_reason, coalesce(c.basis, 'availability') as basis
            from marts.fct_account_months as m
            left join marts.fct_credits as c
                on m.contract_id = c.contract_id and m.service_month = c.service_month
            where m.service_month = %s
            order by m.account_id, m.contract_id, c.basis
            """,
            [month],
        ).fetchall()
        expectations = connection.execute(
            "select expectations from audit.validations where run_id = %s order by evaluated_at", [run_id]
        ).fetchall()
        counts = connection.execute(
            "select count(*), coalesce(sum(rows_read), 0), coalesce(sum(rows_quarantined), 0) "
            "from raw.source_objects where run_id = %s",
            [run_id],
        ).fetchone()
        lines = connection.execute(
            """
            select
                lines.line_item_id, lines.entry_type, lines.basis, lines.account_id, lines.contract_id, lines.amount,
                lines.currency, lines.run_id
            from billing.credit_line_items as lines
            where
                lines.run_id = %(run)s
                or exists (
                    select from billing.postings
                    where
                        postings.run_id = lines.run_id and postings.posting_number > %(posted_before)s
                        and postings.service_month = %(month)s and postings.kind = 'close'
                )
            order by lines.account_id, lines.contract_id, lines.basis
            """,
            {"run": run_id, "posted_before": posted_before, "month": month},
        ).fetchall()
        posted = connection.execute(
            """
            select max(postings.as_of)
            from billing.postings
            inner join audit.builds on postings.service_month = builds.service_month
            where builds.run_id = %s and postings.as_of > builds.as_of
            """,
            [run_id],
        ).fetchone()
    assert counts is not None
    assert posted is not None
    names = ("line_item_id", "entry_type", "basis", "account_id", "contract_id", "amount", "currency", "run_id")
    told = [dict(zip(names, line, strict=True)) for line in lines]
    return RunResult(
        run_id=run_id,
        figures=[MonthFigure(*row) for row in figures],
        warnings=[each for (entries,) in expectations for each in entries if not each["is_success"]],
        objects=int(counts[0]),
        rows_read=int(counts[1]),
        rows_quarantined=int(counts[2]),
        lines=[line for line in told if line["run_id"] == run_id],
        lines_of_others=[line for line in told if line["run_id"] != run_id],
        posted_as_of=posted[0],
    )
