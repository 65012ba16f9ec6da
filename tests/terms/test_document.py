"""Rule T4: each fault of a terms document on its own, by its line."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from slaledger import terms

HEAD = "id: acme\nversion: '1'\neffective_from: 2026-01-01T00:00:00Z\nextends: klink-enterprise\n"


def faults_of(text: str) -> list[tuple[int, str]]:
    reading = terms.read_document(text)
    assert (reading.content is None) == bool(reading.faults)
    return [(fault.line, fault.message) for fault in reading.faults]


def test_numbers_stay_as_they_were_written():
    content = terms.read_document(HEAD + "availability: {commitment: 99.95}\n").content
    assert content["availability"]["commitment"] == Decimal("99.95")
    assert json.loads(terms.to_json(content))["availability"] == {"commitment": 99.95}
    assert '"commitment": 99.95}' in terms.to_json(content)


# What follows HEAD, whose four lines come first; the line, and what is said of it.
FAULTS = [
    ("credits:\n  - {below: 99.9, percent: 5}\n  - {below: 99.9, percent: 10}\n", 7, "two tiers below 99.9"),
    ("credits:\n  - {below: 99.90, percent: 5}\n  - {below: 99.9, percent: 10}\n", 7, "two tiers below 99.9"),
    (
        "credits:\n  - {below: 99.9, percent: 5}\n  - {below: 99, percent: 5}\n",
        7,
        "credits item 2: 5 percent below 99 is not more than the 5 below 99.9: give more",
    ),
    (
        "credits:\n  - {below: 99, percent: 4}\n  - {below: 99.9, percent: 5}\n",
        6,
        "credits item 1: 4 percent below 99 is not more than the 5 below 99.9",
    ),
    ("credits:\n  - {below: 100.1, percent: 5}\n", 6, "credits item 1.below: 100.1 is over 100: give 100 or less"),
    ("credits:\n  - {below: 99.9, percent: 101}\n", 6, "credits item 1.percent: 101 is over 100: give 100 or less"),
    ("credits:\n  - {below: 99.9, percent: -1}\n", 6, "credits item 1.percent: -1 must be over 0"),
    (
        "credits:\n  - {below: 0, percent: 5}\n",
        6,
        "credits item 1.below: 0 must be over 0: nothing would ever come of it",
    ),
    ("credits:\n  - {below: 99.9, percent: 0.0}\n", 6, "credits item 1.percent: 0.0 must be over 0"),
    ("credits:\n  - {below: 99.9, percent: 1.0e+1}\n", 6, 'credits item 1.percent: "1.0e+1" must be a plain decimal'),
    ("credits:\n  - {below: 99.9}\n", 6, "lacks credits item 1.percent"),
    ("credits:\n  - 99.9\n", 6, "must be a mapping of fields"),
    ("availability:\n  commitment: 100.01\n", 6, "over 100"),
    ("availability:\n  commitment: -0.1\n", 6, "availability.commitment: -0.1 is under 0: give 0 or more"),
    ('availability: {commitment: "99.9"}\n', 5, 'commitment: "99.9" is text: write it without quotes'),
    ('credits:\n  - {below: 99.9, percent: "5"}\n', 6, 'credits item 1.percent: "5" is text: write it without quotes'),
    ('availability: {commitment: "99,9"}\n', 5, '"99,9" must be a plain decimal'),
    ("time_zone: Europe/Bonn\n", 5, "no time zone"),
    ("time_zone: europe/berlin\n", 5, "no time zone"),
    ("response_times: {calendar: {time_zone: Mars/Olympus}}\n", 5, "no time zone"),
    ("response_times: {calendar: {holidays: XX}}\n", 5, "response_times.calendar.holidays: 'XX' is no country"),
    ("response_times: {calendar: {holidays: DE-XX}}\n", 5, "no country or subdivision"),
    (
        "response_times:\n  calendar:\n    holidays:\n      - 2026-02-28\n      - 2026-02-30\n",
        9,
        "holidays item 2: 2026-02-30 is no date",
    ),
    ("response_times:\n  calendar:\n    holidays:\n      - 2026-2-3\n", 8, "a date, as 2026-12-24"),
    (
        "response_times:\n  calendar:\n    holidays: [2026-12-24, 2026-12-31, 2026-12-24]\n",
        7,
        "holidays: names 2026-12-24 twice: name it once",
    ),
    ("response_times: {calendar: {holidays: true}}\n", 5, "must be null, a code of the holidays library, or a list"),
    ("maintenance: {notice: 2 weeks}\n", 5, "must be a whole number with its unit s, m, h or d"),
    ("maintenance: {notice: 2 business days}\n", 5, "must be "),
    (
        "maintenance: {notice: 48}\n",
        5,
        "maintenance.notice: 48 must be a whole number with its unit s, m, h or d, as 48h",
    ),
    ("availability: {minimum_outage: 60}\n", 5, "minimum_outage: 60 must be a whole number with its unit"),
    ("availability: {minimum_outage: null}\n", 5, "minimum_outage: null must be a whole number with its unit"),
    ("time_zone: 1\n", 5, "time_zone: 1 must be a time zone of the IANA data base"),
    ("maintenance: {notice: 99999d}\n", 5, "of at most 27 years"),
    ("availability: {minimum_outage: -5m}\n", 5, "must be "),
    ("claims: {within: 240h}\n", 5, "must be a whole number of days, as 10d"),
    ("response_times: {targets: {P1: 0h}}\n", 5, 'P1: "0h" must be a whole number over 0 with its unit'),
    ("response_times: {targets: {P1: 1.5h}}\n", 5, "must be "),
    ("response_times: {targets: {P1: 1 weekday}}\n", 5, "must be "),
    ("response_times: {targets: {P5: 1h}}\n", 5, "unknown field response_times.targets.P5"),
    ("availability: {core_services: [Dash Board]}\n", 5, "must be "),
    (
        "availability: {core_services: [dashboard, dashboard]}\n",
        5,
        "core_services: names dashboard twice: name it once",
    ),
    ("availability: {core_services: []}\n", 5, "availability.core_services: must name at least one"),
    ("availability: {core_services: dashboard}\n", 5, "must be a list"),
    ("exclusions: [hosting_provider]\n", 5, "none of third_party_meta"),
    ("exclusions:\n  - force_majeure\n  - weather\n", 7, "none of third_party_meta"),
    ("maintenance: {channels: [fax]}\n", 5, "none of email, in_app, status_page"),
    ("claims: {must_include: [phone]}\n", 5, "none of company_name"),
    ("availability: {evidence: rumours}\n", 5, "none of either, monitoring, status_page, both"),
    ("availability: {down_when: most}\n", 5, "none of any, all"),
    ("availability: {excluded_time: ignored}\n", 5, "none of as_uptime, out_of_base"),
    ("availability: {thresholds_from: now}\n", 5, "none of period_start, period_end"),
    ("response_times: {counted_reply: ai}\n", 5, "none of human, any"),
    ("colour: red\n", 5, "unknown field colour: known are id, version"),
    ("availability: {uptime: 99}\n", 5, "unknown field availability.uptime"),
    ("response_credit_cap: 5\n", 5, "unknown field response_credit_cap"),
    ("plan: a\nplan: b\n", 6, "has the field 'plan' twice"),
    ("claims:\n  required: true\n  required: false\n", 7, "has the field 'required' twice"),
    ("guaranteed: maybe\n", 5, "must be true or false"),
    ("guaranteed: yes\n", 5, "must be true or false"),
    ('guaranteed: "true"\n', 5, 'guaranteed: "true" is text: write it without quotes'),
    ('guaranteed: "yes"\n', 5, '"yes" must be true or false'),
    ("guaranteed: 1\n", 5, "must be true or false"),
    ("availability: null\n", 5, "must be a mapping of fields"),
    ("availability: []\n", 5, "must be a mapping of fields"),
    ("plan: 3\n", 5, "must be text: put it in quotes"),
    ('plan: "a\\n"\n', 5, "does not print"),
    ("? [a]\n: b\n", 5, "a field name that is no text"),
    ("credits: &x []\nexclusions: *x\n", 6, "uses the alias *x"),
    ("credits: [\n", 6, "no YAML"),
    ("plan: !!python/object:os.system a\n", 5, "uses the tag tag:yaml.org,2002:python/object:os.system"),
    ("claims: !!omap {within: 1d}\n", 5, "uses the tag tag:yaml.org,2002:omap"),
    ("plan: !ours a\n", 5, "uses the tag !ours"),
    ("availability: {commitment: .inf}\n", 5, "must be a plain decimal"),
    ("availability: {commitment: 1:30}\n", 5, "must be a plain decimal"),
    ("availability: {commitment: 99.99999999999999}\n", 5, "at most 15 characters"),
    (
        "response_times:\n  credits:\n    - {severity: P1, percent: 1}\n    - {severity: P1, percent: 2}\n",
        8,
        "two resp",
    ),
    ("response_times: {response_credit_cap: 101}\n", 5, "over 100"),
]


@pytest.mark.parametrize(("body", "line", "says"), FAULTS, ids=[body.replace("\n", "⏎")[:60] for body, _, _ in FAULTS])
def test_a_fault_is_named_once_with_its_line(body, line, says):
    ((at, message),) = faults_of(HEAD + body)
    assert at == line and says in message, (at, message)


def test_all_faults_are_told_in_one_run():
    text = HEAD.replace("version: '1'", "version: 1") + (
        "colour: red\n"
        "time_zone: Europe/Bonn\n"
        "plan: a\n"
        "plan: b\n"
        "availability: {evidence: rumours, minimum_outage: soon}\n"
        "credits:\n"
        "  - {below: 99.9, percent: 5}\n"
        "  - {below: 99.9, percent: 10}\n"
        "  - {below: 95, percent: 101}\n"
        "response_times: {calendar: {holidays: XX}}\n"
    )
    assert [line for line, _ in faults_of(text)] == [2, 5, 6, 8, 9, 9, 12, 13, 14]


def test_every_alias_is_told():
    assert [line for line, _ in faults_of(HEAD + "credits: &x []\nexclusions: *x\nclaims: *x\n")] == [6, 7]


def test_an_anchor_alone_changes_nothing():
    assert not faults_of(HEAD + "credits: &x []\n")


@pytest.mark.parametrize("code", ["DE", "DE-BY", "US-CA", "DEU", "UK", "NO", "ON"])
def test_codes_of_the_holidays_library(code):
    """NO is Norway, and no truth value: YAML 1.2."""
    found = faults_of(HEAD + f"response_times: {{calendar: {{holidays: {code}}}}}\n")
    assert bool(found) == (code == "ON")


def test_what_is_required_without_a_parent():
    found = faults_of("id: acme\nversion: '1'\neffective_from: 2026-01-01T00:00:00Z\n")
    assert {message for _, message in found} == {
        f"lacks {name}, and extends nothing that has it"
        for name in ("plan", "guaranteed", "availability", "exclusions", "credits", "response_times")
    }
    found = faults_of(
        "version: '1'\neffective_from: 2026-01-01T00:00:00Z\nplan: a\nguaranteed: true\navailability: {}\n"
        "exclusions: []\ncredits: []\nresponse_times:\n  targets: {P1: 1h, P2: 1h, P3: 1h}\n"
    )
    assert found == [
        (1, "lacks id"),
        (5, "lacks availability.commitment, and extends nothing that has it"),
        (9, "lacks response_times.targets.P4, and extends nothing that has it"),
    ]


def test_nothing_may_extend_itself():
    assert faults_of(HEAD.replace("klink-enterprise", "acme")) == [(4, "extends itself: name another terms id")]


@pytest.mark.parametrize(
    "instant",
    [
        *("2026-01-01", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z"),
        *(
            "now",
            "infinity",
            "2026",
            "2026-01-01T00Z",
            "2026-01-01T00:00:00.1234567Z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00+25:00",
        ),
    ],
)
def test_effective_from_is_an_instant_with_an_offset(instant):
    ((line, _),) = faults_of(f"id: acme\nversion: '1'\neffective_from: {instant}\nextends: klink-enterprise\n")
    assert line == 3


@pytest.mark.parametrize(
    "instant", ["2026-01-01T00:00Z", "2026-01-01T00:00:00,5+0530", "2026-01-01T00:00:00.000001-08"]
)
def test_effective_from_is_written_as_in_any_export(instant):
    assert not faults_of(f"id: acme\nversion: '1'\neffective_from: {instant}\nextends: klink-enterprise\n")


def test_what_quotes_would_mend_is_told_so():
    found = faults_of("id: 7\nversion: 1\neffective_from: 2026\nextends: klink-enterprise\nplan: null\n")
    assert [(line, message.partition(": ")[2]) for line, message in found] == [
        (1, "7 must be text: put it in quotes"),
        (2, "1 must be text: put it in quotes"),
        (3, "2026 must be an instant with an offset, as 2026-01-01T00:00:00Z"),
        (5, "null must be letters, digits, dots, dashes and underscores, at most 64"),
    ]


@pytest.mark.parametrize("text", ["", "[]", "just text", "a: " + "[" * 400, "\x00", "--- a\n--- b\n"])
def test_what_is_no_document_is_refused_without_an_exception(text):
    assert faults_of(text)


def test_lines_are_those_of_the_file():
    text = "# ours\n---\n" + HEAD + "--- # next\n" + HEAD.replace("acme", "globex") + "colour: red\n---\n# nothing\n"
    (first, one), (second, other) = terms.split_documents(text)
    assert (first, second) == (2, 7)
    assert terms.read_document(one, first_line=first).lines["extends"] == 6
    assert [fault.line for fault in terms.read_document(other, first_line=second).faults] == [12]


@pytest.mark.parametrize(
    ("many", "is_too_many"),
    [
        ("x: " + "[" * 997 + "]" * 997, False),
        ("x: " + "[" * 1001 + "]" * 1001, True),
        ("x: [" + "0," * 19_000 + "0]", False),
        ("x: [" + "0," * 20_000 + "0]", True),
    ],
)
def test_what_would_take_the_parser_too_long_is_not_parsed(many: str, is_too_many: bool):
    told = [message for _, message in faults_of(HEAD + many)]
    assert told, "either way it is no field of terms"
    assert any("more lists or values than any terms" in message for message in told) == is_too_many
