"""JSON documents whose lists hold rows: what a status page serves, and Zendesk's pages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from slaledger.feeds import limits, strict_json
from slaledger.feeds.bodies import document, first_bytes, refuse_foreign
from slaledger.feeds.limits import MAX_ROW_BYTES
from slaledger.feeds.reasons import ObjectRejected, RowRejected


def load(path: Path) -> Any:
    """The document, its rows not yet checked; None where the object is empty. Raises `ObjectRejected`."""
    start = first_bytes(path)
    refuse_foreign(start)
    if not start:
        return None
    try:
        # Bad bytes cost the row that holds them, and nothing where no row does.
        root = strict_json.loads(_bounded(document(path, errors="surrogateescape")))
    except strict_json.NotJson as error:
        raise ObjectRejected("not_json", error.reason) from None
    return root


def _bounded(text: str) -> str:
    """The text, if it is of no more values than memory has room for. Raises `ObjectRejected`."""
    # At most: some of them may stand in texts.
    if text.count(",") + text.count("[") + text.count("{") > limits.MAX_DOCUMENT_VALUES:
        raise ObjectRejected("document_too_large", f"the document has over {limits.MAX_DOCUMENT_VALUES} values")
    return text


def lists(root: Any, names: Collection[str]) -> dict[str, list[Any]]:
    """The lists of rows of a document by their names, in that order; null is as if absent. Else it is only a wrapper.

    Empty where there are none, or one is no list. Raises `ObjectRejected` where one is there twice.
    """
    if isinstance(root, strict_json.Repeating) and not root.repeated.isdisjoint(names):
        raise ObjectRejected("not_json", "the document has a list of rows twice")
    found = {name: root[name] for name in names if root.get(name) is not None} if isinstance(root, dict) else {}
    return found if all(isinstance(items, list) for items in found.values()) else {}


def check_row(item: Any) -> None:
    """Raise `RowRejected` unless an item of a list can be a row."""
    strict_json.check(item)
    if not isinstance(item, dict):
        raise RowRejected("not_an_object", "an item of the list is no object")
    written = json.dumps(item, ensure_ascii=False, separators=(",", ":"), default=lambda fault: fault.source)
    if len(written.encode()) > MAX_ROW_BYTES:
        raise RowRejected("row_too_long", "the item is over 1 MiB")


def digest(item: Any) -> str:
    """SHA-256 of an item, in hexadecimal, whatever it holds."""
    return hashlib.sha256(repr(item).encode("utf-8", "backslashreplace")).hexdigest()
