"""What the command line shows: tables of figures, decisions and the stack. Reckons nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from slaledger.run import MonthFigure, Progress, RunResult
    from slaledger.stack import PartStatus, StackState

# A table of more rows than a person reads; the marts have them all.
MOST_ROWS = 200
# What a person does about an account-month that is left, by its reason.
REMEDIES = {
    "unknown_time_changes_tier": "Decide with `sla pending` and `sla approve` or `sla reject`, and run again.",
    "fee_missing": "Put its monthly fee for the month below accounts/fees/, and run again.",
    "currency_unknown": "Its currency {currency!r} is no ISO 4217 code with minor units: mend accounts/fees/.",
    "terms_unknown": "Put the terms that its contract names below terms/, or mend accounts/contracts/.",
    "terms_not_in_force": "No version of its terms is in force at the start of its measured period: mend terms/.",
}
STAGES = {"land_exports": "Landing", "account_month": "Accounting"}


@contextmanager
def run_progress(console: Console) -> Iterator[Callable[[Progress], None]]:
    """A bar a DAG: its tasks, which one is at work, and the objects and rows that have landed."""
    from rich import progress

    if not console.is_terminal:
        yield _plain_progress(console)
        return

    columns = (
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("{task.fields[stage]}"),
    )
    with progress.Progress(*columns, console=console) as bars:
        tasks: dict[str, Any] = {}

        def show(state: Progress) -> None:
            if state.dag_id not in tasks:
                tasks[state.dag_id] = bars.add_task(STAGES.get(state.dag_id, state.dag_id), total=None, stage="")
            at_work = ", ".join(state.at_work) or ("done" if state.ended == state.total else "queued")
            stage = f"{at_work} · {state.objects} objects, {state.rows:,} rows"
            bars.update(tasks[state.dag_id], completed=state.ended, total=state.total or None, stage=escape(stage))

        yield show


def _plain_progress(console: Console) -> Callable[[Progress], None]:
    """A line a stage, where there is no terminal to draw bars on."""
    told: set[tuple[str, ...]] = set()

    def show(state: Progress) -> None:
        stage = (state.dag_id, *state.at_work)
        if state.at_work and stage not in told:
            told.add(stage)
            at_work = ", ".join(state.at_work)
            console.print(
                f"{STAGES.get(state.dag_id, state.dag_id)} {state.ended}/{state.total}: {at_work} · "
                f"{state.objects} objects, {state.rows:,} rows",
                markup=False,
            )

    return show


def month_reports(result: RunResult, *, month: str, is_closing: bool) -> Iterator[RenderableType]:
    """The month's figures, what was warned of, what is left, and what was appended."""
    yield (
        f"{result.objects} objects landed by this run: {result.rows_read:,} rows read, "
        f"{result.rows_quarantined:,} quarantined."
    )
    for warning in result.warnings:
        yield (
            f"[yellow]warning[/yellow] {escape(warning['name'])} does not hold: {escape(warning['detail'])}. "
            f"{escape(warning['remedy'])}"
        )
    if not result.figures:
        yield f"[yellow]warning[/yellow] {month} has no contracts: nothing is reckoned for it."
        return
    yield _figures_table(result.figures, month)
    counts = Counter(figure.credit_status for figure in result.figures)
    yield "Credits: " + ", ".join(f"{number} {status}" for status, number in sorted(counts.items())) + "."
    for figure in result.left:
        reason = figure.reason or ""
        yield (
            f"[yellow]{figure.status}[/yellow] {escape(figure.contract_id)} ({escape(figure.account_id)}): {reason}. "
            f"{REMEDIES.get(reason, 'See `marts.fct_findings`.').format(currency=escape(figure.currency or ''))}"
        )
    if is_closing:
        if result.posted_as_of:
            yield (
                f"[yellow]warning[/yellow] {month} had been posted as of {result.posted_as_of.isoformat()}, which is "
                "later: it now stands as of this run's instant. If that was not meant, close it as of the later one."
            )
        for run_id in sorted({line["run_id"] for line in result.lines_of_others}):
            others = [line for line in result.lines_of_others if line["run_id"] == run_id]
            yield _lines_table(others, title=f"Appended by {escape(run_id)} while this run waited for it")
        nothing = "Nothing is owed beyond what was posted: no line appended."
        yield _lines_table(result.lines, title="Appended to billing.credit_line_items") if result.lines else nothing


def _figures_table(figures: list[MonthFigure], month: str) -> Table:
    table = Table(title=f"Service month {month}", title_justify="left")
    for name in ("account", "contract", "status", "reason"):
        table.add_column(name)
    for name in ("uptime %", "counted s", "excluded s", "unknown s", "credit %", "amount"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    table.add_column("credit")
    for figure in figures[:MOST_ROWS]:
        table.add_row(
            escape(figure.account_id),
            escape(figure.contract_id),
            figure.status,
            figure.reason or "",
            _uptime(figure),
            _number(figure.counted_seconds),
            _number(figure.excluded_seconds),
            _number(figure.unknown_seconds),
            _number(figure.credit_percent),
            # An amount keeps its minor units: 50.00.
            "" if figure.amount is None else f"{figure.amount:f}",
            escape(figure.currency or ""),
            _credit(figure),
        )
    if len(figures) > MOST_ROWS:
        table.caption = f"{len(figures) - MOST_ROWS} more are in marts.fct_account_months (`sla dsn`)"
    return table


def _credit(figure: MonthFigure) -> str:
    """What becomes of the credit, and of which: availability's goes without saying."""
    basis = "" if figure.basis == "availability" else f"{figure.basis}: "
    reason = f" ({figure.credit_reason})" if figure.credit_reason else ""
    return f"{basis}{figure.credit_status}{reason}"


def _uptime(figure: MonthFigure) -> str:
    """The figure, or the range that unknown time makes of it (rule D7)."""
    if figure.uptime_percent_low in (None, figure.uptime_percent):
        return _number(figure.uptime_percent)
    return f"{_number(figure.uptime_percent_low)} … {_number(figure.uptime_percent)}"


def _lines_table(lines: list[dict[str, Any]], *, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("line item", "type", "basis", "account", "contract"):
        table.add_column(name, no_wrap=name == "line item")
    table.add_column("amount", justify="right")
    table.add_column("")
    for line in lines[:MOST_ROWS]:
        table.add_row(
            str(line["line_item_id"]),
            line["entry_type"],
            line["basis"],
            escape(line["account_id"]),
            escape(line["contract_id"]),
            f"{line['amount']:f}",
            line["currency"],
        )
    return table


def pending_table(decisions: list[Any]) -> RenderableType:
    """What waits for a decision, with the id to type."""
    if not decisions:
        return "Nothing waits for a decision."
    table = Table(title="Waiting for a decision", title_justify="left", caption_justify="left")
    for name in ("id", "prepared by", "about"):
        table.add_column(name, no_wrap=name == "id")
    for decision in decisions:
        table.add_row(escape(decision.pending_id), escape(decision.preparers), escape(decision.description))
    table.caption = (
        "`sla approve ID --by NAME --because TEXT`, or `sla reject …`, by somebody else than who prepared it; or "
        "trigger decide_pending in Airflow's page."
    )
    return table


def stack_table(home: Path, parts: list[PartStatus]) -> Table:
    """The parts of the stack, whether they answer, and where."""
    table = Table(title=f"Stack in {home}", title_justify="left")
    for name in ("part", "state", "process", "address"):
        table.add_column(name)
    for part in parts:
        state = "up" if part.is_answering else "[red]does not answer[/red]" if part.is_running else "[red]down[/red]"
        table.add_row(part.name, state, str(part.pid or ""), part.address if part.is_running else "")
    return table


def logins(state: StackState) -> RenderableType:
    """Where Airflow's page is, and who may log in."""
    table = Table(title=f"Airflow: {state.airflow_url}", title_justify="left")
    for name in ("user", "password"):
        table.add_column(name)
    for user, password in state.users.items():
        table.add_row(user, escape(password))
    return table


def _number(value: Decimal | None) -> str:
    if value is None:
        return ""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
