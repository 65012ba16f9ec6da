"""Data Docs, as the gates left them, for those who are logged in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from slaledger.settings import home

NOT_YET = (
    "<!doctype html><title>Data Docs</title>"
    "<p>No gate has run yet: Data Docs appear with the first <code>sla run</code>.</p>"
)
HEADERS = {
    # Airflow's page shows these in a frame of its own.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def make_app() -> FastAPI:
    """An app whose every route asks for a login: a plugin's app has no authentication of its own."""
    app = FastAPI(dependencies=[Depends(get_user)], docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def secure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    @app.get("/{path:path}")
    def data_docs(path: str) -> Response:
        directory = home() / "data_docs"
        if path in ("", "index.html") and not (directory / "index.html").is_file():
            return HTMLResponse(NOT_YET)
        return FileResponse(_inside(directory, path or "index.html"))

    return app


def _inside(directory: Path, path: str) -> Path:
    try:
        asked = (directory / path).resolve()
        is_there = asked.is_relative_to(directory.resolve()) and asked.is_file()
    except (OSError, ValueError):  # a name that no file can have
        is_there = False
    if not is_there:
        raise HTTPException(404, "There is no such page in Data Docs.")
    return asked
