"""Each gate lets a clean month pass, and stops one with any fault that it is there for (real PostgreSQL, real dbt)."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from slaledger import approvals, gates, ledger, terms, transform
from slaledger.gates.committed import committed
from slaledger.settings import EXPECTATIONS_DIR, Settings
from slaledger.warehouse import connect
from tests.gates.conftest import AS_OF, MONTH, RUN_ID
from tests.gates.planted import FAULTS

GATES = committed().GATES
CASES = [(gate, name) for gate, faults in FAULTS.items() for name in faults]
Month = Callable[..., Settings]


def test_every_critical_expectation_has_a_planted_fault():
    critical = {(gate, each.name) for gate, all in GATES.items() for each in all if each.severity != "warning"}
    assert critical, "no critical expectation was discovered"
    assert critical == set(CASES), "plant a fault in tests/gates/planted.py for each critical expectation"


def test_every_query_belongs_to_an_expectation():
    queries = {(path.parent.name, path.stem) for path in (EXPECTATIONS_DIR / "sql").rglob("*.sql")}
    assert queries == {(gate, each.name) for gate, all in GATES.items() for each in all}
    for gate, all in GATES.items():
        for each in all:
            assert each.query(gate).rstrip().splitlines()[-1].startswith(("order by subject", "select * from final"))


@pytest.mark.parametrize(("gate", "name"), [(gate, each.name) for gate, all in GATES.items() for each in all])
def test_every_claim_names_the_rows_that_it_is_judged_on(gate: str, name: str):
    by_name = {each.name: each for each in GATES[gate]}
    query = by_name[name].query(gate)
    assert query.count("select * from final\n") == 1
    assert len(re.findall(r"^population (\([a-z_, ]+\) )?as \($", query, re.MULTILINE)) == 1
    breaches = query.partition("population")[2]
    assert re.search(r"(from|join) population\b", breaches), f"{name} finds its breaches elsewhere than in `population`"
    if by_name[name].only_with:
        assert by_name[name].may_be_empty and by_name[by_name[name].only_with].may_be_empty


def test_the_database_demands_the_committed_list(clean_month: Settings):
    with connect(clean_month.warehouse) as connection:
        demanded = connection.execute(
            "select gate, name, severity, may_be_empty, only_with from gate.expectations order by gate desc, name"
        ).fetchall()
    assert demanded == [
        (gate, each.name, each.severity, bool(each.may_be_empty), each.only_with or None)
        for gate, all in GATES.items()
        for each in sorted(all, key=lambda each: each.name)
    ], "say in a migration what you changed in `expectations/`"


def test_a_clean_month_passes_both_gates_and_leaves_its_record(month: Month):
    settings = month()
    raw = gates.run_gate(settings, "raw", run_id=RUN_ID)
    marts = gates.run_gate(settings, "marts", run_id=RUN_ID)
    assert [warning.name for warning in raw.warnings] == []
    assert [result.name for result in marts.results] == [each.name for each in GATES["marts"]]
    with connect(settings.warehouse) as connection:
        records = connection.execute(
            "select gate, service_month, as_of, candidate_sha256, is_success, expectations"
            " from audit.validations where run_id = %s order by evaluated_at",
            (RUN_ID,),
        ).fetchall()
        candidate = ledger.candidate_sha256(connection)
    assert [record[:5] for record in records] == [
        ("raw", MONTH, AS_OF, raw.candidate_sha256, True),
        ("marts", MONTH, AS_OF, candidate, True),
    ]
    for record, result in zip(records, (raw, marts), strict=True):
        assert [entry["name"] for entry in record[5]] == [each.name for each in result.results]
        assert {"name", "severity", "is_success", "unexpected", "detail"} <= set(record[5][0])
    judged = {entry["name"]: entry["evaluated_rows"] for record in records for entry in record[5]}
    assert {name for name, count in judged.items() if not count} == {
        "terms_documents_pass_the_lint", "overlapping_checks_are_settled", "checks_are_judged_by_the_catalog_in_force",
        "nothing_is_reported",
    }  # fmt: skip
    counted = {
        "standard_terms_are_published": 3,
        "landed_rows_match_the_counts_of_their_objects": 11,
        "contracts_of_the_month_have_one_account_month": 2,
        "downtime_segments_add_up_to_the_account_months": 6,  # counted, excluded and unknown time of both
        "downtime_segments_never_overlap": 4,
        "credits_owed_have_an_accepted_claim": 2,
    }
    assert {name: judged[name] for name in counted} == counted


@pytest.mark.parametrize(("gate", "name"), CASES, ids=[name for _, name in CASES])
def test_a_planted_fault_stops_the_month_and_is_named(month: Month, gate: str, name: str):
    settings = month(FAULTS[gate][name])
    with pytest.raises(gates.GateFailed) as stopped:
        gates.run_gate(settings, gate, run_id=RUN_ID)
    assert stopped.value.is_validation
    (broken,) = [result for result in stopped.value.failed if result.name == name]
    assert broken.is_evaluated and broken.unexpected > 0 and broken.examples
    message = str(stopped.value)
    assert f"{gate} gate" in message and "2026-03" in message
    assert f"{name} does not hold: {broken.unexpected} case" in message
    assert broken.examples[0] in message and broken.remedy in message
    with connect(settings.warehouse) as connection:
        ((is_success, entries),) = connection.execute(
            "select is_success, expectations from audit.validations where gate = %s", (gate,)
        ).fetchall()
    assert not is_success
    (entry,) = [entry for entry in entries if entry["name"] == name]
    assert (entry["is_success"], entry["severity"], entry["unexpected"]) == (False, "critical", broken.unexpected)


def test_refused_terms_say_the_line_and_what_is_wrong_with_it(month: Month):
    with pytest.raises(gates.GateFailed, match=r"does not hold: 1 case \(terms/custom.yml: line 7: over 100\)"):
        gates.run_gate(month(FAULTS["raw"]["terms_documents_pass_the_lint"]), "raw", run_id=RUN_ID)


def test_quarantined_rows_are_found_by_their_first_line(month: Month):
    settings = month(
        FAULTS["raw"]["quarantined_shares_are_within_the_limit"], "update audit.builds set is_closing = false"
    )
    results = {result.name: result for result in gates.run_gate(settings, "raw", run_id=RUN_ID).warnings}
    (example,) = results["rows_are_usable"].examples
    assert example.endswith(": quarantined with invalid_instant: 11, the first in line 1")


def test_what_keeps_an_account_month_has_its_remedy():
    reasons = dict.fromkeys(("fee_missing", "currency_unknown", "terms_unknown", "terms_not_in_force"))
    (remedy,) = [each.remedy for each in GATES["marts"] if each.name == "months_are_neither_held_nor_blocked"]
    assert [reason for reason in reasons if f"`{reason}`" not in remedy] == []
    assert "`sla pending`" in remedy


NOBODYS_FAULT = ("opened_by_company", "spam", "solved_by_customer", "merged")


@pytest.mark.parametrize("reason", ["no_severity", "no_active_contract", "no_terms", "no_target", *NOBODYS_FAULT])
def test_tickets_that_somebody_could_have_measured_are_warned_of(month: Month, reason: str):
    settings = month(f"update marts.fct_response_times set outcome = 'not_measured', reason = '{reason}'")
    warnings = {each.name: each for each in gates.run_gate(settings, "marts", run_id=RUN_ID).warnings}
    if reason in NOBODYS_FAULT:
        assert "tickets_are_measured" not in warnings
    else:
        assert list(warnings["tickets_are_measured"].examples) == [f"{reason}: not measured: 1"]
        assert f"`{reason}`" in warnings["tickets_are_measured"].remedy


def test_an_expectation_that_was_not_evaluated_stops_the_month(month: Month):
    settings = month("alter table raw.fees rename column currency to gone")
    with pytest.raises(gates.GateFailed, match="credits_have_the_fee_as_billed could not be evaluated"):
        gates.run_gate(settings, "marts", run_id=RUN_ID)


def test_a_warning_that_was_not_evaluated_stops_the_month_too(month: Month):
    settings = month("drop table marts.fct_findings cascade")
    with pytest.raises(gates.GateFailed, match="nothing_is_reported could not be evaluated"):
        gates.run_gate(settings, "marts", run_id=RUN_ID)


def test_empty_marts_do_not_pass(month: Month):
    settings = month(
        "truncate marts.fct_account_months, marts.fct_account_downtime, marts.fct_claims, marts.fct_credits"
    )
    with pytest.raises(gates.GateFailed) as stopped:
        gates.run_gate(settings, "marts", run_id=RUN_ID)
    failed = {result.name: result for result in stopped.value.failed}
    assert {name for name, result in failed.items() if result.is_evaluated} == {
        "contracts_of_the_month_have_one_account_month",
        "claims_are_in_one_state_per_contract",
    }
    # The claims about account-months and credits had none to look at, though there are contracts.
    unjudged = {name: result for name, result in failed.items() if not result.is_evaluated}
    expected = {
        each.name for each in GATES["marts"] if each.only_with == "contracts_of_the_month_have_one_account_month"
    }
    assert unjudged.keys() | {"sandbox_accounts_have_no_rows"} == expected
    assert {result.detail for result in unjudged.values()} == {"was evaluated on no rows, which it may not be"}


def test_an_empty_bucket_passes_with_warnings(month: Month):
    settings = month("truncate raw.source_objects cascade")
    terms.publish(settings)
    names = {warning.name for warning in gates.run_gate(settings, "raw", run_id=RUN_ID).warnings}
    assert {"bucket_has_exports", "month_has_contracts", "feeds_have_objects"} <= names


@pytest.mark.parametrize(
    "name", ["event_feeds_and_fees_reach_the_end_of_the_month", "quarantined_shares_are_within_the_limit"]
)
def test_what_stops_a_closing_only_warns_while_the_month_is_open(month: Month, name: str):
    settings = month(FAULTS["raw"][name], "update audit.builds set is_closing = false")
    assert name in {warning.name for warning in gates.run_gate(settings, "raw", run_id=RUN_ID).warnings}


def test_the_month_ends_in_the_latest_zone_of_a_contract(month: Month):
    fault = "update raw.terms_versions set time_zone = 'America/New_York' where terms_id = 'klink-starter'"
    with pytest.raises(gates.GateFailed, match=r"notices: last exported .* ends at 2026-04-01T04:00:00Z"):
        gates.run_gate(month(fault), "raw", run_id=RUN_ID)


def test_a_quarantined_share_of_exactly_the_limit_passes(month: Month):
    fault = FAULTS["raw"]["quarantined_shares_are_within_the_limit"]
    settings = month(fault, "update raw.source_objects set rows_read = 110, rows_loaded = 99 where rows_read = 101")
    settings = dataclasses.replace(settings, quarantine_limit_percent=Decimal(10))
    with pytest.raises(gates.GateFailed) as stopped:  # the counts were tampered with, but 11 of 110 is the limit
        gates.run_gate(settings, "raw", run_id=RUN_ID)
    assert [result.name for result in stopped.value.failed] == ["landed_rows_match_the_counts_of_their_objects"]
    assert approvals.pending(settings) == []


def test_an_approved_quarantined_share_passes_until_its_counts_change(month: Month):
    settings = month(FAULTS["raw"]["quarantined_shares_are_within_the_limit"])
    with pytest.raises(gates.GateFailed):
        gates.run_gate(settings, "raw", run_id=RUN_ID)
    (excess,) = approvals.pending(settings)
    assert excess.pending_id == "quarantine:monitoring/checks"
    approvals.decide(
        settings, excess.pending_id, is_approved=True, by="ann", because="a monitor of ours was misconfigured"
    )
    gates.run_gate(settings, "raw", run_id=RUN_ID)
    assert approvals.pending(settings) == []
    with connect(settings.warehouse) as connection:
        *_, (is_success, record) = connection.execute(
            "select is_success, quarantine from audit.validations order by validation_number"
        )
    # An auditor sees the limit that it was judged by, and what was counted.
    assert (is_success, record["limit_percent"]) == (True, settings.quarantine_limit_percent)
    assert {"feed": "monitoring/checks", "rows_read": 101, "rows_quarantined": 11} in record["feeds"]
    with connect(settings.warehouse) as connection:
        connection.execute("update raw.source_objects set rows_read = 102, rows_quarantined = 12 where rows_read = 101")
    with pytest.raises(gates.GateFailed):
        gates.run_gate(settings, "raw", run_id=RUN_ID)
    assert len(approvals.pending(settings)) == 1


LATER_DOCUMENT = """
    insert into raw.source_objects (
        object_id, bucket, key, version_id, etag, sha256, size_bytes, exported_at, landed_at, feed, format, status,
        last_modified, run_id, is_complete
    )
    select
        md5('later')::uuid, bucket, key || '-later', version_id, etag, sha256, size_bytes, '2026-04-11T00:00:00Z',
        landed_at, feed, format, status, last_modified, run_id, {is_complete}
    from raw.source_objects where feed = 'status_page/statuspage';
    insert into raw.status_page_documents
        (object_id, kind, page_id, page_updated_at, incident_ids, maintenance_ids)
    values (md5('later')::uuid, '{kind}', 'page', '2026-04-10T00:00:00Z', '{{inc-2}}', '{{}}')
"""


@pytest.mark.parametrize(
    "mended",
    [
        "update raw.components set component_id = 'comp-new' where component_id = 'comp-billing'",
        # of another month
        """
        update raw.incidents
        set created_at = created_at - interval '2 months', started_at = started_at - interval '2 months',
            resolved_at = resolved_at - interval '2 months', updates = '[]'
        where incident_id = 'inc-1'
        """,
        # withdrawn: missing from a later complete list (rule S3)
        LATER_DOCUMENT.format(kind="incidents", is_complete="true"),
        # begun after the as-of time
        """
        update raw.incidents
        set created_at = '2026-04-12T00:00:00Z', started_at = null, resolved_at = null, updates = '[]'
        where incident_id = 'inc-1'
        """,
        # open, of January, and resolved in February because a summary then lacks it (rule S5)
        """
        update raw.incidents
        set created_at = '2026-01-05T00:00:00Z', started_at = null, resolved_at = null, updates = '[]'
        where incident_id = 'inc-1';
        update raw.status_page_documents set page_updated_at = '2026-01-06T00:00:00Z';
        """
        + LATER_DOCUMENT.format(kind="summary", is_complete="false").replace("2026-04-10T", "2026-02-10T"),
    ],
    ids=["mapped", "other_month", "withdrawn", "after_as_of", "resolved_by_summary"],
)
def test_an_unmapped_component_that_cannot_matter_does_not_stop_the_month(month: Month, mended: str):
    gates.run_gate(month(FAULTS["raw"]["components_of_incidents_are_mapped"], mended), "raw", run_id=RUN_ID)


@pytest.mark.parametrize("kind", ["incidents", "summary"])
def test_an_incomplete_list_or_a_summary_withdraws_nothing(month: Month, kind: str):
    later = LATER_DOCUMENT.format(kind=kind, is_complete="false")
    with pytest.raises(gates.GateFailed, match="components_of_incidents_are_mapped"):
        gates.run_gate(month(FAULTS["raw"]["components_of_incidents_are_mapped"], later), "raw", run_id=RUN_ID)


def test_marts_of_an_earlier_build_are_refused(month: Month):
    settings = month()
    transform.open_build(settings, run_id="marked as done by hand", service_month=MONTH, as_of=AS_OF, is_closing=True)
    gates.run_gate(settings, "raw", run_id="marked as done by hand")
    with pytest.raises(gates.GateFailed, match="did not get through the models"):
        gates.run_gate(settings, "marts", run_id="marked as done by hand")


def test_another_build_is_refused(month: Month):
    settings = month()
    transform.open_build(settings, run_id="other", service_month=MONTH, as_of=AS_OF, is_closing=False)
    with pytest.raises(transform.BuildMismatch, match="other"):
        gates.run_gate(settings, "raw", run_id=RUN_ID)


def test_data_docs_are_a_site_of_both_gates_and_hold_no_secret(month: Month):
    settings = month()
    for gate in ("raw", "marts"):
        gates.run_gate(settings, gate, run_id=RUN_ID)
    site = gates.data_docs_path(settings)
    assert (site / "index.html").is_file()
    for gate in ("raw", "marts"):
        assert (site / "expectations" / f"{gate}.html").is_file()
        assert list((site / "validations" / gate).rglob("*.html"))
    page = (site / "expectations" / "raw.html").read_text()
    assert "standard terms are published" in page
    secret = settings.warehouse.password.encode()
    files = [path for path in settings.home.rglob("*") if path.is_file()]
    assert len(secret) > 8 and files
    assert [path for path in files if secret in path.read_bytes()] == []


def test_lineage_has_the_assertions_of_a_gate(month: Month):
    settings = month()
    events = settings.home / "lineage" / "events.ndjson"
    before = len(_lines(events))
    gates.run_gate(settings, "marts", run_id=RUN_ID)
    started, completed = _lines(events)[before:]
    assert (started["eventType"], completed["eventType"]) == ("START", "COMPLETE")
    assert completed["job"]["name"] == "gate.marts"
    (months,) = [each for each in completed["inputs"] if each["name"].endswith(".marts.fct_account_months")]
    asserted = months["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {"contracts_of_the_month_have_one_account_month"} <= {each["name"] for each in asserted}


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
