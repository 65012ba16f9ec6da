"""The second route from end to end: the marts of a month, from what the exports say."""

from __future__ import annotations

from collections.abc import Sequence

from slaledger.reperform.availability import account_months
from slaledger.reperform.claims import claims
from slaledger.reperform.credits import credits
from slaledger.reperform.entitlements import entitlements
from slaledger.reperform.findings import findings
from slaledger.reperform.records import Decision, Exports, Figures, Instant
from slaledger.reperform.responses import response_times


def reperform(exports: Exports, *, service_month: str, as_of: Instant, decisions: Sequence[Decision] = ()) -> Figures:
    """The figures of a service month (`YYYY-MM`) as of an instant, under the decisions that people made."""
    months, downtime = account_months(exports, service_month=service_month, as_of=as_of, decisions=decisions)
    tickets = response_times(exports, service_month=service_month, as_of=as_of)
    entitled = entitlements(exports, account_months=months, response_times=tickets)
    judged = claims(exports, service_month=service_month, as_of=as_of, entitled=entitled, decisions=decisions)
    return Figures(
        account_months=months,
        account_downtime=downtime,
        response_times=tickets,
        claims=judged,
        credits=credits(entitled, claims=judged, as_of=as_of),
        findings=findings(
            exports, service_month=service_month, as_of=as_of, account_downtime=downtime, response_times=tickets
        ),
    )
