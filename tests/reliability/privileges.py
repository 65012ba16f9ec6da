"""Who may do what in the warehouse, and the statements that show whether it is so.

The declaration is checked both ways against what PostgreSQL says when the statements are run, and is complete: a table,
a schema or a function that it does not name is a difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import psycopg

ROLES = ("owner", "loader", "transformer", "validator", "approver", "biller", "relay", "auditor", "goodwill")

# S select, I insert into any column, i into those in INSERTABLE alone, U update of any, u of those in UPDATABLE alone,
# D delete, T truncate, G create trigger, A alter; O: all of them.
VERBS = "SIUDTGA"
TABLES = """
                             owner loader transformer validator approver biller relay auditor goodwill
raw.source_objects           O     SIU    S           S         S        S      -     S       -
raw.quarantined_rows         O     SID    S           S         -        -      -     S       -
raw.observations             O     SID    S           S         -        -      -     S       -
raw.monitors                 O     SI     S           S         -        S      -     S       -
raw.components               O     SI     S           S         -        S      -     S       -
raw.check_streaks            O     SID    S           S         -        S      -     S       -
raw.check_spans              O     SIUD   S           S         -        S      -     S       -
raw.check_conflicts          O     SIUD   S           S         -        -      -     S       -
raw.status_page_documents    O     SI     S           S         -        -      -     S       -
raw.incidents                O     SI     S           S         -        S      -     S       -
raw.notices                  O     SI     S           S         -        S      -     S       -
raw.exclusions               O     SI     S           S         -        S      -     S       -
raw.ticket_events            O     SI     S           S         -        S      -     S       -
raw.zendesk_tickets          O     SI     S           S         -        S      -     S       -
raw.zendesk_ticket_events    O     SI     S           S         -        S      -     S       -
raw.zendesk_users            O     SI     S           S         -        -      -     S       -
raw.accounts                 O     SI     S           S         -        S      -     S       -
raw.contracts                O     SI     S           S         -        S      -     S       -
raw.fees                     O     SI     S           S         -        S      -     S       -
raw.claims                   O     SI     S           S         -        S      -     S       -
raw.terms                    O     SI     S           S         -        -      -     S       -
raw.terms_versions           O     SID    S           S         S        S      -     S       S
raw.terms_faults             O     SID    S           S         -        -      -     S       -
raw.calendar_holidays        O     SID    S           S         -        S      -     S       S
audit.listed_objects         O     SI     -           -         -        -      -     S       -
audit.builds                 O     -      Siu         S         S        Su     -     S       -
audit.current_build          O     -      SIU         S         S        S      -     S       -
audit.validations            O     -      -           Si        -        S      -     S       -
audit.decisions              O     -      S           S         S        S      -     S       S
billing.evidence             O     -      S           -         -        SI     -     S       S
billing.sla_statements       O     -      S           -         S        SI     -     S       S
billing.credit_line_items    O     -      S           -         S        SI     S     S       SI
billing.deliveries           O     -      S           -         -        S      SI    S       -
billing.ledger               O     -      -           -         -        S      S     S       S
billing.postings             O     -      S           -         -        SI     S     S       SI
billing.undelivered          O     -      -           -         -        S      S     S       -
gate.expectations            O     -      -           S         -        S      -     S       -
gate.*                       O     -      -           S         -        -      -     S       -
gate.objects                 O     -      -           S         S        -      -     S       -
marts.*                      O     -      SID         S         S        S      -     S       -
reference.currencies         O     -      S           S         S        S      -     S       S
staging.*                    -     -      O           -         -        -      -     S       -
intermediate.*               -     -      O           -         -        -      -     S       -
public.slaledger_migrations  SIUD  -      -           -         -        -      -     S       -
"""
INSERTABLE = {
    ("audit.builds", "transformer"): {
        *("run_id", "service_month", "as_of", "is_closing", "code_version", "tzdata_version"),
        *("prepared_by", "triggered_by"),
    },
    ("audit.validations", "validator"): {
        *("validation_id", "run_id", "gate", "service_month", "as_of", "candidate_sha256", "is_success"),
        "expectations",
    },
}
UPDATABLE = {
    ("audit.builds", "transformer"): {"models_started_at", "models_built_at", "posted_at"},
    ("audit.builds", "biller"): {"posted_at"},
}

# Who may execute what, besides its owner. What is not named here, nobody may: triggers and other functions call it.
FUNCTIONS = """
                                owner loader transformer validator approver biller relay auditor goodwill
raw.start_of_day                -     -      X           X         -        X      -     X       -
audit.inputs_sha256             -     -      -           X         -        X      -     X       -
audit.candidate_sha256          -     -      -           X         -        X      -     X       -
audit.hold                      -     X      X           -         -        -      -     -       -
audit.person                    -     -      -           -         -        -      -     -       X
audit.questions                 -     -      -           -         X        -      -     -       -
audit.record_decision           -     -      -           -         X        -      -     -       -
audit.record_goodwill           -     -      -           -         -        -      -     -       X
billing.statements_as_known_on  -     -      -           -         -        -      -     X       -
billing.lines_as_known_on       -     -      -           -         -        -      -     X       -
billing.sums                    -     -      -           -         X        X      -     X       -
billing.applies_from            -     -      -           -         X        X      -     X       X
billing.lines_due               -     -      -           -         X        X      -     X       -
billing.statements_due          -     -      -           -         -        X      -     -       -
billing.goodwill_due            -     -      -           -         -        -      -     -       X
billing.hold_ledger             -     -      -           -         -        X      -     -       X
gate.shortcomings               -     -      -           X         -        X      -     X       -
gate.objections                 -     -      -           X         -        X      -     X       -
gate.quarantine                 -     -      -           X         -        -      -     -       -
gate.quarantine_shortcomings    -     -      -           X         -        X      -     X       -
gate.validation_id              -     -      -           X         -        -      -     -       -
"""

# C create in the schema, U use what is in it.
SCHEMAS = """
              owner loader transformer validator approver biller relay auditor goodwill
raw           CU    U      U           U         U        U      -     U       U
audit         CU    U      U           U         U        U      -     U       U
billing       CU    -      U           -         U        U      U     U       U
gate          CU    -      -           U         U        U      -     U       -
marts         CU    -      U           U         U        U      -     U       -
reference     CU    -      U           U         U        U      -     U       U
staging       -     -      CU          -         -        -      -     U       -
intermediate  -     -      CU          -         -        -      -     U       -
public        U     -      -           -         -        -      -     U       -
"""

RELATIONS = """
select
    format('%s.%s', nspname, relname) as name,
    relkind in ('v', 'm') as is_view,
    (
        select array_agg(attname::text order by attnum)
        from pg_attribute
        where attrelid = pg_class.oid and attnum > 0 and not attisdropped
    ) as columns
from pg_class
inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
where relkind in ('r', 'p', 'v', 'm', 'f') and nspname !~ '^(pg_|information_schema$)'
order by name
"""
# A strict function of constant nulls would never be called.
ROUTINES = """
select
    pg_proc.oid::regprocedure::text,
    format('%s.%s', nspname, proname) as name,
    replace(pg_get_userbyid(proowner), 'sla_', '') as owner,
    format(
        'select %I.%I(%s)', nspname, proname,
        (
            select string_agg(format('(select null::%s)', arguments.type::regtype), ', ' order by arguments.number)
            from unnest(proargtypes) with ordinality as arguments (type, number)
        )
    ) as call
from pg_proc
inner join pg_namespace on pg_proc.pronamespace = pg_namespace.oid
where nspname !~ '^(pg_|information_schema$)'
order by 1
"""


@dataclass(frozen=True)
class Attempt:
    """A statement that one role may run, or may not."""

    role: str
    action: str
    statement: str
    is_allowed: bool


def declared(table: str) -> dict[str, dict[str, str]]:
    """Object -> role -> letters, of one of the tables above."""
    heading, *rows = (line.split() for line in table.strip().splitlines())
    return {
        name: {
            role: VERBS if letters == "O" else letters.strip("-") for role, letters in zip(heading, row, strict=True)
        }
        for name, *row in rows
    }


def attempts(connection: psycopg.Connection) -> Iterator[Attempt]:
    """Every statement of every role, with what is declared of it. Raises `AssertionError` naming what is undeclared."""
    schemas, tables, functions = declared(SCHEMAS), declared(TABLES), declared(FUNCTIONS)
    relations = connection.execute(RELATIONS).fetchall()
    undeclared = [name for name, *_ in relations if name not in tables and _any_of(name) not in tables]
    existing = {name for name, *_ in relations} | {_any_of(name) for name, *_ in relations}
    held = connection.execute("select nspname from pg_namespace where nspname !~ '^(pg_|information_schema$)'")
    undeclared += sorted({name for (name,) in held} - schemas.keys())
    assert not undeclared, f"declare in tests/reliability/privileges.py who may do what with {', '.join(undeclared)}"
    assert tables.keys() <= existing, f"there is no {', '.join(sorted(tables.keys() - existing))} any more"
    for schema, letters in schemas.items():
        for role in ROLES:
            yield Attempt(role, f"create in {schema}", f"create table {schema}.planted ()", "C" in letters[role])
    for name, is_view, columns in relations:
        for role, letters in tables.get(name, tables.get(_any_of(name), {})).items():
            for verb, statement in _statements(name, is_view=is_view):
                yield Attempt(role, f"{verb} on {name}", statement, verb[0] in letters)
            for column in () if is_view else columns:
                yield Attempt(
                    role,
                    f"INSERT into {name}.{column}",
                    f'insert into {name} ("{column}") overriding system value select null where false',
                    "I" in letters or column in INSERTABLE.get((name, role), ()),
                )
                yield Attempt(
                    role,
                    f"UPDATE of {name}.{column}",
                    f'update {name} set "{column}" = default where false',
                    "U" in letters or column in UPDATABLE.get((name, role), ()),
                )
    routines = connection.execute(ROUTINES).fetchall()
    gone = functions.keys() - {name for _, name, *_ in routines}
    assert not gone, f"there is no {', '.join(sorted(gone))} any more"
    for signature, name, owner, call in routines:
        for role in ROLES:
            is_declared = "X" in functions.get(name, {}).get(role, "")
            yield Attempt(role, f"execute {signature}", call, role == owner or is_declared)
    for role in ROLES:
        yield Attempt(role, "make a large object", "select lo_creat(-1)", False)
        yield Attempt(role, "write a large object", "select lo_from_bytea(0, 'x')", False)
    for (sequence,) in connection.execute("select format('%s.%s', schemaname, sequencename) from pg_sequences"):
        for role in ROLES[1:]:
            yield Attempt(role, f"take from {sequence}", f"select nextval('{sequence}')", False)


def _any_of(name: str) -> str:
    return f"{name.partition('.')[0]}.*"


def _statements(name: str, *, is_view: bool) -> Iterator[tuple[str, str]]:
    yield "SELECT", f"select * from {name} where false"
    if is_view:
        yield "ALTER", f"alter view {name} rename to planted"
        return
    yield "DELETE", f"delete from {name} where false"
    yield "TRUNCATE", f"truncate {name}"
    yield (
        "G: create trigger",
        f"create trigger planted before update on {name} for each row"
        " execute function suppress_redundant_updates_trigger()",
    )
    yield "ALTER", f"alter table {name} add column planted integer"


def differences(sessions: Mapping[str, psycopg.Connection], tried: Iterable[Attempt]) -> tuple[int, list[str]]:
    """How many statements were run, each rolled back, and where PostgreSQL says otherwise than is declared.

    The sessions commit by themselves. What fails for another reason than privileges (a trigger refuses it, an argument
    is null) was allowed.
    """
    count, found = 0, []
    for attempt in tried:
        count += 1
        was_allowed = True
        try:
            sessions[attempt.role].execute(f"{attempt.statement}; rollback")
        except psycopg.errors.InsufficientPrivilege:
            was_allowed = False
        except psycopg.Error as error:
            assert error.sqlstate, error
        if was_allowed != attempt.is_allowed:
            word = "may" if was_allowed else "may not"
            found.append(f"sla_{attempt.role} {word} {attempt.action}")
    return count, found
