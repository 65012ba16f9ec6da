"""Every way around the gate ends in no line, and in an error that says what to do.

What Airflow adds (a task marked as success, cleared, triggered alone) is tried in its own scheduler:
tests/e2e/test_service_month.py.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from slaledger import gates, ledger, terms, transform
from slaledger.gates import evaluation
from slaledger.gates import run as gate_run
from slaledger.gates.committed import committed
from slaledger.gates.quarantine import LIMIT_SETTING
from slaledger.ledger import fences, posting, preconditions
from slaledger.settings import Exports, Settings
from slaledger.warehouse import connect, migrate
from tests.ledger.books import AS_OF, MARCH, AccountMonth, build, lines, rows
from tests.support.copies import copied

EXPORTS_SQL = (Path(__file__).parents[1] / "gates" / "clean_month.sql").read_text()
# What dbt would make of these exports, had only the first incident been; the other account is one of ours.
OURS_ALONE = "update raw.accounts set is_sandbox = true where account_id = 'a-2'"
OWED = AccountMonth(
    contract_id="c-ent",
    account_id="a-1",
    counted_seconds=Decimal(28800),
    uptime_percent=Decimal("98.924731182795"),
    credit_percent=Decimal(10),
    amount=Decimal("100.00"),
    claim_id="cl-1",
    segments=[
        (
            datetime(2026, 3, 10, 10, tzinfo=UTC), datetime(2026, 3, 10, 18, tzinfo=UTC), "counted",
            ["messaging_engine"], [], ["inc-1"],
        )
    ],
)  # fmt: skip
CLAIM = """
    insert into marts.fct_claims (
        claim_id, account_id, contract_id, service_month, received_at, complete_at, deadline_at, status, terms_id,
        terms_version, decision_subject, decision_digest
    )
    values (
        'cl-1', 'a-1', 'c-ent', '2026-03-01', '2026-04-05T09:00Z', '2026-04-05T09:00Z', '2026-04-11T00:00Z',
        'accepted', 'klink-enterprise', '2026-01', 'cl-1|c-ent|2026-03', 'd1'
    )
"""
BUILT = """
    update audit.builds set models_built_at = clock_timestamp()
    where run_id = (select run_id from audit.current_build)
"""
# Another fee, and another credit of it: nothing that any claim minds, had the fee been exported.
OTHER_FIGURES = "update marts.fct_credits set monthly_fee = 2000, amount = 200"
LANDING = """
    insert into raw.source_objects (
        object_id, bucket, key, version_id, etag, sha256, size_bytes, exported_at, landed_at, feed, format, status,
        last_modified, run_id
    )
    select
        md5('later')::uuid, bucket, key || '-later', version_id, etag, sha256, size_bytes, exported_at, landed_at,
        feed, format, status, last_modified, 'another landing'
    from raw.source_objects
    where feed = 'notices'
"""
# What one stage's role may write, between one step and the next of a run.
RESPONSE_CREDIT = """
    insert into marts.fct_credits (
        account_id, contract_id, service_month, basis, credit_percent, monthly_fee, currency, amount, status, reason,
        claim_id
    )
    select
        account_id, contract_id, service_month, 'response_time', 100, monthly_fee, currency, monthly_fee, status,
        reason, claim_id
    from marts.fct_credits
"""
LATE_TICKET = """
    insert into marts.fct_response_times (
        ticket_id, contract_id, service_month, created_at, due_at, elapsed_seconds, outcome, guaranteed
    )
    values ('t-2', 'c-ent', '2026-03-01', '2026-03-02T00:00Z', '2026-03-02T02:00Z', 7201, 'breached', true)
"""
OTHER_TERMS = """
    with held as (delete from raw.terms_versions where terms_id = 'klink-enterprise' returning *)
    insert into raw.terms_versions
    select changed.*
    from held
    cross join lateral jsonb_populate_record(
        null::raw.terms_versions, to_jsonb(held) || '{"time_zone": "Pacific/Kiritimati"}'
    ) as changed
"""
NAMED = (ledger.PostingRefused, gates.GateFailed, psycopg.errors.CheckViolation, psycopg.errors.InsufficientPrivilege)


@pytest.fixture(scope="module")
def validated(warehouse_server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, str]:
    """A month to be closed, and its run, whose build both gates let pass: one line of 100 USD is due."""
    database = warehouse_server.ensure_database(f"ways_{uuid.uuid4().hex[:12]}")
    migrate(database)
    settings = Settings(
        home=tmp_path_factory.mktemp("ways"),
        warehouse=database,
        exports=Exports("exports", None, "us-east-1", None, None),
        quarantine_limit_percent=Decimal(10),
    )
    by_hand(settings, EXPORTS_SQL, OURS_ALONE)
    terms.publish(settings)
    run_id = build(settings, OWED)
    gates.run_gate(settings, "raw", run_id=run_id)
    by_hand(settings, CLAIM, BUILT)
    gates.run_gate(settings, "marts", run_id=run_id)
    return settings, run_id


@pytest.fixture
def month(validated: tuple[Settings, str]) -> Iterator[Month]:
    """A copy of it for one test."""
    settings, run_id = validated
    with copied(settings) as books:
        yield Month(books, run_id)


@dataclasses.dataclass(frozen=True)
class Month:
    """The books, and the run whose gates passed."""

    settings: Settings
    run_id: str

    def post(self, run_id: str | None = None) -> None:
        ledger.post_month(self.settings, run_id=run_id or self.run_id)

    def open_other_run(self, *, is_raw_validated: bool = True, is_built: bool = True) -> str:
        """Another run of the month, on the same marts; it has come as far as its marts gate."""
        run_id = f"other-{uuid.uuid4()}"
        transform.open_build(self.settings, run_id=run_id, service_month=MARCH, as_of=AS_OF, is_closing=True)
        if is_raw_validated:
            _record(self, run_id, gate="raw")
        if is_built:
            self.by_hand(BUILT)
        return run_id

    def by_hand(self, *statements: str, role: str | None = None) -> None:
        by_hand(self.settings, *statements, role=role)

    def gate(self, run_id: str | None = None, *, only: str = "marts") -> str:
        """Run one; what it said where it stopped the month."""
        try:
            gates.run_gate(self.settings, only, run_id=run_id or self.run_id)
        except gates.GateFailed as stopped:
            return str(stopped)
        return ""


def by_hand(settings: Settings, *statements: str, role: str | None = None) -> None:
    """Each in a transaction of its own."""
    for statement in statements:
        with connect(settings.warehouse, role=role) as connection:
            connection.execute(statement.encode())


def _record(
    month: Month,
    run_id: str,
    *,
    gate: str = "marts",
    role: str | None = "sla_validator",
    limit: str = "10",
    **other: object,
) -> None:
    """A record like the one of the run that passed, for another run, and what else is other, by hand."""
    like = rows(
        month.settings,
        "select candidate_sha256, expectations from audit.validations where run_id = %s and gate = %s",
        month.run_id,
        gate,
    )[0]
    values = {
        "run_id": run_id,
        "service_month": MARCH,
        "as_of": AS_OF,
        "candidate_sha256": like[0],
        "expectations": like[1],
        **other,
    }
    with connect(month.settings.warehouse, role=role) as connection:
        connection.execute("select set_config(%s, %s, true)", (LIMIT_SETTING, limit))
        connection.execute(
            """
            insert into audit.validations (
                validation_id, gate, run_id, service_month, as_of, candidate_sha256, is_success, expectations
            ) values (%s, %s, %s, %s, %s, %s, true, %s)
            """,
            (
                uuid.uuid4(), gate, values["run_id"], values["service_month"], values["as_of"],
                values["candidate_sha256"], json.dumps(values["expectations"]),
            ),
        )  # fmt: skip


# The ways. Each ends with a posting that must not come about.


def marts_built_again_since(month: Month, patch: pytest.MonkeyPatch) -> None:
    month.by_hand(OTHER_FIGURES)
    month.post()


def marts_changed_while_the_gate_looked(month: Month, patch: pytest.MonkeyPatch) -> None:
    evaluate = gate_run.evaluate

    def meanwhile(*arguments: object, **options: object) -> object:
        month.by_hand(OTHER_FIGURES)
        return evaluate(*arguments, **options)

    run_id = month.open_other_run()
    patch.setattr(gate_run, "evaluate", meanwhile)
    assert month.gate(run_id) == "", "it looked at one snapshot, in which all was well"
    month.post(run_id)


def validation_of_another_digest(month: Month, patch: pytest.MonkeyPatch) -> None:
    run_id = month.open_other_run()
    _record(month, run_id, candidate_sha256="f" * 64)
    month.post(run_id)


def validation_of_another_run(month: Month, patch: pytest.MonkeyPatch) -> None:
    month.post(month.open_other_run(is_raw_validated=False))


def validation_of_another_month(month: Month, patch: pytest.MonkeyPatch) -> None:
    run_id = month.open_other_run()
    with contextlib.suppress(psycopg.errors.CheckViolation):
        _record(month, run_id, service_month=date(2026, 4, 1))
    month.post(run_id)


def validation_as_of_another_time(month: Month, patch: pytest.MonkeyPatch) -> None:
    run_id = month.open_other_run()
    with contextlib.suppress(psycopg.errors.CheckViolation):
        _record(month, run_id, as_of=datetime(2026, 4, 21, tzinfo=UTC))
    month.post(run_id)


def empty_suite(month: Month, patch: pytest.MonkeyPatch) -> None:
    patch.setitem(committed().GATES, "marts", ())
    run_id = month.open_other_run()
    month.gate(run_id)
    month.post(run_id)


def empty_list(month: Month, patch: pytest.MonkeyPatch) -> None:
    run_id = month.open_other_run()
    with contextlib.suppress(psycopg.errors.CheckViolation):
        _record(month, run_id, expectations=[])
    month.post(run_id)


def expectation_removed_from_the_list(month: Month, patch: pytest.MonkeyPatch) -> None:
    patch.setitem(committed().GATES, "marts", committed().GATES["marts"][:-1])
    run_id = month.open_other_run()
    month.gate(run_id)
    month.post(run_id)


def expectation_removed_from_the_run(month: Month, patch: pytest.MonkeyPatch) -> None:
    results = evaluation._results
    patch.setattr(evaluation, "_results", lambda outcome: dict(list(results(outcome).items())[1:]))
    run_id = month.open_other_run(is_raw_validated=False)
    assert "was not evaluated" in month.gate(run_id, only="raw")
    month.by_hand(BUILT)
    _record(month, run_id)
    month.post(run_id)


def exception_inside_an_expectation(month: Month, patch: pytest.MonkeyPatch) -> None:
    month.by_hand("alter table marts.fct_findings rename column service_month to gone")
    run_id = month.open_other_run()
    assert "nothing_is_reported could not be evaluated" in month.gate(run_id)
    month.post(run_id)


def exception_of_great_expectations(month: Month, patch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("Great Expectations is not itself")

    patch.setattr(evaluation, "_suite", crash)
    run_id = month.open_other_run()
    with pytest.raises(RuntimeError):
        month.gate(run_id)
    month.post(run_id)


def severity_lowered_to_a_warning(month: Month, patch: pytest.MonkeyPatch) -> None:
    patch.setitem(
        committed().GATES,
        "marts",
        tuple(dataclasses.replace(each, severity="warning") for each in committed().GATES["marts"]),
    )
    month.by_hand("update marts.fct_credits set amount = 100.01")
    run_id = month.open_other_run()
    month.gate(run_id)
    month.post(run_id)


def mostly_below_one(month: Month, patch: pytest.MonkeyPatch) -> None:
    ((entries,),) = rows(month.settings, "select expectations from audit.validations where gate = 'marts'")
    run_id = month.open_other_run()
    with contextlib.suppress(psycopg.errors.CheckViolation):
        _record(month, run_id, expectations=[{**entry, "unexpected": 1} for entry in entries])
    month.post(run_id)


def evaluated_on_no_rows(month: Month, patch: pytest.MonkeyPatch) -> None:
    ((entries,),) = rows(month.settings, "select expectations from audit.validations where gate = 'marts'")
    credits = "credit_amounts_are_exact_to_the_minor_unit"
    run_id = month.open_other_run()
    with contextlib.suppress(psycopg.errors.CheckViolation):
        _record(
            month,
            run_id,
            expectations=[{**each, "evaluated_rows": 0} if each["name"] == credits else each for each in entries],
        )
    month.post(run_id)


def models_not_built_in_this_run(month: Month, patch: pytest.MonkeyPatch) -> None:
    """`dbt build --exclude …` by hand: the marts stand as another run left them."""
    run_id = month.open_other_run(is_built=False)
    month.gate(run_id)
    with contextlib.suppress(psycopg.errors.CheckViolation):
        _record(month, run_id)
    month.post(run_id)


def one_mart_not_built_again(month: Month, patch: pytest.MonkeyPatch) -> None:
    """The same, marked as built: the credits are of other figures than the account-months."""
    month.by_hand("update marts.fct_account_months set counted_seconds = 0, uptime_percent = 100, met = true")
    run_id = month.open_other_run()
    month.gate(run_id)
    month.post(run_id)


def record_by_another_hand(month: Month, patch: pytest.MonkeyPatch) -> None:
    run_id = month.open_other_run(is_raw_validated=False)
    for gate in ("raw", "marts"):
        for role in (None, "sla_owner", "sla_transformer", "sla_approver", "sla_biller"):
            with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
                _record(month, run_id, gate=gate, role=role)
        if gate == "raw":
            month.by_hand(BUILT)
    month.post(run_id)


def record_changed_by_hand(month: Month, patch: pytest.MonkeyPatch) -> None:
    month.by_hand("update marts.fct_credits set amount = 100.01")
    assert month.gate() != ""
    for role in (None, "sla_owner", "sla_validator", "sla_biller"):
        for change in ("update audit.validations set is_success = true", "delete from audit.validations"):
            with contextlib.suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.RaiseException):
                month.by_hand(change, role=role)
    month.post()


def record_without_the_quarantine_limit(month: Month, patch: pytest.MonkeyPatch) -> None:
    run_id = month.open_other_run(is_raw_validated=False)
    with contextlib.suppress(psycopg.errors.CheckViolation):
        _record(month, run_id, gate="raw", limit="")
    month.by_hand(BUILT)
    _record(month, run_id)
    month.post(run_id)


def record_over_the_quarantine_limit(month: Month, patch: pytest.MonkeyPatch) -> None:
    """Half of a feed cannot be used, and nobody approved that."""
    run_id = month.open_other_run(is_raw_validated=False)
    month.by_hand(
        "update raw.source_objects set rows_read = 1000, rows_loaded = 500, rows_duplicate = 0, rows_quarantined = 500"
        " where feed = 'notices'"
    )
    with contextlib.suppress(psycopg.errors.CheckViolation):
        _record(month, run_id, gate="raw")
    month.by_hand(BUILT)
    _record(month, run_id)
    month.post(run_id)


def line_inserted_as_the_biller(month: Month, patch: pytest.MonkeyPatch) -> None:
    """The line that is due has been posted; the biller adds another like it, chained to it."""
    month.post()
    month.by_hand(
        """
        insert into billing.credit_line_items
        select more.*
        from billing.credit_line_items as line
        cross join lateral jsonb_populate_record(
            line,
            jsonb_build_object(
                'line_item_id', gen_random_uuid(),
                'idempotency_key', line.contract_id || '|2026-03|availability|2',
                'ordinal', 2,
                'chain_position', 2,
                'entry_type', 'adjustment',
                'corrects_line_item_id', line.line_item_id,
                'previous_hash', line.line_hash,
                'line_hash', repeat('f', 64)
            )
        ) as more
        """,
        role="sla_biller",
    )


def posting_inserted_as_the_biller(month: Month, patch: pytest.MonkeyPatch) -> None:
    """All that the ledger writes, by its own hand, with the other run's record in the place of one of its own."""
    _demand_no_record(month, patch)
    month.post(month.open_other_run())


def last_task_alone(month: Month, patch: pytest.MonkeyPatch) -> None:
    """Where `open_build` did not run either, the run has no build."""
    month.post("manual__2026-04-20")


def landing_between(month: Month, patch: pytest.MonkeyPatch) -> None:
    month.by_hand(LANDING, role="sla_loader")
    month.post()


def response_credit_planted_by_the_transformer(month: Month, patch: pytest.MonkeyPatch) -> None:
    """Before the marts gate: its amount is exact, its claim accepted, and no terms have it."""
    run_id = month.open_other_run()
    month.by_hand(RESPONSE_CREDIT, role="sla_transformer")
    month.gate(run_id)
    month.post(run_id)


def response_times_changed_since_the_gate(month: Month, patch: pytest.MonkeyPatch) -> None:
    month.by_hand(LATE_TICKET, role="sla_transformer")
    month.post()


def terms_changed_since_the_gate(month: Month, patch: pytest.MonkeyPatch) -> None:
    month.by_hand(OTHER_TERMS, role="sla_loader")
    month.post()


def holidays_changed_since_the_gate(month: Month, patch: pytest.MonkeyPatch) -> None:
    month.by_hand(
        "insert into raw.calendar_holidays (calendar_id, holiday) values ('none', '2026-03-02')", role="sla_loader"
    )
    month.post()


ANOTHER_FEE = """
insert into raw.fees (
    object_id, line_number, row_sha256, is_duplicate, contract_id, service_month, monthly_fee, currency
)
select object_id, 1000 + line_number, row_sha256, false, contract_id, service_month, 10 * monthly_fee, currency
from raw.fees
"""


def row_added_to_an_object_in_force(month: Month, patch: pytest.MonkeyPatch) -> None:
    """Another fee, in an object whose counts and digest stay as they are."""
    month.by_hand(ANOTHER_FEE, role="sla_loader")
    month.post()


def row_added_by_a_login_in_no_role(month: Month, patch: pytest.MonkeyPatch) -> None:
    """The same by the loader's login as it is, which has the rights of its role without being in it."""
    month.by_hand(
        f"""
        create role ways_login login;
        grant sla_loader to ways_login;
        set local session authorization ways_login;
        {ANOTHER_FEE};
        reset session authorization;
        drop role ways_login;
        """
    )
    month.post()


def object_in_force_exported_later(month: Month, patch: pytest.MonkeyPatch) -> None:
    """So that its rows speak before those of others."""
    month.by_hand("update raw.source_objects set exported_at = exported_at + interval '1 day'", role="sla_loader")
    month.post()


def raw_gate_cleared_alone(month: Month, patch: pytest.MonkeyPatch) -> None:
    """After a landing: the exports in force are validated, and the marts are not of them."""
    month.by_hand(LANDING, role="sla_loader")
    assert month.gate(only="raw") == ""
    month.post()


def models_built_again_alone(month: Month, patch: pytest.MonkeyPatch) -> None:
    month.by_hand(BUILT)
    month.post()


def failed_after_it_held(month: Month, patch: pytest.MonkeyPatch) -> None:
    month.by_hand("update marts.fct_credits set amount = 100.01")
    assert month.gate() != ""
    month.by_hand("update marts.fct_credits set amount = 100.00")
    month.post()


def marts_gate_alone(month: Month, patch: pytest.MonkeyPatch) -> None:
    run_id = month.open_other_run(is_raw_validated=False)
    month.gate(run_id)
    month.post(run_id)


# What is planted: each takes one fence away, in the code and in the database.


def _compare_no_digest(month: Month, patch: pytest.MonkeyPatch) -> None:
    last = "select candidate_sha256 from audit.validations where gate = %s order by validation_number desc limit 1"
    for name, gate in (("inputs_sha256", "raw"), ("candidate_sha256", "marts")):
        patch.setattr(
            preconditions, name, lambda connection, gate=gate: connection.execute(last, (gate,)).fetchone()[0]
        )
    _check_no_posting(month)


def _compare_no_list(month: Month, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(preconditions, "_require_committed_list", lambda connection: None)
    month.by_hand(
        """
        create or replace function gate.shortcomings(record audit.validations) returns setof text
        language sql stable as 'select null::text where false'
        """
    )
    _check_no_posting(month)


def _demand_no_record(month: Month, patch: pytest.MonkeyPatch) -> None:
    """A posting rests on whatever record there is."""
    origin = posting._origin
    patch.setattr(posting, "require_validated", lambda connection, build: None)
    patch.setattr(
        posting,
        "_origin",
        lambda connection, build: dataclasses.replace(
            origin(connection, dataclasses.replace(build, run_id=month.run_id)), run_id=build.run_id
        ),
    )


def _demand_no_record_anywhere(month: Month, patch: pytest.MonkeyPatch) -> None:
    _demand_no_record(month, patch)
    _check_no_posting(month)


def _post_for_any_run(month: Month, patch: pytest.MonkeyPatch) -> None:
    read_build = posting.read_build
    patch.setattr(posting, "read_build", lambda connection, run_id: read_build(connection, month.run_id))


def _let_anybody_keep_records(month: Month, patch: pytest.MonkeyPatch) -> None:
    month.by_hand(
        "alter table audit.validations disable trigger user, alter column validated_by set default session_user,"
        """ alter column quarantine set default '{"limit_percent": 10, "feeds": []}'""",
        "grant insert, update, delete on audit.validations to sla_biller",
    )


def _let_the_loader_change_what_landed(month: Month, patch: pytest.MonkeyPatch) -> None:
    month.by_hand(
        "alter table raw.source_objects disable trigger user",
        "alter table raw.fees disable trigger user",
    )


def _check_no_posting(month: Month, patch: pytest.MonkeyPatch | None = None) -> None:
    month.by_hand(
        "alter table billing.postings disable trigger user",
        "alter table billing.credit_line_items disable trigger credit_line_items_posted",
    )


Walk = Callable[[Month, pytest.MonkeyPatch], None]


@dataclasses.dataclass(frozen=True)
class Way:
    walk: Walk
    says: str  # in the error
    fence: Walk  # takes away what closes it
    posted: int = 0  # lines that are there by right


NO_RECORD = "has no validation of the"
WAYS = [
    Way(marts_built_again_since, "built again since", _compare_no_digest),
    Way(marts_changed_while_the_gate_looked, "built again since", _compare_no_digest),
    Way(validation_of_another_digest, "built again since", _compare_no_digest),
    Way(validation_of_another_run, NO_RECORD, _demand_no_record_anywhere),
    Way(validation_of_another_month, f"{NO_RECORD} marts gate for 2026-03", _demand_no_record_anywhere),
    Way(validation_as_of_another_time, f"{NO_RECORD} marts gate .* as of 2026-04-20", _demand_no_record_anywhere),
    Way(empty_suite, "differ in marts.account_months_have", _compare_no_list),
    Way(empty_list, f"{NO_RECORD} marts gate", _compare_no_list),
    Way(expectation_removed_from_the_list, "differ in marts.nothing_is_reported", _compare_no_list),
    Way(expectation_removed_from_the_run, "failed: standard_terms_are_published was not", _demand_no_record_anywhere),
    Way(exception_inside_an_expectation, "failed: nothing_is_reported was not", _demand_no_record_anywhere),
    Way(exception_of_great_expectations, NO_RECORD, _demand_no_record_anywhere),
    Way(severity_lowered_to_a_warning, "differ in marts.account_months_have", _compare_no_list),
    Way(mostly_below_one, f"{NO_RECORD} marts gate", _compare_no_list),
    Way(evaluated_on_no_rows, f"{NO_RECORD} marts gate", _compare_no_list),
    Way(models_not_built_in_this_run, "dbt has not built the models since", _demand_no_record_anywhere),
    Way(one_mart_not_built_again, "failed: .*", _demand_no_record_anywhere),
    Way(record_by_another_hand, NO_RECORD, _let_anybody_keep_records),
    Way(record_without_the_quarantine_limit, f"{NO_RECORD} raw gate", _demand_no_record_anywhere),
    Way(record_over_the_quarantine_limit, f"{NO_RECORD} raw gate", _demand_no_record_anywhere),
    Way(record_changed_by_hand, "failed: credit_amounts_are_exact", _demand_no_record_anywhere),
    Way(line_inserted_as_the_biller, "outside every posting", _check_no_posting, posted=1),
    Way(posting_inserted_as_the_biller, "no successful validation by both gates", _check_no_posting),
    Way(last_task_alone, "is not the current one", _post_for_any_run),
    Way(landing_between, "Other terms or exports are in force than run", _compare_no_digest),
    Way(
        response_credit_planted_by_the_transformer,
        "failed: response_credits_are_those_of_the_breaches",
        _demand_no_record_anywhere,
    ),
    Way(response_times_changed_since_the_gate, "built again since", _compare_no_digest),
    Way(terms_changed_since_the_gate, "terms or exports .* than run", _compare_no_digest),
    Way(holidays_changed_since_the_gate, "terms or exports .* than run", _compare_no_digest),
    Way(row_added_to_an_object_in_force, "it has landed", _let_the_loader_change_what_landed),
    Way(row_added_by_a_login_in_no_role, "it has landed", _let_the_loader_change_what_landed),
    Way(object_in_force_exported_later, "it has landed", _let_the_loader_change_what_landed),
    Way(raw_gate_cleared_alone, "dbt has not built the models since", _demand_no_record_anywhere),
    Way(models_built_again_alone, "dbt built the models again since", _demand_no_record_anywhere),
    Way(failed_after_it_held, "failed: credit_amounts_are_exact", _demand_no_record_anywhere),
    Way(marts_gate_alone, f"{NO_RECORD} raw gate", _demand_no_record_anywhere),
]
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.walk.__name__)


def assert_closed(month: Month, way: Way, patch: pytest.MonkeyPatch) -> None:
    """No statement and no line is appended, and the error is a named one, of this way, that says what to do."""
    said = ""
    try:
        way.walk(month, patch)
    except NAMED as refused:
        said = str(refused)
    assert len(lines(month.settings)) == way.posted, "a line was posted"
    assert len(rows(month.settings, "select from billing.sla_statements")) == way.posted
    assert re.search(way.says, said), said
    assert re.search("run the month", said, re.IGNORECASE), f"it does not say what to do: {said}"


@each_way
def test_it_is_closed(month: Month, way: Way, monkeypatch: pytest.MonkeyPatch):
    assert_closed(month, way, monkeypatch)


@each_way
def test_without_its_fence_the_way_is_open_and_the_check_sees_it(month: Month, way: Way, monkeypatch):
    way.fence(month, monkeypatch)
    with pytest.raises(AssertionError, match="a line was posted"):
        assert_closed(month, way, monkeypatch)
    # What its owner did to the database, `sla verify` tells.
    with connect(month.settings.warehouse) as connection:
        told = fences.faults(connection)
    assert told or way.fence in (_demand_no_record, _post_for_any_run)


def test_the_month_itself_is_posted(month: Month, figure: Callable[[str], None]):
    with connect(month.settings.warehouse) as connection:
        assert fences.faults(connection) == []
    month.post()
    assert lines(month.settings) == [("c-ent", "credit", Decimal("100.00"), "USD")]
    figure(f"{len(WAYS)} of {len(WAYS)} ways around the gate closed")
