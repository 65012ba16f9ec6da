"""A warehouse and an empty bucket for each test, on real servers."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator
from decimal import Decimal

import pytest

from slaledger import warehouse
from slaledger.settings import Settings
from tests.conftest import make_bucket
from tests.landing.bucket import Bucket


@pytest.fixture(scope="session")
def landing_warehouse(warehouse_server):
    """A migrated warehouse, for all tests here: emptied between them."""
    database = warehouse_server.ensure_database(f"landing_{uuid.uuid4().hex[:8]}")
    warehouse.migrate(database)
    return database


@pytest.fixture
def bucket(landing_warehouse, s3_server, tmp_path) -> Iterator[Bucket]:
    """An empty bucket and an empty warehouse."""
    settings = Settings(
        home=tmp_path,
        warehouse=landing_warehouse,
        exports=make_bucket(s3_server.exports, f"b{uuid.uuid4().hex[:12]}"),
        quarantine_limit_percent=Decimal(10),
    )
    found = Bucket(settings)
    found.empty_warehouse()
    yield found


@pytest.fixture
def new_bucket(bucket: Bucket):
    """Another empty bucket on the same servers; the warehouse is emptied with it."""

    def make() -> Bucket:
        exports = make_bucket(bucket.settings.exports, f"b{uuid.uuid4().hex[:12]}")
        found = Bucket(dataclasses.replace(bucket.settings, exports=exports))
        found.empty_warehouse()
        return found

    return make
