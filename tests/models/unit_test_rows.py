"""The rows of dbt's unit tests as they are written, and which of them give no reason why they are there.

A reason is a comment, which may speak of a few rows that belong together, or a key that is a phrase. dbt reads no
comments, so this reads the files: a row is an entry of a YAML list, a tuple of `values` or an object of a JSON list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# The description says so where each row's key is the reason.
NAMED = "named after it"
# Of so many rows one comment may speak; those whose key says why are not counted.
AT_MOST = 4
QUOTED = re.compile(r"'(?:[^']|'')*'")
KEY = re.compile(r"'((?:[^']|'')*)'|: \"([^\"]*)\"|: ([^,}\"]+)")


@dataclass(frozen=True)
class Row:
    """A row of a unit test: where it is, what it is known by, and whether a comment speaks of it."""

    line: int  # from 0
    key: str
    is_commented: bool  # directly above it
    is_covered: bool  # by the last comment of its block, which speaks of no more than `AT_MOST`


@dataclass(frozen=True)
class UnitTest:
    """A unit test with its rows: one block an input that has several, and those that it expects."""

    name: str
    description: str
    given: tuple[tuple[Row, ...], ...]
    expected: tuple[Row, ...]

    def unreasoned(self) -> Iterator[Row]:
        """The rows that say nowhere why they are there.

        A given one is spoken of by a comment over it or over the few before it, an expected one by a comment of its
        own; or its key says why (a phrase, or every key by the description), or is that of a given row which is spoken
        of: what comes of a row is there for the same reason.
        """
        if NAMED in self.description:
            return
        known = {row.key for block in self.given for row in block if row.is_covered or " " in row.key}
        for block in self.given:
            if len(block) > 1:
                yield from (row for row in block if not row.is_covered and " " not in row.key and row.key not in known)
        for row in self.expected:
            if not row.is_commented and " " not in row.key and row.key not in known:
                yield row


def unit_tests(path: Path) -> Iterator[UnitTest]:
    """The unit tests of a file, in its order."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in _mapping(yaml.compose(text))["unit_tests"].value:
        parts = _mapping(node)
        yield UnitTest(
            name=parts["name"].value,
            description=parts["description"].value if "description" in parts else "",
            given=tuple(_rows(_mapping(given), lines) for given in parts["given"].value),
            expected=_rows(_mapping(parts["expect"]), lines),
        )


def _mapping(node: Any) -> dict[str, Any]:
    return {key.value: value for key, value in node.value}


def _rows(block: dict[str, Any], lines: list[str]) -> tuple[Row, ...]:
    node = block["rows"]
    first = node.start_mark.line
    if isinstance(node, yaml.SequenceNode):
        # That nothing is expected needs a reason, too.
        starts = [item.start_mark.line for item in node.value] or [first]
        key_lines = 1
    elif "format" in block and block["format"].value == "csv":
        # Under a header, and no place for a comment.
        return tuple(
            Row(line, lines[line].strip().split(",")[0], is_commented=False, is_covered=False)
            for line in range(first + 2, node.end_mark.line)
            if lines[line].strip()
        )
    else:
        first += 1
        rows_of_values = list(_sql_rows(lines[first : node.end_mark.line], first))
        # A lone select is one row, under the comment that it begins with.
        starts = rows_of_values or [next(n for n in range(first, len(lines)) if not _is_comment(lines[n]))]
        key_lines = 2
    rows: list[Row] = []
    left = 0
    for start in starts:
        top = rows[-1].line + 1 if rows else first - 1
        if any(_is_comment(line) for line in lines[top:start]):
            left = AT_MOST
        found = KEY.search(" ".join(lines[start : start + key_lines]))
        key = (next(filter(None, found.groups()), "") if found else "").strip()
        rows.append(Row(start, key, is_commented=_is_comment(lines[start - 1]), is_covered=left > 0))
        left -= " " not in key
    return tuple(rows)


def _is_comment(line: str) -> bool:
    return line.strip().startswith(("#", "--"))


def _sql_rows(lines: list[str], first: int) -> Iterator[int]:
    """Where a tuple of `values`, a later select of a union or an object of a JSON list begins."""
    depth, base, before = 0, None, ""
    for number, line in enumerate(lines, start=first):
        text = line.strip()
        code = QUOTED.sub("''", text).split("--")[0]
        if base is not None and depth < base:
            base = None
        begins_tuple = base is not None and depth == base and text.startswith("(")
        if begins_tuple or text.startswith('{"') or (before == "union all" and text.startswith("select")):
            yield number
        values = re.search(r"\bvalues\b(.*)", code)
        if values:
            base = depth + code[: values.start()].count("(") - code[: values.start()].count(")")
            if values.group(1).strip().startswith("("):
                yield number
        depth += code.count("(") - code.count(")")
        if text and not _is_comment(text):
            before = text
