"""The command line `sla`: thin; what it does is in the modules that it calls."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from slaledger.settings import Settings
    from slaledger.terms import Document, Landed

app = typer.Typer(
    help="slaledger: SLA accounting, from exports in S3 to credit line items.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
terms_app = typer.Typer(help="Terms documents.", no_args_is_help=True)
app.add_typer(terms_app, name="terms")

# Piped output is as wide as its longest table: cut figures are worse than long lines.
out = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
err = Console(stderr=True, width=None if sys.stderr.isatty() else 200, highlight=False)

By = Annotated[str, typer.Option("--by", help="Who decides: a person's name.")]
Because = Annotated[str, typer.Option("--because", help="Why.")]


def main() -> None:
    """Run the command line; what goes wrong is told in a sentence."""
    from slaledger import failures

    with failures.told():
        app()


@app.command()
def up() -> None:
    """Start the embedded stack: PostgreSQL, an S3 endpoint, Airflow with its page."""
    from slaledger import reports, settings, stack

    with out.status("Starting…") as status:
        state = stack.up(settings.home(), lambda text: status.update(f"Starting: {escape(text)}"))
    out.print(reports.stack_table(state.home, stack.status(state.home)))
    out.print(reports.logins(state))


@app.command()
def down() -> None:
    """Stop the embedded stack; what it holds stays."""
    from slaledger import settings, stack

    stack.down(settings.home())
    out.print("The stack is down.")


@app.command()
def status() -> None:
    """Show the embedded stack. Exit 0 where all of it answers, else 1."""
    from slaledger import reports, settings, stack

    parts = stack.status(settings.home())
    out.print(reports.stack_table(settings.home(), parts))
    if not all(part.is_answering for part in parts):
        raise typer.Exit(1)


@app.command()
def put(directory: Annotated[Path, typer.Argument(help="The tree; relative paths become keys.")]) -> None:
    """Upload a tree of exports to the bucket."""
    from rich.progress import Progress

    from slaledger import settings, uploads

    loaded = settings.load()
    with Progress(console=err, transient=True) as bar:
        task = bar.add_task("Uploading", total=len(uploads.plan(directory)))
        done = uploads.put(loaded, directory, on_upload=lambda _: bar.advance(task))
    out.print(f"{len(done)} objects uploaded to s3://{loaded.exports.bucket}.")


@app.command()
def run(
    month: Annotated[str, typer.Option("--month", help="The service month, YYYY-MM.")],
    as_of: Annotated[str | None, typer.Option("--as-of", help="An instant with an offset; default: now.")] = None,
    close: Annotated[bool, typer.Option("--close", help="Close the month: statements and credit lines.")] = False,
) -> None:
    """Have Airflow's scheduler account a service month on all that is in the bucket.

    Exit 0: done. 1: it failed. 2: bad arguments, or a month that is not over.
    3: a validation, the terms' lint or the quarantine limit stopped it.
    4: held or blocked account-months are left; the rest is done.
    """
    from slaledger import months, reports, settings
    from slaledger import run as runs
    from slaledger.stack.airflow_api import AirflowApi

    with _bad_arguments():
        service_month = months.parse_month(month)
        # Fixed here, at the start of the run, and recorded with it.
        instant = months.parse_instant(as_of) if as_of else datetime.now(UTC)
    loaded = settings.load()
    api = AirflowApi(**dataclasses.asdict(settings.load_airflow()))
    try:
        with reports.run_progress(err) as show:
            result = runs.run_month(
                loaded,
                api,
                month=service_month,
                as_of=instant,
                is_closing=close,
                prepared_by=settings.user_name(),
                on_progress=show,
            )
    except KeyboardInterrupt:
        err.print(f"Left alone: what it started goes on in Airflow ({api.url}). Run again to see how it ended.")
        raise typer.Exit(130) from None
    for report in reports.month_reports(result, month=month, is_closing=close):
        out.print(report)
    raise typer.Exit(result.exit_code)


@app.command()
def pending() -> None:
    """List what waits for a person's decision."""
    from slaledger import approvals, reports

    out.print(reports.pending_table(approvals.pending(_books())))


Decided = Annotated[str, typer.Argument(metavar="ID", help="An id of `sla pending`.")]


@app.command()
def approve(pending_id: Decided, by: By, because: Because) -> None:
    """Approve what `sla pending` lists."""
    _decide(pending_id, is_approved=True, by=by, because=because)


@app.command()
def reject(pending_id: Decided, by: By, because: Because) -> None:
    """Reject what `sla pending` lists."""
    _decide(pending_id, is_approved=False, by=by, because=because)


def _decide(pending_id: str, *, is_approved: bool, by: str, because: str) -> None:
    from slaledger import approvals

    message = approvals.decide(_books(), pending_id, is_approved=is_approved, by=by, because=because)
    out.print(f"{escape(str(message))}\nThe next `sla run --close` acts on it.")


@app.command()
def goodwill(
    contract: Annotated[str, typer.Argument(help="The contract.")],
    month: Annotated[str, typer.Option("--month", help="The service month, YYYY-MM.")],
    amount: Annotated[str, typer.Option("--amount", help="In the currency of the contract's fee.")],
    by: By,
    because: Because,
) -> None:
    """Append a goodwill line that a named person approves: never an SLA credit (rule L4).

    Whoever types this prepares it (SLA_USER, else the system's user); --by names somebody else.
    """
    from slaledger import approvals, delivery, ledger, months

    with _bad_arguments():
        service_month = months.parse_month(month)
    loaded = _books()
    ledger.require_not_behind(loaded)
    line = approvals.goodwill(
        loaded,
        contract_id=contract,
        service_month=service_month,
        amount=amount,
        by=by,
        because=because,
    )
    given = "appended" if line.is_new else "given before: nothing appended"
    out.print(f"Goodwill line {line} of {line.amount:f} {line.currency} {given}.")
    try:
        delivery.deliver(loaded, run_id=line.run_id)
    except Exception:
        err.print("The line is in the ledger, but not in the billing drop: type the same command again to deliver it.")
        raise


@app.command()
def explain(line_item_id: Annotated[str, typer.Argument(help="A credit line item.")]) -> None:
    """Show a line's whole arithmetic, down to the objects and rows it rests on."""
    from slaledger import evidence

    out.print(evidence.explain(_books(), line_item_id))


@app.command()
def verify(
    line_item_id: Annotated[str | None, typer.Argument(help="A credit line item: recompute its account-month.")] = None,
    is_all: Annotated[bool, typer.Option("--all", help="Recompute every month that was closed.")] = False,
) -> None:
    """Recompute every row of the ledger, and compare its anchors and drops in the bucket. Exit 0: it holds; else 1.

    With a line, or --all: also recompute what was posted from the objects in the bucket, by a second route.
    """
    from slaledger import evidence

    if line_item_id and is_all:
        raise typer.BadParameter("Either a line or --all.")
    loaded = _books()
    if line_item_id:
        report = evidence.verify_line(loaded, line_item_id)
    else:
        report = evidence.verify_all(loaded) if is_all else evidence.verify_books(loaded)
    out.print(str(report), markup=False, soft_wrap=True)
    if not report.is_intact:
        raise typer.Exit(1)


@app.command()
def dsn() -> None:
    """Print the warehouse's connection string."""
    from slaledger import settings

    print(settings.load().warehouse.dsn)


@terms_app.command("lint")
def terms_lint(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="Terms documents; of a directory its *.yml and *.yaml.", exists=True, readable=True
        ),
    ],
) -> None:
    """Lint terms documents: each, then beside each other, the shipped ones and what has landed (where a stack is up).

    Exit 3: one has a fault. 2: one is no file that can be read.
    """
    from slaledger import terms

    files = terms.files_of(paths)
    _without_faults(files, _landed_terms())
    out.print(f"{len(files)} {'file' if len(files) == 1 else 'files'}, no fault.")


@terms_app.command("show")
def terms_show(
    terms_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the terms: klink-enterprise, say.")],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE", help="Documents to count as landed; they are linted first.", exists=True, readable=True
        ),
    ] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="An instant with an offset; default: now.")] = None,
) -> None:
    """Show terms as the tables of a published SLA, in the version in force: shipped ones, and what has landed.

    Exit 2: there are no such terms, or no version of them is in force at the instant. 3: a file has a fault.
    """
    from slaledger import months, terms

    with _bad_arguments():
        instant = months.parse_instant(as_of) if as_of else datetime.now(UTC)
    landed, files = _landed_terms(), terms.files_of(paths or [])
    drafts = _without_faults(files, landed) if files else []
    for table in terms.tables(terms.version_in_force(terms_id, instant, landed, drafts=drafts)):
        out.print(table, "")


def _without_faults(files: list[Path], landed: Landed | None) -> list[Document]:
    """The terms documents of files; where they have faults, these are told, and it ends with exit 3."""
    from slaledger import terms

    documents, faults = terms.lint_files(files, landed)
    for name, fault in faults:
        out.print(f"{name}:{fault.line}: {fault.message}", markup=False, soft_wrap=True)
    if landed is None:
        err.print("Held against the standard terms alone: neither a catalog nor what has landed is known here.")
    if faults:
        raise typer.Exit(3)
    return documents


def _landed_terms() -> Landed | None:
    """What a warehouse has of terms, where one is named and answers."""
    from slaledger import settings, terms
    from slaledger.warehouse import WarehouseUnreachable

    try:
        loaded = settings.load()
    except settings.SettingsError:
        return None
    try:
        return terms.read_landed(loaded)
    except WarehouseUnreachable as error:
        err.print(f"[yellow]Only the shipped terms are known:[/yellow] {escape(str(error))}", soft_wrap=True)
        return None


def _books() -> Settings:
    """The settings, where the database is at this code's last migration."""
    from slaledger import settings, warehouse

    loaded = settings.load()
    warehouse.require_version(loaded.warehouse)
    return loaded


@contextmanager
def _bad_arguments() -> Iterator[None]:
    from slaledger.months import BadInstant, BadMonth

    try:
        yield
    except (BadInstant, BadMonth) as error:
        raise typer.BadParameter(str(error)) from None


if __name__ == "__main__":
    main()
