"""Checks in the warehouse: overlaps, copies, overwrites and a changing catalog, against brute force (rule M6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from slaledger import landing
from tests.landing import oracle
from tests.landing.bucket import Bucket, check, minutes, monitors, ndjson

FRA = "m1,dashboard,eu,fra,60,"


@pytest.fixture
def known(bucket: Bucket) -> Bucket:
    """A bucket whose catalog knows m1 at fra."""
    bucket.put("catalog/monitors/a", monitors(FRA))
    return bucket


def times(streaks: list[tuple]) -> list[tuple[str, str, str]]:
    """(status, first, last) as times of day."""
    return [(status, f"{first:%H:%M}", f"{last:%H:%M}") for _, _, status, first, last in streaks]


def test_streaks_of_days_meet(known: Bucket) -> None:
    """Two objects side by side are one streak; no check is read twice."""
    known.put("monitoring/checks/1", ndjson(*minutes(0, 10), *minutes(10, 12, "down")))
    known.put("monitoring/checks/2", ndjson(*minutes(12, 14, "down"), *minutes(14, 20)))
    known.land()
    assert times(known.streaks()) == [("up", "00:00", "00:09"), ("down", "00:10", "00:13"), ("up", "00:14", "00:19")]
    assert known.rows("select settled_with from raw.check_spans") == [(None,), (None,)]
    (first, second) = known.rows("select checked_ats from raw.check_streaks where status = 'down' order by first_at")
    assert [f"{at:%H:%M}" for at in (*first[0], *second[0])] == ["00:10", "00:11", "00:12", "00:13"]


def test_degraded_streaks_keep_their_instants(known: Bucket) -> None:
    """Terms may read them as down (rule M1), and an as-of time may then cut them anywhere (rule M3)."""
    known.put("monitoring/checks/1", ndjson(*minutes(0, 2), *minutes(2, 5, "degraded"), *minutes(5, 6, "unknown")))
    known.land()
    kept = known.rows("select status, checked_ats from raw.check_streaks where checked_ats is not null")
    assert [(status, [f"{at:%H:%M}" for at in ats]) for status, ats in kept] == [
        ("degraded", ["00:02", "00:03", "00:04"])
    ]


@pytest.mark.parametrize("is_late_first", [False, True])
def test_overlapping_objects_are_settled(known: Bucket, is_late_first: bool) -> None:
    """Equal checks count once, for the earlier export; which one landed first changes nothing."""
    objects = [("2026-04-01T00:00:00Z", "1", minutes(0, 20)), ("2026-04-02T00:00:00Z", "2", minutes(10, 30))]
    for exported_at, key, rows in reversed(objects) if is_late_first else objects:
        known.put(f"monitoring/checks/{key}", ndjson(*rows), exported_at=exported_at)
        known.land()
    assert known.counts("monitoring/checks/1") == ("loaded", None, 20, 20, 0, 0)
    assert known.counts("monitoring/checks/2") == ("loaded", None, 20, 10, 10, 0)
    assert times(known.streaks()) == [("up", "00:00", "00:29")]


def test_conflict_across_objects_is_unknown(known: Bucket) -> None:
    """Rule M1: recorded, and gone with the object that made it."""
    known.put("monitoring/checks/1", ndjson(*minutes(0, 3)))
    known.put("monitoring/checks/2", ndjson(check("00:01:00", "down")))
    known.land()
    assert times(known.streaks()) == [("up", "00:00", "00:00"), ("unknown", "00:01", "00:01"), ("up", "00:02", "00:02")]
    assert known.rows("select statuses, cardinality(object_ids) from raw.check_conflicts") == [(["down", "up"], 2)]
    known.put("monitoring/checks/2", b"")
    known.land()
    assert times(known.streaks()) == [("up", "00:00", "00:02")]
    assert known.rows("select * from raw.check_conflicts") == []


def test_copy_takes_over(known: Bucket) -> None:
    """All rows of a copy are duplicates, until the first is overwritten."""
    body = ndjson(*minutes(0, 10))
    known.put("monitoring/checks/1", body)
    known.put("monitoring/checks/2", body)
    known.land()
    assert known.counts("monitoring/checks/2") == ("loaded", None, 10, 0, 10, 0)
    known.put("monitoring/checks/1", ndjson(*minutes(20, 21)))
    known.land()
    assert known.counts("monitoring/checks/2") == ("loaded", None, 10, 10, 0, 0)
    assert times(known.streaks()) == [("up", "00:00", "00:09"), ("up", "00:20", "00:20")]
    on_record = known.rows(
        "select rows_read, rows_loaded from raw.source_objects where key = 'monitoring/checks/1' and not is_in_force"
    )
    assert on_record == [(10, 10)]


def test_copy_takes_over_under_the_catalog_of_now(known: Bucket) -> None:
    """A copy had no streaks to judge again when `stale_after` fell; taking over, it is cut by the new one."""
    body = ndjson(check("00:00:00"), check("00:01:30"), check("00:03:00"))
    known.put("monitoring/checks/1", body)
    known.put("monitoring/checks/2", body)
    known.land()
    known.put("catalog/monitors/a", monitors(FRA + "60"))
    known.land()
    known.put("monitoring/checks/1", b"")
    known.land()
    assert len(known.streaks()) == known.rows("select count(*) from raw.check_streaks")[0][0] == 3


def test_deleted_object_still_speaks(known: Bucket) -> None:
    """Its last version stays in force, and settles with what comes."""
    known.put("monitoring/checks/1", ndjson(*minutes(0, 10)))
    known.land()
    known.delete("monitoring/checks/1")
    known.put("monitoring/checks/2", ndjson(*minutes(5, 15)))
    known.land()
    assert times(known.streaks()) == [("up", "00:00", "00:14")]
    assert known.counts("monitoring/checks/2") == ("loaded", None, 10, 5, 5, 0)


def test_unknown_monitor_is_judged_again(bucket: Bucket) -> None:
    """Rule M7: quarantined until the catalog knows it, and again when it no longer does."""
    bucket.put("monitoring/checks/1", ndjson(*minutes(0, 3), *minutes(0, 2, location="ams"), {"monitor_id": "m1"}))
    bucket.land()
    assert bucket.counts("monitoring/checks/1") == ("loaded", None, 6, 0, 0, 6)
    codes = "select reason_code, count(*) from raw.quarantined_rows group by 1 order by 1"
    assert bucket.rows(codes) == [("missing_field", 1), ("unknown_monitor", 5)]
    bucket.put("catalog/monitors/a", monitors(FRA))
    bucket.land()
    assert bucket.counts("monitoring/checks/1") == ("loaded", None, 6, 3, 0, 3)
    assert bucket.rows(codes) == [("missing_field", 1), ("unknown_location", 2)]
    bucket.put("catalog/monitors/a", monitors("m1,dashboard,eu,fra;ams,60,"))
    bucket.land()
    assert bucket.counts("monitoring/checks/1") == ("loaded", None, 6, 5, 0, 1)
    bucket.put("catalog/monitors/a", monitors("m2,dashboard,eu,fra,60,"))
    bucket.land()
    assert bucket.counts("monitoring/checks/1") == ("loaded", None, 6, 0, 0, 6)
    assert bucket.rows("select * from raw.check_streaks") == []
    run_id = bucket.list()
    assert landing.plan_batches(bucket.settings, run_id=run_id, checks=True) == []


def test_catalog_and_checks_of_one_run(bucket: Bucket) -> None:
    """Landed in the wrong order, they agree after the next run."""
    bucket.put("monitoring/checks/1", ndjson(*minutes(0, 3)))
    bucket.put("catalog/monitors/a", monitors(FRA))
    bucket.land(checks_first=True)
    assert bucket.counts("monitoring/checks/1") == ("loaded", None, 3, 0, 0, 3)
    bucket.land()
    assert bucket.counts("monitoring/checks/1") == ("loaded", None, 3, 3, 0, 0)


def test_shorter_stale_after_cuts_again(known: Bucket) -> None:
    """A catalog row that changes `stale_after` reduces its monitor's objects again; a longer one need not."""
    known.put("monitoring/checks/1", ndjson(check("00:00:00"), check("00:01:30"), check("00:03:30")))
    known.land()
    assert times(known.streaks()) == [("up", "00:00", "00:03")]
    for stale_after, expected in (("60", 3), ("90", 2), ("89.999999", 3), ("600", 1)):
        known.put("catalog/monitors/a", monitors(FRA + stale_after))
        known.land()
        assert len(known.streaks()) == expected, stale_after


def test_check_dated_after_its_export_is_quarantined(known: Bucket) -> None:
    """Rule M2: 5 minutes after is still taken."""
    rows = [check("00:05:00"), {**check("00:05:00"), "checked_at": "2026-03-01T00:05:00.000001Z"}]
    known.put("monitoring/checks/1", ndjson(*rows), exported_at="2026-03-01T00:00:00Z")
    known.land()
    assert known.rows("select line_number, reason_code from raw.quarantined_rows") == [(2, "future_check")]


def test_chain_of_overlaps_is_settled_once(known: Bucket) -> None:
    """Each day's export repeats the last minute of the day before: all settle, and then rest."""
    for day in range(6):
        known.put(f"monitoring/checks/{day}", ndjson(*minutes(10 * day, 10 * day + 11)))
    known.land()
    assert times(known.streaks()) == [("up", "00:00", "01:00")]
    assert [known.counts(f"monitoring/checks/{day}")[3] for day in range(6)] == [11, 10, 10, 10, 10, 10]
    assert landing.settle_checks(known.settings, run_id="again") == 0


CATALOGS = {
    "both": ({("m1", "fra"): 60, ("m1", "ams"): 60}, ["m1,dashboard,eu,fra;ams,60,60"]),
    "slack": ({("m1", "fra"): 240, ("m1", "ams"): 240}, ["m1,dashboard,eu,fra;ams,60,240"]),
    "one": ({("m1", "fra"): 120}, ["m1,dashboard,eu,fra,60,"]),
    "none": ({}, ["m9,dashboard,eu,fra,60,"]),
}
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["fra", "fra", "ams"]), st.integers(0, 12), st.sampled_from(["up", "up", "down", "unknown"])
    ),
    max_size=12,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abc"), ROWS, st.integers(1, 3)),
        st.tuples(st.just("copy"), st.sampled_from("abc"), st.sampled_from("abcd"), st.integers(1, 3)),
        st.tuples(st.just("delete"), st.sampled_from("abc")),
        st.tuples(st.just("catalog"), st.sampled_from(sorted(CATALOGS))),
        st.tuples(st.just("land")),
    ),
    min_size=2,
    max_size=10,
)


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(STEPS)
def test_any_history_ends_as_if_landed_at_once(bucket: Bucket, steps: list[tuple]) -> None:
    """Random uploads, overwrites, copies, deletions and catalogs, landed between or not, against brute force."""
    bucket.empty()
    held, catalog = {}, "both"
    bucket.put("catalog/monitors/m", monitors(*CATALOGS[catalog][1]))
    for step, *arguments in steps:
        if step == "put":
            key, rows, day = arguments
            held[key] = rows
            upload(bucket, key, rows, day)
        elif step == "copy" and arguments[0] in held:
            source, key, day = arguments
            held[key] = held[source]
            upload(bucket, key, held[key], day)
        elif step == "delete":
            bucket.delete(f"monitoring/checks/{arguments[0]}")
        elif step == "catalog":
            catalog = arguments[0]
            bucket.put("catalog/monitors/m", monitors(*CATALOGS[catalog][1]))
        elif step == "land":
            bucket.land()
    bucket.land()

    stale_after = {pair: timedelta(seconds=seconds) for pair, seconds in CATALOGS[catalog][0].items()}
    checks = [
        (("m1", location), datetime(2026, 3, 1, 0, minute, tzinfo=UTC), status)
        for rows in held.values()
        for location, minute, status in rows
        if ("m1", location) in stale_after
    ]
    landed = state(bucket)
    assert bucket.streaks() == oracle.merged(checks, stale_after)
    assert {
        (*row[:3], tuple(row[3]))
        for row in bucket.rows("select monitor_id, location, checked_at, statuses from raw.check_conflicts")
    } == oracle.conflicts(checks)
    assert sum(row[2] for row in landed[0]) == len(set(checks))
    bucket.empty_warehouse()
    bucket.land()
    assert state(bucket) == landed, "landing all of it from nothing gives the same"


def upload(bucket: Bucket, key: str, rows: list[tuple], day: int) -> None:
    """An object of checks, exported on a day of April."""
    body = ndjson(*(check(f"00:{minute:02d}:00", status, location=location) for location, minute, status in rows))
    bucket.put(f"monitoring/checks/{key}", body, exported_at=f"2026-04-0{day}T00:00:00Z")


def state(bucket: Bucket) -> tuple[list[tuple], list[tuple], list[tuple]]:
    """Counts of the check objects in force, merged streaks, quarantined rows."""
    return (
        bucket.rows(
            "select key, rows_read, rows_loaded, rows_duplicate, rows_quarantined from raw.source_objects "
            "where is_in_force and feed = 'monitoring/checks' order by key"
        ),
        bucket.streaks(),
        bucket.rows(
            "select key, line_number, quarantined_rows.reason_code from raw.quarantined_rows "
            "inner join raw.source_objects using (object_id) where is_in_force order by 1, 2"
        ),
    )
