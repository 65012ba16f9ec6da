"""The only access to S3: list versions, fetch one, put. Integrity and asking again are ours: boto3 has too little."""

from slaledger.objects.asking import (
    CredentialsRefused,
    ObjectCorrupt,
    ObjectMissing,
    S3Refused,
    S3Unreachable,
    client,
    ensure_bucket,
)
from slaledger.objects.bodies import Fetched, fetch, get, put, put_if_absent
from slaledger.objects.listing import ObjectVersion, list_versions

__all__ = [
    "CredentialsRefused",
    "Fetched",
    "ObjectCorrupt",
    "ObjectMissing",
    "ObjectVersion",
    "S3Refused",
    "S3Unreachable",
    "client",
    "ensure_bucket",
    "fetch",
    "get",
    "list_versions",
    "put",
    "put_if_absent",
]
