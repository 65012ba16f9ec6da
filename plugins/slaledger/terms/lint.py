"""`sla terms lint`: files, each on its own, then beside each other and beside what is there (rule T4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from slaledger.terms.document import read_document, split_documents
from slaledger.terms.faults import Fault
from slaledger.terms.landed import Landed
from slaledger.terms.resolve import Document, resolve_all, shipped_documents


class NoFiles(Exception):
    """A directory that holds no terms; the message names it."""

    exit_code = 2


def files_of(paths: Iterable[Path]) -> list[Path]:
    """Each file once: those named, and of a directory all `*.yml` and `*.yaml`, however deep. Raises `NoFiles`."""
    found: list[Path] = []
    for path in paths:
        listed = [path]
        if path.is_dir():
            listed = sorted(each for each in path.rglob("*") if each.suffix in (".yml", ".yaml") and each.is_file())
            if not listed:
                raise NoFiles(f"{path} holds no *.yml and no *.yaml: name the files.")
        found += listed
    return list(dict.fromkeys(found))


def _read_files(files: Iterable[Path]) -> tuple[list[Document], set[tuple[str, Fault]]]:
    """The documents of files, which may hold several each, and the faults of the others, by the file's name.

    Raises OSError where a file cannot be read.
    """
    faults: set[tuple[str, Fault]] = set()
    documents: list[Document] = []
    for position, path in enumerate(files):
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
    return documents, faults


def lint_files(files: Iterable[Path], landed: Landed | None = None) -> tuple[list[Document], list[tuple[str, Fault]]]:
    """The documents of these files, and their faults by name and line: of each, then beside shipped and landed ones.

    Without `landed` only the shipped terms and their services are known. Raises OSError where a file cannot be read.
    """
    documents, faults = _read_files(files)
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
    return documents, sorted(faults)
