"""Code and database that are of two versions, and what PostgreSQL refuses: told in a sentence by every command."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from alembic import command

from slaledger import cli
from slaledger.settings import PROJECT_DIR, Exports, Warehouse
from slaledger.stack.airflow import connections
from slaledger.warehouse import MigrationRefused, connect, migrate, require_version

LINE = str(uuid.UUID(int=1))
COMMANDS = [
    ("pending",),
    ("approve", "held:con-01:2026-03", "--by", "ada", "--because", "seen"),
    ("goodwill", "con-01", "--month", "2026-03", "--amount", "1", "--by", "ada", "--because", "sorry"),
    ("explain", LINE),
    ("verify",),
    ("verify", LINE),
    ("verify", "--all"),
]


@pytest.fixture(scope="module")
def of_0012(warehouse_server) -> Warehouse:
    warehouse = warehouse_server.ensure_database(f"old_{uuid.uuid4().hex[:12]}")
    with pytest.MonkeyPatch.context() as patch:
        upgrade = command.upgrade
        patch.setattr(command, "upgrade", lambda config, _: upgrade(config, "0012_approvals"))
        migrate(warehouse)
    return warehouse


@pytest.fixture(scope="module")
def of_nothing(warehouse_server) -> Warehouse:
    return warehouse_server.ensure_database(f"new_{uuid.uuid4().hex[:12]}")


def told(monkeypatch, capsys, warehouse: Warehouse, exports: Exports, arguments: tuple[str, ...]) -> str:
    """What the command tells as it fails."""
    for name, value in connections(warehouse, exports).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["sla", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    return capsys.readouterr().err


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("which", ["of_0012", "of_nothing"])
def test_a_database_of_another_version_is_told_by_every_command(
    request, s3_server, monkeypatch, capsys, which, arguments
):
    warehouse = request.getfixturevalue(which)
    said = told(monkeypatch, capsys, warehouse, s3_server.exports, arguments)
    # A login that cannot act in its role is told before it can ask.
    held = "0012_approvals" if which == "of_0012" else "none"
    told_so = f"is at migration {held}, and this code is of 00" in said and "`sla up` migrates" in said
    assert told_so or re.match(
        r"sla: The login sla may not act as .*: run `sla up`, which migrates the warehouse", said
    )


def test_what_postgresql_refuses_of_a_whole_database_is_a_fault_of_ours(fresh_settings, monkeypatch, capsys):
    with connect(fresh_settings.warehouse) as connection:
        connection.execute("alter table billing.credit_line_items rename to gone")
    said = told(monkeypatch, capsys, fresh_settings.warehouse, fresh_settings.exports, ("explain", LINE))
    assert "does not exist. It is a fault of ours, or of a hand there: report this line" in said
    assert re.match(r"sla: PostgreSQL refuses what [\w/]+\.py:\d+ asks: ", said)


def test_who_may_not_migrate_is_told_what_the_database_lacks(of_0012):
    with connect(of_0012) as connection:
        connection.execute("create role onlooker login password 'only looks' in role sla_auditor")
        connection.execute("alter role onlooker set default_transaction_read_only = on")
    onlooker = dataclasses.replace(of_0012, user="onlooker", password="only looks")
    with pytest.raises(MigrationRefused, match=r"may not migrate.*\n.* is at migration 0012_approvals, and this code"):
        migrate(onlooker)


def test_migrating_by_hand_is_told_likewise(of_nothing, s3_server):
    variables = connections(of_nothing, s3_server.exports)
    python = [sys.executable, "-m", "slaledger.warehouse"]
    environment = {**os.environ, **variables, "PYTHONPATH": str(Path(PROJECT_DIR) / "plugins")}
    nowhere = connections(dataclasses.replace(of_nothing, database="nowhere"), s3_server.exports)
    refused = subprocess.run(python, env=environment | nowhere, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("sla: nowhere cannot be migrated, and is as it was: ")
    assert "Traceback" not in refused.stderr
    copy = subprocess.run(python, env=environment, capture_output=True, text=True, check=False)
    assert copy.returncode == 0, copy.stderr
    require_version(of_nothing)
