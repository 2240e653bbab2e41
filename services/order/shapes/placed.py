"""An order as the answer to its placement tells it (binance-spot-api 2.4)."""

from typing import Final, NamedTuple

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.events import OrderAccepted, OrderClosed, TradeExecuted
from exchange.contracts.order_events import OrderWithTermsAccepted, SelfTradeDecremented
from exchange.trading.fees import fee_of
from exchange.trading.trailing import follows_at_once
from services.order.shapes.fees import commission
from services.order.shapes.orders import EXPIRED, NO_LIST, ORDER_TYPES, STP_MODES, add_terms
from services.order.shapes.prevention import (
    NO_TRADE_GROUP,
    PreventedMatch,
    prevented_matches_of_taker,
    prevented_quantities,
)
from services.order.view.model import AccountView, Market
from services.order.view.records import NOT_YET_MS, OrderTerms

__all__ = ["ACK", "FULL", "RESULT", "Accepted", "Answer", "placed_order"]

Accepted = OrderAccepted | OrderWithTermsAccepted
# How much an answer tells.
ACK: Final = "ACK"
RESULT: Final = "RESULT"
FULL: Final = "FULL"


class Answer(NamedTuple):
    """How it is wished: `form` ACK, RESULT or FULL; `unit` 1 for milliseconds, 1000 for microseconds."""

    form: str
    unit: int


def placed_order(
    found: Market, outcome: CommandOutcome, accepted: Accepted, view: AccountView, answer: Answer
) -> dict[str, object]:
    """What the sender is told. All of it follows from the outcome itself, so nothing newer gets in.

    But for the price of an order of his own that has ended this one: it does not change.
    """
    order_list_id = accepted.order_list_id if isinstance(accepted, OrderWithTermsAccepted) else 0
    shape: dict[str, object] = {
        "symbol": found.rules.symbol,
        "orderId": accepted.order_id,
        "orderListId": order_list_id or NO_LIST,
        "clientOrderId": accepted.client_order_id,
        "transactTime": outcome.time_ms * answer.unit,
    }
    if answer.form != ACK:
        _add_result(shape, found, outcome, accepted, view, answer)
    if isinstance(accepted, OrderWithTermsAccepted):
        terms = _terms(accepted, outcome.time_ms)
        add_terms(shape, found, terms, accepted.price_ticks, answer.unit)
    return shape


def _terms(accepted: OrderWithTermsAccepted, time_ms: int) -> OrderTerms:
    follows = follows_at_once(accepted.state, accepted.trailing_bips, accepted.stop_price_ticks)
    return OrderTerms(
        accepted.order_list_id,
        accepted.state,
        accepted.stop_price_ticks,
        accepted.trailing_bips,
        time_ms if follows else NOT_YET_MS,
        accepted.iceberg_lots,
        accepted.strategy_id,
        accepted.strategy_type,
        accepted.peg_price_type,
        accepted.peg_offset_levels,
    )


def _add_result(
    shape: dict[str, object],
    found: Market,
    outcome: CommandOutcome,
    accepted: Accepted,
    view: AccountView,
    answer: Answer,
) -> None:
    """What has become of the order within its own outcome, which may tell of others that it sent to work.

    What waits when it is accepted is told as waiting, even if it has gone to work by the outcome's end.
    """
    executed_lots = executed_quote_atoms = close_reason = prevented_lots = 0
    status = codes.NEW
    trades: list[TradeExecuted] = []
    order_id = accepted.order_id
    waits = isinstance(accepted, OrderWithTermsAccepted) and accepted.state != codes.STATE_WORKING
    for recorded in () if waits else outcome.events:
        event = recorded.event
        if isinstance(event, TradeExecuted):
            if order_id in (event.buyer_order_id, event.seller_order_id):
                executed_lots += event.quantity_lots
                executed_quote_atoms += event.quote_atoms
                trades.append(event)
        elif isinstance(event, OrderClosed):
            if event.order_id == order_id:
                status, close_reason = event.status, event.reason
        elif isinstance(event, SelfTradeDecremented) and (
            order_id in (event.taker_order_id, event.maker_order_id)
        ):
            prevented_lots += event.prevented_lots
    if status == codes.NEW and executed_lots:
        is_filled = executed_lots + prevented_lots == accepted.quantity_lots
        status = codes.FILLED if is_filled else codes.PARTIALLY_FILLED
    if waits and isinstance(accepted, OrderWithTermsAccepted) and accepted.state == codes.STATE_PENDING:
        status = codes.PENDING_NEW
    shape["price"] = found.price_text(accepted.price_ticks)
    if accepted.quantity_lots:
        # An OPO's pending orders have none yet, and upstream names none.
        shape["origQty"] = found.quantity_text(accepted.quantity_lots)
    shape["executedQty"] = found.quantity_text(executed_lots)
    shape["origQuoteOrderQty"] = found.quote.text(accepted.quote_quantity_atoms)
    shape["cummulativeQuoteQty"] = found.quote.text(executed_quote_atoms)
    shape["status"] = codes.ORDER_STATUS_NAMES[status]
    shape["timeInForce"] = codes.TIME_IN_FORCE_NAMES[accepted.time_in_force]
    shape["type"] = ORDER_TYPES[accepted.order_type]
    shape["side"] = codes.SIDE_NAMES[accepted.side]
    shape["workingTime"] = NOT_YET_MS if waits else shape["transactTime"]
    if answer.form == FULL:
        shape["fills"] = [_fill(view, found, trade, accepted.side) for trade in trades]
    shape["selfTradePreventionMode"] = STP_MODES[accepted.stp_mode]
    if accepted.stp_mode != codes.STP_NONE:
        matches = prevented_matches_of_taker(view, outcome, accepted, executed_lots)
        _add_prevented(shape, found, matches, prevented_lots)
    if status in EXPIRED:
        shape["expiryReason"] = codes.CLOSE_REASON_NAMES[close_reason]


def _add_prevented(
    shape: dict[str, object], found: Market, matches: list[PreventedMatch], decremented_lots: int
) -> None:
    """The order's self-trades that were prevented, if there were any."""
    if not matches:
        return
    shape["preventedMatches"] = [
        {
            "preventedMatchId": match.match_id,
            "makerOrderId": match.maker_order_id,
            "price": found.price_text(match.price_ticks),
            **prevented_quantities(found, match),
        }
        for match in matches
    ]
    last = matches[-1]
    if last.taker_lots:
        # Decrements take a part each; any other match that takes lots takes all that is left.
        lots = decremented_lots or last.taker_lots
        shape["preventedMatchId"] = last.match_id
        shape["preventedQuantity"] = found.quantity_text(lots)
        shape["tradeGroupId"] = NO_TRADE_GROUP


def _fill(view: AccountView, found: Market, trade: TradeExecuted, side: int) -> dict[str, object]:
    fee, fee_asset = commission(view, found, side, fee_of(trade, side))
    return {
        "price": found.price_text(trade.price_ticks),
        "qty": found.quantity_text(trade.quantity_lots),
        "commission": fee,
        "commissionAsset": fee_asset,
        "tradeId": trade.trade_id,
    }
