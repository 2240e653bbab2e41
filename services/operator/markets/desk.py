"""Carries out what is ordered about markets: filters and fees that change, and a market's end."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeAlias

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.commands import Command
from exchange.trading.markets_file import KnownMarkets
from services.operator.markets import fees, tiers
from services.operator.markets.counting import Counted
from services.operator.markets.filters import read_filters
from services.operator.markets.orders import (
    ChangeFilter,
    CountTiers,
    ListFees,
    MarketOrder,
    RetireMarket,
    SetDiscount,
    SetFees,
    SetTier,
    ShowFilters,
)

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Transaction: TypeAlias = Callable[[], AbstractAsyncContextManager[PoolConnectionProxy[Any]]]

__all__ = ["MarketDesk"]

_Make: TypeAlias = Callable[[int], Command]


class MarketDesk:
    """The markets that are known, and the ways to the tables and to the engine.

    `decide` makes a command of its id and gives the engine's word, `count` counts the tiers of fees; both
    raise OrderError where the engine refuses.
    """

    def __init__(
        self,
        known: KnownMarkets,
        transaction: "Transaction",
        decide: Callable[[_Make], Awaitable[CommandOutcome]],
        count: Callable[[], Awaitable[Counted]],
    ) -> None:
        self._known = known
        self._transaction = transaction
        self._decide = decide
        self._count = count

    async def carry_out(self, order: MarketOrder) -> list[str]:
        """Do it, and say what came of it. Raises OrderError."""
        match order:
            case SetFees() | SetTier() | SetDiscount():
                make, said = fees.command_of(order, self._known)
                outcome = await self._decide(make)
                return [f"{said}, since seq {outcome.events[-1].seq}"]
            case CountTiers():
                return await self._count_tiers()
            case ListFees():
                async with self._transaction() as connection:
                    return await tiers.fee_lines(connection)
            case RetireMarket() | ChangeFilter() | ShowFilters():
                async with self._transaction() as connection:
                    filters = await read_filters(connection, self._known)
                return await filters.carry_out(order, self._decide)

    async def _count_tiers(self) -> list[str]:
        counted = await self._count()
        if not counted.is_all_added:
            return ["not all trades are added up yet: order again"]
        left = [f"order again: {counted.left} are left"] * (counted.left > 0)
        return [f"{counted.moved} accounts are in another tier", *left]
