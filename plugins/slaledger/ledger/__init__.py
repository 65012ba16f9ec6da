"""The ledger: statements and credit line items, appended once and chained (rules L1 to L7)."""

from slaledger.ledger.anchors import AnchorConflict, anchored, require_not_behind
from slaledger.ledger.candidate import candidate_sha256, inputs_sha256
from slaledger.ledger.chain import IdempotencyPayloadMismatch
from slaledger.ledger.planning import AmountNotPostable
from slaledger.ledger.posting import LinesDoNotAddUp, PostResult, Waiting, post_month
from slaledger.ledger.postings import RefusedAtCommit
from slaledger.ledger.preconditions import (
    MonthNotOver,
    NotClosing,
    NotCurrentBuild,
    NotValidated,
    PostingRefused,
)

__all__ = [
    "AmountNotPostable",
    "AnchorConflict",
    "IdempotencyPayloadMismatch",
    "LinesDoNotAddUp",
    "MonthNotOver",
    "NotClosing",
    "NotCurrentBuild",
    "NotValidated",
    "PostResult",
    "PostingRefused",
    "RefusedAtCommit",
    "Waiting",
    "anchored",
    "candidate_sha256",
    "inputs_sha256",
    "post_month",
    "require_not_behind",
]
