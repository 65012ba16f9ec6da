"""Edge cases 23 to 54 of the exclusions, each in a region of its own, all in one March as of 5 April 2026.

Times are instants of 20 March unless a date is given: "02:00", or "18T02:00" for 18 March.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from slaledger.settings import Settings
from slaledger.warehouse import connect
from tests.models.builder import Exports, build, component, contract, incident
from tests.models.builder_exclusions import Row, entry_row, notice_row

AS_OF = "2026-04-05T00:00:00Z"
MODELS = ("+int_scope_exclusions", "+int_exclusions_findings", "+fct_account_months", "+fct_account_downtime")
Period = tuple[str, str]


def at(text: str) -> str:
    """An instant of March 2026 from "02:00" or "18T02:00:01"."""
    day, _, time = text.rpartition("T")
    return f"2026-03-{day or '20'}T{time if time.count(':') == 2 else time + ':00'}Z"


def span(period: Period) -> Period:
    return at(period[0]), at(period[1])


@dataclass(frozen=True)
class Case:
    """What was announced and registered, what was down, and what that leaves to count (in seconds)."""

    edge: str
    why: str
    counted: int
    excluded: int
    outages: Sequence[tuple[str, Period]]  # (service or component's prefix, period)
    notices: Sequence[Row] = ()
    entries: Sequence[Row] = ()
    terms_id: str = "klink-enterprise"
    # Of a second account in the same region, under the same terms; None where there is none.
    other_counted: int | None = None
    findings: frozenset[str] = frozenset()

    @property
    def account_id(self) -> str:
        return f"a{self.edge}"

    @property
    def other_id(self) -> str:
        return f"o{self.edge}"

    @property
    def region(self) -> str:
        return f"r{self.edge}"


def told(
    edge: str,
    action: str,
    sent: str,
    window: Period | None,
    *,
    number: int = 1,
    service: str = "messaging_engine",
    maintenance: str = "m",
    region: str | None = None,
    **changed: Any,
) -> Row:
    """A notice of the case's own maintenance; `number` tells it from the others."""
    return notice_row(
        f"n{edge}-{number}",
        f"{maintenance}{edge}",
        action,
        sent_at=at(sent),
        window=window and span(window),
        component_ids=[f"{service}-{region or 'r' + edge}"],
        **changed,
    )


def registered(edge: str, category: str, period: Period, *, number: int = 1, **changed: Any) -> Row:
    """An entry for messaging_engine in the case's region, that explains its first outage."""
    return entry_row(
        f"x{edge}-{number}",
        category,
        period=span(period),
        **{
            "services": ["messaging_engine"],
            "regions": [f"r{edge}"],
            "incident_ids": [f"i{edge}-1"],
            **changed,
        },
    )


MSG = "messaging_engine"
TWO = ("02:00", "04:00")  # the window of most cases
LATE = frozenset({"notice_too_late"})

CASES = [
    Case("23", "exactly 48 hours are at least 48", 0, 7200, [(MSG, TWO)], [told("23", "announce", "18T02:00", TWO)]),
    Case(
        "24",
        "47:59:59 are not: the whole window counts",
        7200,
        0,
        [(MSG, TWO)],
        [told("24", "announce", "18T02:00:01", TWO)],
        findings=LATE,
    ),
    Case(
        # Saturday 28 March 02:30 CET is 01:30Z, Monday 30 March 02:30 CEST is 00:30Z.
        "25",
        "two days by the clock are 47 hours when the clocks change",
        3600,
        0,
        [(MSG, ("30T00:30", "30T01:30"))],
        [told("25", "announce", "28T01:30", ("30T00:30", "30T01:30"))],
        findings=LATE,
    ),
    Case(
        "26",
        "the status page alone announces nothing",
        7200,
        0,
        [(MSG, TWO)],
        [told("26", "announce", "10T00:00", TWO, channel="status_page")],
        findings=frozenset({"notice_channel_not_accepted"}),
    ),
    Case(
        "26b",
        "and takes nothing from the e-mail that said the same",
        0,
        7200,
        [(MSG, TWO)],
        [
            told("26b", "announce", "10T00:00", TWO),
            told("26b", "announce", "10T00:00", TWO, number=2, channel="status_page"),
        ],
    ),
    Case(
        "27",
        "an e-mail to some customers counts for them alone",
        0,
        7200,
        [(MSG, TWO)],
        [told("27", "announce", "10T00:00", TWO, account_ids=["a27"])],
        other_counted=7200,
    ),
    Case(
        "28",
        "done early: what was up was up",
        0,
        4200,
        [(MSG, ("02:00", "03:10"))],
        [told("28", "announce", "10T00:00", TWO)],
    ),
    Case(
        "29",
        "what runs past the window counts",
        2100,
        7200,
        [(MSG, ("02:00", "04:35"))],
        [told("29", "announce", "10T00:00", TWO)],
    ),
    Case(
        "30",
        "what starts before the window counts",
        900,
        7200,
        [(MSG, ("01:45", "04:00"))],
        [told("30", "announce", "10T00:00", TWO)],
    ),
    Case(
        "31",
        "a window cancelled before its start never excludes",
        7200,
        0,
        [(MSG, TWO)],
        [told("31", "announce", "10T00:00", TWO), told("31", "cancel", "19T12:00", None, number=2)],
    ),
    Case(
        "32",
        "cancelled within: excluded up to the cancellation",
        3600,
        3600,
        [(MSG, TWO)],
        [
            told("32", "announce", "10T00:00", TWO),
            told("32", "cancel", "03:00", None, number=2, channel="status_page"),
        ],
    ),
    Case(
        "32b",
        "a cancellation sent to one account takes from that one alone",
        3600,
        3600,
        [(MSG, TWO)],
        [
            told("32b", "announce", "10T00:00", TWO),
            told("32b", "cancel", "03:00", None, number=2, account_ids=["a32b"]),
        ],
        other_counted=0,
    ),
    Case(
        "33",
        "a late move: the new window is invalid, the old one void",
        7200,
        0,
        [(MSG, ("02:00", "03:00")), (MSG, ("22:00", "23:00"))],
        [
            told("33", "announce", "10T00:00", TWO),
            told("33", "move", "19T12:00", ("22:00", "23:00"), number=2),
        ],
        findings=LATE,
    ),
    Case(
        "33b",
        "a move in time: the new window counts, the old one is void",
        3600,
        3600,
        [(MSG, ("02:00", "03:00")), (MSG, ("22:00", "23:00"))],
        [
            told("33b", "announce", "10T00:00", TWO),
            told("33b", "move", "18T22:00", ("22:00", "23:00"), number=2),
        ],
    ),
    Case(
        "34",
        "a cut needs no new notice for what it leaves",
        3600,
        3600,
        [(MSG, TWO)],
        [
            told("34", "announce", "10T00:00", TWO),
            told("34", "cut", "01:00", ("02:30", "03:30"), number=2, channel="status_page"),
        ],
    ),
    Case(
        "34b",
        "a late move leaves nothing, though it lies within",
        7200,
        0,
        [(MSG, TWO)],
        [
            told("34b", "announce", "10T00:00", TWO),
            told("34b", "move", "01:00", ("02:30", "03:30"), number=2),
        ],
        findings=LATE,
    ),
    Case(
        "34c",
        "a cut within its window: what has passed stays, too",
        1800,
        5400,
        [(MSG, TWO)],
        [
            told("34c", "announce", "10T00:00", TWO),
            # Sent at 03:00, it names 02:30 to 03:30: 02:00 to 03:00 has passed.
            told("34c", "cut", "03:00", ("02:30", "03:30"), number=2),
        ],
    ),
    Case(
        "34d",
        "a cut revives nothing that was announced late",
        7200,
        0,
        [(MSG, TWO)],
        [
            told("34d", "announce", "19T00:00", TWO),
            told("34d", "cut", "01:00", ("02:30", "03:30"), number=2),
        ],
        findings=LATE,
    ),
    Case(
        "35",
        "an extension during the window is late",
        3600,
        7200,
        [(MSG, ("02:00", "05:00"))],
        [
            told("35", "announce", "10T00:00", TWO),
            told("35", "extend", "03:30", ("02:00", "05:00"), number=2),
        ],
        findings=LATE,
    ),
    Case(
        "35b",
        "an extension is judged by the start of the window that it carries",
        0,
        10800,
        [(MSG, ("02:00", "05:00"))],
        [
            told("35b", "announce", "18T02:00", TWO),
            # 47 hours before 02:00, but 49 before 04:00.
            told("35b", "extend", "18T03:00", ("04:00", "05:00"), number=2),
        ],
    ),
    Case(
        "36",
        "the status page edited afterwards changes nothing",
        3600,
        7200,
        [(MSG, ("02:00", "05:00"))],
        [told("36", "announce", "10T00:00", TWO)],
    ),
    Case(
        "37",
        "a window for another region",
        7200,
        0,
        [(MSG, TWO)],
        [told("37", "announce", "10T00:00", TWO, region="r38")],
    ),
    Case(
        "38",
        "a window for another service",
        7200,
        0,
        [("dashboard", TWO)],
        [told("38", "announce", "10T00:00", TWO)],
    ),
    Case(
        "39",
        "two windows that overlap are taken off once",
        0,
        10800,
        [(MSG, ("02:00", "05:00"))],
        [
            told("39", "announce", "10T00:00", TWO),
            told("39", "announce", "10T00:00", ("03:00", "05:00"), number=2, maintenance="w"),
        ],
    ),
    Case(
        "40",
        "a maintenance in which all stayed up",
        0,
        0,
        [],
        [told("40", "announce", "10T00:00", TWO)],
    ),
    Case(
        "41",
        "emergency maintenance, told ten minutes before",
        7200,
        0,
        [(MSG, TWO)],
        [told("41", "announce", "01:50", TWO)],
        findings=LATE,
    ),
    Case(
        "42",
        "called scheduled afterwards",
        7200,
        0,
        [(MSG, TWO)],
        [told("42", "announce", "10:00", TWO)],
        findings=LATE,
    ),
    Case(
        "43",
        "Meta is down, and with it messaging alone",
        0,
        3600,
        [(MSG, ("10:00", "11:00"))],
        entries=[registered("43", "third_party_meta", ("10:00", "11:00"))],
    ),
    Case(
        "44",
        "our own dashboard within Meta's outage counts",
        900,
        2700,
        [(MSG, ("10:00", "11:00")), ("dashboard", ("10:30", "10:45"))],
        entries=[registered("44", "third_party_meta", ("10:00", "11:00"))],
    ),
    Case(
        "45",
        "an AI provider takes down what is no core service",
        0,
        0,
        [("ai_replies", ("10:00", "11:00"))],
        entries=[registered("45", "third_party_ai", ("10:00", "11:00"), services=["ai_replies"])],
    ),
    Case(
        "46",
        "our queue drains after the third party is back",
        1200,
        3600,
        [(MSG, ("10:00", "11:20"))],
        entries=[registered("46", "third_party_messaging", ("10:00", "11:00"))],
    ),
    Case(
        "46b",
        "unless the entry runs as long",
        0,
        4800,
        [(MSG, ("10:00", "11:20"))],
        entries=[registered("46b", "third_party_messaging", ("10:00", "11:20"))],
    ),
    Case(
        # Landing quarantines it; were it to come through, it excludes nothing.
        "47",
        "the hosting provider is no category",
        3600,
        0,
        [(MSG, ("10:00", "11:00"))],
        entries=[registered("47", "hosting_provider", ("10:00", "11:00"))],
        findings=frozenset({"exclusion_category_not_in_register"}),
    ),
    Case(
        "48",
        "an attack, with evidence and approved by another",
        0,
        3600,
        [(MSG, ("10:00", "11:00"))],
        entries=[registered("48", "force_majeure", ("10:00", "11:00"))],
    ),
    Case(
        "48b",
        "an attack, approved by its author",
        3600,
        0,
        [(MSG, ("10:00", "11:00"))],
        entries=[registered("48b", "force_majeure", ("10:00", "11:00"), approved_by="ann")],
        findings=frozenset({"exclusion_self_approved"}),
    ),
    Case(
        "49",
        "force majeure approved after the as-of time",
        3600,
        0,
        [(MSG, ("10:00", "11:00"))],
        entries=[registered("49", "force_majeure", ("10:00", "11:00"), approved_at="2026-04-06T00:00:00Z")],
        findings=frozenset({"exclusion_approved_after_as_of"}),
    ),
    Case(
        "50",
        "a customer's own line is that customer's alone",
        0,
        3600,
        [(MSG, ("10:00", "11:00"))],
        entries=[registered("50", "customer_connectivity", ("10:00", "11:00"), account_ids=["a50"])],
        other_counted=3600,
    ),
    Case(
        "50b",
        "a customer's own line, and nobody says whose",
        3600,
        0,
        [(MSG, ("10:00", "11:00"))],
        entries=[registered("50b", "customer_connectivity", ("10:00", "11:00"))],
        findings=frozenset({"exclusion_names_no_account"}),
    ),
    Case(
        "51",
        "neither approved nor evidenced",
        3600,
        0,
        [(MSG, ("10:00", "11:00"))],
        entries=[
            registered("51", "third_party_meta", ("10:00", "11:00"), approved_by=None, approved_at=None),
            registered("51", "third_party_meta", ("10:00", "11:00"), number=2, evidence_url=None),
        ],
        findings=frozenset({"exclusion_unapproved", "exclusion_without_evidence"}),
    ),
    Case(
        "51b",
        "revoked: the whole entry, from its start",
        3600,
        0,
        [(MSG, ("10:00", "11:00"))],
        entries=[registered("51b", "third_party_meta", ("10:00", "11:00"), revoked_at=at("10:30"))],
        findings=frozenset({"exclusion_revoked"}),
    ),
    Case(
        "52",
        "two exclusions on one minute",
        0,
        3600,
        [(MSG, ("10:00", "11:00"))],
        entries=[
            registered("52", "third_party_meta", ("10:00", "10:40")),
            registered("52", "force_majeure", ("10:20", "11:00"), number=2),
        ],
    ),
    Case(
        "53",
        "an exclusion longer than the outage",
        0,
        3600,
        [(MSG, ("10:00", "11:00"))],
        entries=[registered("53", "third_party_meta", ("19T00:00", "21T00:00"))],
    ),
    Case(
        "54",
        "a category that these terms do not list",
        3600,
        0,
        [(MSG, ("10:00", "11:00"))],
        entries=[registered("54", "third_party_meta", ("10:00", "11:00"))],
        terms_id="without-meta",
        findings=frozenset({"exclusion_category_not_in_terms"}),
    ),
    Case(
        # Sent on 10 March under 48 hours; on 20 March 72 are needed since the 15th.
        "115",
        "a maintenance is judged by the terms in force in it",
        7200,
        0,
        [(MSG, TWO)],
        [told("115", "announce", "17T12:00", TWO)],
        terms_id="sterner",
        findings=LATE,
    ),
    Case(
        # `_exports` sends the corrected row in an object of its own.
        "again",
        "a notice exported again replaces itself, whatever its order among the objects",
        3600,
        3600,
        [(MSG, TWO)],
        [told("again", "announce", "10T00:00", TWO)],
    ),
]


@dataclass(frozen=True)
class Built:
    """What the models say: by account, and by id of a notice or an entry."""

    settings: Settings
    months: dict[str, tuple[int, int]]
    downtime: list[tuple[str, str, datetime, datetime, list[str], list[str]]]
    findings: dict[str, set[str]] = field(default_factory=dict)


def _exports() -> Exports:
    exports = Exports()
    exports.terms("without-meta", exclusions=["force_majeure", "scheduled_maintenance"])
    exports.terms("sterner", "1")
    exports.terms("sterner", "2", since="2026-03-15T00:00:00Z", maintenance={"notice": "72h", "channels": ["email"]})
    for case in CASES:
        names = [case.account_id, *([case.other_id] if case.other_counted is not None else [])]
        for name in names:
            contract(exports, name, account_id=name, region=case.region, terms_id=case.terms_id)
        for service in (MSG, "dashboard", "ai_replies"):
            component(exports, f"{service}-{case.region}", service=service, region=case.region)
        for number, (service, (start, end)) in enumerate(case.outages, start=1):
            name = f"{service}-{case.region}"
            updates = [
                (at(start), "investigating", {name: "major_outage"}),
                (at(end), "resolved", {name: "operational"}),
            ]
            incident(exports, f"i{case.edge}-{number}", component_ids=[name], updates=updates, resolved_at=at(end))
        for row in case.notices:
            exports.add("notices", "notices", **row)
        for row in case.entries:
            exports.add("exclusions", "exclusions", **row)
    # The same notice, corrected to 03:00-04:00, exported later under a key that sorts first; and a notice of
    # that id in an object that was exported last of all, but overwritten since.
    corrected = exports.object("notices", key="notices/0", exported_at="2026-03-11T00:00:00Z")
    exports.add("notices", "notices", corrected, **told("again", "announce", "10T00:00", ("03:00", "04:00")))
    overwritten = exports.object("notices", key="notices/1", exported_at="2026-03-12T00:00:00Z")
    exports.add("notices", "notices", overwritten, **told("again", "announce", "10T00:00", ("01:00", "02:00")))
    # Edge 36: the page says, afterwards, that the maintenance was meant to run until 06:00.
    incident(
        exports,
        "page36",
        component_ids=[f"{MSG}-r36"],
        updates=[(at("02:00"), "in_progress", {}), (at("06:00"), "completed", {})],
        is_maintenance=True,
        listed_in="scheduled_maintenances",
        impact="maintenance",
    )
    exports.rows["incidents"][-1] |= {"scheduled_for": at("02:00"), "scheduled_until": at("06:00")}
    return exports


def _read(settings: Settings) -> Built:
    with connect(settings.warehouse) as connection:
        months = connection.execute(
            "select account_id, counted_seconds, excluded_seconds from marts.fct_account_months"
        ).fetchall()
        downtime = connection.execute(
            "select contract_id, kind, started_at, ended_at, categories, source_ids"
            " from marts.fct_account_downtime order by contract_id, started_at"
        ).fetchall()
        findings = connection.execute("select subject, code from intermediate.int_exclusions_findings").fetchall()
    by_subject: dict[str, set[str]] = {}
    for subject, code in findings:
        by_subject.setdefault(subject, set()).add(code)
    return Built(
        settings,
        {account_id: (counted, excluded) for account_id, counted, excluded in months},
        downtime,
        by_subject,
    )


@pytest.fixture(scope="module")
def built(fresh_settings: Settings) -> Built:
    _exports().load(fresh_settings)
    with connect(fresh_settings.warehouse) as connection:
        connection.execute("update raw.source_objects set is_in_force = false where key = 'notices/1'")
    build(fresh_settings, month="2026-03", as_of=AS_OF, select=MODELS)
    return _read(fresh_settings)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.edge}: {case.why}")
def test_what_counts_and_what_is_excluded(built: Built, case: Case) -> None:
    assert built.months[case.account_id] == (case.counted, case.excluded)
    if case.other_counted is not None:
        total = case.counted + case.excluded
        assert built.months[case.other_id] == (case.other_counted, total - case.other_counted)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.edge)
def test_what_excludes_nothing_is_listed_with_its_reason(built: Built, case: Case) -> None:
    subjects = [row.get("notice_id") or row["exclusion_id"] for row in (*case.notices, *case.entries)]
    said = set().union(*(built.findings.get(subject, set()) for subject in subjects))
    assert said == case.findings


def test_every_exclusion_of_a_minute_stays_in_the_evidence(built: Built) -> None:
    """Edge 52: 10:00-10:20 by one, 10:20-10:40 by both, 10:40-11:00 by the other."""
    segments = [
        (kind, f"{started:%H:%M}", f"{ended:%H:%M}", categories, [name for name in names if name.startswith("x")])
        for contract_id, kind, started, ended, categories, names in built.downtime
        if contract_id == "a52"
    ]
    assert segments == [
        ("excluded", "10:00", "10:20", ["third_party_meta"], ["x52-1"]),
        ("excluded", "10:20", "10:40", ["force_majeure", "third_party_meta"], ["x52-1", "x52-2"]),
        ("excluded", "10:40", "11:00", ["force_majeure"], ["x52-2"]),
    ]


def test_a_later_as_of_time_knows_the_later_approval(built: Built) -> None:
    """Edge 49: the same rows as of two days later; every other case stays as it was."""
    build(built.settings, month="2026-03", as_of="2026-04-07T00:00:00Z", select=MODELS)
    later = _read(built.settings)
    assert later.months.pop("a49") == (0, 3600)
    assert later.months == {account_id: both for account_id, both in built.months.items() if account_id != "a49"}
