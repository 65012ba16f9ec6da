"""That each rule has a unit test of dbt, and its rows reasons: held against the files as they are written.

A reason speaks of a row, or of at most four that belong together; that it is a good one is for readers to judge.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from slaledger.settings import DBT_PROJECT_DIR
from tests.models.unit_test_rows import unit_tests

MODELS = DBT_PROJECT_DIR / "models"
FILES = sorted(MODELS.rglob("*unit_tests*.yml"))
RULE = re.compile(r"\b(?:[CDLMPRSTUX]\d{1,2}|decision \d{4}|contracts\.md)\b", re.IGNORECASE)

LISTED = "a finding changes no figure; the second route makes each of its own, and they are compared"
COLUMNS = "it hands columns on, as they are"
RUNGS = "it cuts time at every change and decides nothing (decision 0009)"

# The models without a unit test, each with the reason why no rule is in it.
WITHOUT_A_RULE = {
    "fct_account_months": COLUMNS,
    "fct_claims": COLUMNS,
    "fct_credits": COLUMNS,
    "fct_findings": "it puts the findings of the other models together",
    "fct_response_times": COLUMNS,
    "int_availability_findings": LISTED,
    "int_claims_findings": LISTED,
    "int_entries_outside_terms": LISTED,
    "int_exclusions_findings": LISTED,
    "int_landing_findings": LISTED,
    "int_pair_rungs": RUNGS,
    "int_responses_findings": LISTED,
    "int_scope_rungs": RUNGS,
    "stg_audit__current_build": COLUMNS,
    "stg_audit__decisions": COLUMNS,
    "stg_billing__credit_line_items": COLUMNS,
    "stg_billing__sla_statements": COLUMNS,
    "stg_monitoring__check_conflicts": COLUMNS,
    "stg_raw__observations": COLUMNS,
    "stg_raw__quarantined_rows": COLUMNS,
    "stg_raw__source_objects": COLUMNS,
    "stg_terms__calendar_holidays": COLUMNS,
    "stg_terms__versions": COLUMNS,
}

WITHOUT_REASONS = """
unit_tests:
  - name: no_reasons
    description: Rule U1.
    model: m
    given:
      - input: ref('one')
        rows:
          - {id: setting}
      - input: ref('several')
        rows:
          - {id: a}
          - {id: b}
      - input: ref('tuples')
        format: sql
        rows: |
          select * from (values
              ('c', '(values'),
              ('d', null)
          ) as of (id, other)
    expect:
      rows:
        - {id: a}
        - {id: e}
"""
WITH_REASONS = """
unit_tests:
  - name: reasons
    description: Rule U1.
    model: m
    given:
      - input: ref('several')
        rows:
          # Both are a group.
          - {id: a}
          - {id: b}
      - input: ref('tuples')
        format: sql
        rows: |
          select * from (values
              -- Spoken of.
              ('c', '(values'),
              ('named by a phrase', null)
          ) as of (id, other)
    expect:
      rows:
        - {id: a}
        # Made of nothing.
        - {id: e}
"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_row_has_a_reason(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    unreasoned = [
        f"{path.name}:{row.line + 1} ({test.name}): {lines[row.line].strip()}"
        for test in unit_tests(path)
        for row in test.unreasoned()
    ]
    assert not unreasoned, "say in a comment above it why the row is there:\n" + "\n".join(unreasoned)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_description_names_a_rule(path: Path) -> None:
    without = [test.name for test in unit_tests(path) if not RULE.search(test.description)]
    assert not without, f"name the rule, or the decision, that these hold: {without}"


def test_a_comment_speaks_of_few_rows(tmp_path: Path) -> None:
    path = tmp_path / "_unit_tests.yml"
    keys = ["a", "b", "a phrase", "c", "d", "e", "f"]
    rows = "\n".join(f"          - {{id: {key}}}" for key in keys)
    path.write_text(WITH_REASONS.replace("          - {id: a}\n          - {id: b}", rows), encoding="utf-8")
    (found,) = unit_tests(path)
    assert [row.key for row in found.unreasoned()] == ["e", "f"]


def test_rows_without_a_reason_are_found(tmp_path: Path) -> None:
    path = tmp_path / "_unit_tests.yml"
    path.write_text(WITHOUT_REASONS, encoding="utf-8")
    (found,) = unit_tests(path)
    assert [row.key for row in found.unreasoned()] == ["a", "b", "c", "d", "a", "e"]
    path.write_text(WITH_REASONS, encoding="utf-8")
    (found,) = unit_tests(path)
    assert list(found.unreasoned()) == []


def test_every_model_has_a_unit_test_or_no_rule() -> None:
    tested = {
        test["model"] for path in FILES for test in yaml.safe_load(path.read_text(encoding="utf-8"))["unit_tests"]
    }
    models = {path.stem for path in MODELS.rglob("*.sql")}
    untested = models - tested
    assert untested - set(WITHOUT_A_RULE) == set(), "these have no unit test, and no reason why they need none"
    assert set(WITHOUT_A_RULE) - untested == set(), "these have a unit test, or are no more: they need no reason"
