import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from slaledger.stack import processes
from slaledger.stack.home_secrets import secret_path
from slaledger.stack.postgres import Postgres
from slaledger.stack.processes import StackError
from slaledger.terms.publish import SHADOWED_ZONES
from slaledger.zones import ZONE_FILES, zone_names
from tests.support.stack import running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with running(Postgres(tmp_path_factory.mktemp("postgres"))) as server:
        yield server


def query(server: Postgres, text: str) -> object:
    with psycopg.connect(server.warehouse("postgres").dsn) as connection:
        return connection.execute(text).fetchone()[0]


def kill(server: Postgres) -> None:
    os.kill(server.process.pid, signal.SIGKILL)
    assert processes.wait_gone({server.process}, seconds=10) == set()


def test_it_survives_kill_9_with_what_was_committed(server: Postgres) -> None:
    server.start()
    with psycopg.connect(server.warehouse("postgres").dsn) as connection:
        connection.execute("create table kept as select 42 as answer")
    before = server.process
    kill(server)
    server.start()
    assert server.process != before
    assert query(server, "select answer from kept") == 42


def test_a_stale_pid_file_with_a_stranger_s_pid_does_not_stop_it(server: Postgres) -> None:
    server.start()
    kill(server)
    pid_file = server.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        server.start()
        assert query(server, "select 1") == 1
        assert stranger.poll() is None, "the stranger was killed"
    finally:
        stranger.kill()
        stranger.wait()


def test_starting_twice_is_starting_once(server: Postgres) -> None:
    server.start()
    before = server.process
    server.start()
    assert server.process == before


def test_an_orphaned_server_is_replaced(server: Postgres) -> None:
    """The note of its process is lost, as after a `kill -9` of `sla up`."""
    server.start()
    orphan = server.process
    successor = Postgres(server.home, port=server.port)
    successor.start()
    assert not processes.is_running(orphan)
    assert successor.port == server.port
    server.process = successor.process


def test_it_listens_on_loopback_only_and_wants_the_password(server: Postgres) -> None:
    server.start()
    assert query(server, "show listen_addresses") == "127.0.0.1"
    assert query(server, "show unix_socket_directories") == ""
    assert query(server, "select datcollate from pg_database where datname = 'template1'") == "C"
    assert query(server, "show server_encoding") == "UTF8"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.warehouse("postgres").dsn.replace(":", ":x", 2).replace(":x//", "://"))
    path = secret_path(server.home, "postgres_password")
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_text()) >= 16


def test_rows_do_not_reach_its_log(server: Postgres) -> None:
    server.start()
    with psycopg.connect(server.warehouse("postgres").dsn, autocommit=True) as connection:
        connection.execute("create table secretive (id int primary key check (id < 5), note text)")
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("insert into secretive values (7, 'ada@example.com')")
        with (
            pytest.raises(psycopg.errors.InvalidTextRepresentation),
            connection.cursor().copy("copy secretive (id, note) from stdin") as copy,
        ):
            copy.write("x\tada@example.com\n")
    log = server.log.read_text()
    assert "violates check constraint" in log
    assert "example.com" not in log


def test_a_database_is_made_once(server: Postgres) -> None:
    server.start()
    server.ensure_database("twice")
    server.ensure_database("twice")
    assert query(server, "select count(*) from pg_database where datname = 'twice'") == 1


def test_a_lost_password_is_said_plainly(server: Postgres) -> None:
    server.start()
    path = secret_path(server.home, "postgres_password")
    kept = path.read_text()
    kill(server)
    path.write_text("wrong")
    try:
        with pytest.raises(StackError, match=f"rejects the password in {path}"):
            server.start()
    finally:
        path.write_text(kept)
    server.start()
    assert query(server, "select 1") == 1


def test_damaged_data_are_reported_with_the_log_s_last_lines(tmp_path: Path) -> None:
    server = Postgres(tmp_path, is_durable=False)
    server.start()
    server.stop()
    (server.data / "global" / "pg_control").unlink()
    with pytest.raises(StackError, match=r"(?s)PostgreSQL does not start.*pg_control") as caught:
        server.start()
    assert str(server.log) in str(caught.value)
    assert processes.of_home(tmp_path) == set()


def test_an_interrupted_initdb_is_done_again(tmp_path: Path) -> None:
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18")
    server = Postgres(tmp_path, is_durable=False)
    try:
        server.start()
        assert query(server, "select 1") == 1
    finally:
        server.stop()
    assert processes.of_home(tmp_path) == set()


def test_root_without_user_namespaces_is_told_what_to_do(tmp_path: Path) -> None:
    """In a namespace where we are root, and may make no further one."""
    start = "import sys; from pathlib import Path; from slaledger.stack.postgres import Postgres; "
    start += "Postgres(Path(sys.argv[1])).start()"
    inside = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    command = ["unshare", "-Ur", "sh", "-c", inside, "sh", sys.executable, "-c", start, str(tmp_path)]
    if subprocess.run([*command[:3], "-c", inside, "sh", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces, to take them away")
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "StackError: PostgreSQL does not run as root" in result.stderr
    assert "run as an ordinary user, with SLA_HOME in a directory of that user" in result.stderr
    assert not (tmp_path / "postgres").exists()


def test_its_zones_are_those_of_the_tzdata_package(server: Postgres) -> None:
    server.start()
    weeks = [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(weeks=n) for n in range(574)]
    other = set()
    with psycopg.connect(server.warehouse("postgres").dsn) as connection:
        for zone in zone_names():
            with (ZONE_FILES / zone).open("rb") as data:
                packages = ZoneInfo.from_file(data)
            shown = connection.execute(
                "select week at time zone %s from unnest(%s::timestamptz[]) with ordinality as weeks (week, position)"
                " order by position",
                [zone, weeks],
            ).fetchall()
            if shown != [(week.astimezone(packages).replace(tzinfo=None, fold=0),) for week in weeks]:
                other.add(zone)
        assert connection.execute("select count(*) from pg_timezone_names").fetchone() == (len(zone_names()),)
    # `at time zone` takes these for abbreviations of fixed offsets; `terms.publish` knows, and writes a city's zone.
    assert other == set(SHADOWED_ZONES)
