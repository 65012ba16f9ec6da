"""Availability by brute force, written from sla-rules.md alone: what holds at one instant, asked at every instant
between two changes of anything. Nothing here knows how the models do it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

Span = tuple[datetime, datetime]
PAIR = tuple[str, str]


@dataclass(frozen=True)
class Terms:
    """One version; `start` is its effective_from."""

    version: str
    start: datetime
    core_services: tuple[str, ...]
    down_when: str
    evidence: str
    degraded_counts: bool
    partial_outage_counts: bool
    minimum_outage: timedelta
    excluded_time: str
    categories: tuple[str, ...]


@dataclass(frozen=True)
class Monitor:
    """A monitor with all its checks: location -> instant -> the statuses given for it."""

    monitor_id: str
    pair: PAIR
    stale_after: timedelta
    confirm: int
    quorum: int
    active: Span
    checks: dict[str, dict[datetime, set[str]]]


@dataclass(frozen=True)
class Incident:
    """An incident on one pair: (instant, status) in order, and when it was resolved."""

    incident_id: str
    pair: PAIR
    settings: tuple[tuple[datetime, str], ...]
    resolved_at: datetime | None


@dataclass(frozen=True)
class Exclusion:
    """A sound register entry, or a maintenance window announced in time (`incident_ids` None)."""

    source_id: str
    category: str
    span: Span
    services: tuple[str, ...]
    regions: tuple[str, ...]
    accounts: tuple[str, ...]
    incident_ids: tuple[str, ...] | None


@dataclass(frozen=True)
class Contract:
    """What one account-month is about."""

    contract_id: str
    account_id: str
    region: str
    services: tuple[str, ...]
    active: Span
    suspensions: tuple[Span, ...]
    terms: tuple[Terms, ...]


@dataclass
class World:
    """All that an oracle may look at, as of an instant."""

    as_of: datetime
    monitors: list[Monitor] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    exclusions: list[Exclusion] = field(default_factory=list)
    # What was asked before: several contracts ask the same of one monitor.
    memory: dict[tuple[str, datetime, bool], str] = field(default_factory=dict, init=False)


@dataclass(frozen=True)
class Answer:
    """Seconds by kind, exact."""

    measured: Decimal
    counted: Decimal
    excluded: Decimal
    unknown_uncovered: Decimal
    unknown_covered: Decimal


def seconds(span: timedelta) -> Decimal:
    """The exact length of a time."""
    return Decimal(span // timedelta(microseconds=1)) / 1_000_000


def _reads_down(statuses: set[str], terms: Terms) -> bool:
    return statuses == {"down"} or (statuses == {"degraded"} and terms.degraded_counts)


def location_state(world: World, monitor: Monitor, location: str, at: datetime, terms: Terms) -> str:
    """`up`, `down` or `unknown` of a location (rules M1 to M3)."""
    taken = monitor.checks[location]
    known = sorted(checked_at for checked_at in taken if checked_at <= world.as_of)
    before = [checked_at for checked_at in known if checked_at <= at]
    if not before or at - before[-1] >= monitor.stale_after or len(taken[before[-1]]) > 1:
        return "unknown"
    statuses = taken[before[-1]]
    if statuses == {"unknown"}:
        return "unknown"
    if not _reads_down(statuses, terms):
        return "up"
    index = known.index(before[-1])
    first = last = index
    while (
        first > 0
        and _reads_down(taken[known[first - 1]], terms)
        and known[first] - known[first - 1] <= monitor.stale_after
    ):
        first -= 1
    while (
        last + 1 < len(known)
        and _reads_down(taken[known[last + 1]], terms)
        and known[last + 1] - known[last] <= monitor.stale_after
    ):
        last += 1
    return "down" if last - first + 1 >= monitor.confirm else "up"


def monitor_state(world: World, monitor: Monitor, at: datetime, terms: Terms) -> str:
    """Rules M4 and M7."""
    asked = (monitor.monitor_id, at, terms.degraded_counts)
    if asked not in world.memory:
        world.memory[asked] = _monitor_state(world, monitor, at, terms)
    return world.memory[asked]


def _monitor_state(world: World, monitor: Monitor, at: datetime, terms: Terms) -> str:
    if not monitor.active[0] <= at < monitor.active[1]:
        return "up"
    states = [location_state(world, monitor, location, at, terms) for location in monitor.checks]
    known = [state for state in states if state != "unknown"]
    if len(known) < monitor.quorum:
        return "unknown"
    return "down" if 2 * known.count("down") > len(known) else "up"


def declares_down(world: World, incident: Incident, at: datetime, terms: Terms) -> bool:
    """Rule S1: whether an incident has its component in a status that is down."""
    end = min(incident.resolved_at or world.as_of, world.as_of)
    if at >= end:
        return False
    settled = [status for set_at, status in incident.settings if set_at <= min(at, world.as_of)]
    return bool(settled) and (
        settled[-1] == "major_outage"
        or (settled[-1] == "partial_outage" and terms.partial_outage_counts)
        or (settled[-1] == "degraded_performance" and terms.degraded_counts)
    )


def pair_is_down(world: World, pair: PAIR, at: datetime, terms: Terms, *, unknown_is_down: bool) -> bool:
    """Rules M5 and D2, with unknown decided."""
    states = [monitor_state(world, monitor, at, terms) for monitor in world.monitors if monitor.pair == pair]
    monitored = "down" in states or ("unknown" in states and unknown_is_down)
    declared = any(declares_down(world, each, at, terms) for each in world.incidents if each.pair == pair)
    return {
        "either": monitored or declared,
        "monitoring": monitored,
        "status_page": declared,
        "both": monitored and declared,
    }[terms.evidence]


def covers(exclusion: Exclusion, contract: Contract, pair: PAIR, at: datetime, terms: Terms) -> bool:
    """Rules X1, X2, X6: whether an exclusion is for this account, pair and instant."""
    return (
        exclusion.span[0] <= at < exclusion.span[1]
        and exclusion.category in terms.categories
        and (not exclusion.services or pair[0] in exclusion.services)
        and (not exclusion.regions or pair[1] in exclusion.regions)
        and (not exclusion.accounts or contract.account_id in exclusion.accounts)
    )


def pair_is_excluded(world: World, contract: Contract, pair: PAIR, at: datetime, terms: Terms) -> bool:
    """Rule X7 on top."""
    covering = [each for each in world.exclusions if covers(each, contract, pair, at, terms)]
    if any(each.incident_ids is None for each in covering):
        return True
    explained = {incident_id for each in covering for incident_id in each.incident_ids or ()}
    declaring = {
        each.incident_id for each in world.incidents if each.pair == pair and declares_down(world, each, at, terms)
    }
    return bool(covering) and declaring <= explained


def boundaries(world: World, contract: Contract, month: Span) -> list[datetime]:
    """Every instant at which anything may change."""
    found = {*month, *contract.active, world.as_of}
    found |= {at for span in contract.suspensions for at in span}
    found |= {terms.start for terms in contract.terms}
    for monitor in world.monitors:
        found |= set(monitor.active)
        for taken in monitor.checks.values():
            for checked_at in taken:
                found |= {checked_at, checked_at + monitor.stale_after}
    for incident in world.incidents:
        found |= {set_at for set_at, _ in incident.settings}
        found |= {incident.resolved_at} if incident.resolved_at else set()
    found |= {at for exclusion in world.exclusions for at in exclusion.span}
    return sorted(at for at in found if at <= world.as_of)


def answer(world: World, contract: Contract, month: Span) -> Answer:
    """The account-month, by asking at each instant (rules P2, T3, D3 to D8)."""
    cuts = boundaries(world, contract, month)
    steps = list(itertools.pairwise(cuts))
    regions = list(dict.fromkeys((contract.region, "global")))
    sums = dict.fromkeys(("measured", "counted", "excluded", "unknown_uncovered", "unknown_covered"), Decimal(0))
    views = {terms.version: _Judged(world, contract, terms, steps, regions) for terms in contract.terms}
    for number, (start, end) in enumerate(steps):
        if not _is_measured(world, contract, month, start):
            continue
        sums["measured"] += seconds(end - start)
        terms = max((each for each in contract.terms if each.start <= start), key=lambda each: each.start)
        kind = views[terms.version].kind(number)
        if kind:
            sums[kind] += seconds(end - start)
    return Answer(**sums)


def _is_measured(world: World, contract: Contract, month: Span, at: datetime) -> bool:
    return (
        month[0] <= at < month[1]
        and contract.active[0] <= at < contract.active[1]
        and at < world.as_of
        and not any(start <= at < end for start, end in contract.suspensions)
    )


class _Judged:
    """What one terms version makes of all time, whether in force then or not: lengths are judged over all of it."""

    def __init__(
        self, world: World, contract: Contract, terms: Terms, steps: Sequence[Span], regions: Sequence[str]
    ) -> None:
        self.world, self.contract, self.terms, self.steps = world, contract, terms, steps
        self.services = [
            service for service in terms.core_services if not contract.services or service in contract.services
        ]
        self.regions = regions
        self.down: dict[tuple[bool, str, str], list[bool]] = {}
        for unknown_is_down in (False, True):
            for service in self.services:
                by_region = {
                    region: [
                        pair_is_down(world, (service, region), start, terms, unknown_is_down=unknown_is_down)
                        for start, _ in steps
                    ]
                    for region in regions
                }
                lasting = self._long_enough([any(each) for each in zip(*by_region.values(), strict=True)])
                for region, down in by_region.items():
                    self.down[unknown_is_down, service, region] = [
                        one and other for one, other in zip(down, lasting, strict=True)
                    ]

    def _long_enough(self, down: list[bool]) -> list[bool]:
        kept, number = [False] * len(down), 0
        while number < len(down):
            end = number
            while end < len(down) and down[end]:
                end += 1
            if end > number:
                length = self.steps[end - 1][1] - self.steps[number][0]
                kept[number:end] = [length >= self.terms.minimum_outage] * (end - number)
            number = max(end, number + 1)
        return kept

    def kind(self, number: int) -> str | None:
        """Rule D8 at one step."""
        counted, down = {}, {}
        for unknown_is_down in (False, True):
            service_counted, service_down = [], []
            for service in self.services:
                pairs = [
                    (service, region) for region in self.regions if self.down[unknown_is_down, service, region][number]
                ]
                service_down.append(bool(pairs))
                service_counted.append(
                    any(
                        not pair_is_excluded(self.world, self.contract, pair, self.steps[number][0], self.terms)
                        for pair in pairs
                    )
                )
            judge = any if self.terms.down_when == "any" else lambda states: bool(states) and all(states)
            counted[unknown_is_down], down[unknown_is_down] = judge(service_counted), judge(service_down)
        if counted[False]:
            return "counted"
        if counted[True]:
            return "unknown_uncovered"
        if down[False]:
            return "excluded"
        return "unknown_covered" if down[True] else None
