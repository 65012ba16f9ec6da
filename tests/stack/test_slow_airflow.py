"""An API server that is slow to answer: asked again where that changes nothing, and named where it stays so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from slaledger.stack.airflow_api import AirflowApi, AirflowUnreachable

ANSWER = b'{"access_token": "t", "scheduler": {}}'


@pytest.fixture
def slow() -> Iterator[Callable[[int], tuple[AirflowApi, list[str]]]]:
    """`slow(n)`: a client of a server that is silent on the first n requests; and the requests that came."""
    asked: list[str] = []
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        silent = 0

        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            if len(asked) <= Handler.silent:
                is_over.wait(30)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def make(silent: int) -> tuple[AirflowApi, list[str]]:
        Handler.silent = silent
        return AirflowApi(f"http://127.0.0.1:{server.server_port}", "admin", "x", timeout_seconds=1), asked

    yield make
    is_over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_only_asks_is_asked_again(slow):
    api, asked = slow(2)
    assert api.health() == {"access_token": "t", "scheduler": {}}
    assert asked == ["GET /api/v2/monitor/health"] * 3


def test_a_server_that_stays_silent_is_named(slow):
    api, asked = slow(9)
    with pytest.raises(AirflowUnreachable, match="does not answer"):
        api.health()
    assert len(asked) == 3


def test_what_changes_something_is_not_sent_twice(slow):
    api, asked = slow(1)
    with pytest.raises(AirflowUnreachable, match="does not answer"):
        _ = api.token
    assert asked == ["POST /auth/token"]
