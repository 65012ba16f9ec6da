"""The bad-input catalogue: every case through the real landing, and, where it is about a figure, through dbt.

All cases lie in one bucket, each with keys, accounts and regions of its own; those that stop a month lie in another.
docs/reference/bad-inputs.md is generated from the same entries.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from slaledger import gates, months, transform, warehouse
from slaledger.feeds.reasons import OBJECT_REASONS, OBSERVATIONS, ROW_REASONS
from slaledger.feeds.registry import feed_of
from slaledger.gates.committed import committed
from slaledger.gates.quarantine import LIMIT_SETTING
from slaledger.settings import PROJECT_DIR, Settings
from tests.conftest import make_bucket
from tests.edge_cases.cases import agree
from tests.reliability.bad_inputs.cases import EXPORTED_AT, Case, beside, expectations, load
from tests.reliability.bad_inputs.page import page
from tests.reliability.bad_inputs.running import BUILDS, Landed, Outcome, Row, collect, count, land, look, search
from tests.support.pipeline import Pipeline

pytestmark = pytest.mark.timeout(900)

# Section 5 of the research has these numbers; those that are missing in between the rules decide otherwise.
NUMBERS = [
    *(f"O{n}" for n in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27)),
    *(f"O{n}" for n in (29, 32, 33, 34, 35)),
    *(f"P{n}" for n in (1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16, 18, 19, 20, 21, 22)),
    *(f"S{n}" for n in (4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22)),
    *(f"T{n}" for n in (1, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18)),
    *(f"A{n}" for n in (3, 4, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24)),
    *(f"C{n}" for n in (1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14)),
]
CASES = load()
# Codes that no case of the research is about, and where they are shown.
ELSEWHERE = {
    "tests/feeds/test_reasons.py": [
        *("duplicate_key", "lone_surrogate", "not_an_object", "wrong_type", "value_too_long", "not_json"),
        "too_many_rows",
    ],
    "tests/landing/test_objects.py": ["malformed_metadata", "object_too_large"],
    "tests/reliability/bombs.py": ["document_too_large", "parquet_limit"],
}
# A text that tables do hold.
PLANTED = "tickets/events/T15.ndjson"


@pytest.fixture(scope="module")
def unlimited(fresh_settings: Settings) -> Settings:
    """Nearly all that lies in the bucket is bad: the limit has a case of its own."""
    return dataclasses.replace(fresh_settings, quarantine_limit_percent=Decimal(100))


@pytest.fixture(scope="module")
def figured(unlimited: Settings, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """All cases' figures, and all objects that stop nothing: landed in two rounds, a month closed after each."""
    cases = [case for case in CASES if not case.is_stopped]
    pipeline, outcome = Pipeline(unlimited), Outcome()
    directory = tmp_path_factory.mktemp("beside")
    beside(CASES).write(directory, exported_at=months.parse_instant(EXPORTED_AT))
    pipeline.put(directory)
    for number in (1, 2):
        land(
            unlimited, [each for case in cases for each in case.puts if each.round == number], run_id=f"round_{number}"
        )
        outcome.rounds.append(look(pipeline))
        for build, (_, _, _, after) in BUILDS.items():
            if after == number:
                count(pipeline, outcome, build)
    outcome.rounds[-1] = look(pipeline)
    search(pipeline, outcome, [*(text for case in CASES for text in case.nowhere), PLANTED])
    collect(unlimited, outcome)
    return outcome


@pytest.fixture(scope="module")
def stopped(
    warehouse_server: Any, s3_server: Any, unlimited: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """The objects of all cases that stop a month: landed, and brought before the first gate of a closing."""
    name = f"{unlimited.exports.bucket}s"
    settings = Settings(
        home=unlimited.home,
        warehouse=warehouse_server.ensure_database(name),
        exports=make_bucket(s3_server.exports, name),
        quarantine_limit_percent=Decimal(10),
    )
    warehouse.migrate(settings.warehouse)
    cases = [case for case in CASES if case.is_stopped]
    pipeline, outcome = Pipeline(settings), Outcome()
    land(settings, [each for case in cases for each in case.puts], run_id="stopped")
    outcome.rounds.append(look(pipeline))
    month, as_of, is_closing, _ = BUILDS["first"]
    transform.open_build(
        settings,
        run_id="stopped",
        service_month=months.parse_month(month),
        as_of=months.parse_instant(as_of),
        is_closing=is_closing,
    )
    with pytest.raises(gates.GateFailed) as caught:
        gates.run_gate(settings, "raw", run_id="stopped")
    assert caught.value.is_validation, "the command line makes exit code 3 of it"
    # Of what breaks an expectation its result has a few examples, its query all.
    failed = {result.name for result in caught.value.failed}
    limit = [LIMIT_SETTING, str(settings.quarantine_limit_percent)]
    with warehouse.connect(settings.warehouse) as connection:
        connection.execute("select set_config(%s, %s, false)", limit)
        for expectation in committed().GATES["raw"]:
            if expectation.name in failed:
                found = connection.execute(expectation.query("raw").encode()).fetchall()
                outcome.stopping[expectation.name] = {row[0] for row in found}
    return outcome


def differences(case: Case, figured: Outcome, stopped: Outcome) -> list[str]:
    """What came of a case otherwise than its entry says."""
    found = []
    for place, each in expectations(case):
        landed = (stopped if case.is_stopped else figured).rounds[each.expect.get("after", 0) - 1]
        if each.expect.get("stray"):
            found += [] if each.key in landed.strays else [f"{each.key}: not reported as a stray"]
            continue
        versions = landed.versions[each.key]
        if len(versions) <= place:
            found.append(f"{each.key}: {len(versions)} versions landed")
            continue
        found += [f"{each.key}: {text}" for text in _differences(each.expect, versions[place], landed)]
    for said in case.figures:
        owner = (said["table"], said.get("when", "first"), said["of"])
        rows = figured.figures[owner]
        if not agree(said["rows"], [dict(row) for row in rows]):
            found.append(f"{owner}: expected {said['rows']}, but got {[dict(row) for row in rows]}")
    found += [f"{table} holds {text}" for table, text in figured.held if text in case.nowhere]
    if case.dropped and not any(case.dropped.items() <= line.items() for line in figured.dropped):
        found.append(f"no line of the drop has {case.dropped}")
    if case.stops and case.stops["subject"] not in stopped.stopping.get(case.stops["expectation"], ()):
        found.append(f"not stopped by {case.stops}: {stopped.stopping}")
    return found


def _differences(expect: Mapping[str, Any], version: Row, landed: Landed) -> Iterator[str]:
    lines = landed.quarantined.get(version["object_id"], {})
    quarantined = expect.get("all_quarantined", len(expect.get("quarantined", {})))
    counts = {
        "reason_code": expect.get("rejected"),
        "status": "quarantined" if "rejected" in expect else "loaded",
        "rows_loaded": expect.get("loaded", 0),
        "rows_duplicate": expect.get("duplicate", 0),
        "rows_quarantined": quarantined,
        "rows_read": expect.get("loaded", 0) + expect.get("duplicate", 0) + quarantined,
    }
    yield from (
        f"{name} is {version[name]!r}, not {value!r}" for name, value in counts.items() if version[name] != value
    )
    if len(lines) != quarantined or any(
        lines.get(line) != code for line, code in expect.get("quarantined", {}).items()
    ):
        yield f"quarantined are {dict(list(lines.items())[:10])}, not {expect.get('quarantined', {})}"
    observed = landed.observed.get(version["object_id"], [])
    if sorted(set(observed)) != sorted(expect.get("observed", [])):
        yield f"observed is {observed}, not {expect.get('observed', [])}"
    if "observations" in expect and len(observed) != expect["observations"]:
        yield f"{len(observed)} observations, not {expect['observations']}"


def test_every_case_of_the_research_is_in_the_catalogue_once() -> None:
    assert len(NUMBERS) == 112
    assert [case.number for case in CASES] == NUMBERS


@pytest.mark.parametrize("case", [pytest.param(case, id=case.number) for case in CASES])
def test_case(figured: Outcome, stopped: Outcome, case: Case) -> None:
    assert differences(case, figured, stopped) == []


def unaccounted(landed: Landed) -> list[str]:
    """Objects whose rows do not add up, that were landed twice or not at all, or whose outcome no entry gives."""
    found = []
    expected = {(put.key, place) for case in CASES for place, put in expectations(case)}
    for key, versions in landed.versions.items():
        for place, row in enumerate(versions):
            parts = row["rows_loaded"] + row["rows_duplicate"] + row["rows_quarantined"]
            if row["rows_read"] != parts or parts - row["rows_quarantined"] < 0:
                found.append(f"{key}: {row['rows_read']} rows read are {parts}")
            if len(landed.quarantined.get(row["object_id"], {})) != row["rows_quarantined"]:
                found.append(f"{key}: rows in quarantine are not as many as counted")
            is_beside = key.rpartition("/")[2].startswith("edge-cases") or not row["rows_quarantined"]
            if (key, place) not in expected and not is_beside:
                found.append(f"{key}: version {place} has rows in quarantine that no entry speaks of")
    return found


def test_every_row_is_accounted_for(figured: Outcome, stopped: Outcome) -> None:
    assert [text for outcome in (figured, stopped) for landed in outcome.rounds for text in unaccounted(landed)] == []
    landed = {key for outcome in (figured, stopped) for key in outcome.rounds[-1].versions}
    put_keys = {each.key for case in CASES for each in case.puts if feed_of(each.key)}
    assert put_keys <= landed


def test_every_reason_code_comes_of_a_case() -> None:
    """Or of a test that is named."""
    said = {code for case in CASES for _, each in expectations(case) for code in _codes(each.expect)}
    elsewhere = {code for codes in ELSEWHERE.values() for code in codes}
    assert not said & elsewhere
    assert said | elsewhere == {*ROW_REASONS, *OBJECT_REASONS, *OBSERVATIONS}
    for path, codes in ELSEWHERE.items():
        text = (PROJECT_DIR / path).read_text(encoding="utf-8")
        assert [code for code in codes if f'"{code}"' not in text] == []


def test_the_page_is_current() -> None:
    path = PROJECT_DIR / "docs" / "reference" / "bad-inputs.md"
    assert path.read_text(encoding="utf-8") == page(), f"run: python -m tests.reliability.bad_inputs.page > {path}"


@pytest.mark.parametrize(
    ("number", "change"),
    [
        ("O10", {"expect": {"loaded": 3}}),
        ("O10", {"expect": {"loaded": 2, "quarantined": {3: "nul_character"}}}),
        ("O10", {"expect": {"loaded": 2, "quarantined": {2: "invalid_utf8"}}}),
        ("O18", {"expect": {"rejected": "not_json"}}),
        ("O24", {"expect": {"loaded": 1, "quarantined": {2: "invalid_month"}}}),
        ("O35", {"expect": {"loaded": 1}}),
        ("P10", {"unknown_seconds": 241}),
        ("P18", {"status": "measured"}),
        ("S9", {"subject": "another component"}),
        ("T15", {"nowhere": [PLANTED]}),
        ("A20", {"dropped": {"contract_id": "C-A20", "account_id": "=1+1|A20"}}),
        ("C2", {"amount": "100.00"}),
    ],
)
def test_a_wrong_entry_fails(figured: Outcome, stopped: Outcome, number: str, change: dict[str, Any]) -> None:
    """Each of what an entry may say, said wrongly."""
    case = next(case for case in CASES if case.number == number)
    if "expect" in change:
        *others, last = case.puts
        case = dataclasses.replace(case, puts=[*others, dataclasses.replace(last, expect=change["expect"])])
    elif "subject" in change:
        case = dataclasses.replace(case, stops={**case.stops, **change})
    elif "dropped" in change:
        case = dataclasses.replace(case, dropped=change["dropped"])
    elif "nowhere" in change:
        case = dataclasses.replace(case, nowhere=[*case.nowhere, *change["nowhere"]])
    else:
        wrong = [
            {
                **said,
                "rows": [{**row, **{name: change[name] for name in change if name in row}} for row in said["rows"]],
            }
            for said in case.figures
        ]
        case = dataclasses.replace(case, figures=wrong)
    assert differences(case, figured, stopped) != []


def test_a_row_that_nobody_speaks_of_is_seen(figured: Outcome) -> None:
    landed = figured.rounds[-1]
    key, (row, *_) = next((key, rows) for key, rows in landed.versions.items() if rows[0]["rows_quarantined"])
    for wrong in ({"rows_read": row["rows_read"] + 1}, {"rows_quarantined": row["rows_quarantined"] - 1}):
        assert unaccounted(dataclasses.replace(landed, versions={key: [{**row, **wrong}]})) != []
    assert unaccounted(dataclasses.replace(landed, versions={"claims/nobody": [row]})) != []


def _codes(expect: Mapping[str, Any]) -> Iterator[str]:
    yield from expect.get("quarantined", {}).values()
    yield from expect.get("observed", [])
    if "rejected" in expect:
        yield expect["rejected"]
    if expect.get("stray"):
        yield "unknown_prefix"
