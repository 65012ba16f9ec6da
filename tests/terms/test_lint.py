"""`sla terms lint`: several files and documents at once, by file and line (rule T4); and the editor's schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from slaledger import terms
from slaledger.cli import app
from slaledger.settings import PROJECT_DIR, TERMS_DIR
from slaledger.terms.resolve import DEFAULTS, OWN_FIELDS
from tests.terms.test_document import FAULTS, HEAD
from tests.terms.test_resolve import acme


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stack is up here, whatever the developer has."""
    monkeypatch.setenv("SLA_HOME", str(tmp_path / "home"))


def lint(directory: Path, *names: str) -> tuple[int, list[str]]:
    result = CliRunner().invoke(app, ["terms", "lint", *(str(directory / name) for name in names)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout.replace(f"{directory}/", "").splitlines()


def write(directory: Path, **texts: str) -> None:
    for name, text in texts.items():
        (directory / f"{name}.yml").write_text(text)


def test_sound_files_pass(tmp_path):
    write(tmp_path, group=acme("1", "2026-02-01", terms_id="group"), child=acme("1", "2026-02-01", parent="group"))
    assert lint(tmp_path, "child.yml", "group.yml") == (0, ["2 files, no fault."])
    assert lint(TERMS_DIR, "klink-growth.yml") == (0, ["1 file, no fault."])


def test_every_fault_of_every_file_is_told_at_once(tmp_path):
    write(
        tmp_path,
        a=acme("1", "2026-02-01", "colour: red\ncredits:\n  - {below: 99, percent: 5}\n  - {below: 99, percent: 6}\n"),
        b=acme("1", "2026-02-01", terms_id="b"),
        c=acme("2", "2026-02-01", "time_zone: Europe/Berlin\n", terms_id="b"),
        d=acme("1", "2026-02-01", "availability: {core_services: [fax]}\n", terms_id="d", parent="nobody"),
        e="",
        f=acme("1", "2026-02-01", "plan: other\n", terms_id="b"),
    )
    (tmp_path / "g.yml").write_bytes(b"# ours\nid: \xff\n")
    exit_code, lines = lint(tmp_path, *(f"{name}.yml" for name in "abcdefg"))
    assert exit_code == 3
    assert [line.split(": ", 1) for line in lines] == [
        ["a.yml:5", f"has the unknown field colour: known are {', '.join(schema()['properties'])}"],
        ["a.yml:8", "credits item 2: has two tiers below 99: leave one"],
        ["c.yml:3", "has the effective_from of version 1 of b: give it another"],
        ["c.yml:5", "changes the time zone of b from UTC to Europe/Berlin: use another id"],
        ["d.yml:4", "extends nobody: there are no such terms, or each version of them was refused"],
        ["d.yml:5", "names the unknown service fax: neither the catalog nor the standard terms have it"],
        ["e.yml:1", "holds no document: write one"],
        ["f.yml:2", "changes what version 1 of b says: give it a new version"],
        ["g.yml:2", "is no UTF-8: save the file in that encoding"],
    ]


def test_a_file_that_cannot_be_read_is_a_bad_argument(tmp_path):
    write(tmp_path, sound=acme("1", "2026-02-01"))
    result = CliRunner().invoke(app, ["terms", "lint", str(tmp_path / "sound.yml"), str(tmp_path / "missing.yml")])
    said = " ".join(result.stderr.replace("│", " ").split())
    assert (result.exit_code, result.stdout) == (2, "") and "does not exist" in said, said
    assert "missing.yml" in said.replace(" ", ""), said
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "read.me").write_text("colour: red\n")
    with pytest.raises(terms.NoFiles, match=r"folder holds no \*\.yml and no \*\.yaml: name the files") as told:
        terms.files_of([tmp_path / "sound.yml", tmp_path / "folder"])
    assert told.value.exit_code == 2


def test_a_file_may_hold_several_documents(tmp_path):
    both = acme("1", "2026-02-01") + "---\n" + acme("2", "2026-03-01", "time_zone: Asia/Kolkata\ncolour: red\n")
    write(tmp_path, both=both, sound=both.replace("time_zone: Asia/Kolkata\ncolour: red\n", ""))
    assert lint(tmp_path, "sound.yml")[0] == 0
    assert [line.split(": ")[0] for line in lint(tmp_path, "both.yml")[1]] == ["both.yml:11"]
    write(tmp_path, both=both.replace("colour: red\n", ""))
    assert [line.split(": ")[0] for line in lint(tmp_path, "both.yml")[1]] == ["both.yml:10"]


def test_of_files_the_one_in_force_first_stands(tmp_path):
    write(tmp_path, early=acme("1", "2026-02-01"), late=acme("2", "2026-03-01", "time_zone: Asia/Kolkata\n"))
    for order in (("early.yml", "late.yml"), ("late.yml", "early.yml")):
        assert [line.split(": ")[0] for line in lint(tmp_path, *order)[1]] == ["late.yml:5"]


def test_of_a_directory_all_terms_are_linted(tmp_path):
    deep = tmp_path / "exports" / "terms"
    deep.mkdir(parents=True)
    write(deep, sound=acme("1", "2026-02-01", terms_id="group"), child=acme("1", "2026-02-01", parent="group"))
    (deep / "faulty.yaml").write_text(acme("1", "2026-02-01", "colour: red\n", terms_id="faulty"))
    (deep / "notes.txt").write_text("colour: red\n")
    exit_code, lines = lint(tmp_path, "exports", "exports/terms/faulty.yaml")
    assert (exit_code, [line.split(": ")[0] for line in lines]) == (3, ["exports/terms/faulty.yaml:5"])
    (deep / "faulty.yaml").unlink()
    assert lint(tmp_path, "exports") == (0, ["2 files, no fault."])


def test_a_file_given_twice_is_read_once(tmp_path):
    write(tmp_path, a=acme("1", "2026-02-01", "colour: red\n"))
    assert len(lint(tmp_path, "a.yml", "a.yml")[1]) == 1


# The editor's schema. YAML 1.2, which editors speak, reads instants and dates as text.


def schema() -> dict:
    return json.loads((TERMS_DIR / "terms.schema.json").read_text())


class _Editor(yaml.SafeLoader):
    yaml_implicit_resolvers: ClassVar[dict] = {}


for _tag, _pattern in (
    ("null", r"~|null|Null|NULL|"),
    ("bool", r"true|True|TRUE|false|False|FALSE"),
    ("int", r"[-+]?[0-9]+"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
):
    _Editor.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), None)


def is_sound_in_the_editor(text: str) -> bool:
    try:
        loaded = yaml.load(text, Loader=_Editor)
    except yaml.YAMLError:
        return False
    return jsonschema.Draft202012Validator(schema()).is_valid(loaded)


# What no schema can say: the lint alone finds it.
BEYOND = ("two tiers", "not more than", "no time zone", "no country", "no date", "two resp")
BEYOND += ("has the field '", "alias", "15 char", "1.0e+1", "not print")

GOOD = [
    *(path.read_text() for path in sorted(TERMS_DIR.glob("*.yml"))),
    HEAD,
    HEAD + "credits: []\nexclusions: []\n",
    HEAD + "response_times: {calendar: {holidays: [2026-12-24, 2026-12-31]}, response_credit_cap: 5}\n",
    HEAD + "response_times: {calendar: {holidays: DE-BY}, credits: [{severity: P1, percent: 0.5}]}\n",
    HEAD + "response_times: {targets: {P1: 30m, P2: 7200s, P3: 1 business day, P4: 10 business days}}\n",
    HEAD + "availability: {minimum_outage: 90s, down_when: all, evidence: both, thresholds_from: period_end}\n",
    HEAD + "maintenance: {notice: 14d, channels: []}\nclaims: {required: false, within: 0d, must_include: []}\n",
]


@pytest.mark.parametrize("text", GOOD, ids=range(len(GOOD)))
def test_what_the_lint_passes_the_schema_passes(text):
    assert not terms.read_document(text).faults
    assert is_sound_in_the_editor(text)


@pytest.mark.parametrize(("body", "line", "says"), FAULTS, ids=[body.replace("\n", "⏎")[:60] for body, _, _ in FAULTS])
def test_what_the_schema_can_say_it_refuses_as_the_lint_does(body, line, says):
    assert is_sound_in_the_editor(HEAD + body) == any(each in says for each in BEYOND)


def test_the_page_on_writing_terms_is_right(tmp_path):
    """Its example is sound, and its table has every field with its default."""
    page = (PROJECT_DIR / "docs/writing-terms.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    write(tmp_path, acme=example)
    assert lint(tmp_path, "acme.yml")[0] == 0
    listed = dict(re.findall(r"^\| `([a-z_.]+)`(?: \*)? \| ([^|]*?) *\|", page, re.MULTILINE))
    fields = set(_fields(schema()["properties"])) - {*OWN_FIELDS}
    assert set(listed) == fields
    said = {"all three": "company_name, account_id, incident_timeline", "none": ""}
    for path, default in listed.items():
        value: Any = DEFAULTS
        for name in path.split("."):
            value = value.get(name, "") if isinstance(value, dict) else ""
        text = ", ".join(value) if isinstance(value, list) else json.dumps(value, default=str).strip('"')
        assert said.get(default, default.strip("`")) == text, path


EXAMPLES = re.findall(
    r"^\| `([a-z_.]+)`(?: \*)? \| ([^|]*?) *\| [^|]* \| `([^|]+)` \|",
    (PROJECT_DIR / "docs/writing-terms.md").read_text(),
    re.MULTILINE,
)


def test_every_field_of_the_page_has_an_example():
    assert {path for path, _, _ in EXAMPLES} == set(_fields(schema()["properties"])) - {*OWN_FIELDS}


@pytest.mark.parametrize(("path", "default", "example"), EXAMPLES, ids=[path for path, _, _ in EXAMPLES])
def test_each_example_of_the_page_is_sound_and_changes_something(tmp_path, path, default, example):
    assert example != default.strip("`")
    *parents, name = path.split(".")
    body = "".join(f"{parent}: {{" for parent in parents) + f"{name}: {example}" + "}" * len(parents)
    text = acme("1", "2026-02-01", f"{body}\n")
    write(tmp_path, acme=text)
    assert lint(tmp_path, "acme.yml") == (0, ["1 file, no fault."])
    parent = next(each for each in terms.shipped_documents() if each.key[0] == "klink-enterprise")
    child = replace(parent, content=terms.read_document(text).content, rank=(2,))
    found = {each.document.key[0]: each for each in terms.resolve_all([parent, child]).versions}
    assert found["acme"].content != found["klink-enterprise"].content


def _fields(properties: dict, path: str = "") -> Iterator[str]:
    for name, field in properties.items():
        if "properties" in field and name != "targets":
            yield from _fields(field["properties"], f"{path}{name}.")
        else:
            yield path + name


def test_the_schema_requires_what_the_lint_does():
    full = next(text for text in GOOD if "id: klink-growth" in text)
    document = yaml.load(full, Loader=_Editor)
    for name in document:
        less = json.dumps({key: value for key, value in document.items() if key != name})
        assert is_sound_in_the_editor(less) == (not terms.read_document(less).faults)
