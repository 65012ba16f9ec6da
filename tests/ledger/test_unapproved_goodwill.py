"""A superuser appends goodwill that nobody approved, with right hashes: `sla verify` names the line."""

from __future__ import annotations

from decimal import Decimal

from psycopg.rows import dict_row

from slaledger import evidence
from slaledger.ledger.canonical import idempotency_key, line_item_id
from slaledger.ledger.chain import Draft, append
from slaledger.ledger.postings import Origin, insert_posting, last_posting, seal
from slaledger.settings import Settings
from slaledger.warehouse import connect
from tests.ledger.books import MARCH, AccountMonth, close

CHECKS = ("postings_checked", "postings_of_their_kind")


def append_goodwill(settings: Settings, approved_by: str) -> str:
    """The line's id."""
    with connect(settings.warehouse) as connection:
        for check in CHECKS:
            connection.execute(f"alter table billing.postings disable trigger {check}".encode())
    with connect(settings.warehouse) as connection:
        last = last_posting(connection)
        due = (
            connection.cursor(row_factory=dict_row)
            .execute(
                "select *, clock_timestamp() as recorded_at"
                " from billing.goodwill_due('K-1', '2026-03-01', clock_timestamp())"
            )
            .fetchone()
        )
        line_id = line_item_id(idempotency_key("K-1", service_month=MARCH, basis="goodwill", ordinal=1))
        versions = {"run_id": f"goodwill-{line_id}", "code_version": "1", "tzdata_version": "2026a"}
        recorded_at = due.pop("recorded_at")
        columns = {name: value for name, value in due.items() if name in Draft.__dataclass_fields__}
        draft = Draft(
            **columns
            | versions
            | {
                "entry_type": "goodwill",
                "basis": "goodwill",
                "ordinal": 1,
                "contract_id": "K-1",
                "service_month": MARCH,
                "amount": Decimal("5000"),
                "credit_percent": None,
                "claim_id": None,
                "corrects_line_item_id": None,
                "reason": "kind",
                "approved_by": approved_by,
            }
        )
        lines = append(connection, [draft], recorded_at=recorded_at)
        origin = Origin(kind="goodwill", service_month=MARCH, prepared_by="Bob", recorded_at=recorded_at, **versions)
        insert_posting(connection, seal(connection, last, origin, lines=lines, statement_hashes=[]))
    with connect(settings.warehouse) as connection:
        for check in CHECKS:
            connection.execute(f"alter table billing.postings enable always trigger {check}".encode())
    return str(line_id)


def test_goodwill_that_nobody_approved_is_named(drop_settings: Settings):
    close(drop_settings, AccountMonth(amount=Decimal(100), credit_percent=Decimal(10)))
    line_id = append_goodwill(drop_settings, "Nobody")
    report = evidence.verify_books(drop_settings)
    assert report.first_bad_row == f"line {line_id}", str(report)
    assert "nobody but who prepared it has approved it so" in str(report)
