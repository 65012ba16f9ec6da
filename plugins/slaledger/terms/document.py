"""One terms document: YAML text → a checked mapping, or faults with their lines (rule T4)."""

from __future__ import annotations

import functools
import itertools
import json
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from slaledger.settings import TERMS_DIR

MAX_BYTES = 1 << 20
MAX_DEPTH = 12

Path = tuple[str | int, ...]
Lines = dict[Path, int]


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong with a terms document, and on which line (from 1)."""

    line: int
    message: str


def read_document(text: str) -> tuple[dict[str, Any] | None, list[Fault]]:
    """Read one terms document and lint what it says on its own.

    Returns the mapping as written (numbers as `Decimal` or `int`, instants and durations as text) and no
    faults, or None and every fault found, in the order of their lines. What needs other documents (a parent,
    another version) is judged by `resolve_all`.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return None, [Fault(1, f"is over {MAX_BYTES} bytes; terms are smaller")]
    lines: Lines = {}
    try:
        document = _load(text, lines)
    except _Unreadable as error:
        return None, [error.fault]
    faults = sorted(set(_schema_faults(document, lines)))
    if not faults:
        faults = sorted(set(_meaning_faults(document, lines)))
    return (None, faults) if faults else (document, [])


class _Unreadable(Exception):
    def __init__(self, line: int, message: str):
        super().__init__(message)
        self.fault = Fault(line, message)


def _load(text: str, lines: Lines) -> dict[str, Any]:
    import yaml

    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise _Unreadable(event.start_mark.line + 1, "uses an alias (*name): write the value out")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "cannot be read"
        raise _Unreadable(mark.line + 1 if mark else 1, f"is no YAML: {problem}") from None
    except RecursionError:
        raise _Unreadable(1, "is nested too deeply") from None
    document = _value(node, (), lines) if node is not None else None
    if not isinstance(document, dict):
        raise _Unreadable(1, "is no mapping of fields")
    return document


def _value(node: Any, path: Path, lines: Lines) -> Any:
    import yaml

    line = node.start_mark.line + 1
    lines[path] = line
    if len(path) > MAX_DEPTH:
        raise _Unreadable(line, "is nested too deeply")
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None:
                raise _Unreadable(key_node.start_mark.line + 1, "has a field name that is no text")
            if key in mapping:
                raise _Unreadable(key_node.start_mark.line + 1, f"has the field {key!r} twice")
            mapping[key] = _value(value_node, (*path, key), lines)
            lines[(*path, key)] = key_node.start_mark.line + 1
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, position), lines) for position, item in enumerate(node.value)]
    return _scalar(node.tag.rpartition(":")[2], node.value, line)


def _scalar(kind: str, text: str, line: int) -> Any:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("true", "yes", "on")
    if kind in ("int", "float"):
        # Decimal alone, so that 99.9 stays 99.9; YAML's 0x10, 1_000, 1:30, .inf are no numbers here.
        try:
            number = Decimal(text) if text.isascii() and "_" not in text else None
        except InvalidOperation:
            number = None
        if number is None or not number.is_finite() or len(text) > 15:
            raise _Unreadable(line, f"has {text[:20]!r}, which is no plain decimal number")
        return number
    return text


@functools.cache
def _validator() -> Any:
    import jsonschema

    schema = json.loads((TERMS_DIR / "terms.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def _schema_faults(document: dict[str, Any], lines: Lines) -> Iterator[Fault]:
    for error in _validator().iter_errors(document):
        path = tuple(error.absolute_path)
        name = ".".join(str(part) for part in path) or "the document"
        if error.validator == "additionalProperties":
            known = error.schema.get("properties", {})
            for field in error.instance:
                if field not in known:
                    where = ".".join(str(part) for part in (*path, field))
                    yield Fault(lines[(*path, field)], f"has the unknown field {where}: known are {', '.join(known)}")
            continue
        yield Fault(lines[path], f"{name}: {_says(error)}")


def _says(error: Any) -> str:
    value = json.dumps(error.instance, default=str)[:60]
    match error.validator:
        case "required":
            return error.message
        case "enum":
            return f"{value} is none of {', '.join(str(choice) for choice in error.validator_value)}"
        case "pattern":
            return f"{value} is not written as this field is (see terms/terms.schema.json)"
        case "maximum":
            return f"{value} is over {error.validator_value}"
        case _:
            return error.message[:200]


def _meaning_faults(document: dict[str, Any], lines: Lines) -> Iterator[Fault]:
    if instant(document["effective_from"]) is None:
        yield Fault(lines[("effective_from",)], f"effective_from: {document['effective_from']} is no instant")
    if "extends" not in document:
        for path in (
            ("plan",),
            ("guaranteed",),
            ("availability", "commitment"),
            ("exclusions",),
            ("credits",),
        ):
            if _at(document, path) is None:
                yield Fault(1, f"lacks {'.'.join(path)}, and extends nothing that has it")
        targets = _at(document, ("response_times", "targets")) or {}
        missing = [severity for severity in ("P1", "P2", "P3", "P4") if severity not in targets]
        if missing:
            yield Fault(1, f"lacks response_times.targets for {', '.join(missing)}, and extends nothing that has it")
    elif document["extends"] == document["id"]:
        yield Fault(lines[("extends",)], "extends itself: name another terms id")
    for path in (("time_zone",), ("response_times", "calendar", "time_zone")):
        zone = _at(document, path)
        if zone is not None and zone not in zones():
            yield Fault(lines[path], f"{'.'.join(path)}: {zone!r} is no time zone of the IANA data base")
    yield from _tier_faults(document, lines)
    yield from _calendar_faults(document, lines)
    severities = [entry["severity"] for entry in _at(document, ("response_times", "credits")) or []]
    for position, severity in enumerate(severities):
        if severity in severities[:position]:
            path = ("response_times", "credits", position)
            yield Fault(lines[path], f"has two response credits for {severity}")


def _tier_faults(document: dict[str, Any], lines: Lines) -> Iterator[Fault]:
    tiers = [
        (tier["below"], tier["percent"], lines[("credits", position)])
        for position, tier in enumerate(document.get("credits") or [])
    ]
    tiers.sort(key=lambda tier: -tier[0])
    for (below, percent, line), (lower, more, lower_line) in itertools.pairwise(tiers):
        if below == lower:
            yield Fault(max(line, lower_line), f"has two tiers below {below}")
        elif more <= percent:
            yield Fault(
                lower_line,
                f"tier below {lower} gives {more} percent, not more than the {percent} below {below}",
            )


def _calendar_faults(document: dict[str, Any], lines: Lines) -> Iterator[Fault]:
    path = ("response_times", "calendar", "holidays")
    holidays = _at(document, path)
    if isinstance(holidays, str) and holidays not in calendar_codes():
        yield Fault(lines[path], f"holidays: {holidays!r} is no country or subdivision of the holidays library")
    if isinstance(holidays, list):
        for position, day in enumerate(holidays):
            try:
                date.fromisoformat(day)
            except ValueError:
                yield Fault(lines[(*path, position)], f"holidays: {day} is no date")


@functools.cache
def zones() -> frozenset[str]:
    """Every zone name of the IANA data base that this Python knows."""
    return frozenset(zoneinfo.available_timezones()) - {"localtime", "Factory"}


@functools.cache
def calendar_codes() -> frozenset[str]:
    """The codes that `holidays:` takes: countries ("DE") and their subdivisions ("DE-BY")."""
    import holidays

    supported = holidays.list_supported_countries(include_aliases=False)
    return frozenset(supported) | {
        f"{country}-{subdivision}" for country, parts in supported.items() for subdivision in parts
    }


def to_json(document: dict[str, Any]) -> str:
    """A read document as JSON, its numbers as numbers.

    `float` here is only spelling: numbers of at most 15 digits come out as they went in.
    """

    def number(value: Any) -> int | float:
        return int(value) if value == value.to_integral_value() else float(value)

    return json.dumps(document, default=number, ensure_ascii=False)


def instant(text: str) -> datetime | None:
    """An ISO 8601 instant with an offset, or None."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo is not None else None


def _at(document: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = document
    for part in path:
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value
