"""Terms from the bucket to `raw.terms_versions`: what lands, what is refused, what stops a month (T1, T4)."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from slaledger import gates, terms, transform
from slaledger.cli import app
from slaledger.terms.faults import zones
from slaledger.terms.publish import SHADOWED_ZONES
from slaledger.warehouse import connect
from tests.landing.bucket import Bucket
from tests.terms.test_resolve import acme

MARCH = datetime(2026, 3, 1).date()
AS_OF = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def bucket(fresh_settings) -> Bucket:
    bucket = Bucket(fresh_settings)
    bucket.empty()
    return bucket


def publish(bucket: Bucket) -> terms.PublishedTerms:
    bucket.land()
    return terms.publish(bucket.settings)


def rows(bucket: Bucket, query: str) -> list[tuple]:
    with connect(bucket.settings.warehouse) as connection:
        return connection.execute(query).fetchall()


def plans(bucket: Bucket) -> dict[tuple[str, str], str]:
    found = rows(bucket, "select terms_id, terms_version, plan from raw.terms_versions where object_id is not null")
    return {(terms_id, version): plan for terms_id, version, plan in found}


def changed(bucket: Bucket) -> list[tuple[str, str]]:
    query = """
        select o.key, n.subject from raw.observations as n inner join raw.source_objects as o using (object_id)
        where n.code = 'terms_version_changed' order by o.key, n.subject
    """
    return rows(bucket, query)


def test_the_earlier_export_stands_whenever_it_lands(bucket: Bucket):
    bucket.put("terms/b", acme("1", "2026-02-01", "plan: second\n"), exported_at="2026-02-02T00:00:00Z")
    bucket.put("terms/c", acme("1", "2026-02-01", "plan: third\n"), exported_at="2026-02-03T00:00:00Z")
    publish(bucket)
    assert (plans(bucket), changed(bucket)) == ({("acme", "1"): "second"}, [("terms/c", "acme/1")])
    bucket.put("terms/a", acme("1", "2026-02-01", "plan: third\n"), exported_at="2026-02-01T00:00:00Z")
    publish(bucket)
    assert (plans(bucket), changed(bucket)) == ({("acme", "1"): "third"}, [("terms/b", "acme/1")])


def test_a_version_neither_changes_nor_goes(bucket: Bucket):
    """Not with its object's next version, not with the object, and not among the standard ones."""
    bucket.put("terms/a", acme("1", "2026-02-01", "plan: first\n"), exported_at="2026-02-01T00:00:00Z")
    publish(bucket)
    bucket.put("terms/a", acme("1", "2026-02-01", "plan: second\n"), exported_at="2026-02-02T00:00:00Z")
    standard = acme("2026-01", "2026-01-01", "guaranteed: true\n", terms_id="klink-starter", parent="klink-growth")
    bucket.put("terms/s", standard, exported_at="2025-01-01T00:00:00Z")
    publish(bucket)
    assert plans(bucket) == {("acme", "1"): "first"}
    assert changed(bucket) == [("terms/a", "acme/1"), ("terms/s", "klink-starter/2026-01")]
    bucket.delete("terms/a")
    publish(bucket)
    assert plans(bucket) == {("acme", "1"): "first"}
    (guaranteed,) = rows(bucket, "select is_guaranteed from raw.terms_versions where terms_id = 'klink-starter'")
    assert guaranteed == (False,)


def gate(bucket: Bucket, run_id: str) -> None:
    transform.open_build(bucket.settings, run_id=run_id, service_month=MARCH, as_of=AS_OF, is_closing=False)
    gates.run_gate(bucket.settings, "raw", run_id=run_id)


def test_a_refused_document_stops_the_month_until_it_is_mended(bucket: Bucket):
    both = "# ours\n" + acme("1", "2026-02-01") + "---\n" + acme("2", "2026-03-01", "time_zone: Asia/Tokyo\n")
    bucket.put("terms/both", both, exported_at="2026-02-01T00:00:00Z")
    assert publish(bucket).refused == 1
    with pytest.raises(gates.GateFailed) as stopped:
        gate(bucket, "refused")
    assert "terms_documents_pass_the_lint does not hold: 1 case (terms/both: line 11: changes the time zone" in str(
        stopped.value
    )
    assert set(plans(bucket)) == {("acme", "1")}
    # What was refused has never been a version: mended, it may keep its number.
    bucket.put("terms/both", both.replace("Asia/Tokyo", "UTC"), exported_at="2026-02-02T00:00:00Z")
    publish(bucket)
    assert set(plans(bucket)) == {("acme", "1"), ("acme", "2")}
    gate(bucket, "mended")


def test_a_document_with_a_fault_of_its_own_stops_the_month_too(bucket: Bucket):
    bucket.put("terms/one", acme("1", "2026-02-01", "time_zone: Europe/Bonn\ncolour: red\n"))
    publish(bucket)
    with pytest.raises(gates.GateFailed, match=r"\(terms/one: line 5: time_zone: … is no time zone .*; line 6: "):
        gate(bucket, "own")


def test_a_service_is_known_once_the_catalog_has_it(bucket: Bucket):
    bucket.put("terms/fax", acme("1", "2026-02-01", "availability: {core_services: [dashboard, fax]}\n"))
    assert publish(bucket).refused == 1
    assert rows(bucket, "select line, message from raw.terms_faults") == [
        (5, "line 5: names the unknown service fax: neither the catalog nor the standard terms have it")
    ]
    bucket.put("catalog/components/all", "component_id,name,service,region\nc,Fax,fax,eu\n")
    assert publish(bucket).refused == 0
    assert set(plans(bucket)) == {("acme", "1")}


def test_show_and_lint_know_what_has_landed(bucket: Bucket, tmp_path, monkeypatch: pytest.MonkeyPatch):
    bucket.put("terms/group", acme("1", "2026-02-01", "claims: {within: 30d}\n", terms_id="group"))
    bucket.put("catalog/components/all", "component_id,name,service,region\nc,Fax,fax,eu\n")
    bucket.land()
    monkeypatch.setenv("SLA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AIRFLOW_CONN_SLA_WAREHOUSE", bucket.settings.warehouse.dsn)
    monkeypatch.setenv("AIRFLOW_CONN_SLA_EXPORTS", "aws://")
    shown = CliRunner().invoke(app, ["terms", "show", "group"]).stdout
    assert "30 calendar days after the month's end, in UTC" in shown
    assert "terms/group" in shown and "after it came into force" in shown
    child = tmp_path / "child.yml"
    child.write_text(acme("1", "2026-03-01", "availability: {core_services: [fax]}\n", parent="group"))
    assert CliRunner().invoke(app, ["terms", "lint", str(child)]).exit_code == 0
    child.write_text(acme("2", "2026-02-01", "time_zone: Asia/Tokyo\n", terms_id="group"))
    linted = CliRunner().invoke(app, ["terms", "lint", str(child)])
    assert linted.exit_code == 3
    assert "has the effective_from of version 1 of group" in linted.stdout
    assert "changes the time zone of group from UTC to Asia/Tokyo" in linted.stdout


def test_zones_that_postgresql_reads_as_abbreviations_keep_their_clocks(bucket: Bucket):
    """CET, say: to PostgreSQL it is one hour ahead of UTC all year, in the IANA data base it has a summer time."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    instants = [start + timedelta(hours=6 * step) for step in range(365 * 4)]
    abbreviations = {name for (name,) in rows(bucket, "select abbrev from pg_timezone_abbrevs")} & zones()
    assert set(SHADOWED_ZONES) < abbreviations
    with connect(bucket.settings.warehouse) as connection:
        for name in abbreviations:
            (found,) = connection.execute(
                "select array_agg(extract(epoch from (at at time zone %s) - (at at time zone 'UTC'))::integer"
                " order by at) from unnest(%s) as at",
                [SHADOWED_ZONES.get(name, name), instants],
            ).fetchone()
            zone = zoneinfo.ZoneInfo(name)
            assert found == [each.astimezone(zone).utcoffset().total_seconds() for each in instants], name


def test_terms_in_such_a_zone_are_published_under_the_other_name(bucket: Bucket):
    both = "time_zone: CET\nresponse_times: {calendar: {time_zone: WET}}\n"
    bucket.put("terms/cet", acme("1", "2026-02-01", both))
    publish(bucket)
    query = (
        "select time_zone, calendar_time_zone, document ->> 'time_zone' from raw.terms_versions where terms_id = 'acme'"
    )
    assert rows(bucket, query) == [("Europe/Brussels", "Europe/Lisbon", "CET")]


EDGES = [
    "availability: {commitment: 0, core_services: [dashboard], minimum_outage: 99999999s}",
    "availability: {commitment: 100.0, core_services: [billing_portal], minimum_outage: 9999d}",
    "maintenance: {notice: 0s, channels: []}",
    "maintenance: {notice: 99999h, channels: [status_page]}",
    "claims: {within: 0d, must_include: []}",
    "claims: {within: 9999d}",
    "credits: [{below: 100, percent: 0.00000000001}, {below: 0.00000000001, percent: 100}]",
    "credits: [{below: 99.99999999999, percent: 0.00000000001}]",
    "response_times: {targets: {P1: 1s, P2: 9999d, P3: 0 business days, P4: 999 business days}}",
    "response_times: {calendar: {holidays: [0001-01-01, 9999-12-31]}}",
    "response_times: {calendar: {holidays: [], time_zone: Pacific/Apia}}",
    "response_times: {credits: [{severity: P4, percent: 100}], response_credit_cap: 0}",
]


def test_what_the_lint_passes_can_be_published_and_shown(bucket: Bucket):
    bucket.put("catalog/components/all", "component_id,name,service,region\nc,Portal,billing_portal,eu\n")
    texts = [acme("1", "2026-02-01", f"{body}\n", terms_id=f"t{number}") for number, body in enumerate(EDGES)]
    for start in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999-14:00", "2026-02-01T00:00:00+14:00"):
        solo = acme("1", "2026-02-01", terms_id=f"t{len(texts)}").replace("2026-02-01T00:00:00Z", start)
        texts.append(solo)
    bucket.put("terms/all", "---\n".join(texts))
    # Nothing is in force in the year 1 to extend, and no instant in UTC is that late.
    assert publish(bucket) == terms.PublishedTerms(versions=3 + len(texts) - 2, refused=1)
    assert rows(bucket, "select count(*) from raw.quarantined_rows") == [(1,)]
    landed = terms.read_landed(bucket.settings)
    for number in range(len(EDGES)):
        assert len(list(terms.tables(terms.version_in_force(f"t{number}", AS_OF, landed)))) == 8
