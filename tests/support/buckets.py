"""Buckets for tests. A bucket takes volumes of its server for good: tests share one, emptied between them."""

from __future__ import annotations

from collections.abc import Collection

from slaledger import objects
from slaledger.settings import Exports


def empty_bucket(exports: Exports, *, prefix: str = "", kept: Collection[str] = ()) -> None:
    """Delete every version and every delete marker below the prefix for good, but those of these ids."""
    client = objects.client(exports)
    for page in client.get_paginator("list_object_versions").paginate(Bucket=exports.bucket, Prefix=prefix):
        found = [
            {"Key": version["Key"], "VersionId": version["VersionId"]}
            for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
            if version["VersionId"] not in kept
        ]
        if found:
            answer = client.delete_objects(Bucket=exports.bucket, Delete={"Objects": found, "Quiet": True})
            assert not answer.get("Errors"), answer["Errors"]
