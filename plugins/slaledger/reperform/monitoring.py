"""What monitoring says of a (service, region): rules M1 to M7.

M1's conflicts and M7's unknown monitors are settled where checks are read. Everything here is over all time before the
as-of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slaledger.reperform.instants import has_happened
from slaledger.reperform.records import Exports, Instant, Monitor
from slaledger.reperform.timelines import EVER, Timeline, stepped, timeline


def location_states(
    checks: Sequence[tuple[Instant, str]], monitor: Monitor, *, degraded_counts: bool, as_of: Instant
) -> Timeline:
    """`up`, `down` or `unknown` of one location, of its checks in order (M2, M3)."""
    happened = [(at, status) for at, status in checks if has_happened(at, as_of=as_of)]
    found = streaks(happened, failures(degraded_counts), monitor)
    confirmed = {i for streak in found if len(streak) >= monitor.confirm for i in streak}
    steps: list[tuple[Instant, str]] = [(EVER, "unknown")]
    for i, (at, status) in enumerate(happened):
        if status == "unknown":
            steps.append((at, "unknown"))
        else:
            steps.append((at, "down" if i in confirmed else "up"))
        stale_at = at + monitor.stale_after
        if i + 1 == len(happened) or happened[i + 1][0] > stale_at:
            steps.append((stale_at, "unknown"))
    return timeline(steps)


def failures(degraded_counts: bool) -> frozenset[str]:
    """The statuses that are down (M1)."""
    return frozenset({"down", "degraded"} if degraded_counts else {"down"})


def streaks(checks: Sequence[tuple[Instant, str]], failed: frozenset[str], monitor: Monitor) -> list[list[int]]:
    """The places of the failed checks, streak by streak (M3)."""
    found: list[list[int]] = []
    for i, (at, status) in enumerate(checks):
        if status not in failed:
            continue
        follows = i > 0 and checks[i - 1][1] in failed and at - checks[i - 1][0] <= monitor.stale_after
        if follows:
            found[-1].append(i)
        else:
            found.append([i])
    return found


def monitor_states(exports: Exports, monitor: Monitor, *, degraded_counts: bool, as_of: Instant) -> Timeline:
    """`up`, `down` or `unknown` of a monitor (M4), None where it is absent (M7)."""
    locations = [
        location_states(
            exports.checks.get((monitor.monitor_id, location), []),
            monitor,
            degraded_counts=degraded_counts,
            as_of=as_of,
        )
        for location in monitor.locations
    ]

    def decide(values: list[Any]) -> str | None:
        is_present, *states = values
        if not is_present:
            return None
        known = [state for state in states if state != "unknown"]
        if len(known) < monitor.quorum_min:
            return "unknown"
        return "down" if 2 * known.count("down") > len(known) else "up"

    return stepped([_presence(monitor), *locations], decide)


def _presence(monitor: Monitor) -> Timeline:
    steps: list[tuple[Instant, bool]] = [(EVER, monitor.active_from is None)]
    if monitor.active_from is not None:
        steps.append((monitor.active_from, True))
    if monitor.active_until is not None:
        steps.append((monitor.active_until, False))
    return timeline(steps)


def pair_states(exports: Exports, pair: tuple[str, str], *, degraded_counts: bool, as_of: Instant) -> Timeline:
    """The ids of the (service, region)'s monitors that are down, and of those that are unknown (M5)."""
    monitors = [monitor for monitor in exports.monitors.values() if (monitor.service, monitor.region) == pair]

    def decide(states: list[str | None]) -> tuple[frozenset[str], frozenset[str]]:
        told = list(zip(monitors, states, strict=True))
        down = frozenset(monitor.monitor_id for monitor, state in told if state == "down")
        unknown = frozenset(monitor.monitor_id for monitor, state in told if state == "unknown")
        return down, unknown

    lines = [monitor_states(exports, monitor, degraded_counts=degraded_counts, as_of=as_of) for monitor in monitors]
    return stepped(lines, decide)
