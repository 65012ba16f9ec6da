"""What the containers' `init` does, on real servers that are not the embedded stack's."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import psycopg
import pytest

from slaledger.stack import airflow, logins
from slaledger.stack.postgres import Postgres
from slaledger.stack.s3 import S3

PASSWORDS = {
    f"SLA_{user}_PASSWORD": f"{user.lower()}-0123456789" for user in ("ADMIN", "AUDITOR", "BILLING", "POSTGRES_AIRFLOW")
}


@pytest.fixture
def variables(warehouse_server: Postgres, s3_server: S3, tmp_path: Path) -> dict[str, str]:
    warehouse = logins.stages_of(tmp_path, warehouse_server.ensure_database("contained"))
    return {
        "PATH": os.defpath,
        "SLA_HOME": str(tmp_path / "home"),
        **airflow.connections(warehouse, s3_server.exports),
        "SLA_BUCKET": "contained",
        **PASSWORDS,
    }


def initialize(variables: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "slaledger.stack.initialize"],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_makes_all_that_is_needed_and_may_be_repeated(
    variables: dict[str, str], warehouse_server: Postgres, s3_server: S3, tmp_path: Path
) -> None:
    for _ in range(2):
        result = initialize(variables)
        assert result.returncode == 0, result.stderr
    with psycopg.connect(warehouse_server.warehouse("contained").dsn) as connection:
        assert connection.execute("select count(*) from billing.credit_line_items").fetchone() == (0,)
    stages = logins.stages_of(tmp_path, warehouse_server.warehouse("contained")).stages
    with psycopg.connect(stages["sla_relay"].dsn) as connection:
        assert connection.execute("select count(*) from billing.deliveries").fetchone() == (0,)
    metadata = dataclasses.replace(
        warehouse_server.warehouse("airflow"), user="airflow", password=variables["SLA_POSTGRES_AIRFLOW_PASSWORD"]
    )
    with psycopg.connect(metadata.dsn) as connection:
        connection.execute("create table scratch ()")
        connection.rollback()
    exports = s3_server.exports
    client = boto3.client(
        "s3",
        endpoint_url=exports.endpoint_url,
        region_name=exports.region,
        aws_access_key_id=exports.access_key,
        aws_secret_access_key=exports.secret_key,
    )
    assert client.get_bucket_versioning(Bucket="contained")["Status"] == "Enabled"
    passwords = Path(variables["SLA_HOME"]) / "secrets" / "airflow_passwords.json"
    assert passwords.stat().st_mode & 0o777 == 0o600
    assert json.loads(passwords.read_text())["auditor"] == "auditor-0123456789"


def test_a_short_password_is_refused_by_name(variables: dict[str, str]) -> None:
    result = initialize({**variables, "SLA_AUDITOR_PASSWORD": "short"})
    assert result.returncode == 1
    assert "SLA_AUDITOR_PASSWORD is shorter than 16 characters" in result.stderr
    assert "short\n" not in result.stderr
