from __future__ import annotations

import json

import pytest

from slaledger import settings

EXPORTS = json.dumps(
    {"conn_type": "aws", "login": "key", "password": "hush2", "extra": {"endpoint_url": "http://127.0.0.1:9"}}
)


def test_connections_are_taken_as_uri_or_as_json(monkeypatch, tmp_path):
    monkeypatch.setenv("SLA_HOME", str(tmp_path))
    monkeypatch.setenv(settings.WAREHOUSE_CONNECTION, "postgresql://sl%40:p%2Fw@db.example:6543/books")
    monkeypatch.setenv(settings.EXPORTS_CONNECTION, EXPORTS)
    loaded = settings.load()
    assert loaded.warehouse == settings.Warehouse("db.example", 6543, "sl@", "books", "p/w")
    assert loaded.warehouse.dsn == "postgresql://sl%40:p%2Fw@db.example:6543/books"
    assert loaded.exports.endpoint_url == "http://127.0.0.1:9"
    assert loaded.exports.bucket == "sla-exports"


def test_no_secret_is_in_the_printed_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("SLA_HOME", str(tmp_path))
    monkeypatch.setenv(settings.WAREHOUSE_CONNECTION, "postgresql://user:hush@db/books")
    monkeypatch.setenv(settings.EXPORTS_CONNECTION, EXPORTS)
    shown = repr(settings.load())
    assert "hush" not in shown


def test_without_a_stack_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("SLA_HOME", str(tmp_path))
    with pytest.raises(settings.SettingsError, match="run `sla up`"):
        settings.load()


@pytest.mark.parametrize("limit", ["ten", "-1", "101", "NaN", "1e400"])
def test_a_quarantine_limit_is_a_percentage(monkeypatch, limit):
    monkeypatch.setenv("SLA_QUARANTINE_LIMIT", limit)
    with pytest.raises(settings.SettingsError, match="from 0 to 100"):
        settings.load()


def test_the_code_version_follows_the_files(monkeypatch, tmp_path):
    version = settings.code_version()
    assert version == settings.code_version.__wrapped__()
    monkeypatch.setattr(settings, "TERMS_DIR", settings.PROJECT_DIR / "examples")
    assert version != settings.code_version.__wrapped__() or not list((settings.PROJECT_DIR / "examples").glob("*.yml"))


@pytest.mark.parametrize(
    "connection",
    [
        "postgresql://user:hush@db:99999/books",
        "postgresql://user:hush@db:x/books",
        "postgresql://user:hush@db:0/books",
        "postgresql://user:hush@[db/books",
        '{"host": "db", "schema": "books", "password": "hush", "port": 99999}',
        '{"host": "db", "schema": "books", "password": "hush", "port": "x"}',
        '{"host": "db", "password": "hush"',
    ],
)
def test_a_warehouse_that_cannot_be_is_named_but_never_shown(monkeypatch, tmp_path, connection):
    monkeypatch.setenv("SLA_HOME", str(tmp_path))
    monkeypatch.setenv(settings.WAREHOUSE_CONNECTION, connection)
    monkeypatch.setenv(settings.EXPORTS_CONNECTION, EXPORTS)
    with pytest.raises(settings.SettingsError, match=settings.WAREHOUSE_CONNECTION) as refused:
        settings.load()
    assert "hush" not in str(refused.value) and "99999" not in str(refused.value)


@pytest.mark.parametrize("extra", ["endpoint=hush", "[1]", ["hush"]])
def test_an_extra_that_is_no_object_is_named_but_never_shown(monkeypatch, tmp_path, extra):
    monkeypatch.setenv("SLA_HOME", str(tmp_path))
    monkeypatch.setenv(settings.WAREHOUSE_CONNECTION, "postgresql://user:hush@db/books")
    monkeypatch.setenv(settings.EXPORTS_CONNECTION, json.dumps({"conn_type": "aws", "extra": extra}))
    with pytest.raises(settings.SettingsError, match=f"{settings.EXPORTS_CONNECTION} has an `extra`") as refused:
        settings.load()
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    "query",
    ["endpoint_url=http%3A%2F%2F127.0.0.1%3A9", "__extra__=%7B%22endpoint_url%22%3A%20%22http%3A//127.0.0.1%3A9%22%7D"],
)
def test_extras_are_taken_from_either_form_of_uri(monkeypatch, tmp_path, query):
    monkeypatch.setenv("SLA_HOME", str(tmp_path))
    monkeypatch.setenv(settings.WAREHOUSE_CONNECTION, "postgresql://a:b@db/books")
    monkeypatch.setenv(settings.EXPORTS_CONNECTION, f"aws://key:secret@/?{query}")
    exports = settings.load().exports
    assert (exports.endpoint_url, exports.access_key) == ("http://127.0.0.1:9", "key")


def test_a_stage_may_have_a_login_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("SLA_HOME", str(tmp_path))
    monkeypatch.setenv(settings.WAREHOUSE_CONNECTION, "postgresql://a:hush@db/books")
    monkeypatch.setenv(settings.EXPORTS_CONNECTION, EXPORTS)
    monkeypatch.setenv(settings.stage_connection("biller"), "postgresql://biller:quiet@db:5432/books")
    # Those of a stack that is up are of its own warehouse, not of the one that the environment names.
    stack = dict.fromkeys(map(settings.stage_connection, settings.STAGES), "postgresql://b:x@db/books")
    settings.stack_state_path().write_text(json.dumps({"environment": stack}))
    warehouse = settings.load().warehouse
    assert warehouse.dsn == "postgresql://a:hush@db:5432/books"
    assert warehouse.login("sla_biller").dsn == "postgresql://biller:quiet@db:5432/books"
    assert warehouse.login("sla_relay") is warehouse.login(None) is warehouse
    assert "quiet" not in repr(warehouse)
    monkeypatch.setenv(settings.stage_connection("biller"), "postgresql://biller:quiet@db/other_books")
    with pytest.raises(settings.SettingsError, match="SLA_WAREHOUSE_BILLER leads to db:5432/other_books") as refused:
        settings.load()
    assert "quiet" not in str(refused.value)
