"""The Data Docs of real gate runs: whole without a network, inert whatever the data, and listed newest first."""

from __future__ import annotations

import contextlib
import dataclasses
import html
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from slaledger import gates
from slaledger.gates.committed import committed
from slaledger.gates.data_docs import complete
from slaledger.settings import Settings
from tests.gates.conftest import RUN_ID
from tests.gates.planted import FAULTS

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


class _Page(HTMLParser):
    def __init__(self, page: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def links(self) -> list[str]:
        return [attributes["href"] or "" for _, attributes in self.elements if "href" in attributes]


@pytest.fixture
def site(month: Callable[..., Settings], tmp_path: Path) -> Callable[..., Path]:
    """`site(sql, …)`: the Data Docs of both gates over the clean month with faults planted, in a home of their own."""

    def build(*faults: str) -> Path:
        settings = dataclasses.replace(month(*faults), home=tmp_path)
        for gate in ("raw", "marts"):
            with contextlib.suppress(gates.GateFailed):
                gates.run_gate(settings, gate, run_id=RUN_ID)
        return gates.data_docs_path(settings)

    return build


def test_no_page_loads_or_runs_anything_and_every_link_leads_to_a_page(site: Callable[..., Path]):
    directory = site(FAULTS["raw"]["components_of_incidents_are_mapped"])
    pages = list(directory.rglob("*.html"))
    assert len(pages) == 1 + 2 + 2  # the index, and an expectations page and a validation for each gate
    for path in pages:
        page = _Page(path)
        assert {tag for tag, _ in page.elements} & {"script", "link", "img", "form", "iframe", "svg", "object"} == set()
        for _, attributes in page.elements:
            assert not any(name.startswith("on") or name in ("src", "style", "srcset") for name in attributes)
        assert not re.search(r"https?:|url\(|@import", path.read_text())
        assert page.links()
        for link in page.links():
            if not link.startswith("#"):
                assert (path.parent / unquote(link.split("#")[0])).resolve() in pages, f"{path}: {link}"


def test_the_index_lists_the_validations_newest_first(site: Callable[..., Path]):
    directory = site(FAULTS["marts"]["uptime_percents_are_exact"])
    rows = re.findall("<tr>(<td.*?)</tr>", (directory / "index.html").read_text())
    cells = [[re.sub("<[^>]*>", "", cell) for cell in re.findall("<td[^>]*>(.*?)</td>", row)] for row in rows]
    assert [(row[0], row[1]) for row in cells] == [("marts", "2026-03"), ("raw", "2026-03")]
    assert cells[0][3].startswith("✗ stopped the month") and cells[1][3] == "✓ passed"
    assert cells[0][2] >= cells[1][2] > "2026-03-31", "the times of the evaluations, not of the service month"
    assert (int(cells[0][4]), int(cells[1][4])) == tuple(len(committed().GATES[gate]) for gate in ("marts", "raw"))
    assert int(cells[0][5]) > 0 and cells[1][5] == "0"


def test_two_runs_of_one_month_are_two_validations(month: Callable[..., Settings], tmp_path: Path):
    settings = dataclasses.replace(month(), home=tmp_path)
    for _ in range(2):
        gates.run_gate(settings, "raw", run_id=RUN_ID)
    site = gates.data_docs_path(settings)
    assert len(list((site / "validations").rglob("*.html"))) == 2
    assert (site / "index.html").read_text().count("validations/raw/2026-03/") == 2


def test_rows_that_broke_an_expectation_are_shown_and_inert(site: Callable[..., Path]):
    hostile = HOSTILE.replace("'", "''")
    directory = site(f"update raw.incidents set component_ids = array['{hostile}'], incident_id = '{hostile}'")
    (page,) = (directory / "validations" / "raw").rglob("*.html")
    assert html.escape(HOSTILE) in page.read_text()
    assert HOSTILE not in page.read_text() and HOSTILE not in (directory / "index.html").read_text()
    assert not {tag for tag, _ in _Page(page).elements} & {"script", "img"}


def test_pages_that_are_done_are_left_alone_and_a_torn_result_is_no_obstacle(site: Callable[..., Path]):
    directory = site()
    kept = directory.parent / "gx" / "validations"
    before = {path: path.read_bytes() for path in directory.rglob("*.html")}
    complete(directory, kept)
    assert {path: path.read_bytes() for path in directory.rglob("*.html")} == before
    (torn,) = (kept / "raw").rglob("*.json")
    torn.write_text(torn.read_text()[:99])
    complete(directory, kept)
    assert "the result cannot be read" in (directory / "index.html").read_text()


def test_an_expectation_that_was_not_evaluated_stops_the_month_and_says_why(site: Callable[..., Path]):
    directory = site("drop table marts.fct_findings cascade")
    (page,) = (directory / "validations" / "marts").rglob("*.html")
    assert "could not be evaluated" in page.read_text() and "fct_findings" in page.read_text()
    assert "✗ stopped the month" in (directory / "index.html").read_text()
