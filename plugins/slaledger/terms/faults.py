"""What is wrong with one terms document, by its line (rule T4): what the schema says, and what no schema can."""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from slaledger.settings import TERMS_DIR
from slaledger.zones import zone_names

MAX_DIGITS = 15
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", re.ASCII)

Path = tuple[str | int, ...]

_TYPES = {
    "array": "must be a list",
    "boolean": "must be true or false",
    "number": f"must be a plain decimal number of at most {MAX_DIGITS} characters",
    "object": "must be a mapping of fields",
    "string": "must be text: put it in quotes",
}


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong with a terms document, and on which line (from 1)."""

    line: int
    message: str


def judge(document: dict[str, Any], lines: Mapping[Path, int]) -> set[Fault]:
    """Every fault of a loaded document, whatever it holds."""
    wrong, faults = set(), set()
    for path, fault in _schema_faults(document, lines):
        wrong.add(path)
        faults.add(fault)
    return faults | {fault for path, fault in _meaning_faults(document, lines) if path not in wrong}


@functools.cache
def _validator() -> Any:
    import jsonschema

    schema = json.loads((TERMS_DIR / "terms.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def _schema_faults(document: dict[str, Any], lines: Mapping[Path, int]) -> Iterator[tuple[Path, Fault]]:
    for error in _validator().iter_errors(document):
        path = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            known = error.schema["properties"]
            for name in error.instance:
                if name not in known:
                    here = (*path, name)
                    message = f"has the unknown field {dotted(here)}: known are {', '.join(known)}"
                    yield here, Fault(lines[here], message)
        elif error.validator == "required":
            for name in error.validator_value:
                if name not in error.instance:
                    parent = ", and extends nothing that has it" if "then" in error.absolute_schema_path else ""
                    yield (*path, name), Fault(lines[path], f"lacks {dotted((*path, name))}{parent}")
        else:
            yield path, Fault(lines[path], f"{dotted(path) or 'the document'}: {_says(error)}")


def _says(error: Any) -> str:
    given, wanted = error.instance, error.validator_value
    value = str(given) if isinstance(given, Decimal) else json.dumps(given, default=str, ensure_ascii=False)[:60]
    described = f"{value} must be {error.schema.get('description', 'as the schema says')}"
    match error.validator:
        case "enum":
            return f"{value} is none of {', '.join(str(choice) for choice in wanted)}"
        case "pattern":
            return described
        case "maximum":
            return f"{value} is over {wanted}: give {wanted} or less"
        case "minimum":
            return f"{value} is under {wanted}: give {wanted} or more"
        case "exclusiveMinimum":
            return f"{value} must be over {wanted}: nothing would ever come of it"
        case "minItems":
            return "must name at least one"
        case "uniqueItems":
            twice = next(each for position, each in enumerate(given) if each in given[:position])
            return f"names {twice} twice: name it once"
        case "type" if isinstance(given, str) and _would_be(wanted, given):
            return f"{value} is text: write it without quotes"
        case "type" if isinstance(wanted, str):
            # Quotes mend what is text but for them: the version 1, not the duration 60.
            is_text = wanted != "string" or (
                isinstance(given, Decimal | bool) and re.search(error.schema.get("pattern", "$^"), value)
            )
            return f"{value} {_TYPES[wanted]}" if is_text else described
        case "type":
            return described
        case _:
            return error.message[:200]


def _would_be(wanted: str | list[str], text: str) -> bool:
    """Whether a text is of the wanted type but for its quotes."""
    if wanted == "number":
        return len(text) <= MAX_DIGITS and NUMBER.fullmatch(text) is not None
    return wanted == "boolean" and text in ("true", "false")


def _meaning_faults(document: dict[str, Any], lines: Mapping[Path, int]) -> Iterator[tuple[Path, Fault]]:
    """What the schema cannot say. Values of another type than the schema's are its business."""
    starts = document.get("effective_from")
    if isinstance(starts, str) and instant(starts) is None:
        path: Path = ("effective_from",)
        yield path, Fault(lines[path], f"effective_from: {starts[:60]!r} is no instant: there is no such day")
    if "extends" in document and document["extends"] == document.get("id"):
        path = ("extends",)
        yield path, Fault(lines[path], "extends itself: name another terms id")
    for path in (("time_zone",), ("response_times", "calendar", "time_zone")):
        zone = _at(document, path)
        if isinstance(zone, str) and zone not in zones():
            message = f"{dotted(path)}: {zone[:60]!r} is no time zone of the IANA data base"
            yield path, Fault(lines[path], message)
    yield from _tier_faults(document, lines)
    yield from _calendar_faults(document, lines)
    severities = [entry.get("severity") for entry in _mappings(document, ("response_times", "credits"))]
    for position, severity in enumerate(severities):
        if severity is not None and severity in severities[:position]:
            path = ("response_times", "credits", position)
            yield path, Fault(lines[path], f"{dotted(path)}: has two response credits for {severity}: leave one")


def _tier_faults(document: dict[str, Any], lines: Mapping[Path, int]) -> Iterator[tuple[Path, Fault]]:
    tiers = [
        (tier["below"], tier["percent"], position)
        for position, tier in enumerate(_mappings(document, ("credits",)))
        if isinstance(tier.get("below"), Decimal) and isinstance(tier.get("percent"), Decimal)
    ]
    tiers.sort(key=lambda tier: (-tier[0], tier[2]))
    for (below, percent, _), (lower, more, position) in itertools.pairwise(tiers):
        path = ("credits", position)
        if below == lower:
            yield path, Fault(lines[path], f"{dotted(path)}: has two tiers below {below}: leave one")
        elif more <= percent:
            message = (
                f"{more} percent below {lower} is not more than the {percent} below {below}: "
                "give more where uptime is lower"
            )
            yield path, Fault(lines[path], f"{dotted(path)}: {message}")


def _calendar_faults(document: dict[str, Any], lines: Mapping[Path, int]) -> Iterator[tuple[Path, Fault]]:
    path = ("response_times", "calendar", "holidays")
    holidays = _at(document, path)
    if isinstance(holidays, str) and holidays not in calendar_codes():
        message = f"{holidays[:60]!r} is no country or subdivision of the holidays library, as DE or DE-BY"
        yield path, Fault(lines[path], f"{dotted(path)}: {message}")
    for position, day in enumerate(holidays if isinstance(holidays, list) else []):
        try:
            date.fromisoformat(day)
        except (TypeError, ValueError):
            here = (*path, position)
            yield here, Fault(lines[here], f"{dotted(here)}: {str(day)[:60]} is no date: there is no such day")


@functools.cache
def zones() -> frozenset[str]:
    """Every zone name of the pinned IANA data base."""
    return zone_names() - {"Factory"}


@functools.cache
def calendar_codes() -> frozenset[str]:
    """The codes that `holidays:` takes: countries ("DE", "DEU") and their subdivisions ("DE-BY")."""
    import holidays

    supported = holidays.list_supported_countries(include_aliases=True)
    return frozenset(supported) | {
        f"{country}-{subdivision}" for country, parts in supported.items() for subdivision in parts
    }


def instant(text: str) -> datetime | None:
    """An ISO 8601 instant with an offset, in UTC, or None."""
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(UTC) if parsed.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def instant_text(at: datetime) -> str:
    """An instant in UTC, to read: 2026-01-01T00:00:00Z."""
    return at.isoformat().replace("+00:00", "Z")


def dotted(path: Path) -> str:
    """A path to read: items of a list are counted from 1, as a person would."""
    said = "".join(f" item {part + 1}" if isinstance(part, int) else f".{part}" for part in path)
    return said.removeprefix(".")


def _at(document: dict[str, Any], path: Path) -> Any:
    value: Any = document
    for part in path:
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _mappings(document: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    """The mappings of a list, each in its place; {} where it is something else."""
    listed = _at(document, path)
    return [each if isinstance(each, dict) else {} for each in (listed if isinstance(listed, list) else [])]
