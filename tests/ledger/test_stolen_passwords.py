"""Somebody with one stage's password and `psql`, who knows the code: what they write in its role is refused by name."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable
from decimal import Decimal

import psycopg
import pytest

from slaledger import approvals, transform
from slaledger.ledger import posting as closing
from slaledger.ledger.canonical import digest
from slaledger.ledger.chain import append, hold_ledger
from slaledger.ledger.planning import draft_lines, plan
from slaledger.ledger.postings import insert_posting, last_posting, seal
from slaledger.ledger.preconditions import read_build
from slaledger.settings import Settings
from slaledger.warehouse import connect
from tests.ledger.books import AS_OF, MARCH, AccountMonth, build, close, lines, rows, validate
from tests.ledger.test_postings import forge, plant

HIGH = AccountMonth(credit_percent=Decimal(10), amount=Decimal("100.00"))
LOW = AccountMonth(credit_percent=Decimal(5), amount=Decimal("50.00"))
OTHER = AccountMonth(contract_id="K-9")
DECREASE = "decrease:K-1:2026-03:availability"
KEY = "K-1|2026-03|goodwill|1"
GOODWILL = {"contract_id": "K-1", "service_month": MARCH, "amount": "25", "because": "kind", "prepared_by": "Bob"}


def say(settings: Settings, role: str | None, statement: str, *values: object) -> None:
    """A statement of somebody in this role; of the superuser without one."""
    with connect(settings.warehouse, role=role) as connection:
        connection.execute(statement, values or None)


def waiting_decrease(settings: Settings) -> None:
    """50 of 100 USD are posted too much, and Bob's run found it."""
    close(settings, HIGH)
    close(settings, LOW, prepared_by="Bob")


def approved_run(settings: Settings) -> str:
    """A run of the month that may post, with a decrease that Ada approved."""
    waiting_decrease(settings)
    approvals.decide(settings, DECREASE, is_approved=True, by="Ada", because="restated")
    run_id = build(settings, LOW, prepared_by="Bob")
    validate(settings, run_id)
    return run_id


def append_as(settings: Settings, role: str, run_id: str) -> None:
    """Append exactly the lines that are due, in a posting of the month."""
    with connect(settings.warehouse) as connection:
        hold_ledger(connection)
        opened, last = read_build(connection, run_id), last_posting(connection)
        balances = closing.read_balances(connection, service_month=opened.service_month, as_of=opened.as_of)
        drafts = draft_lines(
            plan(balances).due,
            evidence=closing._Evidence(connection).digests({"K-1"}),
            run_id=run_id,
            code_version=opened.code_version,
            tzdata_version=opened.tzdata_version,
        )
        origin = closing._origin(connection, opened)
        connection.execute(f"set local role {role}")
        lines = append(connection, drafts, recorded_at=opened.recorded_at)
        insert_posting(connection, seal(connection, last, origin, lines=lines, statement_hashes=[]))


# The attacks: each is refused, and is taken once its fence is down.


def goodwill_decides_a_decrease(settings: Settings) -> None:
    waiting_decrease(settings)
    (item,) = approvals.pending(settings)
    say(
        settings, "sla_goodwill", "select * from audit.record_decision('decrease', %s, %s, true, 'Ada', 'so', 'cli')",
        item.subject, item.subject_digest,
    )  # fmt: skip


def biller_leaves_out_an_approved_decrease(settings: Settings) -> None:
    """The customer keeps what two people agreed to take back."""
    approved_run(settings)
    run_id = build(settings, LOW, OTHER, prepared_by="Bob")
    validate(settings, run_id)
    forge(settings, run_id, drafts=lambda made: [line for line in made if line.amount > 0])


def biller_leaves_out_what_is_behind_an_approved_decrease(settings: Settings) -> None:
    """50 USD are to be taken back, and 40 EUR are owed instead: neither is in it."""
    euros = dataclasses.replace(LOW, currency="EUR", amount=Decimal(40), monthly_fee=Decimal(800))
    close(settings, LOW)
    close(settings, euros, prepared_by="Bob")
    approvals.decide(settings, DECREASE, is_approved=True, by="Ada", because="restated")
    run_id = build(settings, euros, OTHER, prepared_by="Bob")
    validate(settings, run_id)
    forge(settings, run_id, drafts=lambda made: [line for line in made if line.contract_id == "K-9"])


def goodwill_posts_a_month(settings: Settings) -> None:
    append_as(settings, "sla_goodwill", approved_run(settings))


def decide_as_approver(settings: Settings, kind: str, subject: str, subject_digest: str) -> None:
    say(
        settings, "sla_approver", "select * from audit.record_decision(%s, %s, %s, true, 'Ada', 'so', 'cli')",
        kind, subject, subject_digest,
    )  # fmt: skip


def approver_approves_a_decrease_before_it_is_asked(settings: Settings) -> None:
    """Then Ada has the month built with these very figures, and nobody else has looked."""
    close(settings, HIGH)
    ((line_item_id,),) = rows(settings, "select line_item_id from billing.credit_line_items")
    subject = "K-1|2026-03|availability"
    about = digest("slaledger decrease", subject, "USD", Decimal(50), [line_item_id])
    decide_as_approver(settings, "decrease", subject, about)


def approver_decides_a_month_before_it_is_held(settings: Settings) -> None:
    build(settings, dataclasses.replace(LOW, status="held", held_digest="a" * 64))
    decide_as_approver(settings, "held_month", "K-1|2026-03", "b" * 64)


def approver_decides_a_claim_that_is_not_in_review(settings: Settings) -> None:
    decide_as_approver(settings, "claim", "CL-1|K-1|2026-03", "d")


def approver_approves_a_feed_that_is_within_its_limit(settings: Settings) -> None:
    decide_as_approver(settings, "quarantine_limit", "claims", hashlib.sha256(b"claims|100|50").hexdigest())


def goodwill_digest() -> str:
    return digest("slaledger goodwill", KEY, Decimal(25), "USD")


def approver_approves_goodwill(settings: Settings) -> None:
    """Of somebody else's name, and before it is given: its key is taken, and the honest line is refused."""
    close(settings, LOW)
    say(
        settings, "sla_approver", "select * from audit.record_decision('goodwill', %s, %s, true, 'Nobody', 'x', 'cli')",
        KEY, goodwill_digest(),
    )  # fmt: skip


def goodwill_approves_without_a_line(settings: Settings) -> None:
    close(settings, LOW)
    say(
        settings, "sla_goodwill", "select audit.record_goodwill(%s, %s, 'Nobody', 'x', 'Noone')", KEY, goodwill_digest()
    )  # fmt: skip


def transformer_gives_a_build_the_last_number(settings: Settings) -> None:
    """After it none of the month could be opened."""
    say(
        settings, "sla_transformer",
        """
        insert into audit.builds (
            run_id, service_month, as_of, is_closing, code_version, tzdata_version, prepared_by, build_number
        ) overriding system value values ('last', '2026-03-01', now(), false, 'x', 'x', 'schedule', 9223372036854775807)
        """,
    )  # fmt: skip


def validator_gives_a_record_the_last_number(settings: Settings) -> None:
    """It would stay the last of its run's gate."""
    build(settings, LOW)
    say(
        settings, "sla_validator",
        """
        insert into audit.validations (
            validation_id, run_id, gate, service_month, as_of, candidate_sha256, is_success, expectations,
            validation_number
        )
        overriding system value
        select gen_random_uuid(), run_id, 'raw', service_month, as_of, 'x', false, '[]', 9223372036854775807
        from audit.builds
        """,
    )  # fmt: skip


def transformer_says_that_dbt_began_a_build_it_opens(settings: Settings) -> None:
    say(
        settings, "sla_transformer",
        """
        insert into audit.builds (
            run_id, service_month, as_of, is_closing, code_version, tzdata_version, prepared_by, models_started_at
        ) values ('begun', '2026-03-01', now(), false, 'x', 'x', 'schedule', now())
        """,
    )  # fmt: skip


def transformer_writes_a_currency(settings: Settings) -> None:
    """By it everything is rounded, and the gates round by it, too."""
    say(settings, "sla_transformer", "insert into reference.currencies (currency, minor_units) values ('XXX', 9)")


@dataclasses.dataclass(frozen=True)
class Attack:
    walk: Callable[[Settings], None]
    error: type[Exception]
    says: str
    # What closes it, taken away: statements, and functions of which a part is changed.
    undo: tuple[str, ...] = ()
    plants: tuple[tuple, ...] = ()


DENIED, VIOLATED = psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation
NO_LINE_NEEDED = "alter table audit.decisions disable trigger decisions_goodwill_has_its_line"
UNASKED = (
    "audit.record_decision",
    (
        "from audit.questions(given_kind) as questions",
        "from (values ('schedule', null)) as questions (prepared_by, triggered_by)",
    ),
    ("where questions.subject = given_subject and questions.subject_digest = given_digest", ""),
)
LEFT_OUT = ("check_close", ("(wanted).is_approved or ", ""))
ATTACKS = [
    Attack(
        goodwill_decides_a_decrease, DENIED, "permission denied for function record_decision",
        undo=("grant execute on function audit.record_decision to sla_goodwill",),
    ),
    Attack(
        goodwill_posts_a_month, DENIED, "sla_goodwill may append none of kind close, which is sla_biller's",
        undo=("alter table billing.postings disable trigger postings_of_their_kind",),
    ),
    Attack(
        biller_leaves_out_an_approved_decrease, VIOLATED,
        r"the lines of contract K-1 \(availability\) add up to 100.* USD, and 50.* is owed: a line is missing",
        plants=(LEFT_OUT,),
    ),
    Attack(
        biller_leaves_out_what_is_behind_an_approved_decrease, VIOLATED,
        r"the lines of contract K-1 \(availability\) add up to 50.* USD, and 0 is owed: a line is missing",
        plants=(LEFT_OUT,),
    ),
    *(
        Attack(walk, psycopg.errors.ObjectNotInPrerequisiteState, says, plants=(UNASKED,))
        for walk, says in (
            (approver_approves_a_decrease_before_it_is_asked, r"No decrease waits under K-1\|2026-03\|availability"),
            (approver_decides_a_month_before_it_is_held, r"No held_month waits under K-1\|2026-03 with these figures"),
            (approver_decides_a_claim_that_is_not_in_review, r"No claim waits under CL-1\|K-1\|2026-03"),
            (approver_approves_a_feed_that_is_within_its_limit, "No quarantine_limit waits under claims"),
        )
    ),
    Attack(
        approver_approves_goodwill, DENIED, r"goodwill is approved with its line alone: K-1\|2026-03\|goodwill\|1",
        undo=(NO_LINE_NEEDED, "alter table audit.decisions disable trigger decisions_one_way"),
        plants=((UNASKED[0], ("given_kind = 'goodwill'", "false"), *UNASKED[1:]),),
    ),
    Attack(
        goodwill_approves_without_a_line, VIOLATED,
        r"goodwill K-1\|2026-03\|goodwill\|1 by Nobody is refused: its line is missing",
        undo=(NO_LINE_NEEDED,),
    ),
    Attack(
        transformer_gives_a_build_the_last_number, DENIED, "permission denied for table builds",
        undo=("grant insert on audit.builds to sla_transformer",),
    ),
    Attack(
        validator_gives_a_record_the_last_number, DENIED, "permission denied for table validations",
        undo=("grant insert on audit.validations to sla_validator",),
    ),
    Attack(
        transformer_says_that_dbt_began_a_build_it_opens, DENIED, "permission denied for table builds",
        undo=("grant insert on audit.builds to sla_transformer",),
    ),
    Attack(
        transformer_writes_a_currency, DENIED, "permission denied for table currencies",
        undo=("grant insert on reference.currencies to sla_transformer",),
    ),
]  # fmt: skip
each_attack = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.walk.__name__)


@each_attack
def test_it_is_refused_by_name(settings: Settings, attack: Attack) -> None:
    with pytest.raises(attack.error, match=attack.says):
        attack.walk(settings)


@each_attack
def test_without_its_fence_it_is_taken(settings: Settings, attack: Attack) -> None:
    with connect(settings.warehouse) as connection:
        for function, *changes in attack.plants:
            plant(connection, function, *changes)
        for statement in attack.undo:
            connection.execute(statement)
    attack.walk(settings)


def check_goodwill_is_given(settings: Settings) -> None:
    """The honest one of just that amount."""
    assert approvals.goodwill(settings, by="Ada", **GOODWILL).is_new
    assert rows(settings, "select decided_by, prepared_by from audit.decisions") == [("Ada", "Bob")]


@pytest.mark.parametrize("walk", [approver_approves_goodwill, goodwill_approves_without_a_line])
def test_nobody_keeps_goodwill_from_who_gives_it(settings: Settings, walk: Callable[[Settings], None]) -> None:
    with pytest.raises((DENIED, VIOLATED)):
        walk(settings)
    check_goodwill_is_given(settings)


def test_an_approval_without_its_line_would_keep_it(settings: Settings) -> None:
    """The planted fault."""
    say(settings, None, NO_LINE_NEEDED)
    goodwill_approves_without_a_line(settings)
    with pytest.raises(psycopg.errors.UniqueViolation, match="decisions_once"):
        check_goodwill_is_given(settings)


def check_goodwill_keeps_its_currency(settings: Settings) -> None:
    """That of the closing, whatever the transformer has written into the marts since."""
    close(settings, LOW)
    say(
        settings,
        "sla_transformer",
        """
        with held as (delete from marts.fct_credits returning *)
        insert into marts.fct_credits
        select changed.*
        from held
        cross join lateral jsonb_populate_record(null::marts.fct_credits, to_jsonb(held) || '{"currency": "KWD"}')
            as changed
        """,
    )
    approvals.goodwill(settings, by="Ada", **GOODWILL)
    assert lines(settings)[-1] == ("K-1", "goodwill", Decimal("25.00"), "USD")


def test_goodwill_keeps_its_currency(settings: Settings) -> None:
    check_goodwill_keeps_its_currency(settings)


def test_goodwill_of_the_marts_would_take_another(settings: Settings) -> None:
    """The planted fault."""
    of_marts = "(select jsonb_agg(to_jsonb(credits)) from marts.fct_credits as credits where contract_id = of_contract)"
    say(settings, None, "grant usage on schema marts to sla_goodwill")
    say(settings, None, "grant select on marts.fct_credits to sla_goodwill")
    with connect(settings.warehouse) as connection:
        plant(connection, "billing.goodwill_due", ("evidence.document::jsonb -> 'credits'", of_marts))
    with pytest.raises(AssertionError, match="KWD"):
        check_goodwill_keeps_its_currency(settings)


def check_month_can_be_opened(settings: Settings) -> None:
    with contextlib.suppress(DENIED):
        transformer_gives_a_build_the_last_number(settings)
    transform.open_build(settings, run_id="next", service_month=MARCH, as_of=AS_OF, is_closing=True)


def test_nobody_keeps_a_month_from_being_opened(settings: Settings) -> None:
    check_month_can_be_opened(settings)
    # The planted fault.
    say(settings, None, "grant insert on audit.builds to sla_transformer")
    with pytest.raises(transform.BuildMismatch, match="last was opened for 2026-03 after run next"):
        check_month_can_be_opened(settings)
