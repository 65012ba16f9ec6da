"""What people decided holds for the figures that they saw, by both routes: more lands, and decided months change."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from slaledger import approvals
from slaledger.reperform.records import Decision
from slaledger.settings import Settings
from tests.edge_cases.world import EXPORTED_AT, World
from tests.second_route import world as generated
from tests.second_route.comparing import report
from tests.second_route.running import Routes, differences, settings_for
from tests.second_route.world import Row, micros
from tests.support.buckets import empty_bucket
from tests.support.pipeline import Pipeline

MONTH = "2026-04"
AS_OF = datetime(2026, 5, 20, tzinfo=UTC)
DEADLINE = "2026-05-11T00:00:00Z"
FIVE, TWENTY_FIVE = ([{"below": 99.9, "percent": percent}] for percent in (5, 25))
HELD = {
    "same": "klink-enterprise",
    "fee": "klink-enterprise",
    "terms": "five",
    "version": "custom",
    "inherited": "child",
    "covered": "klink-enterprise",
    "outage": "klink-enterprise",
    "period": "klink-enterprise",
}
IN_REVIEW = ("message", "repeated", "sent", "given")


def decided_on() -> World:
    """Months that 59 unknown minutes hold, and claims that were sent in time and received late."""
    world = World()
    world.terms("five", credits=FIVE)
    world.terms("custom", credits=FIVE)
    world.terms("parent", credits=FIVE)
    world.terms("child", extends="parent", since="2026-02-01T00:00:00Z")
    for name, terms_id in HELD.items():
        world.customer(name, terms_id=terms_id)
        world.watched(name, {"fra": "u" + 60 * "." + "u"})
        world.claim(f"CL-{name}", name, "2026-05-05T00:00:00Z")
    for name in IN_REVIEW:
        world.customer(name)
        world.outage(name, "2026-04-10T10:00:00Z", 3600)
        world.claim(f"CL-{name}", name, DEADLINE, sent_at="2026-05-08T00:00:00Z")
    return world


def landed_later() -> World:
    """What changes all of them but `same`, `fee` and `repeated`, each in the way that it is named after."""
    world = World()
    world.add(
        "accounts/fees", {"contract_id": "C-fee", "service_month": MONTH, "monthly_fee": "2000", "currency": "EUR"}
    )
    world.terms("twenty-five", credits=TWENTY_FIVE)
    world.contract("C-terms", "A-terms", region="terms", terms_id="twenty-five", fee=None)
    world.terms("custom", "2", since="2026-04-01T00:00:00Z", credits=TWENTY_FIVE)
    world.terms("parent", "2", since="2026-01-15T00:00:00Z", credits=TWENTY_FIVE)
    world.entry("X-covered", "force_majeure", ("2026-04-10T10:10:00Z", "2026-04-10T10:15:00Z"), regions=["covered"])
    world.outage("outage", "2026-04-20T10:00:00Z", 60)
    suspension = {"starts_at": "2026-04-20T10:00:00Z", "ends_at": "2026-04-20T10:01:00Z"}
    world.contract("C-period", "A-period", region="period", fee=None, suspensions=[suspension])
    later = "2026-05-12T00:00:00Z"
    world.claim("CL-repeated", "repeated", later, sent_at="2026-05-07T00:00:00Z", company_name="Another")
    world.claim("CL-sent", "sent", later, sent_at="2026-05-10T00:00:00Z")
    timeline = [{"starts_at": "2026-04-10T10:30:00Z"}]
    earlier = "2026-05-11T00:00:00Z"
    world.claim("CL-given", "given", earlier, sent_at="2026-05-07T00:00:00Z", incident_timeline=timeline)
    world.claim("CL-message", "message", earlier, sent_at="2026-05-06T00:00:00Z", company_name="Company: A-message!")
    world.rows = {key.replace("edge-cases", "later"): rows for key, rows in world.rows.items()}
    return world


def build(routes: Routes, world: World, directory: Path, *, day: int) -> dict[str, list[Row]]:
    """Land a world, and give the models' rows, from which the second route's do not differ."""
    world.write(directory, exported_at=EXPORTED_AT.replace(day=day))
    Pipeline(routes.settings).put(directory)
    routes.land_bucket()
    models = routes.models()
    found = differences(models, routes.second_route())
    assert not found, report(found, seed=routes.world.seed)
    return models


def approve_all(settings: Settings, routes: Routes) -> list[str]:
    """Approve all that waits, as people do; the ids."""
    waiting = [item.pending_id for item in approvals.pending(settings)]
    for pending_id in waiting:
        approvals.decide(settings, pending_id, is_approved=True, by="Ann Other", because="she looked")
    second = routes.second_route()
    routes.decisions += [
        Decision("held_month", row["contract_id"], MONTH, True, about=row["about"])
        for row in second["account_months"]
        if row["status"] == "held"
    ]
    routes.decisions += [
        Decision("claim", row["contract_id"], MONTH, True, claim_id=row["claim_id"], about=row["about"])
        for row in second["claims"]
        if row["status"] == "needs_review"
    ]
    return waiting


@pytest.mark.timeout(300)
def test_no_decision_outlives_what_it_was_made_on(warehouse_server, s3_server, bucket, tmp_path: Path) -> None:
    with settings_for(warehouse_server, bucket, tmp_path, "decisions") as settings:
        empty_bucket(bucket)
        as_of = micros(AS_OF)
        routes = Routes(settings, generated.World(seed=0, month=MONTH, as_of=as_of, rng=random.Random(0)))
        build(routes, decided_on(), tmp_path / "first", day=10)
        assert approve_all(settings, routes) == sorted(
            [f"claim:CL-{name}:C-{name}:{MONTH}" for name in IN_REVIEW] + [f"held:C-{name}:{MONTH}" for name in HELD]
        )

        models = build(routes, landed_later(), tmp_path / "later", day=11)
        status = {row["contract_id"]: row["status"] for row in models["account_months"]}
        assert [name for name in HELD if status[f"C-{name}"] == "measured"] == ["same", "fee"]
        assert {status[f"C-{name}"] for name in HELD} == {"measured", "held"}
        owed = {
            row["contract_id"]: (row["amount"], row["currency"]) for row in models["credits"] if row["status"] == "owed"
        }
        assert owed == {"C-same": (50, "USD"), "C-fee": (100, "EUR"), "C-repeated": (50, "USD")}
        status = {row["claim_id"]: row["status"] for row in models["claims"]}
        assert [status[f"CL-{name}"] for name in IN_REVIEW] == [
            "needs_review",
            "accepted",
            "needs_review",
            "needs_review",
        ]
