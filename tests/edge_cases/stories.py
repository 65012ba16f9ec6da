"""The stories of tests/scenarios as cases: `given/` lies in the bucket, `expect/<month>/<table>.csv` comes of it.

README.md of each story has the arithmetic by hand. An expected row names its lines in the column `edge`; a row that
says `(no row)` anywhere expects none.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.edge_cases.cases import TABLES, Case, Expected

SCENARIOS_DIR = Path(__file__).resolve().parents[1] / "scenarios"
STORIES = sorted(path.parent for path in SCENARIOS_DIR.glob("*/given"))
NO_ROW = "(no row)"

# Files without a `.meta.json` were exported then: after each of the months.
EXPORTED_AT = datetime(2026, 11, 2, 6, tzinfo=UTC)


def told() -> Iterator[Case]:
    """A case for each line of each story: all rows of the keys whose rows name it."""
    for story in STORIES:
        expected: dict[int, Expected] = defaultdict(Expected)
        for path in sorted(story.glob("expect/*/*.csv")):
            month, table = path.parts[-2], path.stem
            numbers: dict[str, set[int]] = defaultdict(set)
            rows: dict[str, list[dict[str, str]]] = defaultdict(list)
            for row in read(path):
                owner = row[TABLES[table]]
                numbers[owner] |= {int(number) for number in row.pop("edge").split()}
                if NO_ROW not in row.values():
                    rows[owner].append(row)
            for owner, lines in numbers.items():
                for number in lines:
                    expected[number].rows[table, month, owner] = list(rows[owner])
        for number in sorted(expected):
            yield Case(number, story.name, expected[number])


def write(directory: Path) -> None:
    """What all stories give, as one tree that `sla put` uploads."""
    for story in STORIES:
        for source in sorted(path for path in (story / "given").rglob("*") if path.is_file()):
            target = directory / source.relative_to(story / "given")
            assert not target.exists(), f"two stories give {target.relative_to(directory)}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            os.utime(target, (EXPORTED_AT.timestamp(), EXPORTED_AT.timestamp()))


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
