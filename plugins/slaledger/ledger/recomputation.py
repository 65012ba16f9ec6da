"""What was posted, recomputed from the objects in the bucket by the second route, and held against the books."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from slaledger.ledger.canonical import digest, line_item_id, month_text
from slaledger.ledger.chain import Line
from slaledger.ledger.faults import BooksFault
from slaledger.ledger.posted_objects import PostedObjects
from slaledger.ledger.postings import Posting
from slaledger.settings import Settings

if TYPE_CHECKING:
    from slaledger.reperform.records import Decision, Figures

Row = dict[str, Any]

# What a statement and a line say that follows from exports and decisions: the rest is the ledger's own.
STATEMENT = (
    "account_id", "contract_id", "service_month", "terms_id", "terms_version", "guaranteed", "measured_from",
    "measured_until", "measured_seconds", "counted_seconds", "excluded_seconds", "unknown_seconds", "uptime_percent",
    "uptime_percent_low", "uptime_percent_alternative", "outcome_sensitive", "commitment_percent", "met", "status",
    "reason", "revision",
)  # fmt: skip
LINE = (
    "contract_id", "basis", "ordinal", "entry_type", "account_id", "service_month", "amount", "currency",
    "credit_percent", "monthly_fee", "uptime_percent", "counted_seconds", "terms_id", "terms_version", "claim_id",
    "settlement", "applies_from", "corrects_ordinal",
)  # fmt: skip


def require_recomputed(
    settings: Settings, connection: psycopg.Connection, postings: Sequence[Posting], *, of_line: Line | None = None
) -> int:
    """Every closing gives the statements and lines that the objects give; how many closings were recomputed.

    Where a line is given: those of its month up to it, and its contract alone. Goodwill is a person's decision: no
    object gives it. Raises `BooksFault` naming the line, the statement or the object, and `slaledger.objects`' errors.
    """
    closings = [posting for posting in postings if posting.kind == "close"]
    if of_line:
        closings = [
            posting
            for posting in closings
            if posting.service_month == of_line.service_month and posting.first_position <= of_line.chain_position
        ]
    bucket = PostedObjects(settings)
    for posting in closings:
        _require_posting(connection, bucket, posting, contract_id=of_line.contract_id if of_line else None)
    return len(closings)


def _require_posting(
    connection: psycopg.Connection, bucket: PostedObjects, posting: Posting, *, contract_id: str | None
) -> None:
    from slaledger.reperform import instants
    from slaledger.reperform.lines import due, statement_due
    from slaledger.reperform.route import reperform

    books = _Books(connection, posting)
    exports = bucket.exports_of(connection, posting)
    as_of = instants.from_datetime(posting.as_of)
    month = month_text(posting.service_month)

    def figures(decisions: Sequence[Decision]) -> Figures:
        return reperform(exports, service_month=month, as_of=as_of, decisions=decisions)

    undecided = figures([])
    decided = books.decisions_on(undecided)
    found = figures(decided) if decided else undecided

    latest = {row["contract_id"]: row for row in books.statements if row["posting_number"] < posting.posting_number}
    expected = {
        f"statement of contract {row['contract_id']}, {month}, revision {revision}": {**row, "revision": revision}
        for row in found.account_months
        if (revision := statement_due(row, latest.get(row["contract_id"])))
    }
    written = {
        f"statement of contract {row['contract_id']}, {month}, revision {row['revision']}": row
        for row in books.statements
        if row["posting_number"] == posting.posting_number
    }
    _require_same(posting, written, expected, STATEMENT, only=contract_id)

    def lines(decisions: Sequence[Decision]) -> list[Row]:
        return due(
            found.credits,
            account_months=found.account_months,
            posted=books.lines_before,
            exports=exports,
            as_of=as_of,
            decisions=decisions,
        )

    owed = lines([])
    decreases = books.decrease_decisions_on(owed)
    owed = [row for row in (lines(decreases) if decreases else owed) if row["state"] == "append"]
    _require_same(
        posting,
        {f"line {row['line_item_id']}": row for row in books.lines},
        {books.name_of_line(row): row for row in owed},
        LINE,
        only=contract_id,
    )


def _require_same(
    posting: Posting, written: dict[str, Row], expected: dict[str, Row], columns: Sequence[str], *, only: str | None
) -> None:
    for name in sorted(written.keys() | expected.keys()):
        row, other = written.get(name), expected.get(name)
        if only not in (None, (row or other)["contract_id"]):
            continue
        if row is None:
            raise BooksFault(
                name, f"the objects in the bucket give it for posting {posting.posting_number}, and it is not there"
            )
        if other is None:
            raise BooksFault(name, f"the objects that posting {posting.posting_number} rests on do not give it")
        for column in columns:
            if row[column] != other[column] or (row[column] is None) != (other[column] is None):
                raise BooksFault(
                    name,
                    f"recomputed from the objects in the bucket its {column} is {other[column]}, not {row[column]}",
                )


class _Books:
    """What the books say of a closing's month, in the second route's units."""

    def __init__(self, connection: psycopg.Connection, posting: Posting) -> None:
        self.posting = posting
        cursor = connection.cursor(row_factory=dict_row)
        until = (posting.service_month, posting.posting_number, posting.last_position)
        self.statements = [
            _plain(row)
            for row in cursor.execute(
                "select * from billing.sla_statements where service_month = %s and posting_number <= %s"
                " order by revision",
                until[:2],
            )
        ]
        lines = [
            {**_plain(row), "applies_from": row["applies_from"]}
            for row in cursor.execute(
                "select * from billing.credit_line_items where service_month = %s and chain_position <= %s"
                " order by chain_position",
                (until[0], until[2]),
            )
        ]
        ordinals = {row["line_item_id"]: row["ordinal"] for row in lines}
        for row in lines:
            row["corrects_ordinal"] = ordinals.get(row["corrects_line_item_id"])
        self.lines_before = [row for row in lines if row["chain_position"] < posting.first_position]
        self.lines = [row for row in lines if row["chain_position"] >= posting.first_position]
        self.documents = [
            (row["contract_id"], json.loads(row["document"], parse_float=Decimal))
            for row in cursor.execute(
                """
                select distinct on (named.contract_id) named.contract_id, evidence.document
                from (
                    select contract_id, posting_number, evidence_sha256 from billing.sla_statements
                    where service_month = %(month)s and posting_number <= %(number)s
                    union all
                    select lines.contract_id, postings.posting_number, lines.evidence_sha256
                    from billing.credit_line_items as lines
                    inner join billing.postings
                        on lines.chain_position between postings.first_position and postings.last_position
                    where lines.service_month = %(month)s and postings.posting_number <= %(number)s
                        and postings.kind = 'close'
                ) as named
                inner join billing.evidence on named.evidence_sha256 = evidence.evidence_sha256
                order by named.contract_id, named.posting_number desc
                """,
                {"month": posting.service_month, "number": posting.posting_number},
            )
        ]
        # Before its models were built: a later one changed no figure of this posting.
        self.decided = cursor.execute(
            """
            select decisions.kind, decisions.subject, decisions.subject_digest, decisions.is_approved,
                decisions.decided_at < builds.models_built_at as is_before_models
            from audit.decisions
            inner join audit.builds on builds.run_id = %s
            where decisions.decision_id <= %s
            order by decisions.decision_id
            """,
            (posting.run_id, posting.decisions_through),
        ).fetchall()

    def decisions_on(self, undecided: Figures) -> list[Decision]:
        """Those on held months and claims whose digest is that of the figures that the evidence keeps."""
        from slaledger.reperform.records import Decision

        verdicts = {
            (row["kind"], row["subject"], row["subject_digest"]): row["is_approved"]
            for row in self.decided
            if row["is_before_models"]
        }
        abouts = {row["contract_id"]: row["about"] for row in undecided.account_months}
        claims = {(row["claim_id"], row["contract_id"]): row["about"] for row in undecided.claims}
        month = month_text(self.posting.service_month)
        found = []
        for contract_id, document in self.documents:
            held = verdicts.get(
                ("held_month", f"{contract_id}|{month}", (document["account_month"] or {}).get("held_digest"))
            )
            about = abouts.get(contract_id)
            if held is not None and about is not None:
                found.append(Decision("held_month", contract_id, month, held, about=about))
            for claim in document["claims"]:
                verdict = verdicts.get(("claim", claim.get("decision_subject"), claim.get("decision_digest")))
                about = claims.get((claim["claim_id"], contract_id))
                if verdict is not None and about is not None:
                    found.append(
                        Decision("claim", contract_id, month, verdict, claim_id=claim["claim_id"], about=about)
                    )
        return found

    def decrease_decisions_on(self, owed: Sequence[Row]) -> list[Decision]:
        """Those on exactly these decreases: what is owed, in which currency, and the lines before it."""
        from slaledger.reperform.figures import decimal
        from slaledger.reperform.records import Decision

        verdicts = {row["subject_digest"]: row["is_approved"] for row in self.decided if row["kind"] == "decrease"}
        found = []
        for row in owed:
            if row["state"] != "overpaid":
                continue
            subject = f"{row['contract_id']}|{row['service_month']}|{row['basis']}"
            items = [
                (line["ordinal"], line["line_item_id"])
                for line in self.lines_before
                if (line["contract_id"], line["basis"], line["currency"])
                == (row["contract_id"], row["basis"], row["currency"])
                and line["entry_type"] != "goodwill"
            ]
            bound = digest(
                "slaledger decrease",
                subject,
                row["currency"],
                decimal(row["about"]["owed"]),
                [item for _, item in sorted(items)],
            )
            if bound in verdicts:
                found.append(
                    Decision(
                        "decrease",
                        row["contract_id"],
                        row["service_month"],
                        verdicts[bound],
                        basis=row["basis"],
                        about=row["about"],
                    )
                )
        return found

    @staticmethod
    def name_of_line(row: Mapping[str, Any]) -> str:
        """As the books name it: by the id that its key gives."""
        key = "|".join(str(row[name]) for name in ("contract_id", "service_month", "basis", "ordinal"))
        return f"line {line_item_id(key)}"


def _plain(row: Mapping[str, Any]) -> Row:
    return dict(_fields(row))


def _fields(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    from slaledger.reperform import instants

    for name, value in row.items():
        match value:
            case datetime():
                yield name, instants.from_datetime(value)
            case date():
                yield name, month_text(value)
            case Decimal() | int() if name.endswith("_seconds"):
                yield name, value * 1_000_000
            case _:
                yield name, value
