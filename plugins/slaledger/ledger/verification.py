"""The books, recomputed row by row, and held against what the bucket keeps of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from slaledger.ledger import fences
from slaledger.ledger.anchored_books import list_kept, require_anchors_and_drops
from slaledger.ledger.canonical import HASH_VERSION, line_item_id, statement_id
from slaledger.ledger.cases import known_line
from slaledger.ledger.chain import GENESIS, Line, read_lines
from slaledger.ledger.documents import require_all_evidence, require_evidence, require_whole
from slaledger.ledger.faults import BooksFault
from slaledger.ledger.postings import (
    STATEMENT_COLUMNS,
    Posting,
    genesis,
    read_decision_hashes,
    read_postings,
    statement_hash,
    statements_digest,
    sums_of,
)
from slaledger.ledger.recomputation import require_recomputed
from slaledger.ledger.validations import require_approved_goodwill, require_builds, require_validations
from slaledger.settings import Settings
from slaledger.warehouse import connect


@dataclass(frozen=True)
class BooksReport:
    """What recomputing the books found."""

    lines: int  # that hold, from the first on
    postings: int  # that hold, from the first on
    head_hash: str  # of the last line that holds
    first_bad_row: str | None = None  # its kind and its key: `line 35c9…`, `posting 3`
    reason: str | None = None
    unanchored: int = 0  # of the last postings; `deliver` writes what is missing
    undelivered: int = 0  # postings with lines that no billing drop has yet; `deliver` drops them
    recomputed: int | None = None  # closings that the objects in the bucket give; None: it was not asked
    fences: tuple[str, ...] = ()  # what keeps the books as they are, and is not as the migrations make it

    @property
    def is_intact(self) -> bool:
        """Whether every row is what it was when it was appended, and every fence where it was put."""
        return self.reason is None and not self.fences

    def __str__(self) -> str:
        """What the command line prints."""
        if self.reason is not None:
            books = (
                f"The books are broken at {self.first_bad_row}: {self.reason}. "
                f"{self.lines} lines in {self.postings} postings before it hold."
            )
        else:
            books = f"The books hold: {self.lines} lines in {self.postings} postings, head {self.head_hash}."
            if self.unanchored:
                books += f" {self.unanchored} of them have no anchor yet."
            if self.undelivered:
                books += f" {self.undelivered} of them with lines are not in the billing drop yet."
            if self.recomputed is not None:
                closings = "1 closing" if self.recomputed == 1 else f"{self.recomputed} closings"
                books += f" Recomputed from the objects by the second route: {closings}, the same."
        if self.fences:
            fences = "".join(f"\n- {fence}" for fence in self.fences)
            books += (
                f"\nWhat keeps them so is not as the migrations of this code make it (objects: {len(self.fences)}):"
                f"{fences}\nIs the code older or newer than the database? Else its owner or a superuser changed it: "
                "post nothing, find out who, and put it back (docs/runbooks/ledger.md)."
            )
        return books


def verify_chain(settings: Settings) -> BooksReport:
    """Recompute lines, statements, postings, evidence, deliveries, and the builds, gates and decisions behind them.

    The database alone: what was taken off its end leaves no trace there. The first row that is not what it was is
    named.
    """
    return _verify(settings, with_bucket=False)


def verify_books(settings: Settings) -> BooksReport:
    """The same, every anchor and drop in the bucket, and the fences. Raises `slaledger.objects`' errors."""
    return _verify(settings, with_bucket=True)


def verify_all(settings: Settings) -> BooksReport:
    """The same, and every closing recomputed from the objects in the bucket by the second route."""
    return _verify(settings, with_bucket=True, recompute=True)


def verify_line(settings: Settings, line_item_id: str) -> BooksReport:
    """The same as `verify_books`, and the account-month of one line recomputed, at its posting and those before it.

    Raises `UnknownLine`.
    """
    with connect(settings.warehouse, role="sla_auditor") as connection:
        line = known_line(connection, line_item_id)
    return _verify(settings, with_bucket=True, recompute=True, of_line=line)


def _verify(
    settings: Settings, *, with_bucket: bool, recompute: bool = False, of_line: Line | None = None
) -> BooksReport:
    report = BooksReport(lines=0, postings=0, head_hash=GENESIS)
    # Before the books: anchors and drops follow their commit, and what they are of is in what is read after them.
    kept = list_kept(settings) if with_bucket else []
    with connect(settings.warehouse, role="sla_auditor") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        try:
            if with_bucket:
                report = replace(report, fences=tuple(fences.faults(connection)))
            statements = _statements(connection)
            require_evidence(connection)
            held: list[Posting] = []
            for posting, lines in _postings(connection, statements):
                held.append(posting)
                report = replace(report, lines=lines, postings=posting.posting_number, head_hash=posting.head_hash)
            require_all_evidence(connection)
            require_whole(connection)
            require_builds(connection, held)
            require_validations(connection, held)
            require_approved_goodwill(connection)
            undelivered = _require_deliveries(connection, held)
            report = replace(report, undelivered=undelivered)
            if with_bucket:
                report = replace(report, unanchored=require_anchors_and_drops(settings, connection, held, kept))
            if recompute:
                report = replace(report, recomputed=require_recomputed(settings, connection, held, of_line=of_line))
        except BooksFault as fault:
            lines = report.lines if fault.lines is None else fault.lines
            return replace(report, lines=lines, first_bad_row=fault.row, reason=fault.reason)
        except psycopg.DataError as error:
            return replace(report, first_bad_row="a row that cannot be read", reason=str(error).splitlines()[0])
    return report


def _statements(connection: psycopg.Connection) -> dict[int, list[tuple[str, str]]]:
    """Posting -> id and hash of its statements, each recomputed."""
    columns = sql.SQL(", ").join(map(sql.Identifier, (*STATEMENT_COLUMNS, "statement_hash")))
    query = sql.SQL("select {} from billing.sla_statements order by posting_number, statement_id").format(columns)
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    with connection.cursor(name="statements", row_factory=dict_row) as cursor:
        cursor.itersize = 5_000
        for row in cursor.execute(query):
            name = f"statement {row['statement_id']}"
            if statement_hash(row) != row["statement_hash"]:
                raise BooksFault(name, "its columns do not give its hash: it was changed")
            if row["statement_id"] != statement_id(
                row["contract_id"], service_month=row["service_month"], revision=row["revision"]
            ):
                raise BooksFault(name, "its id is not that of its contract, month and revision")
            found[row["posting_number"]].append((name, row["statement_hash"]))
    return found


def _postings(
    connection: psycopg.Connection, statements: dict[int, list[tuple[str, str]]]
) -> Iterator[tuple[Posting, int]]:
    """Each posting that holds, with all that it says of its rows, and the count of lines up to it."""
    decisions = read_decision_hashes(connection, after=0)
    lines = read_lines(connection)
    number, position, head, decided = 0, 0, GENESIS, 0
    ledgers = connection.execute("select is_ledger, ledger_id from billing.ledger").fetchall()
    if [is_ledger for is_ledger, _ in ledgers] != [True]:
        raise BooksFault("the ledger's id", "it is not one row that says so")
    previous_hash = genesis(ledgers[0][1])
    postings = list(read_postings(connection))
    for posting in postings:
        _require_own_hash(posting)
    for posting in postings:
        number += 1
        _require_posting(posting, number=number, position=position, previous_hash=previous_hash)
        own = []
        for line in islice(lines, posting.line_count):
            fault = _line_fault(line, position=position + 1, previous_hash=head)
            if fault:
                raise _named(line, fault, lines, position)
            own.append(line)
            position, head = line.chain_position, line.line_hash
        name = f"posting {number}"
        if len(own) != posting.line_count:
            raise BooksFault(name, f"of its {posting.line_count} lines {len(own)} are there", position)
        if sums_of(own) != posting.sums or head != posting.head_hash:
            raise BooksFault(name, "its lines do not come to its sums, or do not end in its head", position)
        hashes = [statement for _, statement in statements.pop(number, [])]
        if len(hashes) != posting.statement_count or statements_digest(hashes) != posting.statements_sha256:
            raise BooksFault(name, f"its {posting.statement_count} statements are not the {len(hashes)} that are there")
        _require_decisions(posting, decisions, after=decided)
        decided, previous_hash = posting.decisions_through, posting.posting_hash
        yield posting, position
    for line in lines:
        raise _named(line, f"it belongs to no posting: they end at {number}", lines, position)
    for others in statements.values():
        raise BooksFault(others[0][0], f"its posting is not there: they end at {number}")


def _named(line: Line, fault: str, rest: Iterator[Line], position: int) -> BooksFault:
    """The line that shows the fault; where a later one was changed, that one is the cause."""
    if line.computed_hash() == line.line_hash:
        for other in rest:
            if other.computed_hash() != other.line_hash:
                return BooksFault(f"line {other.line_item_id}", _CHANGED, position)
    return BooksFault(f"line {line.line_item_id}", fault, position)


_CHANGED = "its columns do not give its hash: it was changed"


def _require_own_hash(posting: Posting) -> None:
    name = f"posting {posting.posting_number}"
    if posting.hash_version != HASH_VERSION:
        raise BooksFault(name, f"its hash version {posting.hash_version} is unknown")
    if posting.computed_hash() != posting.posting_hash:
        raise BooksFault(name, _CHANGED)


def _require_posting(posting: Posting, *, number: int, position: int, previous_hash: str) -> None:
    name = f"posting {posting.posting_number}"
    if posting.posting_number != number:
        raise BooksFault(name, f"posting {number} is missing before it")
    if posting.previous_hash != previous_hash:
        raise BooksFault(name, "it does not follow the hash of the posting before it, or of the ledger's id")
    if posting.first_position != position + 1:
        raise BooksFault(name, f"it starts at position {posting.first_position}, and {position + 1} would be next")


def _line_fault(line: Line, *, position: int, previous_hash: str) -> str | None:
    if line.hash_version != HASH_VERSION:
        return f"its hash version {line.hash_version} is unknown"
    if line.chain_position != position:
        return f"it stands at position {line.chain_position}, and {position} is missing"
    if line.previous_hash != previous_hash:
        return "it does not follow the hash of the line before it"
    if line.computed_hash() != line.line_hash:
        return _CHANGED
    if line.line_item_id != line_item_id(line.idempotency_key):
        return "its id is not that of its key"
    return None


def _require_decisions(posting: Posting, decisions: dict[int, str], *, after: int) -> None:
    covered = {number: found for number, found in decisions.items() if after < number <= posting.decisions_through}
    if len(covered) != len(posting.decision_hashes):
        raise BooksFault(
            f"posting {posting.posting_number}",
            f"it covers {len(posting.decision_hashes)} decisions after {after}, and {len(covered)} are there",
        )
    for (decision_id, found), held in zip(covered.items(), posting.decision_hashes, strict=True):
        if found != held:
            raise BooksFault(
                f"decision {decision_id}", f"it is not what posting {posting.posting_number} covers: it was changed"
            )


def _require_deliveries(connection: psycopg.Connection, postings: list[Posting]) -> int:
    """Each delivery is of a posting with lines; how many of those have none yet."""
    from slaledger.delivery import manifest_key

    keys = {posting.posting_number: manifest_key(posting) for posting in postings if posting.line_count}
    delivered = connection.execute(
        "select posting_number, manifest_key from billing.deliveries order by posting_number"
    ).fetchall()
    for number, key in delivered:
        if keys.get(number) != key:
            raise BooksFault(
                f"delivery of posting {number}", f"{key} is not the manifest of a posting with this number"
            )
    return len(keys) - len(delivered)
