"""The books and the marts have the columns that others rely on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import yaml

from slaledger.ledger.candidate import CANDIDATE
from slaledger.ledger.chain import LINE_COLUMNS
from slaledger.settings import DBT_PROJECT_DIR
from tests.ledger.books import AccountMonth, close, rows

STATEMENT = [
    "statement_id",
    "contract_id",
    "service_month",
    "revision",
    "account_id",
    "terms_id",
    "terms_version",
    "guaranteed",
    "measured_from",
    "measured_until",
    "measured_seconds",
    "counted_seconds",
    "excluded_seconds",
    "unknown_seconds",
    "uptime_percent",
    "uptime_percent_low",
    "uptime_percent_alternative",
    "outcome_sensitive",
    "commitment_percent",
    "met",
    "status",
    "reason",
    "as_of",
    "evidence_sha256",
    "recorded_at",
    "run_id",
]
LINE = [
    "line_item_id",
    "idempotency_key",
    "entry_type",
    "basis",
    "account_id",
    "contract_id",
    "service_month",
    "amount",
    "currency",
    "credit_percent",
    "monthly_fee",
    "uptime_percent",
    "counted_seconds",
    "terms_id",
    "terms_version",
    "claim_id",
    "statement_id",
    "settlement",
    "applies_from",
    "corrects_line_item_id",
    "reason",
    "approved_by",
    "evidence_sha256",
    "run_id",
    "code_version",
    "tzdata_version",
    "recorded_at",
    "previous_hash",
    "line_hash",
]


def columns(settings, table: str) -> list[tuple[str, str]]:
    return rows(
        settings,
        """
        select attname::text, format_type(atttypid, atttypmod) from pg_attribute
        where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum
        """,
        table,
    )


@pytest.mark.parametrize(("table", "names"), [("sla_statements", STATEMENT), ("credit_line_items", LINE)])
def test_the_books_have_their_columns_in_their_order(closed_books, table, names):
    found = columns(closed_books, f"billing.{table}")
    assert [name for name, _ in found][: len(names)] == names
    assert not {kind for _, kind in found} & {"double precision", "real", "timestamp without time zone"}


def test_every_column_of_a_line_is_hashed(closed_books):
    assert tuple(name for name, _ in columns(closed_books, "billing.credit_line_items")) == LINE_COLUMNS


def test_the_marts_of_these_tests_are_those_of_dbt(closed_books):
    models = {
        model["name"]: [(column["name"], column["data_type"]) for column in model["columns"]]
        for path in (DBT_PROJECT_DIR / "models" / "marts").glob("*.yml")
        for model in yaml.safe_load(path.read_text()).get("models", [])
    }
    assert set(CANDIDATE) <= set(models)
    short = {"timestamp with time zone": "timestamptz"}
    for mart in [*CANDIDATE, "fct_response_times"]:
        here = [(name, short.get(kind, kind)) for name, kind in columns(closed_books, f"marts.{mart}")]
        assert set(here) <= set(models[mart]), mart
    for mart, (names, _) in CANDIDATE.items():
        assert [name for name, _ in models[mart]][: len(names)] == list(names)


def test_the_books_as_known_on_an_instant_are_what_they_were(settings):
    close(settings, AccountMonth())
    close(
        settings,
        AccountMonth(uptime_percent=Decimal("98.5"), credit_percent=Decimal(10), amount=Decimal(100)),
        as_of=datetime(2026, 5, 1, tzinfo=UTC),
    )
    ((first,), (second,)) = rows(settings, "select recorded_at from billing.sla_statements order by revision")
    for instant, uptime, amounts in (
        (first - timedelta(microseconds=1), [], []),
        (first, [Decimal("99.5")], [50]),
        (second, [Decimal("98.5")], [50, 50]),
    ):
        assert [
            row[0] for row in rows(settings, "select uptime_percent from billing.statements_as_known_on(%s)", instant)
        ] == uptime
        known = rows(settings, "select amount from billing.lines_as_known_on(%s)", instant)
        assert [row[0] for row in known] == amounts
