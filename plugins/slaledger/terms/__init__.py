"""Terms: the SLA as data. Read and linted here, resolved (`extends`), and published for the models."""

from slaledger.terms.document import Fault, read_document, to_json
from slaledger.terms.publish import PublishedTerms, publish
from slaledger.terms.resolve import Document, Resolution, Resolved, lint_files, resolve_all, shipped_documents

__all__ = [
    "Document",
    "Fault",
    "PublishedTerms",
    "Resolution",
    "Resolved",
    "lint_files",
    "publish",
    "read_document",
    "resolve_all",
    "shipped_documents",
    "to_json",
]
