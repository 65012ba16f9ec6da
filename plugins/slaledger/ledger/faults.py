"""What `sla verify` finds."""

from __future__ import annotations


class BooksFault(Exception):
    """A row of the books, or an object that the bucket keeps of them, that is not what it was."""

    def __init__(self, row: str, reason: str, lines: int | None = None) -> None:
        super().__init__(f"{row}: {reason}")
        self.row, self.reason = row, reason
        self.lines = lines  # that hold before it, where it is known
