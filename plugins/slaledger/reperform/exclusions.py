"""What is excluded: rules X1 to X4, X7 and X8, judged for one (service, region) at one instant."""

from __future__ import annotations

from collections.abc import Sequence

from slaledger.reperform.instants import has_happened
from slaledger.reperform.records import Exports, Instant, Notice, RegisterEntry, TermsVersion

SCHEDULED_MAINTENANCE = "scheduled_maintenance"


def is_sound(entry: RegisterEntry, *, as_of: Instant) -> bool:
    """Whether the entry may exclude anything, as known before the as-of time (X2, X8)."""
    return (
        bool(entry.evidence_url)
        and bool(entry.approved_by)
        and not _is_same_person(entry.approved_by, entry.author)
        and entry.approved_at is not None
        and has_happened(entry.approved_at, as_of=as_of)
        and (entry.revoked_at is None or not has_happened(entry.revoked_at, as_of=as_of))
        and (entry.category != "customer_connectivity" or bool(entry.account_ids))
    )


def _is_same_person(one: str, other: str) -> bool:
    """Names are compared without letter case and outer blanks (decision 0007)."""
    return one.strip(" ").lower() == other.strip(" ").lower()


def register_excluders(
    entries: Sequence[RegisterEntry],
    *,
    version: TermsVersion,
    pair: tuple[str, str],
    at: Instant,
    declaring: frozenset[str],
) -> list[tuple[str, str]]:
    """(exclusion_id, category) of the entries that exclude the pair at the instant (X1, X2, X7).

    `entries` are the sound ones of the account or of all; `declaring` the incidents that declare the pair down then.
    """
    service, region = pair
    applying = [
        entry
        for entry in entries
        if entry.category in version.exclusions
        and entry.span[0] <= at < entry.span[1]
        and (not entry.services or service in entry.services)
        and (not entry.regions or region in entry.regions)
    ]
    # An incident that no entry explains is our own fault, and leaves none of them standing.
    explained = {incident_id for entry in applying for incident_id in entry.incident_ids}
    if declaring - explained:
        return []
    return [(entry.exclusion_id, entry.category) for entry in applying]


def maintenance_excluders(
    exports: Exports, notices: Sequence[Notice], *, version: TermsVersion, pair: tuple[str, str], at: Instant
) -> list[tuple[str, str]]:
    """(maintenance_id, category) of the announced windows that cover the pair at the instant (X3, X4).

    `notices` are those sent before the as-of time to the account or to all.
    """
    if SCHEDULED_MAINTENANCE not in version.exclusions:
        return []
    return sorted(
        {
            (notice.maintenance_id, SCHEDULED_MAINTENANCE)
            for notice in notices
            if _announces(notice, version, at)
            and _covers(exports, notice, pair)
            and not any(_takes_away(later, notice, at) for later in notices)
        }
    )


def _announces(notice: Notice, version: TermsVersion, at: Instant) -> bool:
    """X3: its window holds the instant, and was announced in time by an accepted channel."""
    return (
        notice.window is not None
        and notice.window[0] <= at < notice.window[1]
        and notice.channel in version.channels
        and notice.sent_at + version.notice <= notice.window[0]
    )


def _covers(exports: Exports, notice: Notice, pair: tuple[str, str]) -> bool:
    components = (exports.components.get(component_id) for component_id in notice.component_ids)
    return any(component is not None and (component.service, component.region) == pair for component in components)


def _takes_away(later: Notice, notice: Notice, at: Instant) -> bool:
    """X4: whether a later notice of the same maintenance has, by the instant, voided the notice's window there."""
    if later.maintenance_id != notice.maintenance_id or not notice.sent_at < later.sent_at <= at:
        return False
    if later.action == "cut":
        return later.window is None or not later.window[0] <= at < later.window[1]
    return later.action in {"move", "cancel"}
