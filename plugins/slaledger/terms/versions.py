"""Which version of terms is in force at an instant (rule T1), of all that are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from slaledger.terms.faults import instant_text
from slaledger.terms.landed import Landed
from slaledger.terms.resolve import Document, Resolved, resolve_all, shipped_documents


class UnknownTerms(Exception):
    """There are no such terms, or none of their versions is in force; the message says which there are."""

    exit_code = 2


@dataclass(frozen=True)
class VersionInForce:
    """A version, until when it is in force (None: until another comes), and all versions of its id in their order."""

    version: Resolved
    until: datetime | None
    versions: tuple[Resolved, ...]


def version_in_force(
    terms_id: str, at: datetime, landed: Landed | None = None, *, drafts: Iterable[Document] = ()
) -> VersionInForce:
    """The version of an id in force at an instant, as if the drafts had landed, too. Raises `UnknownTerms`.

    `landed` is None where nothing was asked.
    """
    known = landed or Landed(documents=[], catalog_services=frozenset())
    documents = [*shipped_documents(), *known.documents, *drafts]
    resolution = resolve_all(documents, catalog_services=known.catalog_services)
    versions = tuple(each for each in resolution.versions if each.document.key[0] == terms_id)
    refused = "; ".join(
        f"version {document.key[1]} was refused: {document.name}, line {fault.line}: {fault.message}"
        for document, fault in resolution.faults
        if document.key[0] == terms_id
    )
    if not versions:
        ids = ", ".join(sorted({each.document.key[0] for each in resolution.versions}))
        why = refused or (
            "what has landed is not known: no stack is up" if landed is None else "none of this id has landed"
        )
        raise UnknownTerms(
            f"There are no terms {terms_id!r} ({why}). There are: {ids}. "
            f"To see a document before it lands, name its file: sla terms show {terms_id} FILE."
        )
    begun = [each for each in versions if each.document.effective_from <= at]
    if not begun:
        starts = ", ".join(
            f"{each.document.key[1]} from {instant_text(each.document.effective_from)}" for each in versions
        )
        raise UnknownTerms(f"No version of {terms_id} is in force at {instant_text(at)}. There are: {starts}.")
    later = versions[len(begun) :]
    return VersionInForce(begun[-1], later[0].document.effective_from if later else None, versions)
