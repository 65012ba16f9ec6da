"""Every *(choice)* of the rules as a case: a region of its own, seen under three terms, all in one March 2026.

`default` is judged by klink-enterprise, `chosen` by terms that state the choice, `turned` by terms whose second version
states it from the TURN on (rule T3). Times are instants of 15 March unless a day is given: "11:30", "20T00:00".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.models.builder import Exports, checks, component, contract, every, incident, instant, monitor
from tests.models.builder_exclusions import add_entry, add_notice

MONTH, AS_OF = "2026-03", "2026-05-01T00:00:00Z"
TURN = "2026-03-15T12:00:00Z"
START = "2026-01-01T00:00:00Z"
VARIANTS = ("default", "chosen", "turned")

Terms = Mapping[str, Any]
Fill = Callable[[Exports, str], None]


@dataclass(frozen=True)
class Case:
    """A choice, what happens in its region, and what `view` shows under the three terms, reckoned by hand."""

    name: str
    changed: Terms
    fill: Fill
    view: str
    default: Any
    chosen: Any
    turned: Any
    why: str
    services: Sequence[str] = ()
    # Versions by variant, where they are not those that this module's docstring tells.
    versions: Mapping[str, Sequence[tuple[str, Terms]]] = field(default_factory=dict)

    def versions_of(self, variant: str) -> Sequence[tuple[str, Terms]]:
        """The versions of the variant's terms: from when, and what they state."""
        usual = {"default": (), "chosen": ((START, self.changed),), "turned": ((START, {}), (TURN, self.changed))}
        return self.versions.get(variant, usual[variant])


def load_into(exports: Exports, cases: Sequence[Case]) -> None:
    """Everything of the cases."""
    component(exports, "billing_portal-elsewhere", service="billing_portal", region="elsewhere")
    for case in cases:
        for variant in VARIANTS:
            if getattr(case, variant) is None:
                continue
            name = f"{case.name} {variant}"
            versions = case.versions_of(variant)
            terms_id = name.replace(" ", ".") if versions else "klink-enterprise"
            for number, (since, changed) in enumerate(versions, start=1):
                exports.terms(terms_id, str(number), since=since, **changed)
            contract(exports, name, region=case.name, account_id=f"A-{name}", terms_id=terms_id, services=case.services)
        case.fill(exports, case.name)


def at(text: str) -> str:
    """An instant of March 2026 from "11:30" or "20T00:00"."""
    day, _, time = text.rpartition("T")
    return f"2026-03-{day or '15'}T{time if time.count(':') == 2 else time + ':00'}Z"


def accounts(exports: Exports, region: str) -> list[str]:
    """The accounts of a case, in the order of the variants."""
    return [row["account_id"] for row in exports.rows["contracts"] if row["region"] == region]


# What happens in a region.


def declared(*outages: tuple[str, str], service: str = "dashboard") -> Fill:
    """Outages on the status page."""

    def fill(exports: Exports, region: str) -> None:
        for start, end in outages:
            seconds = (instant(at(end)) - instant(at(start))).total_seconds()
            exports.outage(region, at(start), seconds, service=service)

    return fill


def page(status: str) -> Fill:
    """A component in a status from half an hour before the turn to half an hour after it."""

    def fill(exports: Exports, region: str) -> None:
        name = f"dashboard-{region}"
        component(exports, name, service="dashboard", region=region)
        updates = [(at("11:30"), "investigating", {name: status}), (at("12:30"), "resolved", {name: "operational"})]
        incident(exports, f"I-{region}", component_ids=[name], updates=updates)

    return fill


def probed(start: str, statuses: str) -> Fill:
    """Minutely checks of one location; the monitor is active from the first to a minute after the last."""

    def fill(exports: Exports, region: str) -> None:
        taken = every(at(start), 60, statuses)
        until = instant(at(start)) + timedelta(minutes=len(statuses))
        monitor(exports, f"M-{region}", service="dashboard", region=region, active=(instant(at(start)), until))
        checks(exports, f"M-{region}", "fra", taken)

    return fill


def both(*fills: Fill) -> Fill:
    """One thing and another."""

    def fill(exports: Exports, region: str) -> None:
        for each in fills:
            each(exports, region)

    return fill


def registered(category: str, *, period: tuple[str, str] = ("11:30", "12:30")) -> Fill:
    """An outage of the dashboard, and the register's entry that explains it, for the case's accounts."""

    def fill(exports: Exports, region: str) -> None:
        declared(period)(exports, region)
        add_entry(
            exports,
            f"X-{region}",
            category,
            period=(at(period[0]), at(period[1])),
            regions=[region],
            incident_ids=[exports.rows["incidents"][-1]["incident_id"]],
            account_ids=accounts(exports, region),
        )

    return fill


def announced(sent: str, *, channel: str = "email") -> Fill:
    """An outage from 11:30 to 12:30 within a window of maintenance that was announced."""

    def fill(exports: Exports, region: str) -> None:
        declared(("11:30", "12:30"))(exports, region)
        add_notice(
            exports,
            f"N-{region}",
            f"MW-{region}",
            "announce",
            sent_at=at(sent),
            window=(at("11:30"), at("12:30")),
            component_ids=[f"dashboard-{region}"],
            channel=channel,
        )

    return fill


def claimed(received_at: str, *, is_full: bool = True) -> Fill:
    """An hour of downtime, and each account's claim for it, received in April."""

    def fill(exports: Exports, region: str) -> None:
        declared(("11:30", "12:30"))(exports, region)
        for account in accounts(exports, region):
            given = {"company_name": f"Company {account}", "timeline": [(at("11:30"), at("12:30"))]} if is_full else {}
            exports.claim(
                f"claim of {account}", received_at=received_at, account_id=account, month=MONTH, sent_at=None, **given
            )

    return fill


def asked(created: str, severity: str, *, reply: str, ai_reply: str | None = None, tickets: int = 1) -> Fill:
    """Tickets of each account, answered by a human agent, and by the AI before."""

    def fill(exports: Exports, region: str) -> None:
        for account in accounts(exports, region):
            for number in range(tickets):
                ticket = f"{account} {number}"
                exports.ticket(ticket, account, at(created), severity, reply=at(reply))
                if ai_reply is not None:
                    exports.event(ticket, "public_reply", at(ai_reply), "ai")

    return fill
