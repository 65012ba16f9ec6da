"""`sla terms lint`: files, each on its own, then beside each other and beside what is there (rule T4)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from slaledger.terms.document import read_document, split_documents
from slaledger.terms.faults import Fault
from slaledger.terms.landed import Landed
from slaledger.terms.resolve import Document, resolve_all, shipped_documents


def lint_files(paths: list[Path], landed: Landed | None = None) -> list[tuple[str, Fault]]:
    """The faults of these files, by name and line: of each document, then of all beside the shipped and landed ones.

    A file may hold several documents, as an object may. Without `landed` only the shipped terms and their
    services are known. Raises OSError where a file cannot be read.
    """
    faults: set[tuple[str, Fault]] = set()
    documents: list[Document] = []
    for position, path in enumerate(dict.fromkeys(paths)):
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            faults.add((str(path), Fault(line, "is no UTF-8: save the file in that encoding")))
            continue
        parts = list(split_documents(text))
        if not parts:
            faults.add((str(path), Fault(1, "holds no document: write one")))
        for first_line, part in parts:
            reading = read_document(part, first_line=first_line)
            faults.update((str(path), fault) for fault in reading.faults)
            if reading.content is not None:
                document = Document(
                    name=str(path), content=reading.content, rank=(2,), line_number=first_line, lines=reading.lines
                )
                # Of files, the one that comes into force first stands.
                rank = (2, document.effective_from, position, first_line)
                documents.append(replace(document, rank=rank))
    known = landed or Landed(documents=[], catalog_services=frozenset())
    resolution = resolve_all(
        [*shipped_documents(), *known.documents, *documents], catalog_services=known.catalog_services
    )
    refused = resolution.faults + [
        (
            document,
            document.fault(
                f"changes what version {document.key[1]} of {document.key[0]} says: give it a new version", "version"
            ),
        )
        for document in resolution.changed
    ]
    faults.update((document.name, fault) for document, fault in refused if document.rank[0] == 2)
    return sorted(faults)
