"""Ask for known vulnerabilities of everything that the lock pins, and list it all in an SBOM (CycloneDX).

A vulnerability fails, unless `.ci/audit-waivers.yml` waives it, with a reason, until a day that is not past.
Where the package registry serves no advisories of a package, or cannot be reached, it cannot be audited: that is said,
and fails nothing. All else that keeps a pin from being audited fails: no report, a pin not in it, another reason.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
WAIVERS = ROOT / ".ci" / "audit-waivers.yml"
SBOM = ROOT / "build" / "sbom.cdx.json"
BIN = Path(sys.prefix) / "bin"
# As pip-audit says that the registry answered 404.
NO_ADVISORIES = "Dependency not found on PyPI and could not be audited:"


# As pip-audit ends where no answer came: its own words for a timeout, and what `requests` raises for all else.
AWAY = re.compile(
    r"Could not connect to PyPI's vulnerability feed|^requests\.exceptions\.\w*(?:Connection|SSL|Proxy|Timeout)\w*:",
    re.M,
)


class NotAudited(Exception):
    """The answer of pip-audit does not say of every pin what is known of it."""


class RegistryAway(Exception):
    """The package registry could not be asked."""


def problems(dependencies: Sequence[Mapping[str, Any]], waivers: Sequence[Mapping[str, Any]], today: date) -> list[str]:
    """What must be mended before this lock is good: a sentence each.

    `dependencies` as `pip-audit --format json` gives them; a waiver has id, package, until (its last day) and because.
    """
    found = []
    waived = {(waiver["package"], waiver["id"]): waiver for waiver in waivers}
    used = set()
    for dependency in dependencies:
        for vulnerability in dependency.get("vulns", ()):
            ids = {vulnerability["id"], *vulnerability.get("aliases", ())}
            keys = [(dependency["name"], name) for name in sorted(ids) if (dependency["name"], name) in waived]
            used.update(keys)
            if not any(waived[key]["until"] >= today for key in keys):
                fixed = ", ".join(vulnerability.get("fix_versions", ())) or "none yet"
                late = f" Its waiver ended on {waived[keys[0]]['until']}." if keys else ""
                found.append(
                    f"{dependency['name']} {dependency['version']} has {vulnerability['id']} (fixed in: {fixed}).{late}"
                    f" Pin a version without it in requirements.in and run `make lock`, or waive it in {WAIVERS.name}."
                )
    audited = {dependency["name"] for dependency in dependencies if "vulns" in dependency}
    pinned = {dependency["name"] for dependency in dependencies}
    for package, name in waived:
        if (package, name) not in used and (package in audited or package not in pinned):
            found.append(f"{WAIVERS.name} waives {name} of {package}, which it has not: remove the waiver.")
    return found


def audit() -> list[Mapping[str, Any]]:
    """Each pinned package, with its `vulns`, or why there is none. Raises `RegistryAway` and `NotAudited`."""
    # A company's certificates are the system's, which `requests` does not ask by itself.
    paths = ssl.get_default_verify_paths()
    certificates = paths.cafile or paths.capath
    environment = {**({"REQUESTS_CA_BUNDLE": certificates} if certificates else {}), **os.environ}
    result = subprocess.run(
        [BIN / "pip-audit", "--require-hashes", "--disable-pip", "-r", LOCK, "--progress-spinner=off", "-f", "json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=environment,
    )
    try:
        return report(result.stdout, pins(LOCK.read_text(encoding="utf-8")), said=result.stderr)
    except NotAudited:
        print(result.stderr[-2000:], file=sys.stderr)
        raise


def report(answer: str, pinned: Collection[tuple[str, str]], *, said: str = "") -> list[Mapping[str, Any]]:
    """What pip-audit's JSON says of each pin (package, version); `said` is its standard error.

    Raises `RegistryAway` where it says that no answer came; `NotAudited` where its answer is no such JSON, lacks a pin,
    or skipped one for another reason than that the registry serves no advisories of it.
    """
    if not answer.strip() and AWAY.search(said):
        raise RegistryAway(said.strip().splitlines()[-1])
    try:
        dependencies = json.loads(answer)["dependencies"]
        found = {_normal(dependency["name"]) for dependency in dependencies}
        skipped = {
            dependency["name"]: dependency["skip_reason"] for dependency in dependencies if "vulns" not in dependency
        }
    except (ValueError, KeyError, TypeError) as error:
        raise NotAudited(f"pip-audit gave no report ({type(error).__name__}): see what it said, and repeat.") from None
    if missing := sorted({_normal(name) for name, _ in pinned} - found):
        raise NotAudited(f"pip-audit says nothing of {', '.join(missing)}.")
    if odd := [f"{name} ({why})" for name, why in skipped.items() if not why.startswith(NO_ADVISORIES)]:
        raise NotAudited(f"pip-audit skipped {', '.join(odd)}.")
    return dependencies


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str) -> set[tuple[str, str]]:
    """(package, version) of every requirement of a lock's text."""
    return set(re.findall(r"(?m)^([A-Za-z0-9._-]+)==(\S+)", lock))


def write_sbom() -> list[str]:
    """Write the SBOM of the lock, the same bytes for the same lock; what is wrong with it."""
    SBOM.parent.mkdir(exist_ok=True)
    subprocess.run(
        [BIN / "cyclonedx-py", "requirements", LOCK, "--output-reproducible", "--validate", "-o", SBOM],
        check=True,
        capture_output=True,
        text=True,
    )
    components = json.loads(SBOM.read_text(encoding="utf-8"))["components"]
    listed = {(component["name"], component["version"]) for component in components}
    unhashed = [
        component["name"]
        for component in components
        if not any(reference.get("hashes") for reference in component.get("externalReferences", ()))
    ]
    missing = pins(LOCK.read_text(encoding="utf-8")) ^ listed
    return [f"The SBOM and {LOCK.name} differ in {name} {version}." for name, version in sorted(missing)] + [
        f"{name} has no hash in {LOCK.name}: run `make lock`." for name in unhashed
    ]


def main() -> int:
    """Audit and list; 1 where something must be mended."""
    wrong = write_sbom()
    waivers = yaml.safe_load(WAIVERS.read_text(encoding="utf-8"))["waivers"]
    try:
        dependencies = audit()
    except RegistryAway as error:
        print(f"NOT AUDITED: no package, as the registry cannot be reached: {error}")
    except NotAudited as error:
        wrong.append(str(error))
    else:
        wrong += problems(dependencies, waivers, datetime.now(UTC).date())
        skipped = sum("vulns" not in dependency for dependency in dependencies)
        print(f"{len(dependencies) - skipped} of {len(dependencies)} packages audited, {len(waivers)} waivers.")
        if skipped:
            print(f"NOT AUDITED: {skipped} packages, of which the registry serves no advisories.")
    print(f"SBOM: {SBOM.relative_to(ROOT)}")
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
