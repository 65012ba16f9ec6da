import dataclasses
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from slaledger.settings import Exports
from slaledger.stack import processes
from slaledger.stack.s3 import S3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    server = S3(tmp_path_factory.mktemp("s3"), bucket="sla-exports")
    try:
        server.start()
        yield server
    finally:
        server.stop()


def client(exports: Exports, **options: Any) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=exports.endpoint_url,
        region_name=exports.region,
        aws_access_key_id=exports.access_key,
        aws_secret_access_key=exports.secret_key,
        config=Config(retries={"max_attempts": 0}, **options),
    )


def test_an_overwritten_key_keeps_both_versions(server: S3) -> None:
    s3 = client(server.exports)
    first = s3.put_object(Bucket=server.bucket, Key="feed/a", Body=b"1", Metadata={"exported-at": "x"})
    second = s3.put_object(Bucket=server.bucket, Key="feed/a", Body=b"2")
    assert first["VersionId"] != second["VersionId"]
    versions = s3.list_object_versions(Bucket=server.bucket, Prefix="feed/a")["Versions"]
    assert [(one["VersionId"], one["IsLatest"]) for one in versions] == [
        (second["VersionId"], True),
        (first["VersionId"], False),
    ]
    old = s3.get_object(Bucket=server.bucket, Key="feed/a", VersionId=first["VersionId"])
    assert (old["Body"].read(), old["Metadata"]) == (b"1", {"exported-at": "x"})


def test_a_key_is_written_only_if_absent(server: S3) -> None:
    s3 = client(server.exports)
    s3.put_object(Bucket=server.bucket, Key="once", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=server.bucket, Key="once", Body=b"2", IfNoneMatch="*")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412


@pytest.mark.parametrize(
    "stranger",
    [
        {"access_key": "stranger"},
        {"secret_key": "wrong"},
        {"access_key": "stranger", "secret_key": "wrong"},
    ],
    ids=lambda stranger: " and ".join(stranger),
)
def test_wrong_credentials_are_rejected(server: S3, stranger: dict[str, str]) -> None:
    s3 = client(dataclasses.replace(server.exports, **stranger))
    for call in (
        lambda: s3.list_objects_v2(Bucket=server.bucket),
        lambda: s3.put_object(Bucket=server.bucket, Key="stranger", Body=b""),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_no_credentials_are_rejected(server: S3) -> None:
    from botocore import UNSIGNED

    s3 = client(server.exports, signature_version=UNSIGNED)
    with pytest.raises(ClientError) as caught:
        s3.list_objects_v2(Bucket=server.bucket)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_it_survives_kill_9_at_the_same_address(server: S3) -> None:
    server.start()
    s3, address = client(server.exports), server.exports.endpoint_url
    version = s3.put_object(Bucket=server.bucket, Key="kept", Body=b"kept")["VersionId"]
    os.kill(server.process.pid, signal.SIGKILL)
    assert processes.wait_gone({server.process}, seconds=10) == set()
    server.start()
    assert server.exports.endpoint_url == address
    found = s3.get_object(Bucket=server.bucket, Key="kept")
    assert (found["Body"].read(), found["VersionId"]) == (b"kept", version)
    assert s3.get_bucket_versioning(Bucket=server.bucket)["Status"] == "Enabled"


def test_it_moves_off_a_taken_port_with_its_data(server: S3) -> None:
    import socket

    server.start()
    taken = server.port
    client(server.exports).put_object(Bucket=server.bucket, Key="moved", Body=b"moved")
    server.stop()
    with socket.create_server(("127.0.0.1", taken)):
        server.start()
        assert server.port != taken
        assert client(server.exports).get_object(Bucket=server.bucket, Key="moved")["Body"].read() == b"moved"


def test_it_leaves_no_process_and_no_socket_behind(tmp_path: Path) -> None:
    server = S3(tmp_path)
    server.start()
    ports = json.loads(server.ports_file.read_text())

    def sockets() -> list[Path]:
        return [path for port in ports for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")]

    assert sockets()
    server.stop()
    assert processes.of_home(tmp_path) == set()
    assert sockets() == []
