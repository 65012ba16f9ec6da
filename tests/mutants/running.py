"""Runs a mutant against a world: what it makes different, and whether a figure or a data test tells.

A world is a database whose schema `baseline` holds every money model as it is unmutated. A mutant's model, and what is
made of it as far as it differs, become temporary tables of one transaction, which is rolled back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, LiteralString, cast

import psycopg
from psycopg.rows import dict_row

from tests.mutants.models import MARTS, Project, Query

if TYPE_CHECKING:
    from tests.mutants.operators import Mutant

BASELINE = "baseline"
NOTHING = "nothing differs"
# Many times what the slowest model takes: a mutant that joins everything with everything never ends.
TIMEOUT = "20s"
Fate = Literal["killed", "survives", "refused", "never ends"]


@dataclass(frozen=True)
class Verdict:
    """Whether a world tells a mutant from the model, and by what.

    What PostgreSQL refuses whatever the rows is no mutant, and what never ends is no kill: neither speaks of data.
    """

    fate: Fate
    by: str  # the mart, the data test, or the error; of a survivor: the models whose rows differ


def connect(dsn: str) -> psycopg.Connection:
    """A connection as dbt's: UTC; a statement that never ends is ended."""
    connection = psycopg.connect(dsn, options=f"-c timezone=UTC -c jit=off -c statement_timeout={TIMEOUT}")
    connection.autocommit = False
    return connection


def build(connection: psycopg.Connection, project: Project) -> None:
    """Build every model, unmutated, into the schema `baseline`."""
    run(connection, f"drop schema if exists {BASELINE} cascade")
    run(connection, f"create schema {BASELINE}")
    schemas: dict[str, str] = {}
    for model in project.models.values():
        run(connection, f'create table {BASELINE}."{model.name}" as {model.over(schemas)}')
        run(connection, f'analyze {BASELINE}."{model.name}"')
        schemas[model.name] = BASELINE
    connection.commit()


def failing(connection: psycopg.Connection, project: Project) -> frozenset[str]:
    """The data tests that find rows though nothing is mutated (warnings)."""
    schemas = dict.fromkeys(project.models, BASELINE)
    return frozenset(name for name, test in project.tests.items() if _finds(connection, test.over(schemas)))


def rows(connection: psycopg.Connection, name: str) -> list[dict[str, Any]]:
    """The rows of a model, unmutated."""
    cursor = connection.cursor(row_factory=dict_row)
    return cursor.execute(cast("LiteralString", f'select * from {BASELINE}."{name}"')).fetchall()


def try_mutant(
    project: Project, already_failing: frozenset[str], connection: psycopg.Connection, mutant: Mutant
) -> Verdict:
    """Run a mutant and what is made of it as far as rows differ. Leaves the database as it was."""
    try:
        return _judge(project, already_failing, connection, mutant)
    except psycopg.Error as error:
        return of_error(error)
    finally:
        connection.rollback()


def of_error(error: psycopg.Error) -> Verdict:
    """What an error says of a mutant. Raises it where it says that the operator, or the server, is at fault."""
    code, by = error.sqlstate or "", f"error: {str(error).splitlines()[0]}"
    if isinstance(error, psycopg.errors.QueryCanceled):
        return Verdict("never ends", by)
    if isinstance(error, psycopg.errors.SyntaxError):
        raise error  # a mutant must be SQL
    if code.startswith(("42", "0A")):  # of types and names, which no row changes
        return Verdict("refused", by)
    if code.startswith(("2", "54")):  # a value, a subquery of two rows, a limit
        return Verdict("killed", by)
    raise error


def _judge(
    project: Project, already_failing: frozenset[str], connection: psycopg.Connection, mutant: Mutant
) -> Verdict:
    schemas = dict.fromkeys(project.models, BASELINE)
    original = project.models[mutant.model]
    todo = [replace(original, sql=mutant.sql)]
    todo += [project.models[name] for name in project.downstream(mutant.model)]
    differing: list[str] = []
    for query in todo:
        if differing and not set(query.parents) & set(differing):
            continue
        if not differing and query.name != mutant.model:
            break
        run(connection, f'create temporary table "{query.name}" as {query.over(schemas)}')
        if _is_same(connection, query):
            continue
        if query.name in MARTS:
            return Verdict("killed", query.name)
        run(connection, f'analyze pg_temp."{query.name}"')
        schemas[query.name] = "pg_temp"
        differing.append(query.name)
    for name, test in project.tests.items():
        if (
            set(test.parents) & set(differing)
            and name not in already_failing
            and _finds(connection, test.over(schemas))
        ):
            return Verdict("killed", name)
    return Verdict("survives", ", ".join(differing) or NOTHING)


def _is_same(connection: psycopg.Connection, query: Query) -> bool:
    mutated, original = f'pg_temp."{query.name}"', f'{BASELINE}."{query.name}"'
    columns = ", ".join(query.columns)
    counted = f"(select count(*) from {mutated}) = (select count(*) from {original})"
    different = (
        f"select 1 from (select {columns} from {mutated} except all select {columns} from {original}) as different"
    )
    return bool(run(connection, f"select {counted} and not exists ({different})").fetchone()[0])


def _finds(connection: psycopg.Connection, sql: str) -> bool:
    return bool(run(connection, f"select exists ({sql})").fetchone()[0])


def run(connection: psycopg.Connection, sql: str) -> psycopg.Cursor:
    return connection.execute(cast("LiteralString", sql))
