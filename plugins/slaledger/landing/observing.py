"""What landing reports without losing a row, in `raw.observations`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg


def observe(connection: psycopg.Connection, observations: Sequence[tuple[str, str, str | None, str]]) -> None:
    """Record (code, subject, object_id, detail), each once."""
    if observations:
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into raw.observations (code, subject, object_id, detail) values (%s, %s, %s, %s) "
                "on conflict do nothing",
                observations,
            )
