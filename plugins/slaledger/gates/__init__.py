"""The gates at both borders of dbt: what must hold before a month is reckoned, and before it is posted."""

from slaledger.gates.evaluation import data_docs_path
from slaledger.gates.results import ExpectationResult, GateFailed, GateResult
from slaledger.gates.run import run_gate

__all__ = [
    "ExpectationResult",
    "GateFailed",
    "GateResult",
    "data_docs_path",
    "run_gate",
]
