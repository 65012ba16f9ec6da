from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg.rows import dict_row

from slaledger.settings import Exports as Bucket
from slaledger.settings import Settings
from slaledger.stack.postgres import Postgres
from slaledger.warehouse import connect, migrate
from tests.models.builder import Exports, build

Row = dict[str, Any]
MODELS = ("+fct_account_months", "+fct_account_downtime", "+int_availability_findings", "+int_contracts_findings")


@dataclass
class Months:
    """What builds of several months found, kept per build: later builds replace the intermediate tables."""

    settings: Settings
    figures: dict[tuple[str, str], Row] = field(default_factory=dict)
    segments: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    findings: dict[str, list[Row]] = field(default_factory=dict)

    def build(self, month: str, as_of: str) -> None:
        """Build a month and keep its figures, segments and findings."""
        build(self.settings, month=month, as_of=as_of, select=MODELS)
        for row in self.rows("select * from intermediate.int_account_month_figures"):
            self.figures[month, row["contract_id"]] = row
            self.segments[month, row["contract_id"]] = []
        for row in self.rows(
            "select * from marts.fct_account_downtime where to_char(service_month, 'YYYY-MM') = %s order by started_at",
            [month],
        ):
            self.segments[month, row["contract_id"]].append(row)
        self.findings[month] = self.rows(
            "select * from intermediate.int_availability_findings"
            " union all select * from intermediate.int_contracts_findings"
        )

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows of a query, as mappings."""
        with connect(self.settings.warehouse) as connection:
            return connection.cursor(row_factory=dict_row).execute(query, parameters).fetchall()


@pytest.fixture(scope="session")
def load_months(warehouse_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Months]:
    """A warehouse of its own with the exports loaded, ready to build months."""

    def load(name: str, exports: Exports) -> Months:
        warehouse = warehouse_server.ensure_database(name)
        migrate(warehouse)
        home: Path = tmp_path_factory.mktemp(name)
        settings = Settings(
            home=home,
            warehouse=warehouse,
            exports=Bucket("none", None, "none", None, None),
            quarantine_limit_percent=Decimal(10),
        )
        exports.load(settings)
        with connect(warehouse) as connection:
            for each in exports.objects.values():
                if each.get("is_complete"):
                    connection.execute(
                        "update raw.source_objects set is_complete = true where object_id = %s", [each["object_id"]]
                    )
        return Months(settings)

    return load
