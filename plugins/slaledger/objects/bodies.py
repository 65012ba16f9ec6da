"""Bodies: fetched and checked against all that S3 says of them, and put."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from slaledger.objects.asking import BrokenOff, Damaged, ObjectMissing, S3Refused, client, persist
from slaledger.objects.listing import UNVERSIONED, ObjectVersion
from slaledger.settings import Exports

_CHUNK_BYTES = 1 << 20
# `get` is for our own small objects: manifests, anchors.
_SMALL_BYTES = 16 << 20
_SINGLE_PART_ETAG = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Fetched:
    """A body on disk, in a file that this process has open."""

    path: Path
    sha256: str
    metadata: Mapping[str, str]


def fetch(exports: Exports, version: ObjectVersion, file: IO[bytes], *, sha256: str | None = None) -> Fetched:
    """Stream one version into `file`: what was listed, whole, and what S3's checksums say; of this digest, if given.

    A body that breaks off, or is damaged, is read again. `file` has no name, so that a `kill -9` leaves nothing of it:
    `Fetched.path` holds for as long as it is open. Raises `ObjectMissing`, `ObjectCorrupt`, `S3Unreachable`,
    `S3Refused`.
    """
    from botocore.exceptions import ClientError

    if version.version_id.startswith(UNVERSIONED):
        which = {"IfMatch": f'"{version.etag}"'}
    else:
        which = {"VersionId": version.version_id}

    def ask(until: float) -> Fetched:
        try:
            answer = client(exports).get_object(Bucket=exports.bucket, Key=version.key, ChecksumMode="ENABLED", **which)
        except ClientError as error:
            # Of one object: its own policy. The others may be given.
            if error.response.get("Error", {}).get("Code") == "AccessDenied":
                raise ObjectMissing(f"S3 does not give {version.key!r} (AccessDenied).") from error
            raise
        if _etag(answer) != version.etag or not _is_asked_for(answer, which):
            answer["Body"].close()
            raise Damaged(f"the version given of {version.key!r} is not the one listed")
        file.seek(0)
        file.truncate()
        given = _save(answer, file, version.key, size_bytes=version.size_bytes, until=until)
        if sha256 not in (None, given):
            raise Damaged(f"the body of {version.key!r} is not the one that was read before")
        file.flush()
        return Fetched(Path(f"/proc/self/fd/{file.fileno()}"), given, answer.get("Metadata") or {})

    # A version that is listed and not given may be given the next moment.
    return persist(exports, f"reading {version.key!r}", ask, is_absence_final=False)


def get(exports: Exports, key: str) -> bytes | None:
    """The latest body of a key, None where there is none. For small objects: `S3Refused` over 16 MiB.

    Raises `ObjectCorrupt`, `S3Unreachable`, `S3Refused`.
    """

    def ask(until: float) -> bytes:
        answer = client(exports).get_object(Bucket=exports.bucket, Key=key, ChecksumMode="ENABLED")
        size_bytes = answer["ContentLength"]
        if size_bytes > _SMALL_BYTES:
            answer["Body"].close()
            raise S3Refused(f"{key!r} in bucket {exports.bucket!r} has {size_bytes} bytes: somebody else wrote it.")
        body = io.BytesIO()
        _save(answer, body, key, size_bytes=size_bytes, until=until)
        return body.getvalue()

    try:
        return persist(exports, f"reading {key!r}", ask)
    except ObjectMissing:
        return None


def _is_asked_for(answer: Mapping[str, Any], which: Mapping[str, str]) -> bool:
    return "VersionId" not in which or answer.get("VersionId", which["VersionId"]) == which["VersionId"]


def _etag(answer: Mapping[str, Any]) -> str:
    return answer.get("ETag", "").strip('"')


def _save(answer: Mapping[str, Any], file: IO[bytes], key: str, *, size_bytes: int, until: float) -> str:
    """Write the body, checked; its SHA-256. Raises `Damaged`, `BrokenOff`, urllib3's errors where it breaks off."""
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in ("sha256", "sha1", "md5")}
    crc32 = size = 0
    # Within `with` it is urllib3's own body, which gives what has come: botocore's waits for all that it was asked for.
    with answer["Body"] as body:
        while chunk := body.read1(_CHUNK_BYTES):
            size += len(chunk)
            if size > size_bytes:
                break
            if time.monotonic() >= until:
                raise BrokenOff
            for each in hashes.values():
                each.update(chunk)
            crc32 = zlib.crc32(chunk, crc32)
            file.write(chunk)
    if size < answer["ContentLength"] and size <= size_bytes:
        raise BrokenOff
    if size != size_bytes:
        raise Damaged(f"the body of {key!r} has not the {size_bytes} bytes that S3 says it has")
    reckoned = {
        "ChecksumSHA256": hashes["sha256"].digest(),
        "ChecksumSHA1": hashes["sha1"].digest(),
        "ChecksumCRC32": crc32.to_bytes(4, "big"),
    }
    for name, digest in reckoned.items():
        # With a dash it is of the parts of an upload, not of the whole.
        if (stated := answer.get(name, "-")) and "-" not in stated and stated != base64.b64encode(digest).decode():
            raise Damaged(f"the body of {key!r} is not what its {name} says")
    # The ETag is the MD5 but of an upload in parts, and under a key of the customer's.
    is_encrypted = answer.get("ServerSideEncryption", "").startswith("aws:kms") or "SSECustomerAlgorithm" in answer
    etag = _etag(answer)
    if _SINGLE_PART_ETAG.fullmatch(etag) and not is_encrypted and hashes["md5"].hexdigest() != etag:
        raise Damaged(f"the body of {key!r} is not what its ETag says")
    return hashes["sha256"].hexdigest()


def put(exports: Exports, key: str, body: bytes | Path, *, metadata: Mapping[str, str] | None = None) -> None:
    """Upload an object. Raises `S3Unreachable`, `S3Refused`."""
    _put(exports, key, body, metadata or {})


def put_if_absent(exports: Exports, key: str, body: bytes | Path) -> bool:
    """Upload an object unless its key is taken (`If-None-Match: *`); whether it was. Raises as `put`.

    False also where an earlier attempt of this call took the key and its answer was lost: compare what is there.
    """
    try:
        _put(exports, key, body, {}, IfNoneMatch="*")
    except ObjectMissing:
        return False
    return True


def _put(exports: Exports, key: str, body: bytes | Path, metadata: Mapping[str, str], **conditions: str) -> None:
    def ask(_: float) -> None:
        with body.open("rb") if isinstance(body, Path) else io.BytesIO(body) as file:
            client(exports).put_object(Bucket=exports.bucket, Key=key, Body=file, Metadata=dict(metadata), **conditions)

    persist(exports, f"writing {key!r}", ask)
