"""A known vulnerability stops CI unless it is waived, and a waiver ends."""

from __future__ import annotations

import importlib.util
import json
from datetime import date
from types import ModuleType

import pytest

from slaledger.settings import PROJECT_DIR

TODAY = date(2026, 11, 23)
VULNERABLE = {
    "name": "left-pad",
    "version": "1.0",
    "vulns": [{"id": "PYSEC-1", "aliases": ["GHSA-1"], "fix_versions": ["1.1"]}],
}


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", PROJECT_DIR / ".ci" / "audit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def waiver(**changes: object) -> dict[str, object]:
    return {"id": "GHSA-1", "package": "left-pad", "until": TODAY, "because": "not reached", **changes}


def test_a_vulnerability_is_told_with_its_package_and_its_mend(audit):
    (sentence,) = audit.problems([VULNERABLE], [], TODAY)
    assert "left-pad 1.0 has PYSEC-1 (fixed in: 1.1)" in sentence


def test_a_waiver_holds_on_its_last_day_and_not_after(audit):
    assert audit.problems([VULNERABLE], [waiver()], TODAY) == []
    (sentence,) = audit.problems([VULNERABLE], [waiver(until=date(2026, 11, 22))], TODAY)
    assert "ended on 2026-11-22" in sentence


@pytest.mark.parametrize("other", [{"id": "GHSA-2"}, {"package": "right-pad"}])
def test_a_waiver_of_something_else_waives_nothing_and_is_told(audit, other):
    assert len(audit.problems([VULNERABLE], [waiver(**other)], TODAY)) == 2


def test_a_waiver_is_kept_where_its_package_could_not_be_audited(audit):
    assert audit.problems([{"name": "left-pad", "skip_reason": "not found"}], [waiver()], TODAY) == []


NOT_FOUND = "Dependency not found on PyPI and could not be audited: left-pad (1.0)"


@pytest.mark.parametrize(
    "dependency",
    [
        {"name": "Left.Pad", "version": "1.0", "vulns": []},
        {"name": "left-pad", "skip_reason": NOT_FOUND},
    ],
)
def test_a_pin_is_audited_or_the_registry_serves_no_advisories_of_it(audit, dependency):
    assert audit.report(json.dumps({"dependencies": [dependency]}), {("left_pad", "1.0")}) == [dependency]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "no report"),
        ("Could not connect to PyPI's vulnerability feed", "no report"),
        ("[]", "no report"),
        ('{"fixes": []}', "no report"),
        ('{"dependencies": [{"version": "1.0", "vulns": []}]}', "no report"),
        ('{"dependencies": [{"name": "left-pad"}]}', "no report"),
        ('{"dependencies": []}', "says nothing of left-pad"),
        ('{"dependencies": [{"name": "left-pad", "skip_reason": "could not be resolved"}]}', "could not be resolved"),
    ],
)
def test_an_answer_that_does_not_speak_of_every_pin_is_no_audit(audit, answer, why):
    with pytest.raises(audit.NotAudited, match=why):
        audit.report(answer, {("left-pad", "1.0")})


def test_what_is_not_audited_fails(audit, monkeypatch, capsys, tmp_path):
    silent = tmp_path / "pip-audit"
    silent.write_text("#!/bin/sh\necho 'cannot connect' >&2\nexit 1\n")
    silent.chmod(0o755)
    monkeypatch.setattr(audit, "BIN", tmp_path)
    monkeypatch.setattr(audit, "write_sbom", list)
    assert audit.main() == 1
    assert "cannot connect" in capsys.readouterr().err


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-uv.lock"])
def test_every_pin_has_a_hash(audit, lock):
    text = (PROJECT_DIR / lock).read_text(encoding="utf-8")
    assert audit.pins(text)
    for requirement in text.replace("\\\n", " ").splitlines():
        if "==" in requirement and not requirement.lstrip().startswith("#"):
            assert "--hash=sha256:" in requirement, requirement


@pytest.mark.parametrize("file", ["Makefile", "Dockerfile"])
def test_nothing_is_installed_but_with_hashes(file):
    text = (PROJECT_DIR / file).read_text(encoding="utf-8").replace("\\\n", " ")
    installs = [line for line in text.splitlines() if " install " in line and ("pip" in line or "$(UV)" in line)]
    assert installs
    for line in installs:
        # The checkout itself has no hash: it brings no dependency, and builds with what the lock has.
        is_own = "--no-deps --no-build-isolation -e ." in line
        assert is_own or "--require-hashes" in line, line


@pytest.mark.parametrize(
    "said",
    [
        "Traceback (most recent call last):\n  ...\nrequests.exceptions.SSLError: certificate verify failed\n",
        "requests.exceptions.ConnectionError: refused\n",
        "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed\n",
    ],
)
def test_a_registry_that_is_away_is_told_apart_from_an_answer_that_is_none(audit, said):
    with pytest.raises(audit.RegistryAway):
        audit.report("", {("left-pad", "1.0")}, said=said)
    with pytest.raises(audit.NotAudited):
        audit.report("{", {("left-pad", "1.0")}, said=said)
    with pytest.raises(audit.NotAudited):
        audit.report("", {("left-pad", "1.0")}, said="ValueError: requests.exceptions.SSLError: as a text\n")
