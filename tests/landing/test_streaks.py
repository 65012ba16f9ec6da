"""Rule M6, purely: however checks are split, copied and ordered, object by object they make the same streaks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slaledger.streaks import STATUSES, Checks, Source, concatenate, instant, microseconds, reduce, spans, within
from tests.landing import oracle

PAIRS = (("m1", "fra"), ("m1", "ams"), ("m2", "fra"))
STALE_AFTER = {PAIRS[0]: timedelta(seconds=3), PAIRS[1]: timedelta(seconds=1), PAIRS[2]: timedelta(microseconds=1)}
START = microseconds(datetime(2026, 3, 1, tzinfo=UTC))

ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 25), st.integers(0, 3)), max_size=25)


def columns(rows: list[tuple[int, int, int]]) -> Checks:
    """(pair, second, status) → checks."""
    return Checks(
        PAIRS,
        np.array([row[0] for row in rows], dtype=np.int32),
        np.array([START + row[1] * 10**6 for row in rows], dtype=np.int64),
        np.array([row[2] for row in rows], dtype=np.uint8),
    )


def overlapping(own: Source, sources: list[Source]) -> list[Source]:
    """The others' checks within own's spans."""
    windows = {pair: (first, last) for pair, first, last in spans(own.checks)}
    return [
        Source(source.object_id, source.order, within(source.checks, windows))
        for source in sources
        if source is not own
    ]


@settings(max_examples=300, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=5), st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=2))
def test_objects_make_what_all_checks_make(objects: list, order: list[int], copies: list[int]) -> None:
    """Random checks in random objects, some of them copied, in a random order, against brute force."""
    objects = [*objects, *(objects[copy % len(objects)] for copy in copies)]
    sources = [
        Source(f"o{number}", (str(order[number % 5]), str(number)), columns(rows))
        for number, rows in enumerate(objects)
    ]
    every = [
        (PAIRS[pair], instant(START + second * 10**6), STATUSES[status])
        for rows in objects
        for pair, second, status in rows
    ]
    reduced = {source.object_id: reduce(source, overlapping(source, sources), STALE_AFTER) for source in sources}

    for source in sources:
        found = reduced[source.object_id]
        assert sum(streak.n for streak in found.streaks) == found.rows_loaded
        assert found.rows_loaded + found.rows_duplicate == len(source.checks)
        keys = [(streak.pair, streak.first_at, streak.status) for streak in found.streaks]
        assert len(set(keys)) == len(keys), "the table's key"
    assert sum(found.rows_loaded for found in reduced.values()) == len(set(every))

    streaks = [streak for found in reduced.values() for streak in found.streaks]
    assert merge(streaks) == oracle.merged(every, STALE_AFTER)
    assert {
        (*conflict.pair, conflict.checked_at, conflict.statuses)
        for found in reduced.values()
        for conflict in found.conflicts
    } == oracle.conflicts(every)
    for streak in streaks:
        assert (streak.checked_ats is not None) == (streak.status in ("down", "degraded"))
        if streak.checked_ats:
            assert len(streak.checked_ats) == streak.n
            assert (streak.checked_ats[0], streak.checked_ats[-1]) == (streak.first_at, streak.last_at)
        assert streak.max_gap <= STALE_AFTER[streak.pair]


def merge(streaks: list) -> list[tuple]:
    """Streaks merged where they touch; none may lie within another."""
    found: list[list] = []
    for streak in sorted(streaks, key=lambda streak: (streak.pair, streak.first_at, streak.last_at)):
        last = found[-1] if found else None
        if last and last[:2] == [*streak.pair]:
            is_instant = streak.first_at == streak.last_at == last[4] and streak.status == last[2] == "unknown"
            assert streak.first_at > last[4] or is_instant, "streaks overlap"
        is_same = last and last[:3] == [*streak.pair, streak.status]
        if is_same and streak.first_at - last[4] <= STALE_AFTER[streak.pair]:
            last[4] = streak.last_at
        else:
            found.append([*streak.pair, streak.status, streak.first_at, streak.last_at])
    return [tuple(streak) for streak in found]


def test_gap_of_exactly_stale_after_does_not_cut() -> None:
    """Rule M3: longer than it does."""
    own = Source("o", (), columns([(0, 0, 0), (0, 3, 0), (0, 7, 0)]))
    assert [(streak.n, streak.max_gap) for streak in reduce(own, [], STALE_AFTER).streaks] == [
        (2, timedelta(seconds=3)),
        (1, timedelta()),
    ]


def test_earlier_object_keeps_the_check() -> None:
    """By (exported_at, key, version), whoever landed first."""
    early, late = Source("a", ("1",), columns([(0, 0, 0)])), Source("b", ("2",), columns([(0, 0, 0), (0, 1, 0)]))
    assert reduce(early, [late], STALE_AFTER).rows_loaded == 1
    assert reduce(late, [early], STALE_AFTER).rows_duplicate == 1


def test_conflict_is_unknown_and_counts_its_rows() -> None:
    """Rule M1: three rows, two statuses, one instant."""
    own = Source("o", (), columns([(0, 0, 0), (0, 1, 0), (0, 1, 1), (0, 1, 1), (0, 2, 0)]))
    found = reduce(own, [], STALE_AFTER)
    assert [(streak.status, streak.n) for streak in found.streaks] == [("up", 1), ("unknown", 2), ("up", 1)]
    assert found.rows_duplicate == 1
    assert [conflict.statuses for conflict in found.conflicts] == [("down", "up")]


def test_no_checks_make_no_streaks() -> None:
    """An object of none."""
    assert reduce(Source("o", (), concatenate([])), [], {}).streaks == ()
    assert list(spans(concatenate([]))) == []
