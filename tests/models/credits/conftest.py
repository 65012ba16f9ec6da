"""One April 2026 of claims and credits, built as of five moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from slaledger.settings import Settings
from slaledger.warehouse import connect
from tests.models.builder import build
from tests.models.builder_credits import Built, Exports

MODELS = ("+fct_account_months", "+fct_claims", "+fct_credits", "+int_claims_findings")
HOUR = 3600


@dataclass(frozen=True)
class Moment:
    """What the marts held when they were built as of one instant."""

    claims: dict[tuple[str, str | None], dict[str, Any]]
    credits: dict[tuple[str, str], dict[str, Any]]
    findings: list[dict[str, Any]]

    def verdict(self, claim_id: str, contract_id: str | None) -> tuple[str, str | None]:
        """Status and reason of a claim for a contract."""
        row = self.claims[claim_id, contract_id]
        return row["status"], row["reason"]

    def credit(self, contract_id: str, basis: str = "availability") -> tuple[str, str, str | None]:
        """Status, reason and amount of a credit."""
        row = self.credits[contract_id, basis]
        return row["status"], row["reason"], None if row["amount"] is None else str(row["amount"])


def outages(exports: Exports) -> None:
    """Downtime by region: an hour in `eu`, and what the tiers' lines need."""
    exports.outage("eu", "2026-04-20T10:00Z", HOUR)
    exports.outage("half a percent", "2026-04-20T10:00Z", 12960)
    exports.outage("exact", "2026-04-20T10:00Z", 2592)
    exports.outage("over", "2026-04-20T10:00Z", 2593)
    exports.outage("94", "2026-04-02T00:00Z", 155520)
    exports.outage("restated", "2026-04-20T10:00Z", HOUR)
    exports.monitor("gap", ("2026-03-31T00:00Z", "2026-04-10T00:00Z"), ("2026-04-10T03:00Z", "2026-05-20T00:00Z"))


def customers(exports: Exports) -> None:
    """A customer for each example, most of them in `eu` with a tier of 5 %."""
    numbered = ("118", "118 late", "120", "121", "122", "124", "126")
    for name in (*numbered, "early", "incomplete", "late", "review yes", "review no", "none"):
        exports.customer(name)
    exports.customer("119", terms_id="kolkata")
    exports.customer("123", region="exact")
    exports.customer("127", region="restated")
    exports.customer("107", plan="starter")
    exports.customer("108", active_agreement=False)
    exports.customer("over", region="over")
    exports.customer("7", region="94")
    exports.customer("held", region="gap")
    exports.customer("129", region="half a percent")
    exports.customer("130 JPY", fee="1999", currency="JPY")
    exports.customer("130 KWD", fee="10.005", currency="KWD")
    exports.customer("130 USD", fee="0.50")
    exports.customer("132", currency="XXX")
    exports.customer("132 unclaimed", currency="XAU")
    exports.customer("no fee", fee=None)
    exports.customer("no fee, no outage", fee=None, region="none")
    exports.customer("133", fee="0")
    exports.customer("134", currency="EUR")
    exports.customer("unasked", terms_id="unasked")
    exports.customer("suspended", suspensions="{[2026-04-01T00:00Z,2026-05-01T00:00Z)}")
    exports.customer("no terms", terms_id="nobody-wrote-them")
    exports.account("A-both")
    exports.contract("C-both 1", "A-both")
    exports.contract("C-both 2", "A-both", plan="starter")
    exports.account("A-gone")
    exports.contract("C-gone", "A-gone", ends_at="2026-04-01T00:00Z")
    exports.account("A-named", "Ünïcode & Söhne GmbH™")
    exports.contract("C-named", "A-named")
    exports.account("A-sandbox", is_sandbox=True)
    exports.contract("C-sandbox", "A-sandbox")


def claims(exports: Exports) -> None:
    """A claim for each example; May 10, the last day, is a Sunday."""
    exports.full_claim("118", "118", "2026-05-10T23:59:59.999999Z")
    exports.full_claim("118 late", "118 late", "2026-05-11T00:00Z")
    exports.full_claim("119", "119", "2026-05-10T18:30Z")
    exports.full_claim("120", "120", "2026-05-02T10:00Z", company_name="Company A-118")
    for claim_id, day in (("121 b", "02"), ("121 a", "02"), ("121 c", "01")):
        exports.full_claim(claim_id, "121", f"2026-05-{day}T10:00Z")
    exports.full_claim("early", "early", "2026-04-21T10:00Z", company_name="Another")
    exports.full_claim("122 first user", "122", "2026-05-03T10:00Z")
    # Received before the other, complete after it.
    exports.claim("122 second user", received_at="2026-05-02T10:00Z", account_id="A-122")
    exports.full_claim("122 second user", "122", "2026-05-04T10:00Z")
    exports.full_claim("123", "123", "2026-05-02T10:00Z")
    exports.full_claim("124", "124", "2026-05-02T10:00Z", timeline=[("2026-04-20T09:00Z", "2026-04-20T10:30Z")])
    exports.full_claim("127", "127", "2026-05-02T10:00Z")
    exports.claim("incomplete", received_at="2026-05-02T10:00Z", account_id="A-incomplete")
    exports.full_claim("late", "late", "2026-05-11T10:00Z", sent_at="2026-05-11T00:00Z")
    for name in ("review yes", "review no"):
        exports.claim(name, received_at="2026-05-02T10:00Z", account_id=f"A-{name}", sent_at="2026-05-02T09:00Z")
        exports.full_claim(name, name, "2026-05-11T10:00Z", sent_at="2026-05-10T23:59Z")
    exports.claim("no account", received_at="2026-05-02T10:00Z", company_name="Somebody")
    exports.full_claim("unknown account", "who", "2026-05-02T10:00Z")
    exports.full_claim("gone", "gone", "2026-05-02T10:00Z")
    exports.full_claim("both", "both", "2026-05-02T10:00Z")
    exports.full_claim("named", "named", "2026-05-02T10:00Z", company_name="ÜNÏCODE  SÖHNE GMBHTM")
    exports.full_claim("sandbox", "sandbox", "2026-05-02T10:00Z")
    exports.full_claim("of March", "126", "2026-05-02T10:00Z", month="2026-03")
    for name in (
        *("107", "108", "over", "7", "held", "129", "130 JPY", "130 KWD", "130 USD", "132", "no fee", "133", "134"),
        *("unasked", "suspended", "no terms"),
    ):
        exports.full_claim(name, name, "2026-05-02T10:00Z")
    # What was given is not changed by a later message.
    exports.full_claim("7", "118", "2026-05-03T10:00Z")
    # Known only after the last build.
    exports.full_claim("not yet", "none", "2026-05-12T00:00:00.000001Z")


def response_credits(exports: Exports) -> None:
    """Terms with response credits (rule R7): 1 % a P1, 0.5 % a P2, at most 2 %."""
    for name, breaches in (("R0", 0), ("R1", 1), ("R4", 4)):
        exports.customer(name, terms_id="responsive", region="none", fee="333.33")
        for number in range(breaches):
            exports.ticket(f"{name}-{number}", f"A-{name}", "2026-04-07T09:00Z", reply="2026-04-07T12:00Z")
        exports.ticket(f"{name}-met", f"A-{name}", "2026-04-07T09:00Z", reply="2026-04-07T10:00Z")
        exports.full_claim(name, name, "2026-05-02T10:00Z")
    exports.ticket("R1-P2", "A-R1", "2026-04-07T09:00Z", "P2", reply="2026-04-07T14:00Z")
    exports.ticket("R1-P4", "A-R1", "2026-04-07T09:00Z", "P4")


def keep(settings: Settings) -> Moment:
    """What the marts hold now."""
    built = Built(settings)
    return Moment(
        claims=built.by("fct_claims", "claim_id", "contract_id"),
        credits=built.by("fct_credits", "contract_id", "basis"),
        findings=built.rows("select * from intermediate.int_claims_findings"),
    )


@pytest.fixture(scope="session")
def april(warehouse_server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Moment]:
    """April 2026 within the month, at the claims' last instant, at their deadline, later, and decided."""
    from decimal import Decimal

    from slaledger import warehouse
    from slaledger.settings import Exports as Bucket

    database = warehouse_server.ensure_database("credits_april")
    warehouse.migrate(database)
    settings = Settings(
        home=tmp_path_factory.mktemp("credits_april"),
        warehouse=database,
        exports=Bucket("none", None, "none", None, None),
        quarantine_limit_percent=Decimal(10),
    )
    exports = Exports()
    exports.terms("kolkata", time_zone="Asia/Kolkata")
    exports.terms("unasked", claims={"required": False})
    exports.terms(
        "responsive",
        response_times={
            "credits": [{"severity": "P1", "percent": 1}, {"severity": "P2", "percent": 0.5}],
            "response_credit_cap": 2,
        },
    )
    for fill in (outages, customers, claims, response_credits):
        fill(exports)
    exports.load(settings)
    moments = {}
    for name, as_of in (
        ("within", "2026-04-25T00:00Z"),
        ("last instant", "2026-05-10T23:59:59.999999Z"),
        ("deadline", "2026-05-11T00:00Z"),
        ("later", "2026-05-12T00:00Z"),
    ):
        build(settings, month="2026-04", as_of=as_of, select=MODELS)
        moments[name] = keep(settings)
    decide(settings, moments["later"])
    build(settings, month="2026-04", as_of="2026-05-12T00:00Z", select=MODELS)
    moments["decided"] = keep(settings)
    return moments


def decide(settings: Settings, moment: Moment) -> None:
    """Approve one claim in review, reject the other; take the restated outage back."""
    with connect(settings.warehouse) as connection:
        for claim_id, is_approved in (("review yes", True), ("review no", False)):
            row = moment.claims[claim_id, f"C-{claim_id}"]
            connection.execute(
                "select audit.record_decision('claim', %s, %s, %s, 'Ann', 'sent in time', 'cli')",
                (row["decision_subject"], row["decision_digest"], is_approved),
            )
        connection.execute("delete from raw.incidents where component_ids = '{dashboard-restated}'")
