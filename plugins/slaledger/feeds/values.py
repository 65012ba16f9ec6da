"""Strict values: a field of a row → what PostgreSQL will hold, or `RowRejected` saying which field and why.

ASCII patterns come before `int` and `Decimal`, which read much that nobody meant (`1_000`, other digits, `NaN`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from slaledger.feeds.reasons import RowRejected
from slaledger.feeds.strict_json import Fault

Row = Mapping[str, Any]

# An id ends in b-tree keys, which hold at most 2.7 kB together.
MAX_ID_LENGTH = 256
MAX_TEXT_LENGTH = 10_000
_MAX_SECONDS = 86_400_000_000

_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,6}))?)?(?:(Z)|([+-])(\d\d)(?::?(\d\d))?)",
    re.ASCII,
)
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_INTEGER = re.compile(r"\d{1,9}", re.ASCII)
_AMOUNT = re.compile(r"\d{1,15}(?:\.\d{1,18})?", re.ASCII)
_SECONDS = re.compile(r"\d{1,15}(?:\.\d{1,6})?", re.ASCII)


def is_absent(row: Row, field: str) -> bool:
    """Whether the field is absent, null or the empty text. An empty list is a value.

    Raises `RowRejected` where the field holds what its document could not say.
    """
    value = row.get(field)
    if isinstance(value, Fault):
        raise RowRejected(value.code, f"`{field}`: {value.reason}")
    return value is None or (isinstance(value, str) and not value.strip())


def _require(row: Row, field: str) -> Any:
    if is_absent(row, field):
        raise RowRejected("missing_field", f"`{field}` is absent or empty")
    return row[field]


def text(row: Row, field: str, *, limit: int = MAX_ID_LENGTH) -> str:
    """A required, non-empty text, as it is."""
    return as_text(_require(row, field), field, limit=limit)


def optional_text(row: Row, field: str, *, limit: int = MAX_ID_LENGTH) -> str | None:
    """A text, or None where it is absent or empty."""
    return None if is_absent(row, field) else as_text(row[field], field, limit=limit)


def as_text(value: object, field: str, *, limit: int = MAX_ID_LENGTH) -> str:
    """The value, if it is a text of at most `limit` characters."""
    if not isinstance(value, str):
        raise RowRejected("wrong_type", f"`{field}` is no text")
    if len(value) > limit:
        raise RowRejected("value_too_long", f"`{field}` has {len(value)} characters, over {limit}")
    return value


def number_id(row: Row, field: str) -> str:
    """A required id that is a whole JSON number, as its decimal text."""
    value = _require(row, field)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RowRejected("wrong_type", f"`{field}` is no whole number")
    return str(value)


def optional_number_id(row: Row, field: str) -> str | None:
    """An id that is a whole JSON number, as its decimal text, or None where it is absent."""
    return None if is_absent(row, field) else number_id(row, field)


def choice(row: Row, field: str, allowed: Collection[str]) -> str:
    """A required text of an enumeration."""
    value = _require(row, field)
    if not isinstance(value, str):
        raise RowRejected("wrong_type", f"`{field}` is no text")
    if value not in allowed:
        raise RowRejected("value_not_allowed", f"`{field}` is none of {', '.join(allowed)}")
    return value


def optional_choice(row: Row, field: str, allowed: Collection[str]) -> str | None:
    """A text of an enumeration, or None where it is absent or empty."""
    return None if is_absent(row, field) else choice(row, field, allowed)


def instant(row: Row, field: str) -> datetime:
    """A required instant, in UTC."""
    return as_instant(_require(row, field), field)


def optional_instant(row: Row, field: str) -> datetime | None:
    """An instant in UTC, or None where it is absent or empty."""
    return None if is_absent(row, field) else as_instant(row[field], field)


def as_instant(value: object, field: str) -> datetime:
    """ISO 8601 with an offset and at most 6 fractional digits → UTC; no 24:00, no :60, nothing symbolic."""
    fault = RowRejected("invalid_instant", f"`{field}` is not ISO 8601 with an offset and at most 6 fractional digits")
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise fault
    year, month, day, hour, minute, second, fraction, zulu, sign, offset_hours, offset_minutes = match.groups()
    offset = timedelta()
    if not zulu:
        if int(offset_minutes or 0) > 59:
            raise fault
        offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes or 0))
        offset = -offset if sign == "-" else offset
    try:
        return datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second or 0),
            int((fraction or "0").ljust(6, "0")),
            timezone(offset),
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        raise fault from None


def service_month(row: Row, field: str) -> date:
    """A required `YYYY-MM`, as its first day."""
    value = _require(row, field)
    match = _MONTH.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[1] == "0000":
        raise RowRejected("invalid_month", f"`{field}` is not YYYY-MM")
    return date(int(match[1]), int(match[2]), 1)


def amount(row: Row, field: str) -> Decimal:
    """Required money: a plain decimal of at most 15 digits before the point and 18 after it, no sign, no exponent."""
    value = _require(row, field)
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        bounds = "at most 15 digits before the point and 18 after it"
        raise RowRejected("invalid_number", f"`{field}` is no plain decimal of {bounds}, not negative")
    return Decimal(value)


def seconds(row: Row, field: str) -> Decimal:
    """A required duration in seconds: above 0, at most a million days, to the microsecond."""
    value = _require(row, field)
    if not isinstance(value, str) or not _SECONDS.fullmatch(value) or not Decimal(value):
        raise RowRejected("invalid_number", f"`{field}` is no plain decimal above 0 of at most 6 decimals")
    if Decimal(value) > _MAX_SECONDS:
        raise RowRejected("invalid_number", f"`{field}` is over {_MAX_SECONDS} seconds")
    return Decimal(value)


def optional_seconds(row: Row, field: str) -> Decimal | None:
    """A duration in seconds, or None where it is absent or empty."""
    return None if is_absent(row, field) else seconds(row, field)


def optional_count(row: Row, field: str) -> int | None:
    """A whole number from 1, or None where it is absent or empty."""
    if is_absent(row, field):
        return None
    value = row[field]
    if not isinstance(value, str) or not _INTEGER.fullmatch(value) or int(value) == 0:
        raise RowRejected("invalid_number", f"`{field}` is no whole number from 1")
    return int(value)


def flag(row: Row, field: str) -> bool:
    """A required JSON boolean."""
    value = _require(row, field)
    if not isinstance(value, bool):
        raise RowRejected("wrong_type", f"`{field}` is neither true nor false")
    return value


def optional_flag(row: Row, field: str) -> bool:
    """A JSON boolean; False where it is absent."""
    return False if is_absent(row, field) else flag(row, field)


def optional_list(row: Row, field: str) -> list[Any]:
    """A JSON list; empty where it is absent."""
    value = row.get(field)
    if is_absent(row, field):
        return []
    if not isinstance(value, list):
        raise RowRejected("wrong_type", f"`{field}` is no list")
    return value


def required_list(row: Row, field: str) -> list[Any]:
    """A JSON list that has to be there; an empty one is a value."""
    _require(row, field)
    return optional_list(row, field)


def optional_texts(row: Row, field: str) -> list[str]:
    """A list of non-empty texts; empty where it is absent."""
    items = optional_list(row, field)
    for item in items:
        if item is None or (isinstance(item, str) and not item.strip()):
            raise RowRejected("missing_field", f"`{field}` holds an empty item")
        as_text(item, field)
    return items


def texts(row: Row, field: str) -> list[str]:
    """A required list of at least one non-empty text."""
    items = optional_texts(row, field)
    if not items:
        raise RowRejected("missing_field", f"`{field}` names none")
    return items


def mapping(value: object, field: str) -> Row:
    """The value, if it is a JSON object."""
    if not isinstance(value, dict):
        raise RowRejected("wrong_type", f"`{field}` holds something that is no object")
    return value


def check_order(start: datetime | None, end: datetime | None, fields: str) -> None:
    """Raise `RowRejected` unless the end, where both are known, is after the start."""
    if start is not None and end is not None and not start < end:
        raise RowRejected("end_not_after_start", f"the end is not after the start ({fields})")


def company_key(name: str) -> str:
    """What company names are compared by (rule C4): NFKC, case-folded, letters and digits only, or all without any."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(character for character in folded if character.isalnum()) or folded.strip()
