"""Rules T1, T2 and T4 as far as they speak of several documents."""

from __future__ import annotations

import itertools

import pytest

from slaledger import terms


def document(name: str, text: str, rank: int) -> terms.Document:
    reading = terms.read_document(text)
    assert not reading.faults, reading.faults
    return terms.Document(name=name, content=reading.content, rank=(1, rank), lines=reading.lines)


def resolve(*texts: str, catalog_services: tuple[str, ...] = ()) -> terms.Resolution:
    documents = [document(f"{position}.yml", text, position) for position, text in enumerate(texts)]
    return terms.resolve_all(terms.shipped_documents() + documents, catalog_services=catalog_services)


def acme(version: str, start: str, more: str = "", *, parent: str = "klink-enterprise", terms_id: str = "acme") -> str:
    return f"id: {terms_id}\nversion: '{version}'\neffective_from: {start}T00:00:00Z\nextends: {parent}\n{more}"


def versions_of(resolution: terms.Resolution, terms_id: str = "acme") -> list[terms.Resolved]:
    return [each for each in resolution.versions if each.document.key[0] == terms_id]


def refused(resolution: terms.Resolution) -> list[tuple[str, int, str]]:
    return sorted((document.name, fault.line, fault.message) for document, fault in resolution.faults)


def test_the_standard_three_are_always_present():
    resolution = resolve()
    assert {each.document.key for each in resolution.versions} == {
        (f"klink-{plan}", "2026-01") for plan in ("starter", "growth", "enterprise")
    }
    assert not resolution.faults


def test_what_is_not_stated_is_inherited_and_shown():
    (entry,) = versions_of(
        resolve(acme("1", "2026-02-01", "availability: {commitment: 99.95}\nresponse_times: {targets: {P1: 1h}}\n"))
    )
    assert entry.parent == ("klink-enterprise", "2026-01")
    assert str(entry.content["availability"]["commitment"]) == "99.95"
    assert entry.content["response_times"]["targets"] == {
        "P1": "1h",
        "P2": "4h",
        "P3": "1 business day",
        "P4": "2 business days",
    }
    assert {"claims.within", "response_times.targets.P2", "time_zone"} <= set(entry.inherited)
    assert not {"availability.commitment", "response_times.targets.P1", "availability"} & set(entry.inherited)


def test_what_is_inherited_through_others_tells_who_states_it():
    middle = acme("1", "2026-02-01", "claims: {within: 20d}\n", terms_id="group")
    (entry,) = versions_of(resolve(middle, acme("7", "2026-03-01", "plan: acme\n", parent="group")))
    assert entry.parent == ("group", "1")
    assert entry.origins["plan"] == ("acme", "7")
    assert entry.origins["claims.within"] == ("group", "1")
    assert entry.origins["claims.required"] == ("klink-enterprise", "2026-01")
    # Nobody states a cap: it is a default of the rules, and still comes with the parent.
    assert "response_times.response_credit_cap" not in entry.origins
    assert "response_times.response_credit_cap" in entry.inherited


def test_without_a_cap_credits_for_breaches_come_to_the_fee_at_most():
    uncapped = acme("1", "2026-02-01", "response_times: {credits: [{severity: P1, percent: 40}]}\n")
    assert [entry.content["response_times"]["response_credit_cap"] for entry in versions_of(resolve(uncapped))] == [100]


def test_terms_without_a_parent_inherit_nothing():
    text = "id: solo\nversion: '1'\neffective_from: 2026-02-01T00:00:00Z\nplan: solo\nguaranteed: true\n" + (
        "availability: {commitment: 99}\nexclusions: []\ncredits: []\n"
        "response_times: {targets: {P1: 1h, P2: 2h, P3: 3h, P4: 4h}}\n"
    )
    (entry,) = versions_of(resolve(text), "solo")
    assert entry.inherited == ()
    assert entry.content["maintenance"] == {"notice": "48h", "channels": ["email", "in_app"]}
    assert entry.origins["response_times.targets.P1"] == ("solo", "1")
    assert "maintenance.notice" not in entry.origins


@pytest.mark.parametrize(
    ("own", "path", "value"),
    [
        ("exclusions: [force_majeure]", ("exclusions",), ["force_majeure"]),
        ("exclusions: []", ("exclusions",), []),
        ("availability: {core_services: [dashboard]}", ("availability", "core_services"), ["dashboard"]),
        ("maintenance: {channels: [email]}", ("maintenance",), {"notice": "48h", "channels": ["email"]}),
        ("credits: []", ("credits",), []),
        ("claims: {must_include: []}", ("claims", "must_include"), []),
        ("claims: {}", ("claims", "within"), "10d"),
    ],
)
def test_lists_replace_and_mappings_merge(own, path, value):
    (entry,) = versions_of(resolve(acme("1", "2026-02-01", own + "\n")))
    found = entry.content
    for name in path:
        found = found[name]
    assert found == value


def test_the_calendars_zone_is_inherited_on_its_own():
    berlin = "time_zone: Europe/Berlin\nresponse_times: {calendar: {time_zone: Europe/Berlin, holidays: DE}}\n"
    group = acme("1", "2026-02-01", berlin, terms_id="group")
    resolution = resolve(
        group,
        acme("1", "2026-03-01", "time_zone: Asia/Kolkata\n", parent="group", terms_id="kolkata"),
        acme("1", "2026-03-01", "response_times: {calendar: {time_zone: UTC}}\n", parent="group", terms_id="utc"),
        acme("1", "2026-03-01", "time_zone: Asia/Kolkata\n", terms_id="other"),
    )
    both = {
        terms_id: (entry.content["time_zone"], entry.content["response_times"]["calendar"])
        for terms_id in ("kolkata", "utc", "other")
        for entry in versions_of(resolution, terms_id)
    }
    assert both == {
        "kolkata": ("Asia/Kolkata", {"time_zone": "Europe/Berlin", "holidays": "DE"}),
        "utc": ("Europe/Berlin", {"time_zone": "UTC", "holidays": "DE"}),
        "other": ("Asia/Kolkata", {"time_zone": "UTC", "holidays": None}),
    }


def test_a_version_inherits_from_the_parent_in_force_at_its_own_start():
    parent = acme("2026-06", "2026-06-01", "guaranteed: true\n", parent="klink-growth", terms_id="klink-enterprise")
    before, after = versions_of(resolve(parent, acme("1", "2026-05-31"), acme("2", "2026-06-01")))
    assert before.parent == ("klink-enterprise", "2026-01")
    assert after.parent == ("klink-enterprise", "2026-06")
    assert str(after.content["availability"]["commitment"]) == "99.5"


def test_a_landed_version_never_changes():
    resolution = resolve(acme("1", "2026-02-01", "plan: a\n"), acme("1", "2026-02-01", "plan: b\n"))
    (entry,) = versions_of(resolution)
    assert entry.content["plan"] == "a"
    assert [changed.name for changed in resolution.changed] == ["1.yml"]


def test_a_shipped_version_never_changes_either():
    resolution = resolve(acme("2026-01", "2026-01-01", parent="klink-growth", terms_id="klink-enterprise"))
    (entry,) = versions_of(resolution, "klink-enterprise")
    assert entry.content["guaranteed"] is True
    assert [changed.name for changed in resolution.changed] == ["0.yml"]


def test_the_same_content_again_is_no_change():
    text = acme("1", "2026-02-01", "availability: {commitment: 99.90}\n")
    assert not resolve(text, text.replace("99.90", "99.9")).changed


@pytest.mark.edge(116)
def test_two_versions_with_one_start_are_refused():
    resolution = resolve(acme("1", "2026-02-01"), acme("2", "2026-02-01"))
    assert refused(resolution) == [("1.yml", 3, "has the effective_from of version 1 of acme: give it another")]
    # One start is one instant, however it is written.
    same = acme("2", "2026-02-01").replace("T00:00:00Z", "T01:00:00+01:00")
    assert refused(resolve(acme("1", "2026-02-01"), same)) == refused(resolution)


def test_a_version_may_not_change_the_zone_of_its_id():
    resolution = resolve(acme("1", "2026-02-01"), acme("2", "2026-03-01", "time_zone: Europe/Berlin\n"))
    assert refused(resolution) == [
        ("1.yml", 5, "changes the time zone of acme from UTC to Europe/Berlin: use another id")
    ]
    assert len(versions_of(resolution)) == 1


def test_nor_may_it_by_another_parent():
    group = acme("1", "2026-01-01", "time_zone: Europe/Berlin\n", terms_id="group")
    resolution = resolve(group, acme("1", "2026-02-01"), acme("2", "2026-03-01", parent="group"))
    assert [(name, line) for name, line, _ in refused(resolution)] == [("2.yml", 4)]


def test_who_landed_first_sets_the_zone():
    """Not who comes into force first: what months were reckoned by does not change under them."""
    resolution = resolve(acme("2", "2026-03-01"), acme("1", "2026-02-01", "time_zone: Europe/Berlin\n"))
    assert [entry.document.key[1] for entry in versions_of(resolution)] == ["2"]
    shipped = acme("2025-01", "2025-01-01", "time_zone: Asia/Kolkata\n", terms_id="klink-growth", parent="acme")
    solo = acme("1", "2025-01-01").replace("extends: klink-enterprise\n", "") + (
        "plan: a\nguaranteed: true\navailability: {commitment: 99}\nexclusions: []\ncredits: []\n"
        "response_times: {targets: {P1: 1h, P2: 2h, P3: 3h, P4: 4h}}\n"
    )
    resolution = resolve(solo, shipped)
    assert [entry.document.key[1] for entry in versions_of(resolution, "klink-growth")] == ["2026-01"]


def test_unknown_services_are_named_by_their_line():
    text = acme("1", "2026-02-01", "availability:\n  core_services:\n    - dashboard\n    - fax\n    - telex\n")
    assert refused(resolve(text)) == [
        ("0.yml", line, f"names the unknown service {name}: neither the catalog nor the standard terms have it")
        for line, name in ((8, "fax"), (9, "telex"))
    ]
    assert not resolve(text, catalog_services=("fax", "telex")).faults


def test_an_unknown_parent_a_late_parent_and_a_circle_are_refused():
    assert refused(resolve(acme("1", "2026-02-01", parent="nobody"))) == [
        ("0.yml", 4, "extends nobody: there are no such terms, or each version of them was refused")
    ]
    assert refused(resolve(acme("1", "2025-02-01"))) == [
        (
            "0.yml",
            4,
            "extends klink-enterprise: no version of it is in force at 2025-02-01T00:00:00Z, the effective_from: "
            "the first that stands is 2026-01, from 2026-01-01T00:00:00Z",
        )
    ]
    circle = resolve(
        acme("1", "2026-02-01", parent="b", terms_id="a"),
        acme("1", "2026-02-01", parent="c", terms_id="b"),
        acme("1", "2026-02-01", parent="a", terms_id="c"),
        acme("1", "2026-02-01", parent="a", terms_id="outside"),
    )
    assert refused(circle) == [
        ("0.yml", 4, "extends itself, through others: a → b → c → a"),
        ("1.yml", 4, "extends itself, through others: b → c → a → b"),
        ("2.yml", 4, "extends itself, through others: c → a → b → c"),
        ("3.yml", 4, "extends a: there are no such terms, or each version of them was refused"),
    ]
    assert len(circle.versions) == 3


def test_versions_that_extend_each_other_by_turns_are_no_circle():
    resolution = resolve(
        acme("1", "2026-02-01", terms_id="a"),
        acme("1", "2026-03-01", parent="a", terms_id="b"),
        acme("2", "2026-04-01", parent="b", terms_id="a"),
    )
    assert not resolution.faults
    assert [entry.parent for entry in versions_of(resolution, "a")] == [("klink-enterprise", "2026-01"), ("b", "1")]


def test_a_refused_version_is_as_if_it_were_not_there():
    """Its children inherit from the version before it, which is the one in force then."""
    resolution = resolve(
        acme("1", "2026-02-01", "claims: {within: 20d}\n"),
        acme("2", "2026-03-01", "claims: {within: 30d}\ntime_zone: Europe/Berlin\n"),
        acme("1", "2026-04-01", parent="acme", terms_id="child"),
    )
    assert [name for name, _, _ in refused(resolution)] == ["1.yml"]
    (child,) = versions_of(resolution, "child")
    assert (child.parent, child.content["claims"]["within"]) == (("acme", "1"), "20d")


def test_a_mended_document_takes_the_place_of_a_refused_one():
    """What was rejected has never been a version: its number is free."""
    resolution = resolve(
        acme("1", "2026-02-01"),
        acme("2", "2026-03-01", "time_zone: Europe/Berlin\n"),
        acme("2", "2026-03-01", "plan: mended\n"),
        acme("2", "2026-03-01", "plan: toolate\n"),
    )
    assert [name for name, _, _ in refused(resolution)] == ["1.yml"]
    assert [changed.name for changed in resolution.changed] == ["3.yml"]
    assert [entry.content["plan"] for entry in versions_of(resolution)] == ["enterprise", "mended"]


def test_a_fault_that_comes_of_another_goes_with_it():
    """The eldest version is refused for its parent: its zone binds nobody."""
    resolution = resolve(
        acme("1", "2026-02-01", "time_zone: Europe/Berlin\n", parent="nobody"),
        acme("2", "2026-03-01", "time_zone: Asia/Kolkata\n"),
    )
    assert [name for name, _, _ in refused(resolution)] == ["0.yml"]
    assert [entry.content["time_zone"] for entry in versions_of(resolution)] == ["Asia/Kolkata"]


def test_the_order_in_which_documents_are_read_changes_nothing():
    texts = [
        acme("1", "2026-02-01", "time_zone: Europe/Berlin\n"),
        acme("2", "2026-03-01"),
        acme("1", "2026-04-01", parent="acme", terms_id="child"),
        acme("3", "2026-02-01"),
        acme("1", "2026-02-01", parent="nobody", terms_id="lost"),
    ]
    documents = [document(f"{position}.yml", text, position) for position, text in enumerate(texts)]
    shipped = terms.shipped_documents()
    outcomes = set()
    for order in itertools.permutations(documents):
        resolution = terms.resolve_all([*order, *shipped])
        outcomes.add(
            (tuple(refused(resolution)), tuple((each.document.key, each.parent) for each in resolution.versions))
        )
    assert len(outcomes) == 1


def test_a_long_line_of_parents_is_resolved():
    head = {"version": "1", "effective_from": "2026-02-01T00:00:00Z"}
    documents = [
        terms.Document(str(n), {"id": f"t{n}", "extends": f"t{n - 1}" if n else "klink-growth", **head}, rank=(1, n))
        for n in range(1500)
    ]
    resolution = terms.resolve_all(terms.shipped_documents() + documents)
    assert not resolution.faults and len(resolution.versions) == 1503
