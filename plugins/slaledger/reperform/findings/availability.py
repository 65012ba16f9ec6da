"""What monitoring and the status page report: rules M1, M3 and S3 to S5."""

from __future__ import annotations

from collections.abc import Iterator

from slaledger.reperform import monitoring, status_page
from slaledger.reperform.findings.month import Finding, Month, instant_text
from slaledger.reperform.instants import has_happened
from slaledger.reperform.records import Incident, Monitor
from slaledger.reperform.status_page import KnownIncident


def findings(month: Month) -> Iterator[Finding]:
    """All of them; one that two readings make alike comes twice."""
    readings = {False, *(version.degraded_counts for each in month.judged() for version in month.versions(each))}
    for monitor in month.exports.monitors.values():
        for location in monitor.locations:
            for degraded_counts in readings:
                yield from _unconfirmed(month, monitor, location, degraded_counts=degraded_counts)
    for (monitor_id, location, at), statuses in month.exports.conflicts.items():
        if month.window[0] <= at < month.window[1]:
            told = f"location {location} at {instant_text(at)}: {', '.join(sorted(statuses))}; read as unknown"
            for key in statuses.values():
                yield Finding("check_conflict", monitor_id, month.in_force(key), told)
    known = list(status_page.known_incidents(month.exports.documents))
    for each in known:
        if has_happened(each.incident.created_at, as_of=month.as_of) and _is_looked_at(month, each):
            yield from _of_incident(month, each)
    yield from _unmapped(month, known)


def _unconfirmed(month: Month, monitor: Monitor, location: str, *, degraded_counts: bool) -> Iterator[Finding]:
    """M3: streaks of failures that are too short, as of the as-of time, and read as up."""
    checks = month.exports.checks.get((monitor.monitor_id, location), [])
    checks = [(at, status) for at, status in checks if has_happened(at, as_of=month.as_of)]
    for streak in monitoring.streaks(checks, monitoring.failures(degraded_counts), monitor):
        first, last = checks[streak[0]][0], streak[-1]
        stale_at = checks[last][0] + monitor.stale_after
        ends = min(stale_at, checks[last + 1][0]) if last + 1 < len(checks) else stale_at
        if len(streak) < monitor.confirm and month.meets((first, ends)):
            yield Finding(
                "unconfirmed_failure",
                monitor.monitor_id,
                month.object_of("catalog/monitors/", monitor.monitor_id),
                f"location {location} failed from {instant_text(first)}, too few checks in a row to confirm it"
                f" (confirm {monitor.confirm}): read as up",
            )


def _is_looked_at(month: Month, known: KnownIncident) -> bool:
    """Whether the incident, from its start to its resolution, both included, is in the window."""
    incident = known.incident
    start = incident.created_at if incident.started_at is None else incident.started_at
    if known.resolved_at is None:
        return start < month.window[1]
    if start > known.resolved_at:
        start = incident.created_at
    return start < month.window[1] and month.window[0] <= known.resolved_at


def _of_incident(month: Month, known: KnownIncident) -> Iterator[Finding]:
    incident = known.incident
    source = month.in_force(known.told_by.key)
    if known.is_withdrawn:
        told = "missing from a later complete export of its page: declares nothing"
        yield Finding("incident_withdrawn", incident.incident_id, source, told)
    elif known.is_inferred and has_happened(known.resolved_at, as_of=month.as_of):
        told = f"resolved at {instant_text(known.resolved_at)}, since a summary of its page no longer lists it"
        yield Finding("incident_resolution_inferred", incident.incident_id, source, told)
    if not _named(incident):
        told = "names no component: declares nothing"
        yield Finding("incident_without_components", incident.incident_id, source, told)


def _named(incident: Incident) -> set[str]:
    """The components that the incident speaks of, in its list or in an update."""
    return {*incident.component_ids, *(name for update in incident.updates for name, _ in update.changes)}


def _unmapped(month: Month, known: list[KnownIncident]) -> Iterator[Finding]:
    """S4: what the status page speaks of and the catalog does not map, whenever it does."""
    documents = sorted(month.exports.documents, key=lambda document: (document.exported_at, document.key))
    maintenances = {each.incident_id: (each, document) for document in documents for each in document.maintenances}
    told = [("incident", each.incident, each.told_by) for each in known if not each.is_withdrawn]
    told += [("maintenance", each, document) for each, document in maintenances.values()]
    for kind, each, document in told:
        if has_happened(each.created_at, as_of=month.as_of):
            for component_id in _named(each) - month.exports.components.keys():
                yield Finding(
                    "component_unmapped",
                    component_id,
                    month.in_force(document.key),
                    f"named by {kind} {each.incident_id} and not mapped by the catalog",
                )
