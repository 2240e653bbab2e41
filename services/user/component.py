"""The user service as a component: what it starts, follows and answers with."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from exchange.http.request_limits import RequestLimits
from exchange.http.usage_sharing import UsageSharing
from exchange.log import gathering
from exchange.log.barrier import OutcomeBarrier
from exchange.log.event_tail import EventTail, newest_outcome
from exchange.log.gateway import CommandGateway, run_and_settle
from exchange.process.components import Resources
from exchange.security.key_ring import KeyRing
from exchange.security.withdrawal_stop import WithdrawalStop
from exchange.wall_clock import clock_ms
from services.user.money.event_follower import EventFollower
from services.user.money.transfers import Transfers
from services.user.money.withdrawal_addresses import WithdrawalAddresses
from services.user.money.withdrawal_guard import WithdrawalGuard
from services.user.money.withdrawal_limits import WithdrawalLimits
from services.user.people.accounts import Accounts
from services.user.people.identities import Identities
from services.user.people.logins import Logins
from services.user.people.notice_choices import NoticeChoices
from services.user.people.password_changes import PasswordChanges
from services.user.people.passwords import Passwords
from services.user.people.second_factor import SecondFactor
from services.user.people.sessions import CacheUnavailableError, Sessions
from services.user.people.withdrawal_freezes import WithdrawalFreezes
from services.user.tables.accounts import AccountStore
from services.user.tables.database import Database, DatabaseUnavailableError
from services.user.tables.freezes import FreezeStore
from services.user.tables.ledger import Ledger
from services.user.tables.login_sessions import LoginSessionStore
from services.user.tables.notices import NoticeStore
from services.user.tables.reports import Reports
from services.user.tables.second_factors import PasswordStore, SecondFactorStore

__all__ = ["NotReadyError", "UserService"]

_READ_TIMEOUT_MS: Final = 1_000
_PROBE_EVERY_S: Final = 2.0
_START_DEADLINE_S: Final = 60.0
_START_RETRY_S: Final = 0.5

logger = logging.getLogger(__name__)


class NotReadyError(Exception):
    """The service has not started yet."""


class _Parts(NamedTuple):
    """What there is from the start on, because it needs the logs."""

    accounts: Accounts
    freezes: WithdrawalFreezes
    transfers: Transfers
    gateway: CommandGateway
    follower: EventFollower
    passwords: PasswordChanges


class UserService:
    """Accounts, sessions, keys, deposits, withdrawals and statements.

    `start` reads where the ledger stands and follows the event log from there: everything before is in
    PostgreSQL already. Replicas share nothing but the database, the cache and the logs.

    The doors stand before this object and ask it for the part that a request is for.
    """

    name = "user"

    def __init__(self, resources: Resources, limits: RequestLimits | None = None) -> None:
        """Raises SettingsError, and KeyRingError without a key wrapper.

        `limits`: counted and shared by whoever made them.
        """
        settings = resources.settings
        self.settings = settings
        self._resources = resources
        self._database = Database(resources.database, settings.database_deadline_ms)
        self._ledger = Ledger(self._database, resources.history_turns)
        self.reports = Reports(self._database, resources.history_turns)
        self._key_ring = KeyRing.from_resources(resources)
        self.addresses = WithdrawalAddresses(
            self._database, delay_s=settings.withdrawal_address_delay_s, clock_ms=clock_ms
        )
        self._guard = WithdrawalGuard(
            self._database,
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
            resources.cache,
            lifetime_s=settings.session_lifetime_s,
            deadline_ms=settings.cache_deadline_ms,
            rate_limits=settings.rate_limits,
        )
        self.logins = Logins(
            LoginSessionStore(self._database),
            self._sessions,
            resources.cache,
            cache_deadline_ms=settings.cache_deadline_ms,
            clock_ms=clock_ms,
        )
        self.second_factor = SecondFactor(
            SecondFactorStore(self._database),
            AccountStore(self._database),
            self._sessions,
            self._key_ring,
            clock_ms=clock_ms,
        )
        self.notices = NoticeChoices(
            NoticeStore(self._database),
            self._sessions,
            self._key_ring,
            webhook_loopback=settings.webhook_loopback,
            clock_ms=clock_ms,
        )
        self._identities = Identities.of(settings, self._database, self._sessions, clock_ms)
        self.limits = limits or RequestLimits.from_settings(settings, clock_ms)
        windows = self.limits.windows if limits is None else ()
        self._sharing = UsageSharing(windows, resources.cache, settings.cache_deadline_ms)
        self._parts: _Parts | None = None
        self._barrier = OutcomeBarrier(resources.command_log)
        self._closing = contextlib.AsyncExitStack()
        self._problems: dict[str, str | None] = {"start": "not started yet"}

    @property
    def accounts(self) -> Accounts:
        """People and keys. Raises NotReadyError before `start`."""
        return self._started().accounts

    @property
    def freezes(self) -> WithdrawalFreezes:
        """The brake on withdrawals. Raises NotReadyError before `start`."""
        return self._started().freezes

    @property
    def passwords(self) -> PasswordChanges:
        """New passwords. Raises NotReadyError before `start`."""
        return self._started().passwords

    @property
    def transfers(self) -> Transfers:
        """Money and statements. Raises NotReadyError before `start`."""
        return self._started().transfers

    def _started(self) -> _Parts:
        if self._parts is None:
            raise NotReadyError
        return self._parts

    async def start(self) -> None:
        """Find the ledger's position, open the logs. Raises what is still wrong after a minute."""
        settings, resources = self.settings, self._resources
        await self._wait_for_database()
        position = await self._ledger.position(settings.shard)
        writer = await resources.command_log.writer()
        self._closing.push_async_callback(writer.close)
        reader = await resources.event_log.reader(position.next_offset, gathering.USER_MS)
        self._closing.push_async_callback(reader.close)
        self._closing.push_async_callback(self._barrier.close)
        follower = EventFollower(EventTail(reader, position), await self._ledger.assets())
        gateway = CommandGateway(
            writer,
            tick_ms=settings.command_tick_ms,
            deadline_ms=settings.command_deadline_ms,
            waiting_max=settings.commands_waiting_max,
            wait_max_ms=settings.command_wait_max_ms,
            sender=self.name,
        )
        transfers = Transfers(
            gateway,
            follower,
            resources.event_log,
            self._ledger,
            self._guard,
            self._barrier,
            shard=settings.shard,
            faucet=settings.faucet,
        )
        passwords = Passwords(deadline_ms=settings.request_deadline_ms)
        self._closing.callback(passwords.close)
        store = AccountStore(self._database)
        freezes = WithdrawalFreezes(
            FreezeStore(self._database),
            store,
            self._sessions,
            passwords,
            delay_s=settings.withdrawal_unfreeze_delay_s,
            clock_ms=clock_ms,
        )
        accounts = self._make_accounts(store, passwords)
        changes = self._make_changes(store, passwords)
        self._parts = _Parts(accounts, freezes, transfers, gateway, follower, changes)
        self._problems = {"log": "not read up to its end yet"}

    def _make_accounts(self, store: AccountStore, passwords: Passwords) -> Accounts:
        settings = self.settings
        return Accounts(
            store,
            self._sessions,
            passwords,
            self._key_ring,
            self._resources.cache,
            self._identities,
            self.logins,
            self.second_factor,
            cache_deadline_ms=settings.cache_deadline_ms,
            clock_ms=clock_ms,
        )

    def _make_changes(self, store: AccountStore, passwords: Passwords) -> PasswordChanges:
        return PasswordChanges(
            PasswordStore(self._database),
            store,
            self._sessions,
            passwords,
            self.logins,
            self.second_factor,
            delay_s=self.settings.withdrawal_unfreeze_delay_s,
            clock_ms=clock_ms,
        )

    async def _wait_for_database(self) -> None:
        """The server, and the tables that the migrations make, may come a little later than we do."""
        give_up_s = time.monotonic() + _START_DEADLINE_S
        while True:
            try:
                await self._ledger.position(self.settings.shard)
                return
            except DatabaseUnavailableError as error:
                if time.monotonic() >= give_up_s:
                    raise
                logger.warning("waiting for the database: %s", error)
                await asyncio.sleep(_START_RETRY_S)

    async def run(self) -> None:
        """Work until cancelled; then let the commands that are on their way be answered."""
        parts = self._started()
        await run_and_settle(parts.gateway, self._work(parts.gateway, parts.follower))

    async def _work(self, gateway: CommandGateway, follower: EventFollower) -> None:
        """Follow the events, send the commands, probe what is needed; the first failure ends them all."""
        async with asyncio.TaskGroup() as group:
            group.create_task(gateway.run(), name="user gateway")
            group.create_task(self._follow(follower, gateway), name="user events")
            group.create_task(self._learn_place(follower), name="user place")
            group.create_task(self._probe(), name="user probe")
            group.create_task(self._sharing.run(), name="user usage")
            group.create_task(self.logins.run(), name="user sessions")
            if self._identities is not None:
                group.create_task(self._identities.run(), name="user issuers")

    async def _follow(self, follower: EventFollower, gateway: CommandGateway) -> None:
        while True:
            outcomes = await follower.read(_READ_TIMEOUT_MS)
            self._barrier.saw(outcomes)
            gateway.resolve(outcomes)

    async def _learn_place(self, follower: EventFollower) -> None:
        """How far the engine had decided at our start: the ledger may hold it all, and no event come.

        And which numbers transfers have: the ledger may be behind, and would give some out again.
        """
        event_log = self._resources.event_log
        end_offset = await event_log.end_offset()
        newest = await newest_outcome(event_log, end_offset)
        await follower.has_read_to(end_offset)
        if newest is not None:
            self._barrier.saw([newest])
        while True:
            try:
                await self._ledger.advance_sequences(follower.deposit_id, follower.withdrawal_id)
            except DatabaseUnavailableError as error:
                logger.warning("the numbers of transfers are not known yet: %s", error)
                await asyncio.sleep(_START_RETRY_S)
            else:
                self._problems["log"] = None
                return

    async def _probe(self) -> None:
        while True:
            try:
                await self._database.ping()
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
        """Close the threads and the logs."""
        await self._closing.aclose()

    def readiness(self) -> Mapping[str, str | None]:
        """The start, the log, the database, the cache, and the way to the engine."""
        parts = dict(self._problems)
        if self._parts is not None:
            failure = self._parts.gateway.failure
            parts["command_log"] = None if failure is None else str(failure)
        return parts
