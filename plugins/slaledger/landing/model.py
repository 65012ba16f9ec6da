"""What landing hands on: an object version on its way, and what it came to."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from slaledger.feeds.reasons import ObjectRejected
from slaledger.feeds.registry import Feed
from slaledger.feeds.rows import Notes
from slaledger.objects import Fetched, ObjectVersion

_SQL_DIR = Path(__file__).parent / "sql"


@dataclass(frozen=True)
class LandedCounts:
    """What landing some objects came to; rows_read = rows_loaded + rows_duplicate + rows_quarantined."""

    objects: int = 0
    objects_quarantined: int = 0
    rows_read: int = 0
    rows_loaded: int = 0
    rows_duplicate: int = 0
    rows_quarantined: int = 0

    def __add__(self, other: LandedCounts) -> LandedCounts:
        """Counts of both."""
        return LandedCounts(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Landing:
    """One object version on its way: as listed, as fetched, and as its metadata says."""

    object_id: str
    version: ObjectVersion
    feed: Feed
    run_id: str
    fetched: Fetched | None
    exported_at: datetime
    is_complete: bool
    notes: Notes
    fault: ObjectRejected | None = None


@functools.cache
def sql(name: str) -> str:
    """A statement from `sql/`."""
    return (_SQL_DIR / f"{name}.sql").read_text()
