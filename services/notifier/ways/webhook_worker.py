"""From the table to people's programs: signed, one at a time for each account, tried again for a while.

A request is the notice as JSON, with

    Exchange-Notice-Id: the notice's id; the same again when a notice comes twice
    Exchange-Timestamp: when it was sent, in milliseconds since 1970
    Exchange-Signature: v1=<hex of HMAC-SHA256 over "<timestamp>.<body>" with the webhook's key>

Whoever takes it compares the signature, in constant time, and refuses what is older than a few minutes. Any
status of 200 to 299 is a yes; all else, a redirect too, is tried again.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Mapping
from typing import Final

from prometheus_client import Counter

from exchange.contracts.notice_topics import webhook_secret_place
from exchange.ports.messages import MessageError, WebhookSender
from exchange.process.connections import CONNECTION_ERRORS
from exchange.security.key_ring import KeyRing, KeyRingError
from exchange.wall_clock import clock_ms
from services.notifier.retries import patience
from services.notifier.ways.webhook_deliveries import Delivery, Hook, WebhookDeliveries

__all__ = ["WebhookWorker", "signed_headers"]

logger = logging.getLogger(__name__)

# Accounts at work at once, each with one request: a slow program holds its own place and no other.
PLACES: Final = 32
IN_A_ROW_MAX: Final = 50
POLL_INTERVAL_S: Final = 0.5

_sent_total = Counter(
    "exchange_webhook_sent_total", "Requests to people's programs, by what came.", ["outcome"]
)


def signed_headers(secret: bytes, notice_id: str, body: str, now_ms: int) -> dict[str, str]:
    """The headers of a request; `secret` is the key as its owner has it."""
    digest = hmac.new(secret, f"{now_ms}.{body}".encode(), hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "exchange-webhook/1",
        "Exchange-Notice-Id": notice_id,
        "Exchange-Timestamp": str(now_ms),
        "Exchange-Signature": f"v1={digest}",
    }


class WebhookWorker:
    """Component that empties the table. Waits for ever for the database, and says so in `readiness`."""

    name = "notices-webhooks"

    def __init__(self, deliveries: WebhookDeliveries, sender: WebhookSender, key_ring: KeyRing) -> None:
        self._deliveries = deliveries
        self._sender = sender
        self._key_ring = key_ring
        self._patience = patience(self.name)
        self._at_work: dict[int, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Nothing to recover: the table knows."""

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                async for attempt in self._patience.attempts():
                    with attempt:
                        free = PLACES - len(self._at_work)
                        due = await self._deliveries.due(list(self._at_work), free) if free else []
                        for user_id in due:
                            task = group.create_task(self._serve(user_id), name=f"{self.name} {user_id}")
                            self._at_work[user_id] = task
                        self._patience.worked()
                await asyncio.sleep(POLL_INTERVAL_S)

    async def stop(self) -> None:
        """Let the connections go; what was not answered is sent again."""
        self._patience.problem = "stopped"
        await self._sender.close()

    def readiness(self) -> Mapping[str, str | None]:
        """Whether the database answers. What programs answer is their owners' matter."""
        return {self.name: self._patience.problem}

    async def _serve(self, user_id: int) -> None:
        """What is due for one account, until it is done or one fails."""
        try:
            await self._send_due(user_id)
        except CONNECTION_ERRORS as error:
            # Everything is still in the table; the loop notices by itself.
            logger.warning("%s: %r", self.name, error)
        finally:
            self._at_work.pop(user_id, None)

    async def _send_due(self, user_id: int) -> None:
        hook = await self._deliveries.hook(user_id)
        if hook is None:
            return
        try:
            secret = await self._key_ring.open(hook.secret_encrypted, webhook_secret_place(user_id))
        except KeyRingError as error:
            logger.warning("%s: account %d: %s", self.name, user_id, error)
            await self._deliveries.put_off(user_id)
            return
        for _ in range(IN_A_ROW_MAX):
            delivery = await self._deliveries.next(user_id)
            if delivery is None or not await self._send(user_id, hook, secret, delivery):
                return

    async def _send(self, user_id: int, hook: Hook, secret: bytes, delivery: Delivery) -> bool:
        headers = signed_headers(secret, delivery.notice_id, delivery.body, clock_ms())
        try:
            status = await self._sender.post(hook.url, delivery.body, headers)
        except MessageError as error:
            result, is_there = str(error), False
        else:
            result, is_there = f"answered {status}", 200 <= status < 300
        _sent_total.labels("arrived" if is_there else "failed").inc()
        if is_there:
            await self._deliveries.arrived(user_id, delivery, result)
        else:
            await self._deliveries.failed(user_id, delivery, hook.given_up, result)
        return is_there
