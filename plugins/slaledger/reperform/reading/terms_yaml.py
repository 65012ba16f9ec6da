"""A terms document's YAML: scalars stay the texts they are, but for null, true and false."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from slaledger.reperform.reading.rows import BOM, Framed, Unreadable, Unusable, check_texts

KEPT_TAGS = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:merge")


class TextLoader(yaml.SafeLoader):
    """Reads no number and no date, so that 99.9 is what was written, and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; raises `ConstructorError` if it has a key twice."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        repeated = next((key for key in keys if keys.count(key) > 1), None)
        if repeated is not None:
            raise yaml.constructor.ConstructorError(None, None, f"{repeated} is given twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)


TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in KEPT_TAGS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def documents(body: bytes) -> Iterator[Framed]:
    """The documents of an object by their place in it, empty ones left out; raises `Unreadable` if it is no YAML."""
    try:
        loader = TextLoader(body.removeprefix(BOM).decode())
        nodes = []
        while loader.check_node():
            nodes.append(loader.get_node())
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"it is no YAML: {error}") from error
    for number, node in enumerate(nodes, start=1):
        try:
            content = loader.construct_document(node)
            if not isinstance(content, dict) and content is not None:
                raise Unusable("it is no mapping")
            check_texts(content)
        except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
            yield number, Unusable(f"it is no terms document: {error}")
        except Unusable as why:
            yield number, why
        else:
            if content is not None:
                yield number, content
