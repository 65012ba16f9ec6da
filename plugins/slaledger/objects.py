"""The only access to S3: list versions, fetch one, put. Integrity and body retries are ours, boto3 has neither."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from slaledger.settings import Exports

_ATTEMPTS = 4
_CHUNK_BYTES = 1 << 20
# What stands for the version id where the bucket keeps no versions: S3's `null`, told apart by content and time.
_UNVERSIONED = "null."
_SINGLE_PART_ETAG = re.compile(r"[0-9a-f]{32}")
_ABSENT_CODES = ("NoSuchKey", "NoSuchVersion", "404", "PreconditionFailed", "412", "MethodNotAllowed", "405")


class S3Unreachable(Exception):
    """S3 does not answer, or breaks off."""


class S3Refused(Exception):
    """S3 answers, and refuses: no such bucket, wrong keys, no permission."""

    is_final = True


class ObjectMissing(Exception):
    """S3 lists the version but does not give it."""

    is_final = True


class ObjectCorrupt(Exception):
    """The body is whole, but not what S3's checksum says."""

    is_final = True


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


@dataclass(frozen=True)
class Fetched:
    """A body on disk, in a file named by its digest."""

    path: Path
    sha256: str
    metadata: Mapping[str, str]


@functools.lru_cache(maxsize=4)
def client(exports: Exports) -> Any:
    """A boto3 client on the pinned endpoint, with timeouts and retries of requests."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=exports.endpoint_url,
        region_name=exports.region,
        aws_access_key_id=exports.access_key,
        aws_secret_access_key=exports.secret_key,
        config=Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "max_attempts": _ATTEMPTS},
            s3={"addressing_style": "path"} if exports.endpoint_url else {},
        ),
    )


def _named(exports: Exports, error: Exception, doing: str) -> Exception:
    """The error as one that says the endpoint and what to do."""
    from botocore.exceptions import ClientError, ParamValidationError

    where = exports.endpoint_url or f"AWS region {exports.region}"
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _ABSENT_CODES:
            return ObjectMissing(f"S3 at {where} has no longer what it listed ({code}) while {doing}: upload it again.")
        if status < 500 and code not in ("SlowDown", "RequestTimeout"):
            return S3Refused(
                f"S3 at {where} refuses ({code}) while {doing}: check that bucket {exports.bucket!r} exists "
                "and that the keys of connection sla_exports may read and write it."
            )
    if isinstance(error, ParamValidationError):
        # Never sent: boto3 says what is impossible in it.
        return S3Refused(f"S3 at {where} cannot be asked for that while {doing}: {' '.join(str(error).split())}")
    return S3Unreachable(
        f"S3 at {where} does not answer ({type(error).__name__}) while {doing}: is it up? "
        "`sla status` tells for the embedded stack."
    )


def list_versions(exports: Exports) -> Iterator[ObjectVersion]:
    """Every version with a body in the bucket, key by key, newest first. Raises `S3Unreachable`, `S3Refused`."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        versions, deleted = [], set()
        for page in client(exports).get_paginator("list_object_versions").paginate(Bucket=exports.bucket):
            versions += page.get("Versions", [])
            deleted |= {marker["Key"] for marker in page.get("DeleteMarkers", []) if marker["IsLatest"]}
    except (BotoCoreError, ClientError) as error:
        raise _named(exports, error, f"listing bucket {exports.bucket!r}") from error
    latest = {version["Key"]: version["VersionId"] for version in versions if version["IsLatest"]}
    for version in versions:
        key, etag = version["Key"], version["ETag"].strip('"')
        # S3 lists a key's versions newest first: of a deleted key, the first is its last body.
        is_latest = latest.setdefault(key, version["VersionId"]) == version["VersionId"]
        version_id = version["VersionId"]
        if version_id == "null":
            version_id = f"{_UNVERSIONED}{etag}.{version['LastModified'].timestamp():.3f}"
        yield ObjectVersion(
            key=key,
            version_id=version_id,
            etag=etag,
            size_bytes=version["Size"],
            last_modified=version["LastModified"],
            is_latest=is_latest,
            is_deleted=key in deleted,
        )


def fetch(exports: Exports, version: ObjectVersion, directory: Path) -> Fetched:
    """Stream one version into `directory`, checked against the listing's length and S3's checksum.

    Raises `ObjectMissing`, `ObjectCorrupt`, `S3Unreachable`, `S3Refused`.
    """
    from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError
    from urllib3.exceptions import HTTPError

    s3 = client(exports)
    if version.version_id.startswith(_UNVERSIONED):
        which = {"IfMatch": f'"{version.etag}"'}
    else:
        which = {"VersionId": version.version_id}
    doing = f"reading {version.key!r}"
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            answer = s3.get_object(Bucket=exports.bucket, Key=version.key, ChecksumMode="ENABLED", **which)
            return _save(answer, version, directory)
        except FlexibleChecksumError as error:
            raise _corrupt(version) from error
        except (BotoCoreError, ClientError, HTTPError, _BrokenOff) as error:
            named = _named(exports, error, doing)
            if isinstance(named, S3Refused) and "AccessDenied" in str(error):
                raise ObjectMissing(f"S3 does not give {version.key!r} (AccessDenied).") from error
            # Requests are retried by boto3, bodies by nobody but us.
            if attempt == _ATTEMPTS or isinstance(error, ClientError):
                raise named from error
    raise AssertionError("unreachable")


def _corrupt(version: ObjectVersion) -> ObjectCorrupt:
    return ObjectCorrupt(f"the body of {version.key!r} is not what S3 says it is: upload it again")


class _BrokenOff(Exception):
    """The body ended before the length that was listed."""


def _save(answer: Mapping[str, Any], version: ObjectVersion, directory: Path) -> Fetched:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    partial = directory / f"partial-{hashlib.sha256(repr((version.key, version.version_id)).encode()).hexdigest()}"
    with answer["Body"] as body, partial.open("wb") as file:
        while chunk := body.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > version.size_bytes:
                break
            sha256.update(chunk)
            md5.update(chunk)
            file.write(chunk)
    if size < version.size_bytes:
        raise _BrokenOff
    stated = answer.get("ChecksumSHA256", "")
    is_sound = size == version.size_bytes
    if stated and "-" not in stated:
        is_sound &= base64.b64decode(stated) == sha256.digest()
    elif _SINGLE_PART_ETAG.fullmatch(version.etag) and not answer.get("ServerSideEncryption", "").startswith("aws:kms"):
        is_sound &= md5.hexdigest() == version.etag
    if not is_sound:
        partial.unlink()
        raise _corrupt(version)
    path = directory / sha256.hexdigest()
    partial.replace(path)
    return Fetched(path, sha256.hexdigest(), answer.get("Metadata") or {})


def put(exports: Exports, key: str, body: bytes | Path, *, metadata: Mapping[str, str] | None = None) -> None:
    """Upload an object. Raises `S3Unreachable`, `S3Refused`."""
    _put(exports, key, body, metadata or {})


def put_if_absent(exports: Exports, key: str, body: bytes | Path) -> bool:
    """Upload an object unless its key is taken (`If-None-Match: *`); whether it was. Raises as `put`."""
    return _put(exports, key, body, {}, IfNoneMatch="*")


def _put(exports: Exports, key: str, body: bytes | Path, metadata: Mapping[str, str], **conditions: str) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        if isinstance(body, Path):
            with body.open("rb") as file:
                client(exports).put_object(
                    Bucket=exports.bucket, Key=key, Body=file, Metadata=dict(metadata), **conditions
                )
        else:
            client(exports).put_object(Bucket=exports.bucket, Key=key, Body=body, Metadata=dict(metadata), **conditions)
    except (BotoCoreError, ClientError) as error:
        named = _named(exports, error, f"writing {key!r}")
        if conditions and isinstance(named, ObjectMissing):
            return False
        raise named from error
    return True


def get(exports: Exports, key: str) -> bytes | None:
    """The latest body of a key, None where there is none. For small objects. Raises as `put`."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return client(exports).get_object(Bucket=exports.bucket, Key=key)["Body"].read()
    except (BotoCoreError, ClientError) as error:
        named = _named(exports, error, f"reading {key!r}")
        if isinstance(named, ObjectMissing):
            return None
        raise named from error


def ensure_bucket(exports: Exports) -> None:
    """Create the bucket if it is not there, and have it keep versions. Raises as `put`."""
    from botocore.exceptions import BotoCoreError, ClientError

    s3 = client(exports)
    try:
        try:
            s3.create_bucket(Bucket=exports.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise
        s3.put_bucket_versioning(Bucket=exports.bucket, VersioningConfiguration={"Status": "Enabled"})
    except (BotoCoreError, ClientError) as error:
        raise _named(exports, error, f"creating bucket {exports.bucket!r}") from error
