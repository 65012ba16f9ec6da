"""Terms: the SLA as data. Read and linted here, resolved (`extends`), shown, and published for the models."""

from slaledger.terms.document import Reading, read_document, split_documents, to_json
from slaledger.terms.faults import Fault
from slaledger.terms.landed import Landed, read_landed
from slaledger.terms.lint import NoFiles, files_of, lint_files
from slaledger.terms.publish import PublishedTerms, publish
from slaledger.terms.resolve import Document, Resolution, Resolved, resolve_all, shipped_documents
from slaledger.terms.tables import tables
from slaledger.terms.versions import UnknownTerms, version_in_force

__all__ = [
    "Document",
    "Fault",
    "Landed",
    "NoFiles",
    "PublishedTerms",
    "Reading",
    "Resolution",
    "Resolved",
    "UnknownTerms",
    "files_of",
    "lint_files",
    "publish",
    "read_document",
    "read_landed",
    "resolve_all",
    "shipped_documents",
    "split_documents",
    "tables",
    "to_json",
    "version_in_force",
]
