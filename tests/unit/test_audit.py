"""A known vulnerability stops CI unless it is waived, and a waiver ends."""

from __future__ import annotations

import importlib.util
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
