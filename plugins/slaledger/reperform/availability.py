"""The rows of `fct_account_months` and `fct_account_downtime`, by the second route."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from slaledger.reperform import exclusions, periods, uptime
from slaledger.reperform.currencies import MINOR_UNITS
from slaledger.reperform.downtime import Evidence, Segment, View, merged, segments
from slaledger.reperform.instants import has_happened
from slaledger.reperform.periods import Period
from slaledger.reperform.records import Contract, Decision, Exports, Instant, Notice, RegisterEntry, Span, TermsVersion
from slaledger.reperform.uptime import Durations

Row = dict[str, Any]


def account_months(
    exports: Exports, *, service_month: str, as_of: Instant, decisions: Sequence[Decision] = ()
) -> tuple[list[Row], list[Row]]:
    """The account-months of a service month (`YYYY-MM`) and their downtime, both in order of contract and time.

    Instants and seconds are whole microseconds, percents `Decimal`s of 12 decimals. `about` is what a decision on the
    unknown time of an account-month is bound to (D7), None where no tier hangs on it.
    """
    evidence = Evidence(exports, as_of)
    months: list[Row] = []
    downtime: list[Row] = []
    for _, contract in sorted(exports.contracts.items()):
        period = periods.measured_period(exports, contract, service_month=service_month, as_of=as_of)
        if period is None:
            continue
        row = _opened(contract, service_month, period)
        months.append(row)
        version = periods.thresholds(exports, contract, period)
        if version is None:
            row["status"] = "blocked" if period.is_over else "provisional"
            row["reason"] = "terms_not_in_force" if exports.terms.get(contract.terms_id) else "terms_unknown"
            continue
        seen = segments(_view(evidence, contract, period), evidence)
        durations = _durations(period, seen)
        row["guaranteed"] = version.guaranteed and contract.active_agreement
        row.update(_figures(version, durations))
        row["status"], row["reason"], is_approved = _standing(
            exports, contract, version, period=period, durations=durations, row=row, decisions=decisions
        )
        if is_approved is not None:
            seen = _decided(seen, is_approved=is_approved)
            row.update(_figures(version, durations.at_worst() if is_approved else durations.at_best()))
        downtime += [
            {
                "contract_id": contract.contract_id,
                "service_month": service_month,
                "started_at": segment.span[0],
                "ended_at": segment.span[1],
                "kind": segment.kind,
                "services": list(segment.services),
                "categories": list(segment.categories),
                "source_ids": list(segment.source_ids),
            }
            for segment in merged(replace(segment, at_worst="") for segment in seen)
        ]
    return months, downtime


def _opened(contract: Contract, service_month: str, period: Period) -> Row:
    """The row with what is known without terms; what they decide is None."""
    return {
        "account_id": contract.account_id,
        "contract_id": contract.contract_id,
        "service_month": service_month,
        "terms_id": contract.terms_id,
        "terms_version": None,
        "guaranteed": None if contract.active_agreement else False,
        "measured_from": period.spans[0][0] if period.spans else None,
        "measured_until": period.spans[-1][1] if period.spans else None,
        "measured_seconds": period.length,
        "counted_seconds": None,
        "excluded_seconds": None,
        "unknown_seconds": None,
        "uptime_percent": None,
        "uptime_percent_low": None,
        "uptime_percent_alternative": None,
        "outcome_sensitive": None,
        "commitment_percent": None,
        "met": None,
        "status": None,
        "reason": None,
        "about": None,
    }


def _view(evidence: Evidence, contract: Contract, period: Period) -> View:
    """What the contract's account sees in the period."""
    as_of, account_id = evidence.as_of, contract.account_id
    sound = evidence.once(
        ("sound",), lambda: [entry for entry in evidence.exports.register if exclusions.is_sound(entry, as_of=as_of)]
    )
    sent = evidence.once(
        ("sent",), lambda: [notice for notice in evidence.exports.notices if has_happened(notice.sent_at, as_of=as_of)]
    )
    first, last = (period.spans[0][0], period.spans[-1][1]) if period.spans else (as_of, as_of)
    entries, notices = evidence.once(("near", first, last), lambda: _near(sound, sent, first, last))
    return View(
        terms_id=contract.terms_id,
        services=tuple(sorted(set(contract.services))),
        region=contract.region,
        spans=period.spans,
        entries=tuple(entry for entry in entries if not entry.account_ids or account_id in entry.account_ids),
        notices=tuple(notice for notice in notices if not notice.account_ids or account_id in notice.account_ids),
    )


def _near(
    entries: list[RegisterEntry], notices: list[Notice], first: Instant, last: Instant
) -> tuple[list[RegisterEntry], list[Notice]]:
    """The entries that meet the time, and all notices of the maintenances of which a window meets it."""

    def meets(span: Span) -> bool:
        return span[0] < last and first < span[1]

    maintenances = {notice.maintenance_id for notice in notices if notice.window and meets(notice.window)}
    return (
        [entry for entry in entries if meets(entry.span)],
        [notice for notice in notices if notice.maintenance_id in maintenances],
    )


def _durations(period: Period, seen: Sequence[Segment]) -> Durations:
    def total(kind: str, at_worst: str) -> int:
        told = [segment.span for segment in seen if (segment.kind, segment.at_worst) == (kind, at_worst)]
        return sum(end - start for start, end in told)

    return Durations(
        measured=period.length,
        counted=total("counted", "counted"),
        excluded=total("excluded", "excluded"),
        could_count=total("unknown", "counted"),
        could_be_excluded=total("unknown", "excluded"),
    )


def _standing(
    exports: Exports,
    contract: Contract,
    version: TermsVersion,
    *,
    period: Period,
    durations: Durations,
    row: Row,
    decisions: Sequence[Decision],
) -> tuple[str, str | None, bool | None]:
    """Status, reason, and what a person decided of unknown time (None: nobody has to); fills in `about`."""
    if not period.is_over:
        return "provisional", "month_not_over", None
    if row["guaranteed"] and period.length:
        fee = exports.fees.get((contract.contract_id, row["service_month"]))
        if fee is None:
            return "blocked", "fee_missing", None
        if fee.currency not in MINOR_UNITS:
            return "blocked", "currency_unknown", None
    treatment = version.excluded_time
    high, low = uptime.uptime(durations, treatment), uptime.uptime(durations.at_worst(), treatment)
    if row["guaranteed"] and uptime.differ(high, low, version):
        tiers = [uptime.tier(each, version.credits) for each in (high, low)]
        row["about"] = {
            **row,
            "durations": durations,
            "uptimes": (high, low),
            "credit_percents": [tier and tier[1] for tier in tiers],
        }
        decision = _decision(row, decisions)
        if decision is None:
            return "held", "unknown_time_changes_tier", None
        return "measured", f"unknown_time_decided_{'down' if decision.is_approved else 'up'}", decision.is_approved
    if not version.guaranteed:
        return "measured", "plan_not_eligible", None
    if not contract.active_agreement:
        return "measured", "no_active_agreement", None
    if not period.length:
        return "measured", "no_measured_time", None
    return "measured", None if high is not None else "no_time_left_in_base", None


def _decision(row: Row, decisions: Sequence[Decision]) -> Decision | None:
    """The last one that was made of this very revision of the figures (D7)."""
    made = [
        decision
        for decision in decisions
        if decision.kind == "held_month"
        and (decision.contract_id, decision.service_month) == (row["contract_id"], row["service_month"])
        and decision.about == row["about"]
    ]
    return made[-1] if made else None


def _decided(seen: Sequence[Segment], *, is_approved: bool) -> list[Segment]:
    """Unknown segments as what they could be, or gone."""
    if is_approved:
        return [replace(segment, kind=segment.at_worst) for segment in seen]
    return [segment for segment in seen if segment.kind != "unknown"]


def _figures(version: TermsVersion, durations: Durations) -> Row:
    treatment = version.excluded_time
    percent = uptime.uptime(durations, treatment)
    other = uptime.uptime(durations, uptime.alternative(treatment))
    return {
        "terms_version": version.version,
        "counted_seconds": durations.counted,
        "excluded_seconds": durations.excluded,
        "unknown_seconds": durations.unknown,
        "uptime_percent": uptime.stored(percent),
        "uptime_percent_low": uptime.stored(uptime.uptime(durations.at_worst(), treatment)),
        "uptime_percent_alternative": uptime.stored(other),
        "outcome_sensitive": uptime.differ(percent, other, version),
        "commitment_percent": uptime.stored(version.commitment),
        "met": None if percent is None else percent >= version.commitment,
    }
