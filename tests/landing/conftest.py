"""An empty warehouse and an empty bucket for each test, on real servers."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest

from slaledger import warehouse
from slaledger.settings import Settings
from tests.conftest import make_bucket
from tests.landing.bucket import Bucket


@pytest.fixture(scope="session")
def landing_settings(warehouse_server, s3_server, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One migrated warehouse and one bucket for all tests here: a bucket takes volumes of its server for good."""
    name = f"landing-{uuid.uuid4().hex[:8]}"
    database = warehouse_server.ensure_database(name.replace("-", "_"))
    warehouse.migrate(database)
    return Settings(
        home=tmp_path_factory.mktemp("home"),
        warehouse=database,
        exports=make_bucket(s3_server.exports, name),
        quarantine_limit_percent=Decimal(10),
    )


@pytest.fixture
def bucket(landing_settings: Settings) -> Bucket:
    """The bucket and the warehouse, emptied."""
    found = Bucket(landing_settings)
    found.empty()
    return found
