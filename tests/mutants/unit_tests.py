"""dbt's unit tests as data for mutants: a model over the rows that are given, compared in the columns expected.

That the unmutated model gives what is expected is dbt's to say; here the mutated one is compared with the unmutated.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from tests.mutants.models import Query
from tests.mutants.running import BASELINE, NOTHING, Verdict, of_error, run

if TYPE_CHECKING:
    from tests.mutants.models import Project
    from tests.mutants.operators import Mutant

Rows = list[dict[str, Any]] | str  # as dbt has them: mappings, or a query


@dataclass(frozen=True)
class UnitTest:
    """Rows by the name of the relation that they stand for, and the columns that the test looks at (`*`: all)."""

    name: str
    given: dict[str, Rows]
    columns: tuple[str, ...]


def read(manifest: Path) -> dict[str, list[UnitTest]]:
    """The unit tests by the model that they are of."""
    found: dict[str, list[UnitTest]] = {}
    for test in json.loads(manifest.read_text(encoding="utf-8"))["unit_tests"].values():
        given = {re.findall(r"'(\w+)'", each["input"])[-1]: each["rows"] for each in test["given"]}
        expected = test["expect"]["rows"]
        named = () if isinstance(expected, str) else tuple(dict.fromkeys(name for row in expected for name in row))
        found.setdefault(test["model"], []).append(UnitTest(test["name"], given, named or ("*",)))
    return found


def tell(project: Project, tests: dict[str, list[UnitTest]], connection: psycopg.Connection, mutant: Mutant) -> Verdict:
    """Whether any of its model's unit tests tells a mutant. Leaves the database as it was."""
    for test in tests.get(mutant.model, ()):
        try:
            if _tells(connection, project, mutant, test):
                return Verdict("killed", f"unit test {test.name}")
        except psycopg.Error as error:
            return of_error(error)
        finally:
            connection.rollback()
    return Verdict("survives", NOTHING)


def _tells(connection: psycopg.Connection, project: Project, mutant: Mutant, test: UnitTest) -> bool:
    model = project.models[mutant.model]
    for name, rows in test.given.items():
        _give(connection, project, name, rows)
    schemas = dict.fromkeys(project.models, BASELINE) | dict.fromkeys(test.given, "pg_temp")
    for table, text in (("unmutated", model.sql), ("mutated", mutant.sql)):
        query = Query(model.name, text, model.parents).over(schemas)
        run(connection, f"create temporary table {table} as {query}")
    names = [sql.Identifier(name) if name != "*" else sql.SQL("*") for name in test.columns]
    difference = sql.SQL(
        "select exists (select {0} from mutated except all select {0} from unmutated)"
        " or exists (select {0} from unmutated except all select {0} from mutated)"
    ).format(sql.SQL(", ").join(names))
    return bool(connection.execute(difference).fetchone()[0])


def _give(connection: psycopg.Connection, project: Project, name: str, rows: Rows) -> None:
    if isinstance(rows, str):
        run(connection, f'create temporary table "{name}" as {rows}')
        return
    schema = BASELINE if name in project.models else _schema(connection, name)
    run(connection, f'create temporary table "{name}" as select * from {schema}."{name}" limit 0')
    for row in rows:
        statement = sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier("pg_temp", name),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            # As text of no type, each takes its column's.
            sql.SQL(", ").join(sql.Literal(None if value is None else str(value)) for value in row.values()),
        )
        connection.execute(statement)


def _schema(connection: psycopg.Connection, name: str) -> str:
    """Where a source or a seed is."""
    query = "select table_schema from information_schema.tables where table_name = %s and table_schema !~ '^pg_'"
    (schema,) = connection.execute(query, [name]).fetchone()
    return str(schema)
