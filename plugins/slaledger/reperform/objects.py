"""The objects of an exports bucket, or of a directory that would be put into one."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slaledger.reperform import instants
from slaledger.reperform.records import ExportObject, Instant

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIXES = (
    "catalog/monitors/",
    "catalog/components/",
    "monitoring/checks/",
    "status_page/statuspage/",
    "notices/",
    "exclusions/",
    "tickets/zendesk/",
    "tickets/events/",
    "accounts/accounts/",
    "accounts/contracts/",
    "accounts/fees/",
    "claims/",
    "terms/",
)
METADATA_SUFFIX = ".meta.json"


def export_object(
    key: str, body: bytes, *, metadata: Mapping[str, str], modified_at: Instant, version_id: str, is_latest: bool
) -> ExportObject:
    """An object version; `exported_at` is its metadata's `exported-at`, or, without a usable one, when it was modified.

    `complete` is true for the very text `true`.
    """
    try:
        exported_at = instants.parse(metadata.get("exported-at", ""))
    except ValueError:
        exported_at = modified_at
    return ExportObject(
        key=key,
        version_id=version_id,
        body=body,
        exported_at=exported_at,
        is_complete=metadata.get("complete") == "true",
        is_latest=is_latest,
    )


def from_directory(path: str | Path) -> list[ExportObject]:
    """The tree as `sla put` would upload it: relative paths as keys, `<path>.meta.json` as an object's metadata."""
    root = Path(path)
    found = []
    for file in sorted(file for file in root.rglob("*") if file.is_file()):
        key = file.relative_to(root).as_posix()
        if not key.startswith(PREFIXES) or key.endswith(METADATA_SUFFIX):
            continue
        beside = file.with_name(file.name + METADATA_SUFFIX)
        metadata = json.loads(beside.read_bytes()) if beside.is_file() else {}
        modified_at = file.stat().st_mtime_ns // 1000
        found.append(
            export_object(
                key, file.read_bytes(), metadata=metadata, modified_at=modified_at, version_id="", is_latest=True
            )
        )
    return found


def from_bucket(client: S3Client, bucket: str, prefix: str = "") -> list[ExportObject]:
    """All versions of the exports below `prefix`, keys without it, oldest first; of a deleted key the last holds."""
    versions: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for version in page.get("Versions", []):
            if version["Key"].removeprefix(prefix).startswith(PREFIXES):
                versions[version["Key"]].append(version)
    found = []
    for key, listed in sorted(versions.items()):
        # Listed newest first, and `max` takes the first of equals.
        latest = max(listed, key=lambda version: (version["IsLatest"], version["LastModified"]))
        for version in reversed(listed):
            answer = client.get_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])
            found.append(
                export_object(
                    key.removeprefix(prefix),
                    answer["Body"].read(),
                    metadata=answer["Metadata"],
                    modified_at=instants.from_datetime(version["LastModified"]),
                    version_id=version["VersionId"],
                    is_latest=version is latest,
                )
            )
    return found
