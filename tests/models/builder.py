"""Rows of `raw.*` for tests of availability: what landing makes of monitors, checks, components and incidents.

Functions over the `Exports` that the tests of credits use, too: `load` writes all of it, `build` builds a month.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from slaledger.settings import DBT_PROJECT_DIR, Settings
from tests.models.builder_credits import Exports, instant

__all__ = [
    "Exports",
    "build",
    "checks",
    "component",
    "contract",
    "document",
    "every",
    "failures",
    "incident",
    "instant",
    "monitor",
]

Check = tuple[datetime, str]


def monitor(
    exports: Exports,
    monitor_id: str,
    *,
    service: str,
    region: str,
    locations: Sequence[str] = ("fra",),
    interval_seconds: int = 60,
    stale_after_seconds: int | None = None,
    confirm: int | None = None,
    quorum_min: int | None = None,
    active: tuple[datetime | None, datetime | None] = (None, None),
) -> None:
    """A monitor of the catalog; what is None takes its default in the models."""
    exports.add(
        "monitors",
        "catalog/monitors",
        monitor_id=monitor_id,
        service=service,
        region=region,
        locations=list(locations),
        interval_seconds=interval_seconds,
        stale_after_seconds=stale_after_seconds,
        confirm=confirm,
        quorum_min=quorum_min,
        active_from=active[0],
        active_until=active[1],
    )


def component(exports: Exports, component_id: str, *, service: str, region: str) -> None:
    """A component of the catalog."""
    exports.add(
        "components",
        "catalog/components",
        component_id=component_id,
        name=component_id,
        service=service,
        region=region,
    )


def every(start: str | datetime, step_seconds: int, statuses: str) -> list[Check]:
    """Checks from `start` on, a step apart: `u`p, `d`own, `g` degraded, `?` unknown, `.` none."""
    names = {"u": "up", "d": "down", "g": "degraded", "?": "unknown"}
    return [
        (instant(start) + timedelta(seconds=step_seconds * number), names[letter])
        for number, letter in enumerate(statuses)
        if letter != "."
    ]


def checks(
    exports: Exports,
    monitor_id: str,
    location: str,
    taken: Sequence[Check],
    *,
    stale_after_seconds: float = 120,
    cuts: random.Random | None = None,
    object_key: str | None = None,
) -> None:
    """Checks as streaks: cut where status or gap say so and, with `cuts`, anywhere else, into two objects by turns."""
    streak: list[Check] = []
    statuses_at: dict[datetime, set[str]] = {}
    for checked_at, status in taken:
        statuses_at.setdefault(checked_at, set()).add(status)
    merged = [
        (checked_at, statuses.copy().pop() if len(statuses) == 1 else "unknown")
        for checked_at, statuses in sorted(statuses_at.items())
    ]
    for checked_at, statuses in statuses_at.items():
        if len(statuses) > 1:
            exports.rows.setdefault("check_conflicts", []).append(
                {
                    "monitor_id": monitor_id,
                    "location": location,
                    "checked_at": checked_at,
                    "statuses": sorted(statuses),
                    "object_ids": [exports.object("monitoring/checks", key=object_key)],
                }
            )
    number = 0
    for check, following in zip(merged, [*merged[1:], None][: len(merged)], strict=True):
        streak.append(check)
        if (
            following is None
            or following[1] != check[1]
            or following[0] - check[0] > timedelta(seconds=stale_after_seconds)
            or (cuts is not None and cuts.random() < 0.3)
        ):
            key = object_key or f"monitoring/checks/{number % 2}"
            _streak(exports, monitor_id, location, streak, key)
            streak, number = [], number + 1


def _streak(exports: Exports, monitor_id: str, location: str, streak: Sequence[Check], key: str) -> None:
    ats = [checked_at for checked_at, _ in streak]
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(ats)]
    status = streak[0][1]
    exports.rows.setdefault("check_streaks", []).append(
        {
            "object_id": exports.object("monitoring/checks", key=key),
            "monitor_id": monitor_id,
            "location": location,
            "status": status,
            "first_at": ats[0],
            "last_at": ats[-1],
            "n": len(ats),
            "max_gap_seconds": max(gaps, default=0),
            "checked_ats": ats if status in ("down", "degraded") else None,
        }
    )


def incident(
    exports: Exports,
    incident_id: str,
    *,
    component_ids: Sequence[str],
    updates: Sequence[tuple[str | datetime, str, Mapping[str, str]]],
    impact: str = "major",
    created_at: str | datetime | None = None,
    started_at: str | datetime | None = None,
    resolved_at: str | datetime | None = None,
    is_maintenance: bool = False,
    key: str | None = None,
    exported_at: str | datetime | None = None,
    listed_in: str = "incidents",
    page_id: str = "page",
) -> None:
    """An incident: updates are (at, status, {component: new status}), oldest first."""
    object_id = None
    if key is not None:
        given = {} if exported_at is None else {"exported_at": exported_at}
        object_id = exports.object("status_page/statuspage", key=key, **given)
    written = [
        {
            "update_id": f"{incident_id}-{number}",
            "status": status,
            "at": _iso(at),
            "components": [{"component_id": each, "new_status": to} for each, to in changed.items()],
        }
        for number, (at, status, changed) in enumerate(updates)
    ]
    exports.add(
        "incidents",
        "status_page/statuspage",
        object_id,
        listed_in=listed_in,
        is_maintenance=is_maintenance,
        page_id=page_id,
        incident_id=incident_id,
        status=updates[-1][1] if updates else "investigating",
        impact=impact,
        created_at=instant(created_at or updates[0][0]),
        started_at=instant(started_at) if started_at else None,
        resolved_at=instant(resolved_at) if resolved_at else None,
        component_ids=list(component_ids),
        # The page serves the newest first.
        updates=json.dumps(written[::-1]),
    )


def document(
    exports: Exports,
    kind: str,
    *,
    key: str,
    incident_ids: Sequence[str],
    exported_at: str | datetime,
    page_updated_at: str | datetime | None = None,
    is_complete: bool = False,
    page_id: str = "page",
) -> None:
    """A document of the status page and what it lists."""
    object_id = exports.object("status_page/statuspage", key=key, exported_at=exported_at)
    exports.objects[object_id]["is_complete"] = is_complete
    exports.rows.setdefault("status_page_documents", []).append(
        {
            "object_id": object_id,
            "kind": kind,
            "page_id": page_id,
            "page_updated_at": instant(page_updated_at) if page_updated_at else None,
            "incident_ids": list(incident_ids),
            "maintenance_ids": [],
        }
    )


def contract(
    exports: Exports,
    contract_id: str,
    *,
    region: str,
    services: Sequence[str] = (),
    account_id: str | None = None,
    suspensions: Sequence[tuple[str | datetime, str | datetime]] = (),
    **given: Any,
) -> None:
    """A contract with a fee in every month that tests build, and its account unless that is there already."""
    account = account_id or f"A-{contract_id}"
    if all(row["account_id"] != account for row in exports.rows.get("accounts", [])):
        exports.account(account)
    months = ("2026-02", "2026-03", "2026-04", "2026-05", "2028-02")
    spans = ", ".join(f"[{_iso(start)}, {_iso(end)})" for start, end in suspensions)
    exports.contract(contract_id, account, region=region, suspensions="{" + spans + "}", **{"months": months, **given})
    exports.rows["contracts"][-1]["services"] = list(services)


def build(settings: Settings, *, month: str, as_of: str, select: Sequence[str]) -> None:
    """Build some models and their data tests for a month as of an instant. Raises AssertionError with what failed."""
    from slaledger import transform

    transform.open_build(
        settings,
        run_id=f"{month} {as_of}",
        service_month=date.fromisoformat(f"{month}-01"),
        as_of=instant(as_of),
        is_closing=False,
    )
    failed = failures(settings, "build", select=select)
    assert not failed, failed


def failures(settings: Settings, command: str, *, select: Sequence[str]) -> dict[str, str]:
    """What of a dbt command over some nodes failed: name -> message."""
    from dbt.cli.main import dbtRunner

    environment = {
        "SLA_PG_HOST": settings.warehouse.host,
        "SLA_PG_PORT": str(settings.warehouse.port),
        "SLA_PG_USER": settings.warehouse.user,
        "SLA_PG_PASSWORD": settings.warehouse.password,
        "SLA_PG_DATABASE": settings.warehouse.database,
    }
    before = {name: os.environ.get(name) for name in environment}
    # dbt changes the working directory.
    with contextlib.chdir(Path.cwd()):
        os.environ.update(environment)
        try:
            outcome = dbtRunner().invoke(
                [
                    *("--quiet", "--no-use-colors", "--log-path", str(settings.home / "logs"), command),
                    *("--project-dir", str(DBT_PROJECT_DIR), "--profiles-dir", str(DBT_PROJECT_DIR)),
                    *("--target-path", str(settings.home / "target"), "--exclude", "test_type:unit"),
                    *("--indirect-selection", "cautious", "--select", *select),
                ]
            )
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
    if outcome.result is None:
        raise AssertionError(f"dbt did not start: {outcome.exception}")
    assert outcome.result, f"nothing is selected by {select}"
    return {
        result.node.name: result.message for result in outcome.result if str(result.status) not in ("success", "pass")
    }


def _iso(at: str | datetime) -> str:
    return instant(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
