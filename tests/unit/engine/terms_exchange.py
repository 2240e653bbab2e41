"""An exchange for tests of orders with terms: short calls, and every event checked against the money."""

from typing import Any, TypeVar

from exchange.contracts import codes
from exchange.contracts.commands import CancelOrder, KeepTime, LeaderElected, SetTradingMode
from exchange.contracts.events import CommandRejected, Event
from exchange.contracts.order_commands import (
    AmendOrder,
    CancelOrderList,
    OrderLeg,
    PlaceOrderList,
    PlaceOrderWithTerms,
)
from matching_engine.core.engine import Engine
from matching_engine.core.engine_limits import EngineLimits
from tests.unit.engine.test_trading import ALICE, BOB, BTC, BTCUSDT, USDT, Exchange

__all__ = ["ALICE", "BOB", "BTC", "BTCUSDT", "USDT", "P", "TermsExchange", "kinds", "one"]

# A price with room on both sides, in ticks.
P = 5_000_000
Kind = TypeVar("Kind", bound=Event)


def one(events: list[Event], kind: type[Kind], place: int = 0) -> Kind:
    """The `place`-th event of a kind."""
    return [event for event in events if isinstance(event, kind)][place]


def kinds(events: list[Event]) -> list[str]:
    """The names of the events."""
    return [type(event).__name__ for event in events]


def leg(
    name: str,
    side: int,
    order_type: int,
    lots: int,
    price: int = 0,
    *,
    stop: int = 0,
    bips: int = 0,
    iceberg: int = 0,
    tif: int = codes.GTC,
    strategy: int = 0,
    peg: int = 0,
    offset: int = 0,
) -> OrderLeg:
    """An order of a list."""
    return OrderLeg(name, side, order_type, tif, price, lots, stop, bips, iceberg, strategy, 0, peg, offset)


class TermsExchange(Exchange):
    """Alice and Bob in BTCUSDT; the last price is P."""

    def __init__(self, limits: EngineLimits | None = None) -> None:
        super().__init__()
        if limits is not None:
            self.engine.limits = limits
        self.apply(LeaderElected(1, "one", 1))
        self.trade_at(P)

    def trade_at(self, price: int, lots: int = 100) -> list[Event]:
        """Let a trade happen at a price: all events of the taker's command."""
        self.place(BOB, codes.SELL, price, lots, stp=codes.STP_NONE)
        return self.place(ALICE, codes.BUY, price, lots, stp=codes.STP_NONE)

    def order(self, user_id: int, of: OrderLeg, *, quote: int = 0, stp: int = codes.STP_NONE) -> list[Event]:
        """Place one order with terms."""
        return self.apply(
            PlaceOrderWithTerms(
                1, user_id, BTCUSDT, of.client_order_id, of.side, of.order_type, of.time_in_force,
                of.price_ticks, of.quantity_lots, quote, stp, 0, of.stop_price_ticks, of.trailing_bips,
                of.iceberg_lots, of.strategy_id, of.strategy_type, of.peg_price_type, of.peg_offset_levels,
            )
        )  # fmt: skip

    def list_of(self, user_id: int, contingency: int, *legs: OrderLeg, name: str = "list") -> list[Event]:
        """Place a list."""
        return self.apply(
            PlaceOrderList(1, user_id, BTCUSDT, name, contingency, codes.STP_NONE, 0, list(legs))
        )

    def cancel_order(self, user_id: int, name: str, restriction: int = codes.CANCEL_ANY) -> list[Event]:
        """Cancel by name."""
        return self.apply(CancelOrder(1, user_id, BTCUSDT, 0, name, "", restriction, 0))

    def cancel_list(self, user_id: int, name: str = "list") -> list[Event]:
        """Cancel a list by name."""
        return self.apply(CancelOrderList(1, user_id, BTCUSDT, 0, name, "", 0))

    def amend(self, user_id: int, name: str, lots: int, new_name: str = "") -> list[Event]:
        """Make an order smaller."""
        return self.apply(AmendOrder(1, user_id, BTCUSDT, 0, name, new_name or name, lots, 0))

    def mode(self, mode: int) -> list[Event]:
        """Set the market's mode."""
        return self.apply(SetTradingMode(1, BTCUSDT, mode))

    def keep_time(self) -> list[Event]:
        """The leader speaks."""
        return self.apply(KeepTime(1, self.engine.epoch, self.now_ms))

    def refusal(self, events: list[Event]) -> int:
        """Why a command was refused; it says nothing else."""
        (event,) = events
        assert isinstance(event, CommandRejected)
        return event.reason

    def held(self, user_id: int, asset_id: int) -> int:
        """What the user's orders hold."""
        return self.money(user_id, asset_id)[1]

    def book(self, side: int) -> list[tuple[int, int]]:
        """What everybody sees."""
        return self.engine.markets[BTCUSDT].book.depth(side, 10)

    def restored(self) -> Any:
        """The same state in another engine."""
        from matching_engine.core.shard import Shard
        from matching_engine.core.state import from_rows, to_rows

        rows = to_rows(Shard(self.engine))
        shard = from_rows(rows, Engine(limits=self.engine.limits))
        assert to_rows(shard) == rows
        return shard.engine
