"""Rules T1 to T3 through the models: which version decides, in a March whose terms change, land late or conflict."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.models.builder import Exports, build, contract, instant
from tests.models.builder_credits import Built

MONTH, AS_OF = "2026-03", "2026-05-01T00:00:00Z"
MODELS = ("+fct_account_months", "+int_credits", "+int_contracts_findings", "+int_landing_findings")


def tier(percent: int, **availability: Any) -> dict[str, Any]:
    """Terms whose one tier tells which version decided."""
    return {"credits": [{"below": 99.9, "percent": percent}], "availability": availability}


def landed(
    exports: Exports, terms_id: str, version: str, *, since: str, exported_at: str, key: str, **changed: Any
) -> None:
    """A terms document exported at a time of its own."""
    document = {"id": terms_id, "version": version, "effective_from": since, "extends": "klink-enterprise", **changed}
    exports.add(
        "terms",
        "terms",
        exports.object("terms", key=f"terms/{key}", exported_at=exported_at),
        terms_id=terms_id,
        version=version,
        effective_from=instant(since),
        document=json.dumps(document),
    )


# Contract: its terms, and the percent of the tier that decides; every region is down for an hour on 25 March.
EXPECTED = {
    "one version": ("steady", 1),
    "turned within the month": ("turning", 1),
    "starts after the turn": ("turning", 2),
    "suspended until after the turn": ("turning", 2),
    "turned at the very start": ("at the start", 2),
    "turned a microsecond late": ("after the start", 1),
    "the last instant": ("to the end", 3),
    "the last instant is before the end": ("at the end", 1),
    "ended before the turn": ("to the end", 1),
    "landed late": ("late", 2),
    "the earlier export stands": ("conflict", 1),
    "what the parent said then": ("child", 1),
    "what the parent says now": ("later child", 2),
}


@pytest.fixture(scope="module")
def built(fresh_settings) -> Built:
    exports = Exports()
    march = "2026-03-01T00:00:00Z"
    exports.terms("steady", "1", **tier(1))
    exports.terms("turning", "1", **tier(1))
    exports.terms("turning", "2", since="2026-03-15T12:00:00Z", **tier(2))
    for name, since in (("at the start", march), ("after the start", "2026-03-01T00:00:00.000001Z")):
        exports.terms(name, "1", **tier(1))
        exports.terms(name, "2", since=since, **tier(2))
    for name, last in (("to the end", "2026-03-31T23:59:59.999999Z"), ("at the end", "2026-04-01T00:00:00Z")):
        exports.terms(name, "1", **tier(1, thresholds_from="period_end"))
        exports.terms(name, "3", since=last, **tier(3))
    landed(exports, "late", "1", since="2026-01-01T00:00:00Z", exported_at="2025-12-01T00:00:00Z", key="l1", **tier(1))
    landed(exports, "late", "2", since="2026-02-01T00:00:00Z", exported_at="2026-04-20T00:00:00Z", key="l2", **tier(2))
    # Exported in the other order than their keys sort in.
    landed(exports, "conflict", "1", since=march, exported_at="2026-02-02T00:00:00Z", key="a", **tier(9))
    landed(exports, "conflict", "1", since=march, exported_at="2026-02-01T00:00:00Z", key="b", **tier(1))
    landed(
        exports, "parent", "1", since="2026-01-01T00:00:00Z", exported_at="2026-01-15T00:00:00Z", key="p1", **tier(1)
    )
    landed(
        exports, "parent", "2", since="2026-03-01T00:00:00Z", exported_at="2026-02-15T00:00:00Z", key="p2", **tier(2)
    )
    exports.terms("child", "1", since="2026-02-28T23:59:59Z", extends="parent")
    exports.terms("later child", "1", since="2026-03-01T00:00:00Z", extends="parent")
    exports.outage("down", "2026-03-09T00:00:00Z", 3600)
    exports.outage("down", "2026-03-25T00:00:00Z", 3600)
    given: dict[str, dict[str, Any]] = {
        "starts after the turn": {"starts_at": "2026-03-20T00:00:00Z"},
        "suspended until after the turn": {"suspensions": [("2026-02-20T00:00:00Z", "2026-03-16T00:00:00Z")]},
        "ended before the turn": {"ends_at": "2026-03-31T23:59:59.999999Z"},
    }
    for name, (terms_id, _) in EXPECTED.items():
        contract(exports, name, region="down", terms_id=terms_id, **given.get(name, {}))
    exports.load(fresh_settings)
    build(fresh_settings, month=MONTH, as_of=AS_OF, select=MODELS)
    return Built(fresh_settings)


@pytest.mark.parametrize("contract_id", EXPECTED)
def test_the_version_that_decides_the_money(built: Built, contract_id: str) -> None:
    rows = {row["contract_id"]: row for row in built.rows("select * from intermediate.int_credits")}
    assert rows[contract_id]["credit_percent"] == EXPECTED[contract_id][1]


def test_what_is_reported(built: Built) -> None:
    found = {
        (row["code"], row["subject"])
        for row in built.rows(
            "select code, subject from intermediate.int_contracts_findings"
            " union all select code, subject from intermediate.int_landing_findings"
        )
        if row["code"].startswith("terms_")
    }
    assert found == {
        ("terms_landed_late", "late 2"),
        # Only its children are anybody's terms.
        ("terms_landed_late", "parent 1"),
        ("terms_version_changed", "conflict/1"),
        ("terms_changed_in_month", "turned within the month"),
        ("terms_changed_in_month", "turned a microsecond late"),
        ("terms_changed_in_month", "the last instant"),
    }
