"""The bucket → `raw`: freeze the listing, plan batches, land object versions, settle checks that overlap."""

from slaledger.landing.checks import settle as settle_checks
from slaledger.landing.listing import Listing, freeze_listing, plan_batches, touched_months
from slaledger.landing.model import LandedCounts
from slaledger.landing.versions import land_batch

__all__ = [
    "LandedCounts",
    "Listing",
    "freeze_listing",
    "land_batch",
    "plan_batches",
    "settle_checks",
    "touched_months",
]
