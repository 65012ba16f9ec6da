"""Lines that need several runs of a month: `restating` tells of which, and what is down in it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from typer.testing import CliRunner

from slaledger import cli, evidence, ledger, objects, settings
from slaledger.reperform import reading, route
from slaledger.reperform.objects import from_bucket
from slaledger.settings import PROJECT_DIR
from slaledger.warehouse import connect
from tests.edge_cases.cases import MARCH
from tests.edge_cases.restating import FIRST, HIGH, LOW, NEEDLE, OPEN, SECOND, TEN, THIRD, Story, tell
from tests.edge_cases.world import instant
from tests.ledger.books import rows, validate
from tests.support.copies import copied
from tests.support.pipeline import Pipeline

# A landing and a build for each step, on whatever machine.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def story(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Story:
    return tell(pipeline, tmp_path_factory.mktemp)


@pytest.mark.edge(49)
def test_force_majeure_declared_later_is_a_new_revision_and_both_are_visible(story: Story) -> None:
    assert story.books[FIRST].revisions_of("e49") == [(1, LOW, 0)]
    assert story.books[THIRD].revisions_of("e49") == [(1, LOW, 0), (2, 0, LOW)]


@pytest.mark.edge(59)
def test_an_unmapped_component_stops_the_month_and_then_counts(story: Story) -> None:
    assert "components_of_incidents_are_mapped does not hold: 1 case" in story.stopped["unmapped"]
    assert "dashboard-e59" in story.stopped["unmapped"]
    assert story.books["unmapped"].statements == []
    assert story.books[FIRST].revisions_of("e59") == [(1, LOW, 0)]


@pytest.mark.edge(72)
def test_an_overwritten_object_restates_the_month_and_the_old_version_is_on_record(story: Story) -> None:
    versions = story.pipeline.rows(
        "select is_in_force, count(*) as n from raw.source_objects where key = %s group by 1 order by 1",
        ["status_page/statuspage/e72.json"],
    )
    # Early, first and second.
    assert versions == [{"is_in_force": False, "n": 2}, {"is_in_force": True, "n": 1}]
    assert story.books[SECOND].revisions_of("e72") == [(1, LOW, 0), (2, HIGH, 0)]
    assert story.books[SECOND].lines_of("e72") == [("credit", 50), ("adjustment", 50)]


@pytest.mark.edge(74)
def test_a_late_file_for_an_open_month_is_reckoned_in(story: Story) -> None:
    # Provisional, measured to the as-of time (24 d), an hour; with the half hour that the late file tells: no revision.
    (open_month,) = story.books[OPEN].rows_of("fct_account_months", "contract_id", "C-e74")
    assert open_month["status"] == "provisional"
    assert (open_month["measured_seconds"], open_month["counted_seconds"]) == (24 * 86400, LOW)
    assert story.books[OPEN].statements == []
    assert story.books[FIRST].revisions_of("e74") == [(1, LOW + 1800, 0)]


@pytest.mark.edge(75)
def test_a_late_file_for_a_billed_month_is_a_new_revision_and_a_delta(story: Story) -> None:
    assert story.books[SECOND].revisions_of("e75") == [(1, LOW, 0), (2, HIGH, 0)]
    assert story.books[SECOND].lines_of("e75") == [("credit", 50), ("adjustment", 50)]
    # What was written stands, to the last byte.
    for step in (FIRST, SECOND):
        earlier, last = story.books[step], story.books[THIRD]
        assert last.lines[: len(earlier.lines)] == earlier.lines
        assert [row for row in last.statements if row in earlier.statements] == earlier.statements


@pytest.mark.edge(76)
def test_a_month_of_which_nothing_was_exported_past_its_end_is_not_closed(story: Story) -> None:
    """One second before the end is too early; line 76's unknown time is in `monitoring`."""
    # Incidents, notices, exclusions, both kinds of tickets, and fees.
    assert "event_feeds_and_fees_reach_the_end_of_the_month does not hold: 6 cases" in story.stopped["too early"]
    assert "last exported at 2026-03-31" in story.stopped["too early"]


@pytest.mark.edge(81)
def test_a_second_run_without_new_input_changes_no_byte(story: Story) -> None:
    first, again = story.books[FIRST], story.books["again"]
    assert first.marts["fct_account_months"] and first.lines and first.drops
    assert again.marts == first.marts
    assert (again.statements, again.lines, again.drops) == (first.statements, first.lines, first.drops)


@pytest.mark.edge(82)
def test_of_runs_at_once_one_appends(story: Story) -> None:
    # Seven of `AT_FIRST` that claim, and e142's.
    assert story.appended == [0, 0, 0, 8]
    assert len(story.books[FIRST].lines) == 8


@pytest.mark.edge(105)
def test_an_outcome_that_arrives_late_revises_the_month_of_creation(story: Story) -> None:
    outcomes = [
        [row["outcome"] for row in story.books[step].rows_of("fct_response_times", "ticket_id", "e105")]
        for step in (FIRST, SECOND)
    ]
    assert outcomes == [["breached"], ["met"]]


@pytest.mark.edge(116)
def test_terms_that_nobody_wrote_leave_an_open_month_provisional_and_block_it_once_it_is_over(story: Story) -> None:
    states = [
        (row["status"], row["reason"], row["counted_seconds"])
        for step in (OPEN, FIRST)
        for row in story.books[step].rows_of("fct_account_months", "contract_id", "C-e116")
    ]
    assert states == [("provisional", "terms_unknown", None), ("blocked", "terms_unknown", None)]


@pytest.mark.edge(127)
def test_a_paid_credit_that_is_no_longer_owed_waits_for_approval(story: Story) -> None:
    # 600 s are 99.9775… %: the claim is denied, and what was paid stands until a person decides.
    (claim,) = story.pipeline.rows("select status, reason from marts.fct_claims where claim_id = 'CL-e127'")
    assert claim == {"status": "rejected", "reason": "no_eligible_credit: no_tier, uptime 99.977598566308 %"}
    assert story.overpaid["C-e127"].startswith("50 USD overpaid. Owed 0 USD, posted 50")
    assert story.books[THIRD].lines_of("e127") == [("credit", 50)]


@pytest.mark.edge(136)
def test_a_lower_tier_waits_for_approval_and_is_then_a_negative_adjustment(story: Story) -> None:
    assert story.books[f"{SECOND} before approval"].lines_of("e136") == [("credit", 100)]
    assert story.overpaid["C-e136"].startswith("50 USD overpaid. Owed 50 USD, posted 100")
    assert story.books[SECOND].lines_of("e136") == [("credit", 100), ("adjustment", -50)]
    credit, adjustment = (line for line in story.books[THIRD].lines if line["contract_id"] == "C-e136")
    assert adjustment["corrects_line_item_id"] == credit["line_item_id"]
    assert (credit["approved_by"], adjustment["approved_by"]) == (None, "Ada")
    assert credit in story.books[FIRST].lines


@pytest.mark.edge(137)
def test_a_higher_tier_is_an_adjustment_of_the_rest(story: Story) -> None:
    credit, adjustment = (line for line in story.books[SECOND].lines if line["contract_id"] == "C-e137")
    assert (credit["amount"], credit["credit_percent"]) == (50, 5)
    assert (adjustment["entry_type"], adjustment["amount"], adjustment["credit_percent"]) == ("adjustment", 50, 10)
    assert adjustment["corrects_line_item_id"] == credit["line_item_id"]


@pytest.mark.edge(138)
def test_up_and_back_again_adds_up_to_the_original(story: Story) -> None:
    lines = story.books[THIRD].lines_of("e138")
    assert lines == [("credit", 50), ("adjustment", 50), ("adjustment", -50)]
    assert story.books[THIRD].revisions_of("e138") == [(1, LOW, 0), (2, HIGH, 0), (3, LOW, 0)]


@pytest.mark.edge(139)
def test_another_uptime_in_the_same_tier_is_a_revision_without_money(story: Story) -> None:
    assert story.books[THIRD].revisions_of("e139") == [(1, LOW, 0), (2, LOW + 60, 0)]
    assert story.books[THIRD].lines_of("e139") == [("credit", 50)]


def evidence_of(story: Story, contract_id: str) -> dict[str, Any]:
    """The document that the first line of a contract rests on, checked against its digest."""
    (line, *_) = (line for line in story.books[THIRD].lines if line["contract_id"] == contract_id)
    (row,) = story.pipeline.rows(
        "select document from billing.evidence where evidence_sha256 = %s", [line["evidence_sha256"]]
    )
    assert hashlib.sha256(row["document"].encode()).hexdigest() == line["evidence_sha256"]
    return {"line": line, **json.loads(row["document"])}


@pytest.mark.edge(142)
def test_a_line_leads_to_all_that_it_rests_on(story: Story) -> None:
    evidence = evidence_of(story, "C-e142")
    line = evidence["line"]
    assert (line["terms_id"], line["terms_version"], line["credit_percent"]) == ("klink-enterprise", "2026-01", 5)
    assert line["code_version"] and line["tzdata_version"]
    month = evidence["account_month"]
    assert (month["measured_from"][:16], month["measured_until"][:16]) == ("2026-03-01T00:00", "2026-04-01T00:00")
    assert [
        (each["kind"], each["started_at"][:16], each["categories"], each["source_ids"]) for each in evidence["segments"]
    ] == [
        ("excluded", "2026-03-10T10:00", ["scheduled_maintenance"], ["I-e142-1", "N-e142"]),
        ("counted", "2026-03-10T11:00", [], ["I-e142-1"]),
        ("excluded", "2026-03-10T12:00", ["third_party_meta"], ["I-e142-1", "X-e142"]),
    ]
    rows = {(row["kind"], row["id"]) for row in evidence["rows"]}
    assert {("incident", "I-e142-1"), ("notice", "N-e142-1"), ("exclusion", "X-e142"), ("claim", "CL-e142")} <= rows
    # Each object by key, version and hash: the hash is that of the very bytes in the bucket.
    client = objects.client(story.pipeline.settings.exports)
    named = {each["object_id"] for each in evidence["objects"]}
    assert {row["object_id"] for row in evidence["rows"]} <= named
    for each in evidence["objects"]:
        found = client.get_object(Bucket=each["bucket"], Key=each["key"], VersionId=each["version_id"])
        assert hashlib.sha256(found["Body"].read()).hexdigest() == each["sha256"], each["key"]


@pytest.mark.edge(143)
def test_an_auditor_comes_to_the_same_tier_and_amount_from_the_evidence_alone(story: Story) -> None:
    """No database: seconds from the segments, tiers from the terms, the fee from its row; rounded once, half up."""
    evidence = evidence_of(story, "C-e142")
    counted = sum(
        (
            datetime.fromisoformat(each["ended_at"]) - datetime.fromisoformat(each["started_at"])
            for each in evidence["segments"]
            if each["kind"] == "counted"
        ),
        start=instant(TEN) - instant(TEN),
    )
    month = evidence["account_month"]
    measured = datetime.fromisoformat(month["measured_until"]) - datetime.fromisoformat(month["measured_from"])
    uptime = 100 * (1 - Fraction(counted // counted.resolution, measured // measured.resolution))
    assert uptime == 100 * (1 - Fraction(3600, 2678400))
    (terms,) = evidence["terms"]
    tiers = terms["document"]["credits"]
    under = [tier for tier in tiers if uptime < Fraction(str(tier["below"]))]
    percent = Decimal(str(min(under, key=lambda tier: Fraction(str(tier["below"])))["percent"]))
    (fee,) = (Decimal(str(row["content"]["monthly_fee"])) for row in evidence["rows"] if row["kind"] == "fee")
    amount = (fee * percent / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert (percent, amount) == (5, Decimal("50.00"))
    assert (percent, amount) == (evidence["line"]["credit_percent"], evidence["line"]["amount"])


@pytest.mark.edge(143)
def test_an_auditor_comes_to_the_same_tiers_and_amounts_from_the_objects_alone(story: Story) -> None:
    """The second route over all versions in the bucket: what is owed is what the lines add up to, but for e127."""
    exports = story.pipeline.settings.exports
    shipped = [path.read_bytes() for path in sorted((PROJECT_DIR / "terms").glob("*.yml"))]
    as_of = (instant(THIRD) - datetime(1970, 1, 1, tzinfo=UTC)) // datetime.resolution
    read = reading.read(from_bucket(objects.client(exports), exports.bucket), shipped_terms=shipped)
    figures = route.reperform(read, service_month=MARCH, as_of=as_of)
    owed = {row["contract_id"]: row["amount"] for row in figures.credits if row["status"] == "owed"}
    posted: dict[str, Decimal] = {}
    for line in story.books[THIRD].lines:
        posted[line["contract_id"]] = posted.get(line["contract_id"], Decimal(0)) + line["amount"]
    assert len(owed) == 7
    assert posted == {**owed, "C-e127": Decimal(50)}


@pytest.mark.edge(144)
def test_the_books_as_known_then_are_as_they_were(story: Story) -> None:
    for step in (FIRST, SECOND, THIRD):
        books = story.books[step]
        known = story.pipeline.rows("select * from billing.lines_as_known_on(%s)", [books.recorded_at])
        assert known == books.lines
        latest = {row["contract_id"]: row for row in books.statements}
        statements = story.pipeline.rows("select * from billing.statements_as_known_on(%s)", [books.recorded_at])
        assert {row["contract_id"]: row for row in statements} == latest
    counts = [len(story.books[step].statements) for step in (FIRST, SECOND, THIRD)]
    assert counts == sorted(set(counts)), "each closing added statements"


@pytest.mark.edge(145)
def test_what_failed_validation_leaves_no_statement_no_line_and_a_record(story: Story) -> None:
    for step in ("too early", "unmapped"):
        assert (story.books[step].statements, story.books[step].lines) == ([], [])
    failed = story.pipeline.rows(
        """
        select entry ->> 'name' as name
        from audit.validations cross join lateral jsonb_array_elements(expectations) as entry
        where not is_success and entry ->> 'severity' = 'critical' and not (entry ->> 'is_success')::boolean
        order by evaluated_at
        """
    )
    assert [row["name"] for row in failed] == [
        "event_feeds_and_fees_reach_the_end_of_the_month",
        "components_of_incidents_are_mapped",
    ]


@pytest.mark.edge(146)
def test_texts_and_addresses_are_nowhere_but_in_the_objects(story: Story) -> None:
    settings = story.pipeline.settings
    tables = story.pipeline.rows(
        """
        select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables
        where schemaname not in ('pg_catalog', 'information_schema')
        """
    )
    assert len(tables) > 40
    with connect(settings.warehouse) as connection:
        holding = {
            text: [
                table["name"]
                for table in tables
                if connection.execute(
                    f"select from {table['name']} as row where position(%s in row::text) > 0 limit 1", [text]
                ).fetchall()
            ]
            for text in (NEEDLE, "e146")
        }
    assert holding[NEEDLE] == []
    assert {"raw.ticket_events", "marts.fct_response_times"} <= set(holding["e146"]), "ids are found"
    # The bad line is on record, without its text.
    (bad,) = story.pipeline.rows(
        """
        select distinct quarantined_rows.reason_code from raw.quarantined_rows
        inner join raw.source_objects on quarantined_rows.object_id = source_objects.object_id
        where key = 'tickets/events/edge-cases.ndjson'
        """
    )
    assert bad == {"reason_code": "invalid_json"}
    written = [path for path in settings.home.rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if NEEDLE.encode() in path.read_bytes()] == []
    assert not any(NEEDLE.encode() in (body or b"") for body in story.books[THIRD].drops.values())


def verify(story: Story, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """`sla verify`: its exit code, and what it says."""
    monkeypatch.setattr(settings, "load", lambda: story.pipeline.settings)
    result = CliRunner().invoke(cli.app, ["verify", *arguments])
    return result.exit_code, result.output


def test_what_was_posted_comes_of_the_objects_again(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sla verify`, of a line and of all: months restated, objects overwritten, decreases approved."""
    query = "select line_item_id from billing.credit_line_items where entry_type <> 'goodwill' order by chain_position"
    line = str(rows(story.pipeline.settings, query)[-1][0])
    ((closings,),) = rows(story.pipeline.settings, "select count(*) from billing.postings where kind = 'close'")
    assert closings > 2
    for arguments, said in (
        ((), ""),
        ((line,), f" Recomputed from the objects by the second route: {closings} closings, the same."),
        (("--all",), f" Recomputed from the objects by the second route: {closings} closings, the same."),
    ):
        code, output = verify(story, monkeypatch, *arguments)
        assert (code, output.startswith("The books hold: ")) == (0, True), output
        assert said in output
    assert verify(story, monkeypatch, line, "--all")[0] == 2
    with pytest.raises(evidence.UnknownLine):
        evidence.verify_line(story.pipeline.settings, "35c9")


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("line ", "update marts.fct_credits set amount = amount + 7"),
        ("statement ", "update marts.fct_account_months set counted_seconds = counted_seconds + 1"),
    ],
)
def test_what_was_posted_of_wrong_marts_is_named(story: Story, kind: str, wrong: str) -> None:
    """The objects alone can tell: it was validated, it is what the marts owe, and every hash is right."""
    with copied(story.pipeline.settings) as books:
        ((run_id,),) = rows(books, "select run_id from audit.current_build")
        with connect(books.warehouse) as connection:
            connection.execute(f"{wrong} where contract_id = 'C-e137'")
        validate(books, run_id)
        result = ledger.post_month(books, run_id=run_id)
        assert result.statements_appended + result.lines_appended == 1
        assert evidence.verify_books(books).is_intact
        report = evidence.verify_all(books)
    assert report.first_bad_row and report.first_bad_row.startswith(kind), report
    assert f"posting {result.posting_number} rests on do not give it" in str(report)


def test_an_object_that_is_gone_is_named(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a lifecycle rule removed an old version."""
    listed = objects.list_versions
    gone = next(version for version in listed(story.pipeline.settings.exports) if version.key.endswith("/e72.json"))
    monkeypatch.setattr(objects, "list_versions", lambda *a, **k: [each for each in listed(*a, **k) if each != gone])
    report = evidence.verify_all(story.pipeline.settings)
    assert report.first_bad_row == f"object {gone.key}, version {gone.version_id}", report
