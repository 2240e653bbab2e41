"""Calls of AWS by boto3, which blocks: a few threads, a bounded queue, a deadline for each call."""

import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from exchange.adapters.aws.session import connect
from exchange.adapters.aws.threads import BoundedThreads, NotTakenError

__all__ = ["AwsCalls", "error_code", "http_status", "is_throttled", "status_of"]

_CONNECT_TIMEOUT_S: Final = 3.0
_READ_TIMEOUT_S_MIN: Final = 1.0
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
    """One client of one service. Credentials, region and, for emulators, AWS_ENDPOINT_URL come from where
    boto3 looks for them. Nothing is connected before the first call.

    `failure`: what a call raises when it fails. `tries`: of botocore itself. All of them end within
    `deadline_ms`, so that no call that somebody has given up arrives behind those that were made after it;
    `poll_ms_max` is how much longer an answer may take that the service was told to wait with.
    """

    def __init__(
        self,
        service: str,
        *,
        deadline_ms: int,
        failure: type[Exception],
        tries: int = 2,
        threads: int = 8,
        poll_ms_max: int = 0,
        endpoint_url: str | None = None,
    ) -> None:
        self._service = service
        self._failure = failure
        self._deadline_s = deadline_ms / 1000
        self._endpoint_url = endpoint_url
        connect_s = min(_CONNECT_TIMEOUT_S, self._deadline_s / tries / 2)
        read_s = max(_READ_TIMEOUT_S_MIN, self._deadline_s / tries - connect_s)
        self._config = Config(
            connect_timeout=connect_s,
            read_timeout=read_s + poll_ms_max / 1000,
            retries={"mode": "standard", "total_max_attempts": tries},
            max_pool_connections=threads,
            tcp_keepalive=True,
        )
        self._lock = threading.Lock()
        self._client: Any = None
        self._threads = BoundedThreads(service, threads=threads, calls_max=_CALLS_WAITING_MAX)

    async def call(self, what: str, work: Callable[[Any], _T], wait_ms: int = 0) -> _T:
        """Run `work(client)` in a thread; `wait_ms` is what the service itself is told to wait.

        Raises the `failure` of this client; a ClientError is its cause.
        """
        try:
            return await self._threads.run(lambda: work(self._connected()), self._deadline_s + wait_ms / 1000)
        except NotTakenError as error:
            raise self._failed(what, str(error)) from error
        except TimeoutError:
            raise self._failed(what, f"no answer within {self._deadline_s:g} s") from None
        except ClientError as error:
            raise self._failed(what, f"refused: {error_code(error) or 'unknown'}") from error
        except (BotoCoreError, OSError) as error:
            raise self._failed(what, type(error).__name__) from error

    async def close(self) -> None:
        """Drop what waits; calls under way end by their own timeouts."""
        self._threads.close()
        with self._lock:
            if self._client is not None:
                self._client.close()

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = connect(self._service, endpoint_url=self._endpoint_url, config=self._config)
            return self._client

    def _failed(self, what: str, why: str) -> Exception:
        return self._failure(f"{self._service}: {what}: {why}")


def error_code(error: ClientError) -> str:
    """The name that AWS gave to what went wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_throttled(code: str) -> bool:
    """Whether the same again, later and slower, may well work."""
    return code in _THROTTLED


def http_status(error: ClientError) -> int:
    """The HTTP status with which AWS refused."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def status_of(error: Exception) -> int:
    """The HTTP status behind what a client of ours raised, 0 when AWS did not answer."""
    cause = error.__cause__
    return http_status(cause) if isinstance(cause, ClientError) else 0
