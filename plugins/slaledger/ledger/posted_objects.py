"""The objects that a closing rests on, read from the bucket again as the second route wants them."""

from __future__ import annotations

import dataclasses
import tempfile
from typing import TYPE_CHECKING

import psycopg

from slaledger.ledger.faults import BooksFault
from slaledger.ledger.postings import Posting
from slaledger.settings import TERMS_DIR, Settings

if TYPE_CHECKING:
    from slaledger.objects import ObjectVersion
    from slaledger.reperform.records import ExportObject, Exports


class PostedObjects:
    """The objects that postings rest on, read by version, each once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.listed: dict[str, dict[tuple[str, str], ObjectVersion]] = {}
        self.last: tuple[object, Exports] | None = None

    def exports_of(self, connection: psycopg.Connection, posting: Posting) -> Exports:
        """What the exports said that were in force for a posting, as the second route reads them."""
        from slaledger.reperform.reading import read

        named = _objects_of(connection, posting)
        if self.last is None or self.last[0] != named:
            shipped = [path.read_bytes() for path in sorted(TERMS_DIR.glob("*.yml"))]
            self.last = (named, read([self._read(*each) for each in named], shipped_terms=shipped))
        return self.last[1]

    def _read(self, bucket: str, key: str, version_id: str, sha256: str, is_latest: bool) -> ExportObject:
        from slaledger import objects
        from slaledger.reperform import instants
        from slaledger.reperform.objects import export_object

        exports = dataclasses.replace(self.settings.exports, bucket=bucket)
        if bucket not in self.listed:
            self.listed[bucket] = {
                (version.key, version.version_id): version for version in objects.list_versions(exports)
            }
        version = self.listed[bucket].get((key, version_id))
        name = f"object {key}, version {version_id}"
        if version is None:
            raise BooksFault(name, f"it is not in bucket {bucket} any more, and lines rest on it: put it back")
        with tempfile.TemporaryFile() as file:
            fetched = objects.fetch(exports, version, file)
            if fetched.sha256 != sha256:
                raise BooksFault(
                    name, f"its bytes in bucket {bucket} are not those that landed, and lines rest on them"
                )
            return export_object(
                key,
                fetched.path.read_bytes(),
                metadata=fetched.metadata,
                modified_at=instants.from_datetime(version.last_modified),
                version_id=version_id,
                is_latest=is_latest,
            )


def _objects_of(connection: psycopg.Connection, posting: Posting) -> list[tuple[str, str, str, str, bool]]:
    """Bucket, key, version, digest of what a closing's evidence lists, and whether it was in force.

    With the versions of terms before them: they hold for the time they were in force (rule T1).
    """
    return connection.execute(
        """
        with

        named as (
            select evidence_sha256 from billing.sla_statements where posting_number = %(number)s
            union
            select evidence_sha256 from billing.credit_line_items where chain_position between %(first)s and %(last)s
        ),

        inputs as (
            select distinct listed.bucket, listed.key, listed.version_id, listed.sha256
            from named
            inner join billing.evidence on named.evidence_sha256 = evidence.evidence_sha256
            inner join billing.evidence as inputs
                on evidence.document::jsonb ->> 'inputs_sha256' = inputs.evidence_sha256
            cross join lateral jsonb_to_recordset(inputs.document::jsonb -> 'objects') as listed (
                bucket text, key text, version_id text, sha256 text
            )
        )

        select inputs.*, true as is_latest
        from inputs
        union all
        (
            select terms.bucket, terms.key, terms.version_id, terms.sha256, false
            from raw.source_objects as terms
            where
                terms.feed = 'terms'
                and terms.landed_at <= %(recorded_at)s
                and (terms.bucket, terms.key, terms.version_id) not in (
                    select inputs.bucket, inputs.key, inputs.version_id from inputs
                )
            order by terms.bucket, terms.key collate "C", terms.last_modified
        )
        """,
        {
            "number": posting.posting_number,
            "first": posting.first_position,
            "last": posting.last_position,
            "recorded_at": posting.recorded_at,
        },
    ).fetchall()
