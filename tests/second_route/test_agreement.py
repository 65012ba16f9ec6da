"""The models and the second route agree in every column of every mart, over worlds made up from seeds (issue 3).

`SLA_SEED=7 pytest tests/second_route` runs the world of one seed, `SLA_SEED=7,8` of two. `make test-deep` runs more.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from slaledger.settings import Exports
from tests.second_route import coverage, features
from tests.second_route.comparing import report
from tests.second_route.generating import generate
from tests.second_route.packing import pack
from tests.second_route.running import Routes, differences, settings_for
from tests.second_route.world import Row


@dataclass(frozen=True)
class Plan:
    """Which worlds, how large, and what they must come to and hold together."""

    seeds: tuple[int, ...]
    least_account_months: int
    least_tickets: int
    required: frozenset[str]


# A month that is not over, one whose claims' deadline is long past, and one where it is a microsecond away.
# Of one size, so that a seed is the same world in either: contracts and tickets, not all of which are of the month.
CONTRACTS, TICKETS = 770, 2_050
REQUIRED = frozenset(coverage.required() | features.FEATURES)
SHORT = Plan((4, 25, 53), 2_000, 5_000, REQUIRED)
DEEP = Plan(tuple(range(100, 172)), 50_000, 100_000, REQUIRED | features.MONTHS_OF_ALL)


def plan(default: Plan) -> Plan:
    """The plan, or of the seeds that `SLA_SEED` gives, of which nothing more is asked than to agree."""
    given = os.environ.get("SLA_SEED")
    if not given:
        return default
    seeds = tuple(map(int, given.split(",")))
    return replace(default, seeds=seeds, least_account_months=0, least_tickets=0, required=frozenset())


def run(plan: Plan, server, exports: Exports, home: Path) -> None:
    """Run the worlds; fail with every difference, and where they do not hold what they are meant to hold."""
    seen: Counter[str] = Counter()
    reports: list[str] = []
    for seed in plan.seeds:
        world = generate(seed, account_months=CONTRACTS, ticket_count=TICKETS)
        seen.update(features.count(world))
        with settings_for(server, exports, home, seed) as settings:
            routes = Routes(settings, world)
            routes.land(pack(world))
            for step in ("undecided", "decided"):
                models, second = routes.models(), routes.second_route()
                found = differences(models, second)
                print(f"SLA_SEED={seed} {world.month} {step}: {_sizes(models)}, {len(found)} differences", flush=True)
                if found:
                    reports.append(f"{step}, {report(found, seed=seed)}")
                    print(reports[-1], flush=True)
                seen.update(coverage.count(routes.exports, models))
                if step == "undecided":
                    seen.update(account_months=len(models["account_months"]), tickets=len(models["response_times"]))
                    routes.decide(models)
                if not routes.decisions:
                    break
    print(coverage.table(seen, plan.required))
    assert not reports, "\n".join(reports)
    assert seen["account_months"] >= plan.least_account_months
    assert seen["tickets"] >= plan.least_tickets
    missing = plan.required - seen.keys()
    assert not missing, f"no world holds {sorted(missing)}: it proves nothing of them"


def _sizes(marts: dict[str, list[Row]]) -> str:
    return ", ".join(f"{len(rows)} {mart}" for mart, rows in marts.items())


@pytest.mark.timeout(900)
def test_the_models_and_the_second_route_agree(warehouse_server, s3_server, bucket, tmp_path: Path) -> None:
    run(plan(SHORT), warehouse_server, bucket, tmp_path)


@pytest.mark.deep
@pytest.mark.timeout(0)
def test_they_agree_over_tens_of_thousands(warehouse_server, s3_server, bucket, tmp_path: Path) -> None:
    run(plan(DEEP), warehouse_server, bucket, tmp_path)
