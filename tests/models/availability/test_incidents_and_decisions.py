"""Incidents as the status page exports them (rules S1 to S5), and what people decide on unknown time (rule D7)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from slaledger.warehouse import connect
from tests.models.availability.conftest import Months
from tests.models.builder import Exports, checks, component, contract, document, every, failures, incident, monitor
from tests.models.builder_exclusions import add_entry

APRIL = "2026-04"
AS_OF = "2026-05-01T00:00:00Z"
LIST, LATER, SUMMARY = "status_page/list", "status_page/later", "status_page/summary"


def at(clock: str, day: int = 10) -> str:
    return f"2026-04-{day:02}T{clock}:00Z"


def add_incidents(exports: Exports) -> None:
    """An incident a region, each with a contract; what they come to is in `COUNTED`."""

    def add(name: str, *updates: tuple[str, str, str | None], **given: object) -> None:
        if all(row["component_id"] != f"c-{name}" for row in exports.rows.get("components", [])):
            component(exports, f"c-{name}", service="dashboard", region=name)
            contract(exports, f"C-{name}", region=name)
        incident(
            exports,
            f"I-{name}",
            **{
                "component_ids": [f"c-{name}"],
                "updates": [(when, status, {f"c-{name}": to} if to else {}) for when, status, to in updates],
                "key": LIST,
                "exported_at": "2026-04-12T00:00:00Z",
                **given,
            },
        )

    opened, closed = (at("10:00"), "investigating", None), (at("11:00"), "resolved", None)
    add("impact", opened, closed, impact="critical", started_at=at("09:30"), resolved_at=at("11:00"))
    add("impact-minor", opened, closed, impact="major", resolved_at=at("11:00"))
    add("impact-update", opened, closed, impact="critical")
    add("impact-open", (at("22:00", 30), "investigating", None), impact="critical")
    add("impact-backwards", opened, closed, impact="critical", started_at=at("12:00"), resolved_at=at("11:00"))
    add("impact-instant", closed, impact="critical", started_at=at("11:00"), resolved_at=at("11:00"))
    # Declared after the as-of time, of an earlier one: not known then.
    add(
        "impact-later",
        impact="critical",
        created_at="2026-05-01T06:00:00Z",
        started_at=at("10:00"),
        resolved_at="2026-05-01T07:00:00Z",
    )
    # Components set to operational alone leave it to the impact; anything else does not.
    add("impact-operational", (at("10:00"), "investigating", "operational"), closed, impact="critical")
    add("impact-degraded", (at("10:00"), "investigating", "degraded_performance"), closed, impact="critical")
    # From the update that set a status to the one that changed it.
    add(
        "changes",
        (at("10:00"), "investigating", "major_outage"),
        (at("10:20"), "identified", "partial_outage"),
        (at("10:30"), "identified", "major_outage"),
        (at("10:40"), "resolved", "operational"),
    )
    add(
        "postmortem",
        (at("10:00"), "investigating", "major_outage"),
        (at("10:10"), "resolved", None),
        (at("12:00"), "postmortem", "major_outage"),
        resolved_at=at("10:10"),
    )
    # What an update set ends with the update that resolved, at its `display_at`.
    add(
        "resolved-earlier",
        (at("10:00"), "investigating", "major_outage"),
        (at("10:30"), "resolved", None),
        resolved_at=at("11:00"),
    )
    add(
        "as-of", (at("23:00", 30), "investigating", "major_outage"), ("2026-05-01T00:30:00Z", "resolved", "operational")
    )
    add("after-as-of", ("2026-05-01T00:30:00Z", "investigating", "major_outage"))
    add("maintenance", (at("10:00"), "in_progress", "major_outage"), closed, is_maintenance=True, impact="critical")
    # S3: the later export speaks; what a later complete list lacks is withdrawn.
    add("replaced", (at("10:00"), "investigating", "major_outage"), (at("11:00"), "resolved", "operational"))
    add(
        "replaced",
        (at("10:00"), "investigating", "major_outage"),
        (at("10:05"), "resolved", "operational"),
        key=LATER,
        exported_at="2026-04-13T00:00:00Z",
    )
    add("withdrawn", (at("10:00"), "investigating", "major_outage"), closed, page_id="complete")
    add("kept", (at("10:00"), "investigating", "major_outage"), closed, page_id="partial")
    for page, is_complete in (("complete", True), ("partial", False)):
        document(
            exports,
            "incidents",
            key=f"status_page/{page}",
            incident_ids=[],
            exported_at="2026-04-14T00:00:00Z",
            page_id=page,
            is_complete=is_complete,
        )
    # S5: open until a summary lacks it; listed again in between, it was open until then.
    add("inferred", (at("10:00"), "investigating", "major_outage"), page_id="summary", key=SUMMARY, listed_in="summary")
    for number, (clock, listed) in enumerate(
        (("10:05", True), ("10:10", False), ("10:20", True), ("10:30", False), ("10:40", False))
    ):
        document(
            exports,
            "summary",
            key=SUMMARY if number == 0 else f"{SUMMARY}-{number}",
            incident_ids=["I-inferred"] if listed else [],
            exported_at=at(clock),
            page_updated_at=at(clock),
            page_id="summary",
        )
    # S4: what the catalog does not map, and an incident that names nothing.
    incident(exports, "I-unmapped", component_ids=["c-nowhere"], updates=[(*opened[:2], {})])
    incident(exports, "I-bare", component_ids=[], updates=[(*opened[:2], {})], impact="critical")


def add_silence(exports: Exports) -> None:
    """Three accounts whose only monitor is silent for 58 minutes; for one, an entry covers half an hour of it."""
    for name in ("approved", "rejected", "covered"):
        start = at("10:00", 20)
        monitor(
            exports,
            f"M-{name}",
            service="dashboard",
            region=f"silent-{name}",
            active=(every(start, 60, "u")[0][0], every(start, 60, "u" * 65)[-1][0]),
        )
        checks(exports, f"M-{name}", "fra", every(start, 60, "uuu" + "." * 59 + "uuu"))
        contract(exports, f"C-{name}", region=f"silent-{name}")
    exports.outage("silent-covered", at("12:00", 20), 600)
    add_entry(
        exports,
        "X-covered",
        "third_party_ai",
        period=(at("10:30", 20), at("10:34", 20)),
        regions=["silent-covered"],
    )


@pytest.fixture(scope="module")
def months(load_months: Callable[..., Months]) -> Months:
    exports = Exports()
    add_incidents(exports)
    add_silence(exports)
    built = load_months("incidents", exports)
    built.build(APRIL, AS_OF)
    return built


COUNTED = [
    ("S2 from started_at to resolved_at", "impact", 5400),
    ("S2 another impact", "impact-minor", 0),
    ("S2 to the resolved update", "impact-update", 3600),
    ("S2 open until the as-of time", "impact-open", 7200),
    ("S2 started after it was resolved", "impact-backwards", 3600),
    ("S2 resolved at its very start", "impact-instant", 0),
    ("S2 only operational", "impact-operational", 3600),
    ("S2 a component says otherwise", "impact-degraded", 0),
    ("S1 until it changes", "changes", 1800),
    ("S1 nothing after the resolution", "postmortem", 600),
    ("S1 as of", "as-of", 3600),
    ("S1 to the update that resolved", "resolved-earlier", 1800),
    ("S2 declared after the as-of time", "impact-later", 0),
    ("S1 not yet", "after-as-of", 0),
    ("S2 maintenances never", "maintenance", 0),
    ("S3 replaced", "replaced", 300),
    ("S3 withdrawn", "withdrawn", 0),
    ("S3 not complete", "kept", 3600),
    ("S5 inferred", "inferred", 1800),
]


@pytest.mark.parametrize(("case", "name", "counted"), COUNTED, ids=[case[0] for case in COUNTED])
def test_incidents(months: Months, case: str, name: str, counted: int) -> None:
    assert months.figures[APRIL, f"C-{name}"]["counted_seconds"] == counted


def test_unmapped_components_are_listed(months: Months) -> None:
    rows = months.rows("select component_id, incident_id from intermediate.int_unmapped_components")
    assert rows == [{"component_id": "c-nowhere", "incident_id": "I-unmapped"}]


@pytest.mark.parametrize(
    ("code", "subject"),
    [
        ("incident_withdrawn", "I-withdrawn"),
        ("incident_resolution_inferred", "I-inferred"),
        ("incident_without_components", "I-bare"),
        ("component_unmapped", "c-nowhere"),
    ],
)
def test_findings(months: Months, code: str, subject: str) -> None:
    assert [row["subject"] for row in months.findings[APRIL] if row["code"] == code] == [subject]


def test_decisions_hold_for_the_figures_that_they_were_made_on(months: Months) -> None:
    """Approved: unknown time counts, or is excluded where covered. Rejected: up. Other figures: held again."""
    held = {name: months.figures[APRIL, f"C-{name}"] for name in ("approved", "rejected", "covered")}
    assert {row["status"] for row in held.values()} == {"held"}
    assert held["covered"]["unknown_seconds"] == 3480
    with connect(months.settings.warehouse) as connection:
        for name, is_approved in (("approved", True), ("rejected", False), ("covered", True)):
            connection.execute(
                "select audit.record_decision('held_month', %s, %s, %s, 'ann', 'seen', 'cli')",
                (f"C-{name}|{APRIL}", held[name]["held_digest"], is_approved),
            )
    months.build(APRIL, AS_OF)
    names = ("counted_seconds", "excluded_seconds", "unknown_seconds", "credit_percent", "status", "reason")
    found = {name: tuple(months.figures[APRIL, f"C-{name}"][each] for each in names) for name in held}
    assert found == {
        "approved": (3480, 0, 0, 5, "measured", "unknown_time_decided_down"),
        "rejected": (0, 0, 0, 0, "measured", "unknown_time_decided_up"),
        "covered": (3480 - 240 + 600, 240, 0, 5, "measured", "unknown_time_decided_down"),
    }
    for name, row in held.items():
        after = months.figures[APRIL, f"C-{name}"]
        assert after["held_digest"] == row["held_digest"]
        assert after["uptime_percent"] == after["uptime_percent_low"]
    assert months.segments[APRIL, "C-rejected"] == []
    assert [(s["kind"], s["categories"]) for s in months.segments[APRIL, "C-covered"]] == [
        ("counted", []),
        ("excluded", ["third_party_ai"]),
        ("counted", []),
        ("counted", []),
    ]
    # A correction makes other figures, and so another decision.
    with connect(months.settings.warehouse) as connection:
        connection.execute(
            "update raw.contracts set suspensions = %s where contract_id = 'C-approved'",
            ("{[2026-04-25T00:00:00Z,2026-04-25T01:00:00Z)}",),
        )
    months.build(APRIL, AS_OF)
    assert months.figures[APRIL, "C-approved"]["status"] == "held"
    assert months.figures[APRIL, "C-rejected"]["status"] == "measured"


ASSERTIONS = {
    "assert_account_month_parts_add_up": (
        "update marts.fct_account_months set measured_seconds = measured_seconds + 0.000001"
        " where contract_id = 'C-impact-minor'"
    ),
    "assert_account_downtime_adds_up_to_its_month": (
        "update marts.fct_account_downtime set kind = 'excluded' where contract_id = 'C-impact'"
    ),
    "assert_account_downtime_never_overlaps": (
        "insert into marts.fct_account_downtime select contract_id, service_month, started_at + interval '1 second',"
        " ended_at, kind, services, categories, source_ids from marts.fct_account_downtime"
        " where contract_id = 'C-impact-update'"
    ),
    "assert_every_contract_month_is_accounted_for": (
        "delete from marts.fct_account_months where contract_id = 'C-postmortem'"
    ),
}


def test_assertions_find_what_they_are_for(months: Months) -> None:
    """Each assertion that runs with every build fails for rows planted to break it, and passed before."""
    assert failures(months.settings, "test", select=tuple(ASSERTIONS)) == {}
    with connect(months.settings.warehouse) as connection:
        for plant in ASSERTIONS.values():
            assert connection.execute(plant).rowcount == 1
    assert set(failures(months.settings, "test", select=tuple(ASSERTIONS))) == set(ASSERTIONS)
