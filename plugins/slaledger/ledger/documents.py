"""The evidence in the books: whole, there, and of what rests on it."""

from __future__ import annotations

import psycopg
from psycopg.types.json import Jsonb

from slaledger.ledger.faults import BooksFault

# Of an account-month's document: each list, and what each of its objects says at least.
LISTS = {
    "segments": ["started_at", "ended_at", "kind", "services", "categories", "source_ids"],
    "credits": ["basis", "status", "amount", "currency", "credit_percent", "monthly_fee"],
    "claims": ["claim_id", "status", "reason", "received_at", "complete_at", "deadline_at"],
    "breaches": ["ticket_id", "severity", "created_at", "due_at", "first_human_reply_at"],
    "terms": ["terms_id", "terms_version", "effective_from", "has_thresholds"],
    "decisions": ["kind", "subject", "is_approved", "decided_by", "because", "decided_at"],
    "rows": ["kind", "id", "content", "object_id", "line_number"],
    "checks": ["monitor_id", "location", "status", "first_at", "last_at", "n", "object_id"],
    "objects": ["object_id", "key", "version_id", "sha256", "exported_at"],
}
# Of what a closing was built from.
INPUTS = {"objects": ["bucket", "key", "version_id", "sha256"]}


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


def require_whole(connection: psycopg.Connection, evidence_sha256: str | None = None) -> None:
    """The documents that statements and lines rest on, or the one given, say all that is read of them, and as lists.

    So do the inputs that they name. Raises `BooksFault` naming the evidence and what it lacks.
    """
    row = connection.execute(
        """
        with

        named as materialized (
            select evidence.evidence_sha256, evidence.document::jsonb as content
            from billing.evidence
            where
                evidence.evidence_sha256 in (
                    select lines.evidence_sha256 from billing.credit_line_items as lines
                    union
                    select statements.evidence_sha256 from billing.sla_statements as statements
                )
                and evidence.evidence_sha256 = coalesce(%(only)s, evidence.evidence_sha256)
        ),

        documents as (
            select named.evidence_sha256, named.content, %(lists)s as lists
            from named
            union all
            select evidence.evidence_sha256, evidence.document::jsonb, %(inputs)s
            from billing.evidence
            where evidence.evidence_sha256 in (select named.content ->> 'inputs_sha256' from named)
        )

        select documents.evidence_sha256, lists.name
        from documents
        cross join lateral jsonb_each(documents.lists) as lists (name, keys)
        where
            jsonb_typeof(documents.content -> lists.name) is distinct from 'array'
            or exists (
                select
                from jsonb_array_elements(
                    case jsonb_typeof(documents.content -> lists.name)
                        when 'array' then documents.content -> lists.name
                        else '[]'
                    end
                ) as elements (element)
                where
                    jsonb_typeof(elements.element) <> 'object'
                    or not elements.element ?& array(select jsonb_array_elements_text(lists.keys))
            )
        union all
        select named.evidence_sha256, 'account_month'
        from named
        where coalesce(jsonb_typeof(named.content -> 'account_month'), '') not in ('object', 'null')
        order by 1, 2
        limit 1
        """,
        {"only": evidence_sha256, "lists": Jsonb(LISTS), "inputs": Jsonb(INPUTS)},
    ).fetchone()
    if row:
        raise BooksFault(f"evidence {row[0]}", f"it does not say its {row[1]} as a posting writes them")
