"""Objects for tests of the reader."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from slaledger.reperform import instants, reading
from slaledger.reperform.records import ExportObject, Exports

SHIPPED = [file.read_bytes() for file in sorted(Path("terms").glob("klink-*.yml"))]


def at(text: str) -> int:
    return instants.parse(text)


def put(key: str, body: bytes | str, exported_at: str = "2026-04-01T00:00:00Z", **more: Any) -> ExportObject:
    content = body.encode() if isinstance(body, str) else body
    return ExportObject(key=key, version_id="", body=content, exported_at=at(exported_at), **more)


def ndjson(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def csv(header: str, *records: str) -> str:
    return "\n".join([header, *records]) + "\n"


def read(*objects: ExportObject) -> Exports:
    return reading.read(objects, shipped_terms=SHIPPED)


def rejected_rows(exports: Exports) -> list[int]:
    return [rejection.row for rejection in exports.rejected]


def reasons(exports: Exports) -> Iterable[str]:
    return [rejection.why for rejection in exports.rejected]
