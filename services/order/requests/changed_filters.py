"""Filters that a command has changed, as far as a request alone tells whether it passes (ADR 0045).

The engine has the last word: what is refused here only saves it the work, and answers `order/test`.
"""

from exchange.contracts import codes
from exchange.contracts.errors import filter_failure
from exchange.contracts.filter_kinds import Values
from services.order.requests.terms import WITHOUT_PRICE, Terms
from services.order.view.records import Market

__all__ = ["check_changed_filters"]

_OFF: Values = (0, 0, 0, 0)
_STOPS_LOSS = (codes.STOP_LOSS, codes.STOP_LOSS_LIMIT)


def check_changed_filters(
    market: Market, side: int, order_type: int, price_ticks: int, lots: int, quote_atoms: int, terms: Terms
) -> None:
    """Raises -1013. 0: what the order does not have."""
    changed = market.changed
    price_step = changed.get(codes.FILTER_PRICE, _OFF)[2] or 1
    if price_ticks % price_step or terms.stop_price_ticks % price_step:
        raise filter_failure("PRICE_FILTER")
    step = changed.get(codes.FILTER_LOT_SIZE, _OFF)[2] or 1
    if lots % step or terms.iceberg_lots % step:
        raise filter_failure("LOT_SIZE")
    if order_type in WITHOUT_PRICE and lots:
        least, _, market_step, _ = changed.get(codes.FILTER_MARKET_LOT_SIZE, _OFF)
        if lots < least or lots % (market_step or 1):
            raise filter_failure("MARKET_LOT_SIZE")
    _check_min_notional(market, price_ticks * lots * market.rules.notional_unit_atoms, quote_atoms)
    parts = changed.get(codes.FILTER_ICEBERG_PARTS, _OFF)[0]
    if terms.iceberg_lots and parts and -(-lots // terms.iceberg_lots) > parts:
        raise filter_failure("ICEBERG_PARTS")
    delta = changed.get(codes.FILTER_TRAILING_DELTA)
    if terms.trailing_bips and delta is not None:
        is_above = (order_type in _STOPS_LOSS) == (side == codes.BUY)
        low, high = delta[:2] if is_above else delta[2:]
        if not low <= terms.trailing_bips <= high:
            raise filter_failure("TRAILING_DELTA")


def _check_min_notional(market: Market, notional_atoms: int, quote_atoms: int) -> None:
    least, to_market, _, _ = market.changed.get(codes.FILTER_MIN_NOTIONAL, _OFF)
    if 0 < notional_atoms < least or (to_market and 0 < quote_atoms < least):
        raise filter_failure("MIN_NOTIONAL")
