"""The evidence in the books: whole, there, and of what rests on it."""

from __future__ import annotations

import psycopg

from slaledger.ledger.faults import BooksFault


def require_evidence(connection: psycopg.Connection) -> None:
    """Each document gives its digest. Raises `BooksFault` naming the first that does not."""
    row = connection.execute(
        """
        select evidence.evidence_sha256
        from billing.evidence
        where evidence.evidence_sha256 <> encode(sha256(convert_to(evidence.document, 'UTF8')), 'hex')
        order by evidence.evidence_sha256
        limit 1
        """
    ).fetchone()
    if row:
        raise BooksFault(f"evidence {row[0]}", "its document does not give its digest: it was changed")


def require_all_evidence(connection: psycopg.Connection) -> None:
    """What statements and lines rest on, and the inputs that this names, are there, and of their contract and month.

    Raises `BooksFault` naming the evidence that is not there, or the row whose evidence is another's.
    """
    row = connection.execute(
        """
        with

        named as (
            select lines.evidence_sha256
            from billing.credit_line_items as lines
            union
            select statements.evidence_sha256
            from billing.sla_statements as statements
        ),

        inputs as (
            select evidence.document::jsonb ->> 'inputs_sha256' as evidence_sha256
            from named
            inner join billing.evidence on named.evidence_sha256 = evidence.evidence_sha256
        )

        select wanted.evidence_sha256
        from (table named union table inputs) as wanted
        where wanted.evidence_sha256 not in (select evidence.evidence_sha256 from billing.evidence)
        order by wanted.evidence_sha256
        limit 1
        """
    ).fetchone()
    if row:
        raise BooksFault(f"evidence {row[0]}", "a statement, a line or its evidence rests on it, and it is not there")
    row = connection.execute(
        """
        select named.name
        from (
            select
                'statement ' || statements.statement_id::text as name,
                statements.evidence_sha256,
                statements.contract_id,
                statements.service_month,
                true as has_month
            from billing.sla_statements as statements
            union all
            select
                'line ' || lines.line_item_id::text,
                lines.evidence_sha256,
                lines.contract_id,
                lines.service_month,
                -- Taken back, where the account-month is no more.
                false
            from billing.credit_line_items as lines
        ) as named
        inner join billing.evidence on named.evidence_sha256 = evidence.evidence_sha256
        cross join lateral (select evidence.document::jsonb -> 'account_month' as account_month) as documents
        where
            (named.has_month or documents.account_month <> 'null')
            and (
                documents.account_month ->> 'contract_id', (documents.account_month ->> 'service_month')::date
            ) is distinct from (named.contract_id, named.service_month)
        order by named.name
        limit 1
        """
    ).fetchone()
    if row:
        raise BooksFault(row[0], "its evidence is of another contract or month")
