"""What an account sees, instant by instant: rules T3, D1 to D8, X5 and X6.

Nothing is added or taken away as an interval. All instants at which anything could change are collected, and between
two of them the whole question is decided once, with unknown monitoring read as up and as down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from slaledger.reperform import exclusions, monitoring, status_page, terms
from slaledger.reperform.records import Exports, Instant, Notice, RegisterEntry, Span, TermsVersion
from slaledger.reperform.timelines import EVER, Timeline, stepped, timeline

Pair = tuple[str, str]


@dataclass(frozen=True)
class View:
    """What decides an account's downtime: contracts with equal views have the same."""

    terms_id: str
    services: tuple[str, ...]  # empty: all
    region: str
    spans: tuple[Span, ...]
    entries: tuple[RegisterEntry, ...]  # the sound ones, of the account or of all
    notices: tuple[Notice, ...]  # to the account or to all, sent before the as-of time

    @property
    def regions(self) -> tuple[str, ...]:
        """D3."""
        return tuple(sorted({self.region, "global"}))


@dataclass(frozen=True)
class Segment:
    """A span of one kind; nothing up is a segment. Lists are sorted."""

    span: Span
    kind: str  # counted | excluded | unknown
    services: tuple[str, ...]
    categories: tuple[str, ...]
    source_ids: tuple[str, ...]
    at_worst: str  # counted | excluded: what unknown time could be; else the kind


@dataclass
class Evidence:
    """The exports as known before the as-of time, and what has been worked out of them."""

    exports: Exports
    as_of: Instant
    memo: dict[Any, Any] = field(default_factory=dict)

    def once(self, key: tuple[Any, ...], work: Callable[[], Any]) -> Any:
        """The result of the work, done once for a key."""
        if key not in self.memo:
            self.memo[key] = work()
        return self.memo[key]

    def pair(self, pair: Pair, version: TermsVersion) -> Timeline:
        """The pair's (`PairState`, incidents that declare it down) under the terms, before D5 and the exclusions."""
        key = ("pair", pair, version.evidence, version.degraded_counts, version.partial_outage_counts)
        return self.once(key, lambda: stepped(self._told(pair, version), lambda told: _pair_says(pair, *told, version)))

    def _told(self, pair: Pair, version: TermsVersion) -> tuple[Timeline, Timeline]:
        """What monitoring tells of the pair, and what the status page."""
        declared = self.once(("declared",), lambda: status_page.declarations(self.exports, as_of=self.as_of))
        degraded_counts = version.degraded_counts
        return (
            self.once(
                ("monitoring", pair, degraded_counts),
                lambda: monitoring.pair_states(self.exports, pair, degraded_counts=degraded_counts, as_of=self.as_of),
            ),
            self.once(("page", pair), lambda: status_page.pair_states([one for one in declared if one.pair == pair])),
        )


@dataclass(frozen=True)
class PairState:
    """A (service, region) at an instant: whether it is down with unknown monitoring as up, and with it as down."""

    pair: Pair
    is_down: bool
    could_be_down: bool
    excluders: tuple[tuple[str, str], ...]  # (id, category)
    says: tuple[str, ...]  # the monitors and incidents that make it down, or else unknown

    @property
    def counts(self) -> bool:
        """X6: down, and its own exclusions do not take it off."""
        return self.is_down and not self.excluders

    @property
    def could_count(self) -> bool:
        """The same with unknown monitoring as down."""
        return self.could_be_down and not self.excluders


def segments(view: View, evidence: Evidence) -> list[Segment]:
    """The segments of the view's spans, split wherever kind, services, categories or `at_worst` change."""
    return evidence.once(("segments", view), lambda: merged(_pieces(view, evidence)))


def merged(pieces: Iterable[Segment]) -> list[Segment]:
    """Pieces that touch and differ in span and sources alone are one, with the sources of all."""
    found: list[Segment] = []
    for piece in pieces:
        last = found[-1] if found else None
        if (
            last
            and last.span[1] == piece.span[0]
            and replace(last, span=(), source_ids=()) == replace(piece, span=(), source_ids=())
        ):
            sources = tuple(sorted({*last.source_ids, *piece.source_ids}))
            found[-1] = replace(last, span=(last.span[0], piece.span[1]), source_ids=sources)
        else:
            found.append(piece)
    return found


def _pieces(view: View, evidence: Evidence) -> Iterator[Segment]:
    for span in view.spans:
        for start, end in pairwise(_instants_of_change(view, span, evidence)):
            version = _version_at(evidence, view.terms_id, start)
            services = {
                service: [_pair_state(view, (service, region), start, version, evidence) for region in view.regions]
                for service in version.core_services
                if not view.services or service in view.services
            }
            if (segment := _decide((start, end), version.down_when, services)) is not None:
                yield segment


def _instants_of_change(view: View, span: Span, evidence: Evidence) -> list[Instant]:
    """The span's two ends and, between them, every instant at which anything that the view sees could change."""
    found: set[Instant] = set()
    versions = evidence.exports.terms[view.terms_id]
    found.update(version.effective_from for version in versions)
    for version in versions:
        for service in version.core_services:
            for region in view.regions:
                found.update(evidence.pair((service, region), version).changes(span))
    for entry in view.entries:
        found.update(entry.span)
    for notice in view.notices:
        found.update((notice.sent_at, *(notice.window or ())))
    return [span[0], *sorted(at for at in found if span[0] < at < span[1]), span[1]]


def _version_at(evidence: Evidence, terms_id: str, at: Instant) -> TermsVersion:
    """T3. Before the first version, where only D5's lengths look, the first."""
    return terms.in_force(evidence.exports, terms_id, at) or evidence.exports.terms[terms_id][0]


def _pair_says(
    pair: Pair,
    monitors: tuple[frozenset[str], frozenset[str]],
    statuses: frozenset[tuple[str, str]],
    version: TermsVersion,
) -> tuple[PairState, frozenset[str]]:
    """D2."""
    down, unknown = monitors
    declaring = frozenset(incident_id for incident_id, status in statuses if status_page.declares_down(status, version))

    def is_down(monitoring_says: bool) -> bool:
        page_says = bool(declaring)
        return {
            "either": monitoring_says or page_says,
            "monitoring": monitoring_says,
            "status_page": page_says,
            "both": monitoring_says and page_says,
        }[version.evidence]

    known, possible = is_down(bool(down)), is_down(bool(down or unknown))
    speaking = frozenset() if version.evidence == "status_page" else down if known else unknown
    incidents = frozenset() if version.evidence == "monitoring" else declaring
    says = tuple(sorted(speaking | incidents)) if possible else ()
    return PairState(pair, known, possible, (), says), declaring


def _pair_state(view: View, pair: Pair, at: Instant, version: TermsVersion, evidence: Evidence) -> PairState:
    state, declaring = evidence.pair(pair, version).at(at)
    if not state.could_be_down:
        return state
    if version.minimum_outage:
        known, possible = (lengths.at(at) for lengths in _outage_lengths(view, pair[0], evidence))
        state = replace(
            state,
            is_down=state.is_down and known >= version.minimum_outage,
            could_be_down=state.could_be_down and possible >= version.minimum_outage,
        )
    excluders = exclusions.register_excluders(view.entries, version=version, pair=pair, at=at, declaring=declaring)
    excluders += exclusions.maintenance_excluders(evidence.exports, view.notices, version=version, pair=pair, at=at)
    return replace(state, excluders=tuple(excluders))


def _outage_lengths(view: View, service: str, evidence: Evidence) -> tuple[Timeline, Timeline]:
    """D5: the length of the service's outage at each instant, 0 where it is up; with unknown as up, and as down.

    Over all time before the as-of time, as the account sees the service, each instant judged by its own version.
    """
    return evidence.once(
        ("lengths", view.terms_id, view.regions, service), lambda: _measure_outages(view, service, evidence)
    )


def _measure_outages(view: View, service: str, evidence: Evidence) -> tuple[Timeline, Timeline]:
    pairs = [(service, region) for region in view.regions]
    starts = {EVER, evidence.as_of}
    for version in evidence.exports.terms[view.terms_id]:
        starts.add(version.effective_from)
        for pair in pairs:
            starts.update(evidence.pair(pair, version).starts)
    steps: list[tuple[Instant, bool, bool]] = []
    for at in sorted(start for start in starts if start < evidence.as_of):
        version = _version_at(evidence, view.terms_id, at)
        states = [evidence.pair(pair, version).at(at)[0] for pair in pairs]
        steps.append((at, any(state.is_down for state in states), any(state.could_be_down for state in states)))
    known = timeline((at, is_down) for at, is_down, _ in steps)
    possible = timeline((at, could_be_down) for at, _, could_be_down in steps)
    return _lengths(known, evidence.as_of), _lengths(possible, evidence.as_of)


def _lengths(outages: Timeline, as_of: Instant) -> Timeline:
    ends = [*outages.starts[1:], as_of]
    told = zip(outages.starts, ends, outages.values, strict=True)
    return Timeline(outages.starts, [end - start if is_down else 0 for start, end, is_down in told])


def _decide(span: Span, down_when: str, services: dict[str, list[PairState]]) -> Segment | None:
    """D4 and D8 of one span: its segment, None if it is up."""
    if not any(state.could_be_down for states in services.values() for state in states):
        return None

    def holds(test: Callable[[PairState], bool]) -> bool:
        told = [any(test(state) for state in states) for states in services.values()]
        return any(told) if down_when == "any" else all(told)

    if holds(lambda state: state.counts):
        kind, at_worst, makes, spares = "counted", "counted", "counts", None
    elif holds(lambda state: state.could_count):
        kind, at_worst, makes, spares = "unknown", "counted", "could_count", "counts"
    elif holds(lambda state: state.is_down):
        kind, at_worst, makes, spares = "excluded", "excluded", "is_down", "could_count"
    elif holds(lambda state: state.could_be_down):
        kind, at_worst, makes, spares = "unknown", "excluded", "could_be_down", "is_down"
    else:
        return None
    # Only the services in the state that makes the kind, and of them only the pairs in it.
    making = [
        state
        for states in services.values()
        if spares is None or not any(getattr(state, spares) for state in states)
        for state in states
        if getattr(state, makes)
    ]
    excluders = {excluder for state in making for excluder in state.excluders}
    return Segment(
        span=span,
        kind=kind,
        services=tuple(sorted({state.pair[0] for state in making})),
        categories=tuple(sorted({category for _, category in excluders})),
        source_ids=tuple(
            sorted({*(source for state in making for source in state.says), *(id_ for id_, _ in excluders)})
        ),
        at_worst=at_worst,
    )
