"""An S3 server from its wheel (SeaweedFS): started, stopped; on 127.0.0.1 only."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slaledger.settings import Exports
from slaledger.stack import processes
from slaledger.stack.home_secrets import secret
from slaledger.stack.ports import free_ports, is_free, pick
from slaledger.stack.processes import Process, StackError

REGION = "us-east-1"
START_SECONDS = 120
STOP_SECONDS = 15
# SeaweedFS's own worker looks for its admin server's gRPC port here, whatever the flags say.
GRPC_OFFSET = 10000
# What in the caller's environment would steer it elsewhere.
FOREIGN = ("AWS_", "S3_", "WEED_")
PORT_FLAGS = (
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "admin.port",
)


class S3:
    """One server below `home`: data in `s3/`, log in `logs/s3.log`; one bucket, versioned."""

    def __init__(
        self,
        home: Path,
        *,
        bucket: str = "sla-exports",
        port: int | None = None,
        process: Process | None = None,
    ) -> None:
        """`port` is preferred, not forced."""
        self.home = home
        self.bucket = bucket
        self.port = port
        self.process = process
        self.data = home / "s3"
        self.log = home / "logs" / "s3.log"
        self.ports_file = home / "s3-ports.json"

    @property
    def is_running(self) -> bool:
        """Whether the server's process lives."""
        return processes.is_running(self.process)

    @property
    def exports(self) -> Exports:
        """How to connect to it. Only once started."""
        assert self.port is not None, "start() chooses the port"
        return Exports(
            bucket=self.bucket,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region=REGION,
            access_key=secret(self.home, "s3_access_key"),
            secret_key=secret(self.home, "s3_secret_key"),
        )

    def start(self) -> None:
        """Start it, wait until it answers and the bucket is there, with versions. Nothing when it runs.

        Raises `StackError` with the log's last lines.
        """
        if self.is_running:
            return
        self.data.mkdir(parents=True, exist_ok=True)
        processes.kill(processes.of_home(self.home, "s3"))
        candidates = free_ports(self.home)
        preferred = self.port
        for _ in range(3):
            self.port = pick(preferred, candidates)
            if self._serve(candidates):
                return
            preferred = None
        raise StackError(
            f"The S3 server does not start. Its log {self.log} ends:\n{processes.last_lines(self.log)}\n"
            "Is there room on the disk (`df -h`)?"
        )

    def stop(self) -> None:
        """Shut down. Nothing when it does not run."""
        processes.stop(self.home, "s3", self.process, asked=signal.SIGINT, seconds=STOP_SECONDS)
        self.process = None
        self._forget_ports()

    def _serve(self, candidates: Iterator[int]) -> bool:
        """Start on the chosen port and wait for the bucket. False when it ended instead."""
        ports = {"s3.port": self.port, "s3.port.iceberg": 0, "s3.port.lance": 0}
        others = (port for port in candidates if port != self.port)
        ports |= {flag: next(others) for flag in PORT_FLAGS}
        while not is_free(ports["admin.port"] + GRPC_OFFSET):
            ports["admin.port"] = next(others)
        ports["admin.port.grpc"] = ports["admin.port"] + GRPC_OFFSET
        self._forget_ports()
        self.ports_file.write_text(json.dumps([port for port in ports.values() if port]))
        self.process = processes.spawn(
            [
                str(Path(sys.prefix) / "bin" / "weed"),
                "-logtostderr=true",
                "mini",
                f"-dir={self.data}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-master.telemetry=false",
                "-webdav=false",
                "-admin.ui=false",
                *(f"-{flag}={port}" for flag, port in ports.items()),
            ],
            environment={
                **{name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)},
                # It logs this one as it starts: a name, which opens nothing without the other; the log is the owner's.
                "AWS_ACCESS_KEY_ID": secret(self.home, "s3_access_key"),
                "AWS_SECRET_ACCESS_KEY": secret(self.home, "s3_secret_key"),
                "DO_NOT_TRACK": "1",
                **processes.marker(self.home, "s3"),
            },
            log=self.log,
            directory=self.data,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.is_running:
            if self.answers():
                return True
            time.sleep(processes.POLL_SECONDS)
        self.stop()
        return False

    def _forget_ports(self) -> None:
        """Remove what it keeps by port: flags that it would take up again, and sockets below /tmp."""
        (self.data / "mini.options").unlink(missing_ok=True)
        if not self.ports_file.exists():
            return
        for port in json.loads(self.ports_file.read_text()):
            for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                # Unless by now another server listens there.
                if is_free(port):
                    socket.unlink(missing_ok=True)
        self.ports_file.unlink()

    def answers(self) -> bool:
        """Whether the bucket is there, with versions, and can be read: some time after the server's first answer."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            ensure_bucket(self.exports)
            _read_one(self.exports)
        except (BotoCoreError, ClientError):
            return False
        return True


def ensure_bucket(exports: Exports) -> None:
    """Create the bucket if it is not there, and have it keep versions.

    Raises botocore's `ClientError` or `BotoCoreError`.
    """
    from botocore.exceptions import ClientError

    client = _client(exports)
    try:
        client.head_bucket(Bucket=exports.bucket)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        client.create_bucket(Bucket=exports.bucket)
    client.put_bucket_versioning(Bucket=exports.bucket, VersioningConfiguration={"Status": "Enabled"})


def _read_one(exports: Exports) -> None:
    """Read any object: after a crash, bodies come back later than the listing does.

    Raises botocore's `ClientError` or `BotoCoreError`.
    """
    client = _client(exports)
    for one in client.list_object_versions(Bucket=exports.bucket, MaxKeys=1).get("Versions", ()):
        client.get_object(Bucket=exports.bucket, Key=one["Key"], VersionId=one["VersionId"])["Body"].close()


@functools.lru_cache(maxsize=4)
def _client(exports: Exports) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=exports.endpoint_url,
        region_name=exports.region,
        aws_access_key_id=exports.access_key,
        aws_secret_access_key=exports.secret_key,
        # Without the caller's proxies: they would not know this machine's own address.
        config=Config(connect_timeout=2, read_timeout=10, retries={"max_attempts": 0}, proxies={}),
    )
