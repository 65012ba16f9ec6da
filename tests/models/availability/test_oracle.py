"""Random small worlds, a region each, by the models and by brute force: equal to the microsecond."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.models.availability import oracle
from tests.models.availability.conftest import Months
from tests.models.builder import Exports, checks, component, contract, incident, monitor
from tests.models.builder_exclusions import add_entry, add_notice

MONTH = (datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))
# Everything happens around the month's start, so that its edge cuts something in most worlds.
FROM, UNTIL = MONTH[0] - timedelta(minutes=40), MONTH[0] + timedelta(minutes=60)
SERVICES = ("dashboard", "call_routing", "messaging_engine")
CATEGORIES = ("third_party_meta", "force_majeure", "scheduled_maintenance")
WORLDS = 16
SEED = int(os.environ.get("SLA_TEST_SEED", "20261123"))


def some_instant(rng: random.Random, start: datetime = FROM, end: datetime = UNTIL) -> datetime:
    """A whole minute mostly, so that things coincide; else any microsecond."""
    span = (end - start) // timedelta(microseconds=1)
    at = start + timedelta(microseconds=rng.randrange(span))
    return at.replace(second=0, microsecond=0) if rng.random() < 0.7 else at


def some_span(rng: random.Random, longest: int = 40) -> oracle.Span:
    start = some_instant(rng)
    return start, start + timedelta(seconds=rng.choice((60, 300, rng.randrange(1, longest * 60))))


def some_terms(rng: random.Random, exports: Exports, number: int) -> tuple[str, tuple[oracle.Terms, ...]]:
    """A terms id, of one version or of two that change while things happen."""
    terms_id = f"terms-{number}"
    starts = [datetime(2026, 1, 1, tzinfo=UTC)]
    if rng.random() < 0.4:
        starts.append(some_instant(rng))
    versions = []
    for version, start in enumerate(starts, start=1):
        terms = oracle.Terms(
            version=str(version),
            start=start,
            core_services=tuple(sorted(rng.sample(SERVICES, rng.choice((2, 3))))),
            down_when=rng.choice(("any", "any", "all")),
            evidence=rng.choice(("either", "either", "monitoring", "status_page", "both")),
            degraded_counts=rng.random() < 0.4,
            partial_outage_counts=rng.random() < 0.4,
            minimum_outage=timedelta(seconds=rng.choice((0, 0, 120, 300))),
            excluded_time=rng.choice(("as_uptime", "out_of_base")),
            categories=tuple(rng.sample(CATEGORIES, rng.choice((1, 2, 3)))),
        )
        versions.append(terms)
        exports.terms(
            terms_id,
            terms.version,
            since=start.isoformat(),
            availability={
                "core_services": list(terms.core_services),
                "down_when": terms.down_when,
                "evidence": terms.evidence,
                "degraded_counts": terms.degraded_counts,
                "partial_outage_counts": terms.partial_outage_counts,
                "minimum_outage": f"{int(terms.minimum_outage.total_seconds())}s",
                "excluded_time": terms.excluded_time,
            },
            exclusions=list(terms.categories),
        )
    return terms_id, tuple(versions)


def some_monitor(rng: random.Random, exports: Exports, name: str, pair: oracle.PAIR) -> oracle.Monitor:
    locations = ("fra", "nyc", "sin", "gru")[: rng.choice((1, 2, 3, 4))]
    stale_after = timedelta(seconds=rng.choice((90, 120, 180)))
    confirm, quorum = rng.choice((1, 1, 2, 3)), rng.choice((None, None, 1, 2))
    active = (FROM + timedelta(seconds=rng.choice((0, 61))), UNTIL - timedelta(seconds=rng.choice((0, 17))))
    taken: dict[str, dict[datetime, set[str]]] = {}
    for location in locations:
        at, status = FROM - timedelta(minutes=3) + timedelta(seconds=rng.randrange(60)), "up"
        taken[location] = {}
        while at < UNTIL:
            if rng.random() < 0.25:
                status = rng.choice(("up", "up", "up", "down", "down", "degraded", "unknown"))
            taken[location].setdefault(at, set()).add(status)
            if rng.random() < 0.02:
                taken[location][at].add(rng.choice(("up", "down")))
            step = rng.choices((60, 90, 120, 180, 181, 400), (80, 6, 6, 3, 2, 3))[0]
            at += timedelta(seconds=step)
    monitor(
        exports,
        name,
        service=pair[0],
        region=pair[1],
        locations=locations,
        stale_after_seconds=int(stale_after.total_seconds()),
        confirm=confirm,
        quorum_min=quorum,
        active=active,
    )
    for location, statuses_at in taken.items():
        given = [(at, status) for at, statuses in statuses_at.items() for status in sorted(statuses)]
        rng.shuffle(given)
        checks(exports, name, location, given, stale_after_seconds=stale_after.total_seconds(), cuts=rng)
    return oracle.Monitor(
        monitor_id=name,
        pair=pair,
        stale_after=stale_after,
        confirm=confirm,
        quorum=quorum or (1 if len(locations) == 1 else 2),
        active=active,
        checks=taken,
    )


def some_incident(rng: random.Random, exports: Exports, name: str, pair: oracle.PAIR) -> oracle.Incident:
    at, settings = some_instant(rng), []
    for _ in range(rng.choice((1, 1, 2, 3))):
        settings.append((at, rng.choice(("major_outage", "major_outage", "partial_outage", "degraded_performance"))))
        at += timedelta(seconds=rng.randrange(30, 900))
    resolved_at = at if rng.random() < 0.9 else None
    component_id = "component " + " ".join(pair)
    if all(row["component_id"] != component_id for row in exports.rows.get("components", [])):
        component(exports, component_id, service=pair[0], region=pair[1])
    updates = [(set_at, "investigating", {component_id: status}) for set_at, status in settings]
    if resolved_at:
        # A page that says resolved without setting the component back ends it just so.
        updates.append((resolved_at, "resolved", rng.choice(({}, {component_id: "operational"}))))
    incident(
        exports,
        name,
        component_ids=[component_id],
        updates=updates,
        impact=rng.choice(("major", "critical")),
        resolved_at=resolved_at if rng.random() < 0.5 else None,
    )
    return oracle.Incident(incident_id=name, pair=pair, settings=tuple(settings), resolved_at=resolved_at)


def some_exclusion(
    rng: random.Random, exports: Exports, name: str, world: oracle.World, region: str, accounts: list[str]
) -> oracle.Exclusion:
    span = some_span(rng)
    named = tuple(sorted(rng.sample(accounts, 1))) if rng.random() < 0.4 else ()
    if rng.random() < 0.4:
        services = tuple(sorted(rng.sample(SERVICES, rng.choice((1, 2)))))
        components = [f"component {service} {region}" for service in services]
        for service, component_id in zip(services, components, strict=True):
            if all(row["component_id"] != component_id for row in exports.rows.get("components", [])):
                component(exports, component_id, service=service, region=region)
        add_notice(
            exports,
            f"notice {name}",
            name,
            "announce",
            sent_at="2026-03-01T00:00:00Z",
            window=(span[0].isoformat(), span[1].isoformat()),
            component_ids=components,
            account_ids=named,
        )
        return oracle.Exclusion(name, "scheduled_maintenance", span, services, (region,), named, None)
    incident_ids = [each.incident_id for each in world.incidents]
    explained = tuple(rng.sample(incident_ids, min(len(incident_ids), rng.choice((0, 1, 3)))))
    exclusion = oracle.Exclusion(
        name,
        rng.choice(CATEGORIES[:2]),
        span,
        tuple(rng.sample(SERVICES, rng.choice((0, 1, 2)))),
        rng.choice(((region,), (region, "global"))),
        named,
        explained,
    )
    add_entry(
        exports,
        name,
        exclusion.category,
        period=(span[0].isoformat(), span[1].isoformat()),
        services=exclusion.services,
        regions=exclusion.regions,
        account_ids=named,
        incident_ids=explained,
    )
    return exclusion


def some_world(
    rng: random.Random, exports: Exports, number: int, shared: oracle.World, pool: list
) -> tuple[oracle.World, list[oracle.Contract]]:
    """One region with what happens in it, on top of what happens in `global`."""
    region = f"region-{number}"
    world = oracle.World(as_of=shared.as_of, monitors=[*shared.monitors], incidents=[*shared.incidents])
    for service in SERVICES:
        for each in range(rng.choice((0, 1, 1, 2))):
            world.monitors.append(some_monitor(rng, exports, f"m {service} {number} {each}", (service, region)))
        for each in range(rng.choice((0, 1, 2))):
            world.incidents.append(some_incident(rng, exports, f"i {service} {number} {each}", (service, region)))
    accounts = [f"account-{number}-{each}" for each in range(3)]
    for each in range(rng.choice((0, 2, 4))):
        world.exclusions.append(some_exclusion(rng, exports, f"x {number} {each}", world, region, accounts))
    contracts = []
    for account_id in accounts:
        terms_id, versions = rng.choice(pool)
        active = (
            rng.choice((datetime(2026, 1, 1, tzinfo=UTC), some_instant(rng))),
            rng.choice((datetime(2027, 1, 1, tzinfo=UTC), UNTIL)),
        )
        suspensions = (some_span(rng),) if rng.random() < 0.3 else ()
        services = tuple(sorted(rng.sample(SERVICES, rng.choice((0, 0, 1, 2)))))
        given = oracle.Contract(f"C-{account_id}", account_id, region, services, active, suspensions, versions)
        contracts.append(given)
        contract(
            exports,
            given.contract_id,
            account_id=account_id,
            region=region,
            services=services,
            terms_id=terms_id,
            starts_at=active[0],
            ends_at=active[1].isoformat(),
            suspensions=suspensions,
        )
    return world, contracts


@pytest.fixture(scope="module")
def built(load_months: Callable[..., Months]) -> tuple[Months, list[tuple[oracle.World, list[oracle.Contract]]]]:
    print(f"seed {SEED} (SLA_TEST_SEED)")
    rng, exports = random.Random(SEED), Exports()
    pool = [some_terms(rng, exports, number) for number in range(10)]
    shared = oracle.World(as_of=MONTH[1])
    shared.monitors.append(some_monitor(rng, exports, "m global", ("dashboard", "global")))
    shared.incidents.append(some_incident(rng, exports, "i global", ("call_routing", "global")))
    worlds = [some_world(rng, exports, number, shared, pool) for number in range(WORLDS)]
    # What names `global` is an exclusion for everybody who sees it.
    everywhere = [each for world, _ in worlds for each in world.exclusions if "global" in each.regions]
    for world, _ in worlds:
        world.exclusions += [each for each in everywhere if each not in world.exclusions]
    return load_months("oracle", exports), worlds


@pytest.mark.parametrize("as_of", [MONTH[1] + timedelta(days=1), MONTH[0] + timedelta(minutes=23, seconds=31)])
def test_models_agree_with_brute_force(built, as_of: datetime) -> None:
    months, worlds = built
    months.figures.clear()
    months.build("2026-04", as_of.isoformat())
    sums = {row["contract_id"]: row for row in months.rows("select * from intermediate.int_account_month_seconds")}
    compared = 0
    for known, contracts in worlds:
        world = replace(known, as_of=as_of)
        for each in contracts:
            if max(each.active[0], MONTH[0]) >= min(each.active[1], as_of):
                assert each.contract_id not in sums
                continue
            expected = oracle.answer(world, each, MONTH)
            row = sums[each.contract_id]
            found = oracle.Answer(
                measured=row["measured_seconds"],
                counted=row["counted_seconds"],
                excluded=row["excluded_seconds"],
                unknown_uncovered=row["unknown_uncovered_seconds"],
                unknown_covered=row["unknown_covered_seconds"],
            )
            assert found == expected, f"{each} (seed {SEED})"
            compared += expected.counted > 0 or expected.excluded > 0
    # Worlds in which nothing happens would agree for nothing.
    assert compared >= WORLDS
