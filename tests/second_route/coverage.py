"""What the worlds came to, counted: each outcome, reason and choice must have been there, or agreement says nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set
from datetime import timedelta
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from slaledger.reperform.records import Contract, Exports, Incident, TermsVersion
from tests.second_route.world import DAY, EPOCH, HOUR, Row

COUNTED = {
    "account_months": ("status", "reason", "guaranteed", "outcome_sensitive", "met"),
    "account_downtime": ("kind", "categories"),
    "response_times": ("outcome", "reason", "severity"),
    "claims": ("status", "reason"),
    "credits": ("status", "reason", "basis", "currency"),
    "findings": ("code",),
}
CHOICES = (
    "time_zone",
    "down_when",
    "evidence",
    "degraded_counts",
    "partial_outage_counts",
    "excluded_time",
    "thresholds_from",
    "claims_required",
    "counted_reply",
)
STANDARD = ("klink-enterprise", "klink-growth", "klink-starter")
# What custom terms have as the standard ones do, or otherwise.
NEGOTIATED = (
    *("commitment", "core_services", "exclusions", "notice", "channels", "credits"),
    *("claims_within_days", "claims_must_include", "targets", "calendar_time_zone"),
)
SIDES = {0: "at", -1: "below", 1: "above"}  # of a bound, by a microsecond
SOURCES = {"m": "monitor", "i": "incident", "e": "exclusion", "mw": "maintenance"}

REQUIRED = """
account_months.status: provisional measured held blocked
account_months.reason: None month_not_over unknown_time_changes_tier unknown_time_decided_down unknown_time_decided_up
account_months.reason: plan_not_eligible no_active_agreement fee_missing currency_unknown terms_unknown
account_months.reason: terms_not_in_force no_measured_time
account_months.outcome_sensitive: True False
account_months.met: True False
account_downtime.kind: counted excluded unknown
account_downtime.categories: none one several
account_downtime.source: monitor incident exclusion maintenance
response_times.outcome: met breached pending not_measured
response_times.reason: None opened_by_company spam no_severity no_active_contract no_terms solved_by_customer merged
response_times.severity: None P1 P2 P3 P4
response_times.answered: exactly_due just_late just_in_time
response_times.zendesk: met breached pending not_measured
incident.reopened: open resolved
claims.status: pending rejected needs_review accepted duplicate
claims.reason: None month_not_over account_unknown company_mismatch no_contract no_eligible_credit incomplete
claims.reason: incomplete_at_deadline late sent_in_time_received_late rejected_in_review month_held month_blocked
claims.reason: duplicate_of approved_in_review
claims.complete: just_in_time at_the_deadline
credits.status: not_eligible eligible_unclaimed pending owed expired held blocked
credits.reason: plan_not_eligible no_active_agreement month_not_over no_measured_time no_tier no_breach
credits.reason: no_claim_required claim_accepted claim_in_review claim_pending unclaimed claim_deadline_passed
credits.basis: availability response_time
credits.currency: USD EUR JPY KWD CLF ISK HUF
findings.code: check_conflict unconfirmed_failure core_service_unobserved
findings.code: contract_account_unknown contract_region_unknown
findings.code: incident_resolution_inferred incident_withdrawn incident_without_components maintenance_not_in_terms
findings.code: exclusion_approved_after_as_of exclusion_category_not_in_terms exclusion_names_no_account
findings.code: exclusion_revoked exclusion_self_approved exclusion_unapproved exclusion_without_evidence
findings.code: exclusion_unknown_account exclusion_unknown_region
findings.code: notice_channel_not_accepted notice_too_late notice_unknown_account notice_unknown_component
findings.code: terms_changed_in_month terms_landed_late terms_not_in_force terms_unknown
findings.code: claim_message_changes_nothing claim_timeline_differs
findings.code: ticket_account_unknown ticket_user_unknown ticket_without_creation ticket_without_severity
findings.code: ticket_without_terms merge_in_a_circle merge_survivor_unknown reply_before_creation
findings.code: organization_of_several_accounts object_quarantined rows_quarantined
terms.time_zone: UTC Europe/Berlin America/New_York Asia/Kolkata Australia/Lord_Howe America/Havana America/Santiago
terms.time_zone: Africa/Cairo Asia/Beirut Atlantic/Azores America/Nuuk Pacific/Chatham
terms.down_when: any all
terms.evidence: either monitoring status_page both
terms.degraded_counts: True False
terms.partial_outage_counts: True False
terms.excluded_time: as_uptime out_of_base
terms.thresholds_from: period_start period_end
terms.claims_required: True False
terms.counted_reply: human any
terms.minimum_outage: none some
terms.holidays: none listed library
terms.response_credits: none up_to_the_fee capped
terms.changed_in_the_month: True False
threshold.as_uptime: at below above
threshold.out_of_base: at below above
threshold.low: at below above
notice.lead: at below above
check.gap: at below above
outage.length: at below above
claims.deadline: plain after_a_change after_a_midnight_that_comes_twice
"""


def required() -> set[str]:
    """Everything that must have been there, as `mart.column=value`."""
    pairs = (line.split(": ") for line in REQUIRED.strip().splitlines())
    found = {f"{name}={value}" for name, values in pairs for value in values.split()}
    return found | {f"terms.{name}={value}" for name in NEGOTIATED for value in ("standard", "other")}


def count(exports: Exports, marts: dict[str, list[Row]]) -> Counter[str]:
    """How often each value was there."""
    counts: Counter[str] = Counter()
    for mart, columns in COUNTED.items():
        for row in marts[mart]:
            counts.update(f"{mart}.{column}={_shown(row[column])}" for column in columns)
    for row in marts["account_downtime"]:
        counts.update(f"account_downtime.source={SOURCES[each.split('-')[0]]}" for each in row["source_ids"])
    for row in marts["response_times"]:
        replied_at = row["first_human_reply_at"]
        if replied_at is not None and row["due_at"] is not None:
            names = {0: "exactly_due", 1: "just_late", -1: "just_in_time"}
            counts[f"response_times.answered={names.get(replied_at - row['due_at'], 'otherwise')}"] += 1
        if row["ticket_id"].isdecimal():
            counts[f"response_times.zendesk={row['outcome']}"] += 1
    for incident in (incident for document in exports.documents for incident in document.incidents):
        if (status := _reopened(incident)) is not None:
            counts[f"incident.reopened={status}"] += 1
    for row in marts["claims"]:
        if row["complete_at"] is not None:
            names = {0: "at_the_deadline", -1: "just_in_time"}
            counts[f"claims.complete={names.get(row['complete_at'] - row['deadline_at'], 'otherwise')}"] += 1
    standard = [exports.terms[terms_id][0] for terms_id in STANDARD]
    versions = {row["contract_id"]: _version(exports, row) for row in marts["account_months"]}
    for row in marts["account_months"]:
        version = versions[row["contract_id"]]
        if version is not None:
            counts.update(_choices(version, standard))
            changed = {each.version for each in exports.terms[row["terms_id"]] if _begins_within(each, row)}
            counts[f"terms.changed_in_the_month={bool(changed)}"] += 1
            counts.update(_thresholds(row, version))
    for row in marts["claims"]:
        version = versions.get(row["contract_id"])
        if version is not None:
            counts[f"claims.deadline={_deadline(row['deadline_at'], version.time_zone)}"] += 1
    known = {exports.contracts[name]: version for name, version in versions.items() if version is not None}
    counts.update(f"notice.lead={side}" for side in _leads(exports, known))
    counts.update(f"check.gap={side}" for side in _gaps(exports))
    counts.update(f"outage.length={side}" for side in _lengths(exports, known))
    return counts


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "none" if not value else "one" if len(value) == 1 else "several"
    return str(value).split(":")[0]


def _reopened(incident: Incident) -> str | None:
    """Whether an incident that an update resolved and a later one did not is open or resolved; None of others."""
    resolved = [update.at for update in incident.updates if update.status == "resolved"]
    others = [update.at for update in incident.updates if update.status not in ("resolved", "postmortem")]
    if not resolved or not others or max(others) <= min(resolved):
        return None
    return "resolved" if incident.status in ("resolved", "postmortem") else "open"


def _version(exports: Exports, row: Row) -> TermsVersion | None:
    versions = exports.terms.get(row["terms_id"], [])
    return next((each for each in versions if each.version == row["terms_version"]), None)


def _begins_within(version: TermsVersion, row: Row) -> bool:
    if row["measured_from"] is None:
        return False
    return row["measured_from"] < version.effective_from < row["measured_until"]


def _choices(version: TermsVersion, standard: list[TermsVersion]) -> list[str]:
    holidays = "none" if version.holidays is None else "library" if isinstance(version.holidays, str) else "listed"
    capped = "up_to_the_fee" if version.response_credit_cap == 100 else "capped"
    return [
        *(f"terms.{name}={getattr(version, name)}" for name in CHOICES),
        *(f"terms.{name}={_negotiated(name, version, standard)}" for name in NEGOTIATED),
        f"terms.minimum_outage={'some' if version.minimum_outage else 'none'}",
        f"terms.holidays={holidays}",
        f"terms.response_credits={capped if version.response_credits else 'none'}",
    ]


def _negotiated(name: str, version: TermsVersion, standard: list[TermsVersion]) -> str:
    return "standard" if getattr(version, name) in [getattr(each, name) for each in standard] else "other"


def _thresholds(row: Row, version: TermsVersion) -> list[str]:
    """Whether downtime comes to a tier's threshold, or misses it by less than two microseconds."""
    found = []
    base = row["measured_seconds"]
    if version.excluded_time == "out_of_base":
        base -= row["excluded_seconds"]
    for below, _ in version.credits:
        ranges = {version.excluded_time: row["counted_seconds"]}
        if row["unknown_seconds"]:
            ranges["low"] = row["counted_seconds"] + row["unknown_seconds"]
        for name, down in ranges.items():
            off = down - base * (100 - below) / 100
            if abs(off) < 2 and down:
                side = "at" if off == Fraction(0) else "above" if off > 0 else "below"
                found.append(f"threshold.{name}={side}")
    return found


def _deadline(at: int, zone: str) -> str:
    """Whether clocks change within the last local day before a deadline (C2), and so that its midnight comes twice."""

    def offset(instant: int) -> timedelta | None:
        return (EPOCH + timedelta(microseconds=instant)).astimezone(ZoneInfo(zone)).utcoffset()

    if offset(at - HOUR) != offset(at - HOUR - 1):
        return "after_a_midnight_that_comes_twice"
    return "plain" if offset(at) == offset(at - DAY) else "after_a_change"


def _leads(exports: Exports, known: dict[Contract, TermsVersion]) -> Iterator[str]:
    """Of notices how they keep the time that a contract's terms ask for (X3)."""
    for notice in exports.notices:
        regions = {exports.components[each].region for each in notice.component_ids if each in exports.components}
        for contract, version in known.items():
            is_theirs = contract.region in regions and contract.account_id in (
                notice.account_ids or {contract.account_id}
            )
            if notice.window is not None and is_theirs and notice.channel in version.channels:
                yield from _side(notice.window[0] - notice.sent_at - version.notice)


def _gaps(exports: Exports) -> Iterator[str]:
    """Of checks that follow on one another, how far apart they are for `stale_after` (M2, M3)."""
    for (monitor_id, _), checks in exports.checks.items():
        for (before, _), (after, _) in pairwise(checks):
            yield from _side(after - before - exports.monitors[monitor_id].stale_after)


def _lengths(exports: Exports, known: dict[Contract, TermsVersion]) -> Iterator[str]:
    """Of outages that monitors see, how long they are for a contract's `minimum_outage` (D5)."""
    for (monitor_id, _), checks in exports.checks.items():
        monitor = exports.monitors[monitor_id]
        least = {version.minimum_outage for each, version in known.items() if each.region == monitor.region} - {0}
        for is_down, streak in groupby(pairwise(checks), lambda pair: pair[0][1] == "down"):
            spans = [(before, after) for (before, _), (after, _) in streak]
            for minimum in least if is_down else ():
                yield from _side(spans[-1][1] - spans[0][0] - minimum)


def _side(off: int) -> Iterator[str]:
    if off in SIDES:
        yield SIDES[off]


def table(counts: Counter[str], required: Set[str]) -> str:
    """The counts, one a line, of what is required, too."""
    return "\n".join(f"  {counts[name]:>7}  {name}" for name in sorted(counts.keys() | required))
