"""The listing of versions. S3 gives no checksum of a listing: two kinds of listings are held against each other."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from slaledger.objects.asking import Unsound, client, persist
from slaledger.settings import Exports

# What stands for the version id where the bucket keeps no versions: S3's `null`, told apart by content and time.
UNVERSIONED = "null."
# Operation -> marker that is asked for -> its name in the page before.
_MARKERS = {
    "list_objects_v2": {"ContinuationToken": "NextContinuationToken"},
    "list_object_versions": {"KeyMarker": "NextKeyMarker", "VersionIdMarker": "NextVersionIdMarker"},
}


@dataclass(frozen=True)
class ObjectVersion:
    """One version of one key, as listed."""

    key: str
    version_id: str
    etag: str
    size_bytes: int
    last_modified: datetime
    is_latest: bool  # the latest that has a body: of a deleted key, its last one
    is_deleted: bool  # the key's latest is a delete marker


def list_versions(exports: Exports, *, prefix: str = "") -> list[ObjectVersion]:
    """Every version with a body in the bucket, or below a prefix of it, key by key, newest first.

    Raises `S3Unreachable`, `S3Refused`.
    """

    def ask(_: float) -> list[ObjectVersion]:
        try:
            return _list(exports, **({"Prefix": prefix} if prefix else {}))
        except (KeyError, ValueError) as error:
            raise Unsound(f"an entry is malformed ({error})") from error

    return persist(exports, f"listing bucket {exports.bucket!r}", ask)


def _list(exports: Exports, **which: str) -> list[ObjectVersion]:
    current = {
        entry["Key"]: _content(entry)
        for page in _pages(exports, "list_objects_v2", **which)
        for entry in page.get("Contents", ())
    }
    entries, markers = _entries(exports, **which)
    # What only one of them has came or went meanwhile, or one of them is wrong: ask for the key alone.
    latest = {entry["Key"] for entry in entries if entry["IsLatest"]}
    for key in sorted(current.keys() ^ latest):
        alone, marks = _entries(exports, is_ended=True, Prefix=key)
        entries = [entry for entry in entries if entry["Key"] != key]
        entries += [entry for entry in alone if entry["Key"] == key]
        markers = {mark for mark in markers if mark != key} | (marks & {key})
    listed = {(entry["Key"], *_content(entry)) for entry in entries}
    for key, content in current.items():
        if (key, *content) not in listed:
            raise Unsound(f"the versions of {key!r} are not those of the bucket")
    # A page that came again says nothing new, or contradicts itself.
    once: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in entries:
        if once.setdefault((entry["Key"], entry["VersionId"]), entry) != entry:
            raise Unsound(f"it tells twice, and differently, of {entry['Key']!r}")
    return _versions(once.values(), markers)


def _entries(exports: Exports, *, is_ended: bool = False, **which: str) -> tuple[list[dict[str, Any]], set[str]]:
    """The versions with a body, and the keys whose latest is a delete marker."""
    entries, deleted, keys = [], set(), set()
    for page in _pages(exports, "list_object_versions", **which):
        entries += page.get("Versions", ())
        deleted |= {marker["Key"] for marker in page.get("DeleteMarkers", ()) if marker["IsLatest"]}
        keys |= {entry["Key"] for kind in ("Versions", "DeleteMarkers") for entry in page.get(kind, ())}
    if keys and not is_ended:
        # A page that says it is the last one, and is not.
        last = max(keys, key=str.encode)
        beyond = next(_pages(exports, "list_object_versions", **which, KeyMarker=last))
        if any(entry["Key"] not in keys for kind in ("Versions", "DeleteMarkers") for entry in beyond.get(kind, ())):
            raise Unsound(f"the listing ends at {last!r}, and there is more")
    return entries, deleted


def _pages(exports: Exports, operation: str, **which: str) -> Iterator[dict[str, Any]]:
    """The pages of a listing, each asked for by what the one before it says comes next."""
    asked: dict[str, str] = dict(which)
    seen = set()
    while True:
        markers = dict(asked)
        page = persist(
            exports,
            f"listing bucket {exports.bucket!r}",
            lambda _: getattr(client(exports), operation)(
                Bucket=exports.bucket,
                MaxKeys=exports.requests.page_keys,
                **markers,  # noqa: B023
            ),
        )
        if any(page.get(name, value) != value for name, value in asked.items()):
            raise Unsound(f"a page is not the one after {asked}")
        yield page
        if not page["IsTruncated"]:
            return
        following = {name: page[after] for name, after in _MARKERS[operation].items() if page.get(after)}
        if not following or tuple(following.values()) in seen:
            raise Unsound("a page does not say what comes after it")
        seen.add(tuple(following.values()))
        asked = {**which, **following}


def _content(entry: dict[str, Any]) -> tuple[str, int, datetime]:
    return entry["ETag"], entry["Size"], entry["LastModified"]


def _versions(entries: Collection[dict[str, Any]], deleted: set[str]) -> list[ObjectVersion]:
    latest = {entry["Key"]: entry["VersionId"] for entry in entries if entry["IsLatest"]}
    found = []
    for entry in entries:
        key, etag, version_id = entry["Key"], entry["ETag"].strip('"'), entry["VersionId"]
        # S3 lists a key's versions newest first: of a deleted key, the first is its last body.
        is_latest = latest.setdefault(key, version_id) == version_id
        if version_id == "null":
            version_id = f"{UNVERSIONED}{etag}.{entry['LastModified'].timestamp():.3f}"
        found.append(
            ObjectVersion(
                key=key,
                version_id=version_id,
                etag=etag,
                size_bytes=entry["Size"],
                last_modified=entry["LastModified"],
                is_latest=is_latest,
                is_deleted=key in deleted,
            )
        )
    return found
