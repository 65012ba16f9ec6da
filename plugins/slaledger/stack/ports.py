"""Ports on 127.0.0.1: the one of the last time if it is free, else the next free one."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

# Below the ports that Linux hands out to outgoing connections; SeaweedFS adds 10000 to one of them.
FIRST, LAST = 20000, 22700


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 at this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_ports(home: Path) -> Iterator[int]:
    """Free ports without end, from a place that depends on the home: two homes seldom try the same."""
    span = LAST - FIRST
    start = int.from_bytes(hashlib.sha256(str(home).encode()).digest()[:4], "big") % span
    step = 0
    while True:
        port = FIRST + (start + step) % span
        step += 1
        if step > 2 * span:
            raise OSError(f"No free port between {FIRST} and {LAST} on 127.0.0.1.")
        if is_free(port):
            yield port


def pick(preferred: int | None, candidates: Iterator[int]) -> int:
    """The preferred port, if it is free or soon becomes so (its server is ending), else the next."""
    deadline = time.monotonic() + 1
    while preferred:
        if is_free(preferred):
            return preferred
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return next(candidates)
