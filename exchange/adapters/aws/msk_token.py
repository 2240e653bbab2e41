"""Tokens with which a client of MSK proves its IAM role: a signed request, good for fifteen minutes."""

import asyncio
import time
from typing import Final

import boto3
from aiokafka.abc import AbstractTokenProvider
from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
from botocore.exceptions import BotoCoreError

from exchange.adapters.aws.session import region
from exchange.ports.world import LogError

__all__ = ["MskTokenProvider"]

_RENEW_BEFORE_MS: Final = 180_000


class MskTokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Signs with the process's own credentials, which Pod Identity renews; region from AWS's variables."""

    def __init__(self) -> None:
        self._token = ""
        self._expires_ms = 0

    async def token(self) -> str:
        """A token that is good for some minutes more. Raises LogError without credentials or a region."""
        if time.time() * 1000 > self._expires_ms - _RENEW_BEFORE_MS:
            # The credentials may have to be fetched, and boto3 blocks.
            self._token, self._expires_ms = await asyncio.to_thread(_sign)
        return self._token


def _sign() -> tuple[str, int]:
    session = boto3.Session()
    where = region() or session.region_name
    if not where:
        raise LogError("no region for MSK's tokens: set AWS_REGION")
    if session.get_credentials() is None:
        raise LogError("no AWS credentials for MSK's tokens")
    try:
        token, expires_ms = MSKAuthTokenProvider.generate_auth_token(where)
    except (BotoCoreError, ValueError) as error:
        raise LogError(f"no token for MSK: {error}") from error
    return str(token), int(expires_ms)
