"""How S3 is asked: one client, one place that asks again, one place that names what went wrong."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from slaledger.settings import Exports

Answer = TypeVar("Answer")

_ABSENT = ("NoSuchKey", "NoSuchVersion", "404", "PreconditionFailed", "412", "MethodNotAllowed", "405")
_CREDENTIALS = (
    *("ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired"),
    *("InvalidAccessKeyId", "SignatureDoesNotMatch"),
)
# What S3 answers below 500 and means as "ask again"; of the last three, the body that it got was damaged.
_TRANSIENT = (
    *("SlowDown", "RequestTimeout", "Throttling", "TooManyRequests", "OperationAborted", "ConditionalRequestConflict"),
    *("BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"),
)


class S3Unreachable(Exception):
    """S3 does not answer, or breaks off."""


class S3Refused(Exception):
    """S3 answers, and refuses: no such bucket, no permission."""

    is_final = True


class CredentialsRefused(S3Refused):
    """S3 does not take the keys: expired, say."""


class ObjectMissing(Exception):
    """S3 lists the version but does not give it."""

    is_final = True


class ObjectCorrupt(Exception):
    """The body is whole, but not what S3 says it is."""

    is_final = True


class Unsound(Exception):
    """S3 answered in full, and the answer contradicts itself or another one; the message says how."""


class Damaged(Unsound):
    """A body that is not what S3 says it is."""


class BrokenOff(Exception):
    """A body that stopped before its end, or did not come to it in time."""


@functools.lru_cache(maxsize=4)
def client(exports: Exports) -> Any:
    """A boto3 client on the pinned endpoint, with timeouts. It asks once: `persist` asks again."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=exports.endpoint_url,
        region_name=exports.region,
        aws_access_key_id=exports.access_key,
        aws_secret_access_key=exports.secret_key,
        config=Config(
            connect_timeout=exports.requests.connect_seconds,
            read_timeout=exports.requests.read_seconds,
            retries={"total_max_attempts": 1, "mode": "standard"},
            s3={"addressing_style": "path"} if exports.endpoint_url else {},
        ),
    )


def persist(exports: Exports, doing: str, ask: Callable[[float], Answer], *, is_absence_final: bool = True) -> Answer:
    """What `ask` gives, asked again while S3 may yet give it, as often and as long as `exports.requests` says.

    `ask` takes the instant of `time.monotonic` at which it must give up. Raises what `_named` makes of its last error.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    final = (S3Refused, ObjectMissing) if is_absence_final else (S3Refused,)
    limits = exports.requests
    until = time.monotonic() + limits.total_seconds
    attempt = 1
    while True:
        try:
            return ask(until)
        except (BotoCoreError, ClientError, ResponseParserError, HTTPError, Unsound, BrokenOff) as error:
            named = _named(exports, error, f"{doing} (attempt {attempt})")
            # Apart from each other, or all who were told to slow down would come back at once.
            pause = limits.backoff_seconds * 2 ** (attempt - 1) * random.uniform(0.5, 1)
            if isinstance(named, final) or attempt == limits.attempts or time.monotonic() + pause >= until:
                raise named from error
        time.sleep(pause)
        attempt += 1


def _named(exports: Exports, error: Exception, doing: str) -> Exception:
    """The error as one that says the endpoint and what to do."""
    from botocore.exceptions import ClientError, NoCredentialsError, ParamValidationError, PartialCredentialsError

    where = exports.endpoint_url or f"AWS region {exports.region}"
    what = type(error).__name__
    if isinstance(error, Damaged):
        return ObjectCorrupt(
            f"S3 at {where} gives something else than it says while {doing}: {error}. Upload it again."
        )
    if isinstance(error, Unsound):
        return S3Unreachable(f"S3 at {where} contradicts itself while {doing}: {error}. Run it again later.")
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return _credentials_refused(where, what, doing)
    if isinstance(error, ParamValidationError):
        # Never sent: boto3 says what is impossible in it.
        return S3Refused(f"S3 at {where} cannot be asked for that while {doing}: {' '.join(str(error).split())}")
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        what = f"HTTP {status}, {code}"
        if code in _ABSENT:
            return ObjectMissing(f"S3 at {where} has no longer what it listed ({code}) while {doing}: upload it again.")
        if code in _CREDENTIALS:
            return _credentials_refused(where, code, doing)
        if status < 500 and status not in (408, 429) and code not in _TRANSIENT:
            return S3Refused(
                f"S3 at {where} refuses ({code}) while {doing}: check that bucket {exports.bucket!r} exists "
                "and that the keys of connection sla_exports may read and write it."
            )
    return S3Unreachable(
        f"S3 at {where} does not answer ({what}) while {doing}: is it up? `sla status` tells for the embedded stack."
    )


def _credentials_refused(where: str, what: str, doing: str) -> CredentialsRefused:
    return CredentialsRefused(
        f"S3 at {where} does not take the keys ({what}) while {doing}: give connection sla_exports valid keys, "
        "then run it again. What has landed stays, the rest follows."
    )


def ensure_bucket(exports: Exports) -> None:
    """Create the bucket if it is not there, and have it keep versions. Raises `S3Unreachable`, `S3Refused`."""
    from botocore.exceptions import ClientError

    def ask(_: float) -> None:
        try:
            client(exports).create_bucket(Bucket=exports.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise
        client(exports).put_bucket_versioning(Bucket=exports.bucket, VersioningConfiguration={"Status": "Enabled"})

    persist(exports, f"creating bucket {exports.bucket!r}", ask)
