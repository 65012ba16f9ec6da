"""docs/reference/bad-inputs.md, from the catalogue: `python -m tests.reliability.bad_inputs.page`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.reliability.bad_inputs.cases import SECTIONS, Case, expectations, load

_HEAD = """# Bad inputs

Generated from `tests/reliability/bad_inputs/`; do not edit. Every case is put into a bucket and landed, and where it is
about a figure a month is built and closed on it: `tests/reliability/test_bad_inputs.py`. The codes are explained in
[reason-codes.md](reason-codes.md).

For every object: rows read = loaded + duplicate + quarantined. An object that is rejected loads nothing and shows in
`raw.source_objects`; what is reported shows in `marts.fct_findings`.
"""


def page() -> str:
    """The text of the page."""
    cases = load()
    lines = [_HEAD.rstrip()]
    for name, title in SECTIONS.items():
        lines += ["", f"## {title}", "", "| # | bad input | what comes of it | because |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {case.number} | {_cell(case.words)} | {_cell('; '.join(_outcomes(case)))} | {_cell(_reading(case))} |"
            for case in cases
            if case.section == name
        ]
    lines += ["", "## Fields that the contract does not have", ""]
    lines += [f"- {case.number}: {case.not_in_contract}" for case in cases if case.not_in_contract]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    # What looks like mark-up is shown as it stands.
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _reading(case: Case) -> str:
    return case.reading + (" (not in the contract)" if case.not_in_contract else "")


def _outcomes(case: Case) -> Iterator[str]:
    yield from dict.fromkeys(text for _, put in expectations(case) for text in _landed(put.expect))
    for said in case.figures:
        month = {"again": ", closed again", "april": ", April"}.get(said.get("when", "first"), "")
        yield f"`{said['table']}`{month}: " + (" and ".join(map(_row, said["rows"])) or "no row")
    if case.stops:
        yield f"the month is stopped by `{case.stops['expectation']}` (exit code 3)"
    if case.dropped:
        yield "in the billing drop: " + _row(case.dropped)
    if case.nowhere:
        yield "no table holds the text"


def _landed(expect: Mapping[str, Any]) -> Iterator[str]:
    if "rejected" in expect:
        yield f"rejected: `{expect['rejected']}`"
    if expect.get("stray"):
        yield "reported: `unknown_prefix`"
    if "loaded" in expect:
        yield "loaded" if expect["loaded"] else "loaded, of no row"
    if "duplicate" in expect:
        yield "duplicate"
    if codes := dict.fromkeys(expect.get("quarantined", {}).values()):
        yield "quarantined: " + ", ".join(f"`{code}`" for code in codes)
    if codes := expect.get("observed"):
        yield "reported: " + ", ".join(f"`{code}`" for code in codes)


def _row(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in row.items())


def _value(value: Any) -> str:
    return "null" if value is None else "+".join(value) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    print(page(), end="")
