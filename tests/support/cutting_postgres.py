"""A proxy on this machine before a real PostgreSQL that cuts connections: after so many bytes, or around a COMMIT."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

# The message that psycopg ends a transaction with.
COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"


@dataclass(frozen=True)
class Cut:
    """When to cut: at this byte of a direction, or within this COMMIT, counted over all connections from 1.

    Before it is done, within its message; after it, within the server's answer.
    """

    where: Literal["up", "down", "before_commit", "after_commit"]
    at: int
    share: float = 0  # of the message, or the answer, that still passes: below 1


@dataclass(eq=False)
class Wire:
    """What went through since the last `reset`, and what is to be cut."""

    upstream: tuple[str, int]
    cut: Cut | None = None
    has_cut: bool = False
    up: int = 0
    down: int = 0
    commits: int = 0
    on_commit: Callable[[], None] | None = None  # after the server's answer to a COMMIT, before the client has it
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self, cut: Cut | None = None) -> None:
        """Count anew, and cut once."""
        with self.lock:
            self.cut, self.has_cut, self.up, self.down, self.commits = cut, False, 0, 0, 0

    def let_through(self, direction: Literal["up", "down"], size: int) -> int:
        """How many of these bytes may pass before the cut."""
        with self.lock:
            passed = getattr(self, direction)
            setattr(self, direction, passed + size)
            if self.cut is None or self.has_cut or self.cut.where != direction or passed + size < self.cut.at:
                return size
            self.has_cut = True
            return self.cut.at - 1 - passed

    def passing(self, size: int) -> int:
        """How many bytes of a message that is cut still pass: not all."""
        assert self.cut is not None
        return int(size * self.cut.share)

    def commit(self) -> str | None:
        """One more COMMIT passes: whether to cut here, and on which side of it."""
        with self.lock:
            self.commits += 1
            if self.cut is None or self.has_cut or self.cut.at != self.commits or not self.cut.where.endswith("commit"):
                return None
            self.has_cut = True
            return self.cut.where


@dataclass
class _Pair:
    wire: Wire
    near: socket.socket
    far: socket.socket
    is_committing: bool = False
    is_to_be_cut: bool = False

    def upward(self) -> None:
        """Client to server."""
        with suppress(OSError):
            while chunk := self.near.recv(1 << 16):
                if COMMIT in chunk:
                    where = self.wire.commit()
                    if where == "before_commit":
                        self.far.sendall(chunk[: chunk.index(COMMIT) + self.wire.passing(len(COMMIT))])
                        break
                    self.is_to_be_cut = where == "after_commit"
                    self.is_committing = True
                passing = self.wire.let_through("up", len(chunk))
                self.far.sendall(chunk[:passing])
                if passing < len(chunk):
                    break
        return self.end()

    def downward(self) -> None:
        """Server to client."""
        with suppress(OSError):
            while chunk := self.far.recv(1 << 16):
                if self.is_committing:
                    self.is_committing = False
                    if self.wire.on_commit:
                        self.wire.on_commit()
                    if self.is_to_be_cut:
                        self.near.sendall(chunk[: self.wire.passing(len(chunk))])
                        break
                passing = self.wire.let_through("down", len(chunk))
                self.near.sendall(chunk[:passing])
                if passing < len(chunk):
                    break
        return self.end()

    def end(self) -> None:
        """Reset both sides."""
        for side in (self.near, self.far):
            with suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                side.shutdown(socket.SHUT_RDWR)
            side.close()


@contextmanager
def cutting_postgres(host: str, port: int) -> Iterator[tuple[int, Wire]]:
    """A port that leads to the server, and what can be cut on the way."""
    wire = Wire((host, port))
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(wire.upstream)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = _Pair(wire, near, far)
            threading.Thread(target=pair.upward, daemon=True).start()
            threading.Thread(target=pair.downward, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1], wire
    finally:
        # Wakes `accept`, which a mere close would not.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
