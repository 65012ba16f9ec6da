"""A month that is closed, decided on, corrected and closed again: statements and lines by both routes (L1 to L4)."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, timedelta
from pathlib import Path

import pytest

from slaledger import approvals, evidence, ledger, objects, transform
from slaledger.ledger import PostResult
from slaledger.reperform.lines import due, statement_due
from slaledger.reperform.records import Decision
from slaledger.settings import Settings
from slaledger.warehouse import connect
from tests.ledger.books import validate
from tests.second_route.comparing import COLUMNS, from_mart
from tests.second_route.generating import generate
from tests.second_route.packing import pack
from tests.second_route.running import Routes, build, settings_for
from tests.second_route.world import DAY, EPOCH, HOUR, MONTHS, Row, World, month_bounds
from tests.support.pipeline import Pipeline

MONTH = "2026-03"
SEED = 40 + MONTHS.index(MONTH) - 40 % len(MONTHS)
# The columns of a line that follow from exports and decisions; its digests, run and versions are the ledger's own.
LINE = (
    *("idempotency_key", "entry_type", "basis", "account_id", "contract_id", "service_month", "amount", "currency"),
    *("credit_percent", "monthly_fee", "uptime_percent", "counted_seconds", "terms_id", "terms_version", "claim_id"),
    *("settlement", "applies_from", "corrects", "rests_on", "approved_by"),
)
DECIDER = "Ann Other"


class Books:
    """A world that is closed again and again, and what the second route would have appended each time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.world = generate(SEED, account_months=500, ticket_count=400)
        # In the evening of the last of April in UTC: in some zones it is May, and the next month June (L4).
        self.world.as_of = month_bounds(MONTH, "UTC")[1] + 29 * DAY + 20 * HOUR
        self.routes = Routes(settings, self.world)
        self.routes.land(pack(self.world))
        self.decreases: list[Decision] = []

    def rows(self, query: str) -> list[Row]:
        """Rows in the second route's units, but days of a calendar whole."""
        found = Pipeline(self.settings).rows(query)
        return [from_mart(row) | {name: row[name] for name in ("applies_from",) if name in row} for row in found]

    def lines(self) -> list[Row]:
        return self.rows("select * from billing.credit_line_items order by chain_position")

    def statements(self) -> dict[str, Row]:
        return {row["contract_id"]: row for row in self.rows("select * from billing.sla_statements order by revision")}

    def close(self) -> tuple[PostResult, list[Row], dict[str, list[str]]]:
        """Close by the pipeline, hold what it appended against the second route; by state, what that says waits."""
        self.routes.builds += 1
        run_id = f"closing_{self.routes.builds}"
        transform.open_build(
            self.settings,
            run_id=run_id,
            service_month=date.fromisoformat(f"{MONTH}-01"),
            as_of=(EPOCH + timedelta(microseconds=self.world.as_of)).astimezone(UTC),
            is_closing=True,
        )
        build(self.settings)
        validate(self.settings, run_id)
        second = self.routes.second_route()
        statements, lines = self.statements(), self.lines()
        result = ledger.post_month(self.settings, run_id=run_id)

        expected_statements = {
            row["contract_id"]: {
                **{name: row[name] for name in COLUMNS["account_months"].split()},
                "revision": revision,
                "as_of": self.world.as_of,
            }
            for row in second["account_months"]
            if (revision := statement_due(row, statements.get(row["contract_id"])))
        }
        written = {
            row["contract_id"]: {name: row[name] for name in expected_statements.get(row["contract_id"], row)}
            for row in self.rows(f"select * from billing.sla_statements where run_id = '{run_id}'")
        }
        assert written == expected_statements

        owed = due(
            second["credits"],
            account_months=second["account_months"],
            posted=lines,
            exports=self.routes.exports,
            as_of=self.world.as_of,
            decisions=self.decreases,
        )
        appended = self.lines()[len(lines) :]
        assert self.lines()[: len(lines)] == lines
        told = [self._told(row, [*lines, *appended]) for row in appended]
        expected = [self._expected(row, statements | expected_statements) for row in owed if row["state"] == "append"]
        assert sorted(told, key=repr) == sorted(expected, key=repr)
        states: dict[str, list[str]] = {}
        for row in owed:
            states.setdefault(row["state"], []).append(row["contract_id"])
        assert sorted(waiting.contract_id for waiting in result.overpaid) == sorted(
            states.get("overpaid", []) + states.get("waiting", [])
        )
        assert sorted(kept.contract_id for kept in result.kept) == sorted(states.get("decrease_rejected", []))
        return result, owed, states

    def _told(self, line: Row, lines: list[Row]) -> Row:
        """A line of the ledger, with what its ids stand for: the ordinal that it corrects, the statement's revision."""
        ordinals = {row["line_item_id"]: row["ordinal"] for row in lines}
        revisions = {row["statement_id"]: row["revision"] for row in self.rows("select * from billing.sla_statements")}
        line |= {
            "corrects": ordinals.get(line["corrects_line_item_id"]),
            "rests_on": revisions[line["statement_id"]],
        }
        return {name: line[name] for name in LINE}

    @staticmethod
    def _expected(line: Row, statements: dict[str, Row]) -> Row:
        """A line of the second route in the same words."""
        line |= {
            "idempotency_key": "|".join(
                str(line[name]) for name in ("contract_id", "service_month", "basis", "ordinal")
            ),
            "corrects": line["corrects_ordinal"],
            "rests_on": statements[line["contract_id"]]["revision"],
            "approved_by": DECIDER if line["amount"] < 0 else None,
        }
        return {name: line[name] for name in LINE}

    def correct(self) -> None:
        """Other fees, some in another currency, and third parties found to blame for all that some regions lost."""
        rng = self.world.rng
        fees = [row for row in self.world.rows["accounts/fees"] if row["service_month"] == MONTH]
        text = io.StringIO()
        writer = csv.DictWriter(text, ("contract_id", "service_month", "monthly_fee", "currency"))
        writer.writeheader()
        for row in fees:
            roll = rng.random()
            if roll < 0.2:
                writer.writerow({**row, "monthly_fee": "77.7"})
            elif roll < 0.5:
                writer.writerow({**row, "currency": "EUR"})
            elif roll < 0.6:
                writer.writerow({**row, "monthly_fee": "0"})
        start, end = month_bounds(MONTH, "UTC")
        regions = sorted({row["region"] for row in self.world.rows["accounts/contracts"]})
        entries = [
            {
                "exclusion_id": f"late-{region}",
                "category": rng.choice(("force_majeure", "third_party_meta")),
                "regions": [region],
                "starts_at": self._text(start - DAY),
                "ends_at": self._text(end + DAY),
                "evidence_url": "https://example.com/evidence",
                "author": "ann",
                "approved_by": "bob",
                "approved_at": self._text(self.world.as_of - HOUR),
            }
            for region in rng.sample(regions, len(regions) // 2)
        ]
        lines = b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
        for key, body in (("accounts/fees/late", text.getvalue().encode()), ("exclusions/late", lines)):
            metadata = {"exported-at": self._text(self.world.as_of + DAY)}
            objects.put(self.settings.exports, key, body, metadata=metadata)
        self.routes.land_bucket()

    def _text(self, at: int) -> str:
        return World.text(self.world, at) or ""

    def decide_decreases(self, owed: list[Row]) -> int:
        """Approve most decreases, reject some, leave some; how many were decided on."""
        rng = self.world.rng
        pending = {item.pending_id for item in approvals.pending(self.settings) if item.kind == "decrease"}
        decided = 0
        for row in owed:
            subject = f"decrease:{row['contract_id']}:{MONTH}:{row['basis']}"
            if row["state"] != "overpaid" or subject not in pending or rng.random() < 0.2:
                continue
            is_approved = rng.random() < 0.7
            approvals.decide(self.settings, subject, is_approved=is_approved, by=DECIDER, because="a seed said so")
            self.decreases.append(
                Decision("decrease", row["contract_id"], MONTH, is_approved, basis=row["basis"], about=row["about"])
            )
            decided += 1
        return decided


@pytest.mark.timeout(900)
@pytest.mark.parametrize("is_recomputed", [False, pytest.param(True, marks=[pytest.mark.deep])])
def test_statements_and_lines_agree_over_closings(
    warehouse_server, s3_server, bucket, tmp_path: Path, is_recomputed: bool
) -> None:
    """In `make test-deep` also by `sla verify --all`, from what the books and the bucket keep alone."""
    with settings_for(warehouse_server, bucket, tmp_path, SEED) as settings:
        books = Books(settings)
        first, _, _ = books.close()
        assert first.statements_appended > 300 and first.lines_appended > 20

        again, _, _ = books.close()
        assert (again.statements_appended, again.lines_appended) == (0, 0)

        # People decide what was held and in review; then the exports are corrected.
        books.routes.decide(books.routes.models())
        second, _, _ = books.close()
        assert second.lines_appended

        books.correct()
        third, owed, states = books.close()
        assert third.statements_appended and third.lines_appended
        assert len(states["overpaid"]) > 5 and states["waiting"]

        assert books.decide_decreases(owed) > 5
        fourth, _, states = books.close()
        assert fourth.lines_appended and states["decrease_rejected"] and states["overpaid"]
        with connect(settings.warehouse) as connection:
            kinds = connection.execute(
                "select count(*), count(distinct entry_type), bool_or(amount < 0), count(distinct currency),"
                " array_agg(distinct applies_from order by applies_from) from billing.credit_line_items"
            ).fetchone()
        assert kinds[1] == 2 and kinds[2] and kinds[3] > 2
        assert kinds[4] == [date(2026, 5, 1), date(2026, 6, 1)]
        if is_recomputed:
            report = evidence.verify_all(settings)
            assert (report.is_intact, report.recomputed) == (True, 4), report
