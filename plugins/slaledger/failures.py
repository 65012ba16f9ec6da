"""What went wrong, in a sentence for who typed a command; no traceback, where we know what it means."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def told() -> Iterator[None]:
    """Tell our own errors and the database's on stderr, and end with their exit code (1, where they have none)."""
    try:
        yield
    except Exception as error:
        origin = type(error).__module__.partition(".")[0]
        if origin not in ("slaledger", "psycopg", "sqlalchemy"):
            raise
        message = str(error) if origin == "slaledger" else _of_database(error)
        print(f"sla: {message}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 1))


def _of_database(error: Exception) -> str:
    """Where we asked, and what PostgreSQL said: its first line alone, as the others may show rows."""
    package = Path(__file__).parent
    asked = [frame for frame in traceback.extract_tb(error.__traceback__) if package in Path(frame.filename).parents]
    place = f"{Path(asked[-1].filename).relative_to(package)}:{asked[-1].lineno}" if asked else "a command"
    diagnosis = getattr(getattr(error, "orig", error), "diag", None)
    said = getattr(diagnosis, "message_primary", None) or type(error).__name__
    return f"PostgreSQL refuses what {place} asks: {said}. It is a fault of ours, or of a hand there: report this line."
