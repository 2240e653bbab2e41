"""The JSON objects of the user data stream (binance-spot-api 6.2).

`unit`: 1 for times in milliseconds, 1000 for microseconds. All are made from an event and the view as it
is right after that event.
"""

from dataclasses import dataclass
from typing import Final

from exchange.contracts import codes
from exchange.contracts.events import OrderClosed, TradeExecuted
from services.order.shapes.fees import commission
from services.order.shapes.prevention import NO_TRADE_GROUP, PreventedMatch
from services.order.view.model import AccountView, Market, OrderRecord

__all__ = [
    "Moment",
    "account_position",
    "balance_update",
    "order_closed",
    "order_new",
    "order_trade",
    "terminated",
]

Shape = dict[str, object]
ZERO: Final = "0.00000000"


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened: the seq of its event and the engine's clock."""

    seq: int
    time_ms: int


def _execution_report(market: Market, order: OrderRecord, moment: Moment, execution: str, unit: int) -> Shape:
    """The keys that every executionReport has, with nothing executed."""
    time = moment.time_ms * unit
    report: Shape = {
        "e": "executionReport",
        "E": time,
        "s": market.rules.symbol,
        "c": order.client_order_id,
        "S": codes.SIDE_NAMES[order.side],
        "o": codes.ORDER_TYPE_NAMES[order.order_type],
        "f": codes.TIME_IN_FORCE_NAMES[order.time_in_force],
        "q": market.quantity_text(order.quantity_lots),
        "p": market.price_text(order.price_ticks),
        "P": ZERO,
        "F": ZERO,
        "g": -1,
        "C": "",
        "x": execution,
        "X": codes.ORDER_STATUS_NAMES[order.status],
        "r": "NONE",
        "i": order.order_id,
        "l": market.quantity_text(0),
        "z": market.quantity_text(order.executed_lots),
        "L": market.price_text(0),
        "n": "0",
        "N": None,
        "T": time,
        "t": -1,
        "I": moment.seq,
        "w": order.is_open,
        "m": False,
        "M": False,
        "O": order.created_ms * unit,
        "Z": market.quote.text(order.executed_quote_atoms),
        "Y": market.quote.text(0),
        "Q": market.quote.text(order.quote_quantity_atoms),
        "V": codes.STP_NAMES[order.stp_mode],
    }
    if execution != "CANCELED":
        # Every order here has worked, takers too.
        report["W"] = order.working_ms * unit
    return report


def order_new(market: Market, order: OrderRecord, moment: Moment, unit: int) -> Shape:
    """An order was accepted."""
    return _execution_report(market, order, moment, "NEW", unit)


def order_trade(market: Market, order: OrderRecord, trade: TradeExecuted, moment: Moment, unit: int) -> Shape:
    """One side of a trade."""
    fee, fee_asset = commission(market, order.side, trade.buyer_fee_atoms, trade.seller_fee_atoms)
    report = _execution_report(market, order, moment, "TRADE", unit)
    report["l"] = market.quantity_text(trade.quantity_lots)
    report["L"] = market.price_text(trade.price_ticks)
    report["Y"] = market.quote.text(trade.quote_atoms)
    report["n"] = fee
    report["N"] = fee_asset
    report["t"] = trade.trade_id
    report["m"] = trade.taker_side != order.side
    report["M"] = True
    report["w"] = order.is_open and _can_rest(order)
    return report


def _can_rest(order: OrderRecord) -> bool:
    """Whether an order of its kind may ever stand on the book."""
    return order.order_type != codes.MARKET and order.time_in_force == codes.GTC


def order_closed(
    market: Market,
    order: OrderRecord,
    closed: OrderClosed,
    prevented: PreventedMatch | None,
    moment: Moment,
    unit: int,
) -> Shape:
    """An order ended unfilled or partly filled: by its owner, by expiry, or by self-trade prevention.

    `prevented`: the match that the last of these has prevented.
    """
    if closed.status == codes.CANCELED:
        report = _execution_report(market, order, moment, "CANCELED", unit)
        if closed.cancel_client_order_id:
            report["c"], report["C"] = closed.cancel_client_order_id, order.client_order_id
        return report
    if prevented is None:
        report = _execution_report(market, order, moment, "EXPIRED", unit)
        report["eR"] = codes.CLOSE_REASON_NAMES[closed.reason]
        return report
    report = _execution_report(market, order, moment, "TRADE_PREVENTION", unit)
    report["v"] = prevented.match_id
    report["A"] = report["B"] = market.quantity_text(order.quantity_lots - order.executed_lots)
    report["u"] = NO_TRADE_GROUP
    report["U"] = closed.counter_order_id
    report["Cs"] = market.rules.symbol
    report["pl"] = market.quantity_text(prevented.match_lots)
    report["pL"] = market.price_text(prevented.price_ticks)
    report["pY"] = market.quote.text(
        prevented.match_lots * prevented.price_ticks * market.rules.notional_unit_atoms
    )
    return report


def account_position(
    view: AccountView, user_id: int, asset_ids: list[int], moment: Moment, unit: int
) -> Shape:
    """The balances that may have changed."""
    time = moment.time_ms * unit
    balances = view.balances.get(user_id, {})
    rows = []
    for asset_id in asset_ids:
        asset, balance = view.assets[asset_id], balances.get(asset_id)
        rows.append(
            {
                "a": asset.code,
                "f": asset.text(balance.available_atoms if balance else 0),
                "l": asset.text(balance.held_atoms if balance else 0),
            }
        )
    return {"e": "outboundAccountPosition", "E": time, "u": time, "B": rows}


def balance_update(view: AccountView, asset_id: int, delta_atoms: int, moment: Moment, unit: int) -> Shape:
    """Money came from outside or left for it."""
    asset, time = view.assets[asset_id], moment.time_ms * unit
    return {"e": "balanceUpdate", "E": time, "a": asset.code, "d": asset.text(delta_atoms), "T": time}


def terminated(time_ms: int, unit: int) -> Shape:
    """The last event of a subscription."""
    return {"e": "eventStreamTerminated", "E": time_ms * unit}
