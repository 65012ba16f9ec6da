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

KEY = ("contract_id", "service_month", "basis")


def statement_due(account_month: Row, latest_statement: Row | None) -> int | None:
    """The revision that a closing run would write: the next one if any figure differs (L1, L3); None: it stands.

    `latest_statement` has the columns of the account-month and its `revision`. A month that is not over has no
    statement (L5).
    """
    if account_month["status"] == "provisional":
        return None
    if latest_statement is None:
        return 1
    figures = {column: value for column, value in account_month.items() if column != "about"}
    is_same = all(latest_statement[column] == value for column, value in figures.items())
    return None if is_same else latest_statement["revision"] + 1


def due(
    credits: Iterable[Row],
    *,
    account_months: Iterable[Row],
    posted: Iterable[Row],
    exports: Exports,
    as_of: Instant,
    decisions: Sequence[Decision] = (),
) -> list[dict[str, Any]]:
    """What the lines need in order to add up to the rows of `fct_credits` (L2 to L4), by contract, month and basis.

    `account_months` are the rows that the credits are of, `posted` lines of `billing.credit_line_items` with their
    `ordinal`. `state` of what comes back: `append`; of a decrease that is not approved `overpaid`, or
    `decrease_rejected`; of an increase behind such a decrease in another currency `waiting`. Only what is appended has
    an ordinal, counted from 1 per contract, month and basis. `about` is what the decision on a decrease is bound to:
    that very one (L3). While an account-month is held, blocked or not over, nothing is due on either basis.
    """
    months = {(month["contract_id"], month["service_month"]): month for month in account_months}
    by_key = {tuple(credit[name] for name in KEY): credit for credit in credits}
    lines: dict[tuple[str, ...], list[Row]] = {key: [] for key in by_key}
    for line in posted:
        if line["entry_type"] != "goodwill":  # L4: it never counts as an SLA credit
            lines.setdefault(tuple(line[name] for name in KEY), []).append(line)
    found = []
    for key, own in sorted(lines.items()):
        month = months.get(key[:2])
        if month is None or month["status"] == "measured":
            rests_on = _rests_on(month, own, exports=exports, as_of=as_of)
            found += [line | rests_on for line in _due(by_key.get(key) or _nothing(own[0]), own, decisions=decisions)]
    return found


def _nothing(line: Row) -> Row:
    """What a basis that has lines but no credit any more is owed."""
    unknown = dict.fromkeys(("currency", "credit_percent", "monthly_fee", "claim_id"))
    return {**line, **unknown, "amount": Decimal(0), "status": "not_eligible"}


def _rests_on(account_month: Row | None, posted: list[Row], *, exports: Exports, as_of: Instant) -> dict[str, Any]:
    """What a line takes from its account-month (L6); of one that is no more, the terms of the last line are known."""
    known: Row = account_month or {"uptime_percent": None, "counted_seconds": None}
    terms = account_month or max(posted, key=lambda line: line["ordinal"])
    zone = exports.terms[terms["terms_id"]][0].time_zone  # which all versions of an id share (T4)
    return {
        **{name: known[name] for name in ("uptime_percent", "counted_seconds")},
        **{name: terms[name] for name in ("terms_id", "terms_version")},
        "applies_from": applies_from(as_of, zone),
    }


def _due(credit: Row, posted: list[Row], *, decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    if credit["status"] == "pending":  # on a claim that is still open: nothing is known to be owed or not
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
        about = {
            "currency": currency,
            "owed": owed if currency == credit["currency"] else Fraction(0),
            "posted": [(line["ordinal"], line["amount"]) for line in posted if line["currency"] == currency],
        }
        if difference < 0:
            state = _decided(credit, about, decisions)
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
                "monthly_fee": credit["monthly_fee"],
                "claim_id": credit["claim_id"],
                "settlement": "future_invoice",
                "corrects_ordinal": original,
                "about": about,
            }
        )
    return found


def applies_from(as_of: Instant, zone: str) -> date:
    """The first day, in the terms' zone, of the month after the as-of time (L4)."""
    return first_day(next_month(service_month_of(as_of, zone)))


def _decided(credit: Row, about: dict[str, Any], decisions: Sequence[Decision]) -> str:
    """What becomes of a decrease: the last decision on that very one says (L3)."""
    states = [
        "append" if decision.is_approved else "decrease_rejected"
        for decision in decisions
        if decision.kind == "decrease"
        and (decision.contract_id, decision.service_month, decision.basis)
        == (credit["contract_id"], credit["service_month"], credit["basis"])
        and decision.about == about
    ]
    return states[-1] if states else "overpaid"
