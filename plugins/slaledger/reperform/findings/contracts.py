"""What the contracts of a month report: rules M5 and T1 to T3."""

from __future__ import annotations

from collections.abc import Iterator

from slaledger.reperform.findings.month import (
    ContractMonth,
    Finding,
    Month,
    in_force,
    instant_text,
    month_in_zone,
)
from slaledger.reperform.records import Contract, Exports, TermsVersion

LACKING = {
    "monitoring": "monitor",
    "status_page": "component",
    "both": "monitor together with a component",
    "either": "monitor or component",
}


def findings(month: Month) -> Iterator[Finding]:
    """All of them; one that two versions make alike comes twice."""
    catalogued = (*month.exports.monitors.values(), *month.exports.components.values())
    services, regions = {each.service for each in catalogued}, {each.region for each in catalogued}
    for each in month.contracts:
        contract = each.contract
        for code, detail in _of_contract(month, each, services=services, regions=regions):
            source = month.object_of("accounts/contracts/", contract.contract_id)
            yield Finding(code, contract.contract_id, source, detail)
    yield from _landed_late(month)


def _of_contract(
    month: Month, each: ContractMonth, *, services: set[str], regions: set[str]
) -> Iterator[tuple[str, str]]:
    contract, exports = each.contract, month.exports
    if contract.region not in regions:
        yield "contract_region_unknown", f"the catalog has no region {contract.region}"
    for service in set(contract.services) - services:
        yield "contract_service_unknown", f"the catalog has no service {service}"
    if contract.account_id not in exports.accounts:
        yield "contract_account_unknown", f"no export has account {contract.account_id}"
    if each.version is None:
        code = "terms_not_in_force" if exports.terms.get(contract.terms_id) else "terms_unknown"
        yield code, f"terms {contract.terms_id}: the account-month is blocked"
        return
    for version in month.versions(contract):
        for service in version.core_services:
            if (not contract.services or service in contract.services) and not _is_observed(
                exports, contract, version, service
            ):
                yield (
                    "core_service_unobserved",
                    f"core service {service} has no {LACKING[version.evidence]} in region {contract.region} or global,"
                    " and so is never down for it",
                )
    judging = [
        version
        for version in exports.terms[contract.terms_id]
        if any(version.effective_from < end and start < in_force(version)[1] for start, end in each.period.spans)
    ]
    if len(judging) > 1:
        told = ", ".join(f"{one.version} from {instant_text(one.effective_from)}" for one in judging)
        yield (
            "terms_changed_in_month",
            f"terms {contract.terms_id}: tiers by version {each.version.version}, downtime and exclusions by {told}",
        )


def _is_observed(exports: Exports, contract: Contract, version: TermsVersion, service: str) -> bool:
    """M5, D2, D3: whether, in either region that it sees, its evidence could ever call the service down."""

    def could_be_down(region: str) -> bool:
        pair = (service, region)
        is_monitored = any((each.service, each.region) == pair for each in exports.monitors.values())
        is_on_page = any((each.service, each.region) == pair for each in exports.components.values())
        return {
            "monitoring": is_monitored,
            "status_page": is_on_page,
            "both": is_monitored and is_on_page,
            "either": is_monitored or is_on_page,
        }[version.evidence]

    return could_be_down(contract.region) or could_be_down("global")


def _landed_late(month: Month) -> Iterator[Finding]:
    """T1: versions that the month uses, or that those inherit from, and that came after they took effect."""
    used = set()
    for each in month.contracts:
        month_starts, month_ends = month_in_zone(month.exports, each.contract, month.service_month)
        for version in month.exports.terms.get(each.contract.terms_id, []):
            if version.effective_from < month_ends and month_starts < in_force(version)[1]:
                used.add((version.terms_id, version.version))
    starts = {
        (version.terms_id, version.version): version.effective_from
        for versions in month.exports.terms.values()
        for version in versions
    }
    waiting, seen = list(used), set()
    while waiting:
        key = waiting.pop()
        if key in seen:
            continue
        seen.add(key)
        landing = month.exports.terms_landings[key]
        if landing.parent is not None:
            waiting.append(landing.parent)
        if landing.exported_at > starts[key]:
            yield Finding(
                "terms_landed_late",
                " ".join(key),
                (landing.key, landing.version_id),
                f"landed after its effective_from {instant_text(starts[key])}, and holds from there",
            )
