"""The embedded stack: PostgreSQL, an S3 server and Airflow on this machine, for demonstrations and tests."""

from slaledger.stack.embedded import PartStatus, StackState, down, status, up
from slaledger.stack.processes import StackError

__all__ = ["PartStatus", "StackError", "StackState", "down", "status", "up"]
