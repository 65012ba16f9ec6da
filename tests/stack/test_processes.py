import signal
import sys
from pathlib import Path

import pytest

from slaledger.stack import processes
from slaledger.stack.processes import Process, StackError

# A parent with a child, and a grandchild that has left the session.
TREE = """
import subprocess, sys
subprocess.Popen(["sleep", "600"])
subprocess.Popen(["setsid", "sleep", "600"])
print("ready", flush=True)
sys.stdin.read() or __import__("time").sleep(600)
"""


def start_tree(home: Path, part: str = "tree") -> Process:
    log = home / "logs" / f"{part}.log"
    process = processes.spawn(
        [sys.executable, "-c", TREE],
        environment={"PATH": "/usr/bin:/bin", **processes.marker(home, part)},
        log=log,
        directory=home,
    )
    wait_until(lambda: "ready" in log.read_text() and len(processes.of_home(home)) == 3)
    return process


def wait_until(is_done) -> None:
    import time

    deadline = time.monotonic() + 20
    while not is_done():
        assert time.monotonic() < deadline, "it did not happen in 20 s"
        time.sleep(0.05)


def test_stop_leaves_none_of_the_family(tmp_path: Path) -> None:
    tree = start_tree(tmp_path)
    family = processes.family(tree)
    assert len(family) == 3
    processes.stop(tmp_path, "tree", tree, asked=signal.SIGTERM, seconds=5)
    assert not [process for process in family if processes.is_running(process)]
    assert processes.of_home(tmp_path) == set()


def test_orphans_of_a_killed_parent_are_found_and_killed(tmp_path: Path) -> None:
    tree = start_tree(tmp_path)
    processes.kill({tree})
    orphans = processes.of_home(tmp_path)
    assert len(orphans) == 2
    assert processes.of_home(tmp_path, "tree") == orphans
    assert processes.of_home(tmp_path, "another") == set()
    processes.kill(orphans)
    assert processes.of_home(tmp_path) == set()


def test_another_home_is_not_touched(tmp_path: Path) -> None:
    home, other = tmp_path / "home", tmp_path / "home2"
    home.mkdir()
    other.mkdir()
    tree, stranger = start_tree(home), start_tree(other)
    try:
        processes.kill(processes.of_home(home))
        assert not processes.is_running(tree)
        assert processes.is_running(stranger)
        assert len(processes.of_home(other)) == 3
    finally:
        processes.kill(processes.of_home(other))


def test_a_recycled_pid_is_not_taken_for_the_process(tmp_path: Path) -> None:
    tree = start_tree(tmp_path)
    earlier = Process(tree.pid, tree.start_time - 1)
    try:
        assert not processes.is_running(earlier)
        processes.stop(tmp_path, "another", earlier, asked=signal.SIGKILL, seconds=1)
        assert processes.is_running(tree), "a process with another start time was signalled"
    finally:
        processes.kill(processes.of_home(tmp_path))


def test_a_process_that_ignores_the_question_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "deaf.log"
    deaf = processes.spawn(
        [
            sys.executable,
            "-c",
            "import signal, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True); time.sleep(600)",
        ],
        environment={},
        log=log,
        directory=tmp_path,
    )
    wait_until(lambda: log.read_text() == "on\n")
    processes.stop(tmp_path, "deaf", deaf, asked=signal.SIGTERM, seconds=0.2)
    assert not processes.is_running(deaf)


def test_a_missing_program_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"no-such-program cannot be started.*make setup"):
        processes.spawn([str(tmp_path / "no-such-program")], environment={}, log=tmp_path / "log", directory=tmp_path)


def test_logs_are_the_owner_s_alone(tmp_path: Path) -> None:
    start_tree(tmp_path)
    try:
        assert (tmp_path / "logs" / "tree.log").stat().st_mode & 0o777 == 0o600
    finally:
        processes.kill(processes.of_home(tmp_path))
