"""What landing leaves half-way is what the raw gate stops, and what it leaves in the end passes (real S3)."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slaledger import gates, landing, terms, transform
from slaledger.warehouse import connect
from tests.gates.conftest import AS_OF, MONTH

RUN_ID = "landed"
MONITORS = "monitor_id,service,region,locations,interval_seconds,stale_after_seconds\nm-1,dashboard,eu,fra,60,{stale}\n"
EXPORTED_AT = datetime(2026, 4, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def overlapping(pipeline, tmp_path_factory: pytest.TempPathFactory):
    """A catalog and two objects whose checks overlap, one step is of two minutes; nothing is settled yet."""
    tree = tmp_path_factory.mktemp("exports")
    _write(tree / "catalog/monitors/all.csv", MONITORS.format(stale=120))
    _write(tree / "monitoring/checks/a.ndjson", _checks(range(0, 40)))
    _write(tree / "monitoring/checks/b.ndjson", _checks([*range(30, 60), 61, 62]))
    pipeline.put(tree)
    _land(pipeline, "first", checks=(False, True))
    terms.publish(pipeline.settings)
    transform.open_build(pipeline.settings, run_id=RUN_ID, service_month=MONTH, as_of=AS_OF, is_closing=False)
    return pipeline


def test_overlapping_checks_stop_the_month_until_they_are_settled(overlapping):
    with pytest.raises(gates.GateFailed, match=r"overlapping_checks_are_settled does not hold: 2 cases \(m-1"):
        gates.run_gate(overlapping.settings, "raw", run_id=RUN_ID)
    assert landing.settle_checks(overlapping.settings, run_id="first") == 2
    gates.run_gate(overlapping.settings, "raw", run_id=RUN_ID)


def test_a_catalog_that_landed_alone_stops_the_month_until_checks_are_judged_again(overlapping, tmp_path: Path):
    landing.settle_checks(overlapping.settings, run_id="first")
    _write(tmp_path / "catalog/monitors/all.csv", MONITORS.format(stale=90))
    overlapping.put(tmp_path)
    _land(overlapping, "second", checks=(False,))
    with pytest.raises(gates.GateFailed, match="checks_are_judged_by_the_catalog_in_force does not hold: 1 case"):
        gates.run_gate(overlapping.settings, "raw", run_id=RUN_ID)
    _land(overlapping, "second", checks=(True,))
    landing.settle_checks(overlapping.settings, run_id="second")
    gates.run_gate(overlapping.settings, "raw", run_id=RUN_ID)


def _land(pipeline, run_id: str, *, checks: tuple[bool, ...]) -> None:
    landing.freeze_listing(pipeline.settings, run_id=run_id)
    for each in checks:
        for batch in landing.plan_batches(pipeline.settings, run_id=run_id, checks=each):
            landing.land_batch(pipeline.settings, batch, run_id=run_id)


def _checks(minutes) -> str:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    return "".join(
        f'{{"monitor_id": "m-1", "location": "fra", "checked_at": "{(start + timedelta(minutes=minute)).isoformat()}", '
        '"status": "up"}\n'
        for minute in minutes
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (EXPORTED_AT.timestamp(), EXPORTED_AT.timestamp()))


def test_rows_that_something_else_took_away_are_back_once_their_object_is_uploaded_again(overlapping, tmp_path: Path):
    """What docs/runbooks/landing.md says to do."""
    key = "catalog/components/all.csv"
    _write(tmp_path / key, "component_id,name,service,region\ncmp-1,Dashboard,dashboard,eu\n")
    overlapping.put(tmp_path)
    overlapping.land("third")
    gates.run_gate(overlapping.settings, "raw", run_id=RUN_ID)
    with connect(overlapping.settings.warehouse) as connection:
        connection.execute("delete from raw.components")
    with pytest.raises(gates.GateFailed, match=rf"match_the_counts_of_their_objects does not hold: 1 case \({key}"):
        gates.run_gate(overlapping.settings, "raw", run_id=RUN_ID)
    overlapping.land("fourth")  # a version is not landed again
    with pytest.raises(gates.GateFailed, match="match_the_counts_of_their_objects"):
        gates.run_gate(overlapping.settings, "raw", run_id=RUN_ID)
    overlapping.put(tmp_path)
    overlapping.land("fifth")
    gates.run_gate(overlapping.settings, "raw", run_id=RUN_ID)
