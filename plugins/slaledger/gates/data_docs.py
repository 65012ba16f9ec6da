"""Makes Great Expectations' pages whole in a closed network, and lists the validations.

As built, a page asks a dozen foreign servers for scripts, styles, fonts and a logo, is blank without them, and does not
name the rows that broke an expectation. Here every page is written anew from the elements and attributes that carry
text, with the rows; the index is ours. Nothing in them loads anything.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from slaledger.gates.results import NOT_EVALUATED, ExpectationResult, read, stopping, warnings

SHOWN = 100  # validations on the index page; older ones stay in audit.validations, and their pages on disk
HEAD = '<!doctype html><html lang="en"><head><meta name="generator" content="slaledger">'
STYLE = """
body { margin: 0 auto; max-width: 100rem; padding: 1rem 1.5rem; font: 15px/1.45 system-ui, sans-serif; color: #1b1f24;
  background: #fff; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; } h3, h4, h5, h6 { font-size: 1.05rem; margin: 1.2rem 0 .4rem; }
a { color: #0b57d0; } p { margin: .4rem 0; } li:has(> hr) { list-style: none; }
code, pre { font: .92em/1.4 ui-monospace, monospace; white-space: pre-wrap; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 1.2rem; }
th, td { border: 1px solid #c5cad1; padding: .35rem .6rem; text-align: left; vertical-align: top; }
th { background: #eef1f4; overflow-wrap: normal; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
.passed, .warning, .failed { font-weight: 600; white-space: nowrap; }
.passed { color: #11632a; } .warning { color: #7a4b00; } .failed { color: #a40e26; }
"""
# What carries text. Any other element is left out and its text kept, but for those whose text is no reading matter.
# fmt: off
KEPT = frozenset((
    "a", "br", "code", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "span", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
))
DROPPED = frozenset((
    "button", "footer", "form", "head", "iframe", "label", "nav", "noscript", "object", "script", "style", "svg",
    "template",
))
# fmt: on
ATTRIBUTES = frozenset(("id", "hidden", "colspan", "rowspan"))
INSIDE = re.compile(r"(?!/)[\w./ %-]*(#[\w-]+)?")  # a link to these pages: no scheme, no host
SIDEBAR = "col-lg-2"  # a filter and a table of contents that only work with scripts
MARKS = {"fa-check": "passed", "fa-times": "failed", "fa-exclamation": "warning"}
GLYPHS = {"passed": "✓", "failed": "✗", "warning": "!"}


def complete(site: Path, validations: Path) -> None:
    """Make each page that Great Expectations wrote in `site` self-contained, and write the index.

    `validations` holds the results as JSON, at the same relative path as their pages. Safe to repeat: a page that is
    done is left alone.
    """
    index = site / "index.html"
    for page in sorted(site.rglob("*.html")):
        built = page.read_text(encoding="utf-8")
        if built.startswith(HEAD) or page == index:
            continue
        path = page.relative_to(site)
        if path.parts[0] == "validations":
            title = f"The {path.parts[1]} gate of {path.parts[2]}"
            validation = _load((validations / path.relative_to("validations")).with_suffix(".json"))
            ours = _broken(validation) if validation else "<p>Its result is no longer kept.</p>"
        else:
            title, ours = f"What the {path.stem} gate expects", ""
        home = "../" * (len(path.parts) - 1) + "index.html"
        cleaner = _Cleaner()
        cleaner.feed(built)
        cleaner.close()
        theirs = "".join(cleaner.kept)
        body = f'<p><a href="{home}">All validations</a></p><h1>{escape(title)}</h1>{ours}{theirs}'
        _write(page, _page(title, body))
    _write(index, _page("Data Docs", _index(site, validations)))


class _Cleaner(HTMLParser):
    """Collects in `kept` what of a page carries text; nothing of it can load, run or point elsewhere."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.kept: list[str] = []
        self._dropping: list[str] = []  # the element that is left out with all in it, and those of its name inside

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if self._dropping:
            if tag == self._dropping[0]:
                self._dropping.append(tag)
        elif tag in DROPPED or (tag == "a" and "data-toggle" in attributes) or SIDEBAR in attributes.get("class", ""):
            self._dropping.append(tag)
        elif tag == "i":
            self.kept += [_mark(kind) for icon, kind in MARKS.items() if icon in attributes.get("class", "")]
        elif tag in KEPT:
            self.kept.append(f"<{tag}{''.join(_attributes(attributes))}>")

    def handle_endtag(self, tag: str) -> None:
        if self._dropping:
            if tag == self._dropping[0]:
                self._dropping.pop()
        elif tag in KEPT and tag not in ("br", "hr"):
            self.kept.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._dropping:
            self.kept.append(escape(data))


def _attributes(attributes: Mapping[str, str]) -> Iterator[str]:
    for name, value in attributes.items():
        if name in ATTRIBUTES or (name == "href" and INSIDE.fullmatch(value)):
            yield f' {name}="{escape(value)}"'


def _broken(validation: Mapping[str, Any]) -> str:
    results = [read(entry) for entry in validation["results"]]
    parts = [f"<p>{_outcome(results)}, evaluated at {_at(validation)} UTC</p>"]
    for result, entry in zip(results, validation["results"], strict=True):
        if result.is_success:
            continue
        kind, word = ("failed", "stops the month") if result in stopping(results) else ("warning", "is a warning")
        parts.append(f"<h2>{_mark(kind)} {escape(result.name.replace('_', ' '))}</h2>")
        if not result.is_evaluated:
            parts.append(f"<p>This {word}: it {escape(result.detail)}. {_prose(NOT_EVALUATED)}</p>")
            continue
        rows = entry["result"]["details"]["unexpected_rows"]
        broke = "1 case breaks it" if result.unexpected == 1 else f"{result.unexpected} cases break it"
        shown = "" if len(rows) == result.unexpected else f"; the first {len(rows)} are listed"
        parts.append(f"<p>This {word}: {broke}{shown}. {_prose(result.remedy)}</p>")
        parts.append(_table(("subject", "detail"), [(_text(row["subject"]), _text(row["detail"])) for row in rows]))
    parts.append("<h2>All expectations</h2><p>As Great Expectations shows them: ✗ marks warnings, too.</p>")
    return "".join(parts)


def _index(site: Path, validations: Path) -> str:
    kept = sorted(validations.rglob("*.json"), key=lambda path: (path.parent.name, str(path)), reverse=True)
    rows = [_row(site, validations, path) for path in kept[:SHOWN]]
    suites = "".join(
        f'<li><a href="expectations/{quote(page.name)}">{escape(page.stem)} gate</a></li>'
        for page in sorted((site / "expectations").glob("*.html"))
    )
    return (
        "<h1>Data Docs</h1><p>What each gate found, newest first. What a run may post is decided by the record of the"
        " same evaluation in <code>audit.validations</code>.</p>"
        + _table(("gate", "service month", "evaluated at (UTC)", "result", "evaluated", "broken", "page"), rows)
        + (f"<p>The newest {SHOWN} of {len(kept)}.</p>" if len(kept) > SHOWN else "")
        + f"<h2>What is expected</h2><ul>{suites}</ul>"
    )


def _row(site: Path, validations: Path, path: Path) -> tuple[str, ...]:
    place = path.relative_to(validations).with_suffix(".html")
    page = Path("validations") / place
    link = f'<a href="{escape(quote(str(page)))}">open</a>' if (site / page).is_file() else "no page"
    gate, month = place.parts[0], place.parts[1]
    entry = _load(path)
    if entry is None:
        return _text(gate), _text(month), "", f"{_mark('failed')} the result cannot be read", "", "", link
    results = [read(each) for each in entry["results"]]
    evaluated = sum(result.is_evaluated for result in results)
    broken = sum(not result.is_success for result in results)
    return _text(gate), _text(month), _at(entry), _outcome(results), str(evaluated), str(broken), link


def _at(validation: Mapping[str, Any]) -> str:
    return _text(validation["meta"]["run_id"]["run_time"][:19].replace("T", " "))


def _outcome(results: Sequence[ExpectationResult]) -> str:
    if stopped := len(stopping(results)):
        return f'<span class="failed">{GLYPHS["failed"]} stopped the month</span> ({stopped})'
    if warned := len(warnings(results)):
        return f'<span class="warning">{GLYPHS["warning"]} passed with warnings</span> ({warned})'
    return f'<span class="passed">{GLYPHS["passed"]} passed</span>'


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already."""
    heads = "".join(f"<th>{escape(head)}</th>" for head in header)
    lines = "".join(
        "<tr>" + "".join(f"<td{' class=number' if cell.isdecimal() else ''}>{cell}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"


def _mark(kind: str) -> str:
    return f'<span class="{kind}">{GLYPHS[kind]}</span>'


def _prose(text: str) -> str:
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _text(value: object) -> str:
    return escape("" if value is None else str(value))


def _page(title: str, body: str) -> str:
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    return (
        f'{HEAD}<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    )


def _load(path: Path) -> dict[str, Any] | None:
    """A kept result; nothing where a run was killed as it wrote it, or somebody removed it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _write(path: Path, page: str) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(page, encoding="utf-8")
    os.replace(partial, path)
