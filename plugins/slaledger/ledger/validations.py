"""The builds, records of gates and approvals that postings rest on: there, and what the postings say of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from itertools import groupby

import psycopg
from psycopg.rows import dict_row

from slaledger.ledger.canonical import digest, row_digest
from slaledger.ledger.faults import BooksFault
from slaledger.ledger.postings import Posting


def require_builds(connection: psycopg.Connection, postings: Sequence[Posting]) -> None:
    """Each closing's build is there, of the month, instant, versions and preparer that the posting's hash is of.

    What a posting does not say is not held against it: when the models were built, and which account triggered them.
    Raises `BooksFault` naming the build.
    """
    columns = ("service_month", "as_of", "prepared_by", "code_version", "tzdata_version")
    found = {
        row["run_id"]: row
        for row in connection.cursor(row_factory=dict_row).execute("select * from audit.builds").fetchall()
    }
    for posting in postings:
        if posting.kind != "close":
            continue
        name, by = f"build {posting.run_id}", f"posting {posting.posting_number} rests on it"
        if posting.run_id not in found:
            raise BooksFault(name, f"{by}, and it is not there")
        build = found[posting.run_id]
        for column in columns:
            if build[column] != getattr(posting, column):
                raise BooksFault(
                    name, f"its {column} is {build[column]}, not {getattr(posting, column)}: it was changed, and {by}"
                )
        if not build["is_closing"]:
            raise BooksFault(name, f"it closes no month: it was changed, and {by}")


def require_validations(connection: psycopg.Connection, postings: Sequence[Posting]) -> None:
    """Each closing's record of either gate is there, says success of its run and digest, and gives its own id.

    A posting's hash is of these ids, and an id of all that its record says: which login wrote it, when, and every
    expectation. Raises `BooksFault` naming the record.
    """
    found = {
        row[0]: row[1:]
        for row in connection.execute(
            """
            select validation_id, gate, run_id, service_month, as_of, candidate_sha256, is_success
            from audit.validations
            """
        )
    }
    ids = _content_ids(connection)
    for posting in postings:
        for gate, validation_id, candidate in (
            ("raw", posting.raw_validation_id, posting.inputs_sha256),
            ("marts", posting.marts_validation_id, posting.candidate_sha256),
        ):
            if validation_id is None:
                continue  # goodwill rests on none
            name, by = f"validation {validation_id}", f"posting {posting.posting_number} rests on it"
            if validation_id not in found:
                raise BooksFault(name, f"{by}, and it is not there")
            if ids[validation_id] != validation_id:
                raise BooksFault(name, f"its columns do not give its id: it was changed, and {by}")
            if found[validation_id] != (gate, posting.run_id, posting.service_month, posting.as_of, candidate, True):
                raise BooksFault(name, f"it is no success of the {gate} gate of this run and digest, and {by}")


def require_approved_goodwill(connection: psycopg.Connection) -> None:
    """Each line of goodwill was approved as it is, by whom it names, and not by who prepared it (L4).

    Raises `BooksFault` naming the line.
    """
    approved = set(
        connection.execute(
            """
            select subject, subject_digest, decided_by, prepared_by, because from audit.decisions
            where kind = 'goodwill' and is_approved and decided_by <> prepared_by
            """
        ).fetchall()
    )
    given = connection.execute(
        """
        select
            lines.line_item_id, lines.idempotency_key, lines.amount, lines.currency, lines.approved_by,
            postings.prepared_by, lines.reason
        from billing.credit_line_items as lines
        inner join billing.postings
            on lines.chain_position between postings.first_position and postings.last_position
        where lines.basis = 'goodwill'
        order by lines.chain_position
        """
    ).fetchall()
    for line_id, key, amount, currency, by, prepared_by, because in given:
        if (key, digest("slaledger goodwill", key, amount, currency), by, prepared_by, because) not in approved:
            raise BooksFault(f"line {line_id}", "it is goodwill, and nobody but who prepared it has approved it so")


def _content_ids(connection: psycopg.Connection) -> dict[uuid.UUID, uuid.UUID]:
    """Record -> the id that its other columns give; null columns are left out."""
    rows = connection.execute(
        """
        select validations.validation_id, fields.key, fields.value
        from audit.validations
        cross join lateral jsonb_each_text(
            jsonb_strip_nulls(to_jsonb(validations) - 'validation_id')
        ) as fields (key, value)
        where validations.validation_id in (
            select raw_validation_id from billing.postings
            union all
            select marts_validation_id from billing.postings
        )
        order by validations.validation_id, fields.key collate "C"
        """
    )
    return {
        validation_id: _id_of(row_digest("validation", [(name, value) for _, name, value in fields]))
        for validation_id, fields in groupby(rows, key=lambda row: row[0])
    }


def _id_of(digest: str) -> uuid.UUID:
    """The first 128 bits, as a UUID of version 8."""
    return uuid.UUID(f"{digest[:12]}8{digest[13:16]}8{digest[17:32]}")
