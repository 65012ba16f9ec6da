"""Checks → streaks (rules M1-M3): pure, vectorised, one object at a time with what overlaps it.

A streak is a run of consecutive checks of one monitor and location with one status. Cut finer than needed is always
right: SQL merges what touches. Instants are microseconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

STATUSES = ("up", "down", "degraded", "unknown")
_UNKNOWN = STATUSES.index("unknown")

# What terms may read as down (rule M1): streaks of it keep every instant, for confirmation as of any (rule M3).
FAILURES = ("down", "degraded")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# A monitor and one of its locations.
Pair = tuple[str, str]


@dataclass(frozen=True)
class Checks:
    """Checks as columns: `pair` indexes `pairs`, `at` is in microseconds, `status` indexes STATUSES."""

    pairs: tuple[Pair, ...]
    pair: np.ndarray
    at: np.ndarray
    status: np.ndarray

    def __len__(self) -> int:
        return len(self.at)

    def select(self, is_wanted: np.ndarray) -> Checks:
        """The checks for which the mask holds."""
        return Checks(self.pairs, self.pair[is_wanted], self.at[is_wanted], self.status[is_wanted])


@dataclass(frozen=True)
class Source:
    """The checks of one object, and its place in the order (exported_at, key, version) that attributes duplicates."""

    object_id: str
    order: tuple[str, ...]
    checks: Checks


@dataclass(frozen=True)
class Streak:
    """A row of `raw.check_streaks`, less its object."""

    pair: Pair
    status: str
    first_at: datetime
    last_at: datetime
    n: int
    max_gap: timedelta
    checked_ats: tuple[datetime, ...] | None


@dataclass(frozen=True)
class Conflict:
    """A row of `raw.check_conflicts`: one instant with different statuses."""

    pair: Pair
    checked_at: datetime
    statuses: tuple[str, ...]
    object_ids: tuple[str, ...]


@dataclass(frozen=True)
class Reduced:
    """What one object contributes: `rows_loaded` = sum of its streaks' n; the rest of its checks are duplicates."""

    streaks: tuple[Streak, ...]
    conflicts: tuple[Conflict, ...]
    rows_loaded: int
    rows_duplicate: int


def instant(microseconds: int) -> datetime:
    """Microseconds since 1970 → an instant in UTC, exactly."""
    return _EPOCH + timedelta(microseconds=int(microseconds))


def microseconds(at: datetime) -> int:
    """An instant → microseconds since 1970, exactly."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def concatenate(parts: Sequence[Checks]) -> Checks:
    """Several columns of checks as one, of the pairs that have a check."""
    import numpy as np

    index: dict[Pair, int] = {}
    renumbered = []
    for part in parts:
        codes = np.zeros(len(part.pairs), dtype=np.int32)
        for code in np.unique(part.pair).tolist():
            codes[code] = index.setdefault(part.pairs[code], len(index))
        renumbered.append(codes[part.pair])
    if not parts:
        return Checks((), np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.uint8))
    return Checks(
        tuple(index),
        np.concatenate(renumbered).astype(np.int32),
        np.concatenate([part.at for part in parts]),
        np.concatenate([part.status for part in parts]),
    )


def spans(checks: Checks) -> Iterator[tuple[Pair, datetime, datetime]]:
    """First and last instant of every pair that has a check."""
    import numpy as np

    if not len(checks):
        return
    order = np.lexsort((checks.at, checks.pair))
    pair, at = checks.pair[order], checks.at[order]
    starts = np.flatnonzero(np.r_[True, pair[1:] != pair[:-1]])
    ends = np.r_[starts[1:], len(pair)] - 1
    for start, end in zip(starts, ends, strict=True):
        yield checks.pairs[pair[start]], instant(at[start]), instant(at[end])


def within(checks: Checks, windows: Mapping[Pair, tuple[datetime, datetime]]) -> Checks:
    """The checks of the given pairs within their closed windows."""
    import numpy as np

    nothing = (1, 0)
    bounds = [tuple(microseconds(at) for at in windows[pair]) if pair in windows else nothing for pair in checks.pairs]
    if not bounds:
        return checks
    first, last = np.array(bounds, dtype=np.int64).T
    return checks.select((checks.at >= first[checks.pair]) & (checks.at <= last[checks.pair]))


def reduce(own: Source, others: Sequence[Source], stale_after: Mapping[Pair, timedelta]) -> Reduced:
    """The streaks of `own`, as all of `own` and `others` together make them.

    `others` need hold no more than the checks within own's span of each pair: what lies outside changes nothing here.
    A check that an earlier object (or line) has is a duplicate; an instant with different statuses is unknown and a
    conflict; a streak is cut where the status or the object changes, and where the gap exceeds `stale_after`.
    """
    import numpy as np

    sources = sorted([own, *others], key=lambda source: source.order)
    own_rank = next(rank for rank, source in enumerate(sources) if source is own)
    every = concatenate([source.checks for source in sources])
    rank = np.repeat(np.arange(len(sources), dtype=np.int32), [len(source.checks) for source in sources])
    if not len(own.checks):
        return Reduced((), (), 0, 0)

    order = np.lexsort((rank, every.status, every.at, every.pair))
    pair, at, status, rank = (column[order] for column in (every.pair, every.at, every.status, rank))
    is_first = np.r_[True, (pair[1:] != pair[:-1]) | (at[1:] != at[:-1]) | (status[1:] != status[:-1])]
    pair, at, status, rank = (column[is_first] for column in (pair, at, status, rank))

    # Instants: after deduplication, several rows at one instant are a conflict.
    is_new_instant = np.r_[True, (pair[1:] != pair[:-1]) | (at[1:] != at[:-1])]
    instant_index = np.cumsum(is_new_instant) - 1
    is_conflict = np.bincount(instant_index)[instant_index] > 1
    conflicts = _conflicts(every.pairs, sources, own_rank, pair, at, status, rank, is_conflict)

    # Within a conflict, the rows of one object stand together.
    order = np.lexsort((rank, at, pair))
    pair, at, status, rank, is_conflict = (column[order] for column in (pair, at, status, rank, is_conflict))
    status = np.where(is_conflict, _UNKNOWN, status)
    stale = np.array([stale_after[key] // timedelta(microseconds=1) for key in every.pairs], dtype=np.int64)[pair]
    gap = np.r_[0, at[1:] - at[:-1]]
    same_instant = is_conflict & (gap == 0)
    is_start = np.r_[
        True,
        (pair[1:] != pair[:-1])
        | (rank[1:] != rank[:-1])
        | (status[1:] != status[:-1])
        | (gap[1:] > stale[1:])
        | ((is_conflict[1:] | is_conflict[:-1]) & ~same_instant[1:]),
    ]
    found = tuple(_streaks(every.pairs, own_rank, pair, at, status, rank, gap, is_start))
    loaded = int((rank == own_rank).sum())
    return Reduced(found, conflicts, loaded, len(own.checks) - loaded)


def _conflicts(pairs, sources, own_rank, pair, at, status, rank, is_conflict) -> tuple[Conflict, ...]:
    grouped: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row in is_conflict.nonzero()[0]:
        grouped.setdefault((int(pair[row]), int(at[row])), []).append((int(status[row]), int(rank[row])))
    return tuple(
        Conflict(
            pair=pairs[key[0]],
            checked_at=instant(key[1]),
            statuses=tuple(sorted({STATUSES[code] for code, _ in rows})),
            object_ids=tuple(sorted({sources[owner].object_id for _, owner in rows})),
        )
        for key, rows in grouped.items()
    )


def _streaks(pairs, own_rank, pair, at, status, rank, gap, is_start) -> Iterator[Streak]:
    import numpy as np

    starts = np.flatnonzero(is_start)
    inner_gap = np.where(is_start, 0, gap)
    max_gaps = np.maximum.reduceat(inner_gap, starts)
    ends = np.r_[starts[1:], len(at)]
    for start, end, max_gap in zip(starts, ends, max_gaps, strict=True):
        if rank[start] != own_rank:
            continue
        name = STATUSES[status[start]]
        yield Streak(
            pair=pairs[pair[start]],
            status=name,
            first_at=instant(at[start]),
            last_at=instant(at[end - 1]),
            n=int(end - start),
            max_gap=timedelta(microseconds=int(max_gap)),
            checked_ats=tuple(instant(value) for value in at[start:end]) if name in FAILURES else None,
        )
