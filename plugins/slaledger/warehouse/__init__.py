"""The warehouse: connections, and the DDL that dbt does not own."""

from slaledger.warehouse.connection import (
    LoginRefused,
    RoleMissing,
    WarehouseStopped,
    WarehouseUnreachable,
    connect,
    role_options,
)
from slaledger.warehouse.migrate import MigrationRefused, VersionDiffers, migrate, require_version

__all__ = [
    "LoginRefused",
    "MigrationRefused",
    "RoleMissing",
    "VersionDiffers",
    "WarehouseStopped",
    "WarehouseUnreachable",
    "connect",
    "migrate",
    "require_version",
    "role_options",
]
