"""`terms/`: terms documents as YAML, linted by the one that reads them for the rules (T1-T4). A row is a document."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from slaledger.feeds import values
from slaledger.feeds.bodies import document, first_bytes, refuse_foreign
from slaledger.feeds.limits import MAX_ROW_BYTES
from slaledger.feeds.reasons import RowRejected
from slaledger.feeds.rows import Notes, Record, Reject, safe

_MAX_FAULTS_SHOWN = 3
# What a document holds, in the lint's own words: its author sees it by `sla terms lint`, a table does not hold it.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*(?:"|$)|(?<!\w)\'[^\']*(?:\'|$)|(?<=unknown field )[^:]*(?=: known are )')


def read(path: Path, notes: Notes) -> Iterator[Record | Reject]:
    """The documents of a YAML object, each under the number of its first line. Raises `ObjectRejected`."""
    from slaledger.terms import split_documents

    refuse_foreign(first_bytes(path))
    for line_number, text in split_documents(document(path)):
        digest = {"sha256": hashlib.sha256(text.encode()).hexdigest()}
        try:
            yield Record(line_number, _terms(text, line_number))
        except RowRejected as error:
            yield Reject(line_number, error.code, error.reason, digest)


def _terms(text: str, first_line: int) -> dict[str, object]:
    from slaledger.terms import read_document, to_json

    if len(text.encode()) > MAX_ROW_BYTES:
        raise RowRejected("row_too_long", "the document is over 1 MiB")
    if "\x00" in text:
        raise RowRejected("nul_character", "the document holds a NUL")
    reading = read_document(text, first_line=first_line)
    if reading.content is None:
        shown = [f"line {fault.line}: {safe(_QUOTED.sub('…', fault.message), 200)}" for fault in reading.faults]
        more = f" and {len(shown) - _MAX_FAULTS_SHOWN} more" if len(shown) > _MAX_FAULTS_SHOWN else ""
        raise RowRejected("terms_fault", "; ".join(shown[:_MAX_FAULTS_SHOWN]) + more)
    return {
        "terms_id": values.text(reading.content, "id"),
        "version": values.text(reading.content, "version"),
        "effective_from": values.instant(reading.content, "effective_from"),
        "document": json.loads(to_json(reading.content)),
        # From the document's own first line, so that a copy of it elsewhere is a duplicate.
        "lines": {path: line - first_line + 1 for path, line in reading.lines.items()},
    }
