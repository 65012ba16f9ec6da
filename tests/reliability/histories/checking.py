"""What the books must say after each step of the histories. Every failure is an AssertionError that names its row."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg.rows import dict_row

from slaledger import evidence, objects
from slaledger.settings import Settings
from slaledger.warehouse import connect

Row = dict[str, Any]
Key = tuple[str, str, str]  # contract, month (YYYY-MM), basis
SETTLED = ("owed", "not_eligible", "eligible_unclaimed", "expired")


@dataclass(frozen=True)
class Books:
    """The books as they are: what the sums rest on, every row of every table as text, and the drop's objects."""

    lines: list[Row]  # in the order of the chain
    texts: dict[str, frozenset[str]]  # table of `billing` -> its rows as text
    drops: dict[str, tuple[bytes, ...]]  # of each key all versions: there is one

    def sums(self) -> dict[Key, dict[str, Decimal]]:
        """What the lines of each contract, month and basis add up to, by currency."""
        found: dict[Key, dict[str, Decimal]] = defaultdict(dict)
        for line in self.lines:
            of_key = found[key_of(line)]
            of_key[line["currency"]] = of_key.get(line["currency"], Decimal(0)) + line["amount"]
        return found


@dataclass(frozen=True)
class Refusal:
    """A decrease that a person rejected: it stands while the same is owed and the same lines are posted."""

    key: Key
    currency: str
    owed: Decimal
    line_item_ids: tuple[str, ...]


def key_of(row: Row) -> Key:
    """Of a line or a credit."""
    return row["contract_id"], row["service_month"], row["basis"]


def read_books(settings: Settings, bodies: dict[tuple[str, str], bytes] | None = None) -> Books:
    """The books as they are now; of the drop's object versions those are not fetched that are among `bodies`."""
    with connect(settings.warehouse) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'billing'").fetchall()
        texts = {
            table: frozenset(
                text for (text,) in connection.execute(f"select books::text from billing.{table} as books")
            )
            for (table,) in tables
        }
        lines = (
            connection.cursor(row_factory=dict_row)
            .execute(
                "select line_item_id::text, contract_id, to_char(service_month, 'YYYY-MM') as service_month, basis,"
                " currency, amount, entry_type, ordinal, chain_position, run_id"
                " from billing.credit_line_items where entry_type <> 'goodwill' order by chain_position"
            )
            .fetchall()
        )
    bodies = {} if bodies is None else bodies
    drops: dict[str, tuple[bytes, ...]] = defaultdict(tuple)
    for version in objects.list_versions(settings.exports, prefix="billing/"):
        of_version = (version.key, version.version_id)
        if of_version not in bodies:
            bodies[of_version] = objects.get(settings.exports, version.key)
        drops[version.key] += (bodies[of_version],)
    return Books(lines, texts, dict(drops))


def check_unchanged(before: Books, after: Books) -> None:
    """Whatever was in the books, or in the drop, is there still, byte for byte; lines only follow."""
    assert after.lines[: len(before.lines)] == before.lines, "lines that were posted are not what they were"
    for table, rows in before.texts.items():
        gone = sorted(rows - after.texts[table])
        assert not gone, f"{len(gone)} rows of billing.{table} are not what they were: {gone[:3]}"
    for key, versions in before.drops.items():
        assert after.drops.get(key) == versions, f"{key} of the drop is not what it was"


def check_invariants(settings: Settings, books: Books) -> None:
    """The chain holds, ordinals follow one another, and no sum was ever below zero."""
    report = evidence.verify_chain(settings)
    assert report.is_intact, str(report)
    sums: dict[tuple[Key, str], Decimal] = defaultdict(Decimal)
    ordinals: dict[Key, int] = defaultdict(int)
    for line in books.lines:
        key = key_of(line)
        ordinals[key] += 1
        assert line["ordinal"] == ordinals[key], f"line {ordinals[key]} of {key} has the ordinal {line['ordinal']}"
        sums[key, line["currency"]] += line["amount"]
        assert sums[key, line["currency"]] >= 0, f"{key} is at {sums[key, line['currency']]} {line['currency']}"


def check_owed(
    before: Books,
    after: Books,
    *,
    month: str,
    account_months: Iterable[Row],
    credits: Iterable[Row],
    refusals: Iterable[Refusal],
    pending: Iterable[str],
) -> Counter[str]:
    """What the lines of the month add up to is what is owed, or a decrease is refused or waits for a person (L2, L3).

    `account_months` and `credits` are of a computation from scratch, `pending` the ids that wait for a person. A line
    that was appended brought its sum to what is owed; of what is held, blocked or not decided none was. Returns how
    many account-months and bases were in which state.
    """
    status = {row["contract_id"]: row["status"] for row in account_months}
    owed = {key_of(row): row for row in credits}
    sums, sums_before = after.sums(), before.sums()
    refused = set(refusals)
    waiting = set(pending)
    moved = {(key_of(line), line["currency"]) for line in after.lines[len(before.lines) :]}
    found: Counter[str] = Counter()
    for key in sorted(owed.keys() | {key for key in sums if key[1] == month}):
        posted = sums.get(key, {})
        credit = owed.get(key)
        if status.get(key[0], "measured") != "measured" or (credit and credit["status"] not in SETTLED):
            assert posted == sums_before.get(key, {}), f"{key} is not settled, and has new lines: {posted}"
            found["unsettled"] += 1
            continue
        due = owed_by_currency(credit)
        is_waiting = any(each.startswith(f"decrease:{':'.join(key)}") for each in waiting)
        over = {
            currency: (due.get(currency, Decimal(0)), amount)
            for currency, amount in posted.items()
            if amount > due.get(currency, Decimal(0))
        }
        for currency, (amount_owed, amount_posted) in over.items():
            assert (key, currency) not in moved, (
                f"{key}: now {amount_posted} {currency} are posted, and {amount_owed} owed"
            )
            item_ids = tuple(
                line["line_item_id"] for line in after.lines if key_of(line) == key and line["currency"] == currency
            )
            is_refused = Refusal(key, currency, amount_owed, item_ids) in refused
            assert is_refused or is_waiting, (
                f"{key}: {amount_posted} {currency} posted, {amount_owed} owed, and nobody decided or is asked"
            )
            found["refused" if is_refused else "overpaid"] += 1
        for currency, amount_owed in due.items():
            if posted.get(currency, Decimal(0)) < amount_owed:
                assert over, f"{key}: {posted.get(currency, 0)} {currency} posted, {amount_owed} owed"
                found["waiting behind another currency"] += 1
        if not over:
            assert {currency: amount for currency, amount in posted.items() if amount} == due, (
                f"{key}: {posted} posted, {due} owed"
            )
            assert not is_waiting, f"{key}: {posted} posted, just that is owed, and somebody is asked to take some back"
            found["exact"] += 1
    return found


def owed_by_currency(credit: Row | None) -> dict[str, Decimal]:
    """What a row of `fct_credits` owes; nothing where there is none."""
    if credit is None or credit["status"] != "owed" or not credit["amount"]:
        return {}
    return {credit["currency"]: Decimal(credit["amount"])}
