"""The ledger: statements and credit line items, appended once and chained (rules L1 to L7)."""

from slaledger.ledger.candidate import candidate_sha256

__all__ = ["candidate_sha256"]
