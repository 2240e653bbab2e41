"""Holds an exchange against the journal of its clients: orders, trades, balances, ledger, book."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import httpx

from tests.e2e.journal import MIDS, Journal, Outcome, PlacedOrder
from tests.e2e.trader import Trader

__all__ = ["audit", "check_refusals"]

UNKNOWN_ORDER = -2011
STALE = -1021
OPEN = ("NEW", "PARTIALLY_FILLED")
ASSETS = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT"), "ETHBTC": ("ETH", "BTC")}
Rows = dict[str, dict[str, Any]]


def audit(traders: Sequence[Trader], journal: Journal, deposits: Mapping[str, str]) -> None:
    """Raises AssertionError on the first promise that does not hold. `deposits`: what every trader put in."""
    orders: list[Rows] = []
    trades: list[list[dict[str, Any]]] = []
    for trader in traders:
        orders.append({k: v for symbol in MIDS for k, v in trader.orders(symbol).items()})
        trades.append([row for symbol in MIDS for row in trader.trades(symbol)])
    for index, found in enumerate(orders):
        known = {i: o for i, o in journal.orders.items() if o.trader == index}
        assert set(found) <= set(known), f"orders that nobody sent: {sorted(set(found) - set(known))[:5]}"
        for client_order_id, order in known.items():
            _check_order(client_order_id, order, found.get(client_order_id))
        _check_trades(known, found, trades[index])
    _check_money(traders, orders, trades, deposits)
    _check_book(traders[0].url, orders)


def check_refusals(orders: Sequence[PlacedOrder]) -> None:
    """The load is made so that the exchange has no reason to refuse: a refusal is a lie.

    But for one: what reached the engine too late is refused by it, as the sender's recvWindow asks.
    """
    answers = [order.answer for order in orders if order.outcome is Outcome.REFUSED]
    lies = [answer for answer in answers if answer["code"] != STALE]
    assert not lies, f"{len(lies)} orders were refused, e.g. {lies[0]}"
    answers = [order.cancel_answer for order in orders if order.cancel is Outcome.REFUSED]
    lies = [answer for answer in answers if answer["code"] not in (UNKNOWN_ORDER, STALE)]
    assert not lies, f"{len(lies)} cancels were refused, e.g. {lies[0]}"


def _check_order(client_order_id: str, order: PlacedOrder, found: dict[str, Any] | None) -> None:
    """The order exists as acknowledged, in a state that can follow from what the client was told."""
    if order.outcome is Outcome.REFUSED:
        assert found is None, f"{client_order_id} was refused with {order.answer}, and exists"
        return
    if order.outcome is Outcome.UNKNOWN:
        return
    assert found is not None, f"{client_order_id} was acknowledged, and is gone: {order.answer}"
    context = (
        f"{client_order_id}: told {order.answer}, cancel {order.cancel} {order.cancel_answer}, is {found}"
    )
    assert found["orderId"] == order.answer["orderId"], context
    assert (found["symbol"], found["side"]) == (order.symbol, order.side), context
    assert Decimal(found["price"]) == order.price, context
    assert Decimal(found["origQty"]) == order.quantity, context
    assert Decimal(found["executedQty"]) >= Decimal(order.answer["executedQty"]), context
    allowed: tuple[str, ...] = (*OPEN, "FILLED")
    if order.answer["status"] == "FILLED":
        allowed = ("FILLED",)
    elif order.cancel is Outcome.ACKNOWLEDGED:
        allowed = ("CANCELED",)
        assert Decimal(found["executedQty"]) == Decimal(order.cancel_answer["executedQty"]), context
    elif order.cancel is Outcome.REFUSED:
        # Somebody else was quicker; any other refusal has changed nothing.
        allowed = ("FILLED",) if order.cancel_answer["code"] == UNKNOWN_ORDER else (*OPEN, "FILLED")
    elif order.cancel is Outcome.UNKNOWN:
        allowed = (*OPEN, "FILLED", "CANCELED")
    assert found["status"] in allowed, context


def _check_trades(known: Mapping[str, PlacedOrder], found: Rows, trades: Sequence[Mapping[str, Any]]) -> None:
    """Every acknowledged fill is in the account's trades, and the trades make up the executed quantities."""
    by_key = {(row["symbol"], row["id"]): row for row in trades}
    assert len(by_key) == len(trades), "a trade is listed twice"
    for client_order_id, order in known.items():
        for fill in order.answer.get("fills", []):
            row = by_key.get((order.symbol, fill["tradeId"]))
            assert row is not None, f"{client_order_id}: the acknowledged trade {fill} is gone"
            for mine, theirs in (("price", "price"), ("qty", "qty"), ("commission", "commission")):
                assert Decimal(row[mine]) == Decimal(fill[theirs]), f"{client_order_id}: {fill} became {row}"
    executed: defaultdict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for row in trades:
        executed[row["symbol"], row["orderId"]] += Decimal(row["qty"])
    for order_row in found.values():
        sum_of_trades = executed[order_row["symbol"], order_row["orderId"]]
        assert sum_of_trades == Decimal(order_row["executedQty"]), f"{order_row}: trades of {sum_of_trades}"


def _check_money(
    traders: Sequence[Trader],
    orders: Sequence[Rows],
    trades: Sequence[Sequence[Mapping[str, Any]]],
    deposits: Mapping[str, str],
) -> None:
    """Nothing appears or vanishes: balances + fees = deposits, and the ledger says the same."""
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for trader, own_orders, own_trades in zip(traders, orders, trades, strict=True):
        balances = trader.balances()
        held = _holds(own_orders)
        for asset in deposits:
            free, locked = balances.get(asset, (Decimal(0), Decimal(0)))
            assert locked == held[asset], f"{asset}: {locked} locked, open orders hold {held[asset]}"
            sums: defaultdict[str, Decimal] = defaultdict(Decimal)
            for entry in trader.ledger(asset):
                sums[entry["bucket"]] += Decimal(entry["amount"])
            assert (sums["AVAILABLE"], sums["HELD"]) == (free, locked), f"ledger of {asset}: {dict(sums)}"
            totals[asset] += free + locked
        for row in own_trades:
            totals[row["commissionAsset"]] += Decimal(row["commission"])
    for asset, amount in deposits.items():
        assert totals[asset] == Decimal(amount) * len(traders), f"{asset}: {totals[asset]} of {amount} each"


def _holds(orders: Rows) -> defaultdict[str, Decimal]:
    """What the open orders must keep locked."""
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in orders.values():
        if row["status"] in OPEN:
            base, quote = ASSETS[row["symbol"]]
            left = Decimal(row["origQty"]) - Decimal(row["executedQty"])
            if row["side"] == "BUY":
                held[quote] += left * Decimal(row["price"])
            else:
                held[base] += left
    return held


def _check_book(url: str, orders: Sequence[Rows]) -> None:
    """The public book is exactly the sum of all open orders."""
    for symbol in MIDS:
        levels: dict[str, defaultdict[Decimal, Decimal]] = {
            "BUY": defaultdict(Decimal),
            "SELL": defaultdict(Decimal),
        }
        for rows in orders:
            for row in rows.values():
                if row["symbol"] == symbol and row["status"] in OPEN:
                    left = Decimal(row["origQty"]) - Decimal(row["executedQty"])
                    levels[row["side"]][Decimal(row["price"])] += left
        parameters: dict[str, str | int] = {"symbol": symbol, "limit": 5000}
        answer = httpx.get(f"{url}/api/v3/depth", params=parameters, timeout=10.0, trust_env=False)
        assert answer.status_code == 200, answer.text[:300]
        for side, name in (("BUY", "bids"), ("SELL", "asks")):
            shown = {Decimal(price): Decimal(quantity) for price, quantity in answer.json()[name]}
            assert shown == dict(levels[side]), f"{symbol} {name}"
