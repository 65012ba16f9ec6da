"""The fields of a row: each function gives the value in its type, or raises `Unusable` naming field and reason."""

from __future__ import annotations

import re
from collections.abc import Collection
from fractions import Fraction
from typing import Any

from slaledger.reperform import instants
from slaledger.reperform.reading.rows import Fields, Unusable
from slaledger.reperform.records import DAY, SECOND, Instant, Span

NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
AMOUNT = re.compile(r"\d{1,15}(?:\.\d{1,18})?", re.ASCII)
SECONDS = re.compile(r"\d{1,15}(?:\.\d{1,6})?", re.ASCII)
WHOLE = re.compile(r"\d{1,9}", re.ASCII)
LONGEST_TIME = 1_000_000 * DAY
MONTH = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])", re.ASCII)


LONGEST = 256
LONGEST_NAME = 10_000  # of what is shown, and no id


def given(row: Fields, name: str) -> Any:
    """What a field holds, of any type; None if it is absent, null or blank."""
    value = row.get(name)
    return None if isinstance(value, str) and not value.strip() else value


def optional_text(row: Fields, name: str, *, longest: int = LONGEST) -> str | None:
    """A text of so many characters at most; None if it is absent."""
    value = given(row, name)
    return None if value is None else sound(value, name, longest=longest)


def sound(value: Any, name: str, *, longest: int = LONGEST) -> str:
    """The value, which must be a text, and not too long."""
    if not isinstance(value, str):
        raise Unusable(f"{name} is no text")
    if len(value) > longest:
        raise Unusable(f"{name} is over {longest} characters")
    return value


def text(row: Fields, name: str, *, longest: int = LONGEST) -> str:
    """A text that must be there."""
    value = optional_text(row, name, longest=longest)
    if value is None:
        raise Unusable(f"{name} is missing")
    return value


def optional_choice(row: Fields, name: str, choices: Collection[str]) -> str | None:
    """One of the choices, or None if it is absent."""
    return None if optional_text(row, name) is None else choice(row, name, choices)


def choice(row: Fields, name: str, choices: Collection[str]) -> str:
    """One of the choices."""
    value = text(row, name)
    if value not in choices:
        raise Unusable(f"{name} is none of {', '.join(sorted(choices))}")
    return value


def optional_instant(row: Fields, name: str) -> Instant | None:
    """An instant, or None if it is absent."""
    value = optional_text(row, name)
    if value is None:
        return None
    try:
        return instants.parse(value)
    except ValueError:
        raise Unusable(f"{name} is no ISO 8601 instant with an offset and at most 6 fractional digits") from None


def instant(row: Fields, name: str) -> Instant:
    """An instant that must be there."""
    value = optional_instant(row, name)
    if value is None:
        raise Unusable(f"{name} is missing")
    return value


def check_order(start: Instant | None, end: Instant | None, name: str) -> None:
    """Raise `Unusable` unless the end, where both are given, is after the start."""
    if start is not None and end is not None and end <= start:
        raise Unusable(f"{name} is not after its start")


def span(row: Fields, start: str, end: str) -> Span:
    """Two instants, the end after the start."""
    found = instant(row, start), instant(row, end)
    check_order(*found, end)
    return found


def open_span(row: Fields, start: str, end: str) -> tuple[Instant, Instant | None]:
    """An instant and a later one that may be absent."""
    found = instant(row, start), optional_instant(row, end)
    check_order(*found, end)
    return found


def optional_list(row: Fields, name: str) -> list[Any] | None:
    """A list, or None if it is absent."""
    value = given(row, name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise Unusable(f"{name} is no list")
    return value


def objects(row: Fields, name: str) -> list[Fields]:
    """A list of JSON objects; empty if it is absent."""
    value = optional_list(row, name) or []
    if not all(isinstance(item, dict) for item in value):
        raise Unusable(f"{name} holds something other than objects")
    return value


def texts(row: Fields, name: str) -> tuple[str, ...]:
    """A list of texts, none of them blank; empty if it is absent."""
    found = tuple(sound(item, name) for item in optional_list(row, name) or [])
    if not all(item.strip() for item in found):
        raise Unusable(f"{name} holds a blank text")
    return found


def optional_flag(row: Fields, name: str) -> bool | None:
    """A JSON boolean, or None if it is absent."""
    value = given(row, name)
    if value is None:
        return None
    if not isinstance(value, bool):
        raise Unusable(f"{name} is neither true nor false")
    return value


def flag(row: Fields, name: str) -> bool:
    """A JSON boolean that must be there."""
    value = optional_flag(row, name)
    if value is None:
        raise Unusable(f"{name} is missing")
    return value


def optional_seconds(row: Fields, name: str) -> int | None:
    """A length above 0 in seconds, a plain decimal as text, in microseconds; None if it is absent."""
    value = optional_text(row, name)
    if value is None:
        return None
    if not SECONDS.fullmatch(value) or not Fraction(value):
        raise Unusable(f"{name} is no length in seconds, above 0 and to the microsecond")
    length = int(Fraction(value) * SECOND)
    if length > LONGEST_TIME:
        raise Unusable(f"{name} is longer than a million days")
    return length


def seconds(row: Fields, name: str) -> int:
    """A length above 0 that must be there, in microseconds."""
    value = optional_seconds(row, name)
    if value is None:
        raise Unusable(f"{name} is missing")
    return value


def optional_count(row: Fields, name: str) -> int | None:
    """A whole number from 1, of at most nine digits, as text; None if it is absent."""
    value = optional_text(row, name)
    if value is None:
        return None
    if not WHOLE.fullmatch(value) or int(value) < 1:
        raise Unusable(f"{name} is no whole number from 1 to 999,999,999")
    return int(value)


def number(row: Fields, name: str) -> Fraction:
    """A decimal number from 0 without exponent, as text."""
    value = text(row, name)
    if not NUMBER.fullmatch(value):
        raise Unusable(f"{name} is no decimal number from 0")
    return Fraction(value)


def amount(row: Fields, name: str) -> Fraction:
    """Money from 0, with at most 15 digits before the point and 18 after it (decision 0011)."""
    if not AMOUNT.fullmatch(text(row, name)):
        raise Unusable(f"{name} is no decimal number from 0 of at most 15 digits before the point and 18 after it")
    return Fraction(text(row, name))


def month(row: Fields, name: str) -> str:
    """A calendar month, `YYYY-MM`."""
    value = text(row, name)
    if not MONTH.fullmatch(value) or value < "0001":
        raise Unusable(f"{name} is no month YYYY-MM")
    return value
