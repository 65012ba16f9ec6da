"""One terms document: YAML text → a checked mapping, or faults with their lines (rule T4)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from slaledger.terms.faults import MAX_DIGITS, NUMBER, Fault, Path, dotted, judge

MAX_BYTES = 1 << 20
MAX_DEPTH = 12
# The parser takes 50 µs a mark, and for brackets within brackets the square of their number.
MAX_MARKS = 20_000
MAX_BRACKETS = 1_000

_SEPARATOR = re.compile(r"---(?:\s|$)")


@dataclass(frozen=True)
class Reading:
    """What a text says: `content` is None where there are faults. `lines` tells the line of each dotted path."""

    content: dict[str, Any] | None
    faults: list[Fault]
    lines: Mapping[str, int] = field(default_factory=dict)


def split_documents(text: str) -> Iterator[tuple[int, str]]:
    """The documents of a text, split at `---`, each with its first line; comments and blank lines alone are none."""
    start, part = 1, []
    for number, line in enumerate([*text.split("\n"), "---"], start=1):
        if not _SEPARATOR.match(line):
            part.append(line)
            continue
        if any(content.strip() and not content.lstrip().startswith("#") for content in part):
            yield start, "\n".join(part)
        # What follows the mark on its own line belongs to the document.
        start, part = number, [line[3:]]


def read_document(text: str, *, first_line: int = 1) -> Reading:
    """Read one terms document, which starts on `first_line` of its file, and lint what it says on its own.

    The content is as written: numbers as `Decimal`, instants and durations as text. All faults are told, in the
    order of their lines. What needs other documents (a parent, another version) is judged by `resolve_all`.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return Reading(None, [Fault(first_line, f"is over {MAX_BYTES} bytes: terms are smaller")])
    if sum(map(text.count, "[{")) > MAX_BRACKETS or sum(map(text.count, ",:-?\n")) > MAX_MARKS:
        return Reading(None, [Fault(first_line, "holds more lists or values than any terms: drop what is no field")])
    source = _Source(first_line)
    try:
        document = source.load(text)
    except _Unreadable as error:
        return Reading(None, sorted({*source.faults, error.fault}))
    faults = sorted({*source.faults, *judge(document, source.lines)})
    lines = {".".join(str(part) for part in path): line for path, line in source.lines.items()}
    return Reading(None if faults else document, faults, lines)


class _Unreadable(Exception):
    def __init__(self, line: int, message: str):
        super().__init__(message)
        self.fault = Fault(line, message)


class _Source:
    """A text as it is loaded: the line of each path, and what is wrong with how it is written."""

    def __init__(self, first_line: int) -> None:
        self.first_line = first_line
        self.lines: dict[Path, int] = {}
        self.faults: list[Fault] = []

    def load(self, text: str) -> dict[str, Any]:
        """The document. Raises `_Unreadable` where there is no going on."""
        import yaml

        tagged: list[Fault] = []
        try:
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                if isinstance(event, yaml.AliasEvent):
                    message = f"uses the alias *{event.anchor}: write the value out"
                    self.faults.append(Fault(self.first_line + event.start_mark.line, message))
                elif tag := getattr(event, "tag", None):
                    message = f"uses the tag {tag[:60]}: write the value alone"
                    tagged.append(Fault(self.first_line + event.start_mark.line, message))
            # An alias can stand for more than a machine holds.
            if self.faults:
                raise _Unreadable(self.faults[0].line, self.faults[0].message)
            self.faults += tagged
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "cannot be read"
            raise _Unreadable(self.first_line + (mark.line if mark else 0), f"is no YAML: {problem}") from None
        except RecursionError:
            raise _Unreadable(self.first_line, "is nested too deeply: no field of terms is") from None
        document = self._value(node, ()) if node is not None else None
        if not isinstance(document, dict):
            raise _Unreadable(self.first_line, "is no mapping of fields: write each as `name: value`")
        return document

    def _value(self, node: Any, path: Path) -> Any:
        import yaml

        line = self.first_line + node.start_mark.line
        self.lines[path] = line
        if len(path) > MAX_DEPTH:
            raise _Unreadable(line, "is nested too deeply: no field of terms is")
        if isinstance(node, yaml.MappingNode):
            mapping: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key_line = self.first_line + key_node.start_mark.line
                if not isinstance(key_node, yaml.ScalarNode):
                    self.faults.append(Fault(key_line, "has a field name that is no text"))
                elif key_node.value in mapping:
                    self.faults.append(Fault(key_line, f"has the field {key_node.value!r} twice"))
                else:
                    mapping[key_node.value] = self._value(value_node, (*path, key_node.value))
                    self.lines[(*path, key_node.value)] = key_line
            return mapping
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, position)) for position, item in enumerate(node.value)]
        if not node.value.isprintable():
            # Also because the $ of a pattern lets a line break at the end pass.
            message = "has a line break or another character that does not print: drop it"
            self.faults.append(Fault(line, f"{dotted(path)}: {message}"))
        return _scalar(node.tag.rpartition(":")[2], node.value)


def _scalar(kind: str, text: str) -> Any:
    """What is written, as YAML 1.2 has it: NO is Norway. Numbers are plain decimals: 0x10, 1_000, 1e3 are text."""
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    # Decimal alone, so that 99.9 stays 99.9.
    if kind in ("int", "float") and NUMBER.fullmatch(text) and len(text) <= MAX_DIGITS:
        return Decimal(text)
    return text


def to_json(document: dict[str, Any]) -> str:
    """A read document as JSON, its numbers as numbers.

    `float` here is only spelling: numbers of at most 15 digits come out as they went in.
    """

    def number(value: Any) -> int | float:
        return int(value) if value == value.to_integral_value() else float(value)

    return json.dumps(document, default=number, ensure_ascii=False)
