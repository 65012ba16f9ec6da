"""`sla put`: a tree of exports, as it lies on disk, into the bucket."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from slaledger import objects
from slaledger.months import BadInstant, parse_instant
from slaledger.settings import Settings

METADATA_SUFFIX = ".meta.json"
# S3 carries metadata as HTTP headers: a token, printable ASCII, and 2 KB in all.
_METADATA_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_METADATA_VALUE = re.compile(r"[ -~]*")
_METADATA_BYTES = 2048


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
        raise BadTree(f"{str(directory)!r} is no directory: name the directory that holds the tree of exports.")
    found = sorted(directory.rglob("*"))
    for path in found:
        if path.is_symlink() and not path.is_file():
            raise BadTree(f"{str(path)!r} is a symbolic link to no file: put the file there, or remove the link.")
        try:
            str(path.relative_to(directory)).encode()
        except UnicodeEncodeError:
            raise BadTree(f"{str(path)!r} has a name that is no UTF-8, as S3's keys are: rename it.") from None
    files = [path for path in found if path.is_file()]
    if not files:
        raise BadTree(f"{str(directory)!r} holds no file: name the directory that holds the tree of exports.")
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
        given = {name.lower(): _text(value) for name, value in given.items()}
        for name, value in given.items():
            if not (_METADATA_NAME.fullmatch(name) and _METADATA_VALUE.fullmatch(value)):
                raise BadTree(
                    f"{str(beside)!r}: S3 cannot carry {name!r}: a name is of ASCII letters, digits and `-`, "
                    "a value is one line of printable ASCII."
                )
        metadata.update(given)
        if sum(len(name) + len(value) for name, value in metadata.items()) > _METADATA_BYTES:
            raise BadTree(f"{str(beside)!r}: S3 carries no more than {_METADATA_BYTES} bytes of names and values.")
        try:
            parse_instant(metadata["exported-at"])
        except BadInstant as error:
            raise BadTree(f"{beside}: exported-at: {error}") from None
    return metadata


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)
