"""Service months as they are typed and named: `YYYY-MM`. Their bounds in a zone are reckoned in SQL (rule P1)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

MONTH_PATTERN = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
INSTANT_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})$"


class BadMonth(ValueError):
    """Not a service month."""


class BadInstant(ValueError):
    """Not an instant with an offset."""


def parse_month(text: str) -> date:
    """`2026-03` → the month's first day. Raises `BadMonth`."""
    if not re.fullmatch(MONTH_PATTERN, text) or text.startswith("0000"):
        raise BadMonth(f"{text!r} is no service month: write it as YYYY-MM, 2026-03 say.")
    return date.fromisoformat(f"{text}-01")


def parse_instant(text: str) -> datetime:
    """ISO 8601 with an offset → an instant in UTC. Raises `BadInstant`."""
    if re.fullmatch(INSTANT_PATTERN, text):
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise BadInstant(f"{text!r} is no instant: write it with an offset, 2026-04-15T00:00:00Z say.")


def end_in_utc(month: date) -> datetime:
    """The first instant after the month, in UTC."""
    year, following = (month.year + 1, 1) if month.month == 12 else (month.year, month.month + 1)
    return datetime(year, following, 1, tzinfo=UTC)
