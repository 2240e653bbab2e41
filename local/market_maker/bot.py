"""A bot that keeps a fresh exchange alive: quotes on both sides of every market, and a trade now and then.

It is a trader like any other: it knows the public API and nothing else. Two accounts, funded from the
faucet: the maker quotes, the taker takes. Modest by design: about four requests a second, at most ten,
once its first quotes stand.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from exchange.contracts.codes import BUY, SELL, SIDE_NAMES
from exchange.money import format_fixed, parse_fixed
from exchange.wall_clock import clock_ms
from local.market_maker.account import HOUSE_ROLES, AccountStore, ApiError, TradingAccount
from local.market_maker.quoting import (
    DECIMALS,
    LEVELS,
    REFERENCE_VALUES,
    UNIT,
    MarketRules,
    Step,
    Take,
    ValueWalk,
    furthest,
    mid_ticks,
    quantity_lots,
    quote_price_ticks,
    value_from_price,
)

__all__ = ["MarketMaker"]

logger = logging.getLogger(__name__)

_STEP_S: Final = 0.6
_NEW_QUOTES_PER_STEP_MAX: Final = 3
_STEPS_BETWEEN_CHECKS: Final = 8
_STEPS_BETWEEN_FUNDING: Final = 300
_REQUEST_DEADLINE_S: Final = 15.0
_STOP_DEADLINE_S: Final = 2.0
_FIRST_QUOTES_DEADLINE_S: Final = 15.0
_BACKOFF_S_MAX: Final = 30.0
_UNKNOWN_ORDER: Final = -2011
_REFUSED_ORDER: Final = -2010
_RULES_CHANGED: Final = -1013  # a filter that has changed, or a market that is closed
_ENDED: Final = "END_OF_DAY"
# Each account is topped up to this much of an asset when it has less than a tenth of it.
_FUNDS: Final[Mapping[str, int]] = {"BTC": 50, "ETH": 1_000, "USDT": 5_000_000}


@dataclass(frozen=True)
class _Slot:
    """A place on the ladder."""

    market: int
    side: int
    level: int


@dataclass(frozen=True)
class _Quote:
    client_order_id: str
    price_ticks: int


class MarketMaker:
    """Quotes until cancelled. `store_file` holds its accounts' secrets; a restart on it reuses them.

    The walk of prices and sizes follows from `seed` and the prices found at the start.
    """

    name = "market-maker"

    def __init__(self, base_url: str, seed: int, store_file: Path) -> None:
        self._base_url = base_url
        self._seed = seed
        self._store_file = store_file
        self._run_id = f"{clock_ms():x}"
        self._markets: list[MarketRules] = []
        self._quotes: dict[_Slot, _Quote] = {}
        self._steps = 0
        self._sent = 0
        self._trusted = False
        self._is_quoting = asyncio.Event()
        self._client: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """Nothing that needs the exchange: in one process it is not listening yet."""
        client = self._client = httpx.AsyncClient(
            base_url=self._base_url, timeout=_REQUEST_DEADLINE_S, trust_env=False
        )
        store = AccountStore(self._store_file)
        self._maker, self._taker = (TradingAccount(client, store, role) for role in HOUSE_ROLES)

    async def first_quotes(self) -> None:
        """Wait until the ladders are full for the first time, but not for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_QUOTES_DEADLINE_S):
                await self._is_quoting.wait()

    def readiness(self) -> Mapping[str, str | None]:
        """Never a reason to call the exchange unready."""
        return {}

    async def run(self) -> None:
        """Quote and trade for ever. No error of the API, and no fault of this bot, may end the exchange."""
        walk: ValueWalk | None = None
        failures = 0
        while True:
            try:
                if walk is None:
                    walk = await self._set_up()
                await self._act(walk.advance())
                failures = 0
                pause_s = _STEP_S
            except Exception as error:
                failures += 1
                self._trusted = False
                if isinstance(error, ApiError) and error.code == _RULES_CHANGED:
                    walk = None  # An administrator may change ticks, lots and markets while they trade.
                pause_s = _backoff_s(error, failures)
                expected = isinstance(error, ApiError | httpx.HTTPError)
                logger.warning("market maker pauses %.1f s: %r", pause_s, error, exc_info=not expected)
            await asyncio.sleep(pause_s)

    async def stop(self) -> None:
        """Take the quotes back if the exchange still answers, and close the connections.

        Whoever was never started holds none.
        """
        if self._client is None:
            return
        try:
            async with asyncio.timeout(_STOP_DEADLINE_S):
                for symbol in {self._markets[slot.market].symbol for slot in self._quotes}:
                    await self._maker.signed("DELETE", "/api/v3/openOrders", {"symbol": symbol})
        except (TimeoutError, ApiError, httpx.HTTPError) as error:
            logger.info("market maker leaves its quotes: %r", error)
        finally:
            self._quotes.clear()
            await self._client.aclose()

    async def _set_up(self) -> ValueWalk:
        """Accounts, rules, prices to begin with, and no orders of an earlier run."""
        await self._maker.open()
        await self._taker.open()
        info = await self._get("/api/v3/exchangeInfo")
        self._markets = [rules for row in info["symbols"] if (rules := _rules(row)) is not None]
        prices = {row["symbol"]: row["price"] for row in await self._get("/api/v3/ticker/price")}
        await self._fund()
        return ValueWalk(self._seed, _start_values(self._markets, prices), len(self._markets))

    async def _get(self, path: str) -> Any:
        assert self._client is not None
        response = await self._client.get(path)
        if not response.is_success:
            raise ApiError(response.status_code, 0, response.text[:200], 0)
        return response.json()

    async def _fund(self) -> None:
        for account in (self._maker, self._taker):
            rows = (await account.signed("GET", "/api/v3/account", {}))["balances"]
            free_atoms = {row["asset"]: parse_fixed(row["free"], DECIMALS) for row in rows}
            for asset, whole in _FUNDS.items():
                missing_atoms = whole * UNIT - free_atoms.get(asset, 0)
                if missing_atoms > whole * UNIT // 10 * 9:
                    await account.deposit(asset, format_fixed(missing_atoms, DECIMALS))

    async def _act(self, step: Step) -> None:
        """One step: check, mend the ladder, perhaps take. At most six requests, but for the first time."""
        self._steps += 1
        if not self._trusted:
            await self._start_over()
        elif self._steps % _STEPS_BETWEEN_FUNDING == 0:
            await self._fund()
        elif self._steps % _STEPS_BETWEEN_CHECKS == 0:
            await self._forget_closed(self._steps // _STEPS_BETWEEN_CHECKS % len(self._markets))
        empty = [slot for slot in self._slots() if slot not in self._quotes]
        # Who looks for the first time shall find a whole book.
        quotes_max = _NEW_QUOTES_PER_STEP_MAX if self._is_quoting.is_set() else len(empty)
        for slot in empty[:quotes_max]:
            await self._place(slot, step)
        self._is_quoting.set()
        if not empty:
            await self._replace_furthest(step)
        if step.take is not None:
            await self._take(step.take, step)

    async def _start_over(self) -> None:
        """Cancel whatever is open: after an error nobody knows which requests were carried out."""
        self._quotes.clear()
        open_orders = await self._maker.signed("GET", "/api/v3/openOrders", {})
        for symbol in sorted({row["symbol"] for row in open_orders}):
            await self._maker.signed("DELETE", "/api/v3/openOrders", {"symbol": symbol})
        self._trusted = True

    def _slots(self) -> list[_Slot]:
        """Every place on every ladder, the inner ones first."""
        return [
            _Slot(market, side, level)
            for level in range(LEVELS)
            for market in range(len(self._markets))
            for side in (BUY, SELL)
        ]

    async def _forget_closed(self, market: int) -> None:
        """Drop the quotes that others have filled."""
        symbol = self._markets[market].symbol
        rows = await self._maker.signed("GET", "/api/v3/openOrders", {"symbol": symbol})
        still_open = {row["clientOrderId"] for row in rows}
        for slot, quote in list(self._quotes.items()):
            if slot.market == market and quote.client_order_id not in still_open:
                del self._quotes[slot]

    async def _replace_furthest(self, step: Step) -> None:
        """Move the one quote that is furthest from where it should be."""
        slots = list(self._quotes)
        index = furthest([self._deviation_ppm(slot, step) for slot in slots])
        if index is None:
            return
        slot = slots[index]
        quote = self._quotes.pop(slot)
        parameters = {
            "symbol": self._markets[slot.market].symbol,
            "origClientOrderId": quote.client_order_id,
        }
        try:
            await self._maker.signed("DELETE", "/api/v3/order", parameters)
        except ApiError as error:
            # Somebody has taken it.
            if error.code != _UNKNOWN_ORDER:
                raise
        await self._place(slot, step)

    def _deviation_ppm(self, slot: _Slot, step: Step) -> int:
        """How far a quote is off. Twice as urgent when it is too generous: it would be run over."""
        middle_ticks = mid_ticks(self._markets[slot.market], step.values)
        off_ticks = self._quotes[slot].price_ticks - quote_price_ticks(middle_ticks, slot.side, slot.level)
        too_generous = off_ticks > 0 if slot.side == BUY else off_ticks < 0
        return abs(off_ticks) * 1_000_000 // middle_ticks * (2 if too_generous else 1)

    async def _place(self, slot: _Slot, step: Step) -> None:
        """One new quote; a refusal leaves the slot empty for a later step."""
        rules = self._markets[slot.market]
        price_ticks = quote_price_ticks(mid_ticks(rules, step.values), slot.side, slot.level)
        if price_ticks < 1:
            return
        lots = quantity_lots(rules, step.values, step.quote_value * (slot.level + 3) // 3, price_ticks)
        self._sent += 1
        quote = _Quote(f"mm-{self._run_id}-{self._sent}", price_ticks)
        parameters = {
            "symbol": rules.symbol,
            "side": SIDE_NAMES[slot.side],
            # Never takes: quotes that the walk has passed by must not trade with each other.
            "type": "LIMIT_MAKER",
            "price": format_fixed(price_ticks * rules.tick_atoms, DECIMALS),
            "quantity": format_fixed(lots * rules.lot_atoms, DECIMALS),
            "newClientOrderId": quote.client_order_id,
        }
        if await self._order_accepted(self._maker, parameters):
            self._quotes[slot] = quote

    async def _take(self, take: Take, step: Step) -> None:
        rules = self._markets[take.market]
        lots = quantity_lots(rules, step.values, take.value, mid_ticks(rules, step.values))
        parameters = {
            "symbol": rules.symbol,
            "side": SIDE_NAMES[take.side],
            "type": "MARKET",
            "quantity": format_fixed(lots * rules.lot_atoms, DECIMALS),
        }
        await self._order_accepted(self._taker, parameters)

    async def _order_accepted(self, account: TradingAccount, parameters: Mapping[str, str]) -> bool:
        try:
            await account.signed("POST", "/api/v3/order", parameters)
        except ApiError as error:
            # Would take, nothing to take, or short of funds until the next top-up: all pass.
            if error.code != _REFUSED_ORDER:
                raise
            return False
        return True


def _backoff_s(error: Exception, failures: int) -> float:
    wished_s = float(error.retry_after_s) if isinstance(error, ApiError) else 0.0
    return max(wished_s, min(_BACKOFF_S_MAX, _STEP_S * float(1 << min(failures, 10))))


def _rules(row: Mapping[str, Any]) -> MarketRules | None:
    """A market of exchangeInfo; None when it has ended, or one of its assets has no reference value."""
    if row["status"] == _ENDED:
        return None
    if row["baseAsset"] not in REFERENCE_VALUES or row["quoteAsset"] not in REFERENCE_VALUES:
        return None
    filters = {item["filterType"]: item for item in row["filters"]}
    notional = filters.get("NOTIONAL") or filters["MIN_NOTIONAL"]
    return MarketRules(
        symbol=row["symbol"],
        base=row["baseAsset"],
        quote=row["quoteAsset"],
        tick_atoms=parse_fixed(filters["PRICE_FILTER"]["tickSize"], DECIMALS),
        lot_atoms=parse_fixed(filters["LOT_SIZE"]["stepSize"], DECIMALS),
        notional_atoms_min=parse_fixed(notional["minNotional"], DECIMALS),
    )


def _start_values(markets: list[MarketRules], prices: Mapping[str, str]) -> dict[str, int]:
    """Values from the last prices against USDT, so that a restart does not jump."""
    values: dict[str, int] = {}
    for rules in markets:
        price_atoms = parse_fixed(prices.get(rules.symbol, "0"), DECIMALS)
        if rules.quote == "USDT" and price_atoms > 0:
            values[rules.base] = value_from_price(price_atoms, REFERENCE_VALUES["USDT"])
    return values
