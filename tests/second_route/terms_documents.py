"""Custom terms: every choice that the rules leave, partly overridden, extended, changed in mid-month, or refused."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from tests.second_route.world import (
    CORE,
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    SERVICES,
    ZONES,
    Row,
    World,
    following,
    local,
    month_bounds,
)

CATEGORIES = (
    "third_party_meta",
    "third_party_messaging",
    "third_party_ai",
    "customer_connectivity",
    "force_majeure",
)
PUBLIC: Row = {
    "plan": "enterprise",
    "guaranteed": True,
    "time_zone": "UTC",
    "availability": {"commitment": "99.9", "core_services": list(CORE), "evidence": "either", "minimum_outage": "0s"},
    "exclusions": [*CATEGORIES, "scheduled_maintenance"],
    "maintenance": {"notice": "48h", "channels": ["email", "in_app"]},
    "credits": [
        {"below": "99.9", "percent": "5"},
        {"below": "99.0", "percent": "10"},
        {"below": "95.0", "percent": "25"},
    ],
    "claims": {"required": True, "within": "10d", "must_include": ["company_name", "account_id", "incident_timeline"]},
    "response_times": {
        "counted_reply": "human",
        "calendar": {"time_zone": "UTC", "holidays": None},
        "targets": {"P1": "2h", "P2": "4h", "P3": "1 business day", "P4": "2 business days"},
        "credits": [],
    },
}
LADDERS = (
    [("99.95", "2"), ("99.9", "5"), ("99.5", "7.5"), ("98.123456", "12.25"), ("95", "33.333333")],
    [("100", "1"), ("99.99", "3")],
    [("99.9", "5"), ("99.0", "10"), ("95.0", "25")],
    [("99.9", "0.000001"), ("99", "100")],
    [("50", "50")],
    [],
)
HOLIDAYS = (None, None, "DE", "DE-BY", "US", "US-CA", "IN", "AU", "AU-NSW", "BR")
UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


@dataclass(frozen=True)
class Terms:
    """What the makers of outages and claims must know of terms to hit their thresholds."""

    terms_id: str
    zone: str
    document: Row  # with what it inherits, as far as this generator needs
    changes: tuple[int, ...] = ()  # when later versions take effect

    @property
    def tiers(self) -> list[Fraction]:
        return [Fraction(tier["below"]) for tier in self.document["credits"]]

    @property
    def availability(self) -> Row:
        return self.document["availability"]

    @property
    def minimum_outage(self) -> int:
        return duration(self.availability["minimum_outage"])

    @property
    def notice(self) -> int:
        return duration(self.document["maintenance"]["notice"])

    @property
    def within_days(self) -> int:
        return int(self.document["claims"]["within"].removesuffix("d"))


def duration(text: str) -> int:
    """A duration of a terms document, in microseconds."""
    return int(text[:-1]) * UNITS[text[-1]]


def merged(base: Row, own: Row) -> Row:
    """Mappings merge, the rest replaces (rule T2)."""
    result = copy.deepcopy(base)
    for name, value in own.items():
        both = isinstance(value, dict) and isinstance(result.get(name), dict)
        result[name] = merged(result[name], value) if both else copy.deepcopy(value)
    return result


def make(world: World, count: int) -> list[Terms]:
    """Land `count` custom terms and return them, beside the standard three."""
    start, end = month_bounds(world.month, "UTC")
    starter = {"guaranteed": False, "credits": [], "availability": {"commitment": "99.5"}}
    known = [
        Terms("klink-enterprise", "UTC", PUBLIC),
        Terms("klink-starter", "UTC", merged(PUBLIC, starter)),
        Terms("klink-growth", "UTC", merged(PUBLIC, starter)),
    ]
    for number in range(count):
        parent = known[0] if world.chance(75) else world.one(*known)
        zone = ZONES[number % len(ZONES)]
        own = _overrides(world) | {"time_zone": zone}
        after = days_of_change(zone, date.fromisoformat(f"{following(world.month)}-01"), 30)
        if after and world.chance(80):
            # Claims until the end of a day that is no 24 hours long (C2).
            own["claims"] = own.get("claims", {}) | {"within": f"{world.one(*after).day}d"}
        terms_id, document, changes = f"custom-{number}", merged(parent.document, own), []
        if world.chance(85):
            _land(world, terms_id, "1", start - world.one(DAY, 40 * DAY), own, extends=parent.terms_id)
        else:
            _land(world, terms_id, "1", start - 40 * DAY, document)
        for version in range(2, 2 + world.one(0, 0, 0, 1, 1, 2)):
            change = _overrides(world) | {"time_zone": zone}
            at = world.rng.randrange(start, end)
            at = world.one(at, at - at % HOUR, *month_bounds(world.month, zone))
            changes.append(_land(world, terms_id, str(version), at + version, change, extends=parent.terms_id))
        known.append(Terms(terms_id, zone, document, tuple(changes)))
    _land_what_is_refused(world, start, end)
    return known


def days_of_change(zone: str, first: date, count: int) -> list[date]:
    """Of so many local days those that are no 24 hours long, as clocks change within them or at their end."""
    days = [first + timedelta(days=number) for number in range(count + 1)]
    starts = [local(zone, day.year, day.month, day.day) for day in days]
    return [day for day, start, end in zip(days, starts, starts[1:], strict=False) if end - start != DAY]


def _overrides(world: World) -> Row:
    """Some of the choices, each as likely there as not."""
    availability = {
        "commitment": world.one("99", "99.5", "99.9", "99.95", "99.999", "100"),
        "core_services": world.some(SERVICES) if world.chance(60) else list(CORE),
        "down_when": world.one("any", "all"),
        "evidence": world.one("either", "monitoring", "status_page", "both"),
        "degraded_counts": world.chance(50),
        "partial_outage_counts": world.chance(50),
        "minimum_outage": world.one("0s", "1s", "60s", "5m", "1h"),
        "excluded_time": world.one("as_uptime", "out_of_base", "out_of_base"),
        "thresholds_from": world.one("period_start", "period_end"),
    }
    maintenance = {
        "notice": world.one("0s", "1h", "24h", "48h", "3d"),
        "channels": world.some(("email", "in_app", "status_page"), least=0),
    }
    claims = {
        "required": world.chance(75),
        "within": world.one("1d", "5d", "10d", "30d"),
        "must_include": world.some(("company_name", "account_id", "incident_timeline"), least=0),
    }
    return {
        **({"guaranteed": False} if world.chance(6) else {}),
        **({"availability": _some_of(world, availability)} if world.chance(90) else {}),
        **({"exclusions": world.some((*CATEGORIES, "scheduled_maintenance"), least=0)} if world.chance(40) else {}),
        **({"maintenance": _some_of(world, maintenance)} if world.chance(50) else {}),
        **({"credits": _ladder(world)} if world.chance(60) else {}),
        **({"claims": _some_of(world, claims)} if world.chance(60) else {}),
        **({"response_times": _responses(world)} if world.chance(70) else {}),
    }


def _responses(world: World) -> Row:
    zone = world.one(*ZONES)
    first = date.fromisoformat(f"{world.month}-01")
    beside = [each + timedelta(days=world.one(-1, 0, 1)) for each in days_of_change(zone, first, 31)]
    days = (*beside, *(first + timedelta(days=world.rng.randrange(28)) for _ in range(3)))
    listed = [str(each) for each in dict.fromkeys(days)]
    targets = {
        "P1": world.one("2h", "30m", "1 business day", "90s"),
        "P2": world.one("4h", "1d", "2 business days"),
        "P3": world.one("1 business day", "0 business days", "3 business days", "36h"),
        "P4": world.one("2 business days", "5 business days", "4 business days"),
    }
    calendar = {"time_zone": zone, "holidays": world.one(*HOLIDAYS, listed)}
    credits = [
        {"severity": severity, "percent": world.one("1", "2.5", "0.333333", "40")}
        for severity in world.some(("P1", "P2", "P3", "P4"))
    ]
    return {
        **({"counted_reply": world.one("human", "any")} if world.chance(50) else {}),
        **({"calendar": _some_of(world, calendar)} if world.chance(80) else {}),
        **({"targets": _some_of(world, targets)} if world.chance(70) else {}),
        **({"credits": credits} if world.chance(60) else {}),
        **({"response_credit_cap": world.one("0.5", "3", "5", "50", "100")} if world.chance(50) else {}),
    }


def _ladder(world: World) -> list[Row]:
    tiers = [{"below": below, "percent": percent} for below, percent in world.one(*LADDERS)]
    world.rng.shuffle(tiers)
    return tiers


def _some_of(world: World, choices: Row) -> Row:
    return {name: value for name, value in choices.items() if world.chance(50)}


def _land(world: World, terms_id: str, version: str, since: int, own: Row, *, extends: str | None = None) -> int:
    """Land a version; when it takes effect."""
    since -= since % SECOND if world.chance(50) else 0
    head = {"id": terms_id, "version": version, "effective_from": world.text(since)}
    world.rows["terms"].append({**head, **({"extends": extends} if extends else {}), **copy.deepcopy(own)})
    return since


def _land_what_is_refused(world: World, start: int, end: int) -> None:
    """Terms that contracts name and that never are in force, each for another reason."""
    enterprise = "klink-enterprise"
    _land(world, "late-terms", "1", end - DAY, {}, extends=enterprise)
    _land(world, "later-terms", "1", end + 5 * DAY, {}, extends=enterprise)
    _land(world, "orphan-terms", "1", start - DAY, {}, extends="nobody-wrote-this")
    _land(world, "loop-terms", "1", start - DAY, {}, extends="loop-terms-2")
    _land(world, "loop-terms-2", "1", start - DAY, {}, extends="loop-terms")
    _land(
        world,
        "telepathy-terms",
        "1",
        start - DAY,
        {"availability": {"core_services": ["telepathy"]}},
        extends=enterprise,
    )
    twice = [{"below": "99", "percent": "5"}, {"below": "99", "percent": "6"}]
    _land(world, "twice-terms", "1", start - DAY, {"credits": twice}, extends=enterprise)
    falling = [{"below": "99", "percent": "6"}, {"below": "98", "percent": "5"}]
    _land(world, "falling-terms", "1", start - DAY, {"credits": falling}, extends=enterprise)
    _land(world, "nowhere-terms", "1", start - DAY, {"time_zone": "Europe/Atlantis"}, extends=enterprise)
    _land(world, "moving-terms", "1", start - DAY, {"time_zone": "Asia/Kolkata"}, extends=enterprise)
    _land(world, "moving-terms", "2", start + 9 * DAY, {"time_zone": "UTC", "exclusions": []}, extends=enterprise)
    _land(world, "misspelt-terms", "1", start - DAY, {"garanteed": True}, extends=enterprise)


REFUSED = (
    "late-terms",
    "later-terms",
    "orphan-terms",
    "loop-terms",
    "telepathy-terms",
    "twice-terms",
    "falling-terms",
    "nowhere-terms",
    "moving-terms",
    "misspelt-terms",
    "never-written",
)


def body(world: World, document: Row) -> bytes:
    """A terms document as YAML: block style, or JSON, which YAML includes. Percents are numbers, never texts."""
    import yaml

    if world.chance(50):
        return yaml.dump(document, Dumper=_dumper(), sort_keys=world.chance(50)).encode()
    text = json.dumps(_numbers(document, lambda value: f"\x00{value}\x00"))
    return text.replace('"\\u0000', "").replace('\\u0000"', "").encode()


def _numbers(value: Any, number: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _numbers(item, number, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item, number) for item in value]
    return number(value) if name in ("below", "percent", "commitment", "response_credit_cap") else value


def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes texts that are numbers in these fields plainly."""

        def represent_mapping(self, tag: str, mapping: Any, flow_style: Any = None) -> Any:
            node = super().represent_mapping(tag, mapping, flow_style)
            for key, value in node.value:
                if key.value in ("below", "percent", "commitment", "response_credit_cap"):
                    kind = "float" if "." in value.value else "int"
                    value.tag, value.style = f"tag:yaml.org,2002:{kind}", None
            return node

    return Dumper
