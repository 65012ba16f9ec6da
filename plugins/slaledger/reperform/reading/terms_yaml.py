"""A terms document's YAML: scalars stay the texts they are, but for null, true, false and plain decimal numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import yaml

from slaledger.reperform.reading.rows import MAX_ROW_BYTES, Framed, Unreadable, Unusable, check_texts, plain

BETWEEN = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)
EMPTY = re.compile(r"(?:\s|#[^\n]*(?:\n|\Z))*")
NULL = ("tag:yaml.org,2002:null", re.compile(r"~|null|Null|NULL|"))
TRUTH = ("tag:yaml.org,2002:bool", re.compile(r"true|True|TRUE|false|False|FALSE"))
# Longer ones than 15 characters are texts: no document means them, and not every reader keeps their digits.
NUMBER = ("!number", re.compile(r"(?=.{1,15}\Z)-?(?:0|[1-9]\d*)(?:\.\d+)?", re.ASCII))


class TextLoader(yaml.SafeLoader):
    """Reads no float and no date, so that 99.9 is what was written, and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; raises `ConstructorError` if it has a key twice."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        repeated = next((key for key in keys if keys.count(key) > 1), None)
        if repeated is not None:
            raise yaml.constructor.ConstructorError(None, None, f"{repeated} is given twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)


def whole(pattern: re.Pattern[str]) -> re.Pattern[str]:
    """The pattern, for all of a text: YAML's readers only look at its start."""
    return re.compile(rf"(?:{pattern.pattern})\Z", pattern.flags)


TextLoader.yaml_implicit_resolvers = {None: [(tag, whole(pattern)) for tag, pattern in (NULL, TRUTH, NUMBER)]}
TextLoader.add_constructor(NUMBER[0], lambda loader, node: Fraction(node.value))


def documents(body: bytes) -> Iterator[Framed]:
    """The documents of an object by their place in it, empty ones left out; raises `Unreadable` if it is no text."""
    try:
        text = plain(body).decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is no text: {error}") from error
    parts = [part for part in BETWEEN.split(text) if not EMPTY.fullmatch(part)]
    for number, part in enumerate(parts, start=1):
        try:
            yield number, document(part)
        except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
            yield number, Unusable(f"it is no terms document: {error}")
        except Unusable as why:
            yield number, why


def document(text: str) -> dict[str, Any]:
    """What one document says; raises `Unusable`, or what YAML's reader raises."""
    if len(text.encode()) > MAX_ROW_BYTES:
        raise Unusable("it is over 1 MiB")
    if any(isinstance(token, yaml.AliasToken | yaml.TagToken) for token in yaml.scan(text, Loader=TextLoader)):
        raise Unusable("it uses an alias or a tag")
    content = yaml.load(text, Loader=TextLoader)
    if not isinstance(content, dict):
        raise Unusable("it is no mapping")
    check_texts(content)
    return content
