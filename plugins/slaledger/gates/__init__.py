"""The gates at both borders of dbt: what must hold before a month is reckoned, and before it is posted."""

from slaledger.gates.evaluation import data_docs_path
from slaledger.gates.quarantine import QuarantineExcess, over_quarantine_limit, quarantine_digest
from slaledger.gates.results import ExpectationResult, GateFailed, GateResult
from slaledger.gates.run import run_gate

__all__ = [
    "ExpectationResult",
    "GateFailed",
    "GateResult",
    "QuarantineExcess",
    "data_docs_path",
    "over_quarantine_limit",
    "quarantine_digest",
    "run_gate",
]
