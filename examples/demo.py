"""`make demo`: the sample month, from nothing to its credit lines, by the commands that a user types.

Runs as often as you like: the second time nothing is appended, since nothing more is owed.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from generate import generate
from rich.console import Console
from rich.markup import escape
from rich.table import Table

SLA = Path(sys.executable).with_name("sla")
EXAMPLES_DIR = Path(__file__).resolve().parent
MONTH = "2026-03"
AS_OF = "2026-04-20T00:00:00Z"
HELD_OR_BLOCKED = 4

LINES = """
select
    line_item_id, account_id, contract_id, basis, entry_type, uptime_percent, credit_percent, monthly_fee,
    amount, currency
from billing.credit_line_items
where service_month = %s
order by contract_id, basis, ordinal
"""

console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def main() -> None:
    """Brings the stack up, puts the sample month into it, closes the month and shows what came of it."""
    _sla("up")
    before = {line["line_item_id"] for line in _lines()}
    with tempfile.TemporaryDirectory(prefix="slaledger-sample-") as directory:
        n_files = generate(Path(directory))
        _say(f"The sample month: {n_files} files made by examples/generate.py (the story: examples/README.md).")
        _sla("put", directory)
    exit_code = _sla("run", "--month", MONTH, "--as-of", AS_OF, "--close", allowed=(0, HELD_OR_BLOCKED))
    lines = _lines()
    console.print(_table(lines))
    new = [line for line in lines if line["line_item_id"] not in before]
    if before:
        _say(f"{len(before)} lines were in the ledger already; this run appended {len(new) or 'nothing'}.")
    _compare(lines)
    if lines:
        _say("One line, down to the objects that it rests on:")
        _sla("explain", str(lines[0]["line_item_id"]))
    if exit_code == HELD_OR_BLOCKED:
        _tell_of_the_held()
        _sla("pending")
    _tell_where_to_look()


def _sla(*arguments: str, allowed: tuple[int, ...] = (0,)) -> int:
    console.print(f"\n[bold]$ sla {escape(' '.join(arguments))}[/bold]")
    exit_code = subprocess.run([SLA, *arguments], check=False).returncode
    if exit_code not in allowed:
        _say(f"`sla {arguments[0]}` ended with exit code {exit_code}: what it says above is why the demo stops here.")
        sys.exit(exit_code)
    return exit_code


def _lines() -> list[dict[str, Any]]:
    import psycopg
    from psycopg.rows import dict_row

    dsn = subprocess.run([SLA, "dsn"], check=True, capture_output=True, text=True).stdout.strip()
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        return connection.execute(LINES, [f"{MONTH}-01"]).fetchall()


def _table(lines: list[dict[str, Any]]) -> Table:
    table = Table(title=f"Credit line items of {MONTH}", title_justify="left")
    for name in ("line", "account", "contract", "basis", "entry"):
        table.add_column(name, no_wrap=True)
    for name in ("uptime %", "credit %", "monthly fee", "amount"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for line in lines:
        table.add_row(*(escape("" if value is None else str(value)) for value in line.values()))
    return table


def _compare(lines: list[dict[str, Any]]) -> None:
    """Says whether the ledger's credits are the ones that were reckoned by hand."""
    with (EXAMPLES_DIR / "expected.csv").open(newline="", encoding="utf-8") as file:
        expected = {
            (row["contract_id"], row["basis"]): (Decimal(row["amount"]), row["currency"])
            for row in csv.DictReader(file)
            if row["credit_status"] == "owed" and Decimal(row["amount"])
        }
    booked: dict[tuple[str, str], tuple[Decimal, str]] = {}
    for line in lines:
        if line["entry_type"] != "goodwill":
            key = (line["contract_id"], line["basis"])
            booked[key] = (booked.get(key, (Decimal(0), ""))[0] + line["amount"], line["currency"])
    if booked == expected:
        _say(f"All {len(expected)} credits are as reckoned by hand (examples/expected.csv).")
    else:
        differing = sorted({contract for contract, _ in dict(booked.items() ^ expected.items())})
        _say(
            "[yellow]Not as reckoned by hand[/yellow] (examples/expected.csv): "
            f"{', '.join(differing)}. If you decided on a held month or a claim, or put other exports, that is why."
        )


def _tell_of_the_held() -> None:
    _say(
        "[bold]con-57, Aurora Bank, is held, and that is right[/bold] (exit code 4). On 25 March all US probes were "
        "silent from 12:02 to 12:12: 600 seconds that nobody can call up or down. On the public terms it makes no "
        "difference: 1,080 s of downtime and 1,080 + 600 = 1,680 s are both under the 2,678.4 s that 99.9 % allows. "
        "Aurora was promised 99.95 %, which allows 1,339.2 s: 0 % or 5 % of USD 20,000.00 hangs on those ten minutes. "
        "So nothing is booked until a named person decides, and every other account-month is closed."
    )


def _tell_where_to_look() -> None:
    from slaledger import settings

    airflow = json.loads(settings.stack_state_path().read_text(encoding="utf-8"))["airflow"]
    users = airflow["users"]
    data_docs = settings.home() / "data_docs" / "index.html"
    _say("Where to look next")
    for what, where in (
        ("Airflow's page", f"{airflow['url']} (user admin, password {users['admin']})"),
        ("to decide there", f"user billing, password {users['billing']}: admin is whom `sla run` asked as"),
        ("Data Docs of the gates", f"in the page's menu, and {data_docs}"),
        ("the books", "psql \"$(.venv/bin/sla dsn)\" -c 'select * from marts.fct_account_months'"),
        ("what waits for a person", ".venv/bin/sla pending"),
        ("stop it all", ".venv/bin/sla down"),
    ):
        console.print(f"  {what:<24} {escape(where)}", soft_wrap=True)


def _say(text: str) -> None:
    console.print(f"\n{text}")


if __name__ == "__main__":
    os.chdir(EXAMPLES_DIR.parent)
    main()
