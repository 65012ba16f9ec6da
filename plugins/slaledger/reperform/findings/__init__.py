"""Everything that a rule reports or lists of a month: the rows of `fct_findings`.

Of what landing says of objects: those that cannot be read, and how many rows of the others cannot be used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from slaledger.reperform.claims import claims_of
from slaledger.reperform.findings import availability, claims, contracts, exclusions, tickets
from slaledger.reperform.findings.month import Finding, Month, month_of
from slaledger.reperform.records import Exports, Instant, Rejected

Row = dict[str, Any]


def findings(
    exports: Exports,
    *,
    service_month: str,
    as_of: Instant,
    account_downtime: Sequence[Row],
    response_times: Sequence[Row],
) -> list[Row]:
    """The findings of a service month (`YYYY-MM`), equal ones once; the others are that month's rows."""
    month = month_of(exports, service_month=service_month, as_of=as_of)
    told = claims_of(exports, service_month=service_month, as_of=as_of)
    found = {
        *availability.findings(month),
        *contracts.findings(month),
        *exclusions.findings(month),
        *tickets.findings(month, response_times),
        *claims.findings(month, told, account_downtime),
        *_of_landing(month),
    }
    return [
        {
            "code": each.code,
            "service_month": service_month,
            "subject": each.subject,
            "object": each.object,
            "detail": each.detail,
        }
        for each in sorted(found, key=lambda each: (each.code, each.subject, each.object or ("", ""), each.detail))
    ]


def _of_landing(month: Month) -> Iterator[Finding]:
    """Objects in force that cannot be read at all, and those of which rows cannot be used.

    Terms are not among them: they are refused where they meet each other (T4), however sound each is by itself.
    """
    by_object: dict[tuple[str, str], list[Rejected]] = defaultdict(list)
    for each in month.exports.rejected:
        is_in_force = month.exports.object_versions.get(each.key) == each.version_id
        if is_in_force and not each.key.startswith("terms/"):
            by_object[each.key, each.version_id].append(each)
    for source, rows in by_object.items():
        if any(each.row == 0 for each in rows):
            yield Finding("object_quarantined", source[0], source, "")
        else:
            told = f"{len(rows)} rows, the first is line {min(each.row for each in rows)}"
            yield Finding("rows_quarantined", source[0], source, told)
