"""What checks say, by brute force: rule M1 and the gaps of rules M2 and M3, one check at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

Pair = tuple[str, str]
Check = tuple[Pair, datetime, str]


def merged(checks: Iterable[Check], stale_after: Mapping[Pair, timedelta]) -> list[tuple]:
    """(monitor, location, status, first, last) of every longest streak."""
    statuses: dict[Pair, dict[datetime, set[str]]] = defaultdict(lambda: defaultdict(set))
    for pair, at, status in checks:
        statuses[pair][at].add(status)
    found: list[list] = []
    for pair, instants in sorted(statuses.items()):
        for at in sorted(instants):
            status = next(iter(instants[at])) if len(instants[at]) == 1 else "unknown"
            last = found[-1] if found else None
            if last and last[:3] == [*pair, status] and at - last[4] <= stale_after[pair]:
                last[4] = at
            else:
                found.append([*pair, status, at, at])
    return [tuple(streak) for streak in found]


def conflicts(checks: Iterable[Check]) -> set[tuple]:
    """(monitor, location, instant, statuses) of every instant with different statuses."""
    statuses: dict[tuple, set[str]] = defaultdict(set)
    for pair, at, status in checks:
        statuses[*pair, at].add(status)
    return {(*instant, tuple(sorted(found))) for instant, found in statuses.items() if len(found) > 1}
