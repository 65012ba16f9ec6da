"""The money models as dbt compiled them: the five marts and all that they are made of."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from tests.second_route.comparing import COLUMNS

# The marts of money and response times, and what a reader sees of them: the columns of contracts.md.
MARTS = {
    f"fct_{mart}": tuple(COLUMNS[mart].split())
    for mart in ("account_months", "account_downtime", "response_times", "claims", "credits")
}


@dataclass(frozen=True)
class Query:
    """A model's or a data test's compiled SQL; `parents` are the money models that it reads."""

    name: str
    sql: str
    parents: tuple[str, ...]
    columns: tuple[str, ...] = ("*",)  # in which its rows are compared

    def over(self, schemas: dict[str, str]) -> str:
        """The SQL with each money model read from the schema that is given for it."""
        return re.sub(
            r'"\w+"\."(\w+)"',
            lambda match: f'{schemas[match[1]]}."{match[1]}"' if match[1] in schemas else match[0],
            self.sql,
        )


@dataclass(frozen=True)
class Project:
    """Models in the order in which they can be built, and the data tests over them."""

    models: dict[str, Query]
    tests: dict[str, Query]

    @classmethod
    def read(cls, manifest: Path) -> Project:
        """What a build left in `manifest.json`."""
        read = json.loads(manifest.read_text(encoding="utf-8"))
        nodes = read["nodes"]
        ids = {node["name"]: unique_id for unique_id, node in nodes.items() if node["resource_type"] == "model"}
        graph: dict[str, list[str]] = {}
        todo = [ids[name] for name in MARTS]
        while todo:
            unique_id = todo.pop()
            graph[unique_id] = [each for each in nodes[unique_id]["depends_on"]["nodes"] if each in ids.values()]
            todo += [each for each in graph[unique_id] if each not in graph]
        ordered = list(TopologicalSorter(graph).static_order())
        tests = [
            unique_id
            for unique_id, node in nodes.items()
            if node["resource_type"] == "test"
            and any(each in graph for each in node["depends_on"]["nodes"])
            and all(each in graph or not each.startswith("model.") for each in node["depends_on"]["nodes"])
        ]

        def query(unique_id: str) -> Query:
            node = nodes[unique_id]
            return Query(
                name=node["name"],
                # Without the database: the same text runs in every world.
                sql=node["compiled_code"].replace(f'"{node["database"]}".', "").strip(),
                parents=tuple(nodes[each]["name"] for each in node["depends_on"]["nodes"] if each in graph),
                columns=MARTS.get(node["name"], ("*",)),
            )

        return cls(
            models={nodes[each]["name"]: query(each) for each in ordered},
            tests={nodes[each]["name"]: query(each) for each in tests},
        )

    def downstream(self, name: str) -> list[str]:
        """What is made of a model, in order, the model itself left out."""
        reached = {name}
        for each in self.models.values():
            if reached & set(each.parents):
                reached.add(each.name)
        return [each for each in self.models if each in reached and each != name]
