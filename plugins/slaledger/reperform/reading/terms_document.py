"""What a terms document may say (T4), and what a whole one says, as a `TermsVersion`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any

from slaledger.reperform import instants
from slaledger.reperform.reading import fields
from slaledger.reperform.reading.customers import SEVERITIES
from slaledger.reperform.reading.exclusions import CATEGORIES, CHANNELS
from slaledger.reperform.reading.rows import Fields, Unusable
from slaledger.reperform.records import SECOND, Target, TermsVersion

CORE_SERVICES = frozenset({"dashboard", "call_routing", "messaging_engine"})
CLAIM_FIELDS = frozenset({"company_name", "account_id", "incident_timeline"})
SECONDS_A_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
DURATION = re.compile(r"(\d{1,9})(?:([smhd])| (business days?))", re.ASCII)
SCALAR = None
SHAPE: Fields = {
    **dict.fromkeys(("id", "version", "effective_from", "extends", "plan", "guaranteed", "time_zone")),
    "availability": dict.fromkeys(
        (
            *("commitment", "core_services", "down_when", "evidence", "degraded_counts", "partial_outage_counts"),
            *("minimum_outage", "excluded_time", "thresholds_from"),
        )
    ),
    "exclusions": SCALAR,
    "maintenance": {"notice": SCALAR, "channels": SCALAR},
    "credits": [{"below": SCALAR, "percent": SCALAR}],
    "claims": {"required": SCALAR, "within": SCALAR, "must_include": SCALAR},
    "response_times": {
        "counted_reply": SCALAR,
        "calendar": {"time_zone": SCALAR, "holidays": SCALAR},
        "targets": dict.fromkeys(sorted(SEVERITIES)),
        "credits": [{"severity": SCALAR, "percent": SCALAR}],
        "response_credit_cap": SCALAR,
    },
}


def check_shape(content: Any, shape: Any, name: str = "") -> None:
    """Raise `Unusable` at a field that no terms document has, or a mapping or a list that is none."""
    if isinstance(shape, Mapping):
        if not isinstance(content, dict):
            raise Unusable(f"{name} is no mapping")
        for field, value in content.items():
            if field not in shape:
                raise Unusable(f"{name}{field} is an unknown field (T4)")
            check_shape(value, shape[field], f"{name}{field}.")
    elif isinstance(shape, list):
        if not isinstance(content, list):
            raise Unusable(f"{name} is no list")
        for item in content:
            check_shape(item, shape[0], name)


def terms_version(content: Fields, *, services: frozenset[str]) -> TermsVersion:
    """A version from its whole content, what it inherits included; the *(choice)* fields have the rules' defaults."""
    availability = content.get("availability", {})
    maintenance = content.get("maintenance", {})
    claims = content.get("claims", {})
    response_times = content.get("response_times", {})
    calendar = response_times.get("calendar", {})
    return TermsVersion(
        terms_id=fields.text(content, "id"),
        version=fields.text(content, "version"),
        effective_from=fields.instant(content, "effective_from"),
        effective_until=None,
        plan=fields.text(content, "plan"),
        guaranteed=fields.flag(content, "guaranteed"),
        time_zone=zone(content),
        commitment=percent(availability, "commitment"),
        core_services=tuple(listed(availability, "core_services", services, default=CORE_SERVICES)),
        down_when=fields.optional_choice(availability, "down_when", {"any", "all"}) or "any",
        evidence=fields.optional_choice(availability, "evidence", {"either", "monitoring", "status_page", "both"})
        or "either",
        degraded_counts=fields.optional_flag(availability, "degraded_counts") or False,
        partial_outage_counts=fields.optional_flag(availability, "partial_outage_counts") or False,
        minimum_outage=elapsed(availability, "minimum_outage", default="0s"),
        excluded_time=fields.optional_choice(availability, "excluded_time", {"as_uptime", "out_of_base"})
        or "as_uptime",
        thresholds_from=fields.optional_choice(availability, "thresholds_from", {"period_start", "period_end"})
        or "period_start",
        exclusions=frozenset(listed(content, "exclusions", CATEGORIES)),
        notice=elapsed(maintenance, "notice", default="48h"),
        channels=frozenset(listed(maintenance, "channels", CHANNELS, default={"email", "in_app"})),
        credits=tiers(content),
        claims_required=fields.optional_flag(claims, "required") is not False,
        claims_within_days=calendar_days(claims, "within"),
        claims_must_include=frozenset(listed(claims, "must_include", CLAIM_FIELDS)),
        counted_reply=fields.optional_choice(response_times, "counted_reply", {"human", "any"}) or "human",
        calendar_time_zone=zone(calendar),
        holidays=holiday_source(calendar),
        targets={name: target(response_times["targets"], name) for name in response_times.get("targets", {})},
        response_credits=response_credits(response_times),
        response_credit_cap=None
        if response_times.get("response_credit_cap") is None
        else percent(response_times, "response_credit_cap"),
    )


def zone(content: Fields) -> str:
    """A zone of the time-zone database."""
    name = fields.optional_text(content, "time_zone") or "UTC"
    if name not in instants.zone_names():
        raise Unusable(f"time_zone {name} is unknown (T4)")
    return name


def percent(content: Fields, name: str) -> Fraction:
    """A percent from 0 to 100."""
    value = fields.number(content, name)
    if value > 100:
        raise Unusable(f"{name} is over 100 (T4)")
    return value


def listed(
    content: Fields, name: str, known: frozenset[str], *, default: frozenset[str] | set[str] | None = None
) -> list[str]:
    """A list of known words, each once; without a default it must be there."""
    if content.get(name) is None:
        if default is None:
            raise Unusable(f"{name} is missing")
        return sorted(default)
    values = list(dict.fromkeys(fields.texts(content, name)))
    for value in values:
        if value not in known:
            raise Unusable(f"{name}: {value} is unknown (T4)")
    return values


def duration(content: Fields, name: str, *, default: str | None = None) -> tuple[int, str]:
    """A whole number and its unit: `s`, `m`, `h`, `d` or `business day`."""
    value = fields.optional_text(content, name) or default
    found = DURATION.fullmatch(value) if value is not None else None
    if found is None:
        raise Unusable(f"{name} is no whole number of s, m, h, d or business days (T4)")
    return int(found[1]), found[2] or "business day"


def elapsed(content: Fields, name: str, *, default: str | None = None) -> int:
    """A duration that runs around the clock, in microseconds."""
    amount, unit = duration(content, name, default=default)
    if unit not in SECONDS_A_UNIT:
        raise Unusable(f"{name} is in business days (T4)")
    return amount * SECONDS_A_UNIT[unit] * SECOND


def calendar_days(content: Fields, name: str) -> int:
    """A duration in calendar days."""
    amount, unit = duration(content, name)
    if unit != "d":
        raise Unusable(f"{name} is not in d, calendar days (T4)")
    return amount


def target(content: Fields, name: str) -> Target:
    """A response target (R2)."""
    amount, unit = duration(content, name)
    if unit in SECONDS_A_UNIT:
        return Target(elapsed=elapsed(content, name), business_days=None)
    return Target(elapsed=None, business_days=amount)


def tiers(content: Fields) -> tuple[tuple[Fraction, Fraction], ...]:
    """The tiers, the highest `below` first; a lower one must give more (T4)."""
    found = sorted(
        ((percent(row, "below"), percent(row, "percent")) for row in required_objects(content, "credits")), reverse=True
    )
    for (below, given), (next_below, next_given) in pairwise(found):
        if below == next_below:
            raise Unusable(f"credits: two tiers below {below} (T4)")
        if next_given <= given:
            raise Unusable(f"credits: below {next_below} earns no more than below {below} (T4)")
    return tuple(found)


def required_objects(content: Fields, name: str) -> list[Fields]:
    """A list of mappings that must be there, be it empty."""
    if content.get(name) is None:
        raise Unusable(f"{name} is missing")
    return fields.objects(content, name)


def response_credits(content: Fields) -> dict[str, Fraction]:
    """The percents per breach, by severity (R7)."""
    found: dict[str, Fraction] = {}
    for row in fields.objects(content, "credits"):
        severity = fields.choice(row, "severity", SEVERITIES)
        if severity in found:
            raise Unusable(f"response_times.credits: {severity} is given twice (T4)")
        found[severity] = percent(row, "percent")
    return found


def holiday_source(content: Fields) -> frozenset[str] | str | None:
    """The listed dates, or a code of the holidays library, or none."""
    value = content.get("holidays")
    if value is None:
        return None
    if isinstance(value, list):
        for day in fields.texts(content, "holidays"):
            try:
                if date.fromisoformat(day).isoformat() != day:
                    raise ValueError
            except ValueError:
                raise Unusable(f"holidays: {day} is no date YYYY-MM-DD (T4)") from None
        return frozenset(value)
    code = fields.text(content, "holidays")
    if code not in holiday_codes():
        raise Unusable(f"holidays: {code} is no calendar of the holidays library (T4)")
    return code


@lru_cache
def holiday_codes() -> frozenset[str]:
    """`DE`, `DE-BE` and so on: the countries and subdivisions of the holidays library."""
    import holidays

    countries = holidays.list_supported_countries(include_aliases=True)
    return frozenset(countries) | {
        f"{country}-{subdivision}" for country, subdivisions in countries.items() for subdivision in subdivisions
    }
