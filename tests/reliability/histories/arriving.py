"""Histories, each of one contract of its own: what its exports say, and in which round each of it arrives."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from tests.edge_cases.world import Row, World, after, instant

MARCH, APRIL = "2026-03", "2026-04"
MONTHS = (MARCH, APRIL, "2026-05", "2026-06")
LAST_AS_OF = "2026-08-05T00:00:00Z"
# When exports of a round are dated: after all as-of times, which cut by when things happened, never by this.
FIRST_EXPORT = "2026-08-10T00:00:00Z"

# Seconds down. Of 31 days 2,678.4 are 0.1 % and 26,784 are 1 %; of 30 days 2,592 and 25,920.
EDGES = (2592, 2592.000001, 2678.4, 2678.400001, 25920, 26784, 26784.000001)
LENGTHS = (*EDGES, 600, 3600, 3600, 7200, 30_000, 40_000, 134_000)
FEES = (
    *(("1000.00", "USD"), ("999.99", "USD"), ("10.10", "USD"), ("1999.90", "EUR"), ("50010", "JPY")),
    *(("812.345", "KWD"), ("0", "USD")),
)
ZONED = ("h-berlin", "h-new-york")
TERMS = (*ZONED, "h-unasked", "h-responsive", "h-out-of-base", "h-versions")
SHARED_PAGE = "page-shared"


def following(month: str) -> str:
    """The month after a month of 2026."""
    return f"2026-{int(month[5:]) + 1:02}"


def exported_at(round_number: int, *, minutes: int = 0) -> str:
    """When the exports of a round are dated."""
    at = instant(FIRST_EXPORT) + timedelta(hours=round_number, minutes=minutes)
    return at.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Arrival:
    """A row, and the object version that brings it: rows of one feed, name and round come in one."""

    round: int
    feed: str
    name: str
    exported_at: str
    row: Row
    page: str = SHARED_PAGE  # of a status page: which
    is_whole_page: bool = False  # its object lists all incidents of its page
    is_growing: bool = False  # its object keeps what earlier versions of it said


@dataclass
class History:
    """One contract of some months, its account and its region, from a chance of its own."""

    number: int
    months: tuple[str, ...]  # one after the other: those in which the contract is active
    rounds: int  # in which something arrives
    chance: random.Random
    arrivals: list[Arrival] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)  # what happens in it
    incidents: dict[str, Row] = field(default_factory=dict)  # as told last, of a page of its own

    def __post_init__(self) -> None:
        self.id = f"h{self.number:05}"
        self.contract_id = f"C-{self.id}"
        self.has_page = self.chance.random() < 0.25
        self.terms_id = self.chance.choice(("klink-enterprise", "klink-enterprise", *TERMS))
        self.fee, self.currency = self.chance.choice(FEES)

    def say(
        self, arrives: int, tell: Callable[[World], object], *, only: str = "", name: str = "", **given: object
    ) -> None:
        """Rows that arrive in a round: as of then, or of an earlier one; `only` those of a feed."""
        world = World()
        tell(world)
        if self.chance.random() < 0.25 and arrives:
            dated = exported_at(self.chance.choice((-1, arrives - 1)), minutes=30)
        else:
            dated = exported_at(arrives)
        age = dated.translate(str.maketrans("", "", ":-"))
        shared = self.chance.choice(("a", "growing"))
        for key, rows in world.rows.items():
            feed = key.rpartition("/")[0]
            if not feed.startswith(only):
                continue
            is_growing = not name and shared == "growing" and not feed.startswith(("status_page", "monitoring"))
            object_name = name or ("growing" if is_growing else f"{arrives}-{age}-{shared}")
            for row in rows:
                arrival = Arrival(
                    arrives,
                    feed,
                    object_name,
                    exported_at(arrives) if is_growing else dated,
                    row,
                    is_growing=is_growing,
                    **given,
                )
                self.arrivals.append(arrival)

    def later(self, than: int = 0) -> int:
        """A round after another, if there is one."""
        return self.chance.randrange(min(than + 1, self.rounds - 1), self.rounds)

    def note(self, what: str) -> None:
        self.told[what] += 1

    def happen(self) -> None:
        """Everything of this history."""
        start = 0 if self.chance.random() < 0.85 else self.later()
        if start:
            self.note("late contracts")
        self.say(start, self._contract)
        for month in self.months:
            if self.chance.random() < 0.9:
                self._fee(start, month)
            else:
                self.note("late fees")
                self._fee(self.later(start), month)
            for _ in range(self.chance.choice((0, 1, 1, 1, 2))):
                self._outage(start, month)
            for claim in range(self.chance.choice((0, 1, 1, 1, 1, 2))):
                self._claim(start, month, claim)
        if self.chance.random() < 0.35:
            self._watched(start)
        events = (
            *(self._edited_outage, self._edited_outage, self._late_outage, self._other_fee, self._withdrawn_fee),
            *(self._excluded, self._amended, self._renamed, self._remapped, self._maintained, self._second_contract),
        )
        for event in self.chance.sample(events, self.chance.randint(2, 5)):
            event(start)
        if self.terms_id == "h-responsive":
            self._tickets(start)

    # Accounts, contracts and fees

    def _contract(self, world: World) -> None:
        world.customer(self.id, **self._as_before({}))
        world.component(f"dashboard-{self.id}", region=self.id)

    def _fee(
        self, arrives: int, month: str, *, fee: str = "", currency: str = "", name: str = "", contract_id: str = ""
    ) -> None:
        row = {
            "contract_id": contract_id or self.contract_id,
            "service_month": month,
            "monthly_fee": fee or self.fee,
            "currency": currency or self.currency,
        }
        self.say(arrives, lambda world: world.add("accounts/fees", row), name=name)

    def _other_fee(self, start: int) -> None:
        self.note("corrected fees")
        fee, currency = self.chance.choice(FEES)
        self._fee(self.later(start), self.chance.choice(self.months), fee=fee, currency=currency)

    def _withdrawn_fee(self, start: int) -> None:
        """A fee in an object of its own, that is overwritten without it; it may come back."""
        self.note("withdrawn fees")
        month, name = self.chance.choice(self.months), f"own-{self.id}"
        first = self.later(start)
        second = self.later(first)
        self._fee(first, month, fee="2000", currency=self.chance.choice(("USD", self.currency)), name=name)
        if second > first:
            row = {"contract_id": "C-nobody", "service_month": month, "monthly_fee": "1", "currency": "USD"}
            self.say(second, lambda world: world.add("accounts/fees", row), name=name)

    def _amended(self, start: int) -> None:
        self.note("amended contracts")
        month = self.chance.choice(self.months)
        given = self.chance.choice(
            (
                {"ends_at": f"{month}-20T00:00:00Z"},
                {"starts_at": f"{month}-10T10:30:00Z"},
                {"suspensions": [{"starts_at": f"{month}-09T00:00:00Z", "ends_at": f"{month}-12T00:00:00Z"}]},
                {"active_agreement": False},
                {"region": "elsewhere"},
                {"terms_id": self.chance.choice(TERMS)},
            )
        )
        self.say(self.later(start), lambda world: world.customer(self.id, **self._as_before(given)))
        if self.chance.random() < 0.4:
            self.say(self.later(start), lambda world: world.customer(self.id, **self._as_before({})))

    def _as_before(self, given: Row) -> Row:
        # In a zone, what is active beyond the months is part of another one: half a day less at both ends.
        hours = 12 if self.terms_id in ZONED else 0
        ends_at = after(f"{following(self.months[-1])}-01T00:00:00Z", -3600 * hours)
        starts_at = f"{self.months[0]}-01T{hours:02}:00:00Z"
        return {"terms_id": self.terms_id, "fee": None, "starts_at": starts_at, "ends_at": ends_at, **given}

    def _renamed(self, start: int) -> None:
        self.note("renamed companies")
        self.say(self.later(start), lambda world: world.account(f"A-{self.id}", "Another Name"))
        if self.chance.random() < 0.5:
            self.say(self.later(start), lambda world: world.account(f"A-{self.id}"))

    def _second_contract(self, start: int) -> None:
        """Another contract of the account in the same region, with a fee: a claim speaks for both (C6)."""
        self.note("second contracts")
        arrives, second = self.later(start), f"D-{self.id}"
        given = {"region": self.id, **self._as_before({"starts_at": f"{self.months[0]}-05T00:00:00Z"})}
        self.say(arrives, lambda world: world.contract(second, f"A-{self.id}", **given))
        for month in self.months:
            self._fee(arrives, month, fee="700.07", contract_id=second)

    # What was up and down

    def _outage(self, arrives: int, month: str, *, incident_id: str = "", seconds: float = 0, **given: object) -> None:
        incident_id = incident_id or f"I-{self.id}-{len(self.incidents)}"
        seconds = seconds or self.chance.choice(LENGTHS)
        component = f"dashboard-{self.id}"
        start = f"{month}-{self.chance.choice((10, 10, 11, 15))}T10:00:00Z"
        end = after(start, seconds)
        updates = [
            (start, "investigating", {component: "major_outage"}),
            (end, "resolved", {component: "operational"}),
        ]

        def tell(world: World) -> None:
            world.incident(incident_id, [component], updates, resolved_at=end, **given)
            (row,) = world.rows["status_page/statuspage/edge-cases.json"]
            self.incidents[incident_id] = row

        if self.has_page:
            tell(World())
            self._list(arrives)
        else:
            self.say(arrives, tell)

    def _list(self, arrives: int) -> None:
        """All incidents of the history's own page, as it is complete; those that are not there are withdrawn (S3)."""
        rows = list(self.incidents.values())
        name = f"{self.id}-{arrives}-{len(self.arrivals)}"

        def tell(world: World) -> None:
            for row in rows:
                world.add("status_page/statuspage", row)

        self.say(arrives, tell, name=name, page=f"page-{self.id}", is_whole_page=True)

    def _edited_outage(self, start: int) -> None:
        if not self.incidents:
            return
        incident_id = self.chance.choice(sorted(self.incidents))
        month = self.incidents[incident_id]["created_at"][:7]
        if self.has_page and self.chance.random() < 0.4:
            self.note("withdrawn incidents")
            del self.incidents[incident_id]
            self._list(self.later(start))
            return
        self.note("edited incidents")
        self._outage(self.later(start), month, incident_id=incident_id, seconds=self.chance.choice((1, *LENGTHS)))

    def _late_outage(self, start: int) -> None:
        self.note("late incidents")
        self._outage(self.later(start), self.chance.choice(self.months))

    def _watched(self, start: int) -> None:
        """A monitor of two hours of one month, in which an hour's checks come late, contradict, or never come."""
        month = self.chance.choice(self.months)
        given = {"start": f"{month}-20T06:00:00Z", "confirm": self.chance.choice(("", 2))}
        hours = [60 * self.chance.choice("..ud") for _ in range(2)]
        first = "u" * 20 + hours[0] + "u" * 20
        self.say(start, lambda world: world.watched(self.id, {"fra": first}, **given))
        if self.chance.random() < 0.8:
            self.note("late checks")
            late = 20 * "." + hours[1] + 20 * "."
            name = f"{self.id}-late"
            arrives = self.later(start)
            self.say(
                arrives, lambda world: world.watched(self.id, {"fra": late}, **given), only="monitoring", name=name
            )

    def _remapped(self, start: int) -> None:
        self.note("catalog changes")
        region = self.chance.choice(("elsewhere", self.id))
        service = self.chance.choice(("dashboard", "messaging_engine", "billing_portal"))
        given = {"region": region, "service": service}
        self.say(self.later(start), lambda world: world.component(f"dashboard-{self.id}", **given))
        if self.chance.random() < 0.4:
            self.say(self.later(start), lambda world: world.component(f"dashboard-{self.id}", region=self.id))

    # What takes downtime off

    def _excluded(self, start: int) -> None:
        self.note("exclusions")
        month = self.chance.choice(self.months)
        day = self.chance.choice((10, 11, 15, 20))
        period = (f"{month}-{day}T00:00:00Z", f"{month}-{day + 1}T00:00:00Z")
        # X7: it is the page's incidents of the region that it explains.
        given = {"regions": [self.id], "incident_ids": sorted(self.incidents), "approved_at": f"{month}-28T00:00:00Z"}
        category = self.chance.choice(("force_majeure", "third_party_meta", "customer_connectivity"))
        first = self.later(start)
        self.say(first, lambda world: world.entry(f"X-{self.id}", category, period, **given))
        if self.chance.random() < 0.6:
            self.note("revocations")
            revoked = {
                **given,
                "revoked_at": self.chance.choice((f"{following(month)}-28T00:00:00Z", "2026-07-30T00:00:00Z")),
            }
            self.say(self.later(first), lambda world: world.entry(f"X-{self.id}", category, period, **revoked))

    def _maintained(self, start: int) -> None:
        """A maintenance over an outage, announced in time or not; its notice is exported late and may be taken back."""
        self.note("notices")
        month = self.chance.choice(self.months)
        window = (f"{month}-10T09:00:00Z", f"{month}-10T12:00:00Z")
        sent = self.chance.choice((f"{month}-08T09:00:00Z", f"{month}-08T09:00:00.000001Z"))
        component = f"dashboard-{self.id}"
        first = self.later(start)
        self.say(first, lambda world: world.notice(f"N-{self.id}-1", "announce", sent, window, component))
        if self.chance.random() < 0.4:
            at = f"{month}-10T10:15:00Z"
            self.say(self.later(first), lambda world: world.notice(f"N-{self.id}-2", "cancel", at, None, component))

    # What customers say

    def _claim(self, start: int, month: str, number: int) -> None:
        claim_id = f"CL-{self.id}-{month}-{number}"
        next_month = following(month)
        deadline = f"{next_month}-11T00:00:00Z"
        received = self.chance.choice(
            (*2 * (f"{next_month}-02T10:00:00Z", f"{next_month}-06T10:00:00Z"), after(deadline, -0.000001), deadline)
        )
        arrives = start if self.chance.random() < 0.75 else self.later(start)
        if arrives > start:
            self.note("late claims")
        if number:
            self.note("claims twice")
        given: Row = {"month": month}
        roll = self.chance.random()
        if roll < 0.1:
            self.note("claims filled in")
            self.say(arrives, lambda world: world.claim(claim_id, self.id, received, incident_timeline=[], **given))
            arrives, received = self.later(arrives), after(received, 86_400)
        elif roll < 0.2:
            self.note("claims sent in time")
            given["sent_at"], received = f"{next_month}-10T00:00:00Z", after(deadline, 3600)
        elif roll < 0.24:
            given["company_name"] = "Somebody Else"
        self.say(arrives, lambda world: world.claim(claim_id, self.id, received, **given))

    def _tickets(self, start: int) -> None:
        for month in self.months:
            ticket_id, at = f"T-{self.id}-{month}", f"{month}-12T08:00:00Z"
            created = {
                "ticket_id": ticket_id,
                "event_id": f"{ticket_id}-1",
                "at": at,
                "type": "created",
                "actor": "customer",
                "account_id": f"A-{self.id}",
                "severity": "P1",
            }
            reply = {
                "ticket_id": ticket_id,
                "event_id": f"{ticket_id}-2",
                "at": after(at, self.chance.choice((7200, 7200.000001))),
                "type": "public_reply",
                "actor": "agent",
            }
            for arrives, row in ((start, created), (self.later(start), reply)):
                self._event(arrives, row)

    def _event(self, arrives: int, row: Row) -> None:
        self.note("ticket events")
        self.say(arrives, lambda world: world.add("tickets/events", row))


def custom_terms(rounds: int, chance: random.Random) -> list[Arrival]:
    """Terms that histories share; of one id a second version lands late."""
    world = World()
    world.terms("h-berlin", time_zone="Europe/Berlin")
    world.terms("h-new-york", time_zone="America/New_York")
    world.terms("h-unasked", claims={"required": False})
    responsive = {"credits": [{"severity": "P1", "percent": 2}], "response_credit_cap": 5}
    world.terms("h-responsive", response_times=responsive)
    world.terms("h-out-of-base", availability={"excluded_time": "out_of_base", "minimum_outage": "10m"})
    world.terms("h-versions")
    tiers = [{"below": 99.95, "percent": 4}, {"below": 99.5, "percent": 20}]
    late = World()
    late.terms("h-versions", "2", since=f"{chance.choice(MONTHS)}-01T00:00:00Z", credits=tiers)
    arrives = chance.randrange(1, rounds)
    return [
        Arrival(number, "terms", key.removeprefix("terms/").removesuffix(".yml"), exported_at(number), row)
        for number, told in ((0, world), (arrives, late))
        for key, rows in told.rows.items()
        for row in rows
    ]
