"""Registers slaledger with Airflow's page: Data Docs, in the menu."""

from __future__ import annotations

import sys
from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

DATA_DOCS_URL = "/slaledger/data-docs"


def _fastapi_apps() -> list[dict]:
    # Every process loads plugins; only the API server serves pages, and it alone should pay for the imports.
    if "airflow.api_fastapi.app" not in sys.modules:
        return []
    from slaledger.page.app import make_app

    return [{"app": make_app(), "url_prefix": DATA_DOCS_URL, "name": "slaledger Data Docs"}]


class SlaledgerPlugin(AirflowPlugin):
    """The menu entry, and the pages behind it."""

    name = "slaledger"
    fastapi_apps: ClassVar[list[dict]] = _fastapi_apps()
    external_views: ClassVar[list[dict]] = [
        {
            "name": "Data Docs",
            "href": f"{DATA_DOCS_URL}/index.html",
            "destination": "nav",
            "category": "browse",
            "url_route": "data-docs",
        }
    ]
