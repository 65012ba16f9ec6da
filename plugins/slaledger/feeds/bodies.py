"""Bodies of objects as lines and records: told by content, never by name, in bounded memory."""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from slaledger.feeds import limits
from slaledger.feeds.limits import MAX_ROW_BYTES
from slaledger.feeds.reasons import ObjectRejected

_CHUNK_BYTES = 1 << 18
_GZIP_MAGIC = b"\x1f\x8b"
_FOREIGN_MAGICS = {
    _GZIP_MAGIC: "gzip within gzip",
    b"PK\x03\x04": "a zip archive",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"7z\xbc\xaf\x27\x1c": "7-zip",
    b"%PDF": "PDF",
    b"PAR1": "Parquet",
    b"<": "XML or HTML",
}
PARQUET_MAGIC = b"PAR1"
# A tar archive says what it is behind the name and the mode of its first file.
_TAR_MAGIC = slice(257, 262), b"ustar"
_START_BYTES = 512


@dataclass(frozen=True)
class Line:
    """One line without its end. `content` is None where the line is over 1 MiB."""

    number: int
    content: bytes | None
    sha256: str | None = None
    has_odd_quotes: bool = False  # told for lines over 1 MiB alone

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing but white space in it."""
        return self.content is not None and not self.content.strip(b" \t\r")

    @property
    def digest(self) -> str:
        """SHA-256 of the line's bytes, in hexadecimal."""
        return self.sha256 or hashlib.sha256(self.content or b"").hexdigest()


def open_body(path: Path) -> io.BufferedReader:
    """Open an object's body: inflated if it is gzip, its byte order mark skipped.

    Reading raises `ObjectRejected` where the gzip stream is truncated, damaged or a bomb.
    """
    raw = path.open("rb")
    magic = raw.read(2)
    raw.seek(0)
    body = io.BufferedReader(_Inflater(raw, path.stat().st_size) if magic == _GZIP_MAGIC else raw, _CHUNK_BYTES)
    try:
        start = body.peek(8)[:8]
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise ObjectRejected("invalid_encoding", "the object is UTF-16")
        if start.startswith(codecs.BOM_UTF8):
            body.read(len(codecs.BOM_UTF8))
    except BaseException:
        body.close()
        raise
    return body


def first_bytes(path: Path) -> bytes:
    """The first bytes of the body after white space, enough to tell formats apart."""
    with open_body(path) as body:
        while chunk := body.read(_CHUNK_BYTES):
            if found := chunk.lstrip():
                return (found + body.read(_START_BYTES))[:_START_BYTES]
    return b""


def refuse_foreign(start: bytes) -> None:
    """Raise `ObjectRejected` where the first bytes are those of a format that no feed comes in."""
    for magic, name in _FOREIGN_MAGICS.items():
        if start.startswith(magic):
            raise ObjectRejected("wrong_format", f"the content is {name}")
    place, magic = _TAR_MAGIC
    if start[place] == magic:
        raise ObjectRejected("wrong_format", "the content is a tar archive")


def lines(body: BinaryIO, number: int = 0) -> Iterator[Line]:
    """The lines of a body after line `number`: they end at LF alone; a CR before it belongs to the end."""
    while chunk := body.readline(MAX_ROW_BYTES + 3):
        number += 1
        if chunk.endswith(b"\n") or len(chunk) <= MAX_ROW_BYTES + 2:
            content = chunk.removesuffix(b"\n").removesuffix(b"\r")
            if len(content) <= MAX_ROW_BYTES:
                yield Line(number, content)
                continue
        digest, quotes = hashlib.sha256(chunk), chunk.count(b'"')
        while not chunk.endswith(b"\n") and (chunk := body.readline(_CHUNK_BYTES)):
            digest.update(chunk)
            quotes += chunk.count(b'"')
        yield Line(number, None, digest.hexdigest(), quotes % 2 == 1)


def document(path: Path, *, errors: str = "strict") -> str:
    """The whole body as text; with `surrogateescape` for `errors`, bytes that are no UTF-8 stay where they stand.

    Raises `ObjectRejected` where it is over 32 MiB or, else, no UTF-8.
    """
    with open_body(path) as body:
        content = body.read(limits.MAX_DOCUMENT_BYTES + 1)
    if len(content) > limits.MAX_DOCUMENT_BYTES:
        raise ObjectRejected("document_too_large", f"the document is over {limits.MAX_DOCUMENT_BYTES >> 20} MiB")
    try:
        return content.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise ObjectRejected("invalid_encoding", f"no valid UTF-8 at byte {error.start}") from None


def put_back(content: bytes, body: BinaryIO) -> io.BufferedReader:
    """A body that begins with what was already read of it."""
    return io.BufferedReader(_PutBack(content, body), _CHUNK_BYTES)


class _PutBack(io.RawIOBase):
    def __init__(self, content: bytes, body: BinaryIO) -> None:
        self._content = io.BytesIO(content)
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        content = self._content.read(len(buffer)) or self._body.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


class _Inflater(io.RawIOBase):
    """A gzip file of one or more members, inflated as it is read; zero padding after the last is allowed."""

    def __init__(self, raw: BinaryIO, size: int) -> None:
        from isal import isal_zlib

        self._raw = raw
        self._new_member = lambda: isal_zlib.decompressobj(wbits=31)
        self._error = isal_zlib.error
        self._member = self._new_member()
        self._pending = b""
        self._is_padding = False
        self._inflated = 0
        self._limit = min(limits.INFLATE_LIMIT_BYTES, max(limits.INFLATE_FLOOR_BYTES, size * limits.INFLATE_RATIO))

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._raw.close()
        super().close()

    def readinto(self, buffer) -> int:
        content = self._inflate(len(buffer))
        self._inflated += len(content)
        if self._inflated > self._limit:
            raise ObjectRejected("inflate_limit", f"the gzip stream inflates beyond {self._limit} bytes")
        buffer[: len(content)] = content
        return len(content)

    def _inflate(self, size: int) -> bytes:
        while True:
            chunk = self._pending or self._raw.read(_CHUNK_BYTES)
            self._pending = b""
            if self._member.eof:
                # Between members: the next one, zero padding, or the end of the file.
                chunk = chunk.lstrip(b"\x00") if (self._is_padding or chunk.startswith(b"\x00")) else chunk
                self._is_padding = self._is_padding or not chunk
                if not chunk:
                    if not (chunk := self._raw.read(_CHUNK_BYTES)):
                        return b""
                    self._pending = chunk
                    continue
                if len(chunk) < 2:
                    chunk += self._raw.read(1)
                if not chunk.startswith(_GZIP_MAGIC):
                    raise ObjectRejected("gzip_corrupt", "something that is no gzip follows the gzip stream")
                self._member = self._new_member()
            try:
                content = self._member.decompress(chunk, size)
            except (self._error, EOFError, ValueError) as error:
                raise ObjectRejected("gzip_corrupt", "the gzip stream is damaged") from error
            self._pending = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if content:
                return content
            if not chunk and not self._member.eof:
                raise ObjectRejected("gzip_truncated", "the gzip stream ends early")
