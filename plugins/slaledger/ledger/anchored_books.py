"""What the bucket keeps of the books, held against them: anchors and drops."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg

from slaledger.ledger.anchors import PREFIX, anchor_key, body_of, ledger_prefix
from slaledger.ledger.chain import read_lines_between
from slaledger.ledger.faults import BooksFault
from slaledger.ledger.postings import Posting, read_ledger_id
from slaledger.settings import Exports, Settings

if TYPE_CHECKING:
    from slaledger.objects import ObjectVersion

_ANCHOR = re.compile(rf"{PREFIX}/[0-9a-f-]{{36}}/[0-9]{{12}}\.json")


def list_kept(settings: Settings) -> list[ObjectVersion]:
    """Every version of every anchor and every drop in the bucket, of other ledgers, too.

    Deleted and overwritten ones belong to it: a version of an anchor says what was posted, whoever hides it.
    """
    from slaledger import objects

    return sorted(objects.list_versions(settings.exports, prefix="billing/"), key=lambda version: version.key)


def require_anchors_and_drops(
    settings: Settings, connection: psycopg.Connection, postings: list[Posting], kept: list[ObjectVersion]
) -> int:
    """Every anchor and every drop is that of these postings; how many of the last have no anchor yet.

    `kept` was listed before the postings were read: what is posted meanwhile is in neither, or in the books. Raises
    `BooksFault` naming the posting, the anchor, the drop, the delivery, or the ledger that is not this one.
    """
    ledger_id = read_ledger_id(connection)
    anchors = [version for version in kept if version.key.startswith(f"{PREFIX}/")]
    _require_one_ledger(settings, ledger_id, anchors)
    unanchored = _require_anchors(settings, ledger_id, postings, anchors)
    _require_known_drops(settings, postings, kept)
    _require_drops(settings, connection, {posting.posting_number: posting for posting in postings})
    return unanchored


def _require_one_ledger(settings: Settings, ledger_id: UUID, anchors: list[ObjectVersion]) -> None:
    """No other ledger ever posted into this bucket: who rewrites all of the books may give them another id."""
    for version in anchors:
        other = version.key[: len(ledger_prefix(ledger_id))]
        if other != ledger_prefix(ledger_id):
            raise BooksFault(
                f"anchors below {other}",
                f"bucket {settings.exports.bucket} keeps what another ledger posted, and database "
                f"{settings.warehouse.database} is ledger {ledger_id}: either these books stand in the place of those, "
                "rewritten or started afresh, and theirs are the record; or two ledgers share the bucket, and each "
                "needs one of its own (docs/runbooks/ledger.md)",
            )


def _require_known_drops(settings: Settings, postings: list[Posting], kept: list[ObjectVersion]) -> None:
    """Whatever billing may have read from the bucket is of a posting that is in the books."""
    from slaledger import delivery

    known = {delivery.drop_prefix(posting) for posting in postings}
    for version in kept:
        drop = version.key.rpartition("/")[0]
        if version.key.startswith(f"{delivery.PREFIX}/") and drop not in known:
            raise BooksFault(
                f"drop {drop}",
                f"it is in bucket {settings.exports.bucket}, and of no posting in the books: billing may have read it",
            )


def _require_anchors(
    settings: Settings, ledger_id: UUID, postings: list[Posting], versions: list[ObjectVersion]
) -> int:
    from slaledger import objects

    expected = dict(_bodies(ledger_id, postings))
    found = set()
    with tempfile.TemporaryFile() as file:
        for version in versions:
            if not _ANCHOR.fullmatch(version.key):
                raise BooksFault(f"anchor {version.key}", "it is none that a posting writes: move it away")
            if version.key not in expected:
                raise BooksFault(
                    f"anchor {version.key}", f"the books end at posting {len(postings)}: they are older than the bucket"
                )
            body = objects.fetch(settings.exports, version, file).path.read_bytes()
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
    """The row first: what it says is held against the bucket, and it is at fault where the drop itself is right."""
    from slaledger import objects

    for number, bucket, key, sha256 in connection.execute(
        "select posting_number, bucket, manifest_key, manifest_sha256 from billing.deliveries order by posting_number"
    ).fetchall():
        row, drop = f"delivery of posting {number}", f"drop of posting {number}"
        exports = dataclasses.replace(settings.exports, bucket=bucket)
        try:
            manifest = objects.get(exports, key)
        except objects.S3Refused as refusal:
            raise BooksFault(row, f"it says bucket {bucket}, which is not one that can be read: {refusal}") from refusal
        if manifest is None:
            if bucket != settings.exports.bucket and objects.get(settings.exports, key) is not None:
                raise BooksFault(row, f"it says bucket {bucket}, and the drop is in {settings.exports.bucket}")
            raise BooksFault(drop, f"{key} is not in bucket {bucket}")
        fault = _drop_fault(exports, connection, postings[number], manifest)
        held = hashlib.sha256(manifest).hexdigest()
        if fault:
            raise BooksFault(drop, f"{fault} in bucket {bucket}")
        if held != sha256:
            raise BooksFault(
                row,
                f"it says a manifest of SHA-256 {sha256}; {key} is that of these lines, and has {held}: it was changed",
            )


def _drop_fault(exports: Exports, connection: psycopg.Connection, posting: Posting, manifest: bytes) -> str | None:
    """The files say what the posting's lines say, cell by cell, and the manifest is that of these files; or why not."""
    from slaledger import delivery, objects

    lines = read_lines_between(connection, first=posting.first_position, last=posting.last_position)
    files = []
    for key, holds_lines in delivery.FILES.items():
        path = f"{delivery.drop_prefix(posting)}/{key}"
        body = objects.get(exports, path)
        if body is None or not holds_lines(body, lines):
            return f"{path} is not there, or does not hold these lines:"
        files.append(delivery.DropFile(path, body))
    if manifest != delivery.manifest_bytes(posting, files, lines):
        return "the manifest is not that of these files and lines,"
    return None
