"""PostgreSQL's time zones are those of the `tzdata` release that is recorded, or no figure is made (rule L6)."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from slaledger import terms, transform, warehouse
from slaledger.settings import Exports, Settings
from slaledger.stack.postgres import Postgres
from slaledger.warehouse import connect
from slaledger.zones import IN_USE, ZONE_FILES, ZonesDiffer, require_recorded_zones
from tests.gates.conftest import AS_OF, MONTH, RUN_ID

Month = Callable[..., Settings]
BERLIN = "update raw.terms_versions set calendar_time_zone = 'Europe/Berlin' where terms_id = 'klink-growth'"
NEW_YORK = "update raw.terms_versions set time_zone = 'America/New_York' where terms_id = 'klink-growth'"


@pytest.fixture
def other_zones(tmp_path: Path) -> Callable[..., Path]:
    """`other_zones(replaced)`: a copy of the package's zones with some in the place of others, or away."""

    def make(replaced: dict[str, str | None]) -> Path:
        made = tmp_path / "zoneinfo"
        shutil.copytree(ZONE_FILES, made)
        for zone, other in replaced.items():
            (made / zone).unlink()
            if other:
                shutil.copy2(ZONE_FILES / other, made / zone)
        return made

    return make


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Postgres]:
    server = Postgres(tmp_path / "server", is_durable=False)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("replaced", "said"),
    [
        (
            {"Europe/Berlin": "Asia/Tokyo"},
            "Europe/Berlin from 2026-02-01T00:00Z on: UTC+09:00 in PostgreSQL, UTC+01:00 in tzdata",
        ),
        ({"Europe/Berlin": None}, "PostgreSQL has no time zone Europe/Berlin"),
    ],
    ids=["other", "absent"],
)
def test_a_server_with_other_zones_makes_no_figure(
    own_server: Postgres,
    other_zones: Callable[..., Path],
    replaced: dict[str, str | None],
    said: str,
    tmp_path: Path,
):
    settings = Settings(
        home=tmp_path / "home",
        warehouse=own_server.ensure_database("zones"),
        exports=Exports("exports", None, "us-east-1", None, None),
        quarantine_limit_percent=Decimal(10),
    )
    warehouse.migrate(settings.warehouse)
    terms.publish(settings)
    _run(settings, BERLIN)
    transform.open_build(settings, run_id=RUN_ID, service_month=MONTH, as_of=AS_OF, is_closing=True)
    # A session of PostgreSQL reads a zone's file when it first asks for the zone.
    zones = own_server.home / "pginstall" / "share" / "timezone"
    zones.unlink()
    zones.symlink_to(other_zones(replaced))
    with pytest.raises(ZonesDiffer, match="No figure was made") as refused:
        transform.build_models(settings, run_id=RUN_ID)
    assert said in str(refused.value)
    assert "docs/runbooks/zones.md" in str(refused.value)
    assert refused.value.is_validation
    assert _run(settings, "select models_built_at from audit.builds") == [(None,)]
    marts = _run(settings, "select format('marts.%I', tablename) from pg_tables where schemaname = 'marts'")
    assert marts
    assert [name for (name,) in marts if _run(settings, f"select exists (select from {name})") == [(True,)]] == []


def test_the_first_minute_of_a_difference_is_named(month: Month, other_zones: Callable[..., Path]):
    settings = month(NEW_YORK, BERLIN)
    # Both change their clocks on 8 March 2026: New York at 02:00, Havana at 00:00.
    zones = other_zones({"America/New_York": "America/Havana"})
    with pytest.raises(ZonesDiffer) as refused:
        _require(settings, zones)
    assert "- America/New_York from 2026-03-08T05:00Z on: UTC-05:00 in PostgreSQL, UTC-04:00 in tzdata " in str(
        refused.value
    )
    assert "Europe/Berlin" not in str(refused.value)
    _require(settings, ZONE_FILES)


def test_a_zone_that_the_package_lacks_is_refused(month: Month, other_zones: Callable[..., Path]):
    with pytest.raises(ZonesDiffer, match="Europe/Berlin is no zone of tzdata"):
        _require(month(BERLIN), other_zones({"Europe/Berlin": None}))


def test_all_days_of_the_models_are_compared(clean_month: Settings):
    with connect(clean_month.warehouse) as connection:
        ((_, first_day, last_day),) = connection.execute(IN_USE, {"service_month": MONTH, "as_of": AS_OF}).fetchall()
        first, last = connection.execute(
            "select min(local_day), max(local_day) from intermediate.int_local_days"
        ).fetchone()
    assert first_day <= first - timedelta(days=2)
    assert last + timedelta(days=2) <= last_day


def test_what_is_recorded_is_the_release_of_the_zone_files(clean_month: Settings):
    release = (ZONE_FILES / "tzdata.zi").read_text().splitlines()[0].removeprefix("# version ")
    assert _run(clean_month, "select tzdata_version from audit.builds") == [(release,)]


def test_a_build_of_another_release_is_not_built(month: Month, tmp_path: Path):
    settings = dataclasses.replace(month("update audit.builds set tzdata_version = '2020a'"), home=tmp_path / "home")
    with pytest.raises(transform.BuildMismatch, match="opened with tzdata 2020a"):
        transform.build_models(settings, run_id=RUN_ID)


def _require(settings: Settings, zone_files: Path) -> None:
    with connect(settings.warehouse) as connection:
        require_recorded_zones(
            connection, service_month=date(2026, 3, 1), as_of=datetime(2026, 4, 12, tzinfo=UTC), zone_files=zone_files
        )


def _run(settings: Settings, statement: str) -> list[tuple]:
    with connect(settings.warehouse) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []
