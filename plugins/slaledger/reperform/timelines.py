"""Values that hold from one instant to the next."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from slaledger.reperform.records import Instant, Span

EVER: Instant = -(1 << 62)  # before anything that an export can name


@dataclass(frozen=True)
class Timeline:
    """`values[i]` holds from `starts[i]` until the next start; the first start is `EVER`, the last value has no end."""

    starts: list[Instant]
    values: list[Any]

    def at(self, instant: Instant) -> Any:
        """The value that holds at the instant."""
        return self.values[bisect_right(self.starts, instant) - 1]

    def changes(self, span: Span) -> list[Instant]:
        """The instants strictly within the span at which another value begins."""
        return self.starts[bisect_right(self.starts, span[0]) : bisect_left(self.starts, span[1])]


def timeline(steps: Iterable[tuple[Instant, Any]]) -> Timeline:
    """The timeline of (since, value) in order, the first since `EVER`; a value that is repeated goes on."""
    starts: list[Instant] = []
    values: list[Any] = []
    for since, value in steps:
        if not values or value != values[-1]:
            starts.append(since)
            values.append(value)
    return Timeline(starts, values)


def stepped(timelines: Sequence[Timeline], decide: Callable[[list[Any]], Any]) -> Timeline:
    """What `decide` says of the timelines' values, wherever one of them changes."""
    starts = sorted({EVER}.union(*(line.starts for line in timelines)))
    return timeline((start, decide([line.at(start) for line in timelines])) for start in starts)
