"""Objects of a directory and of a bucket, and the sample month read whole."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import boto3
import pytest

from slaledger.reperform import objects, reading
from slaledger.stack.s3 import S3
from tests.reperform.export_objects import SHIPPED, at, read
from tests.support.buckets import empty_bucket


def test_a_directory_is_read_as_it_would_be_put(tmp_path: Path) -> None:
    (tmp_path / "notices" / "deep").mkdir(parents=True)
    (tmp_path / "billing").mkdir()
    for name in ("notices/deep/a.ndjson", "notices/b", "billing/c", "notices/b.meta.json"):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, ns=(0, at("2026-04-01T00:00:00.000001Z") * 1000 + 999))
    metadata = {"exported-at": "2026-03-01T01:00:00+01:00", "complete": "true"}
    (tmp_path / "notices/b.meta.json").write_text(json.dumps(metadata))
    found = objects.from_directory(tmp_path)
    assert [(each.key, each.exported_at, each.is_complete, each.is_latest) for each in found] == [
        ("notices/b", at("2026-03-01T00:00:00Z"), True, True),
        ("notices/deep/a.ndjson", at("2026-04-01T00:00:00.000001Z"), False, True),
    ]


@pytest.mark.parametrize("exported_at", ["", "yesterday", "2026-03-01T00:00:00"])
def test_without_a_usable_instant_an_object_was_exported_when_it_was_modified(exported_at: str) -> None:
    found = objects.export_object(
        "notices/a", b"", metadata={"exported-at": exported_at}, modified_at=5, version_id="v", is_latest=True
    )
    assert (found.exported_at, found.is_complete) == (5, False)


@pytest.fixture
def bucket(s3_server: S3) -> tuple[Any, str]:
    """A client, and the tests' versioned bucket, emptied."""
    exports = s3_server.exports
    empty_bucket(exports)
    client = boto3.client(
        "s3",
        endpoint_url=exports.endpoint_url,
        aws_access_key_id=exports.access_key,
        aws_secret_access_key=exports.secret_key,
        region_name=exports.region,
    )
    return client, exports.bucket


def test_a_bucket_gives_every_version_and_a_deleted_key_its_last(bucket: tuple[Any, str]) -> None:
    client, name = bucket
    metadata = {"exported-at": "2026-03-01T00:00:00Z", "complete": "true"}
    for key, body in [("notices/a", b"a1"), ("notices/a", b"a2"), ("notices/gone", b"g1"), ("notices/gone", b"g2")]:
        client.put_object(Bucket=name, Key=f"x/{key}", Body=body, Metadata=metadata)
    client.delete_object(Bucket=name, Key="x/notices/gone")
    client.put_object(Bucket=name, Key="x/billing/b", Body=b"none of ours")
    client.put_object(Bucket=name, Key="y/notices/a", Body=b"elsewhere")
    found = objects.from_bucket(client, name, "x/")
    assert [(each.key, each.body, each.is_latest) for each in found] == [
        ("notices/a", b"a1", False),
        ("notices/a", b"a2", True),
        ("notices/gone", b"g1", False),
        ("notices/gone", b"g2", True),
    ]
    assert {(each.exported_at, each.is_complete) for each in found} == {(at("2026-03-01T00:00:00Z"), True)}
    assert len({each.version_id for each in found}) == 4


def test_an_object_without_metadata_was_exported_when_it_was_put(bucket: tuple[Any, str]) -> None:
    client, name = bucket
    client.put_object(Bucket=name, Key="notices/a", Body=b"")
    (found,) = objects.from_bucket(client, name)
    modified_at = client.head_object(Bucket=name, Key="notices/a")["LastModified"]
    assert abs(found.exported_at - int(modified_at.timestamp()) * 1_000_000) < 1_000_000


def test_the_sample_months_exports_are_read_without_a_fault() -> None:
    exports = reading.read(objects.from_directory(Path("examples/exports")), shipped_terms=SHIPPED)
    assert exports.rejected == []
    assert [len(found) for found in (exports.monitors, exports.components, exports.notices, exports.register)] == [
        *(6, 8, 3, 6)
    ]
    assert [len(found) for found in (exports.accounts, exports.contracts, exports.fees, exports.claims)] == [
        *(60, 61, 58, 27)
    ]
    assert {page.kind for page in exports.documents} == {"incidents", "scheduled_maintenances", "summary"}
    assert sum(len(page.incidents) for page in exports.documents) > 0
    assert {"klink-aurora", "klink-berliner-medien"} <= set(exports.terms)
    assert exports.checks == read().checks == {}
