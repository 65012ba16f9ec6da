"""Claims and credits: what the stories `claims-deadlines` and `credits-rounding` do not tell."""

from __future__ import annotations

from tests.edge_cases.cases import APRIL, MARCH, Expected, case
from tests.edge_cases.world import World


@case(128)
def the_tenth_day_is_the_tenth_though_it_is_a_sunday(world: World, expect: Expected) -> None:
    # 10 May 2026 is a Sunday: its last microsecond is in time, Monday's first instant is not.
    world.outage("e128", "2026-04-10T10:00:00Z", 3600)
    for name, received_at, status, reason, credit in (
        ("e128", "2026-05-10T23:59:59.999999Z", "accepted", None, "owed"),
        ("e128-late", "2026-05-11T00:00:00Z", "rejected", "late", "expired"),
    ):
        world.customer(name, region="e128")
        world.claim(f"CL-{name}", name, received_at)
        expect.claim(f"CL-{name}", APRIL, deadline_at="2026-05-11T00:00:00Z", status=status, reason=reason)
        expect.credit(f"C-{name}", APRIL, credit_percent=5, amount="50.00", status=credit)


@case(140)
def a_credit_is_for_future_invoices_whatever_the_next_one_is(world: World, expect: Expected) -> None:
    # 94 % of March: 25 % of 1,000.00, whole, though the contract ended with March and no fee follows. As of 20 April
    # it applies from 1 May on, without limit.
    world.account("A-e140")
    world.contract("C-e140", "A-e140", region="e140", ends_at="2026-04-01T00:00:00Z", fee=None)
    fee = {"contract_id": "C-e140", "service_month": MARCH, "monthly_fee": "1000.00", "currency": "USD"}
    world.add("accounts/fees", fee)
    world.outage("e140", "2026-03-10T00:00:00Z", 160704)
    world.claim("CL-e140", "e140", "2026-04-02T10:00:00Z", month=MARCH)
    expect.month("C-e140", MARCH, uptime_percent=94)
    expect.row(
        "credit_line_items",
        MARCH,
        "C-e140",
        entry_type="credit",
        amount="250.00",
        currency="USD",
        settlement="future_invoice",
        applies_from="2026-05-01",
    )


@case(141)
def the_key_of_a_line_is_contract_month_basis_and_ordinal(world: World, expect: Expected) -> None:
    world.outage("e141", "2026-03-10T10:00:00Z", 3600)
    world.customer("e141")
    world.claim("CL-e141", "e141", "2026-04-02T10:00:00Z", month=MARCH)
    expect.row("credit_line_items", MARCH, "C-e141", idempotency_key="C-e141|2026-03|availability|1", amount="50.00")
