"""The JSON objects of the user data stream (binance-spot-api 6.2).

`unit`: 1 for times in milliseconds, 1000 for microseconds. All are made from an event and the view as it
is right after that event.
"""

from dataclasses import dataclass
from typing import Final

from exchange.contracts import codes
from exchange.contracts.events import OrderClosed, TradeExecuted
from exchange.trading.fees import fee_of
from services.order.shapes.fees import commission
from services.order.shapes.order_lists import ALL_DONE, EXECUTING
from services.order.shapes.orders import NO_LIST, ORDER_TYPES, STP_MODES
from services.order.shapes.prevention import NO_TRADE_GROUP, PreventedMatch
from services.order.view.model import AccountView, Market, OrderRecord
from services.order.view.records import NOT_YET_MS, OrderListRecord, OrderTerms

__all__ = [
    "Moment",
    "account_position",
    "balance_update",
    "list_status",
    "order_amended",
    "order_closed",
    "order_decremented",
    "order_new",
    "order_trade",
    "terminated",
]

Shape = dict[str, object]
ZERO: Final = "0.00000000"
_NEVER_ON_THE_BOOK: Final = (codes.MARKET, codes.STOP_LOSS, codes.TAKE_PROFIT)


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
        "o": ORDER_TYPES[order.order_type],
        "f": codes.TIME_IN_FORCE_NAMES[order.time_in_force],
        "q": market.quantity_text(order.quantity_lots),
        "p": market.price_text(order.price_ticks),
        "P": ZERO,
        "F": ZERO,
        "g": order.order_list_id or NO_LIST,
        "C": "",
        "x": execution,
        "X": order.status_name,
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
        "w": order.is_open and order.is_working,
        "m": False,
        "M": False,
        "O": order.created_ms * unit,
        "Z": market.quote.text(order.executed_quote_atoms),
        "Y": market.quote.text(0),
        "Q": market.quote.text(order.quote_quantity_atoms),
        "V": STP_MODES[order.stp_mode],
    }
    if execution != "CANCELED" and order.working_ms != NOT_YET_MS:
        # Orders that have worked, takers too.
        report["W"] = order.working_ms * unit
    if order.terms is not None:
        _add_terms(report, market, order.terms, order.price_ticks, unit)
    return report


def _add_terms(report: Shape, market: Market, terms: OrderTerms, price_ticks: int, unit: int) -> None:
    """What an order has beside a plain one, where it has it."""
    report["P"] = market.price_text(terms.stop_price_ticks)
    report["F"] = market.quantity_text(terms.iceberg_lots)
    if terms.trailing_bips:
        report["d"] = terms.trailing_bips
        if terms.trailing_ms != NOT_YET_MS:
            report["D"] = terms.trailing_ms * unit
    if terms.strategy_id:
        report["j"] = terms.strategy_id
    if terms.strategy_type:
        report["J"] = terms.strategy_type
    if terms.peg_price_type:
        report["gP"] = codes.PEG_PRICE_TYPE_NAMES[terms.peg_price_type]
        if terms.peg_offset_levels:
            report["gOT"], report["gOV"] = "PRICE_LEVEL", terms.peg_offset_levels
        if price_ticks:
            report["gp"] = market.price_text(price_ticks)


def order_new(market: Market, order: OrderRecord, moment: Moment, unit: int) -> Shape:
    """An order was accepted, or went to work after it had waited."""
    return _execution_report(market, order, moment, "NEW", unit)


def order_trade(
    view: AccountView, market: Market, order: OrderRecord, trade: TradeExecuted, moment: Moment, unit: int
) -> Shape:
    """One side of a trade."""
    fee, fee_asset = commission(view, market, order.side, fee_of(trade, order.side))
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
    return order.order_type not in _NEVER_ON_THE_BOOK and order.time_in_force == codes.GTC


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
    report = _prevention(market, order, prevented, moment, unit)
    report["U"] = closed.counter_order_id
    report["A"] = market.quantity_text(order.quantity_lots - order.executed_lots)
    report["B"] = market.quantity_text(order.quantity_lots - order.executed_lots - order.prevented_lots)
    return report


def order_decremented(
    market: Market, order: OrderRecord, prevented: PreventedMatch, moment: Moment, unit: int
) -> Shape:
    """An order is smaller, or ended, by a self-trade that was prevented (DECREMENT)."""
    is_taker = order.order_id == prevented.taker_order_id
    report = _prevention(market, order, prevented, moment, unit)
    report["U"] = prevented.maker_order_id if is_taker else prevented.taker_order_id
    report["A"] = market.quantity_text(order.prevented_lots)
    report["B"] = market.quantity_text(prevented.match_lots)
    return report


def _prevention(
    market: Market, order: OrderRecord, prevented: PreventedMatch, moment: Moment, unit: int
) -> Shape:
    report = _execution_report(market, order, moment, "TRADE_PREVENTION", unit)
    report["v"] = prevented.match_id
    report["A"] = report["B"] = ZERO
    report["u"] = NO_TRADE_GROUP
    report["U"] = 0
    report["Cs"] = market.rules.symbol
    report["pl"] = market.quantity_text(prevented.match_lots)
    report["pL"] = market.price_text(prevented.price_ticks)
    report["pY"] = market.quote.text(
        prevented.match_lots * prevented.price_ticks * market.rules.notional_unit_atoms
    )
    return report


def order_amended(
    market: Market, order: OrderRecord, old_client_order_id: str, moment: Moment, unit: int
) -> Shape:
    """An order was made smaller."""
    report = _execution_report(market, order, moment, "REPLACED", unit)
    report["C"] = old_client_order_id
    return report


def list_status(
    market: Market, one: OrderListRecord, list_status_type: str, moment: Moment, unit: int
) -> Shape:
    """An order list began, changed or ended."""
    time = moment.time_ms * unit
    return {
        "e": "listStatus",
        "E": time,
        "s": market.rules.symbol,
        "g": one.order_list_id,
        "c": codes.CONTINGENCY_NAMES[one.contingency],
        "l": list_status_type,
        "L": ALL_DONE if list_status_type == ALL_DONE else EXECUTING,
        "r": "NONE",
        "C": one.list_client_order_id,
        "T": time,
        "O": [{"s": market.rules.symbol, "i": order_id, "c": name} for order_id, name in one.orders.items()],
    }


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
