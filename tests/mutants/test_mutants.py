"""The mutants themselves: each operator makes those that it should, and a run tells killed from surviving ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.mutants import equivalents, running, unit_tests
from tests.mutants.models import Project, Query
from tests.mutants.operators import Mutant, mutants

SCALED = """with

scaled as (
    select
        readings.id,
        case when readings.value >= 2 then 'high' else 'low' end as level,
        round(readings.value, 1) as value
    from "raw"."readings" as readings
    inner join "raw"."sites" as sites
        on readings.site = sites.site
    where readings.is_used and readings.value > 0 -- 1 = 1, true and false
)

select * from scaled"""
# The mart reads one column of it.
LEVELS = 'select scaled.id, scaled.level from "intermediate"."scaled" as scaled'


def changes(sql: str) -> set[str]:
    """The changes of all mutants of a query, without their lines."""
    return {mutant.key.split("[")[1].split("]")[0] for mutant in mutants("model", sql)}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select a < b", {"< → <=", "< → >"}),
        ("select a >= b", {">= → >", ">= → <="}),
        ("select a = b, a <> b", {"= → <>", "<> → ="}),
        ("select a is null, b is not true", {"is → is not", "is not → is"}),
        ("select a in (b), a not in (b)", {"in → not in", "not in → in"}),
        ("select a and b or c", {"and → or", "or → and"}),
        ("select 7, 0.5", {"7 → 6", "7 → 8", "0.5 → 1.5", "0.5 → (-0.5)"}),
        ("select interval '1 month 2 days'", {"1 → 0", "1 → 2", "2 → 1", "2 → 3"}),
        ("select not a, false, 'x 1 = 2 and true'", {"not →", "false → true"}),
        ("with a as not materialized (select b is not null, c not in (d), not exists (e))",
            {"is not → is", "not in → in", "not →"}),
        ("select a from b inner join c on d", {"inner join → left outer join"}),
        ("select a from b left outer join c on d", {"left outer join → inner join"}),
        ("select a from b cross join c", set()),
        (
            "select a from b cross join lateral unnest(b.c) as d (e) where f",
            {"cross join lateral unnest(b.c) as d (e) → left outer join lateral unnest(b.c) as d…"},
        ),
        ("select case when a then b else c end", {"a → false", "else c →"}),
        ("select case a when b then c end", {"b → null"}),
        ("select case when (case when a then b end) then c end", {"a → false", "(case when a then b end) → false"}),
        ("select round(a, b)", {"round(a, b) → (a)"}),
        ("select div(f(a, b), c), date_trunc('day', a)", {"div(f(a, b), c) → ((f(a, b)) / (c))"}
            | {"date_trunc('day', a) → (a)"}),
        ("select sum(a) over (rows between unbounded preceding and current row)", set()),
        ("select a.period + b, -c, d.*, count(*)", {"+ → -"}),
        ("select a * b, f(a) - case when b then c end", {"* → +", "- → +", "b → false"}),
        ("select a && b, a @> b, a <@ b", {"&& → -|-", "@> → <@", "<@ → @>"}),
        ("select least(a, b), greatest(a, b), min(a), bool_or(b)",
            {"least → greatest", "greatest → least", "min → max", "bool_or → bool_and"}),
        ("select coalesce(f(a, b), c)", {"coalesce(f(a, b), c) → (f(a, b))"}),
        ("select a from b order by f(a, b), c desc, d asc", {"→ desc", "desc → asc", "asc → desc"}),
        ("select distinct on (f(a, b), c) (select d) from e order by f(a, b), c desc, d desc", {"desc → asc"}),
        ("select min(a) over (order by b nulls last rows between 1 preceding and current row)",
            {"min → max", "→ desc", "nulls last → nulls first", "1 → 0", "1 → 2"}),
        ("select a from b order by c desc nulls first, d", {"desc → asc", "nulls first → nulls last", "→ desc"}),
    ],
)  # fmt: skip
def test_each_operator_makes_its_mutants(sql: str, expected: set[str]) -> None:
    assert {" ".join(change.split()) for change in changes(sql)} == expected


def test_a_mutant_is_the_model_but_for_one_place_and_is_named_by_it() -> None:
    made = mutants("scaled", SCALED)
    assert len({mutant.key for mutant in made}) == len({mutant.sql for mutant in made}) == len(made)
    assert Counter(mutant.operator for mutant in made) == {
        "comparison": 5,
        "connective": 1,
        "literal": 6,
        "case arm": 2,
        "join": 1,
        "rounding": 1,
    }
    (joined,) = (mutant for mutant in made if mutant.operator == "join")
    assert joined.sql == SCALED.replace("inner join", "left outer join")
    assert (joined.line, joined.key) == (
        9,
        'scaled.scaled: [inner join → left outer join] "raw"."sites" as sites',
    )


def test_the_same_change_in_two_equal_lines_has_two_names() -> None:
    made = mutants("model", "select a\nor a < 0\nor a < 0")
    first, second = (mutant.key for mutant in made if "→ <=" in mutant.key)
    assert second == f"{first} #2"


@pytest.fixture(scope="module")
def dsn(warehouse_server) -> str:
    dsn = warehouse_server.ensure_database("mutants").dsn
    with psycopg.connect(dsn) as connection:
        connection.execute("create schema raw")
        connection.execute("create table raw.readings (id int, site text, value numeric, is_used boolean)")
        connection.execute("create table raw.sites (site text)")
        connection.execute("insert into raw.sites values ('a')")
        connection.execute("insert into raw.readings values (1, 'a', 2, true), (2, 'a', 1, false), (3, 'b', 3, true)")
    return dsn


@pytest.fixture(scope="module")
def project() -> Project:
    models = {"scaled": Query("scaled", SCALED, ()), "fct_credits": Query("fct_credits", LEVELS, ("scaled",))}
    tests = {"nothing_is_odd": Query("nothing_is_odd", 'select 1 from "i"."scaled" where value = 9', ("scaled",))}
    return Project(models=models, tests=tests)


@pytest.fixture(scope="module")
def connection(dsn: str, project: Project):
    with running.connect(dsn) as connection:
        running.build(connection, project)
        yield connection


def judged(project: Project, connection: psycopg.Connection, old: str, new: str) -> running.Verdict:
    assert SCALED.count(old) == 1
    mutant = Mutant("scaled", "test", 1, "key", SCALED.replace(old, new))
    return running.try_mutant(project, frozenset(), connection, mutant)


def test_an_unmutated_model_survives_as_it_is(project: Project, connection: psycopg.Connection) -> None:
    assert judged(project, connection, "'high'", "'high'") == running.Verdict("survives", running.NOTHING)


@pytest.mark.parametrize(
    ("old", "new", "by"),
    [
        (">= 2", "> 2", "fct_credits"),
        ("inner join", "left outer join", "fct_credits"),
        ("round(readings.value, 1)", "9", "nothing_is_odd"),
        ("round(readings.value, 1)", "1 / 0", "error: division by zero"),
    ],
)
def test_a_mutant_is_killed_by_a_mart_a_data_test_or_an_error(
    project: Project, connection: psycopg.Connection, old: str, new: str, by: str
) -> None:
    assert judged(project, connection, old, new) == running.Verdict("killed", by)


@pytest.mark.parametrize(
    ("old", "new", "by"),
    [
        # It makes rows different, but none that a mart shows.
        ("round(readings.value, 1)", "readings.value + 1", "scaled"),
        # No row is of the value that it is about.
        ("> 0", ">= 0", running.NOTHING),
    ],
)
def test_a_mutant_that_no_figure_shows_survives_and_leaves_nothing_behind(
    project: Project, connection: psycopg.Connection, old: str, new: str, by: str
) -> None:
    verdict = judged(project, connection, old, new)
    assert (verdict.fate, verdict.by) == ("survives", by)
    assert running.rows(connection, "fct_credits") == [{"id": 1, "level": "high"}]
    temporary = "select count(*) from pg_class where relpersistence = 't'"
    assert connection.execute(temporary).fetchone() == (0,)
    connection.rollback()


def test_a_mart_is_compared_in_the_columns_that_a_reader_sees(project: Project, connection: psycopg.Connection) -> None:
    seen = replace(project.models["fct_credits"], columns=("id",))
    only_ids = replace(project, models=project.models | {"fct_credits": seen})
    assert judged(project, connection, "'high'", "'low'") == running.Verdict("killed", "fct_credits")
    assert judged(only_ids, connection, "'high'", "'low'") == running.Verdict("survives", "scaled")


@pytest.mark.parametrize(
    ("old", "new", "fate"),
    [
        # Whatever the rows are, it is refused: no data kills it.
        ("round(readings.value, 1)", "readings.value + readings.site", "refused"),
        ("round(readings.value, 1)", "(select length(pg_sleep(9)::text))", "never ends"),
    ],
)
def test_what_no_data_tells_is_no_kill(
    project: Project, connection: psycopg.Connection, dsn: str, old: str, new: str, fate: str
) -> None:
    with running.connect(dsn) as impatient:
        impatient.execute("set statement_timeout = '200ms'")
        impatient.commit()
        assert judged(project, impatient, old, new).fate == fate


def test_a_mutant_that_is_no_sql_is_a_fault_of_the_operator(project: Project, connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.SyntaxError):
        judged(project, connection, "inner join", "inner inner join")


def test_a_unit_test_kills_what_its_rows_tell(project: Project, connection: psycopg.Connection) -> None:
    given = {"readings": [{"id": 4, "site": "z", "value": 0, "is_used": True}], "sites": "select 'z' as site"}
    tests = {"scaled": [unit_tests.UnitTest("zero", given, ("id",))]}

    def tell(old: str, new: str) -> running.Verdict:
        mutant = Mutant("scaled", "test", 1, "key", SCALED.replace(old, new))
        return unit_tests.tell(project, tests, connection, mutant)

    assert tell("> 0", ">= 0") == running.Verdict("killed", "unit test zero")
    # A column that the test does not look at, and a test of another model.
    assert tell("'high'", "'low'").fate == "survives"
    assert unit_tests.tell(project, {}, connection, Mutant("scaled", "", 1, "", "nonsense")).fate == "survives"


def test_survivors_are_held_against_the_list() -> None:
    judgement = equivalents.judge(["new", "known"], {"known": "because", "gone": "because"})
    assert judgement == equivalents.Judgement(unexplained=("new",), stale=("gone",))


def test_new_survivors_are_printed_as_the_list_has_them(tmp_path: Path) -> None:
    keys = [f"model.cte: {'[inner join → left outer join] others ' * 4}on 'a' = b", "model.cte: [< → <=] b #2"]
    printed = tmp_path / "printed.yml"
    printed.write_text(equivalents.to_paste(dict.fromkeys(keys, "model")), encoding="utf-8")
    assert equivalents.read(printed) == dict.fromkeys(keys, "(differing: model)")


def test_the_list_names_each_mutant_once_with_a_reason(tmp_path: Path) -> None:
    assert all(equivalents.read().values())
    twice = tmp_path / "twice.yml"
    twice.write_text("- {because: x, mutants: [a]}\n- {because: y, mutants: [a]}\n")
    with pytest.raises(ValueError, match="lists 'a' twice"):
        equivalents.read(twice)
