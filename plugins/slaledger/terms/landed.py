"""Terms documents that landed, as the warehouse holds them."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from slaledger.settings import Settings
from slaledger.terms.resolve import Document
from slaledger.warehouse import RoleMissing, connect

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True)
class Landed:
    """What a warehouse adds to the shipped terms."""

    documents: list[Document]
    catalog_services: frozenset[str]


def read_landed(settings: Settings) -> Landed:
    """The landed documents and the catalog's services. Raises `WarehouseUnreachable`."""
    with suppress(RoleMissing), connect(settings.warehouse, role="sla_auditor") as connection:
        is_migrated = connection.execute("select to_regclass('raw.terms') is not null").fetchone()
        if is_migrated == (True,):
            return landed(connection)
    return Landed(documents=[], catalog_services=frozenset())


def landed(connection: psycopg.Connection) -> Landed:
    """The same over a connection that is open."""
    # A landed version never changes nor goes (T1): overwritten objects speak, too.
    rows = connection.execute(
        """
        select t.object_id::text, o.key, t.line_number, o.exported_at, o.last_modified, t.document::text, t.lines
        from raw.terms as t inner join raw.source_objects as o using (object_id)
        """
    ).fetchall()
    services = connection.execute("select service from raw.monitors union select service from raw.components")
    return Landed(
        documents=[
            Document(
                name=key,
                content=json.loads(text, parse_int=Decimal, parse_float=Decimal),
                rank=(1, exported_at, key, last_modified, object_id, line_number),
                object_id=object_id,
                line_number=line_number,
                exported_at=exported_at,
                lines={path: line_number - 1 + line for path, line in (lines or {}).items()},
            )
            for object_id, key, line_number, exported_at, last_modified, text, lines in rows
        ],
        catalog_services=frozenset(service for (service,) in services),
    )
