"""Airflow's parts on this machine: their settings, their start in the order that works, their end."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from slaledger.settings import (
    EXPORTS_CONNECTION,
    PROJECT_DIR,
    QUIET_ENVIRONMENT,
    STAGES,
    WAREHOUSE_CONNECTION,
    WRITER_POOL,
    Exports,
    Warehouse,
    stage_connection,
)
from slaledger.stack import processes
from slaledger.stack.airflow_api import AirflowApi, AirflowRefused, AirflowUnreachable
from slaledger.stack.home_secrets import secret, secret_path
from slaledger.stack.processes import Process, StackError

PASSWORDS = "airflow_passwords.json"
ROLES = {"admin": "admin", "auditor": "viewer", "billing": "op"}
START_SECONDS = 300
STOP_SECONDS = 15
# All that the parts take from the caller's environment.
INHERITED = ("HOME", "LANG", "LOGNAME", "SLA_QUARANTINE_LIMIT", "TMPDIR", "USER")
PARTS = {
    "api-server": ["api-server"],
    "dag-processor": ["dag-processor"],
    # LocalExecutor's logs are read from the disk: its log server would listen on every address.
    "scheduler": ["scheduler", "--skip-serve-logs"],
}


def connections(warehouse: Warehouse, exports: Exports) -> dict[str, str]:
    """Airflow's connections, as environment variables: what every part and the command line go by."""
    logins = {WAREHOUSE_CONNECTION: warehouse} | {
        stage_connection(stage): login for stage in STAGES if (login := warehouse.stages.get(f"sla_{stage}"))
    }
    return {
        **{name: _connection(login) for name, login in logins.items()},
        EXPORTS_CONNECTION: json.dumps(
            {
                "conn_type": "aws",
                "login": exports.access_key,
                "password": exports.secret_key,
                "extra": {"endpoint_url": exports.endpoint_url, "region_name": exports.region},
            }
        ),
        "SLA_BUCKET": exports.bucket,
    }


def _connection(login: Warehouse) -> str:
    return json.dumps(
        {
            "conn_type": "postgres",
            "host": login.host,
            "port": login.port,
            "login": login.user,
            "password": login.password,
            "schema": login.database,
        }
    )


def passwords(home: Path) -> dict[str, str]:
    """Each user's password; made the first time."""
    return json.loads(
        secret(
            home,
            PASSWORDS,
            make=lambda: json.dumps({user: secrets.token_urlsafe(15) for user in ROLES}),
        )
    )


def environment(home: Path, *, port: int, metadata: Warehouse, shared: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of Airflow's parts. `shared`: the connections that it has in common with `sla`."""
    passwords(home)
    url = f"http://127.0.0.1:{port}"
    logs = home / "logs" / "airflow"
    lineage = {"type": "file", "log_file_path": str(home / "lineage" / "events.ndjson"), "append": True}
    return {
        **{name: value for name, value in os.environ.items() if name in INHERITED},
        **QUIET_ENVIRONMENT,
        **shared,
        "SLA_HOME": str(home),
        # Nothing lands, and builds, behind the back of `sla run`.
        "SLA_LANDING_SCHEDULE": "never",
        "PYTHONPATH": str(PROJECT_DIR),
        "PATH": f"{Path(sys.prefix) / 'bin'}:{os.defpath}",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata.dsn.replace("postgresql:", "postgresql+psycopg2:", 1),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_DIR / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_DIR / "plugins"),
        "AIRFLOW__CORE__FERNET_KEY": secret(
            home, "airflow_fernet_key", make=lambda: base64.urlsafe_b64encode(os.urandom(32)).decode()
        ),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in ROLES.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(secret_path(home, PASSWORDS)),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secret(home, "airflow_secret_key"),
        "AIRFLOW__API_AUTH__JWT_SECRET": secret(home, "airflow_jwt_secret", make=lambda: secrets.token_hex(32)),
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        # After a `kill -9` the next one takes up its tasks within half a minute; by default, within five.
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        # A task that skips itself is seen to have ended at the next beat; by default, five seconds later.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(logs),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(logs / "dag_processor"),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(lineage),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "slaledger",
    }


def migrate(home: Path, variables: Mapping[str, str]) -> None:
    """Bring Airflow's own database to this Airflow's version; skipped when that was done by this version.

    Raises `StackError` with the log's last lines.
    """
    import importlib.metadata

    version = importlib.metadata.version("apache-airflow-core")
    done = home / "airflow" / "migrated"
    if done.exists() and done.read_text() == version:
        return
    log = home / "logs" / "airflow-migrate.log"
    with log.open("ab") as output:
        result = subprocess.run(
            [*_airflow(), "db", "migrate"],
            env={**variables, **processes.marker(home, "airflow-migrate")},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode != 0:
        raise StackError(
            f"Airflow's database cannot be brought up to date. The log {log} ends:\n{processes.last_lines(log)}"
        )
    done.write_text(version)


def spawn(home: Path, part: str, variables: Mapping[str, str]) -> Process:
    """Start one part, without waiting for it; what is left of an earlier one is ended first."""
    processes.kill(processes.of_home(home, part))
    return processes.spawn(
        [*_airflow(), *PARTS[part]],
        environment={**variables, **processes.marker(home, part)},
        log=home / "logs" / f"{part}.log",
        directory=home,
    )


def client(home: Path, port: int, *, timeout_seconds: float = 30) -> AirflowApi:
    """The REST API, as `admin`."""
    return AirflowApi(f"http://127.0.0.1:{port}", "admin", passwords(home)["admin"], timeout_seconds=timeout_seconds)


def wait_for_api(api: AirflowApi, process: Process, log: Path) -> bool:
    """Wait until the API lets us log in. False when the process ended (its port was taken, perhaps).

    Raises `StackError` when it does neither.
    """

    def answers() -> bool:
        # A login, not only health: a stranger on the same port would not know our password.
        return not processes.is_running(process) or bool(api.token)

    _wait(answers, f"Airflow's API at {api.url}", log)
    return processes.is_running(process)


def prepare(api: AirflowApi) -> None:
    """What the DAGs expect to be there before the scheduler starts."""
    api.ensure_pool(WRITER_POOL, slots=1, description="One writer of the warehouse at a time")


def wait_for_work(api: AirflowApi, since: datetime, parts: Mapping[str, Process], home: Path) -> None:
    """Wait until the scheduler's heart beats and every DAG file was read, both after `since`.

    Raises `StackError` naming the part that ended, or the DAG file that does not load.
    """
    wanted = {path.stem for path in (PROJECT_DIR / "dags").glob("*.py")}

    def ready() -> bool:
        for part, process in parts.items():
            if not processes.is_running(process):
                log = home / "logs" / f"{part}.log"
                raise StackError(f"Airflow's {part} has ended. Its log {log} ends:\n{processes.last_lines(log)}")
        errors = api.import_errors()
        if errors:
            trace = errors[0]["stack_trace"].strip().splitlines()[-1]
            raise StackError(f"The DAG file {errors[0]['filename']} does not load: {trace}")
        beat = api.health()["scheduler"].get("latest_scheduler_heartbeat")
        read = {dag["dag_id"] for dag in api.dags() if _after(dag["last_parsed_time"], since)}
        return _after(beat, since) and wanted <= read

    _wait(ready, "Airflow's scheduler and DAG processor", home / "logs" / "scheduler.log")


def ask_to_end(running: set[Process]) -> None:
    """Ask all parts at once, and wait; the caller kills what is left."""
    members = set().union(*(processes.family(process) for process in running)) if running else set()
    processes.send(running, signal.SIGTERM)
    processes.wait_gone(running, seconds=STOP_SECONDS)
    processes.kill(members)


def _airflow() -> list[str]:
    return [sys.executable, "-m", "airflow"]


def _after(instant: str | None, since: datetime) -> bool:
    return instant is not None and datetime.fromisoformat(instant) >= since


def _wait(is_done: Callable[[], bool], what: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    trouble = ""
    while time.monotonic() < deadline:
        try:
            if is_done():
                return
        except (AirflowUnreachable, AirflowRefused) as error:
            trouble = str(error)
        time.sleep(0.3)
    raise StackError(
        f"{what} did not answer in {START_SECONDS} s. {trouble}\n"
        f"The log {log} ends:\n{processes.last_lines(log)}\nRun `sla down` and `sla up` to try again."
    )


def now() -> datetime:
    """The instant from which heartbeats count."""
    return datetime.now(UTC)
