"""A disk of a few megabytes, and a warehouse on it."""

from __future__ import annotations

import dataclasses
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from slaledger.settings import Settings


@contextmanager
def small_disk(directory: Path, size_bytes: int) -> Iterator[Path]:
    """A disk of so many bytes. Skips where this machine gives none."""
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "tmpfs", str(directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a disk of a few megabytes needs root's `mount`: {mounted.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=False)


@contextmanager
def on_small_disk(settings: Settings, directory: Path) -> Iterator[tuple[Settings, Path]]:
    """A copy of the warehouse on a small disk with some room, and a file that can take it."""
    with psycopg.connect(settings.warehouse.dsn, autocommit=True) as connection:
        (size,) = connection.execute("select pg_database_size(current_database())").fetchone()
    name = f"small_{uuid.uuid4().hex[:12]}"
    admin_dsn = dataclasses.replace(settings.warehouse, database="postgres").dsn
    with small_disk(directory, size + (24 << 20)) as disk, psycopg.connect(admin_dsn, autocommit=True) as admin:
        (disk / "data").mkdir(mode=0o700)
        admin.execute(f"create tablespace {name} location '{disk / 'data'}'")
        try:
            admin.execute(f"create database {name} template {settings.warehouse.database} tablespace {name}")
            small = dataclasses.replace(settings.warehouse, database=name)
            # The first session writes a file that all others start from.
            psycopg.connect(small.dsn).close()
            yield dataclasses.replace(settings, warehouse=small), disk / "ballast"
        finally:
            admin.execute(f"drop database if exists {name} with (force)")
            admin.execute(f"drop tablespace {name}")


def fill(path: Path, room_bytes: int) -> None:
    """Leave so much room on the disk, and no more."""
    with path.open("wb", buffering=0) as file:
        with suppress(OSError):
            while file.write(bytes(4096)):
                pass
        file.truncate(max(0, file.tell() - room_bytes))
