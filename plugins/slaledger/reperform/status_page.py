"""What the status page declares: rules S1 to S5.

Withdrawal and what a summary says by silence are judged over all exports; what has not happened before the as-of time
(an update, a resolution, an incident's creation) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slaledger.reperform.instants import has_happened
from slaledger.reperform.records import Exports, Incident, Instant, PageDocument, Span, TermsVersion, Update
from slaledger.reperform.timelines import EVER, Timeline, timeline


@dataclass(frozen=True)
class Declaration:
    """An incident has a (service, region) in a status that is not `operational`, for a span."""

    incident_id: str
    pair: tuple[str, str]
    span: Span
    status: str


@dataclass(frozen=True)
class KnownIncident:
    """An incident as its latest document tells it, and what other documents say of it."""

    incident: Incident
    told_by: PageDocument
    is_withdrawn: bool
    resolved_at: Instant | None
    is_inferred: bool  # that it was resolved (S5)


def declares_down(status: str, version: TermsVersion) -> bool:
    """Whether the status of a component is down under the terms (S1, M1)."""
    return (
        status == "major_outage"
        or (status == "partial_outage" and version.partial_outage_counts)
        or (status == "degraded_performance" and version.degraded_counts)
    )


def declarations(exports: Exports, *, as_of: Instant) -> list[Declaration]:
    """All declarations before the as-of time. Components that the catalog does not map are left to S4's gate."""
    return [
        Declaration(known.incident.incident_id, (component.service, component.region), span, status)
        for known in known_incidents(exports.documents)
        if not known.is_withdrawn and has_happened(known.incident.created_at, as_of=as_of)
        for component_id, span, status in _component_spans(known.incident, known.resolved_at, as_of)
        if (component := exports.components.get(component_id)) is not None
    ]


def pair_states(declared: list[Declaration]) -> Timeline:
    """The (incident, status) that hold of one (service, region), of its declarations."""
    starts = sorted({EVER}.union(*(declaration.span for declaration in declared)))
    return timeline(
        (
            start,
            frozenset(
                (declaration.incident_id, declaration.status)
                for declaration in declared
                if declaration.span[0] <= start < declaration.span[1]
            ),
        )
        for start in starts
    )


def known_incidents(documents: list[PageDocument]) -> Iterator[KnownIncident]:
    """The incidents as exported last, withdrawn ones too (S3), and when each was resolved."""
    listings = sorted((doc for doc in documents if doc.kind != "scheduled_maintenances"), key=_export_order)
    latest = {incident.incident_id: (incident, doc) for doc in listings for incident in doc.incidents}
    for incident, told_by in latest.values():
        # A document that names no page may list any page's incidents, but lacks none of them.
        page = [doc for doc in listings if doc.page_id == incident.page_id and doc.page_id is not None]
        listing = [
            doc
            for doc in listings
            if incident.incident_id in doc.listed_ids and doc.page_id in (None, incident.page_id)
        ]
        told_at = _told_resolution(incident)
        silent_at = _first_silence(incident, page, listing) if told_at is None else None
        yield KnownIncident(
            incident=incident,
            told_by=told_by,
            is_withdrawn=_is_withdrawn(page, listing),
            resolved_at=silent_at if told_at is None else told_at,
            is_inferred=silent_at is not None,
        )


def _export_order(document: PageDocument) -> tuple[Instant, str]:
    return document.exported_at, document.key


def _is_withdrawn(page: list[PageDocument], listing: list[PageDocument]) -> bool:
    """Whether a complete list of the page's incidents, later than all that list it, lacks it (S3)."""
    last_listed = max(map(_export_order, listing))
    return any(doc.kind == "incidents" and doc.is_complete and _export_order(doc) > last_listed for doc in page)


def _first_silence(incident: Incident, page: list[PageDocument], listing: list[PageDocument]) -> Instant | None:
    """The first of the page's summaries that no longer lists the incident (S5)."""
    # What says otherwise: word of the incident itself, or any document that lists it, that is as late.
    listed_at = [doc.exported_at if doc.page_updated_at is None else doc.page_updated_at for doc in listing]
    known_open = max([incident.created_at, *(update.at for update in incident.updates), *listed_at])
    silent = [
        doc.page_updated_at
        for doc in page
        if doc.kind == "summary" and doc.page_updated_at is not None and doc.page_updated_at > known_open
    ]
    return min(silent, default=None)


def _is_over(incident: Incident) -> bool:
    """One that was reopened is not, whatever it said before."""
    return incident.status in {"resolved", "postmortem"}


def _told_resolution(incident: Incident) -> Instant | None:
    """When it was over by its own words (S2); None of an open one."""
    if incident.resolved_at is not None and _is_over(incident):
        return incident.resolved_at
    return _resolving_update(incident)


def _resolving_update(incident: Incident) -> Instant | None:
    """When its `resolved` update was, the last if it was reopened in between; None of an open one."""
    ends = [update.at for update in incident.updates if update.status == "resolved"]
    return max(ends, default=None) if _is_over(incident) else None


def _component_spans(
    incident: Incident, resolved_at: Instant | None, as_of: Instant
) -> Iterator[tuple[str, Span, str]]:
    """(component, span, status) for each time that the incident has a component in anything but `operational`."""
    end = as_of if resolved_at is None else min(resolved_at, as_of)
    # What updates set ends with the update that resolved for good (S1), whatever `resolved_at` says beside it.
    resolving_at = _resolving_update(incident)
    settled_at = resolved_at if resolving_at is None else resolving_at
    updates = [
        update
        for update in _in_time_order(incident.updates)
        if has_happened(update.at, as_of=as_of) and (settled_at is None or update.at <= settled_at)
    ]
    if any(status != "operational" for update in updates for _, status in update.changes):
        yield from _spans_of_updates(updates, as_of if settled_at is None else min(settled_at, as_of))
    elif incident.impact == "critical":
        start = incident.created_at if incident.started_at is None else incident.started_at
        if resolved_at is not None and start > resolved_at:
            start = incident.created_at
        if start < end:
            for component_id in incident.component_ids:
                yield component_id, (start, end), "major_outage"


def _in_time_order(updates: tuple[Update, ...]) -> list[Update]:
    """Earliest first. Documents list the newest first: of two of one instant the first listed is the later word."""
    places = sorted(range(len(updates)), key=lambda place: (updates[place].at, -place))
    return [updates[place] for place in places]


def _spans_of_updates(updates: list[Update], end: Instant) -> Iterator[tuple[str, Span, str]]:
    """S1: from the update that set a status to the one that changed it or resolved the incident, or the end."""
    for component_id in sorted({component_id for update in updates for component_id, _ in update.changes}):
        # A resolution ends what was set, whether it names the component or not, and whatever it sets itself.
        words = [
            (update.at, "operational" if update.status == "resolved" else dict(update.changes)[component_id])
            for update in updates
            if update.status == "resolved" or component_id in dict(update.changes)
        ]
        for (start, status), (until, _) in zip(words, [*words[1:], (end, "")], strict=True):
            if status != "operational" and start < until:
                yield component_id, (start, until), status
