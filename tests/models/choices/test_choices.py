"""Each *(choice)* of the rules works from the terms document, through the models, and in the middle of a month."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from slaledger.settings import TERMS_DIR
from slaledger.terms.resolve import DEFAULTS
from tests.models.builder import Exports, build, instant
from tests.models.builder_credits import Built
from tests.models.choices.cases import CASES
from tests.models.choices.world import AS_OF, MONTH, VARIANTS, Case, at, load_into

MODELS = ("+fct_account_months", "+fct_account_downtime", "+fct_claims", "+fct_credits", "+fct_response_times")
Rows = dict[Any, dict[str, Any]]


class Marts:
    """The marts of the month, and what a case's view shows of them."""

    def __init__(self, built: Built) -> None:
        self.months: Rows = built.by("fct_account_months", "contract_id")
        self.credits: Rows = built.by("fct_credits", "contract_id", "basis")
        self.claims: Rows = built.by("fct_claims", "claim_id")
        self.tickets: Rows = built.by("fct_response_times", "ticket_id")

    def view(self, case: Case, variant: str) -> Any:
        contract_id, account_id = f"{case.name} {variant}", f"A-{case.name} {variant}"
        month, credit = self.months[contract_id], self.credits[contract_id, "availability"]
        shown: dict[str, Callable[[], Any]] = {
            "seconds": lambda: tuple(month[f"{kind}_seconds"] for kind in ("counted", "excluded", "unknown")),
            "measured": lambda: (month["measured_seconds"], month["counted_seconds"]),
            "uptime": lambda: (str(month["uptime_percent"]), str(credit["credit_percent"])),
            "met": lambda: month["met"],
            "credit": lambda: (credit["status"], str(credit["amount"])),
            "claim": lambda: tuple(self.claims[f"claim of {account_id}"][name] for name in ("status", "reason")),
            "response credit": lambda: tuple(
                str(self.credits[contract_id, "response_time"][name])
                for name in ("credit_percent", "amount")
                if (contract_id, "response_time") in self.credits
            ),
            "ticket": lambda: tuple(self.tickets[f"{account_id} 0"][name] for name in ("due_at", "outcome")),
        }
        return shown[case.view]()


@pytest.fixture(scope="module")
def marts(fresh_settings) -> Marts:
    exports = Exports()
    load_into(exports, CASES)
    exports.load(fresh_settings)
    built = Built(fresh_settings)
    assert not built.rows("select * from raw.terms_faults")
    build(fresh_settings, month=MONTH, as_of=AS_OF, select=MODELS)
    return Marts(built)


ROWS = [(case, variant) for case in CASES for variant in VARIANTS if getattr(case, variant) is not None]


@pytest.mark.parametrize(
    ("case", "variant"), ROWS, ids=[f"{case.name}: {variant}: {case.why}" for case, variant in ROWS]
)
def test_the_figure_is_what_the_terms_say(marts: Marts, case: Case, variant: str) -> None:
    expected = getattr(case, variant)
    if case.view == "ticket":
        due_at, outcome = expected
        expected = (instant(at(due_at)), outcome)
    assert marts.view(case, variant) == expected


def test_every_choice_of_the_schema_has_a_case() -> None:
    """Each field once at least; of an enumeration or a boolean, each value that is not the default."""
    stated = [leaf for case in CASES for _, terms in case.versions_of("chosen") for leaf in _leaves(dict(terms))]
    schema = json.loads((TERMS_DIR / "terms.schema.json").read_text())
    wanted = set()
    for path, field in _choices(schema["properties"]):
        values = [True, False] if field.get("type") == "boolean" else field.get("enum", [None])
        wanted |= {(path, value) for value in values if value is None or value != _default(path)}
    missing = {
        (path, value)
        for path, value in wanted
        if not any(each == path and value in (None, given) for each, given in stated)
    }
    assert wanted and not missing


def test_a_choice_changes_its_figure() -> None:
    """But for two, which show that something is not changed."""
    same = {case.name for case in CASES if case.default == case.chosen}
    assert same == {"silence by monitoring", "holidays of the country alone"}


def _choices(
    properties: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    for name, field in properties.items():
        if name in ("id", "version", "effective_from", "extends", "plan"):
            continue
        if "properties" in field and (*path, name) != ("response_times", "targets"):
            yield from _choices(field["properties"], (*path, name))
        else:
            yield (*path, name), field


def _leaves(terms: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in terms.items():
        if isinstance(value, dict) and (*path, name) != ("response_times", "targets"):
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value if isinstance(value, str | bool) else None


def _default(path: tuple[str, ...]) -> Any:
    value: Any = {**DEFAULTS, "guaranteed": True}
    for name in path:
        value = value.get(name, {})
    return value
