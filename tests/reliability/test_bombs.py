"""Bombs: small files that ask for much are refused in seconds, in bounded memory, and leave nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slaledger.settings import PROJECT_DIR
from tests.reliability.bombs import BOMBS

pytestmark = pytest.mark.timeout(600)

# Over what the process holds before, its libraries read.
MAX_MIB = 256

Said = dict[str, dict[str, Any]]


def explode(directory: Path, *arguments: str) -> Said:
    """What reading the bombs came to, in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.reliability.bombs", *arguments],
        env={**os.environ, "TMPDIR": str(directory), "PYTHONPATH": f"{PROJECT_DIR}/plugins:{PROJECT_DIR}"},
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert list(directory.iterdir()) == [], "temporary files are left"
    return {said["name"]: said for said in map(json.loads, ran.stdout.splitlines())}


@pytest.fixture(scope="module")
def exploded(tmp_path_factory: pytest.TempPathFactory) -> Said:
    return explode(tmp_path_factory.mktemp("bombs"))


def check(said: dict[str, Any], code: str) -> None:
    """The bomb was refused with its code, and with no other; within memory; nothing is left of it."""
    assert said["codes"] == [code]
    assert said["mib"] <= MAX_MIB
    assert said["left"] == []


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_refused(exploded: Said, name: str) -> None:
    check(exploded[name], BOMBS[name].code)


def test_what_they_took(exploded: Said, figure: Callable[[str], None]) -> None:
    assert exploded.keys() == BOMBS.keys()
    slowest = max(exploded.values(), key=lambda said: said["seconds"])
    largest = max(exploded.values(), key=lambda said: said["mib"])
    figure(
        f"{len(exploded)} bombs; the slowest ({slowest['name']}) took {slowest['seconds']} s of the processor, "
        f"the largest ({largest['name']}) {largest['mib']:.0f} MiB"
    )


@pytest.mark.parametrize(
    ("limit", "name"),
    [
        ("MAX_DOCUMENT_VALUES", "JSON of 2.5 million keys"),
        ("INFLATE_RATIO", "gzip, 1:1000, of checks"),
    ],
)
def test_a_bomb_is_seen_where_a_limit_is_lifted(tmp_path: Path, limit: str, name: str) -> None:
    said = explode(tmp_path, "--without", limit, name)[name]
    with pytest.raises(AssertionError):
        check(said, BOMBS[name].code)
