"""Response times: what the stories `tickets-*` do not tell. In April, on Enterprise's targets unless said otherwise."""

from __future__ import annotations

from typing import Any

from tests.edge_cases.cases import APRIL, MARCH, Expected, case
from tests.edge_cases.world import World

MONDAY = "2026-04-06T09:00:00Z"  # P1 is due at 11:00


def on(day: int, time: str) -> str:
    """An instant of April."""
    return f"2026-04-{day:02}T{time}Z"


def opened(
    world: World,
    ticket_id: str,
    at: str = MONDAY,
    severity: str | None = "P1",
    *,
    reply: str | None = None,
    events: list[tuple[str, str, str, dict[str, Any]]] | None = None,
    **contract: Any,
) -> None:
    """A ticket of a customer of its own, and what else happened to it: (type, at, actor, fields)."""
    world.customer(ticket_id, **contract)
    world.ticket(ticket_id, f"A-{ticket_id}", at, severity, reply)
    for type, when, actor, fields in events or ():
        world.event(ticket_id, type, when, actor, **fields)


@case(83)
def a_microsecond_late_is_a_breach(world: World, expect: Expected) -> None:
    opened(world, "e83", on(4, "23:30:00"), reply=on(5, "01:30:00.000001"))
    expect.response("e83", APRIL, due_at=on(5, "01:30:00"), outcome="breached", elapsed_seconds="7200.000001")


@case(90)
def terms_that_count_any_reply_take_the_ais(world: World, expect: Expected) -> None:
    world.terms("e90", response_times={"counted_reply": "any"})
    ai = ("public_reply", on(6, "09:00:05"), "ai", {})
    opened(world, "e90", reply=on(6, "12:00:00"), events=[ai], terms_id="e90")
    expect.response(
        "e90",
        APRIL,
        first_ai_reply_at=on(6, "09:00:05"),
        first_human_reply_at=on(6, "12:00:00"),
        elapsed_seconds=5,
        outcome="met",
    )


@case(94)
def a_raise_leaves_an_earlier_deadline(world: World, expect: Expected) -> None:
    # P2 from 09:00 is due at 13:00; raised to P1 at 12:30 it would be 14:30.
    raised = ("severity_changed", on(6, "12:30:00"), "customer", {"severity": "P1"})
    opened(world, "e94", severity="P2", reply=on(6, "13:00:00"), events=[raised])
    expect.response("e94", APRIL, due_at=on(6, "13:00:00"), outcome="met", severity="P1")


@case(96)
def lowered_after_the_reply_changes_nothing(world: World, expect: Expected) -> None:
    lowered = ("severity_changed", on(6, "10:30:00"), "agent", {"severity": "P3"})
    opened(world, "e96", reply=on(6, "10:00:00"), events=[lowered])
    expect.response("e96", APRIL, due_at=on(6, "11:00:00"), outcome="met", severity="P1")


@case(96)
def lowered_and_raised_again(world: World, expect: Expected) -> None:
    # To P4 at 10:00, to P1 at 11:00: 11:00 + 2 h.
    changes = [
        ("severity_changed", on(6, "10:00:00"), "agent", {"severity": "P4"}),
        ("severity_changed", on(6, "11:00:00"), "agent", {"severity": "P1"}),
    ]
    opened(world, "e96-again", reply=on(6, "13:00:00"), events=changes)
    expect.response("e96-again", APRIL, due_at=on(6, "13:00:00"), outcome="met")


@case(97)
def without_a_severity_it_is_reported(world: World, expect: Expected) -> None:
    opened(world, "e97", severity=None, reply=on(6, "10:00:00"))
    expect.response(
        "e97", APRIL, severity=None, due_at=None, elapsed_seconds=None, outcome="not_measured", reason="no_severity"
    )
    expect.finding("e97", APRIL, "ticket_without_severity")


@case(97)
def a_severity_that_is_given_later_counts_from_creation(world: World, expect: Expected) -> None:
    given = ("severity_changed", on(6, "13:00:00"), "agent", {"severity": "P2"})
    opened(world, "e97-later", severity=None, events=[given])
    expect.response("e97-later", APRIL, due_at=on(6, "13:00:00"), outcome="breached", severity="P2")


@case(98)
def an_agents_change_counts_as_a_customers(world: World, expect: Expected) -> None:
    for actor in ("agent", "customer"):
        lowered = ("severity_changed", on(6, "10:00:00"), actor, {"severity": "P3"})
        opened(world, f"e98-{actor}", reply=on(7, "09:00:00"), events=[lowered])
        expect.response(f"e98-{actor}", APRIL, due_at=on(7, "09:00:00"), outcome="met", severity="P3")


@case(101)
def spam_is_not_measured_even_answered(world: World, expect: Expected) -> None:
    spam = ("marked_spam", on(6, "10:30:00"), "agent", {})
    opened(world, "e101", reply=on(6, "10:00:00"), events=[spam])
    expect.response(
        "e101", APRIL, due_at=None, elapsed_seconds=None, business_seconds=None, outcome="not_measured", reason="spam"
    )


@case(102)
def an_answer_after_the_as_of_time_is_none_yet(world: World, expect: Expected) -> None:
    # 6 April 09:00 to 20 May 00:00: 43 d 15 h = 3,769,200 s; less 12 days of weekends: 2,732,400 s of business days.
    opened(world, "e102", reply="2026-05-20T00:00:00.000001Z")
    expect.response(
        "e102",
        APRIL,
        first_human_reply_at=None,
        outcome="breached",
        elapsed_seconds=3769200,
        business_seconds=2732400,
    )


@case(102)
def open_before_its_deadline_it_is_pending(world: World, expect: Expected) -> None:
    world.terms("e102-slow", response_times={"targets": {"P4": "40 business days"}})
    opened(world, "e102-open", severity="P4", terms_id="e102-slow")
    expect.response("e102-open", APRIL, due_at="2026-06-01T09:00:00Z", outcome="pending")


@case(103)
def the_plan_at_creation_decides(world: World, expect: Expected) -> None:
    # Growth (P1 4 h) until 16 April 00:00, Enterprise (2 h) from then; both answered at 03:00.
    world.account("A-e103")
    world.contract("C-e103-growth", "A-e103", region="e103", plan="growth", ends_at="2026-04-16T00:00:00Z")
    world.contract("C-e103", "A-e103", region="e103", starts_at="2026-04-16T00:00:00Z")
    for ticket_id, at, due_at, outcome, contract_id, guaranteed in (
        ("e103-growth", on(15, "23:59:59"), on(16, "03:59:59"), "met", "C-e103-growth", False),
        ("e103", on(16, "00:00:00"), on(16, "02:00:00"), "breached", "C-e103", True),
    ):
        world.ticket(ticket_id, "A-e103", at, reply=on(16, "03:00:00"))
        expect.response(
            ticket_id, APRIL, due_at=due_at, outcome=outcome, contract_id=contract_id, guaranteed=guaranteed
        )


@case(104)
def a_reply_before_creation_is_reported(world: World, expect: Expected) -> None:
    opened(world, "e104", reply=on(6, "08:59:59"), events=[("public_reply", on(6, "10:00:00"), "agent", {})])
    expect.response("e104", APRIL, first_human_reply_at=on(6, "10:00:00"), outcome="met")
    expect.finding("e104", APRIL, "reply_before_creation")


@case(106)
def fifty_tickets_on_one_outage_are_fifty_facts(world: World, expect: Expected) -> None:
    world.outage("e106", on(20, "10:00:00"), 3600)
    for number in range(50):
        opened(world, f"e106-{number}", on(20, "10:00:00"), reply=on(20, "11:00:00"), region="e106")
        expect.response(f"e106-{number}", APRIL, account_id=f"A-e106-{number}", elapsed_seconds=3600, outcome="met")


@case("rule_R2")
def of_several_contracts_the_earliest_deadline_then_the_lower_id(world: World, expect: Expected) -> None:
    world.account("A-r2")
    for contract_id, plan in (("C-r2-a", "growth"), ("C-r2-c", "enterprise"), ("C-r2-b", "enterprise")):
        world.contract(contract_id, "A-r2", region="r2", plan=plan)
    world.component("dashboard-r2", region="r2")
    world.ticket("r2", "A-r2", MONDAY, "P3")
    expect.response("r2", APRIL, contract_id="C-r2-b", due_at=on(7, "09:00:00"))


@case("rule_R5")
def what_is_not_measured_keeps_its_reason(world: World, expect: Expected) -> None:
    paused = [{"starts_at": "2026-04-06T00:00:00Z", "ends_at": "2026-04-08T00:00:00Z"}]
    opened(world, "r5-suspended", on(7, "23:59:59.999999"), suspensions=paused)
    solved = ("status_changed", on(6, "10:59:59"), "customer", {"status": "solved"})
    again = ("status_changed", on(6, "11:30:00"), "customer", {"status": "open"})
    opened(world, "r5-solved", reply=on(6, "13:00:00"), events=[solved, again])
    lowered = ("severity_changed", on(6, "10:00:00"), "agent", {"severity": "P2"})
    later = ("status_changed", on(6, "12:00:00"), "customer", {"status": "solved"})
    opened(world, "r5-solved-later", events=[lowered, later])
    world.customer("r5-ours")
    world.event("r5-ours", "created", MONDAY, "agent", account_id="A-r5-ours", severity="P1")
    world.event("r5-nobody", "created", MONDAY, severity="P1")
    for ticket_id, reason in (
        ("r5-suspended", "no_active_contract"),
        ("r5-solved", "solved_by_customer"),
        ("r5-solved-later", "solved_by_customer"),
        ("r5-ours", "opened_by_company"),
        ("r5-nobody", "no_active_contract"),
    ):
        expect.response(ticket_id, APRIL, outcome="not_measured", reason=reason, due_at=None, elapsed_seconds=None)
    # At the deadline it is too late, and an agent's word is none of the customer's.
    at_deadline = ("status_changed", on(6, "11:00:00"), "customer", {"status": "closed"})
    opened(world, "r5-at-deadline", events=[at_deadline])
    by_agent = ("status_changed", on(6, "10:00:00"), "agent", {"status": "solved"})
    opened(world, "r5-by-agent", events=[by_agent])
    for ticket_id in ("r5-at-deadline", "r5-by-agent"):
        expect.response(ticket_id, APRIL, due_at=on(6, "11:00:00"), outcome="breached")
    opened(world, "r5-after-suspension", on(8, "00:00:00"), reply=on(8, "01:00:00"), suspensions=paused)
    expect.response("r5-after-suspension", APRIL, due_at=on(8, "02:00:00"), outcome="met")


@case("rule_R5")
def the_survivor_of_a_merge_keeps_the_earliest_creation_and_its_replies(world: World, expect: Expected) -> None:
    # first -> second -> last, a chain. Neither the spam's reply nor what the company opened is inherited.
    world.customer("r5-merge")
    agent = "agent"
    world.ticket("r5-first", "A-r5-merge", on(7, "09:00:00"), "P4", reply=on(7, "10:45:00"))
    world.ticket("r5-second", "A-r5-merge", on(7, "10:00:00"), "P4")
    world.ticket("r5-spam", "A-r5-merge", on(7, "10:10:00"), "P4", reply=on(7, "10:20:00"))
    world.event("r5-spam", "marked_spam", on(7, "10:21:00"), agent)
    world.event("r5-company", "created", on(7, "08:00:00"), agent, account_id="A-r5-merge", severity="P4")
    world.event("r5-company", "public_reply", on(7, "10:05:00"), agent)
    world.ticket("r5-last", "A-r5-merge", on(7, "11:00:00"), reply=on(7, "11:30:00"))
    for merged, target in (
        ("r5-first", "r5-second"),
        ("r5-second", "r5-last"),
        ("r5-spam", "r5-last"),
        ("r5-company", "r5-last"),
    ):
        world.event(merged, "merged_into", on(7, "12:00:00"), agent, target_ticket_id=target)
    for merged in ("r5-first", "r5-second"):
        expect.response(merged, APRIL, outcome="not_measured", reason="merged")
    expect.response(
        "r5-last",
        APRIL,
        created_at=on(7, "09:00:00"),
        first_human_reply_at=on(7, "10:45:00"),
        severity="P1",
        due_at=on(7, "11:00:00"),
        outcome="met",
    )


@case("rule_R5")
def what_is_merged_into_nothing_or_in_a_circle(world: World, expect: Expected) -> None:
    world.customer("r5-circle")
    for ticket_id in ("r5-nowhere", "r5-somewhere", "r5-round-1", "r5-round-2"):
        world.ticket(ticket_id, "A-r5-circle", MONDAY)
    world.event("r5-nowhere", "merged_into", on(6, "12:00:00"), "agent")
    world.event("r5-somewhere", "merged_into", on(6, "12:00:00"), "agent", target_ticket_id="r5-unheard-of")
    world.event("r5-round-1", "merged_into", on(6, "12:00:00"), "agent", target_ticket_id="r5-round-2")
    world.event("r5-round-2", "merged_into", on(6, "12:05:00"), "agent", target_ticket_id="r5-round-1")
    for ticket_id in ("r5-nowhere", "r5-somewhere", "r5-round-1"):
        expect.response(ticket_id, APRIL, outcome="not_measured", reason="merged")
    # A merge that names no survivor, as Zendesk's never does, leaves nothing to look for.
    expect.finding("r5-nowhere", APRIL)
    expect.finding("r5-somewhere", APRIL, "merge_survivor_unknown")
    expect.finding("r5-round-2", APRIL, "merge_in_a_circle")


@case("rule_R7")
def credits_for_breaches_come_to_the_fee_at_most(world: World, expect: Expected) -> None:
    # 20 breaches of 5 % are the whole fee, 21 would be more.
    credits = [{"severity": "P1", "percent": 5}]
    world.terms("r7", response_times={"credits": credits}, claims={"required": False})
    for name, breaches in (("r7-exactly", 20), ("r7-beyond", 21)):
        world.customer(name, terms_id="r7")
        for number in range(breaches):
            world.ticket(f"{name}-{number}", f"A-{name}", "2026-03-09T09:00:00Z", reply="2026-03-09T11:00:01Z")
        contract_id = f"C-{name}"
        expect.credit(contract_id, MARCH, credit_percent=0, amount=0, status="not_eligible")
        expect.credit(contract_id, MARCH, basis="response_time", credit_percent=100, amount="1000.00", status="owed")
        line = f"{contract_id}|2026-03|response_time|1"
        expect.row("credit_line_items", MARCH, contract_id, idempotency_key=line, credit_percent=100, amount="1000.00")


@case("rule_R8")
def tickets_of_nobody_and_never_created_are_reported(world: World, expect: Expected) -> None:
    world.event("r8-nobody", "created", MONDAY, severity="P1")
    world.event("r8-never", "public_reply", MONDAY, "agent")
    expect.none("fct_response_times", APRIL, "r8-never")
    expect.finding("r8-nobody", APRIL, "ticket_account_unknown")
    expect.finding("r8-never", APRIL, "ticket_without_creation")
