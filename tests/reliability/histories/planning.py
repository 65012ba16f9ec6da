"""Plans: which months close in which order, as of when; each world sees of them what is of its months."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.reliability.histories.arriving import LAST_AS_OF, MONTHS, following

# Contracts are active in two months or more, one after the other: all that share theirs are a world.
SPANS = tuple(MONTHS[first:end] for first in range(len(MONTHS)) for end in range(first + 2, len(MONTHS) + 1))


def as_of_times(month: str) -> tuple[str, ...]:
    """Beside the deadline of its claims, before and after people did things; in no zone is the month not over."""
    first = following(month)
    return (
        *(f"{first}-04T00:00:00Z", f"{first}-11T00:00:00Z", f"{first}-20T00:00:00Z"),
        f"{following(first)}-05T12:00:00Z",
    )


@dataclass(frozen=True)
class Closing:
    """A month that a run closes as of an instant."""

    month: str
    as_of: str
    run_id: str
    has_news: bool = True  # objects arrive before it
    surpasses: str = ""  # an earlier run, which can then no more be made anew


def plan_closings(chance: random.Random) -> list[Closing]:
    """All months twice and one more, in any order and as of any of their times; at last, each as of the last.

    Among them one again as of an earlier instant, after what was closed since; and one again without news.
    """
    months = [*MONTHS, *MONTHS, chance.choice(MONTHS)]
    chance.shuffle(months)
    closings = [
        Closing(month, chance.choice(as_of_times(month)), f"closing_{number}") for number, month in enumerate(months)
    ]
    earlier = chance.choice(closings[:2])
    again = Closing(earlier.month, earlier.as_of, "again", surpasses=earlier.run_id)
    closings.insert(chance.randrange(3, len(closings)), again)
    repeated = chance.randrange(len(closings))
    same = closings[repeated]
    closings.insert(repeated + 1, Closing(same.month, same.as_of, "without_news", has_news=False))
    last = list(MONTHS)
    chance.shuffle(last)
    return closings + [Closing(month, LAST_AS_OF, f"last_{month}", number == 0) for number, month in enumerate(last)]


def plan_of(closings: list[Closing], span: tuple[str, ...]) -> tuple[tuple[int, int, bool], ...]:
    """What a world sees of the closings: which of its months closes, as of which of its times, and after any news."""
    return tuple(
        (
            span.index(closing.month),
            (*as_of_times(closing.month), LAST_AS_OF).index(closing.as_of),
            closing.has_news,
        )
        for closing in closings
        if closing.month in span
    )
