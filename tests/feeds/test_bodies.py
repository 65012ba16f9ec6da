"""Bodies as lines: gzip by content, one byte order mark, LF alone, bounded memory."""

from __future__ import annotations

import gzip
import io
import random
import tracemalloc
from pathlib import Path

import pytest

from slaledger.feeds import bodies
from slaledger.feeds.bodies import Line
from slaledger.feeds.limits import MAX_ROW_BYTES
from slaledger.feeds.reasons import ObjectRejected


def contents(path: Path) -> list[bytes | None]:
    """The lines of a body."""
    with bodies.open_body(path) as body:
        return [line.content for line in bodies.lines(body)]


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"\xef\xbb\xbfa\n", [b"a"]),
        (b"\xef\xbb\xbf\xef\xbb\xbfa\n", [b"\xef\xbb\xbfa"]),
        # None of these ends a line.
        ("a\u2028b\x85c\x0bd\x0ce\rf\n".encode(), ["a\u2028b\x85c\x0bd\x0ce\rf".encode()]),
    ],
)
def test_lines(tmp_path: Path, compress, body: bytes, expected: list[bytes]) -> None:
    """The same lines, gzipped or not."""
    path = tmp_path / "body"
    path.write_bytes(compress(body))
    assert contents(path) == expected


def test_gzip_members_are_read_on(tmp_path: Path) -> None:
    """Several members, and zero padding after the last, are one body."""
    path = tmp_path / "body"
    path.write_bytes(
        gzip.compress(b"a\nb", mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(b"c\n", mtime=0) + bytes(1000)
    )
    assert contents(path) == [b"a", b"bc"]


@pytest.mark.parametrize("size", [1, 100_000, 300_000, 5_000_000])
def test_gzip_is_read_whole(tmp_path: Path, size: int) -> None:
    """What gzip gives, whatever falls on which block."""
    body = random.Random(size).randbytes(size // 2) + b"x" * (size - size // 2)
    path = tmp_path / "body"
    path.write_bytes(gzip.compress(body, mtime=0))
    with bodies.open_body(path) as stream:
        assert stream.read() == body


@pytest.mark.parametrize("cut", [3, 10, 11, 500, -8, -1])
def test_truncated_gzip_is_refused(tmp_path: Path, cut: int) -> None:
    """Wherever it was cut: in the header, the data or the trailer."""
    path = tmp_path / "body"
    path.write_bytes(gzip.compress(random.Random(1).randbytes(1000), mtime=0)[:cut])
    with pytest.raises(ObjectRejected) as caught:
        contents(path)
    assert caught.value.code == "gzip_truncated"


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    """A flipped bit fails the checksum of the stream."""
    body = bytearray(gzip.compress(random.Random(1).randbytes(1000), mtime=0))
    body[500] ^= 1
    path = tmp_path / "body"
    path.write_bytes(body)
    with pytest.raises(ObjectRejected) as caught:
        contents(path)
    assert caught.value.code == "gzip_corrupt"


def test_bomb_costs_no_memory(tmp_path: Path) -> None:
    """300 MiB of zeros on one line: refused, in a few MiB."""
    path = tmp_path / "body"
    path.write_bytes(gzip.compress(bytes(1 << 20), mtime=0) * 300)
    tracemalloc.start()
    with pytest.raises(ObjectRejected) as caught:
        contents(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.code == "inflate_limit"
    assert peak < 16 << 20


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_row_of_exactly_the_limit_is_read(end: bytes) -> None:
    """1 MiB is no more than 1 MiB; what follows keeps its number."""
    body = io.BytesIO(b"x" * MAX_ROW_BYTES + end)
    assert [len(line.content or b"") for line in bodies.lines(body)] == [MAX_ROW_BYTES]
    body = io.BytesIO(b"x" * (MAX_ROW_BYTES + 1) + end + (b"y" if end else b""))
    numbers = [(line.number, line.content) for line in bodies.lines(body)]
    assert numbers == [(1, None), (2, b"y")][: 2 if end else 1]


def test_digest_of_a_long_line_is_its_bytes() -> None:
    """Read in parts, digested as one."""
    import hashlib

    content = random.Random(3).randbytes(3 << 20).replace(b"\n", b" ")
    (line,) = bodies.lines(io.BytesIO(content))
    assert line.content is None
    assert line.digest == hashlib.sha256(content).hexdigest()
    assert Line(1, b"a").digest == hashlib.sha256(b"a").hexdigest()
