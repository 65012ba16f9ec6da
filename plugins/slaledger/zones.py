"""Time zones: the pinned `tzdata` package has them, its release is recorded, and PostgreSQL is held to it.

Figures come from PostgreSQL, which has zones of its own: docs/decisions/0012-recorded-zones-are-used.md.
"""

from __future__ import annotations

import functools
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from slaledger.settings import tzdata_version

if TYPE_CHECKING:
    import psycopg

ZONE_FILES = Path(str(resources.files("tzdata"))) / "zoneinfo"
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)

# Every zone of the terms, and the days between which a build can ask for a local time: from the month before it as far
# as `int_local_days` reaches, and a month more for what a line applies from.
IN_USE = """
with

counts as (
    select claims_within_days as day_count from raw.terms_versions
    union all
    select (targets.target ->> 'business_days')::integer
    from raw.terms_versions
    cross join lateral jsonb_each(response_targets) as targets (severity, target)
    union all
    select count(*)::integer from raw.calendar_holidays where holiday >= %(service_month)s group by calendar_id
),

reach as (
    select
        (%(service_month)s - interval '1 month')::date as first_day,
        (
            greatest(%(service_month)s + interval '1 month', %(as_of)s at time zone 'UTC') + interval '1 month'
        )::date + 4 * coalesce(max(day_count), 0) as last_day
    from counts
),

zones as (
    select time_zone from raw.terms_versions
    union
    select calendar_time_zone from raw.terms_versions
)

select zones.time_zone, reach.first_day, reach.last_day
from zones
cross join reach
order by zones.time_zone collate "C"
"""
# As the models do it.
OFFSETS = """
select extract(epoch from instants.instant at time zone %(zone)s - instants.instant at time zone 'UTC')::integer
from generate_series(%(first)s::timestamptz, %(last)s, %(step)s) as instants (instant)
order by instants.instant
"""


class ZonesDiffer(Exception):
    """PostgreSQL's clocks are not those of the `tzdata` release that would be recorded: no figure is made."""

    is_validation = True
    exit_code = 3


def require_recorded_zones(
    connection: psycopg.Connection, *, service_month: date, as_of: datetime, zone_files: Path = ZONE_FILES
) -> None:
    """Every zone of the terms has, in PostgreSQL, the offsets from UTC of the `tzdata` package (rule L6).

    At every instant from the month before the service month to the last day that a due date, a deadline or
    `applies_from` can fall on. Raises `ZonesDiffer` naming each zone, the first instant and both offsets.
    """
    used = connection.execute(IN_USE, {"service_month": service_month, "as_of": as_of}).fetchall()
    differences = [
        difference
        for zone, first_day, last_day in used
        if (difference := _difference(connection, zone, _midnight(first_day), _midnight(last_day), zone_files))
    ]
    if differences:
        raise ZonesDiffer(
            f"PostgreSQL has other time zones than tzdata {tzdata_version()}, which every build, statement and line "
            "records. No figure was made.\n"
            + "\n".join(f"- {difference}" for difference in differences)
            + "\nUpdate PostgreSQL's time-zone data, or install the `tzdata` release that equals it, and run again: "
            "docs/runbooks/zones.md."
        )


@functools.cache
def zone_names() -> frozenset[str]:
    """Every name of the package's zones."""
    return frozenset((ZONE_FILES.parent / "zones").read_text(encoding="ascii").split())


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _difference(
    connection: psycopg.Connection, zone: str, first: datetime, last: datetime, zone_files: Path
) -> str | None:
    """The first minute at which the two differ, in words. Clocks have changed on whole minutes only since 1972."""
    import psycopg

    try:
        with (zone_files / zone).open("rb") as data:
            recorded = ZoneInfo.from_file(data, key=zone)
    except FileNotFoundError:
        return f"{zone} is no zone of tzdata {tzdata_version()}."
    try:
        days = _both(connection, recorded, first, last, DAY)
        # No zone changes its clocks twice a day: where neither changed and both agree, they agree all day.
        spans = [(first, first)] + [
            (before[0], after[0]) for before, after in pairwise(days) if after[1] != after[2] or before[1:] != after[1:]
        ]
        for start, end in spans:
            for instant, used, offset in _both(connection, recorded, start, end, MINUTE):
                if used != offset:
                    return (
                        f"{zone} from {instant:%Y-%m-%dT%H:%MZ} on: {_offset(used)} in PostgreSQL, "
                        f"{_offset(offset)} in tzdata {tzdata_version()}."
                    )
    except psycopg.errors.InvalidParameterValue:
        # The transaction is over; what else differs is found when this is mended.
        raise ZonesDiffer(
            f"PostgreSQL has no time zone {zone}, which is one of the terms. No figure was made. "
            "Update PostgreSQL's time-zone data, and run again: docs/runbooks/zones.md."
        ) from None
    return None


def _both(
    connection: psycopg.Connection, recorded: ZoneInfo, first: datetime, last: datetime, step: timedelta
) -> list[tuple[datetime, int, int]]:
    """(instant, PostgreSQL's offset, the package's), in seconds, from first to last."""
    values = {"zone": recorded.key, "first": first, "last": last, "step": step}
    instants = [first + step * n for n in range((last - first) // step + 1)]
    return [
        (instant, used, round(instant.astimezone(recorded).utcoffset().total_seconds()))
        for instant, (used,) in zip(instants, connection.execute(OFFSETS, values).fetchall(), strict=True)
    ]


def _offset(seconds: int) -> str:
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"UTC{'-' if seconds < 0 else '+'}{hours:02}:{minutes:02}"
