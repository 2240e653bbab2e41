"""The key-encryption key in AWS KMS: it never leaves the service, and each use is in CloudTrail.

boto3 blocks, so each call runs in a thread; a call that hangs is given up at the deadline, and botocore's
own time limits end its thread soon after.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from exchange.adapters.aws.session import connect
from exchange.ports.world import KeyWrapError

__all__ = ["KmsKeyWrapper"]

# One retry on what is worth retrying: a data key is asked for a few times in a process's life.
_ATTEMPTS_MAX: Final = 2


class KmsKeyWrapper:
    """Wraps under one symmetric key of KMS, bound to the encryption context.

    `key_id`: id, alias or ARN. `endpoint_url` is for emulators. Nothing is connected before first use.
    """

    def __init__(self, key_id: str, deadline_ms: int, endpoint_url: str | None = None) -> None:
        self._key_id = key_id
        self._deadline_s = deadline_ms / 1000
        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._client: Any = None

    async def wrap(self, data_key: bytes, context: Mapping[str, str]) -> bytes:
        """Return the wrapped form. Raises KeyWrapError."""
        answer = await self._call(
            lambda client: client.encrypt(
                KeyId=self._key_id, Plaintext=data_key, EncryptionContext=dict(context)
            )
        )
        return bytes(answer["CiphertextBlob"])

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Undo `wrap`. Raises KeyWrapError."""
        # Naming the key refuses what somebody else wrapped under a key that we may use too.
        answer = await self._call(
            lambda client: client.decrypt(
                KeyId=self._key_id, CiphertextBlob=wrapped, EncryptionContext=dict(context)
            )
        )
        return bytes(answer["Plaintext"])

    async def _call(self, request: Callable[[Any], Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.to_thread(lambda: request(self._connected()))
        except TimeoutError:
            raise KeyWrapError(f"KMS did not answer within {self._deadline_s:g} s") from None
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            raise KeyWrapError(f"KMS refused: {code}") from error
        except BotoCoreError as error:
            raise KeyWrapError(f"KMS cannot be asked: {type(error).__name__}") from error

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = connect(
                    "kms",
                    endpoint_url=self._endpoint_url,
                    config=Config(
                        connect_timeout=self._deadline_s / _ATTEMPTS_MAX,
                        read_timeout=self._deadline_s / _ATTEMPTS_MAX,
                        retries={"total_max_attempts": _ATTEMPTS_MAX, "mode": "standard"},
                    ),
                )
            return self._client
