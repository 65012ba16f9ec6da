"""Secrets of a home: made once, a file each, readable by the owner alone."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path


def secret_path(home: Path, name: str) -> Path:
    """Where the secret of this name is."""
    return home / "secrets" / name


def secret(home: Path, name: str, *, make: Callable[[], str] = lambda: secrets.token_hex(16)) -> str:
    """The secret of this name; made the first time. By default 32 hexadecimal digits.

    Raises `OSError` when the home cannot be read or written.
    """
    path = secret_path(home, name)
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(make())
        # A link, not a rename: of two that make it at once, the first wins for both.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text()


def replace_secret(home: Path, name: str, value: str) -> None:
    """Set the secret of this name."""
    path = secret_path(home, name)
    path.unlink(missing_ok=True)
    secret(home, name, make=lambda: value)
