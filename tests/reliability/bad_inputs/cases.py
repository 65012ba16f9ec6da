"""The catalogue of bad inputs (tests/reliability/bad_inputs/*.yml), as cases with the objects that they put."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.edge_cases.world import World, body
from tests.reliability.bad_inputs.making import DONE, MADE

CATALOGUE_DIR = Path(__file__).parent
# The files in the order of the sections, with their titles.
SECTIONS = {
    "objects": "Objects and containers",
    "probes": "Probe results",
    "status_page": "Status-page incidents and maintenance",
    "tickets": "Tickets and response times",
    "accounts": "Accounts, contracts, fees and terms",
    "claims": "Claims",
}
EXPORTED_AT = "2026-04-15T00:00:00Z"

_SUFFIXES = {
    "catalog": "csv",
    "accounts/accounts": "csv",
    "accounts/fees": "csv",
    "status_page": "json",
    "terms": "yml",
}
_FIELDS = {"key", "feed", "text", "bytes", "rows", "made", "as", "round", "exported_at", "metadata", "between"}
_EXPECTED = {
    "loaded",
    "duplicate",
    "quarantined",
    "all_quarantined",
    "rejected",
    "observed",
    "observations",
    "stray",
    "after",
}
_CASE = {"number", "words", "reading", "not_in_contract", "world", "beside", "objects"} | {
    *("figures", "stops", "nowhere", "dropped"),
}


@dataclass(frozen=True)
class Put:
    """One object that is put in a round (1 or 2), or, without a body, a key that is deleted, and what comes of it."""

    key: str
    body: bytes | None
    round: int
    metadata: Mapping[str, str]
    between: str | None  # what befalls it between the listing and the reading
    expect: Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A numbered case of the research, as an entry has it."""

    number: str
    words: str
    section: str
    reading: str
    not_in_contract: str | None
    is_stopped: bool
    beside: Sequence[Mapping[str, Any]]
    puts: Sequence[Put]
    figures: Sequence[Mapping[str, Any]]
    stops: Mapping[str, str] | None
    nowhere: Sequence[str]  # texts that no table may hold
    dropped: Mapping[str, str] | None  # cells of a line in the billing drop's CSV


def load() -> list[Case]:
    """All cases, in the order of the catalogue. Raises on what an entry does not know."""
    return [
        _case(entry, section)
        for section in SECTIONS
        for entry in yaml.safe_load((CATALOGUE_DIR / f"{section}.yml").read_text(encoding="utf-8"))
    ]


def _case(entry: Mapping[str, Any], section: str) -> Case:
    number = entry["number"]
    assert not entry.keys() - _CASE, f"{number}: what is {sorted(entry.keys() - _CASE)}?"
    case = Case(
        number=number,
        words=entry["words"],
        section=section,
        reading=entry.get("reading", ""),
        not_in_contract=entry.get("not_in_contract"),
        is_stopped=entry.get("world") == "stopped",
        beside=entry.get("beside", []),
        puts=[_put(each, number) for each in entry.get("objects", [])],
        figures=entry.get("figures", []),
        stops=entry.get("stops"),
        nowhere=entry.get("nowhere", []),
        dropped=entry.get("dropped"),
    )
    assert case.figures or case.stops or any(put.expect for put in case.puts), f"{number} expects nothing"
    return case


def _put(entry: Mapping[str, Any], number: str) -> Put:
    assert not entry.keys() - _FIELDS - {"expect", "delete"}, f"{number}: what is {sorted(entry)}?"
    expect = entry.get("expect", {})
    assert not expect.keys() - _EXPECTED, f"{number}: what is {sorted(expect)}?"
    key = entry.get("key") or _key(entry["feed"], number)
    exported_at = str(entry.get("exported_at", EXPORTED_AT))
    return Put(
        key=key,
        body=None if entry.get("delete") else _body(entry, key),
        round=entry.get("round", 1),
        metadata={"exported-at": exported_at, **entry.get("metadata", {})},
        between=entry.get("between"),
        expect=expect,
    )


def _key(feed: str, name: str) -> str:
    suffix = next((suffix for prefix, suffix in _SUFFIXES.items() if feed.startswith(prefix)), "ndjson")
    return f"{feed}/{name}.{suffix}"


def _body(entry: Mapping[str, Any], key: str) -> bytes:
    """The bytes: `text` is UTF-8, in `bytes` each character is one, `rows` are written in the feed's format."""
    if "made" in entry:
        content = MADE[entry["made"]]()
    elif "rows" in entry:
        content = body(key, entry["rows"]).encode()
    else:
        content = entry["bytes"].encode("latin-1") if "bytes" in entry else entry["text"].encode()
    for name in entry.get("as", []):
        content = DONE[name](content)
    return content


def beside(cases: Sequence[Case]) -> World:
    """The sound objects that the cases speak of."""
    world = World()
    for case in cases:
        for said in case.beside:
            ((name, given),) = said.items()
            if name == "incident":
                given = {**given, "updates": [tuple(each) for each in given["updates"]]}
            getattr(world, name)(*given) if isinstance(given, list) else getattr(world, name)(**given)
    return world


def expectations(case: Case) -> Iterator[tuple[int, Put]]:
    """Each put that has an outcome, with its place among the versions of its key (from 0)."""
    versions: dict[str, int] = {}
    for put in case.puts:
        if put.body is None:
            continue
        place = versions[put.key] = versions.get(put.key, -1) + 1
        if put.expect:
            yield place, put
