"""Which version of the terms is in force (rule T1)."""

from __future__ import annotations

from slaledger.reperform.records import Exports, Instant, TermsVersion


def in_force(exports: Exports, terms_id: str, at: Instant) -> TermsVersion | None:
    """The version of the id in force at the instant; None if the id is unknown, or has not begun by then."""
    begun = [version for version in exports.terms.get(terms_id, []) if version.effective_from <= at]
    return max(begun, key=lambda version: version.effective_from, default=None)
