"""Why a line is what it is: its arithmetic, and the way from it to the objects and rows it rests on (rule L6)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from slaledger.ledger.canonical import month_text, number_text
from slaledger.ledger.cases import Case, UnknownLine, read_case
from slaledger.ledger.faults import BooksFault
from slaledger.ledger.verification import BooksReport, verify_all, verify_books, verify_chain, verify_line
from slaledger.settings import Settings
from slaledger.warehouse import connect

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

__all__ = ["BooksReport", "UnknownLine", "explain", "verify_all", "verify_books", "verify_chain", "verify_line"]

LINES = "line: the one that the row starts on; in JSON and Parquet, its place among the object's rows, from 1."


def explain(settings: Settings, line_item_id: str) -> RenderableType:
    """A line's whole arithmetic down to objects (key, version, SHA-256) and rows, as Rich text.

    It is told from what was stored with the line, whatever the marts say now. Raises `UnknownLine`, and `BooksFault`
    where that is not there, or not as a posting writes it.
    """
    from rich.console import Group

    with connect(settings.warehouse, role="sla_auditor") as connection:
        case = read_case(connection, line_item_id)
    try:
        return Group(*(part for part in _parts(case) if part is not None))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise BooksFault(
            f"evidence {case.line.evidence_sha256}",
            f"it does not say what the line rests on as a posting writes it ({type(error).__name__}: {error}); "
            "`sla verify` tells whether it was changed",
        ) from error


def _parts(case: Case) -> list[RenderableType | None]:
    own = [_headline(case), _lines(case)]
    if case.line.entry_type != "goodwill":
        own += [_uptime(case), _amount(case), _terms(case), _claims(case), _decisions(case)]
        own += [_segments(case), _monitors(case), _breaches(case), _rows(case), _checks(case)]
    return [*own, _objects(case), _provenance(case)]


def _headline(case: Case) -> RenderableType:
    line = case.line
    what = {"credit": "Credit", "adjustment": "Adjustment", "goodwill": "Goodwill"}[line.entry_type]
    by = f", by {line.approved_by}" if line.approved_by else ""
    return _facts(
        f"{what} of {line.amount:f} {line.currency}",
        [
            ("line item", line.line_item_id),
            ("for", f"account {line.account_id}, contract {line.contract_id}, {month_text(line.service_month)}"),
            ("basis", line.basis),
            ("because", f"{line.reason}{by}"),
            ("settled", f"on invoices from {line.applies_from}; never cash"),
        ],
    )


def _lines(case: Case) -> Table:
    table = _table("All lines of the account-month", "line item", "type", "basis", "amount", "")
    for item_id, entry_type, amount, currency, basis in case.siblings:
        mark = "this one" if item_id == case.line.line_item_id else ""
        _add(table, item_id, entry_type, basis, f"{amount:f} {currency}", mark)
    return table


def _uptime(case: Case) -> Table | None:
    month = case.month
    if not month or month["uptime_percent"] is None:
        return None
    measured = Decimal(month["measured_seconds"])
    parts = {name: Decimal(month[f"{name}_seconds"]) for name in ("counted", "excluded", "unknown")}
    up = measured - sum(parts.values())
    document = _threshold_terms(case).get("document", {})
    base = measured
    if document.get("availability", {}).get("excluded_time") == "out_of_base":
        base -= parts["excluded"]
    return _facts(
        "Uptime",
        [
            ("measured period", f"{month['measured_from']} to {month['measured_until']}"),
            ("measured", f"{number_text(measured)} s"),
            ("downtime that counts", f"{number_text(parts['counted'])} s"),
            ("excluded", f"{number_text(parts['excluded'])} s"),
            ("unknown", f"{number_text(parts['unknown'])} s"),
            ("up", f"{number_text(up)} s = the measured period less the three"),
            (
                "uptime",
                f"100 × (1 − {number_text(parts['counted'])} / {number_text(base)}) = "
                f"{Decimal(month['uptime_percent']):.12f} % (cut, never rounded up)",
            ),
            ("if unknown time is down", f"{Decimal(month['uptime_percent_low']):.12f} %"),
            ("committed", f"{number_text(Decimal(month['commitment_percent']))} %: {_met(month)}"),
        ],
    )


def _met(month: dict[str, Any]) -> str:
    return "met" if month["met"] else "missed"


def _amount(case: Case) -> Table:
    line, credit = case.line, case.credit
    facts: list[tuple[str, object]] = []
    if credit.get("credit_percent") is not None and credit.get("monthly_fee") is not None:
        percent, fee = Decimal(credit["credit_percent"]), Decimal(credit["monthly_fee"])
        with localcontext(prec=60):
            unrounded = fee * percent / 100
        tiers = _threshold_terms(case).get("credit_tiers", [])
        tier = next((tier for tier in tiers if Decimal(tier["percent"]) == percent), None)
        if line.basis == "availability" and tier:
            facts.append(("tier", f"uptime below {tier['below']} % → {number_text(percent)} %"))
        facts.append(
            (
                "fee × percent",
                f"{fee:f} {credit['currency']} × {number_text(percent)} % = {number_text(unrounded)} → "
                f"{Decimal(credit['amount'] or 0):f} {credit['currency']} (half up, once)",
            )
        )
    facts.append(("status of the credit", credit.get("status", "none: the account-month is no more")))
    if line.entry_type == "adjustment":
        facts.append(("adjusted by", f"{line.amount:f} {line.currency}. {line.reason}"))
        facts.append(("corrects", line.corrects_line_item_id))
    if case.decision:
        by, because, at = case.decision
        facts.append(("approved", f"by {by} at {at}: {because}"))
    return _facts("Amount", facts)


def _threshold_terms(case: Case) -> dict[str, Any]:
    return next((terms for terms in case.evidence["terms"] if terms["has_thresholds"]), {})


def _terms(case: Case) -> Table:
    table = _table("Terms in force in the measured period", "terms", "version", "from", "decides")
    for terms in case.evidence["terms"]:
        decides = (
            "tiers, commitment, claims" if terms["has_thresholds"] else "what is downtime or excluded, from then on"
        )
        _add(table, terms["terms_id"], terms["terms_version"], terms["effective_from"], decides)
    return table


def _claims(case: Case) -> Table | None:
    if not case.evidence["claims"]:
        return None
    table = _table("Claims", "claim", "received", "complete", "deadline", "status", "reason")
    for claim in case.evidence["claims"]:
        times = [claim[name] or "never" for name in ("received_at", "complete_at", "deadline_at")]
        mark = " (credited)" if claim["claim_id"] == case.line.claim_id else ""
        _add(table, claim["claim_id"] + mark, *times, claim["status"], claim["reason"] or "")
    return table


def _decisions(case: Case) -> Table | None:
    if not case.evidence["decisions"]:
        return None
    table = _table("Decisions by named people", "about", "decided", "by", "because", "at")
    for decision in case.evidence["decisions"]:
        verdict = "approved" if decision["is_approved"] else "rejected"
        about = f"{decision['kind']} {decision['subject']}"
        _add(table, about, verdict, decision["decided_by"], decision["because"], decision["decided_at"])
    return table


def _segments(case: Case) -> Table | None:
    if not case.evidence["segments"]:
        return None
    table = _table("Downtime", "from", "to", "kind", "services", "excluded as", "sources")
    for segment in case.evidence["segments"]:
        lists = [", ".join(segment[name] or []) for name in ("services", "categories", "source_ids")]
        _add(table, segment["started_at"], segment["ended_at"], segment["kind"], *lists)
    return table


def _monitors(case: Case) -> Table | None:
    monitors = [row for row in case.evidence["rows"] if row["kind"] == "monitor"]
    if not monitors:
        return None
    table = _table("How its monitors make downtime", "monitor", "rule")
    for row in monitors:
        _add(table, row["id"], _monitor_rule(row["content"]))
    return table


def _monitor_rule(monitor: Mapping[str, Any]) -> str:
    """What checks of a monitor of the catalog make of a location, in words (rules M2 and M3)."""
    confirm = monitor["confirm"] or 1
    stale = number_text(Decimal(monitor["stale_after_seconds"] or 2 * monitor["interval_seconds"]))
    begin = "each down check" if confirm == 1 else f"the first of {confirm} consecutive down checks (fewer are up)"
    return (
        f"A location is down from {begin} to its next check that is not down, or to {stale} s after its last down "
        f"check if that is earlier; without a check for {stale} s it is unknown."
    )


def _breaches(case: Case) -> Table | None:
    if case.line.basis != "response_time" or not case.evidence["breaches"]:
        return None
    table = _table("Breached response times", "ticket", "severity", "created", "due", "first human reply")
    for ticket in case.evidence["breaches"]:
        times = [ticket[name] or "never" for name in ("created_at", "due_at", "first_human_reply_at")]
        _add(table, ticket["ticket_id"], ticket["severity"], *times)
    return table


def _rows(case: Case) -> Table:
    keys = {item["object_id"]: item["key"] for item in case.evidence["objects"]}
    table = _table("Rows it rests on", "kind", "id", "says", "object", "line")
    table.caption, table.caption_justify = LINES, "left"
    for row in case.evidence["rows"]:
        says = ", ".join(
            f"{name} {_short(value)}" for name, value in row["content"].items() if value not in (None, [], "")
        )
        _add(table, row["kind"], row["id"], says, keys.get(row["object_id"], row["object_id"]), row["line_number"])
    return table


def _short(value: object) -> str:
    if isinstance(value, list):
        return f"[{len(value)}]" if value and isinstance(value[0], dict) else ", ".join(map(str, value))
    return str(value)


def _checks(case: Case) -> Table | None:
    if not case.evidence["checks"]:
        return None
    keys = {item["object_id"]: item["key"] for item in case.evidence["objects"]}
    table = _table("Checks that were not up", "monitor", "location", "status", "first", "last", "checks", "object")
    for streak in case.evidence["checks"]:
        names = [streak[name] for name in ("monitor_id", "location", "status", "first_at", "last_at", "n")]
        _add(table, *names, keys.get(streak["object_id"], streak["object_id"]))
    return table


def _objects(case: Case) -> Table:
    table = _table("Objects", "key", "version", "sha256", "exported")
    for item in case.evidence["objects"]:
        _add(table, item["key"], item["version_id"], item["sha256"], item["exported_at"])
    return table


def _provenance(case: Case) -> Table:
    line = case.line
    return _facts(
        "Where it stands",
        [
            ("statement", f"{line.statement_id}, revision {case.revision}, as of {case.as_of}"),
            ("terms", f"{line.terms_id} {line.terms_version}"),
            ("evidence", f"{line.evidence_sha256} (`billing.evidence`)"),
            ("inputs", f"{case.evidence['inputs_sha256']}: {case.inputs} objects (`billing.evidence`)"),
            ("run", line.run_id),
            ("code, time zones", f"{line.code_version}, {line.tzdata_version}"),
            ("recorded", line.recorded_at.isoformat()),
            ("chain position", f"{line.chain_position}, hash version {line.hash_version}"),
            ("previous hash", line.previous_hash),
            ("hash", line.line_hash),
            ("idempotency key", line.idempotency_key),
        ],
    )


def _table(title: str, *names: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _facts(title: str, facts: list[tuple[str, object]]) -> Table:
    table = _table(title, "", "")
    table.show_header = False
    for name, value in facts:
        _add(table, name, value)
    return table


def _add(table: Table, *cells: object) -> None:
    from rich.text import Text

    table.add_row(*(Text(str(cell)) for cell in cells))
