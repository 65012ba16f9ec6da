"""Processes that outlive their starter: known by pid and start time, stopped with all they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.05

# Says in every child's environment whose it is, so that orphans are found after a `kill -9` of their parent.
MARKER = "SLALEDGER_STACK_HOME"

# Of what this very process started: reaped here, or they would stay as zombies.
_children: dict[int, subprocess.Popen] = {}


class StackError(Exception):
    """A part of the embedded stack cannot be started or stopped; the message says why and what to do."""


@dataclass(frozen=True)
class Process:
    """A process, told apart from a later one with the same pid by its start (clock ticks since boot)."""

    pid: int
    start_time: int


@dataclass(frozen=True)
class _Stat:
    state: str
    parent: int
    session: int
    start_time: int


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command's name may hold blanks and brackets: count from the last bracket.
    fields = text[text.rindex(")") + 2 :].split()
    return _Stat(state=fields[0], parent=int(fields[1]), session=int(fields[3]), start_time=int(fields[19]))


def _running() -> dict[int, _Stat]:
    stats = {int(name): _stat(int(name)) for name in os.listdir("/proc") if name.isdigit()}
    return {pid: stat for pid, stat in stats.items() if stat and stat.state not in "ZX"}


def identify(pid: int) -> Process | None:
    """The process that has this pid now."""
    stat = _stat(pid)
    return Process(pid, stat.start_time) if stat else None


def is_running(process: Process | None) -> bool:
    """Whether this very process runs: a recycled pid and a zombie do not count."""
    if process is None:
        return False
    child = _children.get(process.pid)
    if child is not None and child.poll() is not None:
        del _children[process.pid]
    stat = _stat(process.pid)
    return stat is not None and stat.start_time == process.start_time and stat.state not in "ZX"


def spawn(argv: Sequence[str], *, environment: Mapping[str, str], log: Path, directory: Path) -> Process:
    """Start a command in a session of its own, its output appended to `log` (mode 0600).

    Raises `StackError` when there is no such command.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = subprocess.Popen(
            argv,
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise StackError(f"{argv[0]} cannot be started ({error}): run `make setup` again.") from error
    finally:
        os.close(descriptor)
    _children[child.pid] = child
    process = identify(child.pid)
    assert process is not None, "an unreaped child has an entry in /proc"
    return process


def family(process: Process) -> set[Process]:
    """The process, its descendants, and all in the session that it leads; nothing once it has ended."""
    if not is_running(process):
        return set()
    running = _running()
    members = {process.pid} | {pid for pid, stat in running.items() if stat.session == process.pid}
    grown = True
    while grown:
        children = {pid for pid, stat in running.items() if stat.parent in members} - members
        members |= children
        grown = bool(children)
    return {Process(pid, running[pid].start_time) for pid in members if pid in running}


def of_home(home: Path, part: str | None = None) -> set[Process]:
    """All processes that were started for this home, or for one part of it, whoever their parent is now."""
    begin = f"{MARKER}={home}:".encode()
    found = set()
    for pid, stat in _running().items():
        try:
            marks = [
                entry.removeprefix(begin).decode()
                for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                if entry.startswith(begin)
            ]
            # PostgreSQL writes its titles over its environment, but lives in its data directory.
            if (
                Path(f"/proc/{pid}/cwd").readlink() == home / "postgres"
                and Path(f"/proc/{pid}/exe").readlink().name == "postgres"
            ):
                marks.append("postgres")
        except OSError:
            continue
        if part in marks or (marks and part is None):
            found.add(Process(pid, stat.start_time))
    return found


def marker(home: Path, part: str) -> dict[str, str]:
    """What to put into the environment of a part, so that `of_home` finds it and all that it starts."""
    # The titles that Airflow gives its processes must not be written over their environment.
    return {MARKER: f"{home}:{part}", "SPT_NOENV": "1"}


def send(processes: set[Process], sent: signal.Signals) -> None:
    """Signal those that still run."""
    for process in processes:
        if is_running(process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, sent)


def wait_gone(processes: set[Process], *, seconds: float) -> set[Process]:
    """Wait until none runs; those that still do after so many seconds."""
    deadline = time.monotonic() + seconds
    left = {process for process in processes if is_running(process)}
    while left and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        left = {process for process in left if is_running(process)}
    return left


def stop(home: Path, part: str, process: Process | None, *, asked: signal.Signals, seconds: float) -> None:
    """Ask a part's process to end, wait, then kill what is left of it and of all it started.

    Raises `StackError` when something survives even that.
    """
    members = family(process) if process else set()
    send({process} & members, asked)
    wait_gone({process} & members, seconds=seconds)
    kill(members | of_home(home, part))


def kill(processes: set[Process]) -> None:
    """Kill, and wait until they are gone. Raises `StackError` when one is not."""
    send(processes, signal.SIGKILL)
    left = wait_gone(processes, seconds=10)
    if left:
        pids = ", ".join(str(process.pid) for process in sorted(left, key=lambda one: one.pid))
        raise StackError(f"Process {pids} does not end, even killed: look at it with `ps -f -p {pids}`.")


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log, for a message."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-count:]
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join(f"  {line}" for line in lines) or "  (the log is empty)"
