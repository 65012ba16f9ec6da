"""Anchors: what each posting came to, kept in the bucket, out of the database's reach.

Whoever takes lines off the end of the books, or restores an older dump, leaves an anchor that is ahead of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from uuid import UUID

import psycopg

from slaledger.ledger.canonical import number_text
from slaledger.ledger.postings import Posting, last_posting, read_ledger_id, read_posting
from slaledger.settings import Settings
from slaledger.warehouse import connect

PREFIX = "billing/anchors"


class AnchorConflict(Exception):
    """The bucket's anchors are not those of these books: nothing is posted."""

    is_final = True
    exit_code = 1


@contextmanager
def anchored(settings: Settings) -> Iterator[None]:
    """Around whatever posts: refuse where the bucket knows more of this ledger, or other; anchor what was posted.

    Raises `AnchorConflict` before anything is posted, and `slaledger.objects`' errors where S3 does not answer; what
    was posted then is anchored by the next call, or by `delivery.deliver`.
    """
    require_not_behind(settings)
    yield
    write_missing(settings)


def require_not_behind(settings: Settings) -> None:
    """The bucket has no anchor of this ledger beyond its last posting. Raises `AnchorConflict`.

    What a posting before left out is written first: anchors have no gaps, and the next number tells.
    """
    from slaledger import objects

    write_missing(settings)
    number = -1
    while True:
        with connect(settings.warehouse, role="sla_relay") as connection:
            ledger_id, last = read_ledger_id(connection), last_posting(connection)
        before, number = number, last.posting_number if last else 0
        key = anchor_key(ledger_id, number + 1)
        # Every version: one that was deleted says what was posted, too.
        if not any(version.key == key for version in objects.list_versions(settings.exports, prefix=key)):
            return
        # Anchors follow their commit: one of a posting that was made meanwhile finds it on the second look.
        if number == before:
            raise AnchorConflict(
                f"Bucket {settings.exports.bucket} has the anchor {key}, and database {settings.warehouse.database} "
                f"ends at posting {number}: it is older than the bucket, an old dump that was restored, say. Nothing "
                "was posted. Restore the newest dump, and let `sla verify` compare them: docs/runbooks/ledger.md."
            )


def write_missing(settings: Settings) -> None:
    """Write the anchors that the last postings do not have yet, each only if absent. Raises `AnchorConflict`."""
    from slaledger import objects

    with connect(settings.warehouse, role="sla_relay") as connection:
        ledger_id = read_ledger_id(connection)
        posting = last_posting(connection)
        missing = []
        while posting:
            key, body = anchor_key(ledger_id, posting.posting_number), anchor_body(connection, ledger_id, posting)
            held = objects.get(settings.exports, key)
            if held is not None:
                _require_same(settings, key, held, body)
                break
            missing.append((key, body))
            posting = read_posting(connection, posting.posting_number - 1)
    # In their order: whatever breaks this off, there is no gap.
    for key, body in reversed(missing):
        if not objects.put_if_absent(settings.exports, key, body):
            _require_same(settings, key, objects.get(settings.exports, key), body)


def _require_same(settings: Settings, key: str, held: bytes | None, body: bytes) -> None:
    if held != body:
        raise AnchorConflict(
            f"{key} in bucket {settings.exports.bucket} is not the anchor of this posting: the books in database "
            f"{settings.warehouse.database} are not those that were anchored, or somebody else wrote it. Nothing was "
            "posted. `sla verify` names the first row that differs: docs/runbooks/ledger.md."
        )


def ledger_prefix(ledger_id: UUID) -> str:
    """Where the anchors of a ledger are."""
    return f"{PREFIX}/{ledger_id}/"


def anchor_key(ledger_id: UUID, number: int) -> str:
    """The key of a posting's anchor: its number in 12 digits."""
    return f"{ledger_prefix(ledger_id)}{number:012d}.json"


def anchor_body(connection: psycopg.Connection, ledger_id: UUID, posting: Posting) -> bytes:
    """What an anchor says: the posting's hash, the head of the chain, and all lines' count and sums up to it."""
    totals = connection.execute(
        """
        select sums.currency, sum(sums.amount::numeric)
        from billing.postings
        cross join lateral jsonb_each_text(postings.sums) as sums (currency, amount)
        where postings.posting_number <= %s
        group by sums.currency
        """,
        (posting.posting_number,),
    ).fetchall()
    return body_of(ledger_id, posting, dict(totals))


def body_of(ledger_id: UUID, posting: Posting, totals: dict[str, Decimal]) -> bytes:
    """The same, from the sums of all postings up to this one."""
    content = {
        "anchor_version": 1,
        "ledger_id": str(ledger_id),
        "posting_number": posting.posting_number,
        "posting_hash": posting.posting_hash,
        "chain": {"position": posting.last_position, "hash": posting.head_hash},
        # As text: JSON's numbers are not exact everywhere.
        "sums": {currency: number_text(amount) for currency, amount in totals.items()},
    }
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()
