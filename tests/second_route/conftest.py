"""A bucket for all worlds, emptied between them."""

from __future__ import annotations

import pytest

from slaledger.settings import Exports
from tests.conftest import make_bucket


@pytest.fixture(scope="session")
def bucket(s3_server) -> Exports:
    return make_bucket(s3_server.exports, "second-route")
