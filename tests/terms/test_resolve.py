"""Rules T1, T2 and T4 as far as they speak of several documents."""

from __future__ import annotations

from slaledger import terms


def document(name: str, text: str, rank: int) -> terms.Document:
    content, faults = terms.read_document(text)
    assert not faults, faults
    return terms.Document(name=name, content=content, rank=(1, rank))


def resolve(*texts: str) -> terms.Resolution:
    documents = [document(f"{position}.yml", text, position) for position, text in enumerate(texts)]
    return terms.resolve_all(terms.shipped_documents() + documents)


def acme(version: str, start: str, more: str = "", *, parent: str = "klink-enterprise", terms_id: str = "acme") -> str:
    return f"id: {terms_id}\nversion: '{version}'\neffective_from: {start}T00:00:00Z\nextends: {parent}\n{more}"


def versions_of(resolution: terms.Resolution, terms_id: str) -> list[terms.Resolved]:
    return [each for each in resolution.versions if each.document.key[0] == terms_id]


def test_the_standard_three_are_always_present():
    resolution = resolve()
    assert {each.document.key for each in resolution.versions} == {
        (f"klink-{plan}", "2026-01") for plan in ("starter", "growth", "enterprise")
    }
    assert not resolution.faults


def test_what_is_not_stated_is_inherited_and_shown():
    (entry,) = versions_of(
        resolve(acme("1", "2026-02-01", "availability: {commitment: 99.95}\nresponse_times: {targets: {P1: 1h}}\n")),
        "acme",
    )
    assert entry.parent == ("klink-enterprise", "2026-01")
    assert str(entry.content["availability"]["commitment"]) == "99.95"
    assert entry.content["response_times"]["targets"] == {
        "P1": "1h",
        "P2": "4h",
        "P3": "1 business day",
        "P4": "2 business days",
    }
    assert "claims.within" in entry.inherited
    assert "response_times.targets.P2" in entry.inherited
    assert "availability.commitment" not in entry.inherited
    assert "response_times.targets.P1" not in entry.inherited


def test_lists_replace_and_do_not_merge():
    (entry,) = versions_of(resolve(acme("1", "2026-02-01", "exclusions: [force_majeure]\n")), "acme")
    assert entry.content["exclusions"] == ["force_majeure"]


def test_a_version_inherits_from_the_parent_in_force_at_its_own_start():
    parent = acme("2026-06", "2026-06-01", "guaranteed: true\n", parent="klink-growth", terms_id="klink-enterprise")
    before, after = versions_of(resolve(parent, acme("1", "2026-05-31"), acme("2", "2026-06-01")), "acme")
    assert before.parent == ("klink-enterprise", "2026-01")
    assert after.parent == ("klink-enterprise", "2026-06")
    assert str(after.content["availability"]["commitment"]) == "99.5"


def test_a_landed_version_never_changes():
    resolution = resolve(acme("1", "2026-02-01", "plan: a\n"), acme("1", "2026-02-01", "plan: b\n"))
    (entry,) = versions_of(resolution, "acme")
    assert entry.content["plan"] == "a"
    assert [changed.name for changed in resolution.changed] == ["1.yml"]


def test_the_same_content_again_is_no_change():
    text = acme("1", "2026-02-01", "availability: {commitment: 99.90}\n")
    assert not resolve(text, text.replace("99.90", "99.9")).changed


def test_two_versions_with_one_start_are_refused():
    resolution = resolve(acme("1", "2026-02-01"), acme("2", "2026-02-01"))
    assert [(each.name, fault.message) for each, fault in resolution.faults] == [
        ("1.yml", "has the effective_from of version 1")
    ]


def test_a_version_may_not_change_the_zone_of_its_id():
    resolution = resolve(acme("1", "2026-02-01"), acme("2", "2026-03-01", "time_zone: Europe/Berlin\n"))
    assert [fault.message.split(":")[0] for _, fault in resolution.faults] == ["changes the time zone of acme from UTC"]
    assert len(versions_of(resolution, "acme")) == 1


def test_an_unknown_parent_a_late_parent_and_a_circle_are_refused():
    assert "no such terms" in resolve(acme("1", "2026-02-01", parent="nobody")).faults[0][1].message
    assert "no version in force" in resolve(acme("1", "2025-02-01")).faults[0][1].message
    circle = resolve(
        acme("1", "2026-02-01", parent="b", terms_id="a"), acme("1", "2026-02-01", parent="a", terms_id="b")
    )
    assert any("extends itself" in fault.message for _, fault in circle.faults)
    assert not versions_of(circle, "a") and not versions_of(circle, "b")


def test_files_are_linted_together(tmp_path):
    good, bad = tmp_path / "good.yml", tmp_path / "bad.yml"
    good.write_text(acme("1", "2026-02-01"))
    bad.write_text(acme("2", "2026-02-01"))
    assert terms.lint_files([good]) == []
    assert terms.lint_files([good, bad])[0][0] == str(bad)
    assert "cannot be read" in terms.lint_files([tmp_path / "absent.yml"])[0][1].message
