"""One small object of every feed of the contract, and a second one of checks that overlaps the first."""

from __future__ import annotations

from tests.landing.bucket import Bucket, minutes, monitors, ndjson

ZENDESK = (
    '{"tickets": [{"id": 1, "created_at": "2026-03-01T00:00:00Z"}, {"id": 4, "created_at": "2026-03-02T00:00:00Z"}], '
    '"ticket_events": [{"id": 2, "ticket_id": 1, "created_at": "2026-03-01T00:00:00Z", "child_events": []}], '
    '"users": [{"id": 3, "role": "agent"}]}'
)
INCIDENTS = (
    '{"page": {"id": "p"}, "incidents": [{"id": "i", "status": "investigating", "impact": "critical", '
    '"created_at": "2026-03-01T00:00:00Z", "incident_updates": []}]}'
)
BODIES: dict[str, str | bytes] = {
    "catalog/monitors/m.csv": monitors("m1,dashboard,eu,fra;ams,60,", "m2,call_routing,eu,fra,60,"),
    "catalog/components/c.csv": "component_id,name,service,region\nc1,C,dashboard,eu\nc2,D,call_routing,eu\n",
    "monitoring/checks/1.ndjson": ndjson(*minutes(0, 20)),
    "monitoring/checks/2.ndjson": ndjson(*minutes(10, 30), *minutes(40, 45, "down")),
    "status_page/statuspage/i.json": INCIDENTS,
    "notices/n.ndjson": ndjson(
        *(
            {
                "notice_id": f"n{number}",
                "maintenance_id": "w",
                "action": "cancel",
                "channel": "email",
                "sent_at": "2026-03-01T00:00:00Z",
                "component_ids": ["c1"],
            }
            for number in range(5)
        )
    ),
    "exclusions/x.ndjson": ndjson(
        {
            "exclusion_id": "x",
            "category": "force_majeure",
            "starts_at": "2026-03-01T00:00:00Z",
            "ends_at": "2026-03-01T01:00:00Z",
            "author": "ann",
            "services": ["dashboard"],
        },
        {"exclusion_id": "no category"},
    ),
    "tickets/zendesk/z.json": ZENDESK,
    "tickets/events/e.ndjson": ndjson(
        *(
            {
                "ticket_id": "t",
                "event_id": f"e{number}",
                "at": f"2026-03-01T00:00:0{number}Z",
                "type": "created",
                "actor": "customer",
            }
            for number in range(5)
        )
    ),
    "accounts/accounts/a.csv": "account_id,company_name\na1,Kä GmbH\na2,Lö AG\na2,Lö AG\n",
    "accounts/contracts/k.ndjson": ndjson(
        {
            "contract_id": "k",
            "account_id": "a1",
            "plan": "enterprise",
            "terms_id": "klink-enterprise",
            "region": "eu",
            "starts_at": "2026-01-01T00:00:00Z",
            "active_agreement": True,
        }
    ),
    "accounts/fees/f.csv": "contract_id,service_month,monthly_fee,currency\nk,2026-03,1000.1,USD\nk,2026-04,none,USD",
    "claims/c.ndjson": ndjson(
        {"claim_id": "c1", "service_month": "2026-03", "received_at": "2026-04-02T00:00:00Z"},
        {"claim_id": "c1", "service_month": "2026-03", "received_at": "2026-04-02T00:00:00Z"},
    ),
    "terms/t.yml": "id: t\nversion: '1'\neffective_from: 2026-01-01T00:00:00Z\nextends: klink-enterprise\n",
}


def put_every_feed(bucket: Bucket) -> None:
    """Upload them all."""
    for key, body in BODIES.items():
        bucket.put(key, body)
