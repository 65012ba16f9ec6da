"""The embedded stack as a whole: PostgreSQL, S3 and Airflow on this machine, below one home.

What is in `stack.json` is a note of what runs, not the truth: the truth is in `/proc` and the data
directories, so that `kill -9` of anything, at any time, is mended by the next `up`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from slaledger.settings import Exports, Warehouse, stack_ports
from slaledger.stack import airflow, logins, processes
from slaledger.stack.airflow_api import AirflowRefused, AirflowUnreachable
from slaledger.stack.home_secrets import secret
from slaledger.stack.ports import free_ports, is_free, pick
from slaledger.stack.postgres import Postgres
from slaledger.stack.processes import Process, StackError
from slaledger.stack.s3 import S3

DATABASE = "slaledger"
BUCKET = "sla-exports"
PORTS = ("postgres", "s3", "airflow")
NEEDED_BYTES = 500_000_000

Progress = Callable[[str], None]


@dataclass(frozen=True)
class StackState:
    """What a user needs to know of a stack that is up."""

    home: Path
    warehouse: Warehouse
    exports: Exports
    airflow_url: str
    users: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class PartStatus:
    """One part of the stack: whether its process lives, and whether it answers at its address."""

    name: str
    pid: int | None
    is_running: bool
    is_answering: bool
    address: str


def up(home: Path, progress: Progress, *, forced_ports: Mapping[str, int] | None = None) -> StackState:
    """Start whatever of the stack does not run, and wait until all of it answers.

    `forced_ports`: `postgres`, `s3`, `airflow` to port, by default those that the environment asks for;
    others are found. Safe to repeat, and at once. Raises `StackError` saying what is wrong and what to do.
    """
    forced = stack_ports() if forced_ports is None else dict(forced_ports)
    with _locked(home, progress):
        _check_room(home)
        state = _read(home)
        _heed(forced, state, home)
        ports = state["ports"] | forced

        progress("PostgreSQL")
        postgres = Postgres(home, port=ports.get("postgres"), process=_process(state, "postgres"))
        postgres.start()
        _note(home, state, "postgres", postgres.port, postgres.process)
        warehouse = logins.stages_of(home, postgres.ensure_database(DATABASE))
        metadata = logins.ensure_airflow(postgres.warehouse("postgres"), secret(home, "postgres_airflow_password"))

        s3 = S3(home, bucket=BUCKET, port=ports.get("s3"), process=_process(state, "s3"))
        with ThreadPoolExecutor() as pool:
            # Airflow's database takes longest: the others are made meanwhile. It needs no port yet.
            variables = airflow.environment(home, port=0, metadata=metadata, shared={})
            migrated = pool.submit(airflow.migrate, home, variables)
            progress("S3 server")
            s3.start()
            _note(home, state, "s3", s3.port, s3.process)
            progress("Warehouse")
            _migrate(warehouse)
            logins.ensure_stages(warehouse)
            progress("Airflow's database")
            migrated.result()

        shared = airflow.connections(logins.of_airflow(warehouse), s3.exports)
        airflow_port = _airflow_port(home, state, ports)
        airflow_port = _start_airflow(home, state, metadata, shared, airflow_port, progress)
        state["environment"] = airflow.connections(warehouse, s3.exports)
        state["airflow"] = {"url": f"http://127.0.0.1:{airflow_port}", "users": airflow.passwords(home)}
        _write(home, state)
        return StackState(
            home=home,
            warehouse=warehouse,
            exports=s3.exports,
            airflow_url=state["airflow"]["url"],
            users=state["airflow"]["users"],
        )


def down(home: Path, progress: Progress = lambda _: None) -> None:
    """Stop every process that was started for this home. The data stay. Safe to repeat."""
    if not home.exists():
        return
    with _locked(home, progress):
        state = _read(home)
        progress("Airflow")
        _stop_airflow(home, state)
        progress("S3 server")
        S3(home, process=_process(state, "s3")).stop()
        progress("PostgreSQL")
        Postgres(home, process=_process(state, "postgres")).stop()
        processes.kill(processes.of_home(home))
        _write(home, {"ports": state["ports"]})


def status(home: Path) -> list[PartStatus]:
    """Each part, in the order of their start. Waits for nothing but short time-outs."""
    state = _read(home)
    ports = state["ports"]
    addresses = {
        "postgres": f"127.0.0.1:{ports.get('postgres', '-')}",
        "s3": f"http://127.0.0.1:{ports.get('s3', '-')}",
    }
    web = f"http://127.0.0.1:{ports.get('airflow', '-')}"
    health = _health(home, state)
    found = []
    for part in ("postgres", "s3", *airflow.PARTS):
        process = _process(state, part)
        is_running = processes.is_running(process)
        found.append(
            PartStatus(
                name=part,
                pid=process.pid if process and is_running else None,
                is_running=is_running,
                is_answering=is_running and _answers(home, state, part, health),
                address=addresses.get(part, web if part == "api-server" else ""),
            )
        )
    return found


def _start_airflow(
    home: Path,
    state: dict[str, Any],
    metadata: Warehouse,
    shared: dict[str, str],
    port: int,
    progress: Progress,
) -> int:
    """Start the parts that do not run: the API first, the scheduler when it answers. The API's port."""
    for _ in range(3):
        variables = airflow.environment(home, port=port, metadata=metadata, shared=shared)
        own = {name: value for name, value in variables.items() if name not in airflow.INHERITED}
        basis = json.dumps([own, state["processes"]["postgres"]], sort_keys=True)
        digest = hashlib.sha256(basis.encode()).hexdigest()
        if state.get("airflow_basis") != digest:
            # Running parts know other ports or another checkout, or have lost their database.
            _stop_airflow(home, state)
        state["airflow_basis"] = digest
        running = {part: _process(state, part) for part in airflow.PARTS}
        is_whole = all(processes.is_running(process) for process in running.values())
        if not is_whole or "airflow_since" not in state:
            state["airflow_since"] = airflow.now().isoformat()
        progress("Airflow's API server and DAG processor")
        for part in ("api-server", "dag-processor"):
            if not processes.is_running(running[part]):
                running[part] = airflow.spawn(home, part, variables)
                _note(home, state, part, None, running[part])
        api = airflow.client(home, port)
        if airflow.wait_for_api(api, running["api-server"], home / "logs" / "api-server.log"):
            break
        port = next(free_ports(home))
    else:
        log = home / "logs" / "api-server.log"
        raise StackError(f"Airflow's API does not start. Its log {log} ends:\n{processes.last_lines(log)}")
    state["ports"]["airflow"] = port
    airflow.prepare(api)
    progress("Airflow's scheduler")
    if not processes.is_running(running["scheduler"]):
        running["scheduler"] = airflow.spawn(home, "scheduler", variables)
        _note(home, state, "scheduler", None, running["scheduler"])
    airflow.wait_for_work(api, datetime.fromisoformat(state["airflow_since"]), running, home)
    return port


def _stop_airflow(home: Path, state: dict[str, Any]) -> None:
    noted = {process for part in airflow.PARTS if (process := _process(state, part))}
    airflow.ask_to_end({process for process in noted if processes.is_running(process)})
    for part in (*airflow.PARTS, "airflow-migrate"):
        processes.kill(processes.of_home(home, part))
        state["processes"].pop(part, None)


def _migrate(warehouse: Warehouse) -> None:
    from slaledger.warehouse import migrate

    migrate(warehouse)


def _airflow_port(home: Path, state: dict[str, Any], ports: dict[str, int]) -> int:
    if processes.is_running(_process(state, "api-server")):
        return ports["airflow"]
    taken = set(ports.values())
    return pick(ports.get("airflow"), (port for port in free_ports(home) if port not in taken))


def _heed(forced: Mapping[str, int], state: dict[str, Any], home: Path) -> None:
    """Stop what runs on another port than the forced one, and refuse a forced port that is a stranger's."""
    parts = {"postgres": "postgres", "s3": "s3", "airflow": "api-server"}
    for name, port in forced.items():
        process = _process(state, parts[name])
        if state["ports"].get(name) == port and processes.is_running(process):
            continue
        if not is_free(port):
            raise StackError(
                f"Port {port}, which was asked for {name}, is taken: see by whom with "
                f"`ss -ltnp 'sport = :{port}'`, or leave the choice to `sla up`."
            )
        if processes.is_running(process):
            processes.stop(home, parts[name], process, asked=signal.SIGINT, seconds=20)


def _health(home: Path, state: dict[str, Any]) -> dict[str, Any]:
    if not processes.is_running(_process(state, "api-server")):
        return {}
    try:
        return airflow.client(home, state["ports"]["airflow"], timeout_seconds=5).health()
    except (AirflowUnreachable, AirflowRefused):
        return {}


def _answers(home: Path, state: dict[str, Any], part: str, health: dict[str, Any]) -> bool:
    port = state["ports"].get(part)
    if part == "postgres":
        return Postgres(home, port=port, process=_process(state, part)).answers()
    if part == "s3":
        return S3(home, bucket=BUCKET, port=port, process=_process(state, part)).answers()
    key = {"api-server": "metadatabase", "dag-processor": "dag_processor"}.get(part, part)
    return (health.get(key) or {}).get("status") == "healthy"


@contextlib.contextmanager
def _locked(home: Path, progress: Progress) -> Iterator[None]:
    """One `up` or `down` of a home at a time: the second waits, and then finds the first one's work."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("logs", "lineage", "airflow"):
            (home / name).mkdir(mode=0o700, exist_ok=True)
        lock = (home / "lock").open("a")
    except OSError as error:
        raise StackError(
            f"The stack's home {home} cannot be used ({error.strerror or error}): "
            "set SLA_HOME to a directory that you may write."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("Another `sla up` or `sla down` is at work on this home: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _check_room(home: Path) -> None:
    free = shutil.disk_usage(home).free
    if free < NEEDED_BYTES:
        raise StackError(
            f"Only {free // 1_000_000} MB are free at {home}, and the stack needs "
            f"{NEEDED_BYTES // 1_000_000} MB: make room, or set SLA_HOME to a place on a larger disk."
        )


def _process(state: dict[str, Any], part: str) -> Process | None:
    noted = state["processes"].get(part)
    return Process(**noted) if noted else None


def _note(home: Path, state: dict[str, Any], part: str, port: int | None, process: Process | None) -> None:
    if port is not None:
        state["ports"][part] = port
    if process is not None:
        state["processes"][part] = asdict(process)
    _write(home, state)


def _read(home: Path) -> dict[str, Any]:
    """What is noted; nothing when the note is absent or damaged: `up` then starts over."""
    try:
        state = json.loads((home / "stack.json").read_text())
        return {**state, "ports": dict(state.get("ports", {})), "processes": dict(state.get("processes", {}))}
    except FileNotFoundError:
        return {"ports": {}, "processes": {}}
    except (ValueError, TypeError, AttributeError):
        return {"ports": {}, "processes": {}}
    except OSError as error:
        raise StackError(
            f"{home / 'stack.json'} cannot be read ({error.strerror}): set SLA_HOME to your own."
        ) from error


def _write(home: Path, state: dict[str, Any]) -> None:
    draft = home / ".stack.json"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(state, file, indent=2)
    draft.rename(home / "stack.json")
