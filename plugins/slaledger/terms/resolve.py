"""Terms documents among each other: what `extends` inherits, and the faults that only show together (T1, T2, T4)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from slaledger.settings import TERMS_DIR
from slaledger.terms.document import Fault, instant, read_document

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
        "response_credit_cap": None,
    },
}
OWN_FIELDS = ("id", "version", "effective_from", "extends")


@dataclass(frozen=True)
class Document:
    """A terms document that passed its own lint, and where it came from.

    `rank` orders documents that speak of the same version: the lowest stands (rule T1). `name` is the file or
    object key that a message may show.
    """

    name: str
    content: dict[str, Any]
    rank: tuple[Any, ...] = (0,)
    object_id: str | None = None
    line_number: int | None = None
    exported_at: datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        """(terms id, version)."""
        return self.content["id"], self.content["version"]

    @property
    def effective_from(self) -> datetime:
        """From when the version is in force."""
        moment = instant(self.content["effective_from"])
        assert moment is not None, "a linted document has an instant"
        return moment


@dataclass(frozen=True)
class Resolved:
    """A version with all that it inherits filled in; `inherited` are the dotted paths that a parent gave."""

    document: Document
    content: dict[str, Any]
    parent: tuple[str, str] | None = None
    inherited: tuple[str, ...] = ()


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
        content, faults = read_document(path.read_text(encoding="utf-8"))
        if content is None:
            raise ValueError(f"{path.name}, line {faults[0].line}: {faults[0].message}")
        documents.append(Document(name=path.name, content=content))
    return documents


def lint_files(paths: list[Path]) -> list[tuple[str, Fault]]:
    """The faults of these files, each on its own, then among each other and beside the shipped ones (rule T4)."""
    faults: list[tuple[str, Fault]] = []
    documents = shipped_documents()
    for position, path in enumerate(paths):
        try:
            content, own = read_document(path.read_bytes().decode("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            faults.append((str(path), Fault(1, f"cannot be read: {getattr(error, 'strerror', None) or error}")))
            continue
        faults += [(str(path), fault) for fault in own]
        if content is not None:
            documents.append(Document(name=str(path), content=content, rank=(1, position)))
    if not faults:
        resolution = resolve_all(documents)
        faults += [(document.name, fault) for document, fault in resolution.faults]
        faults += [
            (document.name, Fault(1, f"changes version {document.key[1]} of {document.key[0]}: give it a new one"))
            for document in resolution.changed
        ]
    return sorted(faults)


def resolve_all(documents: list[Document], *, known_services: frozenset[str] | None = None) -> Resolution:
    """Fill in what each version inherits, and refuse what cannot stand beside the others.

    `documents` in any order; of equal (id, version) the lowest rank stands and others are `changed` where their
    content differs. `known_services`, where given, are the services that `core_services` may name.
    """
    resolution = Resolution()
    standing: dict[tuple[str, str], Document] = {}
    for document in sorted(documents, key=lambda each: each.rank):
        first = standing.setdefault(document.key, document)
        if first is not document and canonical(first.content) != canonical(document.content):
            resolution.changed.append(document)
    by_id: dict[str, list[Document]] = {}
    for document in sorted(standing.values(), key=lambda each: (each.effective_from, each.rank, each.key)):
        versions = by_id.setdefault(document.key[0], [])
        if versions and versions[-1].effective_from == document.effective_from:
            resolution.faults.append((document, Fault(1, f"has the effective_from of version {versions[-1].key[1]}")))
            continue
        versions.append(document)
    resolved: dict[tuple[str, str], Resolved | None] = {}
    for terms_id in sorted(by_id):
        zone: str | None = None
        for document in by_id[terms_id]:
            entry = _resolve(document, by_id, resolved, resolution, ())
            if entry is None:
                continue
            fault = _fault_beside_others(entry, zone, known_services)
            if fault:
                resolution.faults.append((document, fault))
                continue
            zone = entry.content["time_zone"]
            resolution.versions.append(entry)
    return resolution


def _fault_beside_others(entry: Resolved, zone: str | None, known_services: frozenset[str] | None) -> Fault | None:
    if zone is not None and entry.content["time_zone"] != zone:
        return Fault(1, f"changes the time zone of {entry.document.key[0]} from {zone}: use another id")
    services = entry.content["availability"]["core_services"]
    unknown = [service for service in services if known_services is not None and service not in known_services]
    if unknown:
        return Fault(1, f"names the unknown service {', '.join(unknown)}: the catalog has no such service")
    tiers = sorted(entry.content["credits"], key=lambda tier: -tier["below"])
    if tiers and entry.content["guaranteed"] and tiers[0]["below"] > 100:
        return Fault(1, "has a tier over 100")
    return None


def _resolve(
    document: Document,
    by_id: dict[str, list[Document]],
    resolved: dict[tuple[str, str], Resolved | None],
    resolution: Resolution,
    children: tuple[tuple[str, str], ...],
) -> Resolved | None:
    if document.key in resolved:
        return resolved[document.key]
    if document.key in children:
        resolution.faults.append(
            (
                document,
                Fault(
                    1,
                    "extends itself, through others: "
                    + " → ".join(terms_id for terms_id, _ in (*children, document.key)),
                ),
            )
        )
        return None
    parent_id = document.content.get("extends")
    own = {name: value for name, value in document.content.items() if name not in OWN_FIELDS}
    entry: Resolved | None
    if parent_id is None:
        entry = Resolved(document=document, content=_merge(DEFAULTS, own, (), []))
    else:
        candidates = [each for each in by_id.get(parent_id, []) if each.effective_from <= document.effective_from]
        if not candidates:
            known = "no version in force then" if parent_id in by_id else "no such terms"
            resolution.faults.append((document, Fault(1, f"extends {parent_id}: {known}")))
            resolved[document.key] = None
            return None
        parent = _resolve(candidates[-1], by_id, resolved, resolution, (*children, document.key))
        if parent is None:
            resolution.faults.append((document, Fault(1, f"extends {parent_id}, which was refused")))
            resolved[document.key] = None
            return None
        inherited: list[str] = []
        content = _merge(parent.content, own, (), inherited)
        entry = Resolved(
            document=document, content=content, parent=parent.document.key, inherited=tuple(sorted(inherited))
        )
    resolved[document.key] = entry
    return entry


def _merge(base: dict[str, Any], own: dict[str, Any], path: tuple[str, ...], inherited: list[str]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name in [*base, *(name for name in own if name not in base)]:
        here = (*path, name)
        if isinstance(base.get(name), dict):
            merged[name] = _merge(base[name], own.get(name) or {}, here, inherited)
        elif name in own:
            merged[name] = own[name]
        else:
            merged[name] = base[name]
            inherited.append(".".join(here))
    return merged


def canonical(content: dict[str, Any]) -> str:
    """One text per meaning: sorted fields, numbers as written without trailing zeros."""

    def plain(value: Any) -> Any:
        if isinstance(value, Decimal):
            return format(value.normalize(), "f")
        raise TypeError(type(value).__name__)

    return json.dumps(content, sort_keys=True, default=plain, ensure_ascii=False)
