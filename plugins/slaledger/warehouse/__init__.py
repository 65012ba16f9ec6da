"""The warehouse: connections, and the DDL that dbt does not own."""

from slaledger.warehouse.connection import (
    LoginRefused,
    RoleMissing,
    WarehouseStopped,
    WarehouseUnreachable,
    connect,
    role_options,
)
from slaledger.warehouse.migrate import MigrationRefused, migrate

__all__ = [
    "LoginRefused",
    "MigrationRefused",
    "RoleMissing",
    "WarehouseStopped",
    "WarehouseUnreachable",
    "connect",
    "migrate",
    "role_options",
]
