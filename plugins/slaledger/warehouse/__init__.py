"""The warehouse: connections, and the DDL that dbt does not own."""

from slaledger.warehouse.connection import WarehouseUnreachable, connect
from slaledger.warehouse.migrate import migrate

__all__ = ["WarehouseUnreachable", "connect", "migrate"]
