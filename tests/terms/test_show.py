"""`sla terms show`: any terms as the tables of a published SLA, with what is inherited and from whom."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

from slaledger import terms
from slaledger.cli import app
from slaledger.months import parse_instant
from slaledger.settings import TERMS_DIR
from tests.terms.test_resolve import acme, document

SIX = (
    "third_party_meta",
    "third_party_messaging",
    "third_party_ai",
    "customer_connectivity",
    "force_majeure",
    "scheduled_maintenance",
)
LONG = "a" * 64


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stack is up here, whatever the developer has."""
    monkeypatch.setenv("SLA_HOME", str(tmp_path / "home"))


def landed(*texts: str, services: frozenset[str] = frozenset()) -> terms.Landed:
    documents = [document(f"terms/{number}.yml", text, number) for number, text in enumerate(texts)]
    return terms.Landed(documents=documents, catalog_services=services)


def shown(terms_id: str, *texts: str, at: str = "2026-11-23T00:00:00Z") -> dict[str, list[list[str]]]:
    """The tables by title: their rows, as they are printed where nothing is cut."""
    version = terms.version_in_force(terms_id, parse_instant(at), landed(*texts))
    return {str(table.title): rows(table) for table in terms.tables(version)}


def rows(table: Table) -> list[list[str]]:
    return [list(row) for row in zip(*(column.cells for column in table.columns), strict=True)]


@pytest.mark.parametrize(
    ("plan", "uptime", "targets"),
    [
        ("starter", "99.5 %", ("4 hours", "1 business day", "2 business days", "3 business days")),
        ("growth", "99.5 %", ("4 hours", "1 business day", "2 business days", "3 business days")),
        ("enterprise", "99.9 %", ("2 hours", "4 hours", "1 business day", "2 business days")),
    ],
)
def test_the_standard_three_carry_the_figures_of_the_sla(plan, uptime, targets):
    found = shown(f"klink-{plan}")
    is_guaranteed = plan == "enterprise"
    effort = "" if is_guaranteed else " (best effort)"
    head = dict(found[f"Terms klink-{plan}, version 2026-01"])
    assert head["plan"] == plan
    assert head["credits"].startswith("guaranteed" if is_guaranteed else "best effort")
    assert found[f"Availability{effort}"][:2] == [
        ["uptime", f"{uptime} of a calendar month"],
        ["core services", "dashboard, call_routing, messaging_engine"],
    ]
    assert found[f"Response times{effort}"] == [
        [severity, f"within {target}"] for severity, target in zip(("P1", "P2", "P3", "P4"), targets, strict=True)
    ]
    tiers = [("99.9", "5"), ("99.0", "10"), ("95.0", "25")]
    assert found["Service credits"] == (
        [[f"below {below} %", f"{percent} % of the monthly fee"] for below, percent in tiers]
        if is_guaranteed
        else [["any", "none"]]
    )
    assert [category for category, _ in found["Exclusions"]] == list(SIX)
    assert found["Scheduled maintenance"] == [
        ["notice", "at least 48 hours before the window starts"],
        ["announced by", "email, in_app"],
    ]
    assert found["Claims"] == [
        ["needed for a credit", "yes"],
        ["received within", "10 calendar days after the month's end, in UTC"],
        ["must include", "company name, account id, incident timeline"],
    ]


GROUP = acme("3", "2026-02-01", "claims: {within: 1d}\ntime_zone: Europe/Berlin\n", terms_id="group")
ACME = acme(
    "7",
    "2026-03-01",
    "availability: {commitment: 99.95, minimum_outage: 5m, down_when: all, evidence: both,"
    " excluded_time: out_of_base}\n"
    "maintenance: {channels: []}\n"
    "exclusions: []\n"
    "response_times:\n"
    "  counted_reply: any\n"
    "  calendar: {holidays: DE-BY}\n"
    "  targets: {P1: 90m}\n"
    "  credits: [{severity: P2, percent: 0.5}, {severity: P1, percent: 1}]\n"
    "  response_credit_cap: 5\n",
    parent="group",
)


@pytest.mark.edge(110)
def test_what_is_inherited_says_from_which_version():
    found = shown("acme", GROUP, ACME)
    enterprise = "klink-enterprise 2026-01"
    head = {name: (said, source) for name, said, source in found["Terms acme, version 7"]}
    assert head["extends"] == ("group 3", "")
    assert head["time zone"] == ("Europe/Berlin", "inherited from group 3")
    assert head["plan"] == ("enterprise", f"inherited from {enterprise}")
    assert found["Availability"][0] == ["uptime", "99.95 % of a calendar month", ""]
    assert found["Availability"][1] == ["core services", "dashboard, call_routing, messaging_engine", enterprise]
    assert [row[1] for row in found["Availability"][2:8]] == [
        "all core services are",
        "monitoring and the status page both say so",
        "up",
        "up",
        "at least 5 minutes",
        "is taken out of the measured period",
    ]
    assert {row[2] for row in found["Service credits"]} == {enterprise}
    assert found["Response times"][:2] == [["P1", "within 90 minutes", ""], ["P2", "within 4 hours", enterprise]]
    assert found["Response times: how they are reckoned"] == [
        ["first reply", "by a human agent or the AI", ""],
        ["business days", "Monday to Friday, 00:00-24:00 in UTC", enterprise],
        ["holidays", "those of DE-BY", ""],
        ["credit for P1", "1 % of the monthly fee a breach", ""],
        ["credit for P2", "0.5 % of the monthly fee a breach", ""],
        ["at most a month", "5 % of the monthly fee", ""],
    ]
    uncapped = shown("acme", GROUP, ACME.replace("  response_credit_cap: 5\n", ""))
    cap = ["at most a month", "100 % of the monthly fee", "default"]
    assert uncapped["Response times: how they are reckoned"][-1] == cap
    assert found["Exclusions"] == [["none", "all downtime counts"]]
    assert found["Scheduled maintenance"][1] == ["announced by", "no channel is accepted", ""]
    assert found["Claims"][1] == [
        "received within",
        "1 calendar day after the month's end, in Europe/Berlin",
        "group 3",
    ]


def test_terms_that_extend_nothing_tell_their_defaults_from_what_they_state():
    text = "id: solo\nversion: '1'\neffective_from: 2026-02-01T00:00:00Z\nplan: solo\nguaranteed: true\n" + (
        "availability: {commitment: 99, evidence: either}\nexclusions: []\ncredits: []\n"
        "response_times: {targets: {P1: 1h, P2: 2h, P3: 3h, P4: 4h}}\nclaims: {within: 10d}\n"
    )
    found = shown("solo", text)
    assert {name: source for name, _, source in found["Terms solo, version 1"]}["time zone"] == "default"
    assert [row[2] for row in found["Availability"]] == ["", "default", "default", "", *["default"] * 5]
    # `within` says what the default is: stated, it is none.
    assert [row[2] for row in found["Claims"]] == ["default", "", "default"]
    assert {len(row) for row in found["Response times"]} == {2}
    version = terms.version_in_force("solo", parse_instant("2026-11-23T00:00:00Z"), landed(text))
    assert "inherited from" not in {column.header for table in terms.tables(version) for column in table.columns}


def test_credits_say_that_one_applies_alone():
    def caption(terms_id: str, *texts: str) -> str | None:
        version = terms.version_in_force(terms_id, parse_instant("2026-11-23T00:00:00Z"), landed(*texts))
        (table,) = [table for table in terms.tables(version) if table.title == "Service credits"]
        return str(table.caption) if table.caption else None

    for shown_caption in (caption("klink-enterprise"), caption("acme", GROUP, ACME)):
        assert shown_caption is not None
        assert "the lowest that uptime is strictly below, and alone: credits are not added up" in shown_caption
    assert caption("klink-growth") is None


@pytest.mark.parametrize(
    ("below", "percent", "row"),
    [
        ("99", "5", ["below 99.0 %", "5 % of the monthly fee"]),
        ("99.00", "5.50", ["below 99.0 %", "5.5 % of the monthly fee"]),
        ("99.95", "10.0", ["below 99.95 %", "10 % of the monthly fee"]),
        ("100", "100", ["below 100.0 %", "100 % of the monthly fee"]),
        ("0.00001", "0.5", ["below 0.00001 %", "0.5 % of the monthly fee"]),
    ],
)
def test_figures_look_alike_however_they_were_written(below, percent, row):
    text = acme("1", "2026-03-01", f"credits: [{{below: {below}, percent: {percent}}}]\n")
    assert shown("acme", text)["Service credits"][0][:2] == row


def test_the_version_in_force_at_the_instant_is_shown():
    later = ACME.replace("'7'", "'8'").replace("2026-03-01", "2026-06-01")
    for at, version, until in (
        ("2026-05-31T23:59:59.999999Z", "7", "2026-06-01T00:00:00Z"),
        ("2026-06-01T00:00:00Z", "8", "another version comes"),
    ):
        head = dict(row[:2] for row in shown("acme", GROUP, ACME, later, at=at)[f"Terms acme, version {version}"])
        assert head["in force"].endswith(f"until {until}")
        assert head["all versions"] == "7 from 2026-03-01T00:00:00Z, 8 from 2026-06-01T00:00:00Z"


@pytest.mark.parametrize(
    ("terms_id", "at", "says"),
    [
        ("nobody", "2026-11-23T00:00:00Z", "There are: acme, group, klink-enterprise, klink-growth, klink-starter"),
        ("acme", "2026-02-28T23:59:59Z", "No version of acme is in force at 2026-02-28T23:59:59Z. There are: 7 from"),
        ("bad", "2026-11-23T00:00:00Z", "version 1 was refused: terms/2.yml, line 4: extends nobody"),
    ],
)
def test_an_unknown_id_names_those_that_there_are(terms_id, at, says):
    bad = acme("1", "2026-03-01", terms_id="bad", parent="nobody")
    with pytest.raises(terms.UnknownTerms, match=says):
        terms.version_in_force(terms_id, parse_instant(at), landed(GROUP, ACME, bad))


def test_a_document_is_shown_before_it_lands(tmp_path):
    (tmp_path / "acme.yml").write_text(ACME)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "group.yml").write_text(GROUP)
    files = [str(tmp_path / "acme.yml"), str(tmp_path / "more")]
    told = sla("show", "acme", *files, "--as-of", "2026-03-01T00:00:00Z")
    assert (told.returncode, told.stdout.count("group 3")) == (0, 3), told.stderr
    assert "at least 5 minutes" in told.stdout and "1 calendar day after the month's end" in told.stdout
    # It counts as landed for this command alone, and is linted like any other.
    assert sla("show", "acme", *files, "--as-of", "2026-02-28T23:59:59Z").returncode == 2
    without = sla("show", "acme")
    assert without.returncode == 2 and "name its file: sla terms show acme FILE" in without.stderr
    (tmp_path / "acme.yml").write_text(f"{ACME}colour: red\n")
    faulty = sla("show", "acme", *files)
    line = len(ACME.splitlines()) + 1
    assert (faulty.returncode, faulty.stdout.count(f"acme.yml:{line}: has the unknown field colour")) == (3, 1)
    assert "99.95" not in faulty.stdout


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_terminal(width):
    holidays = ", ".join(f"2026-{month:02}-{day:02}" for month in range(1, 13) for day in (1, 24, 28))
    long = acme(LONG, "2026-03-01", f"response_times: {{calendar: {{holidays: [{holidays}]}}}}\n", terms_id=LONG)
    child = acme("1", "2026-04-01", "plan: x\n", parent=LONG)
    for text_id, texts in ((LONG, [long]), ("acme", [long, child]), ("klink-growth", [])):
        version = terms.version_in_force(text_id, parse_instant("2026-11-23T00:00:00Z"), landed(*texts))
        for table in terms.tables(version):
            console = Console(width=width, force_terminal=False)
            with console.capture() as capture:
                console.print(table)
            lines = capture.get().splitlines()
            boxed = [line for line in lines if line[0] in "┌┏│┃┡├└┗"]
            assert len({len(line) for line in boxed}) == 1 and len(boxed[0]) <= width, "\n".join(lines)
            # Nothing is cut: a cell that does not fit goes on in the next line.
            assert "…" not in capture.get()


def sla(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("sla")), "terms", *arguments], capture_output=True, text=True, check=False
    )


def test_a_pipe_gets_no_colours_and_the_exit_codes_hold():
    done = sla("show", "klink-enterprise")
    assert done.returncode == 0 and "within 2 business days" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    unknown = sla("show", "nobody")
    assert unknown.returncode == 2 and "klink-enterprise, klink-growth, klink-starter" in unknown.stderr
    linted = sla("lint", str(TERMS_DIR / "klink-growth.yml"))
    assert (linted.returncode, linted.stdout) == (0, "1 file, no fault.\n")
    assert linted.stderr.startswith("Held against the standard terms alone")
    assert sla("show", "klink-growth", "--as-of", "yesterday").returncode == 2
    assert sla("show", "klink-growth", "--as-of", "2025-12-31T23:59:59Z").returncode == 2


def test_a_warehouse_that_does_not_answer_leaves_the_shipped_terms(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_SLA_WAREHOUSE", "postgresql://sla:secret@127.0.0.1:9/sla")
    monkeypatch.setenv("AIRFLOW_CONN_SLA_EXPORTS", "aws://")
    result = CliRunner().invoke(app, ["terms", "show", "klink-starter"])
    assert result.exit_code == 0 and "99.5 % of a calendar month" in result.stdout
    assert "Only the shipped terms are known" in result.stderr and "secret" not in result.output
