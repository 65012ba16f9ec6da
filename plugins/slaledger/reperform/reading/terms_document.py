"""What a terms document may say (T4), and what a whole one says, as a `TermsVersion`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any

from slaledger.reperform import instants
from slaledger.reperform.reading.customers import SEVERITIES
from slaledger.reperform.reading.exclusions import CATEGORIES, CHANNELS
from slaledger.reperform.reading.rows import Fields, Unusable
from slaledger.reperform.records import SECOND, Target, TermsVersion

CORE_SERVICES = frozenset({"dashboard", "call_routing", "messaging_engine"})
CLAIM_FIELDS = frozenset({"company_name", "account_id", "incident_timeline"})
SECONDS_A_UNIT = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}
BUSINESS_DAY = "business day"
# How many digits of each unit a document may have: at most 27 years, or a thousand business days.
DIGITS = {"s": 8, "m": 7, "h": 5, "d": 4, BUSINESS_DAY: 3}
DURATION = re.compile(r"(\d+)(?:([smhd])| (business day)s?)", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SERVICE = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class Kind:
    """What a field's value may be, in words, and whether one is."""

    says: str
    is_one: Callable[[Any], bool]


def written(says: str, pattern: re.Pattern[str]) -> Kind:
    """Texts that are written so."""
    return Kind(says, lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None)


def one_of(*choices: str) -> Kind:
    """One of some words."""
    return Kind(f"one of {', '.join(choices)}", lambda value: isinstance(value, str) and value in choices)


def list_of(kind: Kind, *, least: int = 0) -> Kind:
    """A list of such values, none of them twice."""
    return Kind(
        f"a list of {kind.says}, each once, at least {least}",
        lambda value: (
            isinstance(value, list) and all(map(kind.is_one, value)) and len(set(value)) == len(value) >= least
        ),
    )


def lasting(*units: str, least: int = 0) -> Kind:
    """Durations in some of the units; `least` is of those that run around the clock."""

    def is_one(value: Any) -> bool:
        found = DURATION.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            return False
        unit = found[2] or found[3]
        is_long_enough = unit == BUSINESS_DAY or int(found[1]) >= least
        return unit in units and len(found[1]) <= DIGITS[unit] and is_long_enough

    return Kind(f"a whole number of {', '.join(units)} from {least}", is_one)


def is_instant(value: Any) -> bool:
    """Whether a value is an instant as exports have them."""
    try:
        instants.parse(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True


def is_calendar(value: Any) -> bool:
    """Whether a value names no holidays, a calendar of the holidays library, or dates, none of them twice."""
    if isinstance(value, list):
        return all(map(is_date, value)) and len(set(value)) == len(value)
    return value is None or (isinstance(value, str) and value in holiday_codes())


def is_date(value: Any) -> bool:
    """Whether a value is a date `YYYY-MM-DD`."""
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


A_NAME = written("1 to 64 letters, digits, dots, dashes and underscores", NAME)
A_FLAG = Kind("true or false", lambda value: isinstance(value, bool))
A_ZONE = Kind("a zone of the time-zone database", lambda value: isinstance(value, str) and value in zone_names())
AN_INSTANT = Kind("an ISO 8601 instant with an offset and at most 6 fractional digits", is_instant)
A_CALENDAR = Kind("null, a code of the holidays library, or a list of dates YYYY-MM-DD, each once", is_calendar)
A_PERCENT = Kind("a percent from 0 to 100", lambda value: isinstance(value, Fraction) and 0 <= value <= 100)
# Uptime is never under 0 percent, and 0 percent of a fee is nothing: such a tier or credit could never give anything.
A_SHARE = Kind("a percent over 0, to 100", lambda value: isinstance(value, Fraction) and 0 < value <= 100)
THE_WHOLE_FEE = Fraction(100)  # percent
A_SEVERITY = one_of(*sorted(SEVERITIES))
AROUND_THE_CLOCK = lasting(*SECONDS_A_UNIT)
A_TARGET = lasting(*SECONDS_A_UNIT, BUSINESS_DAY, least=1)

SHAPE: Fields = {
    **dict.fromkeys(("id", "version", "extends", "plan"), A_NAME),
    "effective_from": AN_INSTANT,
    "guaranteed": A_FLAG,
    "time_zone": A_ZONE,
    "availability": {
        "commitment": A_PERCENT,
        "core_services": list_of(written("services in small letters, digits and underscores", SERVICE), least=1),
        "down_when": one_of("any", "all"),
        "evidence": one_of("either", "monitoring", "status_page", "both"),
        "degraded_counts": A_FLAG,
        "partial_outage_counts": A_FLAG,
        "minimum_outage": AROUND_THE_CLOCK,
        "excluded_time": one_of("as_uptime", "out_of_base"),
        "thresholds_from": one_of("period_start", "period_end"),
    },
    "exclusions": list_of(one_of(*sorted(CATEGORIES))),
    "maintenance": {"notice": AROUND_THE_CLOCK, "channels": list_of(one_of(*sorted(CHANNELS)))},
    "credits": [{"below": A_SHARE, "percent": A_SHARE}],
    "claims": {"required": A_FLAG, "within": lasting("d"), "must_include": list_of(one_of(*sorted(CLAIM_FIELDS)))},
    "response_times": {
        "counted_reply": one_of("human", "any"),
        "calendar": {"time_zone": A_ZONE, "holidays": A_CALENDAR},
        "targets": dict.fromkeys(sorted(SEVERITIES), A_TARGET),
        "credits": [{"severity": A_SEVERITY, "percent": A_SHARE}],
        "response_credit_cap": A_PERCENT,
    },
}


def check_shape(content: Any, shape: Any, name: str = "") -> None:
    """Raise `Unusable` at a field that no terms document has, and at a value that is none of its field's (T4)."""
    if isinstance(shape, Kind):
        if not shape.is_one(content):
            raise Unusable(f"{name} is not {shape.says} (T4)")
    elif isinstance(shape, Mapping):
        if not isinstance(content, dict):
            raise Unusable(f"{name} is no mapping")
        for field, value in content.items():
            if field not in shape:
                raise Unusable(f"{name}.{field} is an unknown field (T4)")
            check_shape(value, shape[field], f"{name}.{field}".lstrip("."))
    else:
        if not isinstance(content, list):
            raise Unusable(f"{name} is no list")
        for item in content:
            check_shape(item, shape[0], name)
            if len(item) < len(shape[0]):
                raise Unusable(f"{name} lacks one of {', '.join(shape[0])}")


def terms_version(content: Fields, *, services: frozenset[str]) -> TermsVersion:
    """A version from its whole content, what it inherits included, each value checked by `check_shape`.

    The *(choice)* fields have the rules' defaults. Raises `Unusable` where something is missing, or two values do not
    go together.
    """
    availability = content.get("availability", {})
    maintenance = content.get("maintenance", {})
    claims = content.get("claims", {})
    response_times = content.get("response_times", {})
    calendar = response_times.get("calendar", {})
    targets = response_times.get("targets", {})
    return TermsVersion(
        terms_id=content["id"],
        version=content["version"],
        effective_from=instants.parse(content["effective_from"]),
        effective_until=None,
        plan=required(content, "plan"),
        guaranteed=required(content, "guaranteed"),
        time_zone=content.get("time_zone", "UTC"),
        commitment=required(availability, "commitment"),
        core_services=core_services(availability, services),
        down_when=availability.get("down_when", "any"),
        evidence=availability.get("evidence", "either"),
        degraded_counts=availability.get("degraded_counts", False),
        partial_outage_counts=availability.get("partial_outage_counts", False),
        minimum_outage=elapsed(availability.get("minimum_outage", "0s")),
        excluded_time=availability.get("excluded_time", "as_uptime"),
        thresholds_from=availability.get("thresholds_from", "period_start"),
        exclusions=frozenset(required(content, "exclusions")),
        notice=elapsed(maintenance.get("notice", "48h")),
        channels=frozenset(maintenance.get("channels", ("email", "in_app"))),
        credits=tiers(required(content, "credits")),
        claims_required=claims.get("required", True),
        claims_within_days=int(claims.get("within", "10d").removesuffix("d")),
        claims_must_include=frozenset(claims.get("must_include", CLAIM_FIELDS)),
        counted_reply=response_times.get("counted_reply", "human"),
        calendar_time_zone=calendar.get("time_zone", "UTC"),
        holidays=holiday_source(calendar.get("holidays")),
        targets={severity: target(required(targets, severity)) for severity in sorted(SEVERITIES)},
        response_credits=response_credits(response_times.get("credits", [])),
        response_credit_cap=response_times.get("response_credit_cap", THE_WHOLE_FEE),
    )


def required(content: Fields, name: str) -> Any:
    """What neither the rules nor, where there is one, a parent give."""
    if name not in content:
        raise Unusable(f"{name} is missing")
    return content[name]


def core_services(availability: Fields, known: frozenset[str]) -> tuple[str, ...]:
    """The services that count (D1), all of them known."""
    named = availability.get("core_services", sorted(CORE_SERVICES))
    for service in named:
        if service not in known:
            raise Unusable(f"core_services: {service} is unknown (T4)")
    return tuple(named)


def elapsed(text: str) -> int:
    """A duration that runs around the clock, in microseconds."""
    return int(text[:-1]) * SECONDS_A_UNIT[text[-1]] * SECOND


def target(text: str) -> Target:
    """A response target (R2)."""
    if BUSINESS_DAY in text:
        return Target(elapsed=None, business_days=int(text.split()[0]))
    return Target(elapsed=elapsed(text), business_days=None)


def tiers(rows: list[Fields]) -> tuple[tuple[Fraction, Fraction], ...]:
    """The tiers, the highest `below` first; a lower one must give more (T4)."""
    found = sorted(((row["below"], row["percent"]) for row in rows), reverse=True)
    for (below, given), (next_below, next_given) in pairwise(found):
        if below == next_below:
            raise Unusable(f"credits: two tiers below {below} (T4)")
        if next_given <= given:
            raise Unusable(f"credits: below {next_below} earns no more than below {below} (T4)")
    return tuple(found)


def response_credits(rows: list[Fields]) -> dict[str, Fraction]:
    """The percents per breach, by severity (R7)."""
    found = {row["severity"]: row["percent"] for row in rows}
    if len(found) < len(rows):
        raise Unusable("response_times.credits: a severity is given twice (T4)")
    return found


def holiday_source(value: list[str] | str | None) -> frozenset[str] | str | None:
    """The listed dates, or a code of the holidays library, or none."""
    return frozenset(value) if isinstance(value, list) else value


@lru_cache
def zone_names() -> frozenset[str]:
    """The zones that terms may name: two names of the database stand for whatever a machine has, or for none."""
    return instants.zone_names() - {"localtime", "Factory"}


@lru_cache
def holiday_codes() -> frozenset[str]:
    """`DE`, `DE-BE` and so on: the countries and subdivisions of the holidays library."""
    import holidays

    countries = holidays.list_supported_countries(include_aliases=True)
    return frozenset(countries) | {
        f"{country}-{subdivision}" for country, subdivisions in countries.items() for subdivision in subdivisions
    }
