"""Accounts, contracts and fees of a scene: plan changes, suspensions, sandboxes, and each side that lacks the other."""

from __future__ import annotations

import itertools

from tests.second_route.terms_documents import REFUSED, Terms
from tests.second_route.world import CORE, DAY, HOUR, SERVICES, Row, Scene, Span, World, following, month_bounds

FEES = {
    "USD": ("1000.00", "0.50", "19.99", "0.10", "123456789.37", "0", "0.00"),
    "EUR": ("250.10", "0.30", "8.50"),
    "JPY": ("1999", "10", "100000", "1", "0"),
    "KWD": ("10.005", "0.03", "1234.567", "0"),
    "CLF": ("1.0001", "33.3333"),
    "ISK": ("12345",),
    "HUF": ("999.99",),
}
UNKNOWN_CURRENCIES = ("ZZZ", "usd", "BTC", "XAU")
NAMES = ("Acme {}", "Ünïcode & Söhne {} GmbH", "ＦＵＬＬ　Width {}", "Straße {}", "Mojibake Ã¤ {}", "İstanbul {} A.Ş.")


def account(world: World, account_id: str, *, is_sandbox: bool = False) -> str:
    """An account with a company name that is not plain."""
    name = world.one(*NAMES).format(account_id)
    sandbox = "true" if is_sandbox else world.one(None, None, "false")
    organization_id = _organization(world, account_id)
    world.add(
        "accounts/accounts",
        account_id=account_id,
        company_name=name,
        sandbox=sandbox,
        zendesk_organization_id=organization_id,
    )
    world.accounts.append(account_id)
    world.companies[account_id] = name
    return account_id


def _organization(world: World, account_id: str) -> int | None:
    """The organization that an account names, if it does: of its own, or one that others are, or name, too."""
    own = [int(account_id)] if account_id.isdecimal() else []
    shared = [world.rng.choice(world.organizations)] if world.organizations else []
    named = world.one(None, 500_000 + len(world.organizations), *(shared if world.chance(20) else ()))
    world.organizations += [*own, *([named] if named is not None else [])]
    return named


def contract(
    scene: Scene,
    contract_id: str,
    account_id: str,
    terms: Terms,
    *,
    active: tuple[int, int | None],
    services: list[str] | None = None,
    suspensions: list[Span] = (),
) -> Row:
    """A contract and, mostly, its fee for the month."""
    world = scene.world
    terms_id = (
        world.one(*REFUSED, "never-written", "never-written")
        if world.chance(2.5) and not scene.is_exact
        else terms.terms_id
    )
    plan = world.one("enterprise", "enterprise", "growth", "starter")
    row = world.add(
        "accounts/contracts",
        contract_id=contract_id,
        account_id=account_id,
        plan=plan,
        terms_id=terms_id,
        region=scene.region,
        services=services,
        starts_at=world.text(active[0]),
        ends_at=world.text(active[1]),
        suspensions=[{"starts_at": world.text(start), "ends_at": world.text(end)} for start, end in suspensions]
        or None,
        active_agreement=world.chance(94),
    )
    fee(world, contract_id)
    return row


def fee(world: World, contract_id: str) -> None:
    """The fee of the month, mostly, and sometimes one of another month."""
    currency = world.one("USD", "USD", *FEES)
    if world.chance(96):
        shown = world.one(*UNKNOWN_CURRENCIES) if world.chance(2) else currency
        amount = (
            world.one(*FEES[currency])
            if world.chance(70)
            else f"{world.rng.randrange(10**7)}.{world.rng.randrange(1000):03d}"
        )
        world.add(
            "accounts/fees",
            contract_id=contract_id,
            service_month=world.month,
            monthly_fee=amount,
            currency=shown,
        )
    if world.chance(10):
        other = following(world.month, world.one(-1, 1))
        world.add("accounts/fees", contract_id=contract_id, service_month=other, monthly_fee="7.77", currency="USD")


def contracts_of(scene: Scene, terms: list[Terms], account_number: int) -> None:
    """An account of the scene with one contract, two at once, or one after the other (rule P3)."""
    world, rng = scene.world, scene.world.rng
    # Some are called as Zendesk's organizations are.
    name = (
        f"A{scene.number:05d}-{account_number}"
        if world.chance(60)
        else f"{8_000_000 + 10 * scene.number + account_number}"
    )
    account_id = account(world, name, is_sandbox=world.chance(2))
    scene.account_ids.append(account_id)
    before, after = scene.start - 30 * DAY, scene.end + 40 * DAY
    whole = (before, None)
    roll = rng.random()
    if roll < 0.5 or (scene.is_exact and roll < 0.8):
        spans: list[tuple[int, int | None]] = [whole]
    elif roll < 0.7:
        change = _inside(scene)
        spans = [(before, change), (change + world.one(0, 0, 0, 1, HOUR), world.one(None, after))]
    elif roll < 0.8:
        spans = [whole, (world.one(before, _inside(scene)), None)]
    elif roll < 0.87:
        spans = [(_inside(scene), None)]
    elif roll < 0.94:
        spans = [(before, _inside(scene))]
    else:
        first, last = sorted((_inside(scene), _inside(scene) + 1))
        spans = [world.one((first, last), (scene.start, scene.end), (before, scene.start), (scene.end, None))]
    for number, active in enumerate(spans):
        if active[1] is not None and active[1] <= active[0]:
            continue
        scene.moments += [at for at in active if at is not None and scene.start <= at <= scene.end]
        suspensions = _suspensions(scene) if world.chance(5 if scene.is_exact else 15) else []
        if not number and not account_number:
            scene.measured = _measured(scene, active, suspensions)
        contract(
            scene,
            f"C{scene.number:05d}-{account_number}{'abcd'[number]}",
            account_id,
            terms[number % len(terms)],
            active=active,
            services=_services(world) if not scene.is_exact else None,
            suspensions=suspensions,
        )


def _inside(scene: Scene) -> int:
    """An instant of the month, often one of its bounds or beside it."""
    world = scene.world
    at = world.rng.randrange(scene.start, scene.end)
    return world.one(at, at - at % HOUR, at - at % DAY, scene.start, scene.end, scene.start + 1, scene.end - 1)


def _services(world: World) -> list[str] | None:
    roll = world.rng.random()
    if roll < 0.6:
        return None
    return [] if roll < 0.65 else world.some(SERVICES if roll < 0.95 else (*CORE, "fax"))


def _suspensions(scene: Scene) -> list[Span]:
    """Some spans, overlapping or touching, or one that leaves nothing of the month."""
    if scene.world.chance(15):
        return [(scene.start - scene.world.one(0, 1, DAY), scene.end + scene.world.one(0, -1, DAY))]
    spans = [scene.span(HOUR, 3 * DAY) for _ in range(scene.world.one(1, 1, 2, 3))]
    if scene.world.chance(30):
        spans.append((spans[-1][1], spans[-1][1] + HOUR))
    return spans


def _measured(scene: Scene, active: tuple[int, int | None], suspensions: list[Span]) -> list[Span]:
    """The measured period of a contract whose month is over (P2), piece by piece."""
    until = scene.end if active[1] is None else min(active[1], scene.end)
    bounds = {max(active[0], scene.start), until}
    bounds |= {at for span in suspensions for at in span}
    edges = sorted(at for at in bounds if max(active[0], scene.start) <= at <= until)
    return [
        (start, end)
        for start, end in itertools.pairwise(edges)
        if not any(first <= start < last for first, last in suspensions)
    ]


def make_strangers(world: World) -> None:
    """Accounts without contracts, contracts without accounts, fees without contracts."""
    for number in range(6):
        account(world, f"lonely-{number}", is_sandbox=number == 5)
        fee(world, f"nothing-{number}")
        world.add(
            "accounts/contracts",
            contract_id=f"orphan-{number}",
            account_id=f"nobody-{number}",
            plan="enterprise",
            terms_id=world.one("klink-enterprise", "custom-0"),
            region=world.one("atlantis", "global", "r00001"),
            starts_at=world.text(month_bounds(world.month, "UTC")[0] - 50 * DAY),
            active_agreement=True,
        )
        if world.chance(50):
            fee(world, f"orphan-{number}")
