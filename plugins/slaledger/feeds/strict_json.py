"""JSON as the contracts mean it: no `NaN`, no key twice, no NUL, no bad bytes or half characters, no endless numbers.

What is wrong inside is marked where it stands, so that one bad row of a document does not cost the others, nor a number
its row where nobody reads it.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from slaledger.feeds.limits import MAX_DEPTH, MAX_DIGITS
from slaledger.feeds.reasons import RowRejected

_SURROGATE = re.compile("[\ud800-\udfff]")
_BAD_BYTE = re.compile("[\udc80-\udcff]")  # as `surrogateescape` leaves it


@dataclass(frozen=True)
class Fault:
    """What stands where a number cannot be used, and how that was written."""

    code: str
    reason: str
    source: str


class NotJson(Exception):
    """The text is no JSON at all; `code` is a row's reason code."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Repeating(dict):
    """A JSON object that has keys twice (`repeated`), each with its last value. No row may hold one."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        times = Counter(name for name, _ in pairs)
        self.repeated = frozenset(name for name in times if times[name] > 1)


def _constant(name: str) -> Fault:
    return Fault("invalid_json", f"{name} is no JSON number", name)


def _integer(digits: str) -> int | Fault:
    if len(digits) <= MAX_DIGITS:
        return int(digits)
    return Fault("number_out_of_range", "a number has over 30 digits", digits)


def _number(digits: str) -> float | Fault:
    number = float(digits) if len(digits) <= 2 * MAX_DIGITS else math.inf
    if math.isfinite(number):
        return number
    return Fault("number_out_of_range", "a number is too large or too long", digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    return record if len(record) == len(pairs) else Repeating(pairs)


_DECODER = json.JSONDecoder(
    parse_constant=_constant, parse_int=_integer, parse_float=_number, object_pairs_hook=_object
)


def loads(text: str) -> Any:
    """Parse, with faults left inside, for `check` and whoever reads a field. Raises `NotJson`."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise NotJson("too_deep", "the JSON is nested too deeply") from None
    except ValueError as error:
        where = f" (column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise NotJson("invalid_json", f"no JSON{where}") from None


def check(value: Any) -> None:
    """Raise `RowRejected` for what no row may hold anywhere; a number is judged where it is read."""
    pending = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise RowRejected("too_deep", f"the JSON is nested over {MAX_DEPTH} deep")
        if isinstance(item, Repeating):
            raise RowRejected("duplicate_key", "an object has one key twice")
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, dict):
            for key in item:
                _check_text(key)
            pending += [(child, depth + 1) for child in item.values()]
        elif isinstance(item, list):
            pending += [(child, depth + 1) for child in item]


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise RowRejected("nul_character", "a text holds a NUL")
    if _BAD_BYTE.search(text):
        raise RowRejected("invalid_utf8", "a text is no valid UTF-8")
    if _SURROGATE.search(text):
        raise RowRejected("lone_surrogate", "a text holds half a UTF-16 pair")
