"""A row of the books beside the same row of the second route: whatever column differs is named."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from slaledger.ledger import recomputation
from slaledger.ledger.faults import BooksFault

POSTING = SimpleNamespace(posting_number=3)


@pytest.mark.parametrize("columns", [recomputation.STATEMENT, recomputation.LINE])
def test_each_column_is_compared(columns: tuple[str, ...]) -> None:
    row = {name: f"{name} 1" for name in columns}

    def compare(other: dict[str, object], only: str | None = None) -> None:
        recomputation._require_same(POSTING, {"row": row}, {"row": other}, columns, only=only)

    compare(dict(row))
    for name in columns:
        for value in (f"{name} 2", None):
            with pytest.raises(BooksFault, match=f"^row: recomputed .* its {name} is {value}, not {name} 1"):
                compare({**row, name: value})
            compare({**row, name: value}, only="another contract")


def test_a_row_too_many_and_one_too_few_are_named() -> None:
    row = {"contract_id": "K-1"}
    with pytest.raises(BooksFault, match=r"^row: .* posting 3 rests on do not give it"):
        recomputation._require_same(POSTING, {"row": row}, {}, (), only=None)
    with pytest.raises(BooksFault, match=r"^row: .* give it for posting 3, and it is not there"):
        recomputation._require_same(POSTING, {}, {"row": row}, (), only=None)
