"""The books and the marts have the columns that others rely on."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
import yaml

from slaledger.ledger.candidate import candidate_sha256
from slaledger.ledger.canonical import digest
from slaledger.ledger.chain import LINE_COLUMNS
from slaledger.ledger.postings import POSTING_COLUMNS, STATEMENT_COLUMNS
from slaledger.reperform.currencies import MINOR_UNITS
from slaledger.settings import DBT_PROJECT_DIR
from slaledger.warehouse import connect
from tests.ledger.books import MARCH, AccountMonth, close, rows

# Mart -> how many of its columns are the contract's, and so the candidate's.
CONTRACT = {
    "fct_account_months": 20,
    "fct_account_downtime": 8,
    "fct_claims": 9,
    "fct_credits": 11,
    "fct_response_times": 14,
}
# Type -> a value of it, and another.
VALUES = {
    "text": ("one", "other"),
    "text[]": ("{one}", "{other}"),
    "boolean": ("false", "true"),
    "numeric": ("1", "0"),
    "date": ("2026-03-01", "2026-04-01"),
    "timestamp with time zone": ("2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z"),
}
# Column, type and whether it may be null, in their order; and the constraints, as PostgreSQL says them.
SHAPE = """
    select coalesce(jsonb_agg(shape.said order by shape.place), '[]')
    from (
        select attnum as place, jsonb_build_array(attname, format_type(atttypid, atttypmod), attnotnull) as said
        from pg_attribute
        where attrelid = %(table)s::regclass and attnum > 0 and not attisdropped
        union all
        select
            1000 + row_number() over (order by conname),
            jsonb_build_array(conname, pg_get_constraintdef(pg_constraint.oid))
        from pg_constraint
        where conrelid = %(table)s::regclass and contype <> 'n'
    ) as shape
"""
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


@pytest.mark.parametrize(
    ("table", "hashed"),
    [
        ("credit_line_items", LINE_COLUMNS),
        ("sla_statements", (*STATEMENT_COLUMNS, "statement_hash")),
        ("postings", POSTING_COLUMNS),
    ],
)
def test_every_column_of_the_books_is_hashed(closed_books, table, hashed):
    assert tuple(name for name, _ in columns(closed_books, f"billing.{table}")) == hashed


def declared_marts() -> dict[str, str]:
    """Table -> what its contract in dbt's project makes of it, in SQL."""
    tables = {}
    for path in (DBT_PROJECT_DIR / "models" / "marts").glob("*.yml"):
        for model in yaml.safe_load(path.read_text())["models"]:
            parts = [
                f"{column['name']} {column['data_type']}"
                + (" not null" if {"type": "not_null"} in column.get("constraints", []) else "")
                for column in model["columns"]
            ]
            for held in model.get("constraints", []):
                what = {
                    "primary_key": f"primary key ({', '.join(held.get('columns', []))})",
                    "check": f"check ({held.get('expression')})",
                    "custom": held.get("expression"),
                }
                parts.append(f"constraint {held['name']} {what[held['type']]}")
            tables[f"marts.{model['name']}"] = ", ".join(parts)
    return tables


def require_declared_marts(settings) -> int:
    """How many marts there are: each is the owner's, and as dbt's project declares it."""
    declared = declared_marts()
    found = rows(
        settings,
        "select schemaname || '.' || tablename, tableowner from pg_tables where schemaname = 'marts' order by 1",
    )
    assert found == [(table, "sla_owner") for table in sorted(declared)]
    with connect(settings.warehouse) as connection:
        for table, parts in declared.items():
            connection.execute(f"create temporary table declared ({parts})")
            here, there = (
                connection.execute(SHAPE, {"table": name}).fetchone()[0] for name in (table, "pg_temp.declared")
            )
            assert here == there, table
            connection.execute("drop table declared")
    return len(declared)


def test_the_marts_are_as_dbt_declares_them(settings):
    assert require_declared_marts(settings) == 6
    for change in (
        "alter table marts.fct_credits drop constraint credits_amount_is_never_negative",
        "alter table marts.fct_claims alter column reason set not null",
        "alter table marts.fct_findings add column since date",
        "alter table marts.fct_findings owner to sla_transformer",
        "create table marts.fct_new ()",
    ):
        with connect(settings.warehouse) as connection:
            connection.execute(change)
        with pytest.raises(AssertionError):
            require_declared_marts(settings)


@pytest.mark.parametrize(("mart", "count"), CONTRACT.items())
def test_the_candidate_is_every_column_of_the_contract(closed_books, mart, count):
    """Whatever is changed in a row, its digest is another; what follows the contract's columns is no part of it."""
    with connect(closed_books.warehouse) as connection:
        connection.execute(f"delete from marts.{mart} where service_month = %s", (MARCH,))
        held = columns(closed_books, f"marts.{mart}")
        row = ", ".join(f"'{VALUES[kind][0]}'" for _, kind in held)
        connection.execute(f"insert into marts.{mart} values ({row})")
        before = candidate_sha256(connection)
        for place, (name, kind) in enumerate(held):
            with connection.transaction() as savepoint:
                connection.execute(f"update marts.{mart} set {name} = %s::text::{kind}", (VALUES[kind][1],))
                assert (candidate_sha256(connection) != before) == (place < count), name
                raise psycopg.Rollback(savepoint)
        connection.rollback()


@pytest.mark.parametrize(
    "session",
    ["timezone = 'Pacific/Chatham'", "datestyle = 'SQL, DMY'", "extra_float_digits = 0", "bytea_output = escape"],
)
def test_the_digest_is_the_same_whatever_the_session_says(closed_books, session):
    with connect(closed_books.warehouse) as connection:
        before = candidate_sha256(connection)
        connection.execute(f"set local {session}")
        assert candidate_sha256(connection) == before


def test_the_database_encodes_as_the_code_does(closed_books):
    """One encoding in two languages: whatever the value, the same digest."""
    values = [
        (None, "text"), ("", "text"), ("é|\u2028 💶", "text"), (True, "boolean"), (False, "boolean"),
        (0, "integer"), (-7, "bigint"), (Decimal("0.00"), "numeric"), (Decimal("-99.9500"), "numeric"),
        (Decimal("1E+3"), "numeric"), (Decimal("0.000000000001"), "numeric"), (date(2026, 3, 1), "date"),
        (datetime(2026, 3, 1, 1, 2, 3, 450000, tzinfo=UTC), "timestamptz"), (date(1, 1, 1), "date"),
        (uuid.UUID(int=7), "uuid"), ([], "text []"), (["a", "", "b:c"], "text []"), ([uuid.UUID(int=7)], "uuid []"),
    ]  # fmt: skip
    for value, kind in values:
        ((found,),) = rows(closed_books, f"select audit.digest(audit.encoded(%s::{kind}))", value)
        assert found == digest(value), (value, kind)


def test_both_routes_know_the_same_minor_units(settings):
    assert dict(rows(settings, "select currency, minor_units from reference.currencies")) == MINOR_UNITS


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
