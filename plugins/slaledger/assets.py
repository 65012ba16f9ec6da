"""The Asset objects: what the DAGs read and write. One module, so that an asset is described once."""

from __future__ import annotations

from airflow.sdk import Asset

_BOOKS = "postgres://warehouse/slaledger"

# Its events carry the service months that a landing touched as partition keys; `account_month` is built for each.
LANDED_EXPORTS = Asset(name="landed_exports", uri=f"{_BOOKS}/raw/source_objects", group="sla")
ACCOUNT_MONTHS = Asset(name="account_months", uri=f"{_BOOKS}/marts/fct_account_months", group="sla")
VALIDATIONS = Asset(name="validations", uri=f"{_BOOKS}/audit/validations", group="sla")
DECISIONS = Asset(name="decisions", uri=f"{_BOOKS}/audit/decisions", group="sla")
CREDIT_LINE_ITEMS = Asset(name="credit_line_items", uri=f"{_BOOKS}/billing/credit_line_items", group="sla")
BILLING_DROP = Asset(name="billing_drop", uri="s3://sla-exports/billing/credits", group="sla")
EXPORTS = Asset(name="exports", uri="s3://sla-exports", group="sla")
