"""Closings without dbt's and Great Expectations' starts, which would be most of the time of thousands of them.

The statements are those that dbt compiled, in its order; the claims of the gates are the committed queries. What is
left out, dbt's tests of the models and the reports, changes no figure: `test_histories` closes a month both ways.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import psycopg

from slaledger import delivery, ledger, months, transform
from slaledger.gates.committed import committed
from slaledger.gates.quarantine import LIMIT_SETTING
from slaledger.settings import Settings
from slaledger.warehouse import connect


@dataclass(frozen=True)
class Model:
    """A model as dbt compiled it; its relation is there, made by dbt."""

    name: str
    relation: str
    materialized: str
    columns: tuple[str, ...]
    select: str


@dataclass(frozen=True)
class Models:
    """All models, each after those that it reads."""

    ordered: tuple[Model, ...]
    changed_views: frozenset[str] = frozenset()

    @classmethod
    def compiled(cls, manifest: Path) -> Models:
        """Those of a build of dbt, by the manifest that it left; the database's name is taken out of them."""
        nodes: dict[str, dict[str, Any]] = {
            name: node
            for name, node in json.loads(manifest.read_text())["nodes"].items()
            if node["resource_type"] == "model"
        }
        reads = {name: [each for each in node["depends_on"]["nodes"] if each in nodes] for name, node in nodes.items()}
        return cls(
            tuple(
                Model(
                    name=node["name"],
                    relation=f"{node['schema']}.{node['alias']}",
                    materialized=node["config"]["materialized"],
                    columns=tuple(node["columns"]),
                    select=node["compiled_code"].replace(f'"{node["database"]}".', ""),
                )
                for node in (nodes[name] for name in TopologicalSorter(reads).static_order())
            )
        )

    def planted(self, name: str, right: str, wrong: str) -> Models:
        """The same with a mistake in one of them."""
        (model,) = (model for model in self.ordered if model.name == name)
        assert model.select.count(right) == 1, f"{name} has {right!r} {model.select.count(right)} times"
        mistaken = replace(model, select=model.select.replace(right, wrong))
        ordered = tuple(mistaken if each is model else each for each in self.ordered)
        return Models(ordered, frozenset({name} if model.materialized == "view" else ()))

    def close(self, settings: Settings, *, run_id: str, month: str, as_of: str) -> None:
        """Gate, build, gate, post and deliver a month; raises AssertionError where a gate would stop it."""
        transform.open_build(
            settings,
            run_id=run_id,
            service_month=months.parse_month(month),
            as_of=months.parse_instant(as_of),
            is_closing=True,
        )
        pass_gate(settings, "raw", run_id=run_id)
        self.build(settings, run_id=run_id)
        pass_gate(settings, "marts", run_id=run_id)
        ledger.post_month(settings, run_id=run_id)
        delivery.deliver(settings, run_id=run_id)

    def build(self, settings: Settings, *, run_id: str) -> None:
        """What dbt does, in one transaction."""
        with connect(settings.warehouse, role="sla_transformer") as connection:
            connection.execute(
                "update audit.builds set models_started_at = clock_timestamp(), models_built_at = null"
                " where run_id = %s",
                (run_id,),
            )
            connection.execute(
                "update audit.builds set posted_at = null"
                " where service_month = (select service_month from audit.current_build)"
            )
            for model in self.ordered:
                _run(connection, model, is_changed=model.name in self.changed_views)
            connection.execute(
                "update audit.builds set models_built_at = clock_timestamp() where run_id = %s", (run_id,)
            )


def _run(connection: psycopg.Connection, model: Model, *, is_changed: bool) -> None:
    match model.materialized:
        case "view":
            if is_changed:
                connection.execute(f"create or replace view {model.relation} as {model.select}")
        case "table":
            connection.execute(f"truncate {model.relation}")
            connection.execute(f"insert into {model.relation} {model.select}")
            connection.execute(f"analyze {model.relation}")
        case "incremental":
            columns = ", ".join(model.columns)
            connection.execute(
                f"delete from {model.relation} where service_month = (select service_month from audit.current_build)"
            )
            connection.execute(
                f"insert into {model.relation} ({columns}) select {columns} from ({model.select}) as built"
            )
        case other:
            raise ValueError(f"{model.name} is materialized as {other}")


def pass_gate(settings: Settings, gate: str, *, run_id: str) -> None:
    """Evaluate a gate's claims and leave its record; raises AssertionError naming each critical one that is broken."""
    digest = {"raw": ledger.inputs_sha256, "marts": ledger.candidate_sha256}[gate]
    with connect(settings.warehouse, role="sla_validator") as connection:
        connection.execute("select set_config(%s, %s, true)", (LIMIT_SETTING, str(settings.quarantine_limit_percent)))
        judged = {
            each.name: connection.execute(each.count(gate).encode()).fetchone()[0] for each in committed().GATES[gate]
        }
        entries = []
        for each in committed().GATES[gate]:
            broken = connection.execute(each.query(gate).encode()).fetchall()
            needs_rows = not each.may_be_empty or judged.get(each.only_with, 0) > 0
            is_success = not broken and (judged[each.name] > 0 or not needs_rows)
            severity = each.severity_of(is_closing=True)
            assert is_success or severity != "critical", f"{gate} gate, {each.name}: {broken[:3]}"
            entries.append(
                {
                    "name": each.name,
                    "severity": severity,
                    "is_evaluated": True,
                    "is_success": is_success,
                    "evaluated_rows": judged[each.name],
                    "unexpected": len(broken),
                    "detail": "",
                }
            )
        connection.execute(
            """
            insert into audit.validations (
                validation_id, run_id, gate, service_month, as_of, candidate_sha256, is_success, expectations
            )
            select %s, run_id, %s, service_month, as_of, %s, true, %s from audit.builds where run_id = %s
            """,
            (uuid.uuid4(), gate, digest(connection), json.dumps(entries), run_id),
        )
