"""The whole stack: one of its own for this module, which the tests kill and mend."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from slaledger import settings, stack
from slaledger.stack import airflow, processes
from slaledger.stack.airflow_api import AirflowApi, AirflowRefused, AirflowUnreachable
from slaledger.stack.embedded import _read

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

PARTS = ["postgres", "s3", "api-server", "dag-processor", "scheduler"]
UP = "import sys; from pathlib import Path; from slaledger import stack; stack.up(Path(sys.argv[1]), print)"


def quiet(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("own") / "home"
    try:
        stack.up(home, quiet)
        yield home
    finally:
        stack.down(home)


def pids(home: Path) -> dict[str, int | None]:
    return {part.name: part.pid for part in stack.status(home)}


def listening(home: Path) -> set[tuple[str, int]]:
    """Address and port of every socket on which a process of this home listens."""
    inodes = set()
    for process in processes.of_home(home):
        for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
            target = os.readlink(descriptor)
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].split(":")
                found.add((address, int(port, 16)))
    return found


def test_status_shows_every_part_answering(home: Path) -> None:
    found = stack.status(home)
    assert [part.name for part in found] == PARTS
    assert all(part.is_running and part.is_answering for part in found), found


def test_every_port_is_on_loopback(home: Path) -> None:
    found = listening(home)
    ports = set(_read(home)["ports"].values())
    assert ports <= {port for _, port in found}
    assert {address for address, _ in found} == {"0100007F"}


def test_up_again_starts_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = pids(home)
    monkeypatch.setenv("TERM", "another terminal")
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "1")
    stack.up(home, quiet)
    assert pids(home) == before


def test_the_command_line_finds_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLA_HOME", str(home))
    found = settings.load()
    with psycopg.connect(found.warehouse.dsn) as connection:
        assert connection.execute("select count(*) from raw.source_objects").fetchone() == (0,)
    assert found.exports.endpoint_url.startswith("http://127.0.0.1:")


def test_secrets_are_the_owner_s_alone_and_long(home: Path) -> None:
    for path in [home / "stack.json", *(home / "secrets").iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, f"{path} is readable by others"
    passwords = airflow.passwords(home)
    assert set(passwords) == {"admin", "auditor", "billing"}
    assert all(len(password) >= 16 for password in passwords.values())
    logs = "".join(path.read_text(errors="replace") for path in (home / "logs").glob("*.log"))
    for path in (home / "secrets").iterdir():
        if path.name not in ("airflow_passwords.json", "s3_access_key"):
            assert path.read_text() not in logs, f"{path.name} is in a log"
    for user, password in passwords.items():
        assert password not in logs, f"the password of {user} is in a log"


def test_no_secret_is_in_a_process_list_and_airflow_does_not_know_the_superuser(home: Path) -> None:
    texts = {path.name: path.read_text() for path in (home / "secrets").iterdir() if path.name != airflow.PASSWORDS}
    running = processes.of_home(home)
    assert running
    for process in running:
        command = Path(f"/proc/{process.pid}/cmdline").read_text()
        assert not [name for name, text in texts.items() if text in command], command
    scheduler = Path(f"/proc/{pids(home)['scheduler']}/environ").read_text()
    assert texts["postgres_biller_password"] in scheduler
    assert texts["postgres_password"] not in scheduler


def test_the_warehouse_and_airflow_s_database_have_logins_of_their_own(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLA_HOME", str(home))
    warehouse = settings.load().warehouse
    metadata = dataclasses.replace(
        warehouse, user="airflow", password=(home / "secrets" / "postgres_airflow_password").read_text()
    )
    assert len(warehouse.stages) == len(settings.STAGES)
    for login in [metadata, *warehouse.stages.values()]:
        database = {"airflow": "airflow"}.get(login.user, "slaledger")
        psycopg.connect(dataclasses.replace(login, database=database).dsn).close()
        for other in {"airflow", "slaledger", "postgres"} - {database}:
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                psycopg.connect(dataclasses.replace(login, database=other).dsn)


def test_users_have_their_roles_and_strangers_none(home: Path) -> None:
    url = _read(home)["airflow"]["url"]
    passwords = airflow.passwords(home)
    auditor = AirflowApi(url, "auditor", passwords["auditor"])
    assert {dag["dag_id"] for dag in auditor.dags()} >= {
        path.stem for path in (settings.PROJECT_DIR / "dags").glob("*.py")
    }
    with pytest.raises(AirflowRefused) as caught:
        auditor.trigger("land_exports", run_id="by_the_auditor")
    assert caught.value.status == 403
    with pytest.raises(AirflowRefused) as caught:
        AirflowApi(url, "admin", "wrong").dags()
    assert caught.value.status == 401


def test_the_writers_pool_has_one_slot(home: Path) -> None:
    api = airflow.client(home, _read(home)["ports"]["airflow"])
    assert api._api("GET", f"/pools/{settings.WRITER_POOL}")["slots"] == 1


def test_an_api_that_is_not_there_is_said_plainly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(AirflowUnreachable, match=f"Airflow at http://127.0.0.1:{port} does not answer"):
        AirflowApi(f"http://127.0.0.1:{port}", "admin", "x").dags()


@pytest.mark.parametrize(
    "killed",
    [["postgres"], ["s3", "api-server", "scheduler"]],
    ids=" and ".join,
)
def test_kill_9_is_mended_by_up(home: Path, killed: list[str]) -> None:
    stack.up(home, quiet)
    before, ports = pids(home), _read(home)["ports"]
    for part in killed:
        os.kill(before[part], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(pids(home)[part] is not None for part in killed):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not any(one.is_answering for one in stack.status(home) if one.name in killed)
    stack.up(home, quiet)
    after = stack.status(home)
    assert all(one.is_running and one.is_answering for one in after), after
    assert all(pids(home)[part] != before[part] for part in killed)
    assert _read(home)["ports"] == ports, "a part came back elsewhere"


def test_down_leaves_no_process_and_up_steps_over_taken_ports(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.up(home, quiet)
    found = _read(home)
    s3_before = found["ports"]["s3"]
    settings_before = dict(found["ports"])
    # A scheduler that was killed leaves orphans: they go, too, even with the note of what runs damaged.
    os.kill(pids(home)["scheduler"], signal.SIGKILL)
    members = processes.of_home(home)
    assert len(members) > 10
    (home / "stack.json").write_text("{ damaged")
    stack.down(home)
    assert [process for process in members if processes.is_running(process)] == []
    assert processes.of_home(home) == set()
    assert [process for process in _all_pids() if str(home) in " ".join(_arguments(process))] == []
    assert "environment" not in _read(home)
    stack.down(home)

    strangers = [socket.create_server(("127.0.0.1", port)) for port in settings_before.values()]
    try:
        monkeypatch.setenv("SLA_S3_PORT", str(s3_before))
        with pytest.raises(stack.StackError, match=f"Port {s3_before}, which was asked for s3, is taken"):
            stack.up(home, quiet)
        monkeypatch.delenv("SLA_S3_PORT")
        # Two at once make one stack.
        starters = [
            subprocess.Popen([sys.executable, "-c", UP, str(home)], stdout=subprocess.PIPE, text=True) for _ in range(2)
        ]
        outputs = [starter.communicate(timeout=120)[0] for starter in starters]
        assert [starter.returncode for starter in starters] == [0, 0], outputs
        assert sum("waiting for it" in output for output in outputs) == 1
    finally:
        for stranger in strangers:
            stranger.close()
    assert all(part.is_answering for part in stack.status(home))
    ports = _read(home)["ports"]
    assert not set(ports.values()) & set(settings_before.values())
    masters = [p for p in processes.of_home(home, "postgres") if "-D" in _arguments(p.pid)]
    assert len(masters) == 1


def test_a_port_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLA_AIRFLOW_PORT", "80x")
    with pytest.raises(settings.SettingsError, match="SLA_AIRFLOW_PORT is '80x'"):
        stack.up(tmp_path / "home", quiet)


def test_a_home_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(stack.StackError, match="set SLA_HOME to a directory that you may write"):
        stack.up(tmp_path / "file" / "home", quiet)


def test_status_and_down_of_a_home_that_never_was(tmp_path: Path) -> None:
    home = tmp_path / "never"
    assert not any(part.is_running for part in stack.status(home))
    stack.down(home)
    assert not home.exists()


def _arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
