"""An S3 that lies: a proxy on this machine before a real one, which spoils the answers that it is told to.

The client signs for the address that it asks; what it sends is passed on as it is, so that its signature holds.
"""

from __future__ import annotations

import dataclasses
import http.client
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from urllib.parse import unquote, urlsplit

from slaledger.settings import Exports

# A client that waits this long for a byte must have given up.
HANG_SECONDS = 1.0
SLOW_SECONDS = 0.5
XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True)
class Answer:
    """What S3 said."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def stating(self, **headers: str) -> Answer:
        """With other headers (`_` for `-`)."""
        said = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        kept = tuple((name, value) for name, value in self.headers if name.lower() not in said)
        return dataclasses.replace(self, headers=(*kept, *said.items()))

    def bearing(self, body: bytes) -> Answer:
        """With another body, of the length stated."""
        return dataclasses.replace(self, body=body).stating(content_length=str(len(body)))


@dataclass
class Exchange:
    """One request on its way."""

    handler: Handler
    request_body: bytes
    chance: Random

    def forward(self) -> Answer:
        """What the real S3 answers."""
        handler = self.handler
        connection = http.client.HTTPConnection(*handler.server.upstream)
        connection.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
        for name, value in handler.headers.items():
            connection.putheader(name, value)
        connection.endheaders(self.request_body)
        answer = connection.getresponse()
        try:
            return Answer(answer.status, tuple(answer.getheaders()), answer.read())
        finally:
            connection.close()

    @property
    def listing(self) -> str:
        """The bucket and the kind of the listing that is asked for."""
        parts = urlsplit(self.handler.path)
        return f"{parts.path}?{'versions' if 'versions' in parts.query else 'current'}"

    def start(self, answer: Answer) -> None:
        """Send all but the body."""
        self.handler.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in ("connection", "transfer-encoding"):
                self.handler.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in answer.headers):
            self.handler.send_header("Content-Length", str(len(answer.body)))
        self.handler.end_headers()

    def send(self, answer: Answer) -> None:
        """Send an answer whole."""
        self.start(answer)
        self.handler.wfile.write(answer.body)

    def refuse(self, status: int, code: str) -> None:
        """Answer with S3's error."""
        body = f"{XML}<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        self.send(Answer(status, (("Content-Type", "application/xml"), ("Content-Length", str(len(body)))), body))

    def close(self) -> None:
        """End the connection, as one that is done."""
        self.handler.close_connection = True

    def reset(self) -> None:
        """End it with a reset."""
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.handler.close_connection = True
        # Closed by hand: the server's own way says a polite end first.
        socket.socket(fileno=self.handler.connection.detach()).close()


Strike = Callable[[Exchange], None]


@dataclass
class Spoiling:
    """What to spoil: answers of one kind of request, so many of a target, or all."""

    strike: Strike
    kind: str  # get, list, put
    times: int | None  # a target; None: always
    after: Mapping[str, int]  # key ("" of a listing) -> answers that are left whole first; others are all whole


@dataclass
class FaultyS3:
    """The proxy: what it spoils now, and what it was asked."""

    chance: Random
    spoiling: Spoiling | None = None
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)  # (kind, target) -> requests
    struck: int = 0
    first_pages: dict[str, Answer] = field(default_factory=dict)  # kind of listing -> the first page ever given
    lock: threading.Lock = field(default_factory=threading.Lock)

    def spoil(self, strike: Strike, kind: str, *, times: int | None, after: Mapping[str, int]) -> None:
        """From now on, spoil these answers."""
        self.heal()
        self.spoiling = Spoiling(strike, kind, times, after)

    def keys_asked(self, kind: str) -> Counter[str]:
        """Key -> requests of that kind, over all of its versions."""
        counts: Counter[str] = Counter()
        for (asked, target), count in self.asked.items():
            if asked == kind:
                counts[_key(target)] += count
        return counts

    def heal(self) -> None:
        """Spoil nothing more, and forget what was asked."""
        with self.lock:
            self.spoiling, self.struck = None, 0
            self.asked.clear()

    def strike_for(self, method: str, path: str) -> Strike | None:
        """What becomes of this request."""
        parts, key = urlsplit(path), _key(path)
        kind = "put" if method == "PUT" else "get" if key else "list"
        target = (kind, path if kind == "get" else parts.path)
        with self.lock:
            self.asked[target] += 1
            spoiling = self.spoiling
            if spoiling is None or kind != spoiling.kind or key not in spoiling.after:
                return None
            hit = self.asked[target] - spoiling.after[key]
            if hit < 1 or (spoiling.times is not None and hit > spoiling.times):
                return None
            self.struck += 1
            return spoiling.strike


def _key(path: str) -> str:
    """The key that a request is for, "" where it is for the bucket."""
    return unquote(urlsplit(path).path).lstrip("/").partition("/")[2]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        """Pass the request on, or spoil its answer."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        exchange = Exchange(self, body, self.server.faults.chance)
        strike = self.server.faults.strike_for(self.command, self.path)
        try:
            if strike:
                strike(exchange)
            else:
                answer = exchange.forward()
                self.server.faults.first_pages.setdefault(exchange.listing, answer)
                exchange.send(answer)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def finish(self) -> None:
        """As inherited; a connection that was reset is closed already."""
        try:
            super().finish()
        except OSError:
            self.close_connection = True


class Server(ThreadingHTTPServer):
    """Listens on this machine alone."""

    daemon_threads = True

    def __init__(self, upstream: tuple[str, int], faults: FaultyS3) -> None:
        self.upstream, self.faults = upstream, faults
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *_: object) -> None:
        """A client that went away: what was asked for."""

    def shutdown_request(self, request: socket.socket) -> None:
        """As inherited, unless it was reset."""
        if request.fileno() >= 0:
            super().shutdown_request(request)


@contextmanager
def faulty_s3(exports: Exports, chance: Random) -> Iterator[tuple[Exports, FaultyS3]]:
    """The same bucket behind a proxy that can be told to spoil."""
    address = urlsplit(exports.endpoint_url)
    faults = FaultyS3(chance)
    server = Server((address.hostname, address.port), faults)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield dataclasses.replace(exports, endpoint_url=f"http://127.0.0.1:{server.server_address[1]}"), faults
    finally:
        server.shutdown()
        server.server_close()


def slow_down(exchange: Exchange) -> None:
    exchange.refuse(503, "SlowDown")


def internal_error(exchange: Exchange) -> None:
    exchange.refuse(500, "InternalError")


def too_many_requests(exchange: Exchange) -> None:
    exchange.refuse(429, "TooManyRequests")


def expired_token(exchange: Exchange) -> None:
    exchange.refuse(403, "ExpiredToken")


def access_denied(exchange: Exchange) -> None:
    exchange.refuse(403, "AccessDenied")


def not_found(exchange: Exchange) -> None:
    exchange.refuse(404, "NoSuchVersion")


def hang(exchange: Exchange) -> None:
    """Say nothing for longer than anybody waits."""
    time.sleep(HANG_SECONDS)
    exchange.reset()


def slow(exchange: Exchange) -> None:
    """A body in sixteen pieces, each in time."""
    answer = exchange.forward()
    exchange.start(answer)
    step = max(1, len(answer.body) // 16)
    for start in range(0, len(answer.body), step):
        exchange.handler.wfile.write(answer.body[start : start + step])
        time.sleep(SLOW_SECONDS / 16)


def reset_unasked(exchange: Exchange) -> None:
    """The request never reaches S3."""
    exchange.reset()


def reset_unanswered(exchange: Exchange) -> None:
    """S3 has done it, and its answer is lost."""
    exchange.forward()
    exchange.reset()


def reset_in_headers(exchange: Exchange) -> None:
    exchange.forward()
    exchange.handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Ty")
    exchange.reset()


def reset_in_body(exchange: Exchange) -> None:
    answer = exchange.forward()
    exchange.start(answer)
    exchange.handler.wfile.write(answer.body[: _place(exchange, answer)])
    exchange.reset()


def truncated(exchange: Exchange) -> None:
    """The connection ends, politely, before the body does."""
    answer = exchange.forward()
    exchange.start(answer)
    exchange.handler.wfile.write(answer.body[: _place(exchange, answer)])
    exchange.close()


def short_length(exchange: Exchange) -> None:
    """A shorter body, and a Content-Length that agrees."""
    answer = exchange.forward()
    exchange.send(answer.bearing(answer.body[: _place(exchange, answer)]))


def long_length(exchange: Exchange) -> None:
    """A Content-Length that the body does not reach."""
    answer = exchange.forward()
    exchange.send(answer.stating(content_length=str(len(answer.body) + exchange.chance.randint(1, 1000))))
    exchange.close()


def longer_body(exchange: Exchange) -> None:
    """A longer body, and a Content-Length that agrees."""
    answer = exchange.forward()
    exchange.send(answer.bearing(answer.body + exchange.chance.randbytes(exchange.chance.randint(1, 1000))))


def flipped(exchange: Exchange) -> None:
    """One bit."""
    answer = exchange.forward()
    place = _place(exchange, answer)
    bit = answer.body[place] ^ (1 << exchange.chance.randrange(8))
    exchange.send(answer.bearing(answer.body[:place] + bytes([bit]) + answer.body[place + 1 :]))


def wrong_etag(exchange: Exchange) -> None:
    exchange.send(exchange.forward().stating(etag=f'"{exchange.chance.randbytes(16).hex()}"'))


def wrong_checksum(exchange: Exchange) -> None:
    exchange.send(exchange.forward().stating(x_amz_checksum_crc32="AAAAAA=="))


def other_version(exchange: Exchange) -> None:
    """Another object's answer, whole and sound in itself."""
    import hashlib

    answer = exchange.forward()
    body = answer.body[::-1]
    kept = tuple((name, value) for name, value in answer.headers if not name.lower().startswith("x-amz-checksum"))
    exchange.send(
        dataclasses.replace(answer, headers=kept).bearing(body).stating(etag=f'"{hashlib.md5(body).hexdigest()}"')
    )


def other_bytes(exchange: Exchange) -> None:
    """Another body, and no checksum that would tell."""
    answer = exchange.forward()
    kept = tuple((name, value) for name, value in answer.headers if not name.lower().startswith("x-amz-checksum"))
    exchange.send(dataclasses.replace(answer, headers=kept, body=answer.body[::-1]))


def page_repeated(exchange: Exchange) -> None:
    """The first page of some time before, whatever is asked."""
    exchange.send(exchange.handler.server.faults.first_pages.get(exchange.listing) or exchange.forward())


def page_without_continuation(exchange: Exchange) -> None:
    """There is more, and it does not say where."""
    _edited(exchange, {rb"<Next\w+>[^<]*</Next\w+>": b""})


def page_called_last(exchange: Exchange) -> None:
    """There is more, and it says there is not."""
    _edited(
        exchange,
        {rb"<Next\w+>[^<]*</Next\w+>": b"", b"<IsTruncated>true</IsTruncated>": b"<IsTruncated>false</IsTruncated>"},
    )


def page_lacks_keys(exchange: Exchange) -> None:
    """A page from before its first keys were there."""
    body = rb"<(Version|Contents|DeleteMarker)>.*?</\1>"
    _edited(exchange, {body: b""}, count=2)


def _edited(exchange: Exchange, edits: Mapping[bytes, bytes], count: int = 0) -> None:
    answer = exchange.forward()
    body = answer.body
    for pattern, replacement in edits.items():
        body = re.sub(pattern, replacement, body, count=count, flags=re.DOTALL)
    exchange.send(answer.bearing(body))


def _place(exchange: Exchange, answer: Answer) -> int:
    """Some place before the body's end."""
    return exchange.chance.randrange(len(answer.body))
