"""Data Docs, as Great Expectations built them, for those who are logged in."""

from __future__ import annotations

from pathlib import Path

from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, Response

from slaledger.settings import home

NOT_YET = (
    "<!doctype html><title>Data Docs</title>"
    "<p>No gate has run yet: Data Docs appear with the first <code>sla run</code>.</p>"
)


def make_app() -> FastAPI:
    """An app whose every route asks for a login: a plugin's app has no authentication of its own."""
    app = FastAPI(dependencies=[Depends(get_user)], docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/{path:path}")
    def data_docs(path: str) -> Response:
        directory = home() / "data_docs"
        if path in ("", "index.html") and not (directory / "index.html").is_file():
            return HTMLResponse(NOT_YET)
        return FileResponse(_inside(directory, path or "index.html"))

    return app


def _inside(directory: Path, path: str) -> Path:
    asked = (directory / path).resolve()
    if not asked.is_relative_to(directory.resolve()) or not asked.is_file():
        raise HTTPException(404, "There is no such page in Data Docs.")
    return asked
