"""What holds whatever the exports: their order, how they are cut and copied, more downtime, one more exclusion."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from tests.edge_cases import collected, models, second_route
from tests.edge_cases.cases import MARCH, TABLES
from tests.edge_cases.collected import CASES, differing
from tests.edge_cases.models import Rows
from tests.edge_cases.world import World, after
from tests.support.pipeline import Pipeline

# Two landings and a build, on whatever machine.
pytestmark = pytest.mark.timeout(600)

SEED = int(os.environ.get("EDGES_SEED", "73"))
MARTS = {table for table in TABLES if table.startswith("fct_")}
PAIRS = 40


def cut_and_copied(tree: Path, into: Path, random: Random) -> None:
    """Each object's rows in any order, in two objects, one of them twice; what has no rows of lines, twice."""
    for path in sorted(path for path in tree.rglob("*") if path.is_file() and not path.name.endswith(".meta.json")):
        text = path.read_text(encoding="utf-8")
        bodies = [text, text]
        if path.suffix in (".csv", ".ndjson") and text:
            lines = text.splitlines(keepends=True)
            header, rows = ("".join(lines[:1]), lines[1:]) if path.suffix == ".csv" else ("", lines)
            random.shuffle(rows)
            middle = random.randint(0, len(rows))
            halves = [header + "".join(half) for half in (rows[:middle], rows[middle:])]
            bodies = [*halves, random.choice(halves)]
        beside = path.with_name(path.name + ".meta.json")
        exported_at = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
        metadata = {"exported-at": exported_at, **(json.loads(beside.read_text()) if beside.exists() else {})}
        for number, body in enumerate(bodies):
            target = into / path.relative_to(tree).with_name(f"{random.randrange(10**6)}-{number}-{path.name}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(body, encoding="utf-8")
            target.with_name(target.name + ".meta.json").write_text(json.dumps(metadata), encoding="utf-8")


def add_pairs(world: World, random: Random) -> None:
    """Accounts a, b as a but with more downtime, c as a but with an exclusion more; near the tiers' lines."""
    for number in range(PAIRS):
        seconds = random.choice([2678, 26784, 133920]) + random.choice([-1, 0, 1, 2]) + random.random()
        more = random.choice([0.000001, 0.5, 1, 3600, 200000])
        for letter in "abc":
            name = f"i{number}{letter}"
            world.customer(name)
            world.outage(name, "2026-03-02T00:00:00Z", seconds)
        world.outage(f"i{number}b", "2026-03-20T00:00:00Z", more)
        start = after("2026-03-02T00:00:00Z", random.choice([-600, 0, 1000.5]))
        entry = {"regions": [f"i{number}c"], "incident_ids": [f"I-i{number}c-1"]}
        world.entry(f"X-i{number}", "force_majeure", (start, after(start, more)), **entry)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = Random(SEED)
    print(f"EDGES_SEED={SEED}")
    whole, cut = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("cut")
    collected.write(whole)
    pairs = World()
    add_pairs(pairs, random)
    pairs.rows = {key.replace("edge-cases", "invariants"): rows for key, rows in pairs.rows.items()}
    pairs.write(whole)
    cut_and_copied(whole, cut, random)
    return cut


@pytest.fixture(scope="module", params=["models", "second_route"])
def march(request: pytest.FixtureRequest, tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rows]:
    """March by either route; by the models, the files come in two landings, the earlier ones last."""
    if request.param == "second_route":
        yield second_route.account(tree, months=[MARCH])
        return
    pipeline: Pipeline = request.getfixturevalue("pipeline")
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.name.endswith(".meta.json"))
    Random(SEED).shuffle(files)
    for half in (files[: len(files) // 2], files[len(files) // 2 :]):
        part = tmp_path_factory.mktemp("part")
        for path in half:
            target = part / path.relative_to(tree)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
            shutil.copy2(path.with_name(path.name + ".meta.json"), target.with_name(target.name + ".meta.json"))
        pipeline.put(part)
        pipeline.land(part.name)
    yield models.account(pipeline, months=[MARCH])


@pytest.mark.edge(73)
def test_no_order_no_cut_and_no_copy_changes_a_figure(march: Rows, request: pytest.FixtureRequest) -> None:
    tables = MARTS if "models" in request.node.name else second_route.SAID
    assert sum(any(month == MARCH for _, month, _ in case.expected.rows) for case in CASES) > 60
    found = {case.id: differing(case, march, tables, months=[MARCH]) for case in CASES}
    assert {name: difference for name, difference in found.items() if difference} == {}


def test_more_downtime_never_lowers_a_credit_and_an_exclusion_never_raises_one(march: Rows) -> None:
    percents = {
        (number, letter): march["fct_credits", MARCH, f"C-i{number}{letter}"][0]["credit_percent"]
        for number in range(PAIRS)
        for letter in "abc"
    }
    assert {percents[number, "a"] for number in range(PAIRS)} == {0, 5, 10, 25}
    assert [number for number in range(PAIRS) if percents[number, "b"] < percents[number, "a"]] == []
    assert [number for number in range(PAIRS) if percents[number, "c"] > percents[number, "a"]] == []
    # And each of them does change some.
    assert any(percents[number, "b"] > percents[number, "a"] for number in range(PAIRS))
    assert any(percents[number, "c"] < percents[number, "a"] for number in range(PAIRS))
