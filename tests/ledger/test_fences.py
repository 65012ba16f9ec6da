"""The list of what a migrated database has is that of these migrations, whoever ran them."""

from __future__ import annotations

import dataclasses
import json
import os

import psycopg

from slaledger.ledger import fences
from slaledger.settings import Settings, Warehouse
from slaledger.warehouse import connect, migrate

HINT = "a migration changed it: SLA_REGENERATE=1 .venv/bin/python -m pytest tests/ledger/test_fences.py"


def found(warehouse: Warehouse) -> dict[str, str]:
    with connect(warehouse, role="sla_auditor") as connection:
        return fences.digests(fences.read(connection))


def test_the_list_is_that_of_the_migrations(fresh_settings: Settings) -> None:
    here = found(fresh_settings.warehouse)
    if os.environ.get("SLA_REGENERATE"):
        fences.LIST.write_text(json.dumps(here, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    listed = json.loads(fences.LIST.read_bytes())
    differing = sorted(name for name in here.keys() | listed.keys() if here.get(name) != listed.get(name))
    assert not differing, f"{differing}: {HINT}"
    for kind, least in {"trigger": 13, "constraint": 130, "function": 39, "table": 36, "index": 70, "role": 8}.items():
        assert sum(name.startswith(f"{kind} ") for name in listed) >= least, kind


def test_it_does_not_depend_on_who_migrates(fresh_settings: Settings) -> None:
    """A login that is no superuser, and owns nothing but its database; with its own search path and format of dates."""
    base = fresh_settings.warehouse
    login = dataclasses.replace(base, user="somebody", password="x", database="of_somebody")
    with psycopg.connect(base.dsn, autocommit=True) as connection:
        connection.execute("create role somebody login password 'x'")
        (roles,) = connection.execute(
            "select string_agg(quote_ident(rolname), ', ') from pg_roles where rolname ~ '^sla_[a-z]+$'"
            " and not rolcanlogin"
        ).fetchone()
        connection.execute(f"grant {roles} to somebody")
        connection.execute("create database of_somebody owner somebody")
        connection.execute("alter role somebody set search_path = billing, public")
    migrate(login)
    assert found(login) == found(base)
