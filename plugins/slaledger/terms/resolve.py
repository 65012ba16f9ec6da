"""Terms documents among each other: what `extends` inherits, and the faults that only show together (T1, T2, T4)."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from slaledger.settings import TERMS_DIR
from slaledger.terms.document import read_document
from slaledger.terms.faults import Fault, instant, instant_text

# The choices of the rules, with the defaults given there; a document without a parent starts from these.
DEFAULTS: dict[str, Any] = {
    "time_zone": "UTC",
    "availability": {
        "core_services": ["dashboard", "call_routing", "messaging_engine"],
        "down_when": "any",
        "evidence": "either",
        "degraded_counts": False,
        "partial_outage_counts": False,
        "minimum_outage": "0s",
        "excluded_time": "as_uptime",
        "thresholds_from": "period_start",
    },
    "maintenance": {"notice": "48h", "channels": ["email", "in_app"]},
    "claims": {
        "required": True,
        "within": "10d",
        "must_include": ["company_name", "account_id", "incident_timeline"],
    },
    "response_times": {
        "counted_reply": "human",
        "calendar": {"time_zone": "UTC", "holidays": None},
        "credits": [],
        # Nobody gets back more than the fee (decision 0011).
        "response_credit_cap": Decimal(100),
    },
}
OWN_FIELDS = ("id", "version", "effective_from", "extends")

Key = tuple[str, str]  # (terms id, version)
SHIPPED = (0,)  # the rank of what ships with the project, before all that landed


@dataclass(frozen=True)
class Document:
    """A terms document that passed its own lint, and where it came from.

    `rank` orders documents that contradict each other: the lowest stands (rule T1). `name` is the file or object
    key that a message may show, `lines` the line of each dotted path in it.
    """

    name: str
    content: dict[str, Any]
    rank: tuple[Any, ...] = SHIPPED
    object_id: str | None = None
    line_number: int | None = None
    exported_at: datetime | None = None
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """(terms id, version)."""
        return self.content["id"], self.content["version"]

    @functools.cached_property
    def effective_from(self) -> datetime:
        """From when the version is in force."""
        moment = instant(self.content["effective_from"])
        assert moment is not None, "a linted document has an instant"
        return moment

    def fault(self, message: str, *paths: str) -> Fault:
        """A fault on the line of the first of these dotted paths that the document has, else on its first."""
        return Fault(next((self.lines[path] for path in paths if path in self.lines), self.line_number or 1), message)


@dataclass(frozen=True)
class Resolved:
    """A version with all that it inherits filled in.

    `origins` tells which version states each dotted path; what is not in it is a default of the rules.
    """

    document: Document
    content: dict[str, Any]
    origins: Mapping[str, Key]
    parent: Key | None = None

    @property
    def inherited(self) -> tuple[str, ...]:
        """The dotted paths that the parent gave."""
        own = self.document.key
        return tuple(sorted(path for path in leaves(self.content) if self.parent and self.origins.get(path) != own))


@dataclass
class Resolution:
    """Versions in force at some time, in order of (id, effective_from), and what was refused."""

    versions: list[Resolved] = field(default_factory=list)
    faults: list[tuple[Document, Fault]] = field(default_factory=list)
    changed: list[Document] = field(default_factory=list)


def shipped_documents() -> list[Document]:
    """The standard three, which are always present. Raises ValueError where the project's own files are broken."""
    documents = []
    for path in sorted(TERMS_DIR.glob("*.yml")):
        reading = read_document(path.read_text(encoding="utf-8"))
        if reading.content is None:
            raise ValueError(f"{path.name}, line {reading.faults[0].line}: {reading.faults[0].message}")
        documents.append(Document(name=f"terms/{path.name}", content=reading.content, lines=reading.lines))
    return documents


def resolve_all(documents: Iterable[Document], *, catalog_services: Iterable[str] = ()) -> Resolution:
    """Fill in what each version inherits, and refuse what cannot stand beside the others.

    `documents` in any order; of equal (id, version) the lowest rank stands and others are `changed` where their
    content differs. A refused document is as if it were not there (a mended one of that version stands): what is
    left is looked at again, until all stands. `core_services` may name `catalog_services` and those of the shipped
    documents.
    """
    resolution = Resolution()
    known = set(catalog_services)
    # Of each version all that was exported of it, the lowest rank first.
    exported: dict[Key, list[Document]] = {}
    for document in sorted(documents, key=lambda each: each.rank):
        exported.setdefault(document.key, []).append(document)
        if document.rank == SHIPPED:
            known.update(document.content["availability"]["core_services"])
    while True:
        pool = _Pool(copies[0] for copies in exported.values() if copies)
        found = {each.key: faults for each in pool.in_order() if (faults := list(_faults(each, pool, known)))}
        if not found:
            break
        # A fault may come of another document that is refused in the same round: the most basic ones first.
        basic = min(kind for faults in found.values() for kind, _ in faults)
        for key, faults in found.items():
            if any(kind == basic for kind, _ in faults):
                document = exported[key].pop(0)
                resolution.faults += [(document, fault) for _, fault in faults]
    for copies in exported.values():
        resolution.changed += [each for each in copies[1:] if canonical(each.content) != canonical(copies[0].content)]
    resolution.versions = [each for document in pool.in_order() if (each := pool.resolved(document))]
    return resolution


class _Pool:
    """Documents by id, in the order in which they come into force; each is resolved once."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._by_id: dict[str, list[Document]] = {}
        self._resolved: dict[Key, Resolved] = {}
        for document in sorted(documents, key=lambda each: (each.key[0], each.effective_from, each.rank)):
            self._by_id.setdefault(document.key[0], []).append(document)

    def in_order(self) -> list[Document]:
        """All of them, by id and start."""
        return list(itertools.chain.from_iterable(self._by_id.values()))

    def versions(self, terms_id: str) -> list[Document]:
        """The versions of an id."""
        return self._by_id.get(terms_id, [])

    def lineage(self, document: Document) -> list[Document]:
        """The document, its parent in force at its start, that one's parent, …; a circle ends where it closes."""
        chain, seen = [document], {document.key}
        while parent := self._parent(chain[-1]):
            chain.append(parent)
            if parent.key in seen:
                break
            seen.add(parent.key)
        return chain

    def resolved(self, document: Document) -> Resolved | None:
        """The document with what it inherits; None where its lineage is a circle, or breaks off."""
        if document.key in self._resolved:
            return self._resolved[document.key]
        lineage = self.lineage(document)
        if "extends" in lineage[-1].content:
            return None
        content: dict[str, Any] = DEFAULTS
        origins: dict[str, Key] = {}
        parent: Key | None = None
        for each in reversed(lineage):
            if each.key not in self._resolved:
                own = {name: value for name, value in each.content.items() if name not in OWN_FIELDS}
                origins = dict(origins)
                content = _merge(content, own, (), origins, each.key)
                self._resolved[each.key] = Resolved(each, content, origins, parent)
            content, origins, parent = self._resolved[each.key].content, self._resolved[each.key].origins, each.key
        return self._resolved[document.key]

    def _parent(self, document: Document) -> Document | None:
        begun = [
            each
            for each in self.versions(document.content.get("extends", ""))
            if each.effective_from <= document.effective_from
        ]
        return begun[-1] if begun else None


def _faults(document: Document, pool: _Pool, known_services: set[str]) -> Iterator[tuple[int, Fault]]:
    """What keeps a document from standing beside the others, each with its kind: the lower, the more basic."""
    terms_id = document.key[0]
    versions = sorted(pool.versions(terms_id), key=lambda each: (each.rank, each.key))
    first = next(each for each in versions if each.effective_from == document.effective_from)
    if first is not document:
        yield (
            1,
            document.fault(
                f"has the effective_from of version {first.key[1]} of {terms_id}: give it another", "effective_from"
            ),
        )
    resolved, eldest = pool.resolved(document), pool.resolved(versions[0])
    if resolved is None:
        lineage = pool.lineage(document)
        parent_id = document.content["extends"]
        if len(lineage) == 1:
            why = "there are no such terms, or each version of them was refused"
            if versions := pool.versions(parent_id):
                first, begins = versions[0], instant_text(versions[0].effective_from)
                why = (
                    f"no version of it is in force at {instant_text(document.effective_from)}, the effective_from: "
                    f"the first that stands is {first.key[1]}, from {begins}"
                )
            yield 2, document.fault(f"extends {parent_id}: {why}", "extends")
        elif lineage[-1] is document:
            way = " → ".join(each.key[0] for each in lineage)
            yield 2, document.fault(f"extends itself, through others: {way}", "extends")
    for position, service in enumerate(document.content.get("availability", {}).get("core_services", ())):
        if service not in known_services:
            message = f"names the unknown service {service}: neither the catalog nor the standard terms have it"
            yield 3, document.fault(message, f"availability.core_services.{position}", "availability.core_services")
    if resolved and eldest and resolved.content["time_zone"] != eldest.content["time_zone"]:
        message = (
            f"changes the time zone of {terms_id} from {eldest.content['time_zone']} to "
            f"{resolved.content['time_zone']}: use another id"
        )
        yield 4, document.fault(message, "time_zone", "extends")


def _merge(
    base: Mapping[str, Any], own: Mapping[str, Any], path: tuple[str, ...], origins: dict[str, Key], origin: Key
) -> dict[str, Any]:
    """Mappings merge, lists and scalars replace (rule T2)."""
    merged = dict(base)
    for name, value in own.items():
        here = (*path, name)
        if isinstance(value, dict):
            merged[name] = _merge(base.get(name) or {}, value, here, origins, origin)
        else:
            merged[name] = value
            origins[".".join(here)] = origin
    return merged


def leaves(content: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    """The dotted path of all that is no mapping."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, name))
        else:
            yield ".".join((*path, name))


def canonical(content: dict[str, Any]) -> str:
    """One text per meaning: sorted fields, numbers as written without trailing zeros."""

    def plain(value: Any) -> Any:
        if isinstance(value, Decimal):
            return format(value.normalize(), "f")
        raise TypeError(type(value).__name__)

    return json.dumps(content, sort_keys=True, default=plain, ensure_ascii=False)
