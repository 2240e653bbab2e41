"""Where AWS begins for the collector on this machine.

CloudWatch Logs is its emulator; X-Ray and Managed Prometheus are somebody who writes down what he is sent.
"""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import boto3
import httpx
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"
# The emulator takes any; whoever signs needs some.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
_BODY_BYTES_MAX = 16 * 1024 * 1024


class Post(NamedTuple):
    """What somebody sent."""

    path: str
    # Of the signature: AWS's name of the service that it is for.
    service: str
    body: bytes


@dataclass
class AwsEnds:
    """The addresses, and what has arrived there."""

    logs_url: str
    posts_url: str
    posts: list[Post] = field(default_factory=list)
    _client: Any = None

    def __post_init__(self) -> None:
        self._client = boto3.client(
            "logs",
            endpoint_url=self.logs_url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def make_group(self, name: str) -> None:
        """As Terraform does: the collector may not."""
        self._client.create_log_group(logGroupName=name)

    def events(self, group: str) -> list[tuple[str, dict[str, Any]]]:
        """(stream, line) of everything in the group, in its order."""
        streams = self._client.describe_log_streams(logGroupName=group)["logStreams"]
        return [
            (stream["logStreamName"], json.loads(event["message"]))
            for stream in streams
            for event in self._client.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True, limit=10_000
            )["events"]
        ]

    def groups(self) -> set[str]:
        return {found["logGroupName"] for found in self._client.describe_log_groups()["logGroups"]}


@contextmanager
def aws_ends() -> Iterator[AwsEnds]:
    """Open while the block runs, empty at first."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    posts: list[Post] = []
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), _receiving(posts))
    thread = threading.Thread(target=receiver.serve_forever, daemon=True)
    thread.start()
    host, port = moto.get_host_and_port()
    try:
        # The emulator's memory is this process's.
        httpx.post(f"http://{host}:{port}/moto-api/reset", trust_env=False, timeout=10.0).raise_for_status()
        yield AwsEnds(f"http://{host}:{port}", f"http://127.0.0.1:{receiver.server_port}", posts)
    finally:
        receiver.shutdown()
        receiver.server_close()
        thread.join(5.0)
        moto.stop()


def _receiving(posts: list[Post]) -> type[BaseHTTPRequestHandler]:
    class Receiver(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30.0

        def do_POST(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), _BODY_BYTES_MAX))
            signature = self.headers.get("Authorization", "").partition(",")[0].split("/")
            posts.append(Post(self.path, signature[-2] if len(signature) > 1 else "", body))
            answer = b'{"UnprocessedTraceSegments": []}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Receiver
