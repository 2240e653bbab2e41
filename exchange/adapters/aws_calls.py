"""Calls of one AWS service for the adapters of `exchange.message_ports`.

boto3 blocks, so calls run in a few threads of their own. Each is bounded three times: by the socket's
timeouts, by botocore's own tries, and by a deadline after which the caller no longer waits.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from exchange.message_ports import MessageError

__all__ = ["AwsCalls", "status_of"]

_THREADS: Final = 8
_CALLS_WAITING_MAX: Final = 256
_ATTEMPTS_MAX: Final = 2

_T = TypeVar("_T")


class AwsCalls:
    """One client of boto3. Credentials, region and, for emulators, AWS_ENDPOINT_URL come from where boto3
    looks for them. Nothing is connected before the first call.
    """

    def __init__(self, service: str, deadline_ms: int, endpoint_url: str | None = None) -> None:
        self._service = service
        self._deadline_s = deadline_ms / 1000
        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._client: Any = None
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix=service)
        self._places = threading.BoundedSemaphore(_CALLS_WAITING_MAX)

    async def call(self, what: str, request: Callable[[Any], _T], wait_ms: int = 0) -> _T:
        """Run `request(client)`; `wait_ms` is what the service itself is told to wait.

        Raises MessageError; ClientErrors too come as its cause.
        """
        if not self._places.acquire(blocking=False):
            raise MessageError(f"{self._service}: {what}: more than {_CALLS_WAITING_MAX} calls are waiting")
        try:
            future = self._pool.submit(lambda: request(self._connected()))
        except RuntimeError as error:
            self._places.release()
            raise MessageError(f"{self._service}: {what}: closed") from error
        # Not before the thread is done: whoever stopped waiting has not freed it.
        future.add_done_callback(self._leave)
        try:
            async with asyncio.timeout(self._deadline_s + wait_ms / 1000):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise MessageError(f"{self._service}: {what}: no answer within {self._deadline_s:g} s") from None
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            raise MessageError(f"{self._service}: {what}: refused: {code}") from error
        except (BotoCoreError, OSError) as error:
            raise MessageError(f"{self._service}: {what}: {type(error).__name__}") from error

    async def close(self) -> None:
        """Drop what waits; calls under way end by their own timeouts."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            if self._client is not None:
                self._client.close()

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = boto3.client(
                    self._service,
                    endpoint_url=self._endpoint_url,
                    config=Config(
                        connect_timeout=self._deadline_s / _ATTEMPTS_MAX,
                        # A long poll answers after up to the deadline too: see SqsQueue.receive.
                        read_timeout=self._deadline_s,
                        retries={"total_max_attempts": _ATTEMPTS_MAX, "mode": "standard"},
                        max_pool_connections=_THREADS,
                        tcp_keepalive=True,
                    ),
                )
            return self._client

    def _leave(self, _: "Future[Any]") -> None:
        self._places.release()


def status_of(error: MessageError) -> int:
    """The HTTP status with which AWS refused, 0 when it did not answer."""
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return 0
    return int(cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
