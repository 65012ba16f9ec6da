"""What excludes nothing, or less than it says: rules X1 to X4 and X8."""

from __future__ import annotations

from collections.abc import Iterator

from slaledger.reperform import exclusions
from slaledger.reperform.findings.month import Finding, Month, in_force, overlap, seconds_text, seen_pairs
from slaledger.reperform.instants import has_happened
from slaledger.reperform.records import Contract, Notice, RegisterEntry, Span, TermsVersion

REGISTER = "exclusions/"
NOTICES = "notices/"


def findings(month: Month) -> Iterator[Finding]:
    """All of them."""
    for entry in month.exports.register:
        if month.meets(entry.span):
            source, line = month.object_of(REGISTER, entry.exclusion_id), month.line_of(REGISTER, entry.exclusion_id)
            for code, detail in _of_entry(month, entry):
                yield Finding(code, entry.exclusion_id, source, f"{line}{detail}")
    sent = [notice for notice in month.exports.notices if has_happened(notice.sent_at, as_of=month.as_of)]
    in_reach = {notice.maintenance_id for notice in sent if notice.window and month.meets(notice.window)}
    notices = [notice for notice in sent if notice.maintenance_id in in_reach]
    for notice in notices:
        source, line = month.object_of(NOTICES, notice.notice_id), month.line_of(NOTICES, notice.notice_id)
        for code, detail in (*_unknown_names(month, notice), *_unheeded(month, notice, notices)):
            yield Finding(code, notice.notice_id, source, f"{line}{detail}")


def _of_entry(month: Month, entry: RegisterEntry) -> Iterator[tuple[str, str]]:
    yield from _unknown_names(month, entry)
    for code, why in _reasons(month, entry):
        yield code, f": the entry excludes nothing; {why}."
    if not exclusions.is_sound(entry, as_of=month.as_of):
        return
    told = {
        (version.terms_id, version.version)
        for contract in month.judged()
        if not entry.account_ids or contract.account_id in entry.account_ids
        for version in month.versions(contract)
        if entry.category not in version.exclusions and _meets(month, entry, contract, version)
    }
    for terms_id, version in told:
        yield (
            "exclusion_category_not_in_terms",
            f": the entry excludes nothing under {terms_id} version {version}, which does not list {entry.category}.",
        )


def _meets(month: Month, entry: RegisterEntry, contract: Contract, version: TermsVersion) -> bool:
    """Whether the entry speaks of anything that the contract sees while the version is in force."""
    start, end = overlap(entry.span, in_force(version), month.window)
    return start < end and any(
        (not entry.services or service in entry.services) and (not entry.regions or region in entry.regions)
        for service, region in seen_pairs(contract, version)
    )


def _reasons(month: Month, entry: RegisterEntry) -> Iterator[tuple[str, str]]:
    """X2, X8: why it excludes nothing, under whatever terms."""
    approver = (entry.approved_by or "").strip(" ")
    if not entry.evidence_url:
        yield "exclusion_without_evidence", "it has no evidence: give evidence_url"
    if not approver or entry.approved_at is None:
        yield "exclusion_unapproved", "it is not approved: approved_by and approved_at are both needed"
    elif not has_happened(entry.approved_at, as_of=month.as_of):
        yield "exclusion_approved_after_as_of", "it was approved after the as-of time"
    if approver and approver.lower() == entry.author.strip(" ").lower():
        yield "exclusion_self_approved", "its author approved it: another person must"
    if entry.revoked_at is not None and has_happened(entry.revoked_at, as_of=month.as_of):
        yield "exclusion_revoked", "it was revoked, which voids the whole entry"
    if entry.category == "customer_connectivity" and not entry.account_ids:
        yield (
            "exclusion_names_no_account",
            "customer_connectivity excludes only for accounts that it names",
        )


def _unknown_names(month: Month, told: RegisterEntry | Notice) -> Iterator[tuple[str, str]]:
    """Names that no export knows: they cover nothing."""
    exports = month.exports
    catalogued = (*exports.monitors.values(), *exports.components.values())
    known = {
        "service": {each.service for each in catalogued},
        "region": {each.region for each in catalogued} | {"global"},
        "component": set(exports.components),
        "account": set(exports.accounts),
    }
    if isinstance(told, Notice):
        source, given = "notice", {"component": told.component_ids, "account": told.account_ids}
    else:
        source = "exclusion"
        given = {"service": told.services, "region": told.regions, "account": told.account_ids}
    for kind, names in given.items():
        for name in set(names) - known[kind]:
            yield (
                f"{source}_unknown_{kind}",
                f" names the {kind} {name}, which no export knows: it covers nothing there.",
            )


def _unheeded(month: Month, notice: Notice, notices: list[Notice]) -> Iterator[tuple[str, str]]:
    """X3: why the notice's window is not excluded, under each version by which anybody whom it is about is judged."""
    if notice.window is None:
        return
    components = (month.exports.components.get(name) for name in notice.component_ids)
    about = {(component.service, component.region) for component in components if component is not None}
    judging = {
        (version.terms_id, version.version): version
        for contract in month.judged()
        if not notice.account_ids or contract.account_id in notice.account_ids
        for version in month.versions(contract)
        if _is_some(overlap(notice.window, in_force(version), month.window)) and about & seen_pairs(contract, version)
    }
    for version in judging.values():
        reasons = list(_shortcomings(notice, version))
        if reasons and not _is_covered(notice, version, notices):
            for code, why in reasons:
                yield (
                    code,
                    f": the window of this {notice.action} of {notice.maintenance_id} is not excluded under"
                    f" {version.terms_id} version {version.version}; {why}.",
                )


def _is_some(span: Span) -> bool:
    return span[0] < span[1]


def _shortcomings(notice: Notice, version: TermsVersion) -> Iterator[tuple[str, str]]:
    if exclusions.SCHEDULED_MAINTENANCE not in version.exclusions:
        yield "maintenance_not_in_terms", "it does not list scheduled_maintenance"
    if notice.channel not in version.channels:
        yield "notice_channel_not_accepted", f"it does not accept the channel {notice.channel}"
    lead = notice.window[0] - notice.sent_at
    if lead < version.notice:
        yield (
            "notice_too_late",
            f"sent {seconds_text(lead)} seconds before its start, {seconds_text(version.notice)} are needed",
        )


def _is_covered(notice: Notice, version: TermsVersion, notices: list[Notice]) -> bool:
    """Whether other notices of the maintenance, to all whom this one is to, answer for every instant of its window.

    Those that exclude it; and for what a cut leaves, which needs no new notice (X4), the ones that it cuts. A move
    leaves nothing of what came before it.
    """
    others = [
        other.window
        for other in notices
        if other.maintenance_id == notice.maintenance_id
        and other.notice_id != notice.notice_id
        and other.window is not None
        and (notice.action == "cut" or not list(_shortcomings(other, version)))
        and (notice.action != "move" or notice.sent_at <= other.sent_at)
        and (not other.account_ids or (notice.account_ids and set(notice.account_ids) <= set(other.account_ids)))
    ]
    start, end = overlap(notice.window, in_force(version))
    steps = [start, *(at for window in others for at in window if start < at < end)]
    return all(any(begins <= at < ends for begins, ends in others) for at in steps)
