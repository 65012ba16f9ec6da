"""What the bucket keeps of the books, held against them: anchors and drops."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import psycopg

from slaledger.ledger.anchors import anchor_key, body_of, ledger_prefix
from slaledger.ledger.faults import BooksFault
from slaledger.ledger.postings import Posting, read_ledger_id
from slaledger.settings import Settings


def require_anchors_and_drops(settings: Settings, connection: psycopg.Connection, postings: list[Posting]) -> int:
    """Every anchor of this ledger and every drop is that of these postings; how many of the last have no anchor yet.

    Raises `BooksFault` naming the posting, the anchor or the delivery.
    """
    unanchored = _require_anchors(settings, read_ledger_id(connection), postings)
    _require_drops(settings, connection, {posting.posting_number: posting for posting in postings})
    return unanchored


def _require_anchors(settings: Settings, ledger_id: UUID, postings: list[Posting]) -> int:
    from slaledger import objects

    expected = dict(_bodies(ledger_id, postings))
    found = set()
    versions = objects.list_versions(settings.exports, prefix=ledger_prefix(ledger_id))
    with tempfile.TemporaryDirectory() as directory:
        # Deleted and overwritten ones, too: a version of an anchor says what was posted, whoever hides it.
        for version in sorted(versions, key=lambda version: version.key):
            if version.key not in expected:
                raise BooksFault(
                    f"anchor {version.key}", f"the books end at posting {len(postings)}: they are older than the bucket"
                )
            body = objects.fetch(settings.exports, version, Path(directory)).path.read_bytes()
            if body != expected[version.key]:
                raise BooksFault(f"anchor {version.key}", "it is not that of this posting, with these lines before it")
            if not version.is_deleted:
                found.add(version.key)
    missing = [key for key in expected if key not in found]
    last_found = max(found, default="")
    for key in missing:
        if key < last_found:
            raise BooksFault(f"anchor {key}", "it is not in the bucket, and later ones are")
    return len(missing)


def _bodies(ledger_id: UUID, postings: list[Posting]) -> Iterator[tuple[str, bytes]]:
    totals: dict[str, Decimal] = {}
    for posting in postings:
        for currency, amount in posting.sums.items():
            totals[currency] = totals.get(currency, Decimal(0)) + Decimal(amount)
        yield anchor_key(ledger_id, posting.posting_number), body_of(ledger_id, posting, totals)


def _require_drops(settings: Settings, connection: psycopg.Connection, postings: dict[int, Posting]) -> None:
    from slaledger import objects

    for number, bucket, key, sha256 in connection.execute(
        "select posting_number, bucket, manifest_key, manifest_sha256 from billing.deliveries order by posting_number"
    ).fetchall():
        name = f"delivery of posting {number}"
        exports = dataclasses.replace(settings.exports, bucket=bucket)
        try:
            manifest = objects.get(exports, key)
        except objects.S3Refused as refusal:
            raise BooksFault(name, f"bucket {bucket} is not one that can be read: {refusal}") from refusal
        if manifest is None or hashlib.sha256(manifest).hexdigest() != sha256:
            raise BooksFault(name, f"{key} in bucket {bucket} is not there, or is not what was dropped")
        content = json.loads(manifest)
        if content["posting"] != {"number": number, "hash": postings[number].posting_hash}:
            raise BooksFault(name, f"{key} in bucket {bucket} is the manifest of another posting")
        for item in content["objects"]:
            body = objects.get(exports, item["key"])
            if body is None or hashlib.sha256(body).hexdigest() != item["sha256"]:
                raise BooksFault(name, f"{item['key']} in bucket {bucket} is not there, or is not what was dropped")
