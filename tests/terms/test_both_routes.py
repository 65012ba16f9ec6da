"""Rule T4, twice: the lint and the second route, which share no code, accept and refuse the same documents."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from slaledger import terms
from slaledger.settings import TERMS_DIR
from tests.reperform import export_objects

ROUNDS = 60
DOCUMENTS = 12  # a round

SHIPPED_DOCUMENTS = terms.shipped_documents()
SHIPPED = [path.read_text() for path in sorted(TERMS_DIR.glob("*.yml"))]
HEAD = "extends: klink-enterprise\neffective_from: 2026-02-01T00:00:00Z\nversion: '1'\n"
# As they stand in a document: each is at home in some field, and out of place in most.
SCALARS = (
    *(
        "0",
        "-1",
        "1",
        "5",
        "07",
        "100",
        "100.0",
        "100.000001",
        "99.9",
        "99.90",
        ".5",
        "5.",
        "1e1",
        "1.0e+1",
        "+5",
        "0x10",
    ),
    *(
        "1_000",
        "1:30",
        ".inf",
        ".nan",
        "'5'",
        "0.00000000001",
        "99.99999999999",
        "99.999999999999999",
        "123456789012345",
    ),
    *("1234567890123456", "null", "~", "''", "' '", "true", "True", "tRUE", "yes", "no", "NO", "'true'", "on", "DE"),
    *("DE-BY", "DE-XX", "XX", "de", "UTC", "utc", "CET", "Factory", "localtime", "Europe/Berlin", "Europe/Bonn"),
    *("0s", "00s", "0h", "0d", "60", "60s", "5m", "48h", "3d", "-5m", "1.5h", "1w", "1 h", "99999999s", "999999999s"),
    *(
        "99999h",
        "100000h",
        "9999d",
        "10000d",
        "0 business days",
        "00 business day",
        "1 business day",
        "2 business days",
    ),
    *(
        "2 Business days",
        "1000 business days",
        "240h",
        "2026-02-30",
        "2026-02-28",
        "2026-2-3",
        "20260228",
        "0001-01-01",
    ),
    *(
        "2026-02-01T00:00:00Z",
        "2026-02-01T00:00Z",
        "2026-02-01T00:00:00",
        "2026-02-01 00:00:00Z",
        "2026-02-01T00:00+01",
    ),
    *("2026-02-01T00:00:00.1234567Z", "2026-02-01T00:00:00,5+0530", "2026-02-01T24:00:00Z", "2026-02-30T00:00:00Z"),
    *("2026-02-01T00:00:00+25:00", "2026-02-01t00:00:00z", "2025-12-31T23:59:59Z", "klink-enterprise", "klink-growth"),
    *(
        "acme",
        "-acme",
        "'two words'",
        "a" * 64,
        "a" * 65,
        "ümlaut",
        '"a\\n"',
        '"a\\0b"',
        "&x 5",
        "*x",
        "!!str 5",
        "!ours 5",
    ),
    *("dashboard", "call_routing", "fax", "Dashboard", "any", "all", "both", "either", "monitoring", "out_of_base"),
    *("period_end", "human", "email", "in_app", "status_page", "fax", "P1", "P4", "P5", "force_majeure", "weather"),
    *(
        "scheduled_maintenance",
        "company_name",
        "phone",
        "<<",
        "=",
        "{}",
        "[]",
        "[[]]",
        "{P1: 1h}",
        "[1]",
        "[DE, DE]",
        "{",
    ),
)
FIELDS = ("colour", "extends", "percent", "below", "P5", "<<", "null", "1", "holidays", "response_credit_cap", "plan")
CREDITS = {"severity": "P1", "percent": "1"}


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_both_routes_accept_and_refuse_the_same_documents(seed):
    rng = random.Random(seed)
    texts = [document(rng, f"acme-{number}") for number in range(DOCUMENTS)]
    together = "---\n".join(texts)
    assert by_the_second_route(together) == by_the_lint(together), f"seed {seed}:\n{together}"
    # Each alone, too: a fault must not hide behind another document.
    for text in texts[:2]:
        assert by_the_second_route(text) == by_the_lint(text), f"seed {seed}:\n{text}"


@pytest.mark.parametrize(
    ("field", "item", "other"),
    [
        ("exclusions: [{}]\n", "force_majeure", "third_party_ai"),
        ("availability: {{core_services: [{}]}}\n", "dashboard", "call_routing"),
        ("maintenance: {{channels: [{}]}}\n", "email", "in_app"),
        ("claims: {{must_include: [{}]}}\n", "account_id", "company_name"),
        ("response_times: {{calendar: {{holidays: [{}]}}}}\n", "2026-12-24", "2026-12-31"),
        ("credits: [{}]\n", "{below: 99, percent: 5}", "{below: 95, percent: 9}"),
        ("response_times: {{credits: [{}]}}\n", "{severity: P1, percent: 5}", "{severity: P2, percent: 5}"),
    ],
)
def test_no_list_names_one_thing_twice(field, item, other):
    twice, once = (f"id: acme\n{HEAD}{field.format(f'{item}, {each}')}" for each in (item, other))
    assert by_the_second_route(twice) == by_the_lint(twice) == set()
    assert by_the_second_route(once) == by_the_lint(once) == {("acme", "1")}


def test_the_documents_are_neither_all_sound_nor_all_faulty():
    sound = 0
    for seed in range(ROUNDS):
        rng = random.Random(seed)
        sound += len(by_the_lint("---\n".join(document(rng, f"acme-{number}") for number in range(DOCUMENTS))))
    assert ROUNDS * DOCUMENTS // 5 < sound < ROUNDS * DOCUMENTS * 4 // 5


def by_the_lint(text: str) -> set[tuple[str, str]]:
    """The versions that can be in force."""
    documents = []
    for line, part in terms.split_documents(text):
        content = terms.read_document(part, first_line=line).content
        if content is not None:
            exported = datetime(2026, 4, 1, tzinfo=UTC)
            documents.append(terms.Document(name="terms/a", content=content, rank=(1, line), exported_at=exported))
    found = terms.resolve_all([*SHIPPED_DOCUMENTS, *documents])
    return {each.document.key for each in found.versions} - STANDARD


def by_the_second_route(text: str) -> set[tuple[str, str]]:
    exports = export_objects.read(export_objects.put("terms/a", text))
    return {(terms_id, each.version) for terms_id, versions in exports.terms.items() for each in versions} - STANDARD


STANDARD = {(f"klink-{plan}", "2026-01") for plan in ("enterprise", "growth", "starter")}


def document(rng: random.Random, terms_id: str) -> str:
    """One of the standard terms under another id, or a child of them, with at most three things changed."""
    tree = yaml.load(rng.choice(SHIPPED), Loader=yaml.BaseLoader)
    tree |= {"id": terms_id, "version": "'1'"}
    tree["response_times"] |= {"credits": [dict(CREDITS)], "response_credit_cap": "5"}
    if rng.random() < 0.5:
        kept = rng.sample([name for name in tree if name not in ("id", "version", "effective_from")], rng.randint(0, 3))
        head = yaml.load(HEAD, Loader=yaml.BaseLoader)
        tree = {"id": terms_id, **head, "version": "'1'", **{name: tree[name] for name in kept}}
    for _ in range(rng.randint(0, 3)):
        change(rng, tree)
    return "".join(f"{name}: {flow(value)}\n" for name, value in tree.items()) + rng.choice(["", "", "", "# end\n"])


def change(rng: random.Random, tree: dict[str, Any]) -> None:
    """Change a place of the tree: another value, a field more or less, an item more, less or twice."""
    holder, key = rng.choice(list(places(tree)))
    what = rng.random()
    if isinstance(holder, list) and what < 0.4:
        holder.insert(rng.randint(0, len(holder)), copy.deepcopy(holder[key]))
    elif isinstance(holder, dict) and what < 0.1:
        holder[rng.choice(FIELDS)] = rng.choice(SCALARS)
    elif what < 0.25:
        del holder[key]
    elif what < 0.3:
        holder[key] = rng.choice([[], {}, [holder[key]]])
    else:
        holder[key] = rng.choice(SCALARS)


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every field and item, as what holds it and its key there."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield tree, key
        if isinstance(value, dict | list):
            yield from places(value)


def flow(value: Any) -> str:
    """YAML's flow style, scalars as they stand."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return str(value) or "''"
