"""Rule T4: each fault of a terms document, by its line."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from slaledger import terms

HEAD = "id: acme\nversion: '1'\neffective_from: 2026-01-01T00:00:00Z\nextends: klink-enterprise\n"


def faults_of(text: str) -> list[tuple[int, str]]:
    document, faults = terms.read_document(text)
    assert (document is None) == bool(faults)
    return [(fault.line, fault.message) for fault in faults]


def test_numbers_stay_as_they_were_written():
    document, faults = terms.read_document(HEAD + "availability: {commitment: 99.95}\n")
    assert not faults
    assert document["availability"]["commitment"] == Decimal("99.95")
    assert json.loads(terms.to_json(document))["availability"] == {"commitment": 99.95}
    assert '"commitment": 99.95}' in terms.to_json(document)


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("credits:\n  - {below: 99.9, percent: 5}\n  - {below: 99.9, percent: 10}\n", 7, "two tiers below 99.9"),
        ("credits:\n  - {below: 99.9, percent: 5}\n  - {below: 99, percent: 5}\n", 7, "not more than"),
        ("credits:\n  - {below: 99, percent: 4}\n  - {below: 99.9, percent: 5}\n", 6, "not more than"),
        ("credits:\n  - {below: 100.1, percent: 5}\n", 6, "over 100"),
        ("credits:\n  - {below: 99.9, percent: 101}\n", 6, "over 100"),
        ("time_zone: Europe/Bonn\n", 5, "no time zone"),
        ("response_times: {calendar: {holidays: XX}}\n", 5, "no country"),
        ("response_times: {calendar: {holidays: [2026-02-30]}}\n", 5, "no date"),
        ("maintenance: {notice: 2 weeks}\n", 5, "not written as"),
        ("availability: {core_services: [Dash Board]}\n", 5, "not written as"),
        ("exclusions: [hosting_provider]\n", 5, "none of third_party_meta"),
        ("colour: red\n", 5, "unknown field colour"),
        ("availability: {uptime: 99}\n", 5, "unknown field availability.uptime"),
        ("plan: a\nplan: b\n", 6, "twice"),
        ("guaranteed: maybe\n", 5, "guaranteed"),
        ("credits: &x []\nexclusions: *x\n", 6, "alias"),
        ("credits: [\n", 6, "no YAML"),
        ("response_times: {targets: {P1: 1.5h}}\n", 5, "not written as"),
        ("availability: {commitment: .inf}\n", 5, "no plain decimal"),
        ("availability: {commitment: 1:30}\n", 5, "no plain decimal"),
        ("response_times: {credits: [{severity: P1, percent: 1}, {severity: P1, percent: 2}]}\n", 5, "two response"),
    ],
)
def test_a_fault_is_named_with_its_line(body, line, says):
    found = faults_of(HEAD + body)
    assert any(at == line and says in message for at, message in found), found


def test_what_is_required_without_a_parent():
    found = faults_of("id: acme\nversion: '1'\neffective_from: 2026-01-01T00:00:00Z\n")
    assert {message.split(",")[0] for _, message in found} == {
        "lacks plan",
        "lacks guaranteed",
        "lacks availability.commitment",
        "lacks exclusions",
        "lacks credits",
        "lacks response_times.targets for P1",
    }


@pytest.mark.parametrize(
    "instant", ["2026-01-01", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z"]
)
def test_effective_from_is_an_instant_with_an_offset(instant):
    assert faults_of(f"id: acme\nversion: '1'\neffective_from: {instant}\nextends: klink-enterprise\n")[0][0] == 3


@pytest.mark.parametrize("text", ["", "[]", "just text", "a: " + "[" * 400, "\x00", "--- a\n--- b\n"])
def test_what_is_no_document_is_refused_without_an_exception(text):
    assert faults_of(text)
