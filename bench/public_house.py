"""A house on an exchange that is no bench: it quotes and moves prices by public calls, as anybody could.

What it sends is what the bench's own house sends (bench/serving/house.py), an order at a time.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Any, Final

from bench.account import Account
from bench.control import BenchError, Control

__all__ = ["MONEY", "PublicHouse", "cancel_all"]

# Of each of its accounts: what one request may take from the faucet.
MONEY: Final = {"BTC": 10_000, "ETH": 100_000, "USDT": 100_000_000}
_PRICES: Final = {"BTCUSDT": Decimal(65_000), "ETHUSDT": Decimal(3_500), "ETHBTC": Decimal("0.05385")}
STEPS_MAX: Final = 1_000
LEVELS: Final = 10
_WALKING_LEVELS: Final = 3
_SWEEPS_MAX: Final = 20
_PRINTS_MAX: Final = 3
_DEPTH_LEVELS: Final = 1_000
# Each level is worth so many times the market's smallest order: more than on the bench, for fewer levels.
_SMALLEST_PER_LEVEL: Final = 4_000
_HALF_SPREAD_PPM: Final = 50
_GAP_PPM: Final = 100
_PPM: Final = 1_000_000
_SEEN_DEADLINE_S: Final = 10.0
_SEEN_POLL_S: Final = 0.01
_NOTHING_TO_CANCEL: Final = -2011
_Levels = list[tuple[Decimal, Decimal]]


@dataclass(frozen=True)
class _Rules:
    """What a market asks of prices and quantities, in whole units of its assets."""

    tick: Decimal
    step: Decimal
    quantity_max: Decimal
    notional_min: Decimal
    notional_max: Decimal

    def offset(self, middle: Decimal, level: int) -> Decimal:
        ticks = (middle * (_HALF_SPREAD_PPM + level * _GAP_PPM) / _PPM) // self.tick
        return max(Decimal(level + 1), ticks) * self.tick

    def smallest(self, price: Decimal) -> Decimal:
        """The smallest quantity that is worth enough at this price."""
        steps = (self.notional_min / price / self.step).to_integral_value(ROUND_UP)
        return (steps + 1) * self.step

    def most(self, price: Decimal) -> Decimal:
        """The largest that one order may have."""
        return min(self.quantity_max, self.notional_max / price // self.step * self.step)

    def usual(self, price: Decimal) -> Decimal:
        """What stands on each level."""
        return min(self.smallest(price) * _SMALLEST_PER_LEVEL, self.most(price))


class PublicHouse:
    """Two makers, who quote in turns so that no market is ever without quotes, and a taker."""

    def __init__(self, control: Control, open_account: Callable[[], Account]) -> None:
        self._control = control
        self._new, self._old, self._taker = (open_account() for _ in range(3))
        self._rules: dict[str, _Rules] = {}
        self._middles: dict[str, Decimal] = {}
        # The market as the house has left it: last price, bids and asks.
        self._left: dict[str, tuple[Decimal, _Levels, _Levels]] = {}
        self.clean()

    def clean(self) -> None:
        """Every market that has a first price there, behind a whole ladder."""
        for symbol, price in _PRICES.items():
            if self._left.get(symbol) != self._seen(symbol):
                self._step(symbol, price, LEVELS)
                self._left[symbol] = self._seen(symbol)

    def walk(self, symbol: str, price: Decimal, steps: int) -> None:
        """Move a market's price in equal steps, meeting what is in the way. Raises BenchError."""
        if not 1 <= steps <= STEPS_MAX:
            raise BenchError(f"from 1 to {STEPS_MAX} steps")
        tick = self._rules_of(symbol).tick
        if price <= 0 or price % tick:
            raise BenchError(f"{price} is no multiple of {symbol}'s tick")
        begin = self._middles.get(symbol, price)
        for step in range(1, steps + 1):
            middle = begin + (price - begin) * step / steps // tick * tick
            self._step(symbol, middle, LEVELS if step == steps else _WALKING_LEVELS)

    def empty(self, symbol: str) -> None:
        """Take the house's orders away."""
        for maker in (self._new, self._old):
            _cancel(maker, symbol)
        self._left.pop(symbol, None)

    def leave(self) -> None:
        """Take all of them away: whoever comes next quotes anew."""
        for account in (self._new, self._old, self._taker):
            cancel_all(account)

    def _step(self, symbol: str, middle: Decimal, levels: int) -> None:
        """Quote around `middle` and trade there; again if a stop that this has triggered took quotes away."""
        for _ in range(_PRINTS_MAX):
            if self._move(symbol, middle, levels):
                break
        self._middles[symbol] = middle
        self._wait_until_seen(symbol, middle)

    def _move(self, symbol: str, middle: Decimal, levels: int) -> bool:
        """The new maker's quotes stand before the old one's go: a bot always has somebody to trade with.

        A trade triggers stops, which trade at once: so quotes for them stand before the first print, too, and
        those of the other side when nothing is in their way any more. Whether the print was the last trade.
        """
        self._new, self._old = self._old, self._new
        first, last = ("BUY", "SELL") if self._resting(symbol, "SELL", middle) else ("SELL", "BUY")
        self._quote(symbol, first, middle, levels)
        self._sweep(symbol, middle)
        self._quote(symbol, last, middle, levels)
        is_last = self._print(symbol, middle)
        _cancel(self._old, symbol)
        return is_last

    def _quote(self, symbol: str, side: str, middle: Decimal, levels: int) -> None:
        rules = self._rules_of(symbol)
        for level in range(levels):
            offset = rules.offset(middle, level)
            price = middle - offset if side == "BUY" else middle + offset
            _place(self._new, symbol, side, "LIMIT_MAKER", price, rules.usual(price))

    def _print(self, symbol: str, middle: Decimal) -> bool:
        """A trade between two of the house's accounts; whether it was the last one, seen by everybody.

        A stop that it triggers trades after it, elsewhere.
        """
        quantity = self._rules_of(symbol).usual(middle)
        _place(self._new, symbol, "SELL", "LIMIT_MAKER", middle, quantity)
        told = _place(self._taker, symbol, "BUY", "LIMIT", middle, quantity, timeInForce="IOC")
        own = max((int(fill["tradeId"]) for fill in told["fills"]), default=0)
        if not own:
            return False
        give_up = time.monotonic() + _SEEN_DEADLINE_S
        while True:
            (newest,) = self._control.ask("GET", f"/api/v3/trades?symbol={symbol}&limit=1") or ({"id": 0},)
            if newest["id"] >= own:
                return bool(Decimal(newest["price"]) == middle)
            if time.monotonic() >= give_up:
                raise BenchError(f"{symbol}'s trade {own} is not told of: {told}")
            time.sleep(_SEEN_POLL_S)

    def _sweep(self, symbol: str, middle: Decimal) -> None:
        """Take what rests at `middle` or better, the old maker's quotes too."""
        rules = self._rules_of(symbol)
        for _ in range(_SWEEPS_MAX):
            found = {side: self._resting(symbol, side, middle) for side in ("BUY", "SELL")}
            if not any(found.values()):
                return
            for side, quantity in found.items():
                if quantity:
                    size = min(max(quantity, rules.smallest(middle)), rules.most(middle))
                    _place(self._taker, symbol, side, "LIMIT", middle, size, timeInForce="IOC")
        raise BenchError(f"after {_SWEEPS_MAX} sweeps {symbol} still has orders on the way to {middle}")

    def _resting(self, symbol: str, side: str, middle: Decimal) -> Decimal:
        """How much an order of this side would meet at `middle`."""
        _, bids, asks = self._seen(symbol, _DEPTH_LEVELS)
        if side == "BUY":
            return sum((size for price, size in asks if price <= middle), Decimal(0))
        return sum((size for price, size in bids if price >= middle), Decimal(0))

    def _wait_until_seen(self, symbol: str, middle: Decimal) -> None:
        """Market data are another process's: the answers to orders do not wait for it."""
        give_up = time.monotonic() + _SEEN_DEADLINE_S
        while True:
            last, bids, asks = self._seen(symbol)
            if last and bids and asks and bids[0][0] < middle < asks[0][0]:
                return
            if time.monotonic() >= give_up:
                raise BenchError(f"{symbol} is at {last} {bids[:1]} {asks[:1]}, not at {middle}")
            time.sleep(_SEEN_POLL_S)

    def _seen(self, symbol: str, limit: int = 100) -> tuple[Decimal, _Levels, _Levels]:
        book = self._control.ask("GET", f"/api/v3/depth?symbol={symbol}&limit={limit}")
        try:
            last = Decimal(self._control.ask("GET", f"/api/v3/ticker/price?symbol={symbol}")["price"])
        except BenchError:
            # Nothing has been traded yet.
            last = Decimal(0)
        bids, asks = ([(Decimal(row[0]), Decimal(row[1])) for row in book[side]] for side in ("bids", "asks"))
        return last, bids, asks

    def _rules_of(self, symbol: str) -> _Rules:
        if symbol not in self._rules:
            (market,) = self._control.ask("GET", f"/api/v3/exchangeInfo?symbol={symbol}")["symbols"]
            filters: dict[str, dict[str, Any]] = {row["filterType"]: row for row in market["filters"]}
            lot, notional = filters["LOT_SIZE"], filters["NOTIONAL"]
            self._rules[symbol] = _Rules(
                Decimal(filters["PRICE_FILTER"]["tickSize"]),
                Decimal(lot["stepSize"]),
                Decimal(lot["maxQty"]),
                Decimal(notional["minNotional"]),
                Decimal(notional["maxNotional"]),
            )
        return self._rules[symbol]


def cancel_all(account: Account) -> None:
    """In every market where the account has an open order."""
    for symbol in {row["symbol"] for row in account.open_orders()}:
        _cancel(account, symbol)


def _cancel(account: Account, symbol: str) -> None:
    try:
        account.request("DELETE", "/api/v3/openOrders", symbol=symbol)
    except BenchError as error:
        if error.code != _NOTHING_TO_CANCEL:
            raise


def _place(
    account: Account, symbol: str, side: str, kind: str, price: Decimal, quantity: Decimal, **more: str
) -> dict[str, Any]:
    made: dict[str, Any] = account.request(
        "POST", "/api/v3/order",
        symbol=symbol, side=side, type=kind, price=f"{price:f}", quantity=f"{quantity:f}",
        newOrderRespType="FULL", **more,
    )  # fmt: skip
    return made
