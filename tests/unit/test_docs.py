"""What the documents point to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from slaledger.settings import PROJECT_DIR

PAGES = [PROJECT_DIR / "README.md", PROJECT_DIR / "CONTRIBUTING.md", *sorted((PROJECT_DIR / "docs").rglob("*.md"))]
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_ABSOLUTE = re.compile(r"[a-z]+:")
_BACK_TICKED = re.compile(r"`([^`\n]+)`")
# Neither globs, nor placeholders, nor what lies below a variable.
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)+\.(?:py|sql|md|yml|json)")


def broken(page: Path, text: str) -> list[str]:
    """The links and the paths of a page that lead nowhere: links from the page, paths from the checkout's root."""
    prose = _FENCED.sub("", text)
    links = [link for link in _LINK.findall(prose) if not _ABSOLUTE.match(link)]
    paths = [word for span in _BACK_TICKED.findall(prose) for word in span.split() if _PATH.fullmatch(word)]
    return [link for link in links if not _is_there(page, link)] + [
        path for path in paths if not (PROJECT_DIR / path).exists()
    ]


def _is_there(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.+)$", _FENCED.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(PROJECT_DIR).as_posix() for page in PAGES])
def test_links_and_paths_lead_somewhere(page: Path):
    assert broken(page, page.read_text(encoding="utf-8")) == []


def test_what_leads_nowhere_is_found():
    there = "[a](README.md) [b](CONTRIBUTING.md#contributing) [c](https://example.test/x) `docs/glossary.md`"
    not_there = "[d](gone.md) [e](CONTRIBUTING.md#gone) `docs/gone.md` `sla terms lint terms/gone.yml`"
    neither = "`terms/<id>.yml` `docs/*.md` `$SLA_HOME/lineage/events.json`"
    assert broken(PROJECT_DIR / "page.md", f"{there} {not_there} {neither}") == [
        "gone.md",
        "CONTRIBUTING.md#gone",
        "docs/gone.md",
        "terms/gone.yml",
    ]
