"""`sla put`: a tree of exports, as it lies on disk, into the bucket."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from slaledger import objects
from slaledger.months import BadInstant, parse_instant
from slaledger.settings import Settings

METADATA_SUFFIX = ".meta.json"


class BadTree(Exception):
    """The directory cannot be uploaded as it is; nothing of it was."""

    exit_code = 2


@dataclass(frozen=True)
class Upload:
    """A file, the key that it gets, and its object's metadata (text to text)."""

    path: Path
    key: str
    metadata: dict[str, str]


def plan(directory: Path) -> list[Upload]:
    """What to upload, in the order of the keys. Raises `BadTree` naming the file."""
    if not directory.is_dir():
        raise BadTree(f"{directory} is no directory: name the directory that holds the tree of exports.")
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    names = {path.relative_to(directory).as_posix() for path in files}
    uploads = []
    for path in files:
        key = path.relative_to(directory).as_posix()
        if key.endswith(METADATA_SUFFIX):
            if key.removesuffix(METADATA_SUFFIX) not in names:
                raise BadTree(f"{path} is metadata of a file that is not there: add the file, or remove it.")
            continue
        uploads.append(Upload(path=path, key=key, metadata=_metadata(path)))
    return uploads


def put(settings: Settings, directory: Path, *, on_upload: Callable[[Upload], None]) -> list[Upload]:
    """Upload the tree; a file that is there already gets a new version. Raises `BadTree`, `S3Unreachable`."""
    uploads = plan(directory)

    def one(upload: Upload) -> None:
        objects.put(settings.exports, upload.key, upload.path, metadata=upload.metadata)
        on_upload(upload)

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(one, uploads))
    return uploads


def _metadata(path: Path) -> dict[str, str]:
    modified = datetime.fromtimestamp(os.stat(path).st_mtime_ns // 1000 / 1e6, UTC)
    metadata = {"exported-at": modified.isoformat(timespec="microseconds").replace("+00:00", "Z")}
    beside = path.with_name(path.name + METADATA_SUFFIX)
    if beside.is_file():
        try:
            given = json.loads(beside.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadTree(f"{beside} is no JSON ({error}): write an object of names and values.") from None
        if not isinstance(given, dict) or any(isinstance(value, dict | list) for value in given.values()):
            raise BadTree(f"{beside} is no flat JSON object: write names and values.")
        metadata.update({name.lower(): _text(value) for name, value in given.items()})
        try:
            parse_instant(metadata["exported-at"])
        except BadInstant as error:
            raise BadTree(f"{beside}: exported-at: {error}") from None
    return metadata


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)
