"""What a closing run appends: from balances and decisions to drafts of lines. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby

from slaledger.ledger.canonical import month_text
from slaledger.ledger.chain import Draft


class AmountNotPostable(Exception):
    """An amount owed is not exact to its currency's minor unit, or its currency is unknown."""

    is_final = True


@dataclass(frozen=True)
class Balance:
    """A row of `billing.lines_due`: the line due on one contract, basis and currency, and what it comes from."""

    contract_id: str
    basis: str
    currency: str
    service_month: date
    amount: Decimal  # owed less posted
    account_id: str
    credit_percent: Decimal | None
    monthly_fee: Decimal | None
    uptime_percent: Decimal | None
    counted_seconds: Decimal | None
    terms_id: str | None
    terms_version: str | None
    claim_id: str | None
    statement_id: uuid.UUID
    applies_from: date
    corrects_line_item_id: uuid.UUID | None
    reason: str  # in figures
    owed_amount: Decimal
    posted_amount: Decimal
    is_exact: bool | None
    last_ordinal: int
    line_item_ids: list[uuid.UUID]
    # Of a decrease alone: what a decision on it is of, and the one that there is.
    decision_subject: str | None
    decision_digest: str | None
    is_approved: bool | None
    decided_by: str | None


@dataclass(frozen=True)
class Plan:
    """The lines due now, and what waits."""

    due: tuple[tuple[Balance, str | None], ...]  # with who approved it
    overpaid: tuple[Balance, ...]  # decreases that nobody has decided on
    refused: tuple[Balance, ...]  # decreases that a person rejected: the customer keeps it
    waiting: tuple[Balance, ...]  # increases behind a decrease of the same contract and basis in another currency


def plan(balances: Iterable[Balance]) -> Plan:
    """Sort the balances into what is due and what waits (rules L2, L3).

    Balances come ordered by contract, basis and amount, so that what is taken back in one currency comes before what
    is given in another. Raises `AmountNotPostable`.
    """
    due: list[tuple[Balance, str | None]] = []
    overpaid: list[Balance] = []
    refused: list[Balance] = []
    waiting: list[Balance] = []
    for _, group in groupby(balances, key=lambda balance: (balance.contract_id, balance.basis)):
        is_open = False
        for balance in group:
            if not balance.is_exact:
                raise AmountNotPostable(
                    f"Contract {balance.contract_id} is owed {balance.owed_amount} {balance.currency} for "
                    f"{month_text(balance.service_month)} ({balance.basis}), which is not exact to the minor unit "
                    "of a known currency: look at `marts.fct_credits`. Nothing was appended."
                )
            if balance.amount < 0:
                if balance.is_approved:
                    due.append((balance, balance.decided_by))
                    continue
                is_open = True
                (overpaid if balance.is_approved is None else refused).append(balance)
            elif is_open:
                waiting.append(balance)
            else:
                due.append((balance, None))
    return Plan(tuple(due), tuple(overpaid), tuple(refused), tuple(waiting))


def draft_lines(
    due: Iterable[tuple[Balance, str | None]],
    *,
    evidence: Mapping[str, str],
    run_id: str,
    code_version: str,
    tzdata_version: str,
) -> list[Draft]:
    """The lines for what is due. `evidence` is contract -> digest of its account-month's evidence."""
    drafts = []
    for _, group in groupby(due, key=lambda item: (item[0].contract_id, item[0].basis)):
        for offset, (balance, approved_by) in enumerate(group, start=1):
            drafts.append(
                Draft(
                    entry_type="adjustment" if balance.last_ordinal else "credit",
                    basis=balance.basis,
                    ordinal=balance.last_ordinal + offset,
                    account_id=balance.account_id,
                    contract_id=balance.contract_id,
                    service_month=balance.service_month,
                    amount=balance.amount,
                    currency=balance.currency,
                    credit_percent=balance.credit_percent,
                    monthly_fee=balance.monthly_fee,
                    uptime_percent=balance.uptime_percent,
                    counted_seconds=balance.counted_seconds,
                    terms_id=balance.terms_id,
                    terms_version=balance.terms_version,
                    claim_id=balance.claim_id,
                    statement_id=balance.statement_id,
                    applies_from=balance.applies_from,
                    corrects_line_item_id=balance.corrects_line_item_id,
                    reason=balance.reason,
                    approved_by=approved_by,
                    evidence_sha256=evidence[balance.contract_id],
                    run_id=run_id,
                    code_version=code_version,
                    tzdata_version=tzdata_version,
                )
            )
    return drafts
