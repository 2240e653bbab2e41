"""Carries orders out: commands go onto the log as every service's do, and the engine's word is waited for.

Each order stands in the audit log twice: before anything is done, with who and why, and with what came of it.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_args

import asyncpg
import msgspec

from exchange.contracts import codes
from exchange.contracts.audit_keys import HEARTBEAT_KEY, RED_KEY
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.commands import (
    ActivateRules,
    CancelAllOrders,
    Command,
    CreditDeposit,
    ReserveWithdrawal,
    SetTradingMode,
    SkipCommand,
)
from exchange.contracts.events import CommandRejected, OrderClosed
from exchange.log.deciding import decide_all, decide_one
from exchange.log.gateway import GatewayOverloadedError, GatewayUnavailableError, OutcomeUnknownError
from exchange.money import NumberError, parse_fixed
from exchange.ports.world import LogError
from exchange.process.components import Resources
from exchange.process.connections import CACHE_ERRORS, CONNECTION_ERRORS, transaction
from exchange.security import audit_log
from exchange.security.audit_log import Act
from exchange.security.key_ring import KeyRing, KeyRingError
from exchange.security.withdrawal_stop import WithdrawalStop
from exchange.trading.markets_file import KnownMarkets, MarketsFileError, commands_of, parse_markets
from exchange.wall_clock import clock_ms
from matching_engine.core.rules_version import RULES_VERSION_MAX
from services.operator import accounts, administrators, second_factors, sight
from services.operator.anomalies.listing import list_anomalies
from services.operator.markets.counting import TierCount
from services.operator.markets.desk import MarketDesk
from services.operator.markets.fees import market_in
from services.operator.markets.orders import ALL_MARKETS, ListFees, ShowFilters
from services.operator.orders import (
    MODES,
    ActivateTheRules,
    AddAdministrator,
    AddMarkets,
    AdjustBalance,
    Answer,
    CancelOrders,
    ClearBreach,
    FindAccounts,
    FreezeAccount,
    ListAdministrators,
    ListAnomalies,
    ListBreaches,
    ListFreezes,
    ListMarkets,
    ListWithdrawals,
    RenewFactor,
    RevokeAdministrator,
    SearchAuditLog,
    SetMode,
    ShowAccount,
    ShowReaders,
    ShowWithdrawalStop,
    Signed,
    SkipOne,
    UnfreezeAccount,
    mode_text,
)
from services.operator.refusals import REASON_NAMES, demand_done
from services.operator.tagged import OrderError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

__all__ = ["LOOKS", "OperatorDesk"]

logger = logging.getLogger(__name__)
_DATABASE_ERRORS: Final[tuple[type[BaseException], ...]] = (*CONNECTION_ERRORS, asyncpg.PostgresError)
_FAILURES: Final[tuple[type[BaseException], ...]] = (
    *_DATABASE_ERRORS,
    *CACHE_ERRORS,
    LogError,
    GatewayOverloadedError,
    GatewayUnavailableError,
    KeyRingError,
)
_Sight: TypeAlias = (
    FindAccounts
    | ListAnomalies
    | ListWithdrawals
    | ShowReaders
    | ListFreezes
    | ShowWithdrawalStop
    | SearchAuditLog
)
_OfAdministrators: TypeAlias = AddAdministrator | RenewFactor | ListAdministrators | RevokeAdministrator
# They change nothing, so they need no reason and no line in the audit log.
LOOKS: Final = (
    ListMarkets, ListBreaches, ListAdministrators, ShowAccount, ShowFilters, ListFees, *get_args(_Sight),
)  # fmt: skip
_ORDER_DEADLINE_S: Final = 60.0
_OUTCOME_LENGTH_MAX: Final = 1_000
# A markets file is long, and a secret is nobody's to read.
_NOT_NOTED: Final = ("text", "factor")
# Where money goes that an operator takes away; the settler lets it leave as any other.
_ADJUSTMENT: Final = "operator adjustment"


class OperatorDesk:
    """One order after the other."""

    def __init__(self, resources: Resources, clock_ms: Callable[[], int] = clock_ms) -> None:
        """`clock_ms`: of the count of tiers, for a test whose trades have a past of their own."""
        self._resources = resources
        self._settings = resources.settings
        self._transaction = partial(transaction, resources.database, resources.settings.database_deadline_ms)
        self._tiers = TierCount(resources, clock_ms)
        self._turn = asyncio.Lock()

    async def carry_out(self, signed: Signed) -> Answer:
        """Do it, and say what came of it. Raises nothing but cancellation."""
        try:
            async with asyncio.timeout(_ORDER_DEADLINE_S), self._turn:
                if isinstance(signed.order, LOOKS):
                    return Answer(True, await self._do(signed))
                return await self._noted(signed)
        except OrderError as error:
            return Answer(False, [str(error)])
        except OutcomeUnknownError:
            return Answer(False, ["it was sent, and the engine has not decided it yet; ask again what holds"])
        except _FAILURES as error:
            return Answer(False, [f"not done, for something is away: {error or type(error).__name__}"])

    async def _noted(self, signed: Signed) -> Answer:
        """With a line in the audit log before and after."""
        extra: list[str] = []
        try:
            await self._note("operator-order", signed, {})
        except _DATABASE_ERRORS as error:
            if not _cannot_wait(signed.order):
                raise
            logger.critical("not in the audit log: %s orders %s: %r", signed.who, signed.order, error)
            extra = ["NOT in the audit log, for the database is away: note who did it and why"]
        try:
            lines = await self._do(signed)
        except OrderError as error:
            if not extra:
                await self._note("operator-refused", signed, {"outcome": str(error)})
            raise
        if not extra:
            await self._note("operator-done", signed, {"outcome": "; ".join(lines)[:_OUTCOME_LENGTH_MAX]})
        return Answer(True, [*lines, *extra])

    async def _note(self, act: str, signed: Signed, detail: dict[str, object]) -> None:
        order = msgspec.to_builtins(signed.order)
        for what in _NOT_NOTED:
            order.pop(what, None)
        whole = {"order": order, "who": signed.who, "reason": signed.reason, **detail}
        async with self._transaction() as connection:
            await audit_log.append(connection, Act(act, None, "", clock_ms(), whole))

    async def _do(self, signed: Signed) -> list[str]:
        match signed.order:
            case ListMarkets():
                return await self._list_markets()
            case AddMarkets(text):
                return await self._add_markets(text)
            case SetMode(symbol, word):
                return await self._set_mode(symbol, word)
            case ActivateTheRules(version):
                return await self._activate(version)
            case SkipOne(offset, index, signature):
                await self._decide(lambda n: SkipCommand(n, offset, index, signature))
                return [f"recorded: command {index} of record {offset} is refused if the signature is right"]
            case ListBreaches():
                async with self._transaction() as connection:
                    return await accounts.list_breaches(connection, self._settings.shard)
            case ClearBreach(breach_id):
                async with self._transaction() as connection:
                    await accounts.clear_breach(connection, self._settings.shard, breach_id, clock_ms())
                return [f"breach {breach_id} is cleared; start the auditor again, then reopen the markets"]
            case ShowAccount(account) | FreezeAccount(account) | UnfreezeAccount(account):
                return await self._account(signed, account)
            case (
                FindAccounts() | ListAnomalies() | ListWithdrawals() | ShowReaders()
                | ListFreezes() | ShowWithdrawalStop() | SearchAuditLog()
            ):  # fmt: skip
                return await self._look(signed.order)
            case CancelOrders(account):
                return await self._cancel_orders(account)
            case AdjustBalance():
                return await self._adjust(signed.order)
            case AddAdministrator() | RenewFactor() | ListAdministrators() | RevokeAdministrator():
                return await self._administrate(signed.order)
            case of_markets:
                desk = MarketDesk(await self._known(), self._transaction, self._decide, self._tiers.count)
                return await desk.carry_out(of_markets)

    async def _administrate(self, order: _OfAdministrators) -> list[str]:
        async with self._transaction() as connection:
            match order:
                case AddAdministrator(name, role, token_hash, factor):
                    await administrators.add(connection, name, role, token_hash, clock_ms())
                    await self._put_factor(connection, name, factor)
                    return [f"{name} may order as {role}"]
                case RenewFactor(name, factor):
                    await self._put_factor(connection, name, factor)
                    return [f"{name} has another authenticator"]
                case ListAdministrators():
                    return await administrators.lines(connection)
                case RevokeAdministrator(name):
                    await administrators.revoke(connection, name, clock_ms())
                    return [f"{name} may not order any more"]

    async def _put_factor(self, connection: "PoolConnectionProxy[Any]", name: str, factor: str) -> None:
        key_ring = KeyRing.from_resources(self._resources)
        await second_factors.put_factor(connection, key_ring, name, factor, clock_ms())

    # -- markets --------------------------------------------------------------------------------

    async def _known(self) -> KnownMarkets:
        async with self._transaction() as connection:
            assets = await connection.fetch("SELECT code, asset_id, decimals FROM assets")
            markets = await connection.fetch("SELECT * FROM markets ORDER BY market_id")
        return KnownMarkets(
            {row["code"]: (row["asset_id"], row["decimals"]) for row in assets},
            {row["symbol"]: dict(row) for row in markets},
        )

    async def _list_markets(self) -> list[str]:
        known = await self._known()
        lines = [f"{symbol}: {mode_text(row['mode'])}" for symbol, row in known.markets.items()]
        return lines or ["there is no market"]

    async def _add_markets(self, text: str) -> list[str]:
        try:
            commands = commands_of(parse_markets(text), await self._known())
        except MarketsFileError as error:
            raise OrderError(str(error)) from None
        # Assets come before the markets that need them, and the engine decides in order.
        for outcome in await decide_all(self._resources, [partial(_with_id, one) for one in commands]):
            demand_done(outcome)
        names = [getattr(one, "symbol", None) or getattr(one, "code", "") for one in commands]
        lines = [f"registered {name}" for name in names if name]
        return lines or ["nothing to add: all of the file is registered"]

    async def _set_mode(self, symbol: str, word: str) -> list[str]:
        mode, market_id = MODES.get(word), 0
        if mode is None:
            raise OrderError(f"{word} is none of {', '.join(MODES)}")
        if mode == codes.MODE_TRADING and await self._is_red():
            raise OrderError(
                "the auditor is red: repair the cause, clear the breach, start it again; then reopen"
            )
        if symbol != ALL_MARKETS:
            market_id = market_in(await self._known(), symbol)["market_id"]
        outcome = await self._decide(lambda number: SetTradingMode(number, market_id, mode))
        return [f"{symbol}: {mode_text(mode)} since seq {outcome.events[-1].seq}"]

    async def _is_red(self) -> bool:
        async with asyncio.timeout(self._settings.cache_deadline_ms / 1000):
            return await self._resources.cache.get(RED_KEY) is not None

    # -- the engine -----------------------------------------------------------------------------

    async def _activate(self, version: int) -> list[str]:
        # An engine that lacks the rules of the log stops at this very command, for good.
        if not 1 <= version <= RULES_VERSION_MAX:
            raise OrderError(f"this release knows the rules 1 to {RULES_VERSION_MAX}")
        outcome = await self._decide(lambda number: ActivateRules(number, version))
        return [f"rules {version} hold since seq {outcome.events[-1].seq}"]

    async def _decide(self, make: Callable[[int], Command]) -> CommandOutcome:
        """The engine's word. Raises OrderError when it refuses, and what `decide_one` raises."""
        outcome = await decide_one(self._resources, make)
        demand_done(outcome)
        return outcome

    async def _adjust(self, order: AdjustBalance) -> list[str]:
        async with self._transaction() as connection:
            user_id = await accounts.user_id_of(connection, order.account)
            asset = await connection.fetchrow(
                "SELECT asset_id, decimals FROM assets WHERE code = $1", order.asset
            )
            if asset is None:
                raise OrderError(f"there is no asset {order.asset}")
            is_debit, amount = order.amount.startswith("-"), order.amount.lstrip("+-")
            try:
                atoms = parse_fixed(amount, asset["decimals"])
            except NumberError as error:
                raise OrderError(f"{order.amount} is no amount of {order.asset}: {error}") from None
            if (
                atoms <= 0
                or order.amount != ("-" if is_debit else "+" * order.amount.startswith("+")) + amount
            ):
                raise OrderError("the amount is above 0, or below it with a minus")
            sequence = "withdrawal_ids" if is_debit else "deposit_ids"
            number = int(await connection.fetchval("SELECT nextval($1::regclass)", sequence))
        asset_id = int(asset["asset_id"])
        if is_debit:
            await self._decide(lambda n: ReserveWithdrawal(n, user_id, asset_id, atoms, number, _ADJUSTMENT))
            return [f"{amount} {order.asset} are reserved to leave account {user_id}: withdrawal {number}"]
        await self._decide(lambda n: CreditDeposit(n, user_id, asset_id, atoms, number))
        return [f"{amount} {order.asset} were credited to account {user_id}: deposit {number}"]

    async def _cancel_orders(self, account: str) -> list[str]:
        async with self._transaction() as connection:
            user_id = await accounts.user_id_of(connection, account)
        # In every market, whatever the ledger knows by now: an order may be younger.
        numbers = [int(row["market_id"]) for row in (await self._known()).markets.values()]
        makes = [partial(_cancel_all, user_id, number) for number in numbers]
        outcomes = await decide_all(self._resources, makes)
        closed = sum(isinstance(one.event, OrderClosed) for outcome in outcomes for one in outcome.events)
        refused = {
            REASON_NAMES.get(event.reason, str(event.reason))
            for outcome in outcomes
            if isinstance(event := outcome.events[0].event, CommandRejected)
            and event.reason != codes.REJECT_UNKNOWN_ORDER
        }
        lines = [f"{closed} orders of account {user_id} were cancelled"]
        return lines + [f"some markets cancel nothing: {reason}" for reason in sorted(refused)]

    async def _look(self, order: _Sight) -> list[str]:
        deadline_ms = self._settings.cache_deadline_ms
        if isinstance(order, ShowWithdrawalStop):
            required = self._settings.auditor_required
            stop = WithdrawalStop(self._resources.cache, auditor_required=required, deadline_ms=deadline_ms)
            reason = await stop.reason()
            return ["money may leave" if reason is None else f"STOPPED: {reason}"]
        async with self._transaction() as connection:
            match order:
                case FindAccounts(text):
                    return await sight.find_accounts(connection, text)
                case ListAnomalies():
                    return await list_anomalies(connection, self._settings.shard)
                case ListWithdrawals():
                    return await sight.list_withdrawals(connection, clock_ms())
                case ListFreezes():
                    return await sight.list_freezes(connection, clock_ms())
                case SearchAuditLog(text, before_id):
                    return await sight.search_audit_log(connection, text, before_id)
                case ShowReaders():
                    async with asyncio.timeout(deadline_ms / 1000):
                        heartbeat = await self._resources.cache.get(HEARTBEAT_KEY)
                    log, shard = self._resources.event_log, self._settings.shard
                    return await sight.readers(connection, log, shard, heartbeat)

    # -- accounts -------------------------------------------------------------------------------

    async def _account(self, signed: Signed, account: str) -> list[str]:
        async with self._transaction() as connection:
            user_id, now_ms = await accounts.user_id_of(connection, account), clock_ms()
            detail = {"who": signed.who, "reason": signed.reason}
            if isinstance(signed.order, FreezeAccount):
                await accounts.freeze_account(connection, user_id, now_ms)
                await audit_log.append(
                    connection, Act("withdrawals-frozen", user_id, "", now_ms, {"by": "operator", **detail})
                )
            elif isinstance(signed.order, UnfreezeAccount):
                if not await accounts.unfreeze_account(connection, user_id, now_ms):
                    raise OrderError(f"account {user_id} is not frozen")
                await audit_log.append(
                    connection, Act("withdrawals-unfrozen", user_id, "", now_ms, {"by": "operator", **detail})
                )
            return await accounts.show_account(connection, user_id)


def _cannot_wait(order: object) -> bool:
    """Whether it takes risk away, and must be possible while the database is away."""
    return isinstance(order, SkipOne) or (isinstance(order, SetMode) and order.word != "reopen")


def _cancel_all(user_id: int, market_id: int, command_id: int) -> Command:
    return CancelAllOrders(command_id, user_id, market_id, "", 0)


def _with_id(command: Command, command_id: int) -> Command:
    command.command_id = command_id
    return command
