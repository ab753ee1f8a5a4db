"""An S3-compatible object store, served by SeaweedFS on this machine."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow.fs as fs

LOGIN = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "testtest",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}
"""Environment that may do everything in it; beside it goes `AWS_ENDPOINT_URL`."""


@contextmanager
def serving(new_folder: Callable[[], Path]) -> Iterator[str]:
    """Run it on free ports; give the URL of its S3 gateway."""
    for _ in range(3):  # somebody may take a port between its choice and its use
        folder = new_folder()
        port, *others = free_ports(8)
        url = f"http://127.0.0.1:{port}"
        with (folder / "weed.log").open("wb") as log:
            server = subprocess.Popen(command(folder, port, others), stdout=log, stderr=log)
            try:
                if answers(url, server):
                    yield url
                    return
            finally:
                server.kill()  # there is nothing to save
                server.wait()
    raise AssertionError((folder / "weed.log").read_text()[-2000:])


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def command(folder: Path, port: int, others: list[int]) -> list[str]:
    key = {"accessKey": "test", "secretKey": "testtest"}
    identity = {"name": "test", "credentials": [key], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    flags = {"dir": folder, "ip": "127.0.0.1", "ip.bind": "127.0.0.1"}
    flags |= {"volume.max": 100}  # a bucket takes up to seven; none is allocated in advance
    flags |= {"s3.config": folder / "s3.json", "master.telemetry": "false", "s3.port": port}
    flags |= {"s3.port.iceberg": 0, "s3.port.lance": 0}  # other services, not started
    parts = ["s3.port.grpc"]
    parts += [
        f"{part}.port{kind}" for part in ("master", "volume", "filer") for kind in ("", ".grpc")
    ]
    flags |= dict(zip(parts, others, strict=True))
    weed = str(Path(sys.executable).with_name("weed"))
    return [weed, "server", "-s3", "-iam=false", *(f"-{name}={flags[name]}" for name in flags)]


def answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    """Wait until the server takes a file; False if it ended or took too long."""
    files = fs.S3FileSystem(
        access_key="test",
        secret_key="testtest",
        region="us-east-1",
        endpoint_override=url,
        allow_bucket_creation=True,
    )
    for _ in range(120):
        if server.poll() is not None:
            return False
        try:
            files.create_dir("ready")
            with files.open_output_stream("ready/yes") as stream:
                stream.write(b"yes")
        except OSError:
            time.sleep(0.5)
        else:
            return True
    return False
