"""From objects to what they say: every feed of `contracts.md`, its unusable rows set aside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, TypeVar

from slaledger.reperform.reading import catalog, checks, customers, exclusions, status_page, terms, zendesk
from slaledger.reperform.reading.rows import Fields, Framed, csv_rows, in_force, ndjson, read_rows
from slaledger.reperform.reading.terms_document import CORE_SERVICES
from slaledger.reperform.records import Account, ExportObject, Exports

Record = TypeVar("Record")


def read(objects: Iterable[ExportObject], *, shipped_terms: Sequence[bytes]) -> Exports:
    """What the objects in force say, whenever it happened; the terms also from objects that were overwritten (T1)."""
    all_objects = list(objects)
    exports = Exports()
    rejected = exports.rejected

    def below(prefix: str) -> list[ExportObject]:
        return [source for source in all_objects if source.is_latest and source.key.startswith(prefix)]

    def ranked(
        prefix: str, frame: Callable[[bytes], Iterator[Framed]], parse: Callable[[Fields, ExportObject], Record]
    ) -> list[Any]:
        return read_rows(below(prefix), frame=frame, parse=parse, rejected=rejected)

    def winners(
        prefix: str,
        frame: Callable[[bytes], Iterator[Framed]],
        *,
        parse: Callable[[Fields, ExportObject], Any],
        key: Callable[[Any], Hashable],
    ) -> dict[Any, Any]:
        pairs = ((rank, (rank, record)) for rank, record in ranked(prefix, frame, parse))
        found = in_force(pairs, lambda pair: key(pair[1]))
        exports.places.update(((prefix, name), rank[1:]) for name, (rank, _) in found.items())
        return {name: record for name, (_, record) in found.items()}

    exports.object_versions = {source.key: source.version_id for source in all_objects if source.is_latest}
    exports.monitors = winners(
        "catalog/monitors/",
        partial(csv_rows, required=catalog.MONITOR),
        parse=catalog.monitor,
        key=attrgetter("monitor_id"),
    )
    exports.components = winners(
        "catalog/components/",
        partial(csv_rows, required=catalog.COMPONENT),
        parse=catalog.component,
        key=attrgetter("component_id"),
    )
    exports.checks, exports.conflicts = checks.read(
        below("monitoring/checks/"), monitors=exports.monitors, rejected=rejected
    )
    exports.documents = status_page.read(below("status_page/statuspage/"), rejected=rejected)
    notices = winners("notices/", ndjson, parse=exclusions.notice, key=attrgetter("notice_id"))
    exports.notices = list(notices.values())
    register = winners("exclusions/", ndjson, parse=exclusions.register_entry, key=attrgetter("exclusion_id"))
    exports.register = list(register.values())
    events = winners("tickets/events/", ndjson, parse=customers.ticket_event, key=attrgetter("ticket_id", "event_id"))
    exports.ticket_events = list(events.values())
    exports.places.update({("tickets/", name): exports.places["tickets/events/", name] for name in events})
    accounts = winners(
        "accounts/accounts/",
        partial(csv_rows, required=customers.ACCOUNT),
        parse=customers.account,
        key=lambda account: account[0].account_id,
    )
    exports.accounts = {account_id: account for account_id, (account, _) in accounts.items()}
    exports.organizations = organizations(accounts.values())
    lowest = {organization_id: min(account_ids) for organization_id, account_ids in exports.organizations.items()}
    for rank, event in zendesk.events(below("tickets/zendesk/"), accounts=lowest, rejected=rejected):
        exports.ticket_events.append(event)
        exports.places["tickets/", (event.ticket_id, event.event_id)] = rank[1:]
    exports.contracts = winners("accounts/contracts/", ndjson, parse=customers.contract, key=attrgetter("contract_id"))
    exports.fees = winners(
        "accounts/fees/",
        partial(csv_rows, required=customers.FEE),
        parse=customers.fee,
        key=attrgetter("contract_id", "service_month"),
    )
    exports.claims = customers.messages(ranked("claims/", ndjson, customers.claim_message))
    exports.terms = terms.read(
        [source for source in all_objects if source.key.startswith("terms/")],
        shipped_terms=shipped_terms,
        services=known_services(exports),
        rejected=rejected,
        landings=exports.terms_landings,
    )
    return exports


def known_services(exports: Exports) -> frozenset[str]:
    """The services of which terms may speak: the standard core services, and what the catalog names."""
    catalogued = (*exports.monitors.values(), *exports.components.values())
    return CORE_SERVICES | {entry.service for entry in catalogued}


def organizations(accounts: Iterable[tuple[Account, str | None]]) -> dict[str, list[str]]:
    """The accounts of each Zendesk organization; its tickets are taken for those of the lowest id."""
    named: dict[str, list[str]] = defaultdict(list)
    for account, organization_id in accounts:
        if organization_id:
            named[organization_id].append(account.account_id)
    return dict(named)
