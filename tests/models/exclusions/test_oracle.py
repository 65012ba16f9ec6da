"""Random notices and entries: the models against a replay, instant by instant. `SLA_TEST_SEED` gives another seed."""

from __future__ import annotations

import os
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from slaledger.settings import Settings
from slaledger.warehouse import connect
from tests.models.builder import Exports, build, component, contract
from tests.models.builder_exclusions import add_entry, add_notice
from tests.models.exclusions.oracle import Entry, Notice, Pair, Version, entry_covers, maintenance_covers, version_at

SEED = int(os.environ.get("SLA_TEST_SEED", "20260331"))
MAINTENANCES = 250
ENTRIES = 80
MONTH = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))

ALL = frozenset(
    {
        "third_party_meta",
        "third_party_messaging",
        "third_party_ai",
        "customer_connectivity",
        "force_majeure",
        "scheduled_maintenance",
    }
)
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
V2 = datetime(2026, 3, 16, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
VERSIONS = {
    "klink-enterprise": [Version(JANUARY, ALL, 48 * HOUR, frozenset({"email", "in_app"}))],
    # Sterner in the middle of the month, and without Meta.
    "strict": [
        Version(JANUARY, ALL, 48 * HOUR, frozenset({"email", "in_app"})),
        Version(V2, ALL - {"third_party_meta"}, 72 * HOUR, frozenset({"email"})),
    ],
    "page": [Version(JANUARY, ALL, timedelta(0), frozenset({"email", "status_page"}))],
    "bare": [Version(JANUARY, frozenset({"force_majeure"}), 48 * HOUR, frozenset({"email"}))],
    # Excludes maintenance from the middle of the month only.
    "late": [
        Version(JANUARY, frozenset({"third_party_ai"}), 48 * HOUR, frozenset({"email", "in_app"})),
        Version(V2, ALL, 24 * HOUR, frozenset({"email", "in_app"})),
    ],
}
ACCOUNTS = {f"{terms_id}-{region}": (terms_id, region) for terms_id in VERSIONS for region in ("eu", "us")}
COMPONENTS: dict[str, Pair] = {
    "c1": ("messaging_engine", "eu"),
    "c2": ("dashboard", "eu"),
    "c3": ("messaging_engine", "us"),
    "c4": ("call_routing", "global"),
    # Another component of the same pair, and a service that is no core service.
    "c5": ("messaging_engine", "eu"),
    "c6": ("billing_portal", "eu"),
}
CORE = ("dashboard", "call_routing", "messaging_engine")


def _addressed(random: Random) -> list[str]:
    return [] if random.random() < 0.6 else random.sample(sorted(ACCOUNTS), random.randint(1, 6))


def _near(random: Random, base: datetime, hours: tuple[int, int]) -> datetime:
    """On a grid of hours, so that instants coincide often; sometimes a microsecond beside it."""
    beside = random.choice([0, 0, 0, 0, 0, 0, -1, 1])
    return base + random.randint(*hours) * HOUR + timedelta(microseconds=beside)


def _notices(random: Random) -> list[tuple[Notice, list[str]]]:
    made = []
    for number in range(MAINTENANCES):
        base = MONTH[0] + random.randint(-12, 31 * 24 + 12) * HOUR
        shared = _near(random, base, (-60, 2))
        for position in range(random.randint(1, 6)):
            action = "announce" if position == 0 else random.choice(["announce", "move", "cut", "extend", "cancel"])
            start = _near(random, base, (-3, 6))
            window = None if action == "cancel" else (start, start + random.randint(1, 8) * HOUR)
            if window is not None and random.random() < 0.5:
                sent_at = (
                    window[0]
                    - random.choice([24, 48, 72]) * HOUR
                    + timedelta(microseconds=random.choice([-1, 0, 0, 1]))
                )
            else:
                sent_at = shared if random.random() < 0.3 else _near(random, base, (-100, 8))
            named = random.sample([*COMPONENTS, "unknown"], random.randint(1, 3))
            letter = random.choice("aAbB_é")
            made.append(
                (
                    Notice(
                        notice_id=f"{letter}{number}-{position}",
                        maintenance_id=f"m{number}",
                        action=action,
                        channel=random.choice(["email", "email", "in_app", "status_page"]),
                        sent_at=sent_at,
                        window=window,
                        pairs=frozenset(COMPONENTS[name] for name in named if name in COMPONENTS),
                        account_ids=frozenset(_addressed(random)),
                    ),
                    named,
                )
            )
    return made


def _entries(random: Random) -> list[Entry]:
    made = []
    for number in range(ENTRIES):
        start = _near(random, MONTH[0], (-30, 31 * 24))
        made.append(
            Entry(
                # Some share an id with a notice, which must not be taken for them.
                exclusion_id=f"a{number}-0",
                category=random.choice(sorted(ALL - {"scheduled_maintenance"})),
                period=(start, start + random.randint(1, 90) * HOUR),
                services=frozenset(random.sample([*CORE, "billing_portal"], random.randint(0, 2))),
                regions=frozenset(random.sample(["eu", "us", "global"], random.randint(0, 2))),
                account_ids=frozenset(_addressed(random)),
                has_evidence=random.random() < 0.9,
                author="ann",
                approved_by=random.choice(["bob", "bob", "bob", "bob", "bob", "ann", None]),
                approved_at=random.choice([JANUARY, JANUARY, JANUARY, V2, MONTH[1], None]),
                revoked_at=random.choice([None, None, None, None, V2, MONTH[1]]),
            )
        )
    return made


def _exports(notices: list[tuple[Notice, list[str]]], entries: list[Entry]) -> Exports:
    exports = Exports()
    for contract_id, (terms_id, region) in ACCOUNTS.items():
        contract(exports, contract_id, account_id=contract_id, region=region, terms_id=terms_id)
    for component_id, (service, region) in COMPONENTS.items():
        component(exports, component_id, service=service, region=region)
    for terms_id, versions in VERSIONS.items():
        for version in versions if terms_id != "klink-enterprise" else ():
            exports.terms(
                terms_id,
                f"from {version.effective_from:%Y-%m-%d}",
                since=version.effective_from.isoformat(),
                exclusions=sorted(version.categories),
                maintenance={"notice": f"{version.notice // HOUR}h", "channels": sorted(version.channels)},
            )
    for notice, named in notices:
        add_notice(
            exports,
            notice.notice_id,
            notice.maintenance_id,
            notice.action,
            sent_at=notice.sent_at,
            window=notice.window,
            component_ids=named,
            channel=notice.channel,
            account_ids=sorted(notice.account_ids),
        )
    for entry in entries:
        add_entry(
            exports,
            entry.exclusion_id,
            entry.category,
            period=entry.period,
            services=sorted(entry.services),
            regions=sorted(entry.regions),
            account_ids=sorted(entry.account_ids),
            evidence_url="evidence/1" if entry.has_evidence else None,
            author=entry.author,
            approved_by=entry.approved_by,
            approved_at=entry.approved_at,
            revoked_at=entry.revoked_at,
        )
    return exports


@pytest.fixture(scope="module")
def landed(fresh_settings: Settings) -> tuple[Settings, list[Notice], list[Entry]]:
    random = Random(SEED)
    notices, entries = _notices(random), _entries(random)
    _exports(notices, entries).load(fresh_settings)
    return fresh_settings, [notice for notice, _ in notices], entries


@pytest.mark.parametrize("as_of", [datetime(2026, 4, 5, tzinfo=UTC), datetime(2026, 3, 17, 13, tzinfo=UTC)])
def test_models_say_what_a_replay_says(landed, as_of: datetime) -> None:
    print(f"seed {SEED}")
    settings, notices, entries = landed
    build(settings, month="2026-03", as_of=as_of.isoformat(), select=["+int_scope_exclusions"])
    reckoned: dict[tuple, list] = defaultdict(list)
    with connect(settings.warehouse) as connection:
        rows = connection.execute(
            """
            select s.contract_id, e.source_kind, e.source_id, e.service, e.region, e.started_at, e.ended_at
            from intermediate.int_scope_exclusions as e
            inner join intermediate.int_contract_scopes as s using (scope_id)
            order by e.started_at
            """
        ).fetchall()
    end = min(MONTH[1], as_of)
    for *key, started_at, ended_at in rows:
        assert MONTH[0] <= started_at < ended_at <= end, (key, started_at, ended_at)
        intervals = reckoned[tuple(key)]
        assert not intervals or intervals[-1][1] < started_at, f"{key} overlaps or touches itself at {started_at}"
        intervals.append((started_at, ended_at))

    maintenances: dict[str, list[Notice]] = defaultdict(list)
    for notice in notices:
        maintenances[notice.maintenance_id].append(notice)
    sources = [
        ("maintenance", name, sent, [at for n in sent for at in (n.sent_at, *(n.window or ()))])
        for name, sent in maintenances.items()
    ] + [("register", entry.exclusion_id, entry, list(entry.period)) for entry in entries]

    compared = covered = 0
    differences = []
    for account_id, (terms_id, region) in ACCOUNTS.items():
        for kind, name, source, ats in sources:
            # Both sides are constant between these instants.
            instants = sorted({at for at in (*ats, V2, MONTH[0]) if MONTH[0] <= at < end})
            for pair in ((service, seen) for service in CORE for seen in (region, "global")):
                intervals = reckoned.pop((account_id, kind, name, *pair), [])
                for at in instants:
                    version = version_at(VERSIONS[terms_id], at)
                    if kind == "maintenance":
                        expected = maintenance_covers(
                            source, version, account_id=account_id, pair=pair, at=at, as_of=as_of
                        )
                    else:
                        expected = entry_covers(source, version, account_id=account_id, pair=pair, at=at, as_of=as_of)
                    compared += 1
                    covered += expected
                    if expected != any(started <= at < ended for started, ended in intervals):
                        differences.append((account_id, name, pair, at.isoformat(), expected))
    print(f"{compared} instants compared, {covered} excluded, {len(rows)} rows")
    assert differences == [], f"seed {SEED}: {len(differences)} of {compared}, the first: {differences[:3]}"
    assert not reckoned, f"seed {SEED}: rows for what no account sees: {list(reckoned)[:3]}"
    assert covered > 1000, "too few excluded instants: the test would prove little"
