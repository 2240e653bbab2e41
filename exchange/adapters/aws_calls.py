"""Calls of AWS by boto3, which blocks: a few threads, a bounded queue, a deadline for each call."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from exchange.ports import HistoryError

__all__ = ["AwsCalls", "error_code", "is_throttled"]

_CONNECT_TIMEOUT_S: Final = 3
_CALLS_WAITING_MAX: Final = 512
# What DynamoDB and Kinesis say when they want less, or the key management service behind them does.
_THROTTLED: Final = frozenset(
    {
        "InternalFailure",
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
    }
)

_T = TypeVar("_T")


class AwsCalls:
    """One client of one service. Credentials and region come from where boto3 looks for them.

    `tries`: of botocore itself. All of them end within `deadline_ms`, so that no call that somebody has given
    up arrives behind those that were made after it.
    """

    def __init__(
        self, service: str, *, deadline_ms: int, tries: int, threads: int, endpoint_url: str | None = None
    ) -> None:
        self._deadline_s = deadline_ms / 1000
        self._client = boto3.client(
            service,
            endpoint_url=endpoint_url,
            config=Config(
                connect_timeout=_CONNECT_TIMEOUT_S,
                read_timeout=max(1.0, self._deadline_s / tries - _CONNECT_TIMEOUT_S),
                retries={"mode": "standard", "total_max_attempts": tries},
                max_pool_connections=threads,
                tcp_keepalive=True,
            ),
        )
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=service)
        self._places = threading.BoundedSemaphore(_CALLS_WAITING_MAX)

    async def call(self, what: str, work: Callable[[Any], _T]) -> _T:
        """Run `work` with the client in a thread. Raises HistoryError."""
        if not self._places.acquire(blocking=False):
            raise HistoryError(f"{what}: more than {_CALLS_WAITING_MAX} calls are waiting")
        try:
            future = self._pool.submit(work, self._client)
        except RuntimeError as error:
            self._places.release()
            raise HistoryError(f"{what}: closed") from error
        # Not before the thread is done: whoever stopped waiting has not freed it.
        future.add_done_callback(self._leave)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.wrap_future(future)
        except (ClientError, BotoCoreError, OSError, TimeoutError) as error:
            raise HistoryError(f"{what}: {error!r}") from error

    async def close(self) -> None:
        """Drop what waits; calls under way end by their own timeouts."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _leave(self, _: "Future[Any]") -> None:
        self._places.release()


def error_code(error: ClientError) -> str:
    """The name that AWS gave to what went wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_throttled(code: str) -> bool:
    """Whether the same again, later and slower, may well work."""
    return code in _THROTTLED
