"""Which services, regions and accounts an outage is of."""

from __future__ import annotations

from tests.edge_cases.cases import APRIL, MARCH, Expected, case
from tests.edge_cases.world import World

TEN = "2026-04-10T10:00:00Z"


@case(55)
def another_region_is_down(world: World, expect: Expected) -> None:
    world.outage("e55-eu", TEN, 3600)
    world.component("dashboard-e55-us", region="e55-us")
    world.customer("e55-eu")
    world.customer("e55-us")
    expect.seconds("C-e55-eu", APRIL, counted=3600)
    expect.seconds("C-e55-us", APRIL, counted=0)


@case(56)
def a_service_that_is_not_in_the_plan_is_down(world: World, expect: Expected) -> None:
    world.outage("e56", TEN, 3600, service="call_routing")
    world.customer("e56", services=["dashboard"])
    world.customer("e56-both", region="e56", services=["dashboard", "call_routing"])
    expect.seconds("C-e56", APRIL, counted=0)
    expect.seconds("C-e56-both", APRIL, counted=3600)


@case(57)
def degraded_is_up_unless_the_terms_count_it(world: World, expect: Expected) -> None:
    # degraded at 10:05 and :06, down at :07 and :08, up again at :09, `confirm` 3: a streak of two downs is none,
    # but of four it is one.
    world.terms("e57", availability={"degraded_counts": True})
    world.watched("e57", {"fra": "uuuuuggdduuuuu"}, confirm=3)
    world.customer("e57")
    world.customer("e57-counts", region="e57", terms_id="e57")
    expect.seconds("C-e57", APRIL, counted=0)
    expect.seconds("C-e57-counts", APRIL, counted=240)


@case(58)
def the_billing_portal_is_no_core_service(world: World, expect: Expected) -> None:
    world.outage("e58", TEN, 3600, service="billing_portal")
    world.component("dashboard-e58", region="e58")
    world.customer("e58")
    expect.seconds("C-e58", APRIL, counted=0)


@case(60)
def a_sandbox_has_no_row_anywhere(world: World, expect: Expected) -> None:
    world.account("A-e60", sandbox=True)
    world.contract("C-e60", "A-e60", region="e60")
    world.outage("e60", "2026-03-10T10:00:00Z", 259200)
    world.ticket("T-e60", "A-e60", "2026-03-10T10:00:00Z")
    world.claim("CL-e60", "e60", "2026-04-02T10:00:00Z", month=MARCH)
    for table in ("fct_account_months", "fct_account_downtime", "fct_credits", "credit_line_items"):
        expect.none(table, MARCH, "C-e60")
    expect.none("fct_response_times", MARCH, "T-e60")
    expect.none("fct_claims", MARCH, "CL-e60")
