"""Contracts and terms: which apply, from when on, and what they earn."""

from __future__ import annotations

from tests.edge_cases.cases import APRIL, MARCH, OCTOBER, Expected, case
from tests.edge_cases.world import World


@case(80)
def a_month_is_reckoned_with_what_was_in_force_in_it(world: World, expect: Expected) -> None:
    # March: Growth's targets, 5 % of 800.00. The other terms, plan and fee are April's.
    world.account("A-e80")
    world.terms("e80", credits=[{"below": 99.9, "percent": 5}], response_times={"targets": {"P1": "4h"}})
    world.terms("e80", "2", since="2026-04-01T00:00:00Z", credits=[{"below": 99.9, "percent": 9}])
    world.contract("C-e80", "A-e80", region="e80", terms_id="e80", fee=None)
    for month, fee in ((MARCH, "800.00"), (APRIL, "1000.00")):
        row = {"contract_id": "C-e80", "service_month": month, "monthly_fee": fee, "currency": "USD"}
        world.add("accounts/fees", row)
        world.outage("e80", f"{month}-10T00:00:00Z", 3600)
    world.ticket("T-e80-march", "A-e80", "2026-03-31T10:00:00Z", reply="2026-03-31T14:00:00Z")
    world.ticket("T-e80-april", "A-e80", "2026-04-01T10:00:00Z", reply="2026-04-01T14:00:00Z")
    expect.month("C-e80", MARCH, terms_version="1", counted_seconds=3600)
    expect.credit("C-e80", MARCH, credit_percent=5, monthly_fee="800.00", amount="40.00")
    expect.response("T-e80-march", MARCH, due_at="2026-03-31T14:00:00Z", outcome="met")
    expect.credit("C-e80", APRIL, credit_percent=9, monthly_fee="1000.00", amount="90.00")
    expect.response("T-e80-april", APRIL, due_at="2026-04-01T12:00:00Z", outcome="breached")


@case(107)
def starter_is_best_effort(world: World, expect: Expected) -> None:
    # 259,200 s of 2,592,000 = 90 %.
    world.outage("e107", "2026-04-10T00:00:00Z", 259200)
    world.customer("e107", plan="starter")
    expect.month("C-e107", APRIL, uptime_percent=90, guaranteed=False, status="measured", reason="plan_not_eligible")
    expect.credit("C-e107", APRIL, credit_percent=0, amount=0, status="not_eligible", reason="plan_not_eligible")


@case(108)
def enterprise_without_an_active_agreement(world: World, expect: Expected) -> None:
    world.outage("e108", "2026-04-10T00:00:00Z", 259200)
    world.customer("e108", active_agreement=False)
    expect.month("C-e108", APRIL, uptime_percent=90, guaranteed=False, status="measured", reason="no_active_agreement")
    expect.credit("C-e108", APRIL, credit_percent=0, amount=0, status="not_eligible", reason="no_active_agreement")


@case(109)
def custom_tiers_and_never_the_public_ones(world: World, expect: Expected) -> None:
    # 99.95 % of 30 d allows 1,296 s. Under 95 % the public ones would give 25 %.
    world.terms("e109", availability={"commitment": 99.95}, credits=[{"below": 99.95, "percent": 7}])
    for name, seconds, percent, met in (
        ("e109", 1296, 0, True),
        ("e109-over", 1297, 7, False),
        ("e109-94", 155520, 7, False),
    ):
        world.outage(name, "2026-04-10T00:00:00Z", seconds)
        world.customer(name, terms_id="e109")
        expect.month(f"C-{name}", APRIL, counted_seconds=seconds, commitment_percent="99.95", met=met)
        expect.credit(f"C-{name}", APRIL, credit_percent=percent)


@case(110)
def custom_terms_that_are_silent_on_claims_have_their_parents(world: World, expect: Expected) -> None:
    # Ten days, and none without a claim, as in `klink-enterprise`; `test_documents` shows them as inherited.
    world.terms("e110", credits=[{"below": 99.9, "percent": 8}])
    world.outage("e110", "2026-04-10T10:00:00Z", 3600)
    world.customer("e110", terms_id="e110")
    world.customer("e110-late", region="e110", terms_id="e110")
    world.claim("CL-e110", "e110", "2026-05-10T23:59:59.999999Z")
    world.claim("CL-e110-late", "e110-late", "2026-05-11T00:00:00Z")
    expect.claim("CL-e110", APRIL, deadline_at="2026-05-11T00:00:00Z", status="accepted")
    expect.claim("CL-e110-late", APRIL, deadline_at="2026-05-11T00:00:00Z", status="rejected", reason="late")
    expect.credit("C-e110", APRIL, credit_percent=8, amount="80.00", status="owed")
    expect.credit("C-e110-late", APRIL, credit_percent=8, amount="80.00", status="expired")


@case(111)
def a_contract_from_mid_month_has_its_own_base(world: World, expect: Expected) -> None:
    # 15 d = 21,600 min = 1,296,000 s, of which 1,800 s; 5 % of what was billed for April, 500.00.
    world.outage("e111", "2026-04-20T10:00:00Z", 1800)
    world.customer("e111", starts_at="2026-04-16T00:00:00Z", fee="500.00")
    expect.month(
        "C-e111",
        APRIL,
        measured_from="2026-04-16T00:00:00Z",
        measured_until="2026-05-01T00:00:00Z",
        measured_seconds=21600 * 60,
        uptime_percent="99.861111111111",
    )
    expect.none("fct_account_months", MARCH, "C-e111")
    expect.credit("C-e111", APRIL, credit_percent=5, monthly_fee="500.00", amount="25.00")


@case(112)
def an_outage_before_the_contract(world: World, expect: Expected) -> None:
    world.outage("e112", "2026-04-10T10:00:00Z", 1800)
    world.customer("e112", starts_at="2026-04-16T00:00:00Z")
    expect.month("C-e112", APRIL, counted_seconds=0, uptime_percent=100)


@case(113)
def a_contract_that_ends_is_measured_to_that_instant(world: World, expect: Expected) -> None:
    # 9.5 d = 820,800 s; of 11:30-12:30 half an hour is in it.
    world.outage("e113", "2026-04-10T11:30:00Z", 3600)
    world.customer("e113", ends_at="2026-04-10T12:00:00Z")
    expect.month(
        "C-e113",
        APRIL,
        measured_until="2026-04-10T12:00:00Z",
        measured_seconds=820800,
        counted_seconds=1800,
        uptime_percent="99.780701754385",
    )
    expect.none("fct_account_months", OCTOBER, "C-e113")


@case(114)
def a_plan_change_makes_two_account_months(world: World, expect: Expected) -> None:
    # 40 min on 20 April: of 15 days 99.8148 %, of the whole month it would be 99.907 %. 5 % of 600.00.
    world.account("A-e114")
    world.outage("e114", "2026-04-20T10:00:00Z", 2400)
    world.contract(
        "C-e114-growth", "A-e114", region="e114", plan="growth", ends_at="2026-04-16T00:00:00Z", fee="200.00"
    )
    world.contract("C-e114", "A-e114", region="e114", starts_at="2026-04-16T00:00:00Z", fee="600.00")
    expect.month("C-e114-growth", APRIL, measured_seconds=15 * 86400, counted_seconds=0, guaranteed=False)
    expect.month("C-e114", APRIL, measured_seconds=15 * 86400, counted_seconds=2400, uptime_percent="99.814814814814")
    expect.credit("C-e114-growth", APRIL, credit_percent=0, amount=0, status="not_eligible")
    expect.credit("C-e114", APRIL, credit_percent=5, monthly_fee="600.00", amount="30.00")


@case(115)
def terms_that_change_in_the_month(world: World, expect: Expected) -> None:
    # Version 2 asks for 72 hours' notice and gives 9 %. The maintenance of 14 April, announced 62 hours before, is
    # version 2's: it counts; the one of 11 April, announced 50 hours before, is version 1's: excluded. The tiers
    # stay version 1's: 7,200 s are 99.7222… %, 5 %.
    world.terms("e115")
    world.terms(
        "e115",
        "2",
        since="2026-04-12T09:00:00Z",
        maintenance={"notice": "72h", "channels": ["email"]},
        credits=[{"below": 99.9, "percent": 9}],
    )
    for day, sent_at in ((14, "2026-04-11T12:00:00Z"), (11, "2026-04-09T00:00:00Z")):
        window = (f"2026-04-{day}T02:00:00Z", f"2026-04-{day}T04:00:00Z")
        world.outage("e115", window[0], 7200)
        world.notice(f"N-e115-{day}-1", "announce", sent_at, window, "dashboard-e115")
    world.customer("e115", terms_id="e115", services=["dashboard"])
    expect.month("C-e115", APRIL, terms_version="1", counted_seconds=7200, excluded_seconds=7200)
    expect.credit("C-e115", APRIL, credit_percent=5)
    expect.finding("C-e115", APRIL, "terms_changed_in_month")


@case(116)
def without_terms_in_force_the_month_is_blocked(world: World, expect: Expected) -> None:
    # Two versions with one start: `test_documents`.
    world.component("dashboard-e116", region="e116")
    world.terms("e116-later", since="2026-04-10T00:00:00Z")
    for name, terms_id in (("e116-later", "e116-later"), ("e116-unknown", "nobody-wrote-them")):
        world.customer(name, region="e116", terms_id=terms_id, services=["dashboard"], ends_at="2026-05-01T00:00:00Z")
    for name, reason in (("e116-later", "terms_not_in_force"), ("e116-unknown", "terms_unknown")):
        expect.month(
            f"C-{name}",
            APRIL,
            terms_version=None,
            guaranteed=None,
            uptime_percent=None,
            status="blocked",
            reason=reason,
        )
        expect.credit(f"C-{name}", APRIL, amount=None, status="blocked", reason=reason)
        expect.finding(f"C-{name}", APRIL, reason)
    # U5: whatever the terms would say, without an agreement nothing is guaranteed.
    world.customer("e116-none", region="e116", terms_id="nobody-wrote-them", active_agreement=False)
    expect.month("C-e116-none", APRIL, guaranteed=False, status="blocked", reason="terms_unknown")
    expect.credit("C-e116-none", APRIL, amount=0, status="not_eligible", reason="no_active_agreement")


@case(117)
def two_contracts_of_one_account_have_their_own_credits(world: World, expect: Expected) -> None:
    world.account("A-e117")
    world.outage("e117", "2026-04-20T10:00:00Z", 2593)
    world.component("dashboard-e117-up", region="e117-up")
    world.contract("C-e117", "A-e117", region="e117")
    world.contract("C-e117-up", "A-e117", region="e117-up")
    world.claim("CL-e117", "e117", "2026-05-02T10:00:00Z")
    expect.credit("C-e117", APRIL, credit_percent=5, amount="50.00", status="owed", claim_id="CL-e117")
    expect.credit("C-e117-up", APRIL, credit_percent=0, amount=0, status="not_eligible", claim_id=None)
    expect.claim("CL-e117", APRIL, contract_id="C-e117", status="accepted")
    expect.claim(
        "CL-e117",
        APRIL,
        contract_id="C-e117-up",
        status="rejected",
        reason="no_eligible_credit: no_tier, uptime 100 %",
    )
