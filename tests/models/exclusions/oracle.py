"""The rules of exclusions by brute force: for one instant, replay what the account had been told by then.

No interval arithmetic, and nothing in common with the models: at each instant every notice sent by then is read
in order, as a customer's inbox would be (rules X1-X4, X8, T3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

Pair = tuple[str, str]
Period = tuple[datetime, datetime]


@dataclass(frozen=True)
class Version:
    """What a version of the terms says of exclusions, from an instant on."""

    effective_from: datetime
    categories: frozenset[str]
    notice: timedelta
    channels: frozenset[str]


@dataclass(frozen=True)
class Notice:
    notice_id: str
    maintenance_id: str
    action: str
    channel: str
    sent_at: datetime
    window: Period | None
    pairs: frozenset[Pair]
    account_ids: frozenset[str]


@dataclass(frozen=True)
class Entry:
    exclusion_id: str
    category: str
    period: Period
    services: frozenset[str]
    regions: frozenset[str]
    account_ids: frozenset[str]
    has_evidence: bool
    author: str
    approved_by: str | None
    approved_at: datetime | None
    revoked_at: datetime | None


def version_at(versions: Sequence[Version], at: datetime) -> Version | None:
    """The version in force at an instant."""
    begun = [version for version in versions if version.effective_from <= at]
    return max(begun, key=lambda version: version.effective_from, default=None)


def maintenance_covers(
    notices: Sequence[Notice], version: Version | None, *, account_id: str, pair: Pair, at: datetime, as_of: datetime
) -> bool:
    """Whether the notices of one maintenance exclude this instant for this account and pair."""
    if version is None or "scheduled_maintenance" not in version.categories:
        return False
    heard = [
        notice
        for notice in notices
        if notice.sent_at <= min(at, as_of) and (not notice.account_ids or account_id in notice.account_ids)
    ]
    live: list[tuple[Period, frozenset[Pair]]] = []
    for notice in sorted(heard, key=lambda notice: (notice.sent_at, notice.notice_id)):
        if notice.action in ("move", "cancel"):
            live = []
        if notice.window is None:
            continue
        start, end = notice.window
        if notice.action == "cut":
            live = [((max(a, start), min(b, end)), pairs) for (a, b), pairs in live]
        if notice.channel in version.channels and start - notice.sent_at >= version.notice:
            live.append((notice.window, notice.pairs))
    return any(a <= at < b and pair in pairs for (a, b), pairs in live)


def entry_covers(
    entry: Entry, version: Version | None, *, account_id: str, pair: Pair, at: datetime, as_of: datetime
) -> bool:
    """Whether an entry of the register excludes this instant for this account and pair, before rule X7."""
    is_sound = (
        entry.has_evidence
        and entry.approved_by is not None
        and entry.approved_at is not None
        and entry.approved_at <= as_of
        and entry.approved_by != entry.author
        and not (entry.revoked_at is not None and entry.revoked_at <= as_of)
        and not (entry.category == "customer_connectivity" and not entry.account_ids)
    )
    service, region = pair
    return (
        is_sound
        and version is not None
        and entry.category in version.categories
        and entry.period[0] <= at < entry.period[1]
        and (not entry.services or service in entry.services)
        and (not entry.regions or region in entry.regions)
        and (not entry.account_ids or account_id in entry.account_ids)
    )
