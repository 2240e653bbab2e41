"""The user service as a component: what it starts, follows and answers with."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final

from exchange.log.event_tail import EventTail
from exchange.log.gateway import CommandGateway, run_and_settle
from exchange.ports.world import LogReader, LogWriter
from exchange.process.components import Resources
from exchange.security.key_ring import KeyRing
from exchange.security.withdrawal_stop import WithdrawalStop
from services.user.money.event_follower import EventFollower
from services.user.money.transfers import Transfers
from services.user.money.withdrawal_addresses import WithdrawalAddresses
from services.user.money.withdrawal_guard import WithdrawalGuard
from services.user.money.withdrawal_limits import WithdrawalLimits
from services.user.people.accounts import Accounts
from services.user.people.identities import Identities
from services.user.people.passwords import Passwords
from services.user.people.sessions import CacheUnavailableError, Sessions
from services.user.tables.database import Database, DatabaseUnavailableError
from services.user.tables.repository import Repository

__all__ = ["NotReadyError", "UserService"]

_READ_TIMEOUT_MS: Final = 1_000
_PROBE_EVERY_S: Final = 2.0
_START_DEADLINE_S: Final = 60.0
_START_RETRY_S: Final = 0.5

logger = logging.getLogger(__name__)


class NotReadyError(Exception):
    """The service has not started yet."""


def clock_ms() -> int:
    """The server's time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class UserService:
    """Accounts, sessions, keys, deposits, withdrawals and statements.

    `start` reads where the ledger stands and follows the event log from there: everything before is in
    PostgreSQL already. Replicas share nothing but the database, the cache and the logs.
    """

    name = "user"

    def __init__(self, resources: Resources) -> None:
        """Raises SettingsError, and KeyRingError without a key wrapper."""
        settings = resources.settings
        self._resources = resources
        database = Database(resources.database, settings.database_deadline_ms)
        self._repository = Repository(database)
        self._key_ring = KeyRing.from_resources(resources)
        self.addresses = WithdrawalAddresses(
            database, delay_s=settings.withdrawal_address_delay_s, clock_ms=clock_ms
        )
        self._guard = WithdrawalGuard(
            database,
            WithdrawalStop(
                resources.cache,
                auditor_required=settings.auditor_required,
                deadline_ms=settings.cache_deadline_ms,
            ),
            WithdrawalLimits.of(settings),
            needs_listed_address=settings.withdrawal_allow_list,
            wait_deadline_ms=settings.request_deadline_ms,
            clock_ms=clock_ms,
        )
        self._sessions = Sessions(
            resources.cache, lifetime_s=settings.session_lifetime_s, deadline_ms=settings.cache_deadline_ms
        )
        self._identities = Identities.of(settings, database, self._sessions, clock_ms)
        self._passwords: Passwords | None = None
        self._accounts: Accounts | None = None
        self._transfers: Transfers | None = None
        self._gateway: CommandGateway | None = None
        self._follower: EventFollower | None = None
        self._writer: LogWriter | None = None
        self._reader: LogReader | None = None
        self._problems: dict[str, str | None] = {"start": "not started yet"}

    @property
    def body_size_bytes_max(self) -> int:
        """The largest body that is taken."""
        return self._resources.settings.body_size_bytes_max

    @property
    def receive_deadline_ms(self) -> int:
        """How long a body may take to arrive."""
        return self._resources.settings.request_deadline_ms

    @property
    def accounts(self) -> Accounts:
        """People and keys. Raises NotReadyError before `start`."""
        if self._accounts is None:
            raise NotReadyError
        return self._accounts

    @property
    def transfers(self) -> Transfers:
        """Money and statements. Raises NotReadyError before `start`."""
        if self._transfers is None:
            raise NotReadyError
        return self._transfers

    async def start(self) -> None:
        """Find the ledger's position, open the logs. Raises what is still wrong after a minute."""
        settings, resources = self._resources.settings, self._resources
        self._passwords = Passwords(deadline_ms=settings.request_deadline_ms)
        await self._wait_for_database()
        await self._repository.advance_sequences()
        position = await self._repository.position(settings.shard)
        self._writer = await resources.command_log.writer()
        self._reader = await resources.event_log.reader(position.next_offset)
        self._follower = EventFollower(EventTail(self._reader, position), await self._repository.assets())
        self._gateway = CommandGateway(
            self._writer,
            tick_ms=settings.command_tick_ms,
            deadline_ms=settings.command_deadline_ms,
            waiting_max=settings.commands_waiting_max,
            wait_max_ms=settings.command_wait_max_ms,
            sender=self.name,
        )
        self._transfers = Transfers(
            self._gateway,
            self._follower,
            resources.event_log,
            self._repository,
            self._guard,
            shard=settings.shard,
            faucet=settings.faucet,
        )
        self._accounts = Accounts(
            self._repository,
            self._sessions,
            self._passwords,
            self._key_ring,
            resources.cache,
            self._identities,
            cache_deadline_ms=settings.cache_deadline_ms,
            rate_limits=settings.rate_limits,
            clock_ms=clock_ms,
        )
        self._problems = {}

    async def _wait_for_database(self) -> None:
        """The server, and the tables that the migrations make, may come a little later than we do."""
        give_up_s = time.monotonic() + _START_DEADLINE_S
        while True:
            try:
                await self._repository.position(self._resources.settings.shard)
                return
            except DatabaseUnavailableError as error:
                if time.monotonic() >= give_up_s:
                    raise
                logger.warning("waiting for the database: %s", error)
                await asyncio.sleep(_START_RETRY_S)

    async def run(self) -> None:
        """Work until cancelled; then let the commands that are on their way be answered."""
        if self._gateway is None or self._follower is None:
            raise NotReadyError
        await run_and_settle(self._gateway, self._work(self._gateway, self._follower))

    async def _work(self, gateway: CommandGateway, follower: EventFollower) -> None:
        """Follow the events, send the commands, probe what is needed; the first failure ends them all."""
        async with asyncio.TaskGroup() as group:
            group.create_task(gateway.run(), name="user gateway")
            group.create_task(self._follow(follower, gateway), name="user events")
            group.create_task(self._probe(), name="user probe")
            if self._identities is not None:
                group.create_task(self._identities.run(), name="user issuers")

    async def _follow(self, follower: EventFollower, gateway: CommandGateway) -> None:
        while True:
            gateway.resolve(await follower.read(_READ_TIMEOUT_MS))

    async def _probe(self) -> None:
        while True:
            try:
                await self._repository.ping()
                self._problems["database"] = None
            except DatabaseUnavailableError as error:
                self._problems["database"] = str(error)
            try:
                await self._sessions.ping()
                self._problems["cache"] = None
            except CacheUnavailableError as error:
                self._problems["cache"] = str(error)
            await asyncio.sleep(_PROBE_EVERY_S)

    async def stop(self) -> None:
        """Close the logs and the threads."""
        if self._passwords is not None:
            self._passwords.close()
        for opened in (self._reader, self._writer):
            if opened is not None:
                await opened.close()

    def readiness(self) -> Mapping[str, str | None]:
        """The start, the database, the cache, and the way to the engine."""
        parts = dict(self._problems)
        if self._gateway is not None:
            failure = self._gateway.failure
            parts["command_log"] = None if failure is None else str(failure)
        return parts
