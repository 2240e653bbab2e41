"""Objects in a bucket of Amazon S3, or of a server that speaks its protocol.

boto3 blocks, so its calls run in a few threads of their own. Each call is bounded three times: by the
socket's timeouts, by botocore's own tries, and by a deadline after which the caller no longer waits.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from exchange.adapters.aws.calls import error_code, http_status
from exchange.adapters.aws.session import connect
from exchange.adapters.aws.threads import BoundedThreads, NotTakenError
from exchange.ports.object_keys import check_key
from exchange.ports.world import ObjectStoreError

__all__ = ["S3Store", "S3StoreOptions"]

KEYS_MAX: Final = 1_000_000
OBJECT_SIZE_BYTES_MAX: Final = 4 * 1024**3
_KEYS_PER_PAGE: Final = 1_000
_THREADS: Final = 4
_CALLS_WAITING_MAX: Final = 64
_CONNECT_TIMEOUT_S: Final = 3
_READ_TIMEOUT_S: Final = 20
_TRIES: Final = 3
_CONFLICT_TRIES: Final = 4
_CONFLICT_WAIT_S_MAX: Final = 1.0

_T = TypeVar("_T")


@dataclass(frozen=True)
class S3StoreOptions:
    """Where the objects are. `prefix` is "" or ends with a slash.

    `endpoint_url` "" means Amazon's own. `kms_key_id` "" means encryption as the bucket itself
    is set to, else with this key of KMS. `deadline_ms` bounds each call as its caller sees it.
    """

    bucket: str
    prefix: str = ""
    endpoint_url: str = ""
    kms_key_id: str = ""
    deadline_ms: int = 60_000


class S3Store:
    """An `ObjectStore` in a bucket. Credentials and region come from where boto3 looks for them."""

    def __init__(self, options: S3StoreOptions) -> None:
        self._options = options
        self._client = connect(
            "s3",
            endpoint_url=options.endpoint_url or None,
            config=Config(
                connect_timeout=_CONNECT_TIMEOUT_S,
                read_timeout=_READ_TIMEOUT_S,
                retries={"mode": "standard", "total_max_attempts": _TRIES},
                max_pool_connections=_THREADS,
                tcp_keepalive=True,
                # Other servers than Amazon's rarely have a name for each bucket.
                s3={"addressing_style": "path" if options.endpoint_url else "auto"},
            ),
        )
        self._threads = BoundedThreads("s3", threads=_THREADS, calls_max=_CALLS_WAITING_MAX)

    async def put(self, key: str, body: bytes) -> bool:
        """Write if the key is free (If-None-Match).

        False also when an earlier try of this very call arrived and only its answer was lost.
        """
        arguments = self._place_of(key) | self._encryption() | {"IfNoneMatch": "*"}

        def put() -> bool:
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            checksum = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": digest}
            try:
                for attempt in _conflict_attempts():
                    with attempt:
                        self._client.put_object(**arguments, **checksum, Body=body)
            except ClientError as error:
                if http_status(error) == 412:
                    return False
                raise
            return True

        return await self._in_thread(f"put {key}", put)

    async def get(self, key: str) -> bytes | None:
        """Read one object; S3's checksum of it is compared."""
        arguments = self._place_of(key)

        def get() -> bytes | None:
            try:
                answer = self._client.get_object(**arguments, ChecksumMode="ENABLED")
            except ClientError as error:
                if http_status(error) == 404 and error_code(error) in ("NoSuchKey", "404"):
                    return None
                raise
            with answer["Body"] as stream:
                if answer["ContentLength"] > OBJECT_SIZE_BYTES_MAX:
                    raise ObjectStoreError(f"{key} has {answer['ContentLength']} bytes")
                body: bytes = stream.read()
            return body

        return await self._in_thread(f"get {key}", get)

    async def keys(self, prefix: str) -> list[str]:
        """List page by page. Raises ObjectStoreError beyond KEYS_MAX."""
        own = len(self._options.prefix)

        def keys() -> list[str]:
            found: list[str] = []
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._options.bucket,
                Prefix=self._options.prefix + prefix,
                PaginationConfig={"PageSize": _KEYS_PER_PAGE, "MaxItems": KEYS_MAX + 1},
            )
            for page in pages:
                found += [entry["Key"][own:] for entry in page.get("Contents", ())]
            if len(found) > KEYS_MAX:
                raise ObjectStoreError(f"more than {KEYS_MAX} keys begin with {prefix!r}")
            return sorted(found)

        return await self._in_thread(f"list {prefix}", keys)

    async def delete(self, key: str) -> None:
        """Delete one object; S3 does not mind when there is none."""
        arguments = self._place_of(key)
        await self._in_thread(f"delete {key}", lambda: self._client.delete_object(**arguments))

    async def close(self) -> None:
        """Drop what waits; calls under way end by their own timeouts."""
        self._threads.close()
        self._client.close()

    def _place_of(self, key: str) -> dict[str, Any]:
        check_key(key)
        return {"Bucket": self._options.bucket, "Key": self._options.prefix + key}

    def _encryption(self) -> dict[str, str]:
        if self._options.kms_key_id:
            return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._options.kms_key_id}
        # Naming a kind of encryption here would go before the bucket's own, and its key.
        return {}

    async def _in_thread(self, what: str, work: Callable[[], _T]) -> _T:
        try:
            return await self._threads.run(work, self._options.deadline_ms / 1000)
        except NotTakenError as error:
            raise ObjectStoreError(f"{what}: {error}") from error
        except (ClientError, BotoCoreError, OSError, TimeoutError) as error:
            raise ObjectStoreError(f"{self._options.bucket}: {what}: {error!r}") from error


def _conflict_attempts() -> Retrying:
    """409: another conditional write of the same key is under way; once it ends the answer is clear."""
    return Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, ClientError) and http_status(error) == 409),
        stop=stop_after_attempt(_CONFLICT_TRIES),
        wait=wait_random_exponential(multiplier=0.1, max=_CONFLICT_WAIT_S_MAX),
        reraise=True,
    )
