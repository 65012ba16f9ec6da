"""What a closing run would append: statements and ledger lines (section L)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from slaledger.reperform.figures import decimal
from slaledger.reperform.instants import first_day, next_month, service_month_of
from slaledger.reperform.records import Decision, Exports, Instant

Row = Mapping[str, Any]


def statement_due(account_month: Row, latest_statement: Row | None) -> int | None:
    """The revision that a closing run would write: the next one if any figure differs (L1, L3); None: it stands.

    `latest_statement` has the columns of the account-month and its `revision`. A month that is not over has no
    statement (L5).
    """
    if account_month["status"] == "provisional":
        return None
    if latest_statement is None:
        return 1
    is_same = all(latest_statement[column] == value for column, value in account_month.items())
    return None if is_same else latest_statement["revision"] + 1


def due(
    credits: Iterable[Row],
    *,
    posted: Iterable[Row],
    exports: Exports,
    as_of: Instant,
    decisions: Sequence[Decision] = (),
) -> list[dict[str, Any]]:
    """What the lines need in order to add up to the rows of `fct_credits` (L2 to L4), by contract, month and basis.

    `posted` are lines of `billing.credit_line_items` with their `ordinal`. `state` of what comes back: `append`; of a
    decrease that is not approved `overpaid`, or `decrease_rejected`; of an increase behind such a decrease in another
    currency `waiting`. Only what is appended has an ordinal, counted from 1 per contract, month and basis.
    """
    by_key = {(credit["contract_id"], credit["service_month"], credit["basis"]): credit for credit in credits}
    lines: dict[tuple[str, str, str], list[Row]] = {key: [] for key in by_key}
    for line in posted:
        if line["entry_type"] != "goodwill":  # L4: it never counts as an SLA credit
            lines.setdefault((line["contract_id"], line["service_month"], line["basis"]), []).append(line)
    found = []
    for key, own in sorted(lines.items()):
        credit = by_key.get(key) or _nothing(own[0], by_key.get((*key[:2], "availability")))
        found += _due(credit, own, exports=exports, as_of=as_of, decisions=decisions)
    return found


def _nothing(line: Row, availability: Row | None) -> Row:
    """What a basis that has lines but no credit any more is owed; unknown while its account-month is."""
    is_known = availability is None or availability["amount"] is not None
    nothing = Decimal(0) if is_known else None
    return {**line, "amount": nothing, "currency": None, "credit_percent": nothing, "status": "not_eligible"}


def _due(
    credit: Row, posted: list[Row], *, exports: Exports, as_of: Instant, decisions: Sequence[Decision]
) -> list[dict[str, Any]]:
    # Held, blocked, not over, or hanging on a claim that is still open: nothing is known to be owed or not.
    if credit["amount"] is None or credit["status"] == "pending":
        return []
    # Money of two currencies does not add up: where the fee's currency changed, the old one is owed nothing.
    differences: dict[str, Fraction] = {}
    for line in posted:
        differences[line["currency"]] = differences.get(line["currency"], Fraction(0)) - Fraction(line["amount"])
    owed = Fraction(credit["amount"] if credit["status"] == "owed" else 0)
    if owed:
        differences[credit["currency"]] = differences.get(credit["currency"], Fraction(0)) + owed
    ordinal = max((line["ordinal"] for line in posted), default=0)
    original = min((line["ordinal"] for line in posted), default=None)
    found: list[dict[str, Any]] = []
    for currency, difference in sorted(differences.items(), key=lambda item: (item[1] > 0, item[0])):
        if difference == 0:
            continue
        kept = owed if currency == credit["currency"] else Fraction(0)
        if difference < 0:
            state = _decided(credit, kept, decisions)
        else:
            # Else the customer had both, the old credit and the new one.
            state = "append" if all(before["state"] == "append" for before in found) else "waiting"
        if state == "append":
            ordinal += 1
        found.append(
            {
                "state": state,
                "entry_type": "credit" if original is None else "adjustment",
                "basis": credit["basis"],
                "account_id": credit["account_id"],
                "contract_id": credit["contract_id"],
                "service_month": credit["service_month"],
                "ordinal": ordinal if state == "append" else None,
                "amount": decimal(difference),
                "currency": currency,
                "credit_percent": credit["credit_percent"],
                "corrects_ordinal": original,
                "applies_from": applies_from(as_of, _zone(exports, credit["contract_id"])),
            }
        )
    return found


def _zone(exports: Exports, contract_id: str) -> str:
    """The zone of the contract's terms; UTC if the contract or its terms are not known any more."""
    contract = exports.contracts.get(contract_id)
    versions = exports.terms.get(contract.terms_id) if contract else None
    return versions[0].time_zone if versions else "UTC"


def applies_from(as_of: Instant, zone: str) -> date:
    """The first day, in the terms' zone, of the month after the as-of time (L4)."""
    return first_day(next_month(service_month_of(as_of, zone)))


def _decided(credit: Row, owed: Fraction, decisions: Sequence[Decision]) -> str:
    """What becomes of a decrease to `owed`: the last decision on that very figure says (L3)."""
    states = [
        "append" if decision.is_approved else "decrease_rejected"
        for decision in decisions
        if decision.kind == "decrease"
        and (decision.contract_id, decision.service_month, decision.basis)
        == (credit["contract_id"], credit["service_month"], credit["basis"])
        and decision.about["owed"] == owed
    ]
    return states[-1] if states else "overpaid"
