"""Money in and out, and its history: commands to the engine, reads of the ledger."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final, NamedTuple

from asyncpg import Record

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.codes import REJECT_INSUFFICIENT_BALANCE
from exchange.contracts.commands import CreditDeposit, ReleaseWithdrawal, ReserveWithdrawal
from exchange.contracts.events import (
    CommandRejected,
    DepositCredited,
    WithdrawalReleased,
    WithdrawalReserved,
)
from exchange.log.barrier import OutcomeBarrier
from exchange.log.gateway import (
    CommandGateway,
    GatewayOverloadedError,
    GatewayUnavailableError,
    OutcomeUnknownError,
)
from exchange.money import NumberError, NumberOverflowError, PrecisionError, parse_fixed
from exchange.ports.world import Log, LogError
from services.user.money.event_follower import EventFollower
from services.user.money.withdrawal_guard import WithdrawalGuard, WithdrawalRequest
from services.user.tables.ledger import Asset, Ledger

__all__ = [
    "AmountError",
    "FaucetOffError",
    "InsufficientFundsError",
    "Transfer",
    "TransferRefusedError",
    "TransferUnknownError",
    "Transfers",
    "TransfersUndecidedError",
    "UnknownAssetError",
]

# What one request may take from the faucet, in whole units: test money, but no overflow of an account.
FAUCET_UNITS_MAX: Final[Mapping[str, int]] = {"BTC": 10_000, "ETH": 100_000, "BNB": 1_000_000}
FAUCET_UNITS_MAX_DEFAULT: Final = 100_000_000
LEDGER_WAIT_S_MAX: Final = 2.0
_POLL_S_FIRST: Final = 0.005
_POLL_S_MAX: Final = 0.05

logger = logging.getLogger(__name__)


class FaucetOffError(Exception):
    """This exchange gives no money away."""


class UnknownAssetError(Exception):
    """No asset has this code."""


class AmountError(ValueError):
    """The text is no amount of this asset, not above zero, or above the faucet's cap."""


class InsufficientFundsError(Exception):
    """Available is less than the amount; nothing changed."""


class TransferRefusedError(Exception):
    """The engine refused; nothing changed. Carries the code (codes.REJECT_*)."""

    def __init__(self, reason: int) -> None:
        super().__init__(f"refused with reason {reason}")
        self.reason = reason


class TransferUnknownError(Exception):
    """The engine has not answered in time: the transfer may still happen, under `transfer_id`."""

    def __init__(self, transfer_id: int) -> None:
        super().__init__(f"transfer {transfer_id} has no outcome yet")
        self.transfer_id = transfer_id


class TransfersUndecidedError(Exception):
    """A list of transfers would lack what was asked for lately: it is not decided, or not booked, yet."""


_NOTHING_HAPPENED: Final = (
    InsufficientFundsError,
    TransferRefusedError,
    GatewayOverloadedError,
    GatewayUnavailableError,
)


class Transfer(NamedTuple):
    """A deposit or withdrawal that the engine has taken."""

    transfer_id: int
    asset: Asset
    amount_atoms: int


class Transfers:
    """Deposits, withdrawals and the ledger. Raises also what gateway and database raise."""

    def __init__(
        self,
        gateway: CommandGateway,
        follower: EventFollower,
        event_log: Log,
        ledger: Ledger,
        guard: WithdrawalGuard,
        barrier: OutcomeBarrier,
        *,
        shard: int,
        faucet: bool,
    ) -> None:
        self._gateway = gateway
        self._follower = follower
        self._event_log = event_log
        self._ledger = ledger
        self._guard = guard
        self._barrier = barrier
        self._shard = shard
        self._faucet = faucet
        self._end_lock = asyncio.Lock()
        self._end_looks = 0
        self._end_offset = 0

    def asset(self, code: str) -> Asset:
        """The asset called `code`. Raises UnknownAssetError."""
        asset = self._follower.asset(code)
        if asset is None:
            raise UnknownAssetError(code)
        return asset

    def asset_by_id(self, asset_id: int) -> Asset:
        """The asset of a row of the ledger."""
        return self._follower.asset_by_id(asset_id)

    async def deposit(self, user_id: int, code: str, amount: str) -> Transfer:
        """Credit money from the faucet. Raises FaucetOffError, UnknownAssetError, AmountError, …"""
        if not self._faucet:
            raise FaucetOffError
        asset = self.asset(code)
        amount_atoms = _atoms(amount, asset)
        units_max = FAUCET_UNITS_MAX.get(code, FAUCET_UNITS_MAX_DEFAULT)
        if amount_atoms > units_max * 10**asset.decimals:
            raise AmountError(f"at most {units_max} {code} in one request")
        deposit_id = await self._ledger.new_deposit_id()
        command = CreditDeposit(
            self._gateway.new_command_id(), user_id, asset.asset_id, amount_atoms, deposit_id
        )
        outcome = await self._outcome(command, deposit_id)
        _demand(outcome, DepositCredited)
        return Transfer(deposit_id, asset, amount_atoms)

    async def withdraw(self, user_id: int, code: str, amount: str, address: str, ip: str) -> Transfer:
        """Reserve money to be sent.

        Raises UnknownAssetError, AmountError, InsufficientFundsError, …, and what the guard raises.
        """
        asset = self.asset(code)
        amount_atoms = _atoms(amount, asset)
        withdrawal_id = await self._ledger.new_withdrawal_id()
        request = WithdrawalRequest(withdrawal_id, user_id, asset, amount_atoms, address, ip)
        await self._guard.admit(request)
        command = ReserveWithdrawal(
            self._gateway.new_command_id(), user_id, asset.asset_id, amount_atoms, withdrawal_id, address
        )
        try:
            _demand(await self._outcome(command, withdrawal_id), WithdrawalReserved)
        except _NOTHING_HAPPENED as error:
            await self._guard.take_back(request, error)
            raise
        return Transfer(withdrawal_id, asset, amount_atoms)

    async def cancel(self, user_id: int, withdrawal_id: int, ip: str) -> Transfer | None:
        """Give a reserved withdrawal back to its owner; None when he has none of this number.

        Whether it was paid meanwhile is the engine's to say, once: TransferRefusedError then.
        """
        await self._settle(user_id)
        row = await self._ledger.withdrawal(user_id, withdrawal_id)
        if row is None:
            return None
        asset = self.asset_by_id(row["asset_id"])
        command = ReleaseWithdrawal(self._gateway.new_command_id(), withdrawal_id)
        _demand(await self._outcome(command, withdrawal_id), WithdrawalReleased)
        await self._guard.cancelled(
            WithdrawalRequest(withdrawal_id, user_id, asset, row["amount_atoms"], row["address"], ip)
        )
        return Transfer(withdrawal_id, asset, row["amount_atoms"])

    async def _outcome(
        self, command: CreditDeposit | ReserveWithdrawal | ReleaseWithdrawal, transfer_id: int
    ) -> CommandOutcome:
        try:
            return await self._gateway.submit(command)
        except OutcomeUnknownError:
            raise TransferUnknownError(transfer_id) from None

    async def ledger(self, user_id: int, code: str | None, from_id: int, limit: int) -> list[Record]:
        """A page of the user's entries, once the ledger has all that happened before this call."""
        asset_id = None if code is None else self.asset(code).asset_id
        await self._settle(user_id)
        return await self._ledger.ledger_page(user_id, asset_id, from_id, limit)

    async def deposits(self, user_id: int, from_id: int, limit: int) -> list[Record]:
        """A page of the user's deposits. Raises TransfersUndecidedError."""
        await self._decide(user_id)
        return await self._ledger.deposits_page(user_id, from_id, limit)

    async def withdrawals(self, user_id: int, from_id: int, limit: int) -> list[Record]:
        """A page of the user's withdrawals. Raises TransfersUndecidedError."""
        await self._decide(user_id)
        return await self._ledger.withdrawals_page(user_id, from_id, limit)

    async def _decide(self, user_id: int) -> None:
        """Let engine and ledger reach every transfer that was asked for before, or raise.

        Whoever got no answer looks here whether to ask again: what a list lacks must not come later.
        """
        try:
            async with asyncio.timeout(LEDGER_WAIT_S_MAX):
                is_decided = await self._gateway.is_flushed() and await self._barrier.is_passed()
        except TimeoutError:
            is_decided = False
        if not (is_decided and await self._settle(user_id)):
            raise TransfersUndecidedError

    async def _settle(self, user_id: int) -> bool:
        """Wait until the ledger has every event of this user that was in the log when this was called.

        For at most LEDGER_WAIT_S_MAX; whether it has. Of a statement, an old one is better than none.
        """
        try:
            async with asyncio.timeout(LEDGER_WAIT_S_MAX):
                try:
                    await self._follower.has_read_to(await self._fresh_end_offset())
                except LogError as error:
                    logger.warning("the end of the event log is not known: %r", error)
                seq = self._follower.last_seq_of(user_id)
                pause_s = _POLL_S_FIRST
                while await self._ledger.last_seq(self._shard) < seq:
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, _POLL_S_MAX)
                return True
        except TimeoutError:
            logger.warning("the ledger is more than %s s behind the event log", LEDGER_WAIT_S_MAX)
            return False

    async def _fresh_end_offset(self) -> int:
        """The log's end as of now or later. Looking opens a connection on some logs, so callers share one."""
        looks_before = self._end_looks
        async with self._end_lock:
            # A look that began while we were waiting is fresh; the one under way when we came is not.
            if self._end_looks < looks_before + 2:
                self._end_looks += 1
                self._end_offset = await self._event_log.end_offset()
                self._end_looks += 1
            return self._end_offset


def _atoms(amount: str, asset: Asset) -> int:
    try:
        atoms = parse_fixed(amount, asset.decimals)
    except NumberOverflowError:
        raise AmountError(f"more {asset.code} than the exchange can hold") from None
    except PrecisionError:
        raise AmountError(f"at most {asset.decimals} decimals for {asset.code}") from None
    except NumberError:
        raise AmountError("an amount is digits with at most one point, such as 100.25") from None
    if atoms == 0:
        raise AmountError("must be above zero")
    return atoms


def _demand(
    outcome: CommandOutcome,
    expected: type[DepositCredited] | type[WithdrawalReserved] | type[WithdrawalReleased],
) -> None:
    event = outcome.events[0].event
    if isinstance(event, CommandRejected):
        if event.reason == REJECT_INSUFFICIENT_BALANCE:
            raise InsufficientFundsError
        raise TransferRefusedError(event.reason)
    assert isinstance(event, expected), "the engine answered with another event"
